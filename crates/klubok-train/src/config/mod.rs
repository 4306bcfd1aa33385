//! Settings: as written (TOML, flags) and as resolved and checked.
//!
//! [`ConfigBuilder`] gathers defaults, preset, file and flags, later sources over earlier ones. It
//! checks each value by the table [`KEYS`] and resolves every `"auto"` to a concrete value: a
//! [`Config`].

mod builder;
mod find;
mod keys;
mod notes;
mod preset;
mod resolve;
mod setting;
mod table;
mod text;
mod value;

pub use klubok_data::settings::{Color, DataConfig, Layout, TargetKind};
use klubok_data::{DataError, SourceKind, builtin::BuiltIn};
pub use klubok_model::Fit;
use klubok_nn::plan::Activation;
pub use klubok_nn::{init::Init, plan::Precision};
use serde::{Deserialize, Serialize};

pub use builder::{ConfigBuilder, Resolved};
pub use find::{find, nearest};
pub use keys::{Allowed, Arity, DefaultValue, Key, MAX_ENTRIES};
pub use notes::Note;
pub use preset::Preset;
pub use setting::Origin;
pub use table::KEYS;
pub use text::defaults_text;

/// All settings of a run, resolved: the content of its `config.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Data and preprocessing.
    pub data: DataConfig,
    /// The network.
    pub model: ModelConfig,
    /// The training.
    pub train: TrainConfig,
    /// Regularisation.
    pub regularization: RegularizationConfig,
    /// Augmentation of pictures in training.
    pub augment: AugmentConfig,
}

/// A setting to change, as `--set key=value` takes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The key, such as `train.learning_rate`.
    pub key: String,
    /// The value: `0.01`, `512,256`.
    pub value: String,
}

impl Change {
    /// Changes `key` to `value`.
    #[expect(clippy::needless_pass_by_value, reason = "values are small")]
    pub fn new(key: &str, value: impl ToString) -> Self {
        Self { key: key.to_owned(), value: value.to_string() }
    }
}

impl Config {
    /// Returns the settings with these changes.
    ///
    /// # Errors
    /// When a key is unknown, a value is out of its range, or the changed settings conflict.
    pub fn with(&self, changes: &[Change]) -> Result<Self, ConfigError> {
        // The kind of data bounds only shifts, which are already in range.
        let mut builder = ConfigBuilder::new(Preset::Plain, DataKind::Points);
        builder.text(&self.to_toml(), "")?;
        changes.iter().try_for_each(|change| builder.set(&change.key, &change.value))?;
        let machine = Machine { cores: 1, kernels: vec![self.train.kernel] };
        Ok(builder.resolve(&machine)?.config)
    }
}

/// `[model]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// Units of each hidden layer.
    pub hidden: Vec<usize>,
    /// Activation of all hidden layers, or one per layer.
    pub activation: OneOrEach<Activation>,
    /// Initialisation of the hidden layers' weights.
    pub init: Init,
    /// Initialisation of the output layer's weights.
    pub output_init: Init,
    /// Initialise the output biases with the log of the class shares.
    pub prior_bias: bool,
    /// Batch normalisation after every hidden linear layer.
    pub batch_norm: bool,
    /// Dropout probability of hidden units, for all layers or one per layer.
    pub dropout: OneOrEach<f64>,
    /// Dropout probability of input values.
    pub input_dropout: f64,
}

/// One value for all hidden layers, or one per layer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum OneOrEach<T> {
    /// The same value for all layers.
    One(T),
    /// One value per layer.
    Each(Vec<T>),
}

impl<T: Copy> OneOrEach<T> {
    /// Returns the value of hidden layer `i`, from 0.
    pub fn get(&self, i: usize) -> T {
        match self {
            OneOrEach::One(v) => *v,
            OneOrEach::Each(v) => v[i],
        }
    }
}

