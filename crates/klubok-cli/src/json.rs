//! JSON output of a training: one object at its end, or one for each event.

use std::{
    io::{ErrorKind, Write as _, stdout},
    path::Path,
};

use klubok::{
    diagnose::Diagnosis,
    train::{
        event::{Event, Metrics, Notice, Observer, Phase, Stopped, Verdict},
        session::Summary,
    },
};
use serde::Serialize;

/// Result of a training, as `train`, `resume` and `demo` print it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct TrainingResult {
    /// Folder of the run.
    pub(crate) run: String,
    /// Epochs done.
    pub(crate) epochs: u64,
    /// Epoch of the model's weights.
    pub(crate) best_epoch: Option<u64>,
    /// Loss of that epoch on a fixed sample of the training part, in evaluation mode.
    pub(crate) train_loss: Option<f64>,
    /// Validation loss of that epoch.
    pub(crate) val_loss: Option<f64>,
    /// Validation accuracy of that epoch; null for numbers.
    pub(crate) val_accuracy: Option<f64>,
    /// Root mean squared error of predicted numbers in that epoch, in their own units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) val_rmse: Option<f64>,
    /// Their coefficient of determination.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) val_r2: Option<f64>,
    /// Why the training ended.
    pub(crate) stopped: Option<Stopped>,
    /// Seconds of training, without interruptions.
    pub(crate) seconds: f64,
    /// Phases of the training.
    pub(crate) phases: Vec<Phase>,
    /// Verdicts on the training.
    pub(crate) verdicts: Vec<Verdict>,
}

impl TrainingResult {
    /// Collects the figures of a finished training.
    pub(crate) fn new(summary: &Summary, diagnosis: &Diagnosis) -> Self {
        Self {
            run: summary.run.clone(),
            epochs: summary.epochs,
            best_epoch: summary.best_epoch,
            train_loss: summary.train_loss,
            val_loss: summary.val_loss,
            val_accuracy: summary.val_accuracy,
            val_rmse: summary.val_rmse,
            val_r2: summary.val_r2,
            stopped: summary.stopped,
            seconds: summary.seconds,
            phases: diagnosis.phases.clone(),
            verdicts: diagnosis.verdicts.clone(),
        }
    }
}

/// An observer that prints one object for each event. Training goes on when the reader of the pipe
/// has closed it.
#[derive(Debug, Default)]
pub(crate) struct EventPrinter {
    run: String,
    /// Whether each event names its run: those of several trainings come mixed.
    is_one_of_several: bool,
    closed: bool,
}

/// An event, with its run where it does not name it itself.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    event: &'a JsonEvent<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum JsonEvent<'a> {
    Start {
        run: &'a str,
        steps_per_epoch: u64,
        epochs: u64,
        step: u64,
    },
    Step(&'a Metrics),
    Epoch {
        best: bool,
        #[serde(flatten)]
        metrics: &'a Metrics,
    },
    Phase(&'a Phase),
    Verdict(&'a Verdict),
    Checkpoint {
        step: u64,
    },
    End(&'a TrainingResult),
}

impl EventPrinter {
    /// A printer of a training among others at the same time.
    pub(crate) fn of_several() -> Self {
        Self { is_one_of_several: true, ..Self::default() }
    }

    /// Sets the run of the following events.
    pub(crate) fn set_run(&mut self, run: &Path) {
        self.run = run.display().to_string();
    }

    /// Prints the last event: the result.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub(crate) fn end(&mut self, trained: &TrainingResult) -> std::io::Result<()> {
        self.print(&JsonEvent::End(trained))
    }

    fn print(&mut self, event: &JsonEvent<'_>) -> std::io::Result<()> {
        if self.closed {
            return Ok(());
        }
        let names_run = matches!(event, JsonEvent::Start { .. } | JsonEvent::End(_));
        let run = (self.is_one_of_several && !names_run).then_some(&*self.run);
        let line = serde_json::to_string(&Line { event, run })?;
        let mut out = stdout().lock();
        let written = writeln!(out, "{line}").and_then(|()| out.flush());
        match written {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(())
            }
            written => written,
        }
    }
}

impl Observer for EventPrinter {
    fn observe(&mut self, event: &Event<'_>) -> klubok::train::Result<()> {
        let run = self.run.clone();
        let line = match *event {
            Event::Start { steps_per_epoch, epochs, step } => {
                JsonEvent::Start { run: &run, steps_per_epoch, epochs, step }
            }
            Event::Step(metrics) => JsonEvent::Step(metrics),
            Event::Epoch { metrics, best } => JsonEvent::Epoch { best, metrics },
            Event::Checkpoint { step } => JsonEvent::Checkpoint { step },
            Event::Noticed { notice: Notice::Phase(phase), .. } => JsonEvent::Phase(phase),
            Event::Noticed { notice: Notice::Verdict(verdict), .. } => JsonEvent::Verdict(verdict),
            // `Progress` is for people, `Past` was printed before. The end has its figures only
            // after the last files are written.
            Event::Past { .. }
            | Event::Snapshot { .. }
            | Event::Progress { .. }
            | Event::Person { .. }
            | Event::Resting { .. }
            | Event::Stopping { .. }
            | Event::End { .. } => return Ok(()),
        };
        Ok(self.print(&line)?)
    }
}
