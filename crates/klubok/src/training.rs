//! Training in memory: no run folder, no file.

use std::sync::Arc;

use klubok_data::{self as data, Dataset, OpenOptions};
use klubok_diagnose::observer::DiagnosisObserver;
use klubok_model::Model;
use klubok_nn::{
    backend::Backend,
    state::{State, Weights},
};
use klubok_train::{
    checkpoint::{self, Past},
    config::{Config, DataKind},
    control::Control,
    event::{Event, Metrics, Notice, Observer, Phase, Stopped, Verdict},
    task::Task,
    trainer::{self, Checkpoint},
    validation::ValidationContext,
};

use crate::{Result, Settings, device};

/// Opens data for training: a folder of class folders, a folder of IDX files, a table (with
/// [`Settings::target`]), or `demo:NAME` for a built-in set.
///
/// # Errors
/// When there is nothing, it cannot be read, or it is unfit for training.
pub fn open(source: &str, settings: &Settings) -> Result<Dataset> {
    let kind = DataKind::of(source)?;
    let mut config = settings.data_config(kind)?;
    if kind == DataKind::Table && !settings.has("data.task") {
        config.task = data::table_target(source.as_ref(), &config.target, &|_, _| {})?.0;
    }
    let threads = device::machine().cores;
    let options = OpenOptions { threads, ..OpenOptions::new(config) };
    Ok(data::open(source, &options, &|_, _| {})?)
}

/// Trains a network on this data and returns it, with the history of its training.
///
/// ```
/// use klubok::{Arrays, Dataset, Settings};
///
/// // Is x above y? 200 points, [rows, columns].
/// let x: Vec<f32> = (0..400).map(|i| (i * 37 % 101) as f32).collect();
/// let classes: Vec<u32> = x.chunks(2).map(|p| u32::from(p[0] > p[1])).collect();
/// let data = Dataset::split(Arrays::columns(&x, 2)?.classes(&classes)?, 0.2, 0)?;
///
/// let settings = Settings::new().hidden(&[16]).epochs(40).batch_size(16).learning_rate(0.01);
/// let trained = klubok::train(&data, &settings)?;
/// assert!(trained.best().val_accuracy > Some(0.9));
/// let confidences = trained.model.predict(&[90.0, 10.0])?;
/// assert!(confidences[1] > 0.9);
/// # Ok::<(), klubok::Error>(())
/// ```
///
/// # Errors
/// When a setting is wrong, the data is unfit for training, or memory is short.
pub fn train(data: &Dataset, settings: &Settings) -> Result<Trained> {
    let mut trainer = Trainer::new(data, settings)?;
    trainer.run(&mut ())?;
    trainer.finish()
}

/// A trained network and the history of its training.
#[derive(Debug, Clone)]
pub struct Trained {
    /// The weights of the best epoch, with all that prediction needs.
    pub model: Model,
    /// The figures of each epoch; the first is epoch 0, before any update.
    pub history: Vec<Metrics>,
    /// The phases of learning.
    pub phases: Vec<Phase>,
    /// What is wrong, and settings to try: keys with values.
    pub verdicts: Vec<Verdict>,
    /// Why the training ended.
    pub stopped: Option<Stopped>,
    /// The best epoch.
    pub best_epoch: u64,
}

impl Trained {
    /// Returns the figures of the best epoch.
    ///
    /// # Panics
    /// Never: a finished training has measured at least epoch 0.
    pub fn best(&self) -> &Metrics {
        // On other data, an epoch may be there twice: the later one counts.
        let of_best = self.history.iter().rfind(|metrics| metrics.epoch == self.best_epoch as f64);
        of_best.unwrap_or_else(|| self.history.last().expect("epoch 0 was measured"))
    }
}

/// A training that can be watched, cancelled, kept as bytes and continued.
pub struct Trainer {
    inner: trainer::Trainer,
    task: Task,
    config: Config,
    data: Dataset,
    diagnosis: DiagnosisObserver,
    past: Past,
    control: Arc<Control>,
    backend: Box<dyn Backend>,
    stopped: Option<Stopped>,
    started: bool,
}

impl Trainer {
    /// Prepares a training from random weights.
    ///
    /// # Errors
    /// As [`train`].
    pub fn new(data: &Dataset, settings: &Settings) -> Result<Self> {
        Self::prepare(data.clone(), settings.for_data(data)?, None)
    }

    /// Prepares a training from the weights of a model with the same network, with new moments and
    /// counters.
    ///
    /// # Errors
    /// As [`train`]; when the model has another network.
    pub fn from_model(model: &Model, data: &Dataset, settings: &Settings) -> Result<Self> {
        Self::prepare(data.clone(), settings.for_data(data)?, Some(&model.weights))
    }

    fn prepare(data: Dataset, config: Config, weights: Option<&Weights>) -> Result<Self> {
        let mut task = Task::new(&config, &data)?;
        let mut state = std::mem::take(&mut task.initial_state);
        if let Some(weights) = weights {
            state = State::from(weights.clone());
        }
        Self::begin(data, config, task, Checkpoint::start(state))
    }

    fn begin(data: Dataset, config: Config, task: Task, checkpoint: Checkpoint) -> Result<Self> {
        let backend = device::of(&config)?;
        let inner = trainer::Trainer::new(
            backend.as_ref(),
            task.plan.clone(),
            task.samples.clone(),
            &config.train,
            checkpoint,
        )?;
        Ok(Self {
            inner,
            task,
            diagnosis: DiagnosisObserver::of_data(&config, &data),
            past: Past { data: data.identity(), ..Past::default() },
            control: Arc::new(Control::new()),
            backend,
            stopped: None,
            started: false,
            config,
            data,
        })
    }

