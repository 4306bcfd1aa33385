//! The timeline: a run's history as the page shows it, with metrics, events, diagnosis and the
//! training's status.
//!
//! Records are only appended. A browser counts the records it has and requests those after them, so
//! that one that opens late, reconnects or reloads misses nothing. The report holds the same
//! timeline.

use klubok::{
    config::Monitor,
    diagnose::{Diagnosis, observer::DiagnosisObserver},
    nn::calibration::Calibration,
    train::{
        act::Act,
        best::BestEpoch,
        event::{Event, EventKind, EventLine, Metrics, Observer, Phase, Stopped},
        trainer::STEP_SAMPLE,
    },
};
use klubok_text::verdict::VerdictText;
use serde::{Deserialize, Serialize};

use super::run_description::RunDescription;

/// Stops that go through the diagnosis, at most: the last ones. Each costs as much as an epoch.
const MAX_STOPS: usize = 100;

/// What a training does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Mode {
    /// Before the first measurement.
    #[default]
    Starting,
    /// It takes steps.
    Training,
    /// A person has paused it.
    Resting,
    /// The page follows its files: another process trains it, or none does.
    Following,
    /// It has ended.
    Ended,
}

/// Where a training is now. A browser receives at most four a second.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Status {
    /// What the training does.
    pub(crate) mode: Mode,
    /// Updates so far.
    pub(crate) step: u64,
    /// Epochs so far, with the fraction of the current one.
    pub(crate) epoch: f64,
    /// Updates in an epoch.
    pub(crate) steps_per_epoch: u64,
    /// Planned epochs.
    pub(crate) epochs: u64,
    /// Training samples per second.
    pub(crate) samples_per_second: Option<f64>,
    /// Seconds of training so far.
    pub(crate) elapsed_seconds: f64,
    /// Estimated seconds left.
    pub(crate) seconds_left: Option<f64>,
    /// Why the training ended.
    pub(crate) stopped: Option<Stopped>,
    /// Numbers of records: epochs, steps, events.
    pub(crate) lines: [usize; 3],
    /// The step of the newest snapshot.
    pub(crate) snapshot: Option<u64>,
    /// Seconds that the whole training takes at least, if somebody paces it.
    pub(crate) pace: Option<u64>,
}

/// Numbers of records that a browser has.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Offsets {
    epochs: usize,
    steps: usize,
    events: usize,
}

/// The records after a browser's offsets, with the diagnosis and the status.
#[derive(Debug, Serialize)]
pub(crate) struct TimelineUpdate<'a> {
    epochs: &'a [Metrics],
    steps: &'a [Metrics],
    events: &'a [EventLine],
    phases: &'a [Phase],
    verdicts: &'a [VerdictText],
    best_epoch: Option<f64>,
    /// Steps of the film.
    film: Vec<u64>,
    /// Steps at which the whole network is known.
    wholes: Vec<u64>,
    now: &'a Status,
}

/// A run's history so far.
pub(crate) struct Timeline {
    epochs: Vec<Metrics>,
    steps: Vec<Metrics>,
    events: Vec<EventLine>,
    diagnosis: DiagnosisObserver,
    phases: Vec<Phase>,
    verdicts: Vec<VerdictText>,
    best_epoch: Option<f64>,
    val_samples: u64,
    status: Status,
}

impl Timeline {
    /// An empty timeline of a run.
    pub(crate) fn new(run: &RunDescription) -> Self {
        let diagnosis = DiagnosisObserver::new(run.val_samples)
            .with_classes(run.val_classes())
            .with_setup(run.setup());
        let (phases, verdicts) = (Vec::new(), Vec::new());
        let (epochs, steps, events) = (Vec::new(), Vec::new(), Vec::new());
        let status = Status::default();
        let best_epoch = None;
        Self {
            epochs,
            steps,
            events,
            diagnosis,
            phases,
            verdicts,
            best_epoch,
            val_samples: run.val_samples,
            status,
        }
    }

    /// Drops all records, before the logs are read again.
    pub(crate) fn reset(&mut self, run: &RunDescription) {
        let Status { mode, steps_per_epoch, epochs, .. } = self.status;
        *self = Self::new(run);
        self.set_mode(mode);
        self.set_length(steps_per_epoch, epochs);
    }

