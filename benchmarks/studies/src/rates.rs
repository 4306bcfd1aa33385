//! Learning rates that are too small or too large, and the diagnosis of each: by `check` before the
//! training, by `train` at its end, by `diagnose` from the history that it left.
//!
//! The truth follows afterwards from the training losses alone. A rate is too large if its training
//! diverged or ended above its start. It is too small if its loss decreased by less than a tenth of
//! the largest decrease among the rates, in as many epochs. Steps that are too large can kill a
//! network: it predicts the same class for all samples, and its loss ends a hair below its start.
//! So rates with so small a decrease count as too large where they are above the best rate.

use std::{collections::BTreeMap, fmt::Write as _, path::Path};

use anyhow::{Result, anyhow};
use clap::ValueEnum;
use klubok::{
    check::{Lab, range_test::RangeTest},
    config::{Config, ConfigBuilder, Preset},
    data::Dataset,
    diagnose::{
        Diagnosis,
        history::{History, Row},
        observer::DiagnosisObserver,
        setup::Setup,
    },
    train::{
        control::Control,
        event::{Event, Metrics, Observer, Stopped, Verdict, VerdictName},
        task::Task,
        trainer::{Checkpoint, Trainer},
    },
};
use serde::{Deserialize, Serialize};

use crate::data_set::{DataSet, split};

/// The rates, a factor of ten apart.
const RATES: [f64; 8] = [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0];
/// Number of validation samples.
const VALIDATION: usize = 1000;
/// A rate is too small if its loss decreases by less than this share of the best rate's decrease.
const MIN_DECREASE_SHARE: f64 = 0.1;

/// An update rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Rule {
    /// SGD without momentum
    Sgd,
    /// SGD with a momentum of 0.9
    Momentum,
    /// AdamW
    Adamw,
}

impl Rule {
    fn settings(self) -> &'static [&'static str] {
        match self {
            Rule::Sgd => &["train.optimizer=sgd", "train.momentum=0"],
            Rule::Momentum => &["train.optimizer=sgd", "train.momentum=0.9"],
            Rule::Adamw => &["train.optimizer=adamw"],
        }
    }
}

/// The trainings that a call requests.
pub(crate) struct Request {
    pub(crate) data_sets: Vec<DataSet>,
    pub(crate) rules: Vec<Rule>,
    pub(crate) preset: Preset,
    pub(crate) train: usize,
    pub(crate) epochs: u64,
    pub(crate) seed: u64,
    /// Further settings, `key=value`.
    pub(crate) set: Vec<String>,
}

/// What the trainings of one table have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Cell {
    #[serde(rename = "set")]
    data_set: DataSet,
    rule: Rule,
    preset: String,
    train: usize,
    epochs: u64,
    seed: u64,
    /// Further settings, `key=value`.
    #[serde(rename = "beside")]
    further: Vec<String>,
}

/// A line of the file of records.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Record {
    /// A training at one rate.
    Training {
        cell: Cell,
        rate: f64,
        #[serde(rename = "course")]
        training: Training,
    },
    /// The range test of `check`, which does not depend on the rate.
    #[serde(rename = "test")]
    RangeTest { cell: Cell, test: RangeTest },
    /// Whether a short training learns at a rate above those that undid progress in that test.
    #[serde(rename = "tried")]
    Trial { cell: Cell, rate: f64, learns: Option<bool> },
}

/// The history of a training.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Training {
    /// Metrics of epochs and of steps within them, in the order of training.
    #[serde(rename = "lines")]
    metrics: Vec<Metrics>,
    /// The epoch in which the training diverged.
    diverged: Option<f64>,
    val_classes: Vec<u64>,
    steps_per_epoch: u64,
}