    /// Returns the control of this training, for other threads: to interrupt it, pause it or change
    /// its learning rate. The training polls it before each step.
    pub fn control(&self) -> Arc<Control> {
        self.control.clone()
    }

    /// Returns the settings, all resolved.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Returns the figures of the epochs so far.
    pub fn history(&self) -> &[Metrics] {
        &self.past.epochs
    }

    /// Trains to the end, or to an interruption, and returns the reason. After an interruption a
    /// further call returns at once; [`Trainer::from_bytes`] makes a trainer that goes on.
    ///
    /// # Errors
    /// When the device or the observer fails.
    pub fn run(&mut self, observer: &mut dyn Observer) -> Result<Stopped> {
        loop {
            if let Some(stopped) = self.advance(observer)? {
                return Ok(stopped);
            }
        }
    }

    /// Trains to the end of the current epoch, or for 30 seconds, whichever comes first; returns
    /// the reason once the training has ended. The first call measures epoch 0, before any update.
    ///
    /// # Errors
    /// When the device or the observer fails.
    pub fn advance(&mut self, observer: &mut dyn Observer) -> Result<Option<Stopped>> {
        let Self { diagnosis, past, .. } = self;
        let mut all = Observers { diagnosis, past, observer };
        if !std::mem::replace(&mut self.started, true) {
            all.observe(&self.inner.start_event())?;
        }
        let stopped = self.inner.advance(&mut all, &self.control)?;
        if let Some(stopped) = stopped {
            let progress = self.inner.saved();
            let (step, epoch) = progress.steps_and_epochs();
            all.observe(&Event::Stopping { stopped, step, epoch })?;
            all.observe(&Event::End { stopped })?;
        }
        self.stopped = stopped;
        Ok(stopped)
    }

    /// Returns the network of the best epoch so far, with its card.
    ///
    /// # Errors
    /// When rows cannot be read.
    pub fn model(&self) -> Result<Model> {
        let progress = self.inner.saved();
        let mut model = self.task.model(self.inner.best().clone());
        model.calibration = progress.calibration();
        let mut card = self.task.card(&self.config, &self.data)?;
        ValidationContext::new(&self.config, &self.data).complete(&mut card, progress);
        model.card = Some(card);
        Ok(model)
    }

    /// Ends the training and returns the network with its history.
    ///
    /// # Errors
    /// As [`Trainer::model`].
    pub fn finish(self) -> Result<Trained> {
        let diagnosis = self.diagnosis.diagnosis();
        Ok(Trained {
            model: self.model()?,
            best_epoch: self.inner.saved().best.map_or(0, |best| best.epoch),
            history: self.past.epochs,
            phases: diagnosis.phases,
            verdicts: diagnosis.verdicts,
            stopped: self.stopped,
        })
    }

    /// Returns everything needed to go on as bytes: settings, weights, moments, running statistics,
    /// counters and the best weights so far. After a divergence only the best weights are of use:
    /// [`Trainer::model`] has them.
    ///
    /// # Errors
    /// When the device fails.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let checkpoint = self.inner.checkpoint()?;
        Ok(checkpoint::to_bytes(&self.config, &checkpoint, self.past.clone(), &self.task.plan)?)
    }

    /// Goes on where [`Trainer::to_bytes`] stopped, on the same data or on other data of the same
    /// shape. On the same data the result is the same to the bit as without the stop.
    ///
    /// On other data the training goes on at the start of the epoch that it was in, the learning
    /// rate follows its schedule by epochs, and the best epoch is chosen anew.
    ///
    /// # Errors
    /// When the bytes are damaged, or the data has other inputs or outputs.
    pub fn from_bytes(bytes: &[u8], data: &Dataset) -> Result<Self> {
        let (config, past) = checkpoint::settings_and_past(bytes)?;
        let mut task = Task::new(&config, data)?;
        task.initial_state = State::default();
        let mut checkpoint = checkpoint::from_memory(bytes, &task.plan)?;
        if past.data != data.identity() {
            let steps = trainer::steps_per_epoch(&task.plan, &task.samples, &config.train);
            checkpoint.progress.move_to_other_data(steps);
        }
        let mut trainer = Self::begin(data.clone(), config, task, checkpoint)?;
        let Past { steps, epochs, .. } = &past;
        let event = Event::Past { steps, epochs, events: &[], ahead: &[] };
        trainer.diagnosis.observe(&event)?;
        (trainer.past.steps, trainer.past.epochs) = (past.steps, past.epochs);
        trainer.stopped = trainer.inner.saved().stopped;
        Ok(trainer)
    }

    /// Returns the name of the device and its kernels.
    pub fn device(&self) -> klubok_nn::backend::DeviceInfo {
        self.backend.info(self.config.train.precision)
    }
}

/// Sends events to the diagnosis and the history, then to the program's observer.
struct Observers<'a> {
    diagnosis: &'a mut DiagnosisObserver,
    past: &'a mut Past,
    observer: &'a mut dyn Observer,
}

impl Observer for Observers<'_> {
    fn observe(&mut self, event: &Event<'_>) -> klubok_train::Result<()> {
        self.diagnosis.observe(event)?;
        match event {
            Event::Step(metrics) => self.past.steps.push((*metrics).clone()),
            Event::Epoch { metrics, .. } => self.past.epochs.push((*metrics).clone()),
            _ => {}
        }
        self.observer.observe(event)?;
        let (step, epoch) = match *event {
            Event::Step(metrics) | Event::Epoch { metrics, .. } => (metrics.step, metrics.epoch),
            Event::Stopping { step, epoch, .. } => (step, epoch),
            _ => return Ok(()),
        };
        let notices: Vec<Notice> = self.diagnosis.noticed();
        for notice in &notices {
            self.observer.observe(&Event::Noticed { step, epoch, notice })?;
        }
        Ok(())
    }
}
