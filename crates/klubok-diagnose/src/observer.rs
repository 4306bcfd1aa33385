//! Attaches the tracker to a training as an observer.

use klubok_data::{Dataset, Parts};
use klubok_train::{
    Result,
    config::Config,
    event::{Event, Metrics, Notice, Observer, PhaseName, Stopped, Verdict, VerdictName},
};

use super::{Diagnosis, row::Row, setup::Setup, tracker::Tracker};

/// Observes a training and reports each new phase and verdict.
#[derive(Debug)]
pub struct DiagnosisObserver {
    tracker: Tracker,
    ended: bool,
    phase: Option<PhaseName>,
    verdicts: Vec<VerdictName>,
    noticed: Vec<Notice>,
}

impl DiagnosisObserver {
    /// Observes a training with this number of validation samples.
    pub fn new(val_samples: u64) -> Self {
        Self {
            tracker: Tracker::new(Some(val_samples)),
            ended: false,
            phase: None,
            verdicts: Vec::new(),
            noticed: Vec::new(),
        }
    }

    /// Observes a training with these settings on this data.
    pub fn of_data(config: &Config, data: &Dataset) -> Self {
        let Parts { train, val, .. } = &data.parts;
        let train_classes = match data.targets.classes() {
            Some(_) => data.class_counts(train),
            None => vec![train.len() as u64],
        };
        Self::new(val.len() as u64)
            .with_classes(&data.class_counts(val))
            .with_setup(Setup { config: config.clone(), train_classes })
    }

    /// Sets the validation samples of each class, from which chance level follows.
    #[must_use]
    pub fn with_classes(mut self, classes: &[u64]) -> Self {
        self.tracker = self.tracker.with_classes(classes);
        self
    }

    /// Sets the setup of the training, from which advice starts.
    #[must_use]
    pub fn with_setup(mut self, setup: Setup) -> Self {
        self.tracker = self.tracker.with_setup(setup);
        self
    }

    /// Adds verdicts on the data from before the training, and reports them at the next epoch. See
    /// [`Tracker::add_data_verdicts`].
    pub fn add_data_verdicts(&mut self, verdicts: impl IntoIterator<Item = Verdict>) {
        self.tracker.add_data_verdicts(verdicts);
    }

    /// Phases and verdicts up to now.
    pub fn diagnosis(&self) -> Diagnosis {
        Diagnosis::from_tracker(&self.tracker, self.ended)
    }

    fn step(&mut self, metrics: &Metrics) {
        self.tracker.step(&Row::from(metrics));
        // At the end of an epoch its own record has the layers' figures for all of it.
        if metrics.epoch.fract() != 0.0 {
            self.tracker.layers(metrics);
        }
    }

    fn epoch(&mut self, metrics: &Metrics) {
        self.tracker.epoch(&Row::from(metrics));
        self.tracker.layers(metrics);
    }

    /// Reports what is new in the diagnosis since the last call. A withdrawn verdict is reported
    /// again when it comes back.
    fn report_changes(&mut self) {
        let Diagnosis { mut phases, verdicts, .. } = self.diagnosis();
        let phase = phases.pop();
        let name = phase.as_ref().map(|phase| phase.name);
        if name != self.phase {
            self.noticed.extend(phase.map(Notice::Phase));
            self.phase = name;
        }
        let names = verdicts.iter().map(|verdict| verdict.name).collect();
        let known = std::mem::replace(&mut self.verdicts, names);
        let new = verdicts.into_iter().filter(|verdict| !known.contains(&verdict.name));
        self.noticed.extend(new.map(Notice::Verdict));
    }
}

impl Observer for DiagnosisObserver {
    fn observe(&mut self, event: &Event<'_>) -> Result<()> {
        match event {
            Event::Past { steps, epochs, .. } => {
                let mut steps = steps.iter().peekable();
                for epoch in *epochs {
                    while let Some(step) = steps.next_if(|step| step.step <= epoch.step) {
                        self.step(step);
                    }
                    self.epoch(epoch);
                }
                // Marks what holds after the last of them as reported.
                if !epochs.is_empty() {
                    self.report_changes();
                }
                steps.for_each(|step| self.step(step));
                // The log has these already.
                self.noticed.clear();
            }
            Event::Step(metrics) => self.step(metrics),
            Event::Epoch { metrics, .. } => {
                self.epoch(metrics);
                self.report_changes();
            }
            // After an interruption the resumed run reports at the end of the epoch.
            Event::Stopping { stopped: Stopped::Interrupted, .. } => {}
            Event::Stopping { stopped, epoch, .. } => {
                if *stopped == Stopped::Diverged {
                    self.tracker.diverged(*epoch);
                }
                self.ended = true;
                self.report_changes();
            }
            _ => {}
        }
        Ok(())
    }

    fn noticed(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.noticed)
    }
}
