//! Does the first advice help? Trainings with something wrong, and the same with what the first
//! verdict advises, judged on samples that chose nothing.
//!
//! Advice to take more samples is followed by taking four times as many. Where a verdict says to
//! look at the data, nobody can follow it here: such cases are listed, and do not count.

use std::{fmt::Write as _, path::Path};

use anyhow::{Result, ensure};
use klubok::{
    backend::{DataId, Outputs},
    config::{Config, ConfigBuilder, Machine, Preset},
    data::{Dataset, survey::Survey},
    diagnose::{before, observer::DiagnosisObserver, setup::Setup},
    state::State,
    train::{
        control::Control,
        evaluate::visit,
        event::{Event, Observer as _, Verdict},
        task::Task,
        trainer::{Snapshot, Trainer},
    },
};

use crate::{
    set::{Set, deal},
    statistics::{half_interval, mean},
};

/// Something that a person may run into.
struct Case {
    name: &'static str,
    set: Set,
    preset: Preset,
    train: usize,
    sets: &'static str,
}

/// How many samples more samples are.
const MORE: usize = 4;
/// Samples that validate, of many and of few to learn from.
const VAL: usize = 1000;

const fn case(
    name: &'static str,
    set: Set,
    preset: Preset,
    train: usize,
    sets: &'static str,
) -> Case {
    Case { name, set, preset, train, sets }
}

use Preset::{Article, Balanced, Plain};
use Set::{Drawn, Fashion, Mnist, Photographs};

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
    case("rate too low, descent", Mnist, Plain, 2000, "model.hidden=128,64 train.optimizer=sgd train.momentum=0 train.learning_rate=0.0001 train.epochs=20"),
    case("rate too low, AdamW", Photographs, Plain, 2000, "model.hidden=128,64 train.learning_rate=1e-5 train.epochs=20"),
    case("rate far too low, AdamW", Mnist, Plain, 2000, "model.hidden=128,64 train.learning_rate=1e-6 train.epochs=20"),
    case("rate too high, AdamW", Mnist, Plain, 2000, "model.hidden=128,64 train.learning_rate=1 train.epochs=20"),
    case("rate too high, momentum", Drawn, Plain, 2000, "model.hidden=128,64 train.optimizer=sgd train.learning_rate=1 train.epochs=20"),
    case("rate too high, descent", Photographs, Plain, 2000, "model.hidden=128,64 train.optimizer=sgd train.momentum=0 train.learning_rate=1 train.epochs=20"),
    case("rate of 10, momentum", Mnist, Plain, 2000, "model.hidden=128,64 train.optimizer=sgd train.learning_rate=10 train.epochs=20"),
    // Planted faults.
    case("dead units", Mnist, Plain, 2000, "model.hidden=128,64 train.learning_rate=0.05 train.epochs=20"),
    case("saturated units", Mnist, Plain, 2000, "model.hidden=128,64 model.activation=tanh train.optimizer=sgd train.learning_rate=1 train.epochs=20"),
    case("vanishing gradients", Mnist, Plain, 2000, "model.hidden=64,64,64,64,64,64 model.activation=sigmoid model.init=glorot train.optimizer=sgd train.learning_rate=0.05 train.epochs=20"),
    case("exploding gradients", Fashion, Plain, 2000, "model.hidden=64,64,64,64,64,64,64,64,64,64,64,64 model.activation=identity model.output_init=he train.optimizer=sgd train.learning_rate=0.05 train.epochs=15"),
    case("weights at zero", Mnist, Plain, 2000, "model.hidden=128,64 model.init=zeros train.epochs=20"),
    case("weights taken by a penalty", Mnist, Plain, 2000, "model.hidden=128,64 train.optimizer=sgd regularization.l2=1 train.epochs=20"),
    case("weights taken by decay", Fashion, Plain, 2000, "model.hidden=128,64 regularization.weight_decay=50 train.learning_rate=0.01 train.epochs=20"),
    case("inputs as they are stored", Photographs, Plain, 2000, "model.hidden=128,64 data.normalize=false train.optimizer=sgd train.epochs=20"),
    case("two units", Mnist, Plain, 2000, "model.hidden=2 train.epochs=30"),
    case("one unit", Fashion, Plain, 2000, "model.hidden=64,1 train.epochs=30"),
    case("jumping loss", Fashion, Plain, 2000, "model.hidden=64 train.optimizer=sgd train.learning_rate=0.3 train.schedule=constant train.batch_size=16 train.epochs=20"),
    case("over-confidence", Mnist, Plain, 1000, "model.hidden=256,128 train.learning_rate=0.003 train.epochs=40"),
];

/// What came of a training.
struct Done {
    verdicts: Vec<Verdict>,
    /// Share of right answers, and cross-entropy at the model's temperature, of the best epoch on
    /// samples that chose nothing.
    accuracy: f64,
    loss: f64,
}

/// Trains every case with `seeds` seeds, with and without its first advice, and says what it was
/// good for.
pub(crate) fn run(
    folder: &Path,
    only: &[String],
    seeds: u64,
    tell: &mut dyn FnMut(&str) -> Result<()>,
) -> Result<()> {
    let (mut followed, mut better, mut worse) = (0_usize, 0, 0);
    tell(
        "| case | first verdict | first advice | accuracy, points | loss | |\n\
         | --- | --- | --- | --- | --- | --- |",
    )?;
    for case in CASES {
        if !only.is_empty() && !only.iter().any(|word| case.name.contains(word.as_str())) {
            continue;
        }
        let (plain, _) = case.config(0)?;
        let data = case.set.open(folder, &plain)?;
        let (line, is) = case.judged(&data, seeds)?;
        tell(&line)?;
        if let Some(is) = is {
            followed += 1;
            better += usize::from(is > 0);
            worse += usize::from(is < 0);
        }
    }
    let share = |n: usize| 100.0 * n as f64 / followed.max(1) as f64;
    tell(&format!(
        "\nOf {followed}: better {better} ({:.0} %), worse beyond chance {worse} ({:.0} %)",
        share(better),
        share(worse)
    ))
}