    /// Returns the records after these offsets.
    pub(crate) fn after(
        &self,
        offsets: Offsets,
        film: Vec<u64>,
        wholes: Vec<u64>,
    ) -> TimelineUpdate<'_> {
        TimelineUpdate {
            epochs: self.epochs.get(offsets.epochs..).unwrap_or_default(),
            steps: self.steps.get(offsets.steps..).unwrap_or_default(),
            events: self.events.get(offsets.events..).unwrap_or_default(),
            phases: &self.phases,
            verdicts: &self.verdicts,
            best_epoch: self.best_epoch,
            film,
            wholes,
            now: &self.status,
        }
    }

    /// Returns where the training is.
    pub(crate) fn status(&self) -> &Status {
        &self.status
    }

    /// Returns the last recorded learning rate.
    pub(crate) fn learning_rate(&self) -> Option<f64> {
        self.epochs
            .iter()
            .chain(&self.steps)
            .filter(|record| record.learning_rate.is_some())
            .max_by_key(|record| record.step)?
            .learning_rate
    }

    /// Returns the step of the run's model: of the best epoch, chosen as the training chooses it.
    pub(crate) fn best_step(&self, monitor: Monitor) -> Option<u64> {
        let best = BestEpoch::of(&self.epochs, monitor, self.val_samples)?.epoch as f64;
        self.epochs.iter().find(|record| record.epoch == best).map(|record| record.step)
    }

    /// Returns the last validation up to a step: its epoch and accuracy.
    pub(crate) fn last_validation(&self, step: u64) -> Option<(f64, f64)> {
        let records = self.epochs.iter().filter(|record| record.step <= step);
        records.filter_map(|record| Some((record.epoch, record.val_accuracy?))).next_back()
    }

    /// Returns the calibration of the last validation up to a step.
    pub(crate) fn calibration(&self, step: u64) -> Calibration {
        let records = self.epochs.iter().chain(&self.steps).filter(|record| record.step <= step);
        let temperatures = records.filter_map(|record| Some((record, record.temperature?)));
        let last = temperatures.max_by_key(|(record, _)| record.step);
        last.map_or(Calibration::NONE, |(record, temperature)| {
            // Within an epoch it is fitted to fewer samples.
            let is_epoch = record.epoch.fract() == 0.0;
            let most = if is_epoch { u64::MAX } else { STEP_SAMPLE as u64 };
            Calibration::new(temperature, self.val_samples.min(most))
        })
    }

    /// Sets what the training does.
    pub(crate) fn set_mode(&mut self, mode: Mode) {
        self.status.mode = mode;
    }

    /// Sets the length of the training.
    pub(crate) fn set_length(&mut self, steps_per_epoch: u64, epochs: u64) {
        (self.status.steps_per_epoch, self.status.epochs) = (steps_per_epoch, epochs);
    }

    /// Sets the pace.
    pub(crate) fn set_pace(&mut self, seconds: Option<u64>) {
        self.status.pace = seconds;
    }

    /// Sets the step of the newest snapshot.
    pub(crate) fn set_snapshot(&mut self, step: Option<u64>) {
        self.status.snapshot = step;
    }

    /// Appends records of `events.jsonl`.
    pub(crate) fn record_events(&mut self, records: Vec<EventLine>) {
        let is_stop = |record: &EventLine| matches!(record.kind, EventKind::Stopped { .. });
        let mut stops_left = records.iter().filter(|record| is_stop(record)).count();
        let mut is_outdated = false;
        for record in &records {
            match &record.kind {
                EventKind::Stopped { reason, .. } => {
                    self.status.stopped = Some(*reason);
                    let (stopped, step, epoch) = (*reason, record.step, record.epoch);
                    if stops_left <= MAX_STOPS {
                        self.diagnose(&Event::Stopping { stopped, step, epoch });
                    }
                    stops_left -= 1;
                    is_outdated = true;
                }
                EventKind::Start { .. } | EventKind::Resume { .. } => self.status.stopped = None,
                EventKind::Verdict(verdict) => {
                    self.diagnosis.add_data_verdicts([verdict.clone()]);
                    is_outdated = true;
                }
                _ => {}
            }
        }
        if is_outdated {
            self.update_diagnosis();
        }
        self.events.extend(records);
        self.status.lines[2] = self.events.len();
    }

    /// Appends a record of `steps.jsonl`.
    fn record_step(&mut self, metrics: &Metrics) {
        self.steps.push(metrics.clone());
        self.update_status(metrics);
    }

    /// Appends a record of `metrics.jsonl`.
    fn record_epoch(&mut self, metrics: &Metrics) {
        self.epochs.push(metrics.clone());
        self.update_status(metrics);
    }

    fn update_status(&mut self, metrics: &Metrics) {
        self.set_progress(metrics.step);
        let status = &mut self.status;
        status.elapsed_seconds = metrics.elapsed_seconds;
        status.samples_per_second = metrics.samples_per_second.or(status.samples_per_second);
        let left = status.epochs as f64 - metrics.epoch;
        status.seconds_left =
            (metrics.epoch > 0.0).then(|| metrics.elapsed_seconds / metrics.epoch * left);
        status.lines = [self.epochs.len(), self.steps.len(), self.events.len()];
    }

    /// Sets how far the training is.
    fn set_progress(&mut self, step: u64) {
        let status = &mut self.status;
        status.step = status.step.max(step);
        status.epoch = status.step as f64 / status.steps_per_epoch.max(1) as f64;
    }

    fn update_diagnosis(&mut self) {
        let Diagnosis { phases, verdicts, best_epoch } = self.diagnosis.diagnosis();
        (self.phases, self.best_epoch) = (phases, best_epoch);
        self.verdicts = verdicts.into_iter().map(VerdictText::new).collect();
    }

    fn diagnose(&mut self, event: &Event<'_>) {
        // A diagnosis observer never fails.
        let _ = self.diagnosis.observe(event);
        self.diagnosis.noticed();
    }
}

