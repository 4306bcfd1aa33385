//! A training on disk: ties a [`Trainer`] to a run folder, its logs, its checkpoints and its observers.
//!
//! At every point worth saving, in this order: the logs are synced; the model is renamed into place, if
//! there is a better one; the checkpoint, which knows the lengths of the logs, is renamed into place.
//! A process that is killed between any two of these leaves a run that goes on from the checkpoint
//! before, cuts the logs back to it, and writes the same model again.

use std::sync::atomic::AtomicBool;

use fs_err as fs;
use serde::Serialize;

use crate::{
    Result,
    backend::Backend,
    config::Config,
    data::{Dataset, difference, read_split, split_rows, write_split},
    format::atomic::write_atomically,
    state::Weights,
    train::{
        RunError, checkpoint,
        event::{Event, Notice, Observer, Stopped},
        logs::{EventLine, Happened, LogLengths, Logs},
        progress::Progress,
        run_dir::{CHECKPOINT, MODEL, RunDir, SPLIT},
        task::Task,
        trainer::{Snapshot, Trainer},
    },
};

/// How a run ended; losses and accuracy are those of the best epoch.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// Folder of the run.
    pub run: String,
    /// Epochs done.
    pub epochs: u64,
    /// The best epoch, whose weights are in the model; 0 is before any update.
    pub best_epoch: Option<u64>,
    /// Loss in evaluation mode on the fixed sample of the training part.
    pub train_loss: Option<f64>,
    /// Loss on the validation part.
    pub val_loss: Option<f64>,
    /// Share of right answers on the validation part.
    pub val_accuracy: Option<f64>,
    /// Why it ended.
    pub stopped: Option<Stopped>,
    /// Seconds of training, interruptions left out.
    pub seconds: f64,
    /// The cause in words, where `stopped` does not say it all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// Samples of the validation part.
    #[serde(skip)]
    pub val_samples: u64,
}

impl Summary {
    /// The summary of a run that has come so far; `stopped` is why it rests.
    pub fn new(run: &RunDir, progress: &Progress, stopped: Option<Stopped>) -> Self {
        let best = progress.best;
        Self {
            run: run.path().display().to_string(),
            epochs: progress.epoch,
            best_epoch: best.map(|best| best.epoch),
            train_loss: best.and_then(|best| best.train_loss),
            val_loss: best.and_then(|best| best.val_loss),
            val_accuracy: best.and_then(|best| best.val_accuracy),
            stopped,
            seconds: progress.elapsed_seconds,
            cause: progress.divergence.map(|divergence| divergence.to_string()),
            val_samples: progress.val_samples,
        }
    }
}

/// Trains a run from its checkpoint, or from the start when it has none, until it ends or `stop` is
/// set. A run that has ended is left as it is.
///
/// # Errors
/// When another process trains the run, its checkpoint cannot be used, the data is not what it was at
/// the checkpoint, the device or an observer fails, or a file cannot be written. The last checkpoint
/// stays.
pub fn train(
    run: &RunDir,
    config: &Config,
    data: &Dataset,
    backend: &dyn Backend,
    observers: &mut [&mut dyn Observer],
    stop: &AtomicBool,
) -> Result<Summary> {
    let _lock = run.lock()?;
    let bytes = run.checkpoint()?;
    let path = run.file(CHECKPOINT);
    if let Some(bytes) = &bytes {
        let progress = checkpoint::progress(&path, bytes)?;
        if progress.stopped.is_some() {
            return Ok(Summary::new(run, &progress, progress.stopped));
        }
    }
    record_split(run, data, bytes.is_some())?;
    let task = Task::new(config, data)?;
    let (snapshot, lengths) = match &bytes {
        Some(bytes) => checkpoint::from_bytes(&path, bytes, &task.plan)?,
        None => (Snapshot::start(task.start.clone()), LogLengths::default()),
    };
    let mut trainer = Trainer::new(backend, task.plan.clone(), data, &config.train, snapshot)?;
    trainer.started_from(&task.start);
    let logs = Logs::open(run.path(), lengths)?;
    let mut on_disk = OnDisk { run, task: &task, logs, model: None };
    on_disk.happened(
        trainer.snapshot(),
        Happened::begin(bytes.is_some(), backend.info(config.train.precision)),
    )?;
    if bytes.is_some() {
        let [steps, epochs] = Logs::past(run.path())?;
        tell(observers, &Event::Past { steps: &steps, epochs: &epochs })?;
    }
    tell(observers, &trainer.start_event())?;
    loop {
        let mut all = All { logs: &mut on_disk.logs, observers };
        let stopped = trainer.advance(&mut all, stop)?;
        let snapshot = trainer.snapshot();
        if let Some(reason) = stopped {
            all.observe(&stopping(reason, &snapshot.progress))?;
            let cause = snapshot.progress.divergence.map(|divergence| divergence.to_string());
            on_disk.happened(snapshot, Happened::Stopped { reason, cause })?;
        }
        on_disk.save(snapshot)?;
        tell(observers, &Event::Checkpoint { step: snapshot.progress.step })?;
        if let Some(stopped) = stopped {
            tell(observers, &Event::End { stopped })?;
            return Ok(Summary::new(run, &snapshot.progress, Some(stopped)));
        }
    }
}

