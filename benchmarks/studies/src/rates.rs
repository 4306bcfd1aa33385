//! Which learning rates are too small or too large, and what klubok says of each: `check` before
//! the training, `train` at its end, `diagnose` of the history that it left.
//!
//! The truth is told afterwards, by the training losses alone. Too large is a rate whose training
//! diverged or ended above its start; too small one whose loss fell by less than a tenth of what
//! the best of the rates made it fall by in as many epochs. A network that steps too large have
//! killed gives all samples one answer, and its loss ends a hair below its start: of those rates
//! that made so little, the ones above the best are too large and not too small.

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
        trainer::{Snapshot, Trainer},
    },
};
use serde::{Deserialize, Serialize};

use crate::set::{Set, deal};

/// The rates, in steps of ten.
const RATES: [f64; 8] = [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0];
/// Samples that validate.
const VAL: usize = 1000;
/// Of the fall that the best rate makes, the share below which a rate is too small.
const SMALL: f64 = 0.1;

/// An update rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Rule {
    /// Plain descent
    Sgd,
    /// The same with a momentum of 0.9
    Momentum,
    /// With moments of the gradient, and decoupled decay
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

/// What is asked of the study.
pub(crate) struct Wanted {
    pub(crate) sets: Vec<Set>,
    pub(crate) rules: Vec<Rule>,
    pub(crate) preset: Preset,
    pub(crate) train: usize,
    pub(crate) epochs: u64,
    pub(crate) seed: u64,
    /// Settings beside, `key=value`.
    pub(crate) set: Vec<String>,
}

/// What the trainings of one row of the table share.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Cell {
    set: Set,
    rule: Rule,
    preset: String,
    train: usize,
    epochs: u64,
    seed: u64,
    beside: Vec<String>,
}

/// A line of the record.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Line {
    /// A training at one rate.
    Training { cell: Cell, rate: f64, course: Course },
    /// The range test of `check`, which does not depend on the rate.
    Test { cell: Cell, test: RangeTest },
    /// Whether a short training learns at a rate that undid something in that test.
    Tried { cell: Cell, rate: f64, learns: Option<bool> },
}

/// What a training left behind.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Course {
    /// Lines of epochs and of moments within them, in the order of training.
    lines: Vec<Metrics>,
    diverged: Option<f64>,
    val_classes: Vec<u64>,
    steps_per_epoch: u64,
}

/// Trains and tests what the record does not have, a line each to `write`.
pub(crate) fn record(
    folder: &Path,
    wanted: &Wanted,
    done: &[Line],
    write: &mut dyn FnMut(&Line) -> Result<()>,
) -> Result<()> {
    for &set in &wanted.sets {
        let plain = wanted.config(set, Rule::Sgd, RATES[0])?;
        let data = wanted.cut(&set.open(folder, &plain)?)?;
        for &rule in &wanted.rules {
            let cell = wanted.cell(set, rule);
            let has_test = |line: &Line| matches!(line, Line::Test { cell: of, .. } if *of == cell);
            let backend = crate::course::backend(&plain)?;
            let known = done.iter().find(|line| has_test(line));
            let mut test = if let Some(Line::Test { test, .. }) = known {
                test.clone()
            } else {
                let config = wanted.config(set, rule, 1e-3)?;
                let test = RangeTest::of(&Lab::new(&config, &data, &*backend)?)?;
                write(&Line::Test { cell: cell.clone(), test: test.clone() })?;
                test
            };
            for rate in RATES {
                let was_tried = |line: &Line| matches!(line, Line::Tried { cell: of, rate: at, .. } if *of == cell && *at == rate);
                if !done.iter().any(was_tried) {
                    let config = wanted.config(set, rule, rate)?;
                    test.try_out(&Lab::new(&config, &data, &*backend)?)?;
                    write(&Line::Tried { cell: cell.clone(), rate, learns: test.learns })?;
                }
                let is_it = |line: &Line| matches!(line, Line::Training { cell: of, rate: at, .. } if *of == cell && *at == rate);
                if !done.iter().any(is_it) {
                    let course = train(&wanted.config(set, rule, rate)?, &data)?;
                    write(&Line::Training { cell: cell.clone(), rate, course })?;
                }
            }
        }
    }
    Ok(())
}

impl Wanted {
    fn cell(&self, set: Set, rule: Rule) -> Cell {
        let (preset, beside) = (self.preset.name().to_owned(), self.set.clone());
        let &Self { train, epochs, seed, .. } = self;
        Cell { set, rule, preset, train, epochs, seed, beside }
    }

    fn config(&self, set: Set, rule: Rule, rate: f64) -> Result<Config> {
        self.cell(set, rule).config(rate)
    }

    fn cut(&self, data: &Dataset) -> Result<Dataset> {
        let (mut data, _) = deal(data, self.train, self.seed)?;
        data.parts.val.truncate(VAL);
        data.parts.val.sort_unstable();
        Ok(data)
    }
}