impl Observer for Timeline {
    fn observe(&mut self, event: &Event<'_>) -> klubok::train::Result<()> {
        match *event {
            Event::Past { steps, epochs, .. } => {
                let mut steps = steps.iter().peekable();
                for epoch in epochs {
                    while let Some(step) = steps.next_if(|step| step.step <= epoch.step) {
                        self.record_step(step);
                    }
                    self.record_epoch(epoch);
                }
                steps.for_each(|step| self.record_step(step));
                self.diagnose(event);
                if !epochs.is_empty() {
                    self.update_diagnosis();
                }
            }
            Event::Start { steps_per_epoch, epochs, step } => {
                self.set_length(steps_per_epoch, epochs);
                self.set_mode(Mode::Training);
                self.set_progress(step);
            }
            Event::Progress { step, .. } => self.set_progress(step),
            Event::Step(metrics) => {
                self.diagnose(event);
                self.record_step(metrics);
            }
            Event::Epoch { metrics, .. } => {
                self.diagnose(event);
                self.record_epoch(metrics);
                self.update_diagnosis();
            }
            Event::Noticed { step, epoch, notice } => {
                self.record_events(vec![EventLine { step, epoch, kind: notice.clone().into() }]);
            }
            Event::Person { step, epoch, act } => {
                self.set_mode(match act {
                    Act::Pause => Mode::Resting,
                    Act::GoOn | Act::OneStep | Act::OneEpoch => Mode::Training,
                    Act::LearningRate { .. } | Act::Stop | Act::Epochs { .. } => self.status.mode,
                });
                if let Act::Epochs { epochs, .. } = act {
                    self.set_length(self.status.steps_per_epoch, epochs);
                }
                self.record_events(vec![EventLine {
                    step,
                    epoch,
                    kind: EventKind::Person { act },
                }]);
            }
            Event::Resting { step } => {
                self.set_progress(step);
                self.set_mode(Mode::Resting);
            }
            Event::Stopping { stopped, step, epoch } => {
                let happened = EventKind::Stopped { reason: stopped, cause: None };
                self.record_events(vec![EventLine { step, epoch, kind: happened }]);
            }
            Event::End { .. } => self.set_mode(Mode::Ended),
            Event::Snapshot { snapshot, .. } => self.status.snapshot = Some(snapshot.step),
            Event::Checkpoint { .. } => {}
        }
        Ok(())
    }
}
