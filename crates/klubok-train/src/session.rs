//! A training on disk: ties a [`Trainer`] to a run folder, its logs, its checkpoints and its
//! observers.
//!
//! At every point worth saving, in this order: the logs are synced; the model is renamed into
//! place, if there is a better one; the checkpoint, which knows the marks of the logs, is renamed
//! into place. A process that is killed between any two of these leaves a run that goes on from the
//! checkpoint before, cuts the logs back to it, and writes the same model again.

use std::borrow::Cow;

use fs_err as fs;
use klubok_data::{Dataset, difference, read_split, split_rows, write_split};
use klubok_model::{Model, Validation, write_atomically};
use klubok_nn::{backend::Backend, plan::Plan, state::Weights};
use serde::Serialize;

use crate::{
    Result, RunError,
    checkpoint::{self, Contents, Settings},
    config::{Config, Monitor},
    control::Control,
    distance::Distance,
    evaluate::{chance, wilson},
    event::{Event, Notice, Observer, Stopped},
    logs::{EventLine, Happened, Logs, Marks, Past},
    progress::Progress,
    run_dir::{CHECKPOINT, MODEL, RunDir, RunInfo, SPLIT},
    task::Task,
    trainer::{Snapshot, Trainer},
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
    /// The same after the best temperature.
    pub val_loss_calibrated: Option<f64>,
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
            val_loss_calibrated: best.and_then(|best| best.val_loss_calibrated),
            val_accuracy: best.and_then(|best| best.val_accuracy),
            stopped,
            seconds: progress.elapsed_seconds,
            cause: progress.divergence.map(|divergence| divergence.to_string()),
            val_samples: progress.val_samples,
        }
    }
}

/// Trains a run from its checkpoint, or from the start when it has none, until it ends or is told
/// to stop. A run that has ended is left as it is, unless somebody asks for more epochs. What
/// people did in a run that this one is to repeat (`info` knows), and in this one after its
/// checkpoint, is done again.
///
/// # Errors
/// When another process trains the run, its checkpoint cannot be used, the data is not what it was
/// at the checkpoint, the device or an observer fails, or a file cannot be written. The last
/// checkpoint stays.
pub fn train(
    run: &RunDir,
    config: &Config,
    data: &Dataset,
    backend: &dyn Backend,
    observers: &mut [&mut dyn Observer],
    info: &RunInfo,
    control: &Control,
) -> Result<Summary> {
    let _closed = Closed(control);
    let _lock = run.lock()?;
    let bytes = run.checkpoint()?;
    let path = run.file(CHECKPOINT);
    if let Some(bytes) = &bytes {
        let progress = checkpoint::progress(&path, bytes, &Settings::new(config, info))?;
        let goes_on = || {
            Ok::<_, crate::RunError>(
                control.extends() || Logs::goes_on_after(run.path(), &progress)?,
            )
        };
        if progress.stopped.is_some() && (progress.divergence.is_some() || !goes_on()?) {
            return Ok(Summary::new(run, &progress, progress.stopped));
        }
    }
    let resumed = bytes.is_some();
    if !resumed && let Some(epoch) = Logs::came_to(run.path())? {
        return Err(RunError::Gone { path: path.display().to_string(), epoch });
    }
    record_split(run, data, resumed)?;
    let mut task = Task::new(config, data)?;
    let distance = Distance::of(&task, config.train.seed);
    // Neither the file nor the start is kept: each is as large as the network.
    let start = std::mem::take(&mut task.start);
    let settings = Settings::new(config, info);
    let (snapshot, lengths) = match bytes {
        Some(bytes) => checkpoint::from_bytes(&path, &bytes, &task.plan, &settings)?,
        None => (Snapshot::start(start), Marks::default()),
    };
    let at = snapshot.progress.clone();
    let mut trainer = Trainer::new(backend, task.plan.clone(), data, &config.train, snapshot)?;
    trainer.started_from(distance);
    let (logs, pending) = Logs::go_on(run.path(), lengths, &at, &info.replay)?;
    trainer.replay(pending);
    let card = Some(task.card(config, data)?);
    let (plan, model) = (task.plan.clone(), Model { card, ..task.model(Weights::default()) });
    let validation = OfValidation {
        chance: chance(&data.class_counts(&data.parts.val)),
        chose_epoch: config.train.monitor != Monitor::Last,
    };
    let mut on_disk = OnDisk { run, settings, plan, model, validation, logs, saved: None };
    let begin = Happened::begin(resumed, backend.info(config.train.precision));
    on_disk.happened(trainer.saved(), begin)?;
    if resumed {
        let Past { steps, epochs, events } = Logs::past(run.path())?;
        let (ahead, events) = (on_disk.logs.ahead(), &events[..]);
        tell(observers, &Event::Past { steps: &steps, epochs: &epochs, events, ahead })?;
    }
    tell(observers, &trainer.start_event())?;
    loop {
        let mut all = All { logs: &mut on_disk.logs, observers };
        let stopped = trainer.advance(&mut all, control)?;
        if let Some(reason) = stopped {
            let progress = trainer.saved();
            all.observe(&stopping(reason, progress))?;
            let cause = progress.divergence.map(|divergence| divergence.to_string());
            on_disk.happened(progress, Happened::Stopped { reason, cause })?;
        }
        on_disk.save(&mut trainer)?;
        tell(observers, &Event::Checkpoint { step: trainer.saved().step })?;
        if let Some(stopped) = stopped {
            tell(observers, &Event::End { stopped })?;
            return Ok(Summary::new(run, trainer.saved(), Some(stopped)));
        }
    }
}

