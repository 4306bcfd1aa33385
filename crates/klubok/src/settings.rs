//! Typed settings of a training. `klubok config --defaults` explains every one of them.

use klubok_data::{Dataset, settings::TargetKind};
use klubok_model::Input;
use klubok_train::config::{
    ClassWeights, Config, ConfigBuilder, ConfigError, DataConfig, DataKind, Device, Kernel, Loss,
    Monitor, OneOrEach, Optimizer, Precision, Preset, Schedule,
};
use serde::Serialize;

use crate::{
    Result, device,
    nn::{init::Init, plan::Activation},
};

/// The settings of a training: a preset, and values over it.
///
/// A value out of its range, or one that does not fit another, is an error where the settings are
/// used. Values that are not set follow from the others and from the data, such as the learning
/// rate from the optimiser and the loss from the targets.
///
/// ```
/// use klubok::{Settings, config::{Optimizer, Schedule}};
///
/// let settings = Settings::new()
///     .hidden(&[64, 32])
///     .optimizer(Optimizer::Sgd)
///     .learning_rate(0.05)
///     .schedule(Schedule::Constant)
///     .epochs(20);
/// assert_eq!(settings.get("train.momentum")?, "0.9"); // follows from the optimiser
/// # Ok::<(), klubok::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Settings {
    preset: Preset,
    values: Vec<(&'static str, toml::Value)>,
}

impl Default for Settings {
    fn default() -> Self {
        Self::new()
    }
}

