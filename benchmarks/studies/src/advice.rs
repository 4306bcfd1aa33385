//! Does the first advice help? Trains with something wrong, and again with the advice of the first
//! verdict; compares both on test samples.
//!
//! The study follows advice to take more samples with four times as many. Advice to inspect the
//! data cannot be followed here: such cases are listed and do not count.

use std::{fmt::Write as _, path::Path};

use anyhow::{Result, ensure};
use klubok::{
    backend::{DataId, Outputs},
    config::{Config, ConfigBuilder, Machine, Preset},
    data::{Dataset, survey::Survey},
    diagnose::{data_quality, observer::DiagnosisObserver},
    state::State,
    train::{
        control::Control,
        evaluate::visit,
        event::{Event, Observer as _, Verdict},
        task::Task,
        trainer::{Checkpoint, Trainer},
    },
};

use crate::{
    data_set::{self, DataSet},
    statistics::{half_interval, mean},
    training::{argmax, backend},
};

/// A training that a user may run into.
struct Case {
    name: &'static str,
    data_set: DataSet,
    preset: Preset,
    train: usize,
    settings: &'static str,
}

/// Advice to take more samples multiplies the training set by this.
const SAMPLES_FACTOR: usize = 4;
/// Validation samples at most; a small training set has a quarter of its size.
const MAX_VALIDATION: usize = 1000;

const fn case(
    name: &'static str,
    data_set: DataSet,
    preset: Preset,
    train: usize,
    settings: &'static str,
) -> Case {
    Case { name, data_set, preset, train, settings }
}

use DataSet::{Drawn, Fashion, Mnist, Photographs};
use Preset::{Article, Balanced, Plain};

#[rustfmt::skip]
const CASES: &[Case] = &[
    // New users.
    case("300 photographs, default", Photographs, Balanced, 240, "model.hidden=256,128"),
    case("300 photographs, article", Photographs, Article, 240, "model.hidden=128,64 train.epochs=30"),
    case("300 drawings, default", Drawn, Balanced, 240, "model.hidden=256,128"),
    case("300 drawings, article", Drawn, Article, 240, "model.hidden=128,64 train.epochs=30"),
    case("photographs, article", Photographs, Article, 2000, "model.hidden=128,64 train.epochs=30"),
    case("drawings, article", Drawn, Article, 2000, "model.hidden=128,64 train.epochs=30"),
    case("digits, article", Mnist, Article, 2000, "model.hidden=128,64 train.epochs=30"),
    case("garments, article", Fashion, Article, 2000, "model.hidden=128,64 train.epochs=40"),
    case("garments, too long", Fashion, Plain, 2000, "model.hidden=256,128 train.epochs=60"),
    case("digits, five epochs' worth of steps", Mnist, Plain, 2000, "model.hidden=128 train.optimizer=sgd train.learning_rate=0.005 train.epochs=12"),
    case("drawings, short", Drawn, Plain, 2000, "model.hidden=64 train.epochs=10 train.learning_rate=0.0002"),
    // Rates.
    case("rate too low, momentum", Drawn, Plain, 2000, "model.hidden=128,64 train.optimizer=sgd train.learning_rate=0.0001 train.epochs=20"),
    case("rate too low, plain SGD", Mnist, Plain, 2000, "model.hidden=128,64 train.optimizer=sgd train.momentum=0 train.learning_rate=0.0001 train.epochs=20"),
    case("rate too low, AdamW", Photographs, Plain, 2000, "model.hidden=128,64 train.learning_rate=1e-5 train.epochs=20"),
    case("rate far too low, AdamW", Mnist, Plain, 2000, "model.hidden=128,64 train.learning_rate=1e-6 train.epochs=20"),
    case("rate too high, AdamW", Mnist, Plain, 2000, "model.hidden=128,64 train.learning_rate=1 train.epochs=20"),
    case("rate too high, momentum", Drawn, Plain, 2000, "model.hidden=128,64 train.optimizer=sgd train.learning_rate=1 train.epochs=20"),
    case("rate too high, plain SGD", Photographs, Plain, 2000, "model.hidden=128,64 train.optimizer=sgd train.momentum=0 train.learning_rate=1 train.epochs=20"),
    case("rate of 10, momentum", Mnist, Plain, 2000, "model.hidden=128,64 train.optimizer=sgd train.learning_rate=10 train.epochs=20"),
    // Planted faults.
    case("dead units", Mnist, Plain, 2000, "model.hidden=128,64 train.learning_rate=0.05 train.epochs=20"),
    case("saturated units", Mnist, Plain, 2000, "model.hidden=128,64 model.activation=tanh train.optimizer=sgd train.learning_rate=1 train.epochs=20"),
    case("vanishing gradients", Mnist, Plain, 2000, "model.hidden=64,64,64,64,64,64 model.activation=sigmoid model.init=glorot train.optimizer=sgd train.learning_rate=0.05 train.epochs=20"),
    case("exploding gradients", Fashion, Plain, 2000, "model.hidden=64,64,64,64,64,64,64,64,64,64,64,64 model.activation=identity model.output_init=he train.optimizer=sgd train.learning_rate=0.05 train.epochs=15"),
    case("weights initialised to zero", Mnist, Plain, 2000, "model.hidden=128,64 model.init=zeros train.epochs=20"),
    case("weights erased by L2", Mnist, Plain, 2000, "model.hidden=128,64 train.optimizer=sgd regularization.l2=1 train.epochs=20"),
    case("weights erased by decay", Fashion, Plain, 2000, "model.hidden=128,64 regularization.weight_decay=50 train.learning_rate=0.01 train.epochs=20"),
    case("inputs not normalised", Photographs, Plain, 2000, "model.hidden=128,64 data.normalize=false train.optimizer=sgd train.epochs=20"),
    case("two units", Mnist, Plain, 2000, "model.hidden=2 train.epochs=30"),
    case("one unit", Fashion, Plain, 2000, "model.hidden=64,1 train.epochs=30"),
    case("oscillating loss", Fashion, Plain, 2000, "model.hidden=64 train.optimizer=sgd train.learning_rate=0.3 train.schedule=constant train.batch_size=16 train.epochs=20"),
    case("overconfidence", Mnist, Plain, 1000, "model.hidden=256,128 train.learning_rate=0.003 train.epochs=40"),
];

