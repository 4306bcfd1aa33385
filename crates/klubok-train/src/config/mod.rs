//! Settings: as written (TOML, flags) and as resolved and checked.
//!
//! [`ConfigBuilder`] gathers defaults, preset, file and flags (later over earlier), checks each value by
//! the table [`KEYS`], and resolves every `"auto"` to a concrete value: a [`Config`].

pub mod builder;
mod find;
pub mod keys;
pub mod notes;
pub mod preset;
mod resolve;
mod setting;
mod table;
mod text;
mod value;

pub use klubok_data::settings::{Color, DataConfig, Fit, Layout};
use klubok_nn::plan::Activation;
pub use klubok_nn::{init::Init, plan::Precision};
use serde::{Deserialize, Serialize};

pub use builder::{ConfigBuilder, Resolved};
pub use find::{find, nearest};
pub use keys::Key;
pub use notes::Note;
pub use preset::Preset;
pub use setting::Place;
pub use table::KEYS;
pub use text::defaults_text;

/// All settings of a run, resolved: what `config.toml` of a run holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// How data becomes the network's input.
    pub data: DataConfig,
    /// The network.
    pub model: ModelConfig,
    /// The training.
    pub train: TrainConfig,
    /// What keeps a network from memorising.
    pub regularization: RegularizationConfig,
    /// Random changes to pictures in training.
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
    /// A change of `key` to `value`.
    #[expect(clippy::needless_pass_by_value, reason = "values are small")]
    pub fn new(key: &str, value: impl ToString) -> Self {
        Self { key: key.to_owned(), value: value.to_string() }
    }
}

impl Config {
    /// The settings with these changes.
    ///
    /// # Errors
    /// When a key is unknown, a value out of its range, or the settings do not go together then.
    pub fn with(&self, changes: &[Change]) -> Result<Self, ConfigError> {
        // The kind of data only bounds shifts, which are in range already.
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
    /// Activation of all hidden layers, or one each.
    pub activation: OneOrEach<Activation>,
    /// How weights start.
    pub init: Init,
    /// How the output layer's weights start.
    pub output_init: Init,
    /// Start the output biases at the log of the classes' shares.
    pub prior_bias: bool,
    /// Normalise over the batch after every hidden linear layer.
    pub batch_norm: bool,
    /// Chance to drop a hidden unit, for all layers or one each.
    pub dropout: OneOrEach<f64>,
    /// Chance to drop an input value.
    pub input_dropout: f64,
}

/// A setting for all hidden layers, or one for each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum OneOrEach<T> {
    /// The same for all.
    One(T),
    /// One a layer.
    Each(Vec<T>),
}

impl<T: Copy> OneOrEach<T> {
    /// The setting of hidden layer `i`, from 0.
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
    /// Passes over the training part.
    pub epochs: u64,
    /// Samples of one update.
    pub batch_size: usize,
    /// Update rule.
    pub optimizer: Optimizer,
    /// Learning rate (after warm-up).
    pub learning_rate: f64,
    /// Momentum of SGD and RMSProp.
    pub momentum: f64,
    /// Nesterov's variant of momentum (SGD).
    pub nesterov: bool,
    /// Adam: share of the old mean gradient that is kept.
    pub beta1: f64,
    /// Adam and RMSProp: share of the old mean square that is kept.
    pub beta2: f64,
    /// Adam and RMSProp: added to the root.
    pub epsilon: f64,
    /// Learning rate over time.
    pub schedule: Schedule,
    /// Epochs in which the learning rate rises linearly from 0.
    pub warmup_epochs: f64,
    /// `step`, `exponential`, `plateau`: factor of each reduction.
    pub decay: f64,
    /// `step`: epochs between reductions; `plateau`: epochs without a better validation loss before
    /// one.
    pub decay_epochs: f64,
    /// `cosine`: number of restarts.
    pub restarts: u64,
    /// Largest norm of the whole gradient; 0 is no limit.
    pub clip_norm: f64,
    /// What is minimised.
    pub loss: Loss,
    /// Weight classes by how rare they are.
    pub class_weights: ClassWeights,
    /// What decides which epoch is the best.
    pub monitor: Monitor,
    /// Stop when nothing gets better.
    pub early_stopping: bool,
    /// Epochs without a better one before stopping.
    pub patience: u64,
    /// Seed of start, order, dropout and augmentation.
    pub seed: u64,
    /// Threads; 0 is one a core, resolved before step 0.
    pub threads: usize,
    /// Precision of the products.
    pub precision: Precision,
    /// What computes.
    pub device: Device,
    /// Which instructions compute; runs from before the setting say it in their `[run]`.
    #[serde(default)]
    pub kernel: Kernel,
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

/// Learning rate over time by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// Always the same.
    Constant,
    /// Times `decay` every `decay_epochs`.
    Step,
    /// Times `decay` every epoch, smoothly.
    Exponential,
    /// Half a cosine down to 0, with `restarts`.
    Cosine,
    /// Up and down once (Smith 2018).
    OneCycle,
    /// Times `decay` when the validation loss has not improved for `decay_epochs`.
    Plateau,
}