/// Runs the trainings and tests that `done` lacks, and passes a record of each to `write`.
pub(crate) fn record(
    folder: &Path,
    request: &Request,
    done: &[Record],
    write: &mut dyn FnMut(&Record) -> Result<()>,
) -> Result<()> {
    for &data_set in &request.data_sets {
        let plain = request.config(data_set, Rule::Sgd, RATES[0])?;
        let data = request.split(&data_set.open(folder, &plain)?)?;
        for &rule in &request.rules {
            let cell = request.cell(data_set, rule);
            let backend = crate::training::backend(&plain)?;
            let known = done.iter().find_map(|record| match record {
                Record::RangeTest { cell: of, test } if *of == cell => Some(test.clone()),
                _ => None,
            });
            let mut test = if let Some(test) = known {
                test
            } else {
                let config = request.config(data_set, rule, 1e-3)?;
                let test = RangeTest::run(&Lab::new(&config, &data, &*backend)?)?;
                write(&Record::RangeTest { cell: cell.clone(), test: test.clone() })?;
                test
            };
            for rate in RATES {
                let was_tried = |record: &Record| matches!(record, Record::Trial { cell: of, rate: at, .. } if *of == cell && *at == rate);
                if !done.iter().any(was_tried) {
                    let config = request.config(data_set, rule, rate)?;
                    test.try_out(&Lab::new(&config, &data, &*backend)?)?;
                    write(&Record::Trial { cell: cell.clone(), rate, learns: test.learns })?;
                }
                let was_trained = |record: &Record| matches!(record, Record::Training { cell: of, rate: at, .. } if *of == cell && *at == rate);
                if !done.iter().any(was_trained) {
                    let training = train(&request.config(data_set, rule, rate)?, &data)?;
                    write(&Record::Training { cell: cell.clone(), rate, training })?;
                }
            }
        }
    }
    Ok(())
}

impl Request {
    fn cell(&self, data_set: DataSet, rule: Rule) -> Cell {
        let (preset, further) = (self.preset.name().to_owned(), self.set.clone());
        let &Self { train, epochs, seed, .. } = self;
        Cell { data_set, rule, preset, train, epochs, seed, further }
    }

    fn config(&self, data_set: DataSet, rule: Rule, rate: f64) -> Result<Config> {
        self.cell(data_set, rule).config(rate)
    }

    fn split(&self, data: &Dataset) -> Result<Dataset> {
        let (mut data, _) = split(data, self.train, self.seed)?;
        data.parts.val.truncate(VALIDATION);
        data.parts.val.sort_unstable();
        Ok(data)
    }
}

impl Cell {
    /// The settings of a training at this rate, without early stopping.
    fn config(&self, rate: f64) -> Result<Config> {
        let mut builder = ConfigBuilder::new(self.preset.parse()?, self.data_set.kind());
        self.further.iter().try_for_each(|setting| builder.assign(setting))?;
        self.rule.settings().iter().try_for_each(|setting| builder.assign(setting))?;
        builder.set("train.seed", &self.seed.to_string())?;
        builder.set("train.epochs", &self.epochs.to_string())?;
        builder.set("train.early_stopping", "false")?;
        builder.set("train.learning_rate", &rate.to_string())?;
        let machine = klubok::device::machine();
        Ok(builder.resolve(&machine)?.config)
    }
}

fn train(config: &Config, data: &Dataset) -> Result<Training> {
    let backend = crate::training::backend(config)?;
    let task = Task::new(config, data)?;
    let (plan, start) = (task.plan.clone(), Checkpoint::start(task.initial_state));
    let mut trainer = Trainer::new(&*backend, plan, task.samples, &config.train, start)?;
    let (mut recorder, control) = (MetricsRecorder::default(), Control::new());
    let stopped = loop {
        if let Some(stopped) = trainer.advance(&mut recorder, &control)? {
            break stopped;
        }
    };
    let progress = trainer.checkpoint()?.progress;
    Ok(Training {
        metrics: recorder.0,
        diverged: (stopped == Stopped::Diverged)
            .then(|| progress.divergence.map_or(progress.epochs(), |divergence| divergence.epoch)),
        val_classes: data.class_counts(&data.parts.val),
        steps_per_epoch: progress.steps_per_epoch,
    })
}

/// Records the metrics that a training would write to its logs.
#[derive(Default)]
struct MetricsRecorder(Vec<Metrics>);

impl Observer for MetricsRecorder {
    fn observe(&mut self, event: &Event<'_>) -> klubok::train::Result<()> {
        match *event {
            Event::Step(metrics) if metrics.epoch.fract() != 0.0 => self.0.push(metrics.clone()),
            Event::Epoch { metrics, .. } => self.0.push(metrics.clone()),
            _ => {}
        }
        Ok(())
    }
}

/// A rate's class, in truth or by a diagnosis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RateClass {
    TooSmall,
    Fine,
    TooLarge,
}