/// The result of a training.
struct Outcome {
    verdicts: Vec<Verdict>,
    /// Test accuracy of the best epoch.
    accuracy: f64,
    /// Test cross-entropy of the best epoch at the model's temperature.
    loss: f64,
}

/// Trains every case with `seeds` seeds, with and without its first advice, and prints the effect.
pub(crate) fn run(
    folder: &Path,
    only: &[String],
    seeds: u64,
    print: &mut dyn FnMut(&str) -> Result<()>,
) -> Result<()> {
    let (mut followed, mut better, mut worse) = (0_usize, 0, 0);
    print(
        "| case | first verdict | first advice | accuracy, points | loss | |\n\
         | --- | --- | --- | --- | --- | --- |",
    )?;
    for case in CASES {
        if !only.is_empty() && !only.iter().any(|word| case.name.contains(word.as_str())) {
            continue;
        }
        let (plain, _) = case.config(0)?;
        let data = case.data_set.open(folder, &plain)?;
        let (row, effect) = case.compare(&data, seeds)?;
        print(&row)?;
        if let Some(effect) = effect {
            followed += 1;
            better += usize::from(effect > 0);
            worse += usize::from(effect < 0);
        }
    }
    let share = |n: usize| 100.0 * n as f64 / followed.max(1) as f64;
    print(&format!(
        "\nOf {followed}: better {better} ({:.0} %), worse beyond chance {worse} ({:.0} %)",
        share(better),
        share(worse)
    ))
}

impl Case {
    fn config(&self, seed: u64) -> Result<(Config, Machine)> {
        let mut builder = ConfigBuilder::new(self.preset, self.data_set.kind());
        self.settings.split(' ').try_for_each(|setting| builder.assign(setting))?;
        builder.set("train.seed", &seed.to_string())?;
        let machine = klubok::device::machine();
        Ok((builder.resolve(&machine)?.config, machine))
    }