/// `[train]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// Passes over the training set.
    pub epochs: u64,
    /// Samples per update.
    pub batch_size: usize,
    /// Update rule.
    pub optimizer: Optimizer,
    /// Learning rate (after warm-up).
    pub learning_rate: f64,
    /// Momentum of SGD and RMSProp.
    pub momentum: f64,
    /// Nesterov's variant of momentum (SGD).
    pub nesterov: bool,
    /// Adam: decay rate of the first moment.
    pub beta1: f64,
    /// Adam and RMSProp: decay rate of the second moment.
    pub beta2: f64,
    /// Adam and RMSProp: added to the square root in the denominator.
    pub epsilon: f64,
    /// Learning-rate schedule.
    pub schedule: Schedule,
    /// Epochs of linear warm-up of the learning rate from 0.
    pub warmup_epochs: f64,
    /// `step`, `exponential`, `plateau`: factor of each reduction.
    pub decay: f64,
    /// `step`: epochs between reductions; `plateau`: epochs without a better validation loss before
    /// a reduction.
    pub decay_epochs: f64,
    /// `cosine`: number of restarts.
    pub restarts: u64,
    /// Largest global norm of the gradient; 0 is no limit.
    pub clip_norm: f64,
    /// The loss function.
    pub loss: Loss,
    /// Huber: where it becomes linear. Runs older than this setting have none.
    #[serde(default = "one")]
    pub huber_delta: f64,
    /// Weights of the classes in the loss.
    pub class_weights: ClassWeights,
    /// The monitored quantity that picks the best epoch.
    pub monitor: Monitor,
    /// Stop when the monitored quantity no longer improves.
    pub early_stopping: bool,
    /// Epochs without improvement before early stopping.
    pub patience: u64,
    /// Snapshots in the run's film; 0 is none. Runs older than this setting have none.
    #[serde(default)]
    pub snapshots: usize,
    /// Write a TensorBoard event file. Runs older than this setting have none.
    #[serde(default)]
    pub tensorboard: bool,
    /// Seed of initialisation, shuffling, dropout and augmentation.
    pub seed: u64,
    /// Threads; 0 is one per core, resolved before step 0.
    pub threads: usize,
    /// Precision of the matrix products.
    pub precision: Precision,
    /// The device that trains.
    pub device: Device,
    /// Instruction set of the kernels. Runs older than this setting name it in their `[run]`.
    #[serde(default)]
    pub kernel: Kernel,
}

fn one() -> f64 {
    1.0
}

/// Update rules by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Optimizer {
    /// Gradient descent with momentum.
    Sgd,
    /// RMSProp.
    Rmsprop,
    /// Adam.
    Adam,
    /// Adam with decoupled weight decay (`regularization.weight_decay`).
    Adamw,
}

/// Learning-rate schedules by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// The same rate throughout.
    Constant,
    /// Multiplied by `decay` every `decay_epochs`.
    Step,
    /// Multiplied by `decay` per epoch, smoothly.
    Exponential,
    /// Half a cosine down to 0, with `restarts`.
    Cosine,
    /// Up and down once (Smith 2018).
    OneCycle,
    /// Multiplied by `decay` when the validation loss has not improved for `decay_epochs`.
    Plateau,
}

/// Losses by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// Softmax and cross-entropy: classes.
    CrossEntropy,
    /// Sigmoid and binary cross-entropy, averaged over the labels.
    BinaryCrossEntropy,
    /// Mean squared error: numbers.
    Mse,
    /// Quadratic near the number, linear beyond `huber_delta`.
    Huber,
}

impl Loss {
    /// Returns the name in settings.
    pub fn name(self) -> &'static str {
        match self {
            Loss::CrossEntropy => "cross_entropy",
            Loss::BinaryCrossEntropy => "binary_cross_entropy",
            Loss::Mse => "mse",
            Loss::Huber => "huber",
        }
    }

    /// Returns the targets that the loss fits.
    pub fn target(self) -> TargetKind {
        match self {
            Loss::CrossEntropy => TargetKind::Class,
            Loss::BinaryCrossEntropy => TargetKind::Label,
            Loss::Mse | Loss::Huber => TargetKind::Number,
        }
    }

    /// Returns the usual loss of these targets.
    pub fn usual(target: TargetKind) -> Self {
        match target {
            TargetKind::Class => Loss::CrossEntropy,
            TargetKind::Label => Loss::BinaryCrossEntropy,
            TargetKind::Number => Loss::Mse,
        }
    }
}

/// Class weights by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClassWeights {
    /// Equal weights.
    None,
    /// `samples / (classes * samples of the class)`, as scikit-learn's "balanced".
    Balanced,
}

/// The monitored quantity that picks the best epoch; the earlier epoch wins ties.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Monitor {
    /// [`Monitor::ValLossCalibrated`] averaged over three epochs. Where hardly any prediction is
    /// wrong, [`Monitor::ValAccuracy`], and on ties the lower validation loss.
    Auto,
    /// Lowest validation loss after temperature scaling (Berta et al. 2025).
    ValLossCalibrated,
    /// Lowest validation loss.
    ValLoss,
    /// Highest validation accuracy.
    ValAccuracy,
    /// The last epoch, whatever its figures.
    Last,
}

/// The properties of a machine that resolve `auto`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// Number of cores, for one thread per core.
    pub cores: usize,
    /// Available kernels, the fastest first.
    pub kernels: Vec<Kernel>,
}

impl Machine {
    /// Describes a machine with this many cores and the portable kernel only.
    pub fn plain(cores: usize) -> Self {
        Self { cores, kernels: vec![Kernel::Portable] }
    }
}

