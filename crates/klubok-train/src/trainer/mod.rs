//! The training loop, in memory.
//!
//! [`Trainer::advance`] trains to the next point worth saving, or to the end; the caller may write
//! [`Trainer::checkpoint`] to a file. The results depend on the settings, the data and the initial
//! checkpoint: never on the clock, on observers, or on interruptions.

mod requests;
mod snapshots;
mod weights;

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use klubok_data::Parts;
use klubok_nn::{
    backend::{Backend, DataId, Figures, Program, Step},
    optim::schedule::LearningRate,
    plan::{Op, Plan},
    state::{Numbers, State, StateTensor, Weights},
};

use crate::{
    Result, RunError,
    act::RecordedAct,
    batches::{Batches, sample},
    best::BestEpoch,
    cadence::{READ_EVERY, fast_steps, is_chosen, is_observed},
    config::{Schedule, TrainConfig},
    control::Control,
    distance::Distance,
    evaluate::{Evaluator, SampleEvaluation, ValidationEvaluation},
    event::{Event, Metrics, Observer, Stopped},
    film::Recorder,
    meter::Meter,
    progress::{Divergence, Progress, Quantity, non_finite_quantity},
    samples::{Samples, weight_sum},
};

/// Rows of the training set and of the validation set that a chosen step evaluates. On all of a
/// large validation set, the dozen evaluations of a short training would take as long as an epoch.
pub const STEP_SAMPLE: usize = 2048;
/// Least share of silent units in a layer for a check of the rest of the training set. The check
/// finds the dead units, and costs at most one forward pass over the rest. The last epoch always
/// has one.
const DEAD_CHECK_SHARE: f64 = 0.1;
/// The first epochs with such a check.
const DEAD_CHECK_EPOCHS: [u64; 3] = [0, 1, 4];
/// Every n-th epoch has such a check, too.
const DEAD_CHECK_EVERY: u64 = 16;
/// Time between two saves within an epoch.
const SAVE_EVERY: Duration = Duration::from_secs(30);

/// A resumable state of a training, in memory.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Checkpoint {
    /// Position, running figures and trackers.
    pub progress: Progress,
    /// The last weights, moments and running statistics.
    pub state: State,
    /// Weights of the best epoch.
    pub best: Weights,
}

impl Checkpoint {
    /// The checkpoint before the first step, with these weights.
    pub fn start(state: State) -> Self {
        let best = Weights { params: state.params.clone(), running: state.running.clone() };
        Self { progress: Progress::default(), state, best }
    }
}

/// A running training.
pub struct Trainer {
    plan: Plan,
    config: TrainConfig,
    samples: Samples,
    program: Box<dyn Program>,
    batches: Batches,
    rate: LearningRate,
    evaluator: Evaluator,
    /// Fixed training sample, as large as the validation set.
    train_sample: Vec<u32>,
    /// Fixed rows of that sample and of the validation set, for chosen steps.
    step_samples: [Vec<u32>; 2],
    /// The rest of the training set.
    train_rest: Vec<u32>,
    distance: Option<Arc<Distance>>,
    film: Option<Recorder>,
    figures: Figures,
    progress: Progress,
    /// Progress at the last return from [`Trainer::advance`].
    saved: Progress,
    best: Weights,
    /// Acts still to repeat, of a replayed training or from before a kill.
    replay: VecDeque<RecordedAct>,
    /// The step at which to pause.
    pause_at: Option<u64>,
    /// Time spent on inspections, and on those that a person asked for.
    inspecting: [Duration; 2],
    lap: Instant,
    last_save: Instant,
    save_every: Duration,
}

/// Reasons to abort the loop.
enum Halt {
    Error(RunError),
    Diverged(Divergence),
}

impl From<RunError> for Halt {
    fn from(error: RunError) -> Self {
        Self::Error(error)
    }
}

/// Evaluations of the training sample and of the validation set.
struct Evaluated {
    train: SampleEvaluation,
    val: ValidationEvaluation,
}

impl Trainer {
    /// Prepares a training of `plan` on the training set of `samples`, from its start or from a
    /// later checkpoint.
    ///
    /// # Errors
    /// When the training set is empty, the backend cannot run the plan, the state does not fit it,
    /// or the checkpoint is of other data.
    pub fn new(
        backend: &dyn Backend,
        plan: Plan,
        samples: Samples,
        config: &TrainConfig,
        checkpoint: Checkpoint,
    ) -> Result<Self> {
        Self::filmed(backend, plan, samples, config, checkpoint, None)
    }