impl Cell {
    /// The settings of a training at this rate, done to its end.
    fn config(&self, rate: f64) -> Result<Config> {
        let mut layers = ConfigBuilder::new(self.preset.parse()?, self.set.kind());
        self.beside.iter().try_for_each(|set| layers.assign(set))?;
        self.rule.settings().iter().try_for_each(|set| layers.assign(set))?;
        layers.set("train.seed", &self.seed.to_string())?;
        layers.set("train.epochs", &self.epochs.to_string())?;
        layers.set("train.early_stopping", "false")?;
        layers.set("train.learning_rate", &rate.to_string())?;
        let machine = klubok::device::machine();
        Ok(layers.resolve(&machine)?.config)
    }
}

fn train(config: &Config, data: &Dataset) -> Result<Course> {
    let backend = crate::course::backend(config)?;
    let task = Task::new(config, data)?;
    let (plan, start) = (task.plan.clone(), Snapshot::start(task.initial_state));
    let mut trainer = Trainer::new(&*backend, plan, data, &config.train, start)?;
    let (mut seen, control) = (Seen::default(), Control::new());
    let stopped = loop {
        if let Some(stopped) = trainer.advance(&mut seen, &control)? {
            break stopped;
        }
    };
    let progress = trainer.snapshot()?.progress;
    Ok(Course {
        lines: seen.0,
        diverged: (stopped == Stopped::Diverged)
            .then(|| progress.divergence.map_or(progress.epochs(), |divergence| divergence.epoch)),
        val_classes: data.class_counts(&data.parts.val),
        steps_per_epoch: progress.steps_per_epoch,
    })
}

/// The lines that a training would write to its logs.
#[derive(Default)]
struct Seen(Vec<Metrics>);

impl Observer for Seen {
    fn observe(&mut self, event: &Event<'_>) -> klubok::train::Result<()> {
        match *event {
            Event::Step(metrics) if metrics.epoch.fract() != 0.0 => self.0.push(metrics.clone()),
            Event::Epoch { metrics, .. } => self.0.push(metrics.clone()),
            _ => {}
        }
        Ok(())
    }
}

/// What is true of a rate, or said of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Is {
    Small,
    Fine,
    Large,
}

impl Is {
    fn name(self) -> &'static str {
        match self {
            Is::Small => "too small",
            Is::Fine => "fine",
            Is::Large => "too large",
        }
    }

    /// What verdicts say of the rate; the first one that says anything counts.
    fn said(verdicts: &[Verdict]) -> Self {
        verdicts.iter().find_map(Self::of_verdict).unwrap_or(Is::Fine)
    }

    fn of_verdict(verdict: &Verdict) -> Option<Self> {
        let small_update = verdict.evidence.get("limit").is_some_and(|&limit| limit < 1e-3);
        match verdict.name {
            VerdictName::LearningRateTooLow => Some(Is::Small),
            VerdictName::UpdateRatio if small_update => Some(Is::Small),
            VerdictName::UpdateRatio
            | VerdictName::LearningRateTooHigh
            | VerdictName::LearningRateKillsNetwork
            | VerdictName::ExplodingGradients
            | VerdictName::Diverging => Some(Is::Large),
            _ => None,
        }
    }
}

impl Course {
    /// Training losses in evaluation mode at the ends of epochs.
    fn losses(&self) -> Vec<f64> {
        let ends = self.lines.iter().filter(|line| line.epoch.fract() == 0.0);
        ends.map(|line| line.train_eval_loss.unwrap_or(f64::NAN)).collect()
    }

    fn fall(&self) -> f64 {
        let losses = self.losses();
        losses[0] - losses[losses.len() - 1]
    }

    fn truth(&self, rate: f64, (best, at): (f64, f64)) -> Is {
        let fall = self.fall();
        match () {
            () if self.diverged.is_some() || fall.is_nan() || fall < 0.0 => Is::Large,
            () if fall >= SMALL * best => Is::Fine,
            () if rate < at => Is::Small,
            () => Is::Large,
        }
    }

    /// What `train` says at the end.
    fn watched(&self, config: &Config) -> Diagnosis {
        let mut diagnosis = DiagnosisObserver::new(self.val_classes.iter().sum())
            .with_classes(&self.val_classes)
            .with_setup(Setup { config: config.clone(), train_classes: Vec::new() });
        let mut tell = |event: &Event<'_>| diagnosis.observe(event);
        for metrics in &self.lines {
            let event = if metrics.epoch.fract() == 0.0 {
                Event::Epoch { metrics, best: false }
            } else {
                Event::Step(metrics)
            };
            let _ = tell(&event);
        }
        let (stopped, epoch) = match self.diverged {
            Some(epoch) => (Stopped::Diverged, epoch),
            None => (Stopped::Epochs, self.lines.last().map_or(0.0, |line| line.epoch)),
        };
        let _ = tell(&Event::Stopping { stopped, step: 0, epoch });
        diagnosis.diagnosis()
    }

    /// What `diagnose` says of the run.
    fn of_run(&self, config: &Config) -> Diagnosis {
        let within = self.lines.iter().filter(|line| line.epoch.fract() != 0.0);
        Diagnosis::of_history(&History {
            steps: within.map(Row::from).collect(),
            layers: self.lines.clone(),
            val_classes: self.val_classes.clone(),
            by_klubok: true,
            setup: Some(Setup { config: config.clone(), train_classes: Vec::new() }),
            ..self.table()
        })
    }

