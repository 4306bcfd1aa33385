//! A training on disk: connects a [`Trainer`] to a run folder, its logs, its checkpoints and its
//! observers.
//!
//! Each save syncs the logs, renames a better model (if there is one) into place, and then renames
//! the checkpoint, which holds the marks of the logs, into place. Then the film drops what it no
//! longer keeps. A kill between any two of these
//! leaves a run that resumes from the previous checkpoint, truncates the logs to it, and writes the
//! same model again.

use std::{borrow::Cow, sync::Arc};

use fs_err as fs;
use klubok_data::{Dataset, difference, read_split, split_rows, write_split};
use klubok_files::write_atomically;
use klubok_model::Model;
use klubok_nn::{backend::Backend, plan::Plan, state::Weights};
use serde::Serialize;

use crate::{
    Result, RunError,
    checkpoint::{self, Contents, Settings},
    config::Config,
    control::Control,
    distance::Distance,
    event::{Event, EventKind, EventLine, Notice, Observer, Stopped},
    film::{FilmDir, Recorder},
    log::Marks,
    logs::{Logs, Past},
    progress::Progress,
    run_dir::{CHECKPOINT, MODEL, RunDir, SPLIT},
    run_info::RunInfo,
    task::Task,
    tensorboard::TensorBoard,
    trainer::{Checkpoint, Trainer},
    validation::ValidationContext,
};

/// Result of a run; losses and accuracy are those of the best epoch.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// Folder of the run.
    pub run: String,
    /// Epochs done.
    pub epochs: u64,
    /// The best epoch, whose weights are in the model; 0 is before any update.
    pub best_epoch: Option<u64>,
    /// Loss in evaluation mode on the fixed training sample.
    pub train_loss: Option<f64>,
    /// Validation loss.
    pub val_loss: Option<f64>,
    /// Validation loss after temperature scaling.
    pub val_loss_calibrated: Option<f64>,
    /// Validation accuracy; null for numbers.
    pub val_accuracy: Option<f64>,
    /// Root mean squared error of predicted numbers on the validation set, in their own units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub val_rmse: Option<f64>,
    /// Their coefficient of determination.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub val_r2: Option<f64>,
    /// Why the run ended.
    pub stopped: Option<Stopped>,
    /// Seconds of training, without interruptions.
    pub seconds: f64,
    /// The cause in words, where `stopped` is too general.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// Number of validation samples.
    #[serde(skip)]
    pub val_samples: u64,
}

impl Summary {
    /// Summarises a run at this progress; `stopped` is the reason for its end.
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
            val_rmse: best.and_then(|best| best.val_rmse),
            val_r2: best.and_then(|best| best.val_r2),
            stopped,
            seconds: progress.elapsed_seconds,
            cause: progress.divergence.map(|divergence| divergence.to_string()),
            val_samples: progress.val_samples,
        }
    }
}

/// Trains a run from its checkpoint, or from the start without one, until it ends or a request
/// stops it. A run that has ended stays unchanged, unless an act extends it. Training repeats the
/// acts of a replayed run (`info` has them), and the acts of this run after its checkpoint.
///
/// # Errors
/// When another process trains the run, its checkpoint cannot be used, the data has changed since
/// the checkpoint, the device or an observer fails, or a file cannot be written. The last
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
    let _close = CloseOnDrop(control);
    let _lock = run.lock()?;
    let bytes = run.checkpoint_bytes()?;
    let path = run.file(CHECKPOINT);
    if let Some(bytes) = &bytes {
        let progress = checkpoint::progress(&path, bytes, &Settings::new(config, info))?;
        let is_extended = || {
            Ok::<_, crate::RunError>(
                control.extends() || Logs::is_extended_after(run.path(), &progress)?,
            )
        };
        if progress.stopped.is_some() && (progress.divergence.is_some() || !is_extended()?) {
            return Ok(Summary::new(run, &progress, progress.stopped));
        }
    }
    let resumed = bytes.is_some();
    if !resumed && let Some(epoch) = Logs::last_epoch(run.path())? {
        return Err(RunError::Gone { path: path.display().to_string(), epoch });
    }
    record_split(run, data, resumed)?;
    let mut task = Task::new(config, data)?;
    let distance = Arc::new(Distance::of(&task, config.train.seed));
    let snapshots = config.train.snapshots;
    let recorder = Recorder::new(&task, data, distance.clone(), &config.train)?;
    // Drops the file and the initial state after use: each is as large as the network.
    let start = std::mem::take(&mut task.initial_state);
    let settings = Settings::new(config, info);
    let (checkpoint, marks) = match bytes {
        Some(bytes) => checkpoint::from_bytes(&path, &bytes, &task.plan, &settings)?,
        None => (Checkpoint::start(start), Marks::default()),
    };
    let at = checkpoint.progress.clone();
    let (plan, samples) = (task.plan.clone(), task.samples.clone());
    let mut trainer = Trainer::filmed(backend, plan, samples, &config.train, checkpoint, recorder)?;
    trainer.measure_distance_from(distance);
    let board = || TensorBoard::resume(run.path(), marks.tensorboard, at.step, config);
    let board = config.train.tensorboard.then(board).transpose()?;
    let (logs, pending) = Logs::resume(run.path(), marks, &at, &info.replay)?;
    trainer.replay(pending);
    let card = Some(task.card(config, data)?);
    let (plan, model) = (task.plan.clone(), Model { card, ..task.model(Weights::default()) });
    let validation = ValidationContext::new(config, data);
    let film = FilmDir::of(run.path());
    let mut files = RunFiles {
        run,
        settings,
        plan,
        model,
        validation,
        logs,
        board,
        film,
        snapshots,
        saved: None,
    };
    // What a killed process recorded after its checkpoint comes again.
    files.film.prune(trainer.saved(), snapshots)?;
    let begin = EventKind::begin(resumed, backend.info(config.train.precision));
    files.append_event(trainer.saved(), begin)?;
    if resumed {
        let Past { steps, epochs, events } = Logs::past(run.path())?;
        let (ahead, events) = (files.logs.ahead(), &events[..]);
        notify(observers, &Event::Past { steps: &steps, epochs: &epochs, events, ahead })?;
    }
    notify(observers, &trainer.start_event())?;
    loop {
        let RunFiles { logs, board, film, .. } = &mut files;
        let mut all = LogsAndObservers { logs, board: board.as_mut(), film, observers };
        let stopped = trainer.advance(&mut all, control)?;
        if let Some(reason) = stopped {
            let progress = trainer.saved();
            all.observe(&stopping(reason, progress))?;
            let cause = progress.divergence.map(|divergence| divergence.to_string());
            files.append_event(progress, EventKind::Stopped { reason, cause })?;
        }
        files.save(&mut trainer)?;
        notify(observers, &Event::Checkpoint { step: trainer.saved().step })?;
        if let Some(stopped) = stopped {
            notify(observers, &Event::End { stopped })?;
            return Ok(Summary::new(run, trainer.saved(), Some(stopped)));
        }
    }
}