    /// As [`Trainer::new`], and records a film: observers receive its snapshots.
    ///
    /// # Errors
    /// As [`Trainer::new`].
    pub fn filmed(
        backend: &dyn Backend,
        plan: Plan,
        samples: Samples,
        config: &TrainConfig,
        checkpoint: Checkpoint,
        film: Option<Recorder>,
    ) -> Result<Self> {
        let Parts { train, val, .. } = &*samples.parts;
        let batches = batches(&plan, &samples, config);
        if batches.is_empty() {
            return Err(RunError::NoSamples);
        }
        let mut data = vec![samples.rows.clone()];
        data.extend(film.as_ref().and_then(Recorder::rows));
        let program = backend.compile(&plan, batches.max_batch(), &data)?;
        let steps_per_epoch = batches.len() as u64;
        let train_sample = sample(train, sample_size(&samples.parts), config.seed);
        let step_samples = [&train_sample, val].map(|rows| sample(rows, STEP_SAMPLE, config.seed));
        let train_rest = train.iter().filter(|row| train_sample.binary_search(row).is_err());
        let mut trainer = Self {
            rate: config.rate(steps_per_epoch),
            evaluator: Evaluator::new(&plan, DataId(0)),
            train_rest: train_rest.copied().collect(),
            train_sample,
            step_samples,
            distance: None,
            film,
            figures: Figures::default(),
            progress: Progress::default(),
            saved: Progress::default(),
            best: Weights::default(),
            replay: VecDeque::new(),
            pause_at: None,
            inspecting: [Duration::ZERO; 2],
            lap: Instant::now(),
            last_save: Instant::now(),
            save_every: SAVE_EVERY,
            plan,
            config: config.clone(),
            samples,
            program,
            batches,
        };
        trainer.begin(checkpoint, steps_per_epoch)?;
        Ok(trainer)
    }

    fn begin(&mut self, mut checkpoint: Checkpoint, steps_per_epoch: u64) -> Result<()> {
        let progress = &mut checkpoint.progress;
        let (epoch_steps, fast_steps) = (steps_per_epoch, fast_steps(steps_per_epoch));
        if progress.best.is_none() {
            progress.steps_per_epoch = steps_per_epoch;
            progress.val_samples = self.samples.effective(&self.samples.parts.val);
            progress.epoch_meter = Meter::new(&self.plan);
            progress.step_meter = Meter::new(&self.plan);
        }
        if progress.steps_per_epoch != steps_per_epoch || progress.position >= steps_per_epoch {
            let expected = progress.steps_per_epoch;
            return Err(RunError::Epoch { expected, got: steps_per_epoch });
        }
        self.program.load(&checkpoint.state)?;
        self.progress = progress.clone();
        self.progress.epoch_meter.reserve(epoch_steps as usize);
        if self.progress.step < fast_steps {
            self.progress.step_meter.reserve(fast_steps.div_ceil(2) as usize);
        }
        self.batches.start_epoch(self.progress.epoch);
        (self.saved, self.best) = (checkpoint.progress, checkpoint.best);
        Ok(())
    }

    /// Saves within an epoch at this interval instead of every 30 seconds.
    pub fn save_every(&mut self, interval: Duration) {
        self.save_every = interval;
    }

    /// Measures the weights' distance from this start at the end of each epoch.
    pub fn measure_distance_from(&mut self, start: Arc<Distance>) {
        self.distance = Some(start);
    }

    /// Queues acts to repeat in order, each at its step.
    pub fn replay(&mut self, acts: impl IntoIterator<Item = RecordedAct>) {
        self.replay.extend(acts.into_iter().filter(|recorded| recorded.act.changes_weights()));
    }

    /// Returns the progress at the last return from [`Trainer::advance`]; after a divergence, at
    /// the return before it.
    pub fn saved(&self) -> &Progress {
        &self.saved
    }

    /// Returns the weights of the best epoch.
    pub fn best(&self) -> &Weights {
        &self.best
    }

    /// Lends the weights of the best epoch to a model while it is saved.
    pub(super) fn best_mut(&mut self) -> &mut Weights {
        &mut self.best
    }