macro_rules! settings {
    ($($(#[$doc:meta])+ $name:ident($value:ty) => $key:literal;)+) => {
        impl Settings {
            $($(#[$doc])+
            #[must_use]
            pub fn $name(self, value: $value) -> Self {
                self.with($key, &value)
            })+
        }

        /// The keys with a method of their own, in order.
        #[cfg(test)]
        const METHODS: &[&str] = &[$($key),+];
    };
}

settings! {
    /// Units of each hidden layer, from the input on.
    hidden(&[usize]) => "model.hidden";
    /// Activation of the hidden layers; default ReLU.
    activation(Activation) => "model.activation";
    /// Initialisation of the hidden layers' weights; default He.
    init(Init) => "model.init";
    /// Initialisation of the output layer's weights; default zeros.
    output_init(Init) => "model.output_init";
    /// Start the output biases at the log of the classes' shares.
    prior_bias(bool) => "model.prior_bias";
    /// Batch normalisation after every hidden linear layer.
    batch_norm(bool) => "model.batch_norm";
    /// Probability to drop a hidden unit in training.
    dropout(f64) => "model.dropout";
    /// Probability to drop an input value in training.
    input_dropout(f64) => "model.input_dropout";
    /// Passes over the training set; default 30.
    epochs(u64) => "train.epochs";
    /// Samples of one update; default 128.
    batch_size(usize) => "train.batch_size";
    /// Update rule; default AdamW.
    optimizer(Optimizer) => "train.optimizer";
    /// Learning rate, reached after warm-up; default 0.001, with SGD 0.01.
    learning_rate(f64) => "train.learning_rate";
    /// SGD, RMSProp: share of the last velocity that is kept.
    momentum(f64) => "train.momentum";
    /// SGD: momentum that looks ahead.
    nesterov(bool) => "train.nesterov";
    /// Adam: share of the old mean gradient that is kept.
    beta1(f64) => "train.beta1";
    /// Adam, RMSProp: share of the old mean square that is kept.
    beta2(f64) => "train.beta2";
    /// Adam, RMSProp: added to the root in the denominator.
    epsilon(f64) => "train.epsilon";
    /// Learning rate over time; default cosine.
    schedule(Schedule) => "train.schedule";
    /// Epochs in which the learning rate rises linearly from 0, fractions allowed.
    warmup_epochs(f64) => "train.warmup_epochs";
    /// Step, exponential, plateau: factor of each reduction.
    decay(f64) => "train.decay";
    /// Step: epochs between reductions; plateau: epochs without a better validation loss before
    /// one.
    decay_epochs(f64) => "train.decay_epochs";
    /// Cosine: how often it starts again.
    restarts(u64) => "train.restarts";
    /// Largest norm of the whole gradient; 0 is no limit.
    clip_norm(f64) => "train.clip_norm";
    /// What is minimised; default by the targets.
    loss(Loss) => "train.loss";
    /// Huber: distance from which the loss is linear, in standard deviations of the target.
    huber_delta(f64) => "train.huber_delta";
    /// Weigh classes by how rare they are.
    class_weights(ClassWeights) => "train.class_weights";
    /// What decides which epoch is the best.
    monitor(Monitor) => "train.monitor";
    /// Stop when nothing gets better; default true.
    early_stopping(bool) => "train.early_stopping";
    /// Epochs without a better one before stopping.
    patience(u64) => "train.patience";
    /// Snapshots in the film of a run folder; a training in memory records none.
    snapshots(usize) => "train.snapshots";
    /// Write a TensorBoard event file into a run folder. In memory it has the histograms measured,
    /// for a [`TensorBoard`](crate::train::tensorboard::TensorBoard).
    tensorboard(bool) => "train.tensorboard";
    /// Seed of start, order, dropout and augmentation.
    seed(u64) => "train.seed";
    /// Threads; 0 is one a core. Results do not depend on them.
    threads(usize) => "train.threads";
    /// Precision of the matrix products; default f32.
    precision(Precision) => "train.precision";
    /// What computes.
    device(Device) => "train.device";
    /// Which instructions compute; default the fastest of the machine.
    kernel(Kernel) => "train.kernel";
    /// Penalty `l1 Σ|w|` in the loss.
    l1(f64) => "regularization.l1";
    /// Penalty `l2/2 Σw²` in the loss.
    l2(f64) => "regularization.l2";
    /// Weights shrink by `learning_rate * weight_decay` each step.
    weight_decay(f64) => "regularization.weight_decay";
    /// Largest norm of a unit's incoming weights; 0 is no limit.
    max_norm(f64) => "regularization.max_norm";
    /// Share of the target that is spread over all classes.
    label_smoothing(f64) => "regularization.label_smoothing";
    /// Mirror half of the pictures.
    flip(bool) => "augment.flip";
    /// Shift pictures by up to this many pixels.
    shift(u32) => "augment.shift";
    /// Pixels on each side of a picture of a folder, as the network sees it; default 64.
    size(usize) => "data.size";
    /// Colours of a folder's pictures; default grey.
    color(crate::config::Color) => "data.color";
    /// How a picture of a folder becomes a square.
    fit(crate::config::Fit) => "data.fit";
    /// How to interpret a folder's folders.
    layout(crate::config::Layout) => "data.layout";
    /// Normalise the inputs, and numbers to predict, over the training set; default true.
    normalize(bool) => "data.normalize";
    /// Share of a folder or table that is cut off for validation.
    val_fraction(f64) => "data.val_fraction";
    /// Seed of that cut.
    split_seed(u64) => "data.split_seed";
    /// Samples of each part of a folder or table that are used; 0 is all.
    limit(usize) => "data.limit";
    /// Target columns of a table.
    target(&[&str]) => "data.target";
    /// Column of a table with the weight of each row.
    weight(&str) => "data.weight";
    /// What the target of a table is; default by its values.
    task(TargetKind) => "data.task";
}

impl Settings {
    /// Starts from the defaults.
    pub fn new() -> Self {
        Self::preset(Preset::Plain)
    }

    /// Starts from a preset. It takes pictures for photographs, which may be mirrored and shifted:
    /// digits and letters need [`flip(false)`](Settings::flip).
    pub fn preset(preset: Preset) -> Self {
        Self { preset, values: Vec::new() }
    }

    /// Activation of each hidden layer.
    #[must_use]
    pub fn activations(self, each: &[Activation]) -> Self {
        self.with("model.activation", &OneOrEach::Each(each.to_vec()))
    }

    /// Probability to drop a unit of each hidden layer.
    #[must_use]
    pub fn dropouts(self, each: &[f64]) -> Self {
        self.with("model.dropout", &OneOrEach::Each(each.to_vec()))
    }

    fn with(mut self, key: &'static str, value: &impl Serialize) -> Self {
        // A number beyond the range of TOML is out of every setting's range.
        let value = toml::Value::try_from(value);
        self.values.push((key, value.unwrap_or_else(|_| "out of range".into())));
        self
    }

    /// Resolves all settings for this data and this machine.
    ///
    /// # Errors
    /// When a value is out of its range, or two values conflict.
    pub fn for_data(&self, data: &Dataset) -> Result<Config> {
        let kind = match &data.input {
            Input::Pictures(_) => DataKind::Pictures,
            Input::Columns(_) => DataKind::Table,
        };
        Ok(self.resolve(kind, Some(data.targets.kind().into()))?)
    }

    /// Returns the value of a key as TOML, resolved for a machine like this one and for classes.
    ///
    /// # Errors
    /// As [`Settings::for_data`]; when there is no such key.
    pub fn get(&self, key: &str) -> Result<String> {
        let config = self.resolve(DataKind::Table, None)?;
        let found = klubok_train::config::find(key).ok_or_else(|| ConfigError::UnknownKey {
            key: key.to_owned(),
            nearest: klubok_train::config::nearest(key),
            origin: klubok_train::config::Origin::Flag,
        })?;
        Ok(config.written(found))
    }

    /// Returns the settings of the data alone, whatever its target.
    pub(crate) fn data_config(&self, kind: DataKind) -> Result<DataConfig> {
        let (_, task) = self.builder(kind)?.target();
        let mut settings = self.clone();
        // The loss must fit the target, which is not known yet.
        settings.values.retain(|(key, _)| !key.starts_with("train."));
        Ok(settings.resolve(kind, task)?.data)
    }

    /// Whether a value for a key was set.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.values.iter().any(|(own, _)| *own == key)
    }

    /// Resolves all settings for a kind of data and its target.
    fn resolve(&self, kind: DataKind, target: Option<TargetKind>) -> Result<Config, ConfigError> {
        let builder = self.builder(kind)?;
        let builder = match target {
            Some(target) => builder.for_target(target),
            None => builder,
        };
        Ok(builder.resolve(&device::machine())?.config)
    }

    /// Gathers the settings over the preset.
    fn builder(&self, kind: DataKind) -> Result<ConfigBuilder, ConfigError> {
        let mut builder = ConfigBuilder::new(self.preset, kind);
        for (key, value) in &self.values {
            builder.set_value(key, value)?;
        }
        Ok(builder)
    }
}

#[cfg(test)]
mod tests {
    use klubok_train::config::KEYS;

    use super::*;

    #[test]
    fn every_setting_has_a_method() {
        let missing: Vec<&str> =
            KEYS.iter().map(|key| key.path).filter(|path| !METHODS.contains(path)).collect();
        assert_eq!(missing, [""; 0]);
        assert_eq!(METHODS.len(), KEYS.len());
    }

    #[test]
    fn values_are_checked_where_they_are_used() {
        let error = |settings: Settings| settings.get("train.epochs").unwrap_err().to_string();
        let message = error(Settings::new().dropout(1.0));
        assert_eq!(
            message,
            "`model.dropout` is `1.0`, it must be a number of at least 0 and below 1, or a list with one a hidden layer"
        );
        assert!(error(Settings::new().seed(u64::MAX)).starts_with("`train.seed` is"));
        let message = error(Settings::new().loss(Loss::Mse));
        assert!(message.starts_with("`train.loss` is `mse`, but"), "{message}");
        assert!(
            Settings::new().get("train.epoch").unwrap_err().to_string().contains("train.epochs")
        );
    }

    #[test]
    fn later_values_and_lists_win() {
        let settings = Settings::preset(Preset::Balanced)
            .hidden(&[8])
            .hidden(&[8, 4])
            .activations(&[Activation::Tanh, Activation::Gelu])
            .dropouts(&[0.5, 0.0]);
        assert_eq!(settings.get("model.hidden").unwrap(), "[8, 4]");
        assert_eq!(settings.get("model.activation").unwrap(), r#"["tanh", "gelu"]"#);
        assert_eq!(settings.get("model.dropout").unwrap(), "[0.5, 0.0]");
    }
}