/// Closes a control on drop, however the training ended.
struct CloseOnDrop<'a>(&'a Control);

impl Drop for CloseOnDrop<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Writes the split, or checks the recorded one when the run resumes.
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

/// The files of a run, and their content.
struct RunFiles<'a> {
    run: &'a RunDir,
    settings: Settings,
    plan: Plan,
    /// Has no weights of its own: saving borrows those of the best epoch.
    model: Model,
    validation: ValidationContext,
    logs: Logs,
    /// The TensorBoard event file, if the settings ask for it.
    board: Option<TensorBoard>,
    film: FilmDir,
    /// Snapshots of the film, at most.
    snapshots: usize,
    /// The epoch whose weights this process last wrote to the model.
    saved: Option<u64>,
}

impl RunFiles<'_> {
    fn append_event(&mut self, progress: &Progress, kind: EventKind) -> Result<()> {
        let (step, epoch) = progress.steps_and_epochs();
        self.logs.append_event(&EventLine { step, epoch, kind })
    }

    fn save(&mut self, trainer: &mut Trainer) -> Result<()> {
        let mut marks = self.logs.sync()?;
        if let Some(board) = &mut self.board {
            marks.tensorboard = board.sync()?;
        }
        let best = trainer.saved().best.map(|best| best.epoch);
        if best != self.saved {
            self.model.calibration = trainer.saved().calibration();
            if let Some(card) = &mut self.model.card {
                self.validation.complete(card, trainer.saved());
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
        // After a divergence, the last good state is that of the previous checkpoint.
        let before =
            if progress.divergence.is_some() { self.run.checkpoint_bytes()? } else { None };
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
        checkpoint::write(&path, &contents, marks, &self.plan)?;
        self.film.prune(progress, self.snapshots)
    }
}

/// Sends events to the logs and the film first, then to the other observers.
struct LogsAndObservers<'a, 'b> {
    logs: &'a mut Logs,
    board: Option<&'a mut TensorBoard>,
    film: &'a FilmDir,
    observers: &'a mut [&'b mut dyn Observer],
}

impl Observer for LogsAndObservers<'_, '_> {
    fn observe(&mut self, event: &Event<'_>) -> Result<()> {
        self.write(event)?;
        if let Event::Snapshot { snapshot, is_kept: true } = event {
            self.film.write(snapshot)?;
        }
        notify(self.observers, event)?;
        let (step, epoch) = match *event {
            Event::Step(metrics) | Event::Epoch { metrics, .. } => (metrics.step, metrics.epoch),
            Event::Stopping { step, epoch, .. } => (step, epoch),
            _ => return Ok(()),
        };
        let noticed: Vec<Notice> = self.observers.iter_mut().flat_map(|o| o.noticed()).collect();
        for notice in &noticed {
            let event = Event::Noticed { step, epoch, notice };
            self.write(&event)?;
            notify(self.observers, &event)?;
        }
        Ok(())
    }
}

impl LogsAndObservers<'_, '_> {
    /// Writes an event to the logs.
    fn write(&mut self, event: &Event<'_>) -> Result<()> {
        self.logs.observe(event)?;
        self.board.as_mut().map_or(Ok(()), |board| board.observe(event))
    }
}

/// Returns the event for observers when training stops.
fn stopping(stopped: Stopped, progress: &Progress) -> Event<'static> {
    let (step, epoch) = progress.steps_and_epochs();
    Event::Stopping { stopped, step, epoch }
}

fn notify(observers: &mut [&mut dyn Observer], event: &Event<'_>) -> Result<()> {
    observers.iter_mut().try_for_each(|observer| observer.observe(event))
}
