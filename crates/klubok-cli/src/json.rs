//! What programs read: one object when a training is done, or one an event as it happens.

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

/// How a training ended: what `train`, `resume` and `demo` print.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Trained {
    /// Folder of the run.
    pub(crate) run: String,
    /// Epochs done.
    pub(crate) epochs: u64,
    /// The epoch whose weights the model has.
    pub(crate) best_epoch: Option<u64>,
    /// Loss of that epoch on a fixed sample of the training part, in evaluation mode.
    pub(crate) train_loss: Option<f64>,
    /// Its loss on the validation part.
    pub(crate) val_loss: Option<f64>,
    /// Its accuracy on the validation part.
    pub(crate) val_accuracy: Option<f64>,
    /// Why the training ended.
    pub(crate) stopped: Option<Stopped>,
    /// Seconds of training, interruptions left out.
    pub(crate) seconds: f64,
    /// Phases of the training that were found.
    pub(crate) phases: Vec<Phase>,
    /// What was judged of it.
    pub(crate) verdicts: Vec<Verdict>,
}

impl Trained {
    /// The figures of a training that is done.
    pub(crate) fn new(summary: &Summary, diagnosis: &Diagnosis) -> Self {
        Self {
            run: summary.run.clone(),
            epochs: summary.epochs,
            best_epoch: summary.best_epoch,
            train_loss: summary.train_loss,
            val_loss: summary.val_loss,
            val_accuracy: summary.val_accuracy,
            stopped: summary.stopped,
            seconds: summary.seconds,
            phases: diagnosis.phases.clone(),
            verdicts: diagnosis.verdicts.clone(),
        }
    }
}

/// Prints one object an event. When nobody reads any more, training goes on without.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    run: String,
    closed: bool,
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum LineOf<'a> {
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
    End(&'a Trained),
}

impl Lines {
    /// The run that the lines from here on are of.
    pub(crate) fn of(&mut self, run: &Path) {
        self.run = run.display().to_string();
    }

    /// The last line: how it ended.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub(crate) fn end(&mut self, trained: &Trained) -> std::io::Result<()> {
        self.print(&LineOf::End(trained))
    }

    fn print(&mut self, line: &LineOf<'_>) -> std::io::Result<()> {
        if self.closed {
            return Ok(());
        }
        let mut out = stdout().lock();
        let written = writeln!(out, "{}", serde_json::to_string(line)?).and_then(|()| out.flush());
        match written {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(())
            }
            written => written,
        }
    }
}

impl Observer for Lines {
    fn observe(&mut self, event: &Event<'_>) -> klubok::train::Result<()> {
        let run = self.run.clone();
        let line = match *event {
            Event::Start { steps_per_epoch, epochs, step } => {
                LineOf::Start { run: &run, steps_per_epoch, epochs, step }
            }
            Event::Step(metrics) => LineOf::Step(metrics),
            Event::Epoch { metrics, best } => LineOf::Epoch { best, metrics },
            Event::Checkpoint { step } => LineOf::Checkpoint { step },
            Event::Noticed { notice: Notice::Phase(phase), .. } => LineOf::Phase(phase),
            Event::Noticed { notice: Notice::Verdict(verdict), .. } => LineOf::Verdict(verdict),
            // Progress is for eyes, the past was told before; the end has its figures only when the
            // last files are written.
            Event::Past { .. }
            | Event::Progress { .. }
            | Event::Person { .. }
            | Event::Resting { .. }
            | Event::Stopping { .. }
            | Event::End { .. } => return Ok(()),
        };
        Ok(self.print(&line)?)
    }
}
