//! The story of a run as the page is told it: every line that was measured, what happened, and
//! where the training is now.
//!
//! It grows at its end only. A browser keeps how many lines it has and asks for those after them,
//! so that one that comes late, was closed or is loaded anew misses nothing. The same story is
//! written into a report.

use klubok::{
    config::Monitor,
    diagnose::{Diagnosis, observer::DiagnosisObserver, setup::Setup},
    nn::calibration::Calibration,
    train::{
        act::Act,
        best::BestEpoch,
        event::{Event, EventKind, EventLine, Metrics, Observer, Phase, Stopped},
    },
};
use serde::{Deserialize, Serialize};

use crate::diagnosis::{Told, told};

/// Stops of a run that are judged, the last ones: each takes as long as an epoch.
const STOPS: usize = 100;

/// Where a training is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Mode {
    /// Nothing was measured yet.
    #[default]
    Starting,
    /// It takes steps.
    Training,
    /// A person wants it to rest.
    Resting,
    /// Another process trains it, or nobody does: its files are followed.
    Following,
    /// It has ended.
    Ended,
}

/// Where a training is now: at most four of these a second go to a browser.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Now {
    /// What it does.
    pub(crate) mode: Mode,
    /// Updates done.
    pub(crate) step: u64,
    /// The same in epochs.
    pub(crate) epoch: f64,
    /// Updates in an epoch, and epochs to be done.
    pub(crate) steps_per_epoch: u64,
    /// Epochs to be done in all.
    pub(crate) epochs: u64,
    /// Mean training loss of the epoch so far.
    pub(crate) train_loss: Option<f64>,
    /// Training samples a second.
    pub(crate) samples_per_second: Option<f64>,
    /// Seconds of training so far, and about how many are left.
    pub(crate) elapsed_seconds: f64,
    /// About how many seconds are left.
    pub(crate) seconds_left: Option<f64>,
    /// Why it ended.
    pub(crate) stopped: Option<Stopped>,
    /// Lines there are: epochs, steps, events.
    pub(crate) lines: [usize; 3],
}

/// How many lines a browser has.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Known {
    epochs: usize,
    steps: usize,
    events: usize,
}

/// What a browser does not have yet, and what is judged of all of it.
#[derive(Debug, Serialize)]
pub(crate) struct News<'a> {
    epochs: &'a [Metrics],
    steps: &'a [Metrics],
    events: &'a [EventLine],
    phases: &'a [Phase],
    verdicts: &'a [Told],
    best_epoch: Option<f64>,
    now: &'a Now,
}

/// The story so far.
pub(crate) struct Story {
    epochs: Vec<Metrics>,
    steps: Vec<Metrics>,
    events: Vec<EventLine>,
    diagnosis: DiagnosisObserver,
    phases: Vec<Phase>,
    verdicts: Vec<Told>,
    best_epoch: Option<f64>,
    val_samples: u64,
    now: Now,
}

impl Story {
    /// The story of a run that is validated on so many samples of each class.
    pub(crate) fn new(val_classes: &[u64], setup: Setup) -> Self {
        let val_samples = val_classes.iter().sum();
        let diagnosis =
            DiagnosisObserver::new(val_samples).with_classes(val_classes).with_setup(setup);
        let (phases, verdicts) = (Vec::new(), Vec::new());
        let (epochs, steps, events) = (Vec::new(), Vec::new(), Vec::new());
        let now = Now::default();
        let best_epoch = None;
        Self { epochs, steps, events, diagnosis, phases, verdicts, best_epoch, val_samples, now }
    }

    /// Forgets all lines, to be told them anew.
    pub(crate) fn begin_anew(&mut self, val_classes: &[u64], setup: Setup) {
        let Now { mode, steps_per_epoch, epochs, .. } = self.now;
        *self = Self::new(val_classes, setup);
        self.set_mode(mode);
        self.set_length(steps_per_epoch, epochs);
    }