impl RateClass {
    fn name(self) -> &'static str {
        match self {
            RateClass::TooSmall => "too small",
            RateClass::Fine => "fine",
            RateClass::TooLarge => "too large",
        }
    }

    /// The class by the first verdict that concerns the rate.
    fn from_verdicts(verdicts: &[Verdict]) -> Self {
        verdicts.iter().find_map(Self::from_verdict).unwrap_or(RateClass::Fine)
    }

    fn from_verdict(verdict: &Verdict) -> Option<Self> {
        let small_update = verdict.evidence.get("limit").is_some_and(|&limit| limit < 1e-3);
        match verdict.name {
            VerdictName::LearningRateTooLow => Some(RateClass::TooSmall),
            VerdictName::UpdateRatio if small_update => Some(RateClass::TooSmall),
            VerdictName::UpdateRatio
            | VerdictName::LearningRateTooHigh
            | VerdictName::LearningRateKillsNetwork
            | VerdictName::ExplodingGradients
            | VerdictName::Diverging => Some(RateClass::TooLarge),
            _ => None,
        }
    }
}

impl Training {
    /// Training losses in evaluation mode at the ends of epochs.
    fn losses(&self) -> Vec<f64> {
        let ends = self.metrics.iter().filter(|metrics| metrics.epoch.fract() == 0.0);
        ends.map(|metrics| metrics.train_eval_loss.unwrap_or(f64::NAN)).collect()
    }

    /// How much the training loss decreased, from its start to its end.
    fn decrease(&self) -> f64 {
        let losses = self.losses();
        losses[0] - losses[losses.len() - 1]
    }

    fn truth(&self, rate: f64, best: Best) -> RateClass {
        let decrease = self.decrease();
        match () {
            () if self.diverged.is_some() || decrease.is_nan() || decrease < 0.0 => {
                RateClass::TooLarge
            }
            () if decrease >= MIN_DECREASE_SHARE * best.decrease => RateClass::Fine,
            () if rate < best.rate => RateClass::TooSmall,
            () => RateClass::TooLarge,
        }
    }

    /// The diagnosis of `train` at its end.
    fn diagnosis_at_end(&self, config: &Config) -> Diagnosis {
        let mut diagnosis = DiagnosisObserver::new(self.val_classes.iter().sum())
            .with_classes(&self.val_classes)
            .with_setup(Setup { config: config.clone(), train_classes: Vec::new() });
        let mut observe = |event: &Event<'_>| diagnosis.observe(event);
        for metrics in &self.metrics {
            let event = if metrics.epoch.fract() == 0.0 {
                Event::Epoch { metrics, best: false }
            } else {
                Event::Step(metrics)
            };
            let _ = observe(&event);
        }
        let (stopped, epoch) = match self.diverged {
            Some(epoch) => (Stopped::Diverged, epoch),
            None => (Stopped::Epochs, self.metrics.last().map_or(0.0, |metrics| metrics.epoch)),
        };
        let _ = observe(&Event::Stopping { stopped, step: 0, epoch });
        diagnosis.diagnosis()
    }

    /// The diagnosis by `diagnose` of the run.
    fn diagnosis_of_run(&self, config: &Config) -> Diagnosis {
        let steps = self.metrics.iter().filter(|metrics| metrics.epoch.fract() != 0.0);
        Diagnosis::from_history(&History {
            steps: steps.map(Row::from).collect(),
            layers: self.metrics.clone(),
            val_classes: self.val_classes.clone(),
            by_klubok: true,
            setup: Some(Setup { config: config.clone(), train_classes: Vec::new() }),
            ..self.loss_history()
        })
    }

    /// The diagnosis by `diagnose` of a table with the losses, as other programs write it.
    fn diagnosis_of_losses(&self) -> Diagnosis {
        Diagnosis::from_history(&self.loss_history())
    }

    fn loss_history(&self) -> History {
        let ends = self.metrics.iter().filter(|metrics| metrics.epoch.fract() == 0.0);
        History {
            epochs: ends.map(Row::from).collect(),
            val_samples: Some(self.val_classes.iter().sum()),
            ended: true,
            diverged: self.diverged,
            ..History::default()
        }
    }
}

/// The largest decrease of the training loss among the rates.
#[derive(Debug, Clone, Copy)]
struct Best {
    decrease: f64,
    rate: f64,
}

