//! The tracker as an observer of a training: it answers with what it notices.

use klubok_train::{
    Result,
    event::{Event, Metrics, Notice, Observer, PhaseName, Stopped, Verdict, VerdictName},
};

use super::{Diagnosis, row::Row, setup::Setup, tracker::Tracker};

/// Watches a training and notices when a phase begins and when a verdict appears.
#[derive(Debug)]
pub struct DiagnosisObserver {
    tracker: Tracker,
    ended: bool,
    phase: Option<PhaseName>,
    verdicts: Vec<VerdictName>,
    noticed: Vec<Notice>,
}

impl DiagnosisObserver {
    /// A watch over a training that is validated on so many samples.
    pub fn new(val_samples: u64) -> Self {
        Self {
            tracker: Tracker::new(Some(val_samples)),
            ended: false,
            phase: None,
            verdicts: Vec::new(),
            noticed: Vec::new(),
        }
    }

    /// Knows how many validation samples each class has, and so what guessing gives.
    #[must_use]
    pub fn with_classes(mut self, classes: &[u64]) -> Self {
        self.tracker = self.tracker.with_classes(classes);
        self
    }

    /// Knows what the training was set up with: advice starts from there.
    #[must_use]
    pub fn with_setup(mut self, setup: Setup) -> Self {
        self.tracker = self.tracker.with_setup(setup);
        self
    }

    /// Is told verdicts that were found before training: those on the data, which it notices at the
    /// next epoch. See [`Tracker::found_before`].
    pub fn found_before(&mut self, verdicts: impl IntoIterator<Item = Verdict>) {
        self.tracker.found_before(verdicts);
    }

    /// Phases and verdicts up to now.
    pub fn diagnosis(&self) -> Diagnosis {
        Diagnosis::of(&self.tracker, self.ended)
    }

    fn step(&mut self, metrics: &Metrics) {
        self.tracker.step(&Row::from(metrics));
        // At the end of an epoch its own line says what the layers did in all of it.
        if metrics.epoch.fract() != 0.0 {
            self.tracker.layers(metrics);
        }
    }

    fn epoch(&mut self, metrics: &Metrics) {
        self.tracker.epoch(&Row::from(metrics));
        self.tracker.layers(metrics);
    }

    /// Compares what can be said now with what was said last. A verdict that was taken back may
    /// appear again.
    fn look(&mut self) {
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
                // Once for all of them: what was said before the last of them is not said again.
                if !epochs.is_empty() {
                    self.look();
                }
                steps.for_each(|step| self.step(step));
                // The log has these already.
                self.noticed.clear();
            }
            Event::Step(metrics) => self.step(metrics),
            Event::Epoch { metrics, .. } => {
                self.epoch(metrics);
                self.look();
            }
            // Whoever goes on after an interruption looks again at the end of the epoch.
            Event::Stopping { stopped: Stopped::Interrupted, .. } => {}
            Event::Stopping { stopped, epoch, .. } => {
                if *stopped == Stopped::Diverged {
                    self.tracker.diverged(*epoch);
                }
                self.ended = true;
                self.look();
            }
            _ => {}
        }
        Ok(())
    }

    fn noticed(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.noticed)
    }
}