    /// What comes after what is known.
    pub(crate) fn after(&self, known: Known) -> News<'_> {
        News {
            epochs: self.epochs.get(known.epochs..).unwrap_or_default(),
            steps: self.steps.get(known.steps..).unwrap_or_default(),
            events: self.events.get(known.events..).unwrap_or_default(),
            phases: &self.phases,
            verdicts: &self.verdicts,
            best_epoch: self.best_epoch,
            now: &self.now,
        }
    }

    /// Where the training is.
    pub(crate) fn now(&self) -> &Now {
        &self.now
    }

    /// The learning rate of the last line that has one.
    pub(crate) fn learning_rate(&self) -> Option<f64> {
        self.epochs
            .iter()
            .chain(&self.steps)
            .filter(|line| line.learning_rate.is_some())
            .max_by_key(|line| line.step)?
            .learning_rate
    }

    /// The step of the epoch whose weights are the run's model, chosen as the training chooses it.
    pub(crate) fn best_step(&self, monitor: Monitor) -> Option<u64> {
        let best = BestEpoch::of(&self.epochs, monitor, self.val_samples)?.epoch as f64;
        self.epochs.iter().find(|line| line.epoch == best).map(|line| line.step)
    }

    /// The last epoch by a step whose network was validated, and its share of right answers.
    pub(crate) fn validated(&self, step: u64) -> Option<(f64, f64)> {
        let lines = self.epochs.iter().filter(|line| line.step <= step);
        lines.filter_map(|line| Some((line.epoch, line.val_accuracy?))).next_back()
    }

    /// From logits to confidences at a step, as far as validation had told by then.
    pub(crate) fn calibration(&self, step: u64) -> Calibration {
        let lines = self.epochs.iter().chain(&self.steps).filter(|line| line.step <= step);
        let last = lines.filter(|line| line.temperature.is_some()).max_by_key(|line| line.step);
        let temperature = last.and_then(|line| line.temperature);
        temperature.map_or(Calibration::NONE, |t| Calibration::of(t, self.val_samples))
    }

    /// Says what it does.
    pub(crate) fn set_mode(&mut self, mode: Mode) {
        self.now.mode = mode;
    }

    /// Says how many updates an epoch has and how many epochs are to be done.
    pub(crate) fn set_length(&mut self, steps_per_epoch: u64, epochs: u64) {
        (self.now.steps_per_epoch, self.now.epochs) = (steps_per_epoch, epochs);
    }

    /// Is told lines of `events.jsonl`.
    pub(crate) fn happened(&mut self, lines: Vec<EventLine>) {
        let stops = |line: &EventLine| matches!(line.kind, EventKind::Stopped { .. });
        let mut stops_left = lines.iter().filter(|line| stops(line)).count();
        let mut is_judged_anew = false;
        for line in &lines {
            match &line.kind {
                EventKind::Stopped { reason, .. } => {
                    self.now.stopped = Some(*reason);
                    let (stopped, step, epoch) = (*reason, line.step, line.epoch);
                    if stops_left <= STOPS {
                        self.watched(&Event::Stopping { stopped, step, epoch });
                    }
                    stops_left -= 1;
                    is_judged_anew = true;
                }
                EventKind::Start { .. } | EventKind::Resume { .. } => self.now.stopped = None,
                EventKind::Verdict(verdict) => {
                    self.diagnosis.found_before([verdict.clone()]);
                    is_judged_anew = true;
                }
                _ => {}
            }
        }
        if is_judged_anew {
            self.judge();
        }
        self.events.extend(lines);
        self.now.lines[2] = self.events.len();
    }

    /// Is told a line of `steps.jsonl`.
    fn step(&mut self, metrics: &Metrics) {
        self.steps.push(metrics.clone());
        self.measured(metrics);
    }

    /// Is told a line of `metrics.jsonl`.
    fn epoch(&mut self, metrics: &Metrics) {
        self.epochs.push(metrics.clone());
        self.measured(metrics);
    }

    fn measured(&mut self, metrics: &Metrics) {
        self.reached(metrics.step, metrics.train_loss);
        let now = &mut self.now;
        now.elapsed_seconds = metrics.elapsed_seconds;
        now.samples_per_second = metrics.samples_per_second.or(now.samples_per_second);
        let left = now.epochs as f64 - metrics.epoch;
        now.seconds_left =
            (metrics.epoch > 0.0).then(|| metrics.elapsed_seconds / metrics.epoch * left);
        now.lines = [self.epochs.len(), self.steps.len(), self.events.len()];
    }

    /// Is told how far the training is.
    pub(crate) fn reached(&mut self, step: u64, train_loss: Option<f64>) {
        let now = &mut self.now;
        now.step = now.step.max(step);
        now.epoch = now.step as f64 / now.steps_per_epoch.max(1) as f64;
        now.train_loss = train_loss.or(now.train_loss);
    }

    fn judge(&mut self) {
        let Diagnosis { phases, verdicts, best_epoch } = self.diagnosis.diagnosis();
        (self.phases, self.best_epoch) = (phases, best_epoch);
        self.verdicts = verdicts.into_iter().map(told).collect();
    }

    fn watched(&mut self, event: &Event<'_>) {
        // A watch has nothing that can fail.
        let _ = self.diagnosis.observe(event);
        self.diagnosis.noticed();
    }
}

impl Observer for Story {
    fn observe(&mut self, event: &Event<'_>) -> klubok::train::Result<()> {
        match *event {
            Event::Past { steps, epochs, .. } => {
                let mut steps = steps.iter().peekable();
                for epoch in epochs {
                    while let Some(step) = steps.next_if(|step| step.step <= epoch.step) {
                        self.step(step);
                    }
                    self.epoch(epoch);
                }
                steps.for_each(|step| self.step(step));
                self.watched(event);
                if !epochs.is_empty() {
                    self.judge();
                }
            }
            Event::Start { steps_per_epoch, epochs, step } => {
                self.set_length(steps_per_epoch, epochs);
                self.set_mode(Mode::Training);
                self.reached(step, None);
            }
            Event::Progress { step, train_loss, .. } => self.reached(step, Some(train_loss)),
            Event::Step(metrics) => {
                self.watched(event);
                self.step(metrics);
            }
            Event::Epoch { metrics, .. } => {
                self.watched(event);
                self.epoch(metrics);
                self.judge();
            }
            Event::Noticed { step, epoch, notice } => {
                self.happened(vec![EventLine { step, epoch, kind: notice.clone().into() }]);
            }
            Event::Person { step, epoch, act } => {
                self.set_mode(match act {
                    Act::Pause => Mode::Resting,
                    Act::GoOn | Act::OneStep | Act::OneEpoch => Mode::Training,
                    Act::LearningRate { .. } | Act::Stop | Act::Epochs { .. } => self.now.mode,
                });
                if let Act::Epochs { epochs, .. } = act {
                    self.set_length(self.now.steps_per_epoch, epochs);
                }
                self.happened(vec![EventLine { step, epoch, kind: EventKind::Person { act } }]);
            }
            Event::Resting { step } => {
                self.reached(step, None);
                self.set_mode(Mode::Resting);
            }
            Event::Stopping { stopped, step, epoch } => {
                let kind = EventKind::Stopped { reason: stopped, cause: None };
                self.happened(vec![EventLine { step, epoch, kind }]);
            }
            Event::End { .. } => self.set_mode(Mode::Ended),
            Event::Checkpoint { .. } => {}
        }
        Ok(())
    }
}