impl Best {
    fn of(trainings: &[(f64, &Training)]) -> Self {
        let converged = trainings.iter().filter(|(_, training)| training.diverged.is_none());
        let found = converged.map(|&(rate, training)| Self { decrease: training.decrease(), rate });
        found.fold(Self { decrease: 0.0, rate: 0.0 }, |best, next| {
            if next.decrease > best.decrease { next } else { best }
        })
    }
}

/// How often each source classified a rate wrongly.
#[derive(Default)]
struct WrongCounts {
    trainings: usize,
    by_source: [usize; SOURCES.len()],
}

/// Sources of a diagnosis: before training, at its end, afterwards from the run, afterwards from
/// the losses alone.
const SOURCES: [&str; 4] = ["check", "train", "diagnose the run", "diagnose its losses alone"];

/// A table for each cell with the truth and every diagnosis, and the share of wrong ones.
pub(crate) fn report(records: &[Record]) -> Result<String> {
    let mut tests: BTreeMap<&Cell, &RangeTest> = BTreeMap::new();
    let mut trainings: BTreeMap<&Cell, Vec<(f64, &Training)>> = BTreeMap::new();
    let mut trials: BTreeMap<&Cell, Vec<(f64, Option<bool>)>> = BTreeMap::new();
    for record in records {
        match record {
            Record::Training { cell, rate, training } => {
                trainings.entry(cell).or_default().push((*rate, training));
            }
            Record::RangeTest { cell, test } => drop(tests.insert(cell, test)),
            Record::Trial { cell, rate, learns } => {
                trials.entry(cell).or_default().push((*rate, *learns));
            }
        }
    }
    let (mut text, mut wrong) = (String::new(), WrongCounts::default());
    for (cell, trainings) in &trainings {
        let test = tests.get(cell).ok_or_else(|| anyhow!("no range test of {cell:?}"))?;
        let (data_set, rule) = (cell.data_set, cell.rule);
        let _ = writeln!(
            text,
            "{data_set:?}, {rule:?}, {}, samples {}, epochs {}, seed {} {}; check proposes {:?}\n\n\
             | rate | loss | truth | {} | verdicts at the end |\n| --- | --- | --- |{} --- |",
            cell.preset,
            cell.train,
            cell.epochs,
            cell.seed,
            cell.further.join(" "),
            test.proposed,
            SOURCES.join(" | "),
            " --- |".repeat(SOURCES.len())
        );
        let best = Best::of(trainings);
        for (rate, training) in trainings {
            let trial = trials.get(cell).into_iter().flatten().find(|(at, _)| at == rate);
            let learns = trial.and_then(|(_, learns)| *learns);
            let test = RangeTest { configured: *rate, learns, ..(*test).clone() };
            text += &row(cell, &test, *rate, training, best, &mut wrong)?;
        }
        text.push('\n');
    }
    let _ = writeln!(text, "Wrong of {}:", wrong.trainings);
    for (name, count) in SOURCES.iter().zip(wrong.by_source) {
        let share = 100.0 * count as f64 / wrong.trainings.max(1) as f64;
        let _ = writeln!(text, "  {name}: {count} ({share:.1} %)");
    }
    Ok(text)
}

fn row(
    cell: &Cell,
    test: &RangeTest,
    rate: f64,
    training: &Training,
    best: Best,
    wrong: &mut WrongCounts,
) -> Result<String> {
    let truth = training.truth(rate, best);
    let config = cell.config(rate)?;
    let before = test.verdict();
    let at_end = training.diagnosis_at_end(&config);
    let classes = [
        RateClass::from_verdicts(before.as_slice()),
        RateClass::from_verdicts(&at_end.verdicts),
        RateClass::from_verdicts(&training.diagnosis_of_run(&config).verdicts),
        RateClass::from_verdicts(&training.diagnosis_of_losses().verdicts),
    ];
    wrong.trainings += 1;
    for (count, class) in wrong.by_source.iter_mut().zip(classes) {
        *count += usize::from(class != truth);
    }
    let cells = classes.map(|class| {
        if class == truth { class.name().to_owned() } else { format!("**{}**", class.name()) }
    });
    let names: Vec<String> = at_end.verdicts.iter().map(|v| format!("{:?}", v.name)).collect();
    let losses = training.losses();
    Ok(format!(
        "| {rate:e} | {:.4} to {:.4} | {} | {} | {} |\n",
        losses[0],
        losses[losses.len() - 1],
        truth.name(),
        cells.join(" | "),
        names.join(" ")
    ))
}