/// Closes a control when the training has ended, however it did.
struct Closed<'a>(&'a Control);

impl Drop for Closed<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Writes which row is in which part, or when going on makes sure that it is as it was.
fn record_split(run: &RunDir, data: &Dataset, resumed: bool) -> Result<()> {
    let path = run.file(SPLIT);
    if resumed {
        return match difference(read_split(&path)?, data)? {
            Some(difference) => Err(RunError::Data { difference }),
            None => Ok(()),
        };
    }
    let mut bytes = Vec::new();
    write_split(&mut bytes, &split_rows(data))?;
    Ok(write_atomically(&path, &bytes)?)
}

/// What is the same for every epoch that a validation part judges.
struct OfValidation {
    chance: f64,
    chose_epoch: bool,
}

impl OfValidation {
    /// How good the best epoch is; none without a validation part.
    fn of(&self, progress: &Progress) -> Option<Validation> {
        let Self { chance, chose_epoch } = *self;
        let (accuracy, samples) = (progress.best?.val_accuracy?, progress.val_samples);
        let accuracy_interval = wilson(accuracy, samples as usize);
        Some(Validation { accuracy, accuracy_interval, chance, chose_epoch, samples })
    }
}

/// What the files of a run hold.
struct OnDisk<'a> {
    run: &'a RunDir,
    settings: Settings,
    plan: Plan,
    /// Without weights: it is lent those of the best epoch while it is saved.
    model: Model,
    validation: OfValidation,
    logs: Logs,
    /// The epoch whose weights this process has written to the model.
    saved: Option<u64>,
}

impl OnDisk<'_> {
    fn happened(&mut self, progress: &Progress, happened: Happened) -> Result<()> {
        let (step, epoch) = moment(progress);
        self.logs.happened(&EventLine { step, epoch, happened })
    }

    fn save(&mut self, trainer: &mut Trainer<'_>) -> Result<()> {
        let lengths = self.logs.sync()?;
        let best = trainer.saved().best.map(|best| best.epoch);
        if best != self.saved {
            self.model.calibration = trainer.saved().calibration();
            if let Some(card) = &mut self.model.card {
                card.validation = self.validation.of(trainer.saved());
            }
            std::mem::swap(&mut self.model.weights, trainer.best_mut());
            let saved = self.model.save(&self.run.file(MODEL));
            std::mem::swap(&mut self.model.weights, trainer.best_mut());
            saved?;
            self.saved = best;
        }
        let path = self.run.file(CHECKPOINT);
        fs::create_dir_all(path.parent().unwrap_or(self.run.path()))?;
        let (progress, best) = (trainer.saved(), trainer.best());
        // After a divergence, the last good state is that of the checkpoint before.
        let before = if progress.divergence.is_some() { self.run.checkpoint()? } else { None };
        let good = match before {
            Some(bytes) => {
                Some(checkpoint::from_bytes(&path, &bytes, &self.plan, &self.settings)?.0.state)
            }
            None => None,
        };
        let state = |tensor| match &good {
            Some(state) => Ok(Cow::Borrowed(state.tensor(tensor))),
            None => trainer.tensor(tensor).map(Cow::Owned),
        };
        let contents = Contents { settings: &self.settings, progress, best, state: &state };
        checkpoint::write(&path, &contents, lengths, &self.plan)
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