    /// What `diagnose` says of a table with the losses, as other programs write it.
    fn of_losses(&self) -> Diagnosis {
        Diagnosis::of_history(&self.table())
    }

    fn table(&self) -> History {
        let ends = self.lines.iter().filter(|line| line.epoch.fract() == 0.0);
        History {
            epochs: ends.map(Row::from).collect(),
            val_samples: Some(self.val_classes.iter().sum()),
            ended: true,
            diverged: self.diverged,
            ..History::default()
        }
    }
}

/// The fall of the best of some trainings, and its rate.
fn best(courses: &[(f64, &Course)]) -> (f64, f64) {
    let falls = courses.iter().filter(|(_, course)| course.diverged.is_none());
    let falls = falls.map(|&(rate, course)| (course.fall(), rate));
    falls.fold((0.0, 0.0), |best, next| if next.0 > best.0 { next } else { best })
}

/// How often each of those who say something of a rate was wrong, and of how many.
#[derive(Default)]
struct Wrong {
    of: usize,
    by: [usize; SAYERS.len()],
}

/// Who says something: before training, at its end, afterwards from the run, afterwards from the
/// losses alone.
const SAYERS: [&str; 4] = ["check", "train", "diagnose the run", "diagnose its losses alone"];

/// What is said of every training, and how much of it is wrong.
pub(crate) fn report(lines: &[Line]) -> Result<String> {
    let mut tests: BTreeMap<&Cell, &RangeTest> = BTreeMap::new();
    let mut courses: BTreeMap<&Cell, Vec<(f64, &Course)>> = BTreeMap::new();
    let mut tried: BTreeMap<&Cell, Vec<(f64, Option<bool>)>> = BTreeMap::new();
    for line in lines {
        match line {
            Line::Training { cell, rate, course } => {
                courses.entry(cell).or_default().push((*rate, course));
            }
            Line::Test { cell, test } => drop(tests.insert(cell, test)),
            Line::Tried { cell, rate, learns } => {
                tried.entry(cell).or_default().push((*rate, *learns));
            }
        }
    }
    let (mut text, mut wrong) = (String::new(), Wrong::default());
    for (cell, courses) in &courses {
        let test = tests.get(cell).ok_or_else(|| anyhow!("no range test of {cell:?}"))?;
        let (set, rule) = (cell.set, cell.rule);
        let _ = writeln!(
            text,
            "{set:?}, {rule:?}, {}, samples {}, epochs {}, seed {} {}; check proposes {:?}\n\n\
             | rate | loss | truth | {} | verdicts at the end |\n| --- | --- | --- |{} --- |",
            cell.preset,
            cell.train,
            cell.epochs,
            cell.seed,
            cell.beside.join(" "),
            test.proposed,
            SAYERS.join(" | "),
            " --- |".repeat(SAYERS.len())
        );
        let best = best(courses);
        for (rate, course) in courses {
            let learns = tried.get(cell).into_iter().flatten().find(|(at, _)| at == rate);
            let learns = learns.and_then(|(_, learns)| *learns);
            let test = RangeTest { configured: *rate, learns, ..(*test).clone() };
            text += &row(cell, &test, *rate, course, best, &mut wrong)?;
        }
        text.push('\n');
    }
    let _ = writeln!(text, "Wrong of {}:", wrong.of);
    for (name, wrong_ones) in SAYERS.iter().zip(wrong.by) {
        let share = 100.0 * wrong_ones as f64 / wrong.of.max(1) as f64;
        let _ = writeln!(text, "  {name}: {wrong_ones} ({share:.1} %)");
    }
    Ok(text)
}

fn row(
    cell: &Cell,
    test: &RangeTest,
    rate: f64,
    course: &Course,
    best: (f64, f64),
    wrong: &mut Wrong,
) -> Result<String> {
    let truth = course.truth(rate, best);
    let config = cell.config(rate)?;
    let before = test.verdict();
    let (watched, read) = (course.watched(&config), course.of_run(&config));
    let alone = course.of_losses();
    let said = [
        Is::said(before.as_slice()),
        Is::said(&watched.verdicts),
        Is::said(&read.verdicts),
        Is::said(&alone.verdicts),
    ];
    wrong.of += 1;
    wrong.by.iter_mut().zip(said).for_each(|(wrong, said)| *wrong += usize::from(said != truth));
    let cells = said.map(|said| {
        if said == truth { said.name().to_owned() } else { format!("**{}**", said.name()) }
    });
    let names: Vec<String> = watched.verdicts.iter().map(|v| format!("{:?}", v.name)).collect();
    let losses = course.losses();
    Ok(format!(
        "| {rate:e} | {:.4} to {:.4} | {} | {} | {} |\n",
        losses[0],
        losses[losses.len() - 1],
        truth.name(),
        cells.join(" | "),
        names.join(" ")
    ))
}