impl Case {
    fn config(&self, seed: u64) -> Result<(Config, Machine)> {
        let mut layers = ConfigBuilder::new(self.preset, self.set.kind());
        self.sets.split(' ').try_for_each(|set| layers.assign(set))?;
        layers.set("train.seed", &seed.to_string())?;
        let machine = klubok::device::machine();
        Ok((layers.resolve(&machine)?.config, machine))
    }

    /// A line of the table; 1 where the advice made it better, -1 where it made it worse beyond
    /// chance, none where there is nothing to follow.
    fn judged(&self, data: &Dataset, seeds: u64) -> Result<(String, Option<i8>)> {
        let (mut accuracy, mut loss) = (Vec::new(), Vec::new());
        let mut said = (String::from("nothing"), String::new());
        for seed in 0..seeds {
            let (config, _) = self.config(seed)?;
            let (own, judges) = split(data, self.train, seed)?;
            let done = train(&config, &own, &judges)?;
            let advice = |verdict: &&Verdict| !verdict.changes.is_empty() || verdict.more_samples;
            let Some(verdict) = done.verdicts.iter().find(advice) else {
                if let Some(verdict) = done.verdicts.first() {
                    said.0 = format!("{:?}", verdict.name);
                }
                continue;
            };
            let (next, samples) = if verdict.more_samples {
                (config.clone(), MORE * self.train)
            } else {
                (config.with(&verdict.changes)?, self.train)
            };
            ensure!(next != config || samples != self.train, "advice without effect: {verdict:?}");
            if seed == 0 || said.1.is_empty() {
                let more = if verdict.more_samples { "more samples" } else { &verdict.try_ };
                said = (format!("{:?}", verdict.name), more.to_owned());
            }
            let (own, judges) = split(data, samples, seed)?;
            let then = train(&next, &own, &judges)?;
            accuracy.push(100.0 * (then.accuracy - done.accuracy));
            loss.push(then.loss - done.loss);
        }
        let (a, half_a) = (mean(&accuracy), half_interval(&accuracy));
        let (l, half_l) = (mean(&loss), half_interval(&loss));
        let is = match accuracy.len() {
            0 => None,
            _ if a > 0.0 || l < 0.0 && a > -half_a => Some(1),
            _ if a < -half_a || l > half_l => Some(-1),
            _ => Some(0),
        };
        let word = match is {
            None => "nothing to follow",
            Some(1) => "better",
            Some(-1) => "**worse**",
            Some(_) => "no better",
        };
        let mut line = String::new();
        let _ = write!(
            line,
            "| {} | {} | {} | {a:+.1} ± {half_a:.1} | {l:+.3} ± {half_l:.3} | {word} ({} of {seeds}) |",
            self.name,
            said.0,
            said.1,
            accuracy.len()
        );
        Ok((line, is))
    }
}

/// Where there are few samples to learn from, few validate, as a fifth of the data.
fn split(data: &Dataset, train: usize, seed: u64) -> Result<(Dataset, Vec<u32>)> {
    let (mut own, judges) = deal(data, train, seed)?;
    own.parts.val.truncate((train / 4).min(VAL));
    own.parts.val.sort_unstable();
    Ok((own, judges))
}

fn train(config: &Config, data: &Dataset, judges: &[u32]) -> Result<Done> {
    let backend = crate::course::backend(config)?;
    let task = Task::new(config, data)?;
    let counts = |rows: &[u32]| data.class_counts(rows);
    let setup = Setup { config: config.clone(), train_classes: counts(&data.parts.train) };
    let mut diagnosis = DiagnosisObserver::new(data.parts.val.len() as u64)
        .with_classes(&counts(&data.parts.val))
        .with_setup(setup);
    diagnosis.found_before(before::verdicts(&Survey::of(data)?, config));
    let (plan, start) = (task.plan.clone(), Snapshot::start(task.initial_state));
    let mut trainer = Trainer::new(&*backend, plan, data, &config.train, start)?;
    let control = Control::new();
    let stopped = loop {
        if let Some(stopped) = trainer.advance(&mut diagnosis, &control)? {
            break stopped;
        }
    };
    let Snapshot { progress, best, .. } = trainer.snapshot()?;
    let epoch = progress.divergence.map_or(progress.epochs(), |divergence| divergence.epoch);
    let stopping = Event::Stopping { stopped, step: progress.step, epoch };
    diagnosis.observe(&stopping)?;
    let state = State { params: best.params, running: best.running, ..State::default() };
    let mut program = backend.compile(&task.plan, 512, std::slice::from_ref(&data.rows))?;
    program.load(&state)?;
    let (mut z, mut outputs) = (Vec::new(), Outputs::default());
    visit(&mut *program, DataId(0), judges, &[task.plan.output], &mut outputs, |_, outputs| {
        z.extend_from_slice(&outputs.values[0]);
        Ok(())
    })?;
    let classes: Vec<u32> = judges.iter().map(|&row| data.targets[row as usize]).collect();
    let width = data.classes.len();
    let right = z.chunks_exact(width).zip(&classes);
    let right = right.filter(|(z, class)| crate::course::largest(z) == **class as usize).count();
    Ok(Done {
        verdicts: diagnosis.diagnosis().verdicts,
        accuracy: right as f64 / classes.len() as f64,
        loss: progress.calibration().loss(&z, width, &classes).unwrap_or(f64::NAN),
    })
}