    /// Reads a tensor of the current state; after a divergence, it may contain NaN.
    ///
    /// # Errors
    /// When the device fails.
    pub fn tensor(&self, tensor: StateTensor) -> Result<Numbers> {
        Ok(self.program.store_tensor(tensor)?)
    }

    /// Copies everything needed to resume from here; after a divergence, the copy is not resumable.
    ///
    /// # Errors
    /// When the device fails.
    pub fn checkpoint(&self) -> Result<Checkpoint> {
        let (progress, best) = (self.saved.clone(), self.best.clone());
        let mut state = State::default();
        self.program.store(&mut state)?;
        Ok(Checkpoint { progress, state, best })
    }

    /// Returns the event for observers before the first step.
    pub fn start_event(&self) -> Event<'static> {
        Event::Start {
            steps_per_epoch: self.progress.steps_per_epoch,
            epochs: self.progress.last_epoch(self.config.epochs),
            step: self.progress.step,
        }
    }

    /// Trains to the next point worth saving (the end of an epoch, 30 seconds) or to the end, whose
    /// reason it returns. The first call measures epoch 0, before any update. Handles the requests
    /// of `control` between two steps.
    ///
    /// # Errors
    /// When the device or an observer fails, or the network lacks a class.
    pub fn advance(
        &mut self,
        observer: &mut dyn Observer,
        control: &Control,
    ) -> Result<Option<Stopped>> {
        if self.progress.divergence.is_some() {
            return Ok(self.progress.stopped);
        }
        self.end_lap(false);
        match self.run(observer, control) {
            Ok(stopped) => {
                self.record_film(stopped.is_some(), observer)?;
                self.end_lap(false);
                self.saved = self.progress.clone();
                self.last_save = Instant::now();
                Ok(stopped)
            }
            Err(Halt::Diverged(divergence)) => {
                self.saved.elapsed_seconds = self.progress.elapsed_seconds;
                self.saved.stopped = Some(Stopped::Diverged);
                self.saved.divergence = Some(divergence);
                self.progress = self.saved.clone();
                Ok(self.progress.stopped)
            }
            Err(Halt::Error(error)) => Err(error),
        }
    }

    fn run(
        &mut self,
        observer: &mut dyn Observer,
        control: &Control,
    ) -> std::result::Result<Option<Stopped>, Halt> {
        if self.progress.best.is_none() {
            let evaluated = self.evaluate(true)?;
            self.measure_weight_norms()?;
            self.end_epoch(&evaluated, observer)?;
            self.record_film(true, observer)?;
            return Ok(self.progress.stopped);
        }
        loop {
            if self.has_requests(control)
                && let Some(stopped) = self.handle_requests(observer, control)?
            {
                return Ok(Some(stopped));
            }
            if self.progress.stopped.is_some() {
                return Ok(self.progress.stopped);
            }
            self.step()?;
            let Progress { step, position, steps_per_epoch, .. } = self.progress;
            let chosen = is_chosen(step, self.progress.steps_per_epoch);
            let epoch_ends = position == steps_per_epoch;
            let save = self.last_save.elapsed() >= self.save_every;
            let is_filmed = self.film.as_ref().is_some_and(|film| film.is_due(step));
            if chosen || epoch_ends || save || is_filmed || step % READ_EVERY == 0 {
                self.read(observer)?;
            }
            let mut best = false;
            if chosen || epoch_ends {
                let evaluated = self.evaluate(epoch_ends)?;
                if chosen {
                    self.report_step(&evaluated, observer)?;
                }
                if epoch_ends {
                    self.progress.epoch += 1;
                    self.progress.position = 0;
                    best = self.end_epoch(&evaluated, observer)?;
                    self.batches.start_epoch(self.progress.epoch);
                }
            }
            self.record_film(is_filmed || best || self.progress.stopped.is_some(), observer)?;
            if self.progress.stopped.is_some() && self.must_replay() {
                // The replayed training continued from its end.
                return Ok(self.handle_requests(observer, control)?.or(self.progress.stopped));
            }
            if save || epoch_ends {
                return Ok(self.progress.stopped);
            }
        }
    }

    /// Does one update.
    fn step(&mut self) -> Result<()> {
        let rows = self.batches.batch(self.progress.position as usize);
        let weight_sum = weight_sum(self.samples.train_weights.as_deref(), rows);
        let index = self.progress.step;
        let learning_rate = self.learning_rate(index);
        let observe = is_observed(index, self.progress.steps_per_epoch);
        let step = Step { index, rows, first: 0, weight_sum, learning_rate, observe };
        self.program.train(DataId(0), &step)?;
        self.progress.step += 1;
        self.progress.acts = 0;
        self.progress.position += 1;
        Ok(())
    }

    fn learning_rate(&self, step: u64) -> f64 {
        self.progress.learning_rate(&self.rate, step)
    }

    /// Reads the figures of the steps since the last reading.
    fn read(&mut self, observer: &mut dyn Observer) -> std::result::Result<(), Halt> {
        self.program.read(&mut self.figures);
        let steps = self.figures.steps.len() as u64;
        let params = self.plan.params.len();
        let mut observed = self.figures.params.chunks_exact(params);
        let last_chosen = 1 << fast_steps(self.progress.steps_per_epoch).ilog2();
        for (i, figures) in self.figures.steps.iter().enumerate() {
            let params = figures.observed.then(|| observed.next()).flatten().unwrap_or_default();
            let done = self.progress.step - steps + i as u64 + 1;
            if let Some(quantity) = non_finite_quantity(figures, params) {
                return Err(Halt::Diverged(self.divergence(quantity, done)));
            }
            self.progress.epoch_meter.add(figures, params, &self.plan.params);
            if done <= last_chosen {
                self.progress.step_meter.add(figures, params, &self.plan.params);
            }
        }
        self.end_lap(true);
        let meter = &self.progress.epoch_meter;
        if let (Some(train_loss), 1..) = (meter.train_loss(), steps) {
            let (step, samples) = (self.progress.step, meter.samples());
            observer.observe(&Event::Progress { step, samples, train_loss })?;
        }
        self.end_lap(false);
        Ok(())
    }

    fn divergence(&self, quantity: Quantity, step: u64) -> Divergence {
        Divergence {
            quantity,
            step,
            epoch: step as f64 / self.progress.steps_per_epoch as f64,
            learning_rate: step.checked_sub(1).map_or(0.0, |last| self.learning_rate(last)),
        }
    }

    /// Evaluates the whole validation set and the fixed training sample, or samples of both.
    fn evaluate(&mut self, all: bool) -> std::result::Result<Evaluated, Halt> {
        let (program, samples) = (&mut *self.program, &self.samples);
        let [train, val] = if all {
            [&self.train_sample, &samples.parts.val]
        } else {
            self.step_samples.each_ref()
        };
        let train = self.evaluator.evaluate_sample(program, train, samples)?;
        let val = self.evaluator.validate(program, val, samples)?;
        self.end_lap(false);
        if !(train.scores.loss_sum + val.scores.loss_sum).is_finite() {
            return Err(Halt::Diverged(self.divergence(Quantity::EvalLoss, self.progress.step)));
        }
        Ok(Evaluated { train, val })
    }

    fn report_step(&mut self, evaluated: &Evaluated, observer: &mut dyn Observer) -> Result<()> {
        let metrics = self.metrics(&self.progress.step_meter, evaluated);
        observer.observe(&Event::Step(&metrics))?;
        self.progress.step_meter.clear();
        Ok(())
    }

    /// Ends an epoch; returns true if it is the best one so far.
    fn end_epoch(&mut self, evaluated: &Evaluated, observer: &mut dyn Observer) -> Result<bool> {
        let mut metrics = self.metrics(&self.progress.epoch_meter, evaluated);
        let progress = &mut self.progress;
        let now = BestEpoch::new(progress.epoch, &metrics, &mut progress.recent);
        let (monitor, samples) = (self.config.monitor, progress.val_samples);
        let best = progress.best.is_none_or(|best| now.beats(&best, monitor, samples));
        if best {
            progress.best = Some(now);
            self.program.store_weights(&mut self.best)?;
        }
        if let (Schedule::Plateau, Some(loss)) = (self.config.schedule, now.monitored_loss(monitor))
        {
            progress.plateau.record(loss, self.config.decay, self.config.decay_epochs);
        }
        let waited = progress.epochs_without_better();
        if progress.epoch >= progress.last_epoch(self.config.epochs) {
            progress.stopped = Some(Stopped::Epochs);
        } else if self.config.early_stopping && waited >= self.config.patience {
            progress.stopped = Some(Stopped::EarlyStopping);
        }
        self.measure_layers(&mut metrics)?;
        let progress = &mut self.progress;
        progress.epoch_meter.clear();
        (progress.epoch_seconds, progress.update_seconds) = (0.0, 0.0);
        observer.observe(&Event::Epoch { metrics: &metrics, best })?;
        Ok(best)
    }

    /// Adds the layer metrics of the end of an epoch: shares of dead units, and figures of the
    /// weights.
    fn measure_layers(&mut self, metrics: &mut Metrics) -> Result<()> {
        let Progress { epoch, stopped, .. } = self.progress;
        let program = &mut *self.program;
        let mut silent = metrics.layers.iter().filter_map(|layer| layer.silent_fraction);
        let is_due = DEAD_CHECK_EPOCHS.contains(&epoch) || epoch % DEAD_CHECK_EVERY == 0;
        if stopped.is_some() || (is_due && silent.any(|share| share >= DEAD_CHECK_SHARE)) {
            let dead = self.evaluator.silent_fractions(program, &self.train_rest)?;
            metrics
                .layers
                .iter_mut()
                .zip(dead)
                .for_each(|(layer, dead)| layer.dead_fraction = dead);
        }
        self.measure_weights(&mut metrics.layers)?;
        self.end_lap(false);
        metrics.seconds = self.progress.epoch_seconds;
        metrics.elapsed_seconds = self.progress.elapsed_seconds;
        Ok(())
    }

    /// Builds a line of metrics; `meter` has the training figures since the last line of its kind.
    fn metrics(&self, meter: &Meter, evaluated: &Evaluated) -> Metrics {
        let progress = &self.progress;
        let samples = progress.epoch_meter.samples() as f64;
        let calibrated = evaluated.val.calibrated;
        Metrics {
            epoch: progress.epochs(),
            step: progress.step,
            train_loss: meter.train_loss(),
            train_eval_loss: evaluated.train.scores.loss(),
            val_loss: evaluated.val.scores.loss(),
            val_loss_calibrated: calibrated.map(|calibrated| calibrated.loss),
            temperature: calibrated.map(|calibrated| calibrated.calibration.temperature),
            train_accuracy: evaluated.train.scores.accuracy(),
            val_accuracy: evaluated.val.scores.accuracy(),
            val_rmse: evaluated.val.errors.as_ref().map(|errors| mean(&errors.rmse)),
            val_r2: evaluated.val.errors.as_ref().map(|errors| mean(&errors.r2)),
            learning_rate: progress.step.checked_sub(1).map(|last| self.learning_rate(last)),
            grad_norm: meter.grad_norm(),
            prediction_spread: evaluated.train.prediction_spread,
            seconds: progress.epoch_seconds,
            elapsed_seconds: progress.elapsed_seconds,
            samples_per_second: (samples > 0.0 && progress.update_seconds > 0.0)
                .then(|| samples / progress.update_seconds),
            layers: meter.layers(&self.plan, &evaluated.train.activity),
        }
    }

    /// Adds the time since the last call; `updates` when it was spent on updates.
    fn end_lap(&mut self, updates: bool) {
        let now = Instant::now();
        let seconds = (now - self.lap).as_secs_f64();
        self.lap = now;
        self.progress.elapsed_seconds += seconds;
        self.progress.epoch_seconds += seconds;
        if updates {
            self.progress.update_seconds += seconds;
        }
    }
}

/// Returns the number of steps of an epoch.
pub fn steps_per_epoch(plan: &Plan, samples: &Samples, config: &TrainConfig) -> u64 {
    batches(plan, samples, config).len() as u64
}

fn batches(plan: &Plan, samples: &Samples, config: &TrainConfig) -> Batches {
    let normalises = plan.ops.iter().any(|op| matches!(op, Op::Norm { .. }));
    Batches::new(&samples.parts.train, config.batch_size, config.seed, normalises)
}

/// Returns the size of the fixed training sample: that of the validation set or, without one, a
/// fifth of the training set but at least 1000.
fn sample_size(parts: &Parts) -> usize {
    match parts.val.len() {
        0 => (parts.train.len() / 5).max(1000),
        val => val,
    }
}

/// Returns the mean over the outputs.
fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}