/// Writes which row is in which part, or when going on makes sure that it is as it was.
fn record_split(run: &RunDir, data: &Dataset, resumed: bool) -> Result<()> {
    let path = run.file(SPLIT);
    if resumed {
        let before = read_split(fs_err::File::open(&path)?)?;
        return match difference(&before, data) {
            Some(difference) => Err(RunError::Data { difference }.into()),
            None => Ok(()),
        };
    }
    let mut bytes = Vec::new();
    write_split(&mut bytes, &split_rows(data))?;
    Ok(write_atomically(&path, &bytes)?)
}

/// What the files of a run hold.
struct OnDisk<'a> {
    run: &'a RunDir,
    task: &'a Task,
    logs: Logs,
    /// The epoch whose weights this process has written to the model.
    model: Option<u64>,
}

impl OnDisk<'_> {
    fn happened(&mut self, snapshot: &Snapshot, happened: Happened) -> Result<()> {
        let (step, epoch) = moment(&snapshot.progress);
        self.logs.happened(&EventLine { step, epoch, happened })
    }

    fn save(&mut self, snapshot: &Snapshot) -> Result<()> {
        let lengths = self.logs.sync()?;
        let best = snapshot.progress.best.map(|best| best.epoch);
        if best != self.model {
            self.save_model(&snapshot.best)?;
            self.model = best;
        }
        let path = self.run.file(CHECKPOINT);
        fs::create_dir_all(path.parent().unwrap_or(self.run.path()))?;
        let bytes = checkpoint::to_bytes(snapshot, lengths, &self.task.plan)?;
        Ok(write_atomically(&path, &bytes)?)
    }

    fn save_model(&self, weights: &Weights) -> Result<()> {
        self.task.model(weights.clone()).save(&self.run.file(MODEL))
    }
}

/// The logs first, then whoever else watches.
struct All<'a, 'b> {
    logs: &'a mut Logs,
    observers: &'a mut [&'b mut dyn Observer],
}

impl Observer for All<'_, '_> {
    fn observe(&mut self, event: &Event<'_>) -> Result<()> {
        self.logs.observe(event)?;
        tell(self.observers, event)?;
        let (step, epoch) = match *event {
            Event::Step(metrics) | Event::Epoch { metrics, .. } => (metrics.step, metrics.epoch),
            Event::Stopping { step, epoch, .. } => (step, epoch),
            _ => return Ok(()),
        };
        let noticed: Vec<Notice> = self.observers.iter_mut().flat_map(|o| o.noticed()).collect();
        for notice in &noticed {
            let event = Event::Noticed { step, epoch, notice };
            self.logs.observe(&event)?;
            tell(self.observers, &event)?;
        }
        Ok(())
    }
}

/// What observers are told when training stops.
fn stopping(stopped: Stopped, progress: &Progress) -> Event<'static> {
    let (step, epoch) = moment(progress);
    Event::Stopping { stopped, step, epoch }
}

/// Where a training is, in steps and epochs; of one that diverged, where that was seen.
fn moment(progress: &Progress) -> (u64, f64) {
    match progress.divergence {
        Some(divergence) => (divergence.step, divergence.epoch),
        None => (progress.step, progress.epochs()),
    }
}

fn tell(observers: &mut [&mut dyn Observer], event: &Event<'_>) -> Result<()> {
    observers.iter_mut().try_for_each(|observer| observer.observe(event))
}