klubok_nn::listed! {
    /// Instruction sets of the kernels. Their products differ in the last bits.
    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(rename_all = "lowercase")]
    pub enum Kernel {
        /// Tiles of bf16 products (Intel AMX).
        Amx,
        /// Instructions that multiply pairs of bf16.
        Avx512bf16,
        /// Vectors of 512 bits.
        Avx512,
        /// Vectors of 256 bits with fused multiply-add.
        Avx2,
        /// Runs on any machine.
        #[default]
        Portable,
    }
}

impl Kernel {
    /// Returns the kernel with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kernel| kernel.name() == name)
    }

    /// Returns the name used in settings and in the description of a device.
    pub fn name(self) -> &'static str {
        match self {
            Kernel::Amx => "amx",
            Kernel::Avx512bf16 => "avx512bf16",
            Kernel::Avx512 => "avx512",
            Kernel::Avx2 => "avx2",
            Kernel::Portable => "portable",
        }
    }

    /// Whether the kernel multiplies bf16 only, and is the faster for it.
    pub fn is_for_bf16(self) -> bool {
        matches!(self, Kernel::Amx | Kernel::Avx512bf16)
    }
}

/// Devices by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Device {
    /// The processor.
    Cpu,
}

/// `[regularization]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegularizationConfig {
    /// Penalty `l1 Σ|w|` in the loss.
    pub l1: f64,
    /// Penalty `l2/2 Σw²` in the loss.
    pub l2: f64,
    /// Decoupled weight decay: each step shrinks the weights by `learning_rate * weight_decay`.
    pub weight_decay: f64,
    /// Largest norm of a unit's incoming weights; 0 is no limit.
    pub max_norm: f64,
    /// Share of the target distribution spread evenly over all classes.
    pub label_smoothing: f64,
}

/// `[augment]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AugmentConfig {
    /// Mirror left and right with probability 1/2.
    pub flip: bool,
    /// Shift by up to this many pixels.
    pub shift: u32,
}

/// Kind of the data of a run: presets and some defaults depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataKind {
    /// Folders of pictures, and the built-in pictures.
    Pictures,
    /// A folder of IDX files, such as MNIST, and the built-in marks.
    Idx,
    /// Points with few coordinates, such as the built-in spirals.
    Points,
    /// A table: a file with columns of numbers.
    Table,
}

impl DataKind {
    /// Returns the kind of the data at a path, or of a built-in set.
    ///
    /// # Errors
    /// When there is no data.
    pub fn of(source: &str) -> Result<Self, DataError> {
        Ok(match klubok_data::kind_of(source)? {
            SourceKind::Idx => DataKind::Idx,
            SourceKind::Demo => match source.strip_prefix("demo:").and_then(BuiltIn::from_name) {
                Some(BuiltIn::Spirals | BuiltIn::Curve) => DataKind::Points,
                Some(BuiltIn::Marks) => DataKind::Idx,
                Some(BuiltIn::CatsDogs | BuiltIn::CatsDogsSmall) | None => DataKind::Pictures,
            },
            SourceKind::Table => DataKind::Table,
            SourceKind::Pictures => DataKind::Pictures,
        })
    }
}

/// Errors in settings.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// There is no such key.
    #[error("unknown key `{key}`{origin}{}", suggestion(*nearest))]
    UnknownKey {
        /// The key as written.
        key: String,
        /// The nearest known key.
        nearest: Option<&'static str>,
        /// The source that has it.
        origin: Origin,
    },
    /// A key has a value of the wrong type or out of its range.
    #[error("`{key}` is `{value}`{origin}, it must be {allowed}")]
    Value {
        /// The key.
        key: String,
        /// The value as written.
        value: String,
        /// The allowed values, in words.
        allowed: String,
        /// The source that has it.
        origin: Origin,
    },
    /// A value is valid by itself, but conflicts with another setting.
    #[error("`{key}` is `{value}`, but {why}")]
    Conflict {
        /// The key.
        key: &'static str,
        /// Its value.
        value: String,
        /// The conflict, and a value that would fit.
        why: String,
    },
    /// The settings of a run leave a value open.
    #[error("`{file}` leaves `{key}` open: a run says what it was")]
    Open {
        /// The key.
        key: &'static str,
        /// The file.
        file: String,
    },
    /// A file is not TOML.
    #[error("line {line} of `{file}` is not valid TOML: {message}")]
    Syntax {
        /// The file.
        file: String,
        /// Number of the line, from 1.
        line: usize,
        /// What the parser expected.
        message: String,
    },
    /// A flag is not of the form `key=value`.
    #[error("`{text}` is not a setting: write `key=value`, such as `train.epochs=15`")]
    Assignment {
        /// The text of the flag.
        text: String,
    },
    /// There is no such preset.
    #[error("unknown preset `{name}`, there are balanced, article and plain")]
    UnknownPreset {
        /// The name as written.
        name: String,
    },
}

fn suggestion(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |key| format!(", the nearest known key is `{key}`"))
}