/// Losses by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// Softmax and cross-entropy.
    CrossEntropy,
}

/// Class weights by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClassWeights {
    /// All classes weigh the same.
    None,
    /// `samples / (classes * samples of the class)`, as scikit-learn's "balanced".
    Balanced,
}

/// What decides which epoch is the best; on ties it is the earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Monitor {
    /// As [`Monitor::ValLossCalibrated`] with the mean over three epochs; where hardly any answer
    /// is wrong, as [`Monitor::ValAccuracy`], and on ties the lower validation loss.
    Auto,
    /// Lowest validation loss after the best temperature (Berta et al. 2025).
    ValLossCalibrated,
    /// Lowest validation loss.
    ValLoss,
    /// Highest validation accuracy.
    ValAccuracy,
    /// The last epoch is the best, whatever it is like.
    Last,
}

/// What `auto` means on a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// Threads, "one a core".
    pub cores: usize,
    /// Kernels that it has, the fastest first.
    pub kernels: Vec<Kernel>,
}

impl Machine {
    /// A machine of so many cores with nothing special.
    pub fn plain(cores: usize) -> Self {
        Self { cores, kernels: vec![Kernel::Portable] }
    }
}

klubok_nn::listed! {
    /// Which instructions compute. Products differ between them in their last bits.
    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(rename_all = "lowercase")]
    pub enum Kernel {
        /// Tiles of bf16 products (Intel AMX).
        Amx,
        /// Instructions that multiply pairs of bf16.
        Avx512bf16,
        /// Vectors of 512 bits.
        Avx512,
        /// Vectors of 256 bits with fused multiplication and addition.
        Avx2,
        /// Whatever the machine is.
        #[default]
        Portable,
    }
}

impl Kernel {
    /// The one of this name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kernel| kernel.name() == name)
    }

    /// Its name in settings, and in what a device says of itself.
    pub fn name(self) -> &'static str {
        match self {
            Kernel::Amx => "amx",
            Kernel::Avx512bf16 => "avx512bf16",
            Kernel::Avx512 => "avx512",
            Kernel::Avx2 => "avx2",
            Kernel::Portable => "portable",
        }
    }

    /// Whether it multiplies bf16 only, and gains by it.
    pub fn is_for_bf16(self) -> bool {
        matches!(self, Kernel::Amx | Kernel::Avx512bf16)
    }
}

/// What computes.
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
    /// Decoupled decay: weights shrink by `learning_rate * weight_decay` each step.
    pub weight_decay: f64,
    /// Largest norm of a unit's incoming weights; 0 is no limit.
    pub max_norm: f64,
    /// Share of the target spread over all classes.
    pub label_smoothing: f64,
}

/// `[augment]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AugmentConfig {
    /// Mirror left and right, half of the time.
    pub flip: bool,
    /// Shift by up to this many pixels.
    pub shift: u32,
}

/// What kind of data a run uses: presets and some defaults depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataKind {
    /// Folders of pictures, and the built-in pictures.
    Pictures,
    /// A folder of IDX files, such as MNIST.
    Idx,
    /// Points with few coordinates, such as the built-in spirals.
    Points,
}

/// Settings that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// There is no such key.
    #[error("unknown key `{key}`{place}{}", suggestion(*nearest))]
    UnknownKey {
        /// The key as written.
        key: String,
        /// The nearest key there is.
        nearest: Option<&'static str>,
        /// Where it was written.
        place: Place,
    },
    /// A key has a value of the wrong type or out of its range.
    #[error("`{key}` is `{value}`{place}, it must be {allowed}")]
    Value {
        /// The key.
        key: String,
        /// The value as written.
        value: String,
        /// What would be right.
        allowed: String,
        /// Where it was written.
        place: Place,
    },
    /// A value that is right by itself does not go with another one.
    #[error("`{key}` is `{value}`, but {why}")]
    Conflict {
        /// The key.
        key: &'static str,
        /// Its value.
        value: String,
        /// What it does not go with, and what would be right.
        why: String,
    },
    /// The settings of a run leave something to be worked out.
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
        /// What was written.
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