    /// Returns a row of the table, and the effect of the advice: 1 where it helped, -1 where it
    /// harmed beyond chance, 0 otherwise; none where there was no advice to follow.
    fn compare(&self, data: &Dataset, seeds: u64) -> Result<(String, Option<i8>)> {
        let (mut accuracy, mut loss) = (Vec::new(), Vec::new());
        let (mut first_verdict, mut first_advice) = (String::from("nothing"), String::new());
        for seed in 0..seeds {
            let (config, _) = self.config(seed)?;
            let (own, test) = split(data, self.train, seed)?;
            let before = train(&config, &own, &test)?;
            let has_advice =
                |verdict: &&Verdict| !verdict.changes.is_empty() || verdict.more_samples;
            let Some(verdict) = before.verdicts.iter().find(has_advice) else {
                if let Some(verdict) = before.verdicts.first() {
                    first_verdict = format!("{:?}", verdict.name);
                }
                continue;
            };
            let (advised, samples) = if verdict.more_samples {
                (config.clone(), SAMPLES_FACTOR * self.train)
            } else {
                (config.with(&verdict.changes)?, self.train)
            };
            ensure!(
                advised != config || samples != self.train,
                "advice without effect: {verdict:?}"
            );
            if seed == 0 || first_advice.is_empty() {
                let advice = if verdict.more_samples { "more samples" } else { &verdict.try_ };
                (first_verdict, first_advice) = (format!("{:?}", verdict.name), advice.to_owned());
            }
            let (own, test) = split(data, samples, seed)?;
            let after = train(&advised, &own, &test)?;
            accuracy.push(100.0 * (after.accuracy - before.accuracy));
            loss.push(after.loss - before.loss);
        }
        let (a, half_a) = (mean(&accuracy), half_interval(&accuracy));
        let (l, half_l) = (mean(&loss), half_interval(&loss));
        let effect = match accuracy.len() {
            0 => None,
            _ if a > 0.0 || l < 0.0 && a > -half_a => Some(1),
            _ if a < -half_a || l > half_l => Some(-1),
            _ => Some(0),
        };
        let word = match effect {
            None => "nothing to follow",
            Some(1) => "better",
            Some(-1) => "**worse**",
            Some(_) => "no better",
        };
        let mut row = String::new();
        let _ = write!(
            row,
            "| {} | {first_verdict} | {first_advice} | {a:+.1} ± {half_a:.1} | {l:+.3} ± {half_l:.3} | {word} ({} of {seeds}) |",
            self.name,
            accuracy.len()
        );
        Ok((row, effect))
    }
}

/// Splits the data; a small training set gets a small validation set, a fifth of both together.
fn split(data: &Dataset, train: usize, seed: u64) -> Result<(Dataset, Vec<u32>)> {
    let (mut own, test) = data_set::split(data, train, seed)?;
    own.parts.val.truncate((train / 4).min(MAX_VALIDATION));
    own.parts.val.sort_unstable();
    Ok((own, test))
}

fn train(config: &Config, data: &Dataset, test: &[u32]) -> Result<Outcome> {
    let backend = backend(config)?;
    let task = Task::new(config, data)?;
    let mut diagnosis = DiagnosisObserver::of_data(config, data);
    diagnosis.add_data_verdicts(data_quality::verdicts(&Survey::of(data)?, config));
    let (plan, start) = (task.plan.clone(), Checkpoint::start(task.initial_state));
    let mut trainer = Trainer::new(&*backend, plan, task.samples, &config.train, start)?;
    let control = Control::new();
    let stopped = loop {
        if let Some(stopped) = trainer.advance(&mut diagnosis, &control)? {
            break stopped;
        }
    };
    let Checkpoint { progress, best, .. } = trainer.checkpoint()?;
    let epoch = progress.divergence.map_or(progress.epochs(), |divergence| divergence.epoch);
    let stopping = Event::Stopping { stopped, step: progress.step, epoch };
    diagnosis.observe(&stopping)?;
    let state = State { params: best.params, running: best.running, ..State::default() };
    let mut program = backend.compile(&task.plan, 512, std::slice::from_ref(&data.rows))?;
    program.load(&state)?;
    let (mut z, mut outputs) = (Vec::new(), Outputs::default());
    visit(&mut *program, DataId(0), test, &[task.plan.output], &mut outputs, |_, outputs| {
        z.extend_from_slice(&outputs.values[0]);
        Ok(())
    })?;
    let classes = data.classes_of(test);
    let outputs = data.outputs.len();
    let samples = z.chunks_exact(outputs).zip(&classes);
    let correct = samples.filter(|(z, class)| argmax(z) == **class as usize).count();
    Ok(Outcome {
        verdicts: diagnosis.diagnosis().verdicts,
        accuracy: correct as f64 / classes.len() as f64,
        loss: progress.calibration().loss(&z, outputs, &classes, &[]).unwrap_or(f64::NAN),
    })
}
