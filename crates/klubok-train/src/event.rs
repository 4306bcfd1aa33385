//! What training tells its observers: a closed list of events. Observers only read, and may answer
//! with what they noticed.

use std::collections::BTreeMap;

use klubok_nn::backend::DeviceInfo;
use serde::{Deserialize, Serialize, Serializer};

use crate::{
    act::{Act, Recorded},
    config::Change,
};

/// One line of `metrics.jsonl` (an epoch) or `steps.jsonl` (a chosen step). A key that does not
/// apply is absent.
///
/// Norms of gradients and updates are of the steps that were observed: one of up to 16, chosen by
/// its number. What a chosen step measures in evaluation mode is of at most 2,048 samples of each
/// part, unless an epoch ends with it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Metrics {
    /// Epochs done; in `steps.jsonl` with its fraction.
    pub epoch: f64,
    /// Updates done.
    pub step: u64,
    /// Mean loss in training mode since the last line of this kind, penalties included.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub train_loss: Option<f64>,
    /// Loss in evaluation mode on a fixed sample of the training part as large as the validation
    /// part.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub train_eval_loss: Option<f64>,
    /// Loss in evaluation mode on the validation part: no penalties, smoothing or class weights.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub val_loss: Option<f64>,
    /// The same after the best single temperature: how well the network tells classes apart,
    /// however sure it is of it ([`klubok_nn::calibration`]).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub val_loss_calibrated: Option<f64>,
    /// That temperature: what logits are divided by. Above 1, the network is too sure.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub temperature: Option<f64>,
    /// Share of right answers in evaluation mode on the same sample as `train_eval_loss`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub train_accuracy: Option<f64>,
    /// Share of right answers on the validation part.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub val_accuracy: Option<f64>,
    /// Learning rate of the last update.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub learning_rate: Option<f64>,
    /// Mean over the observed steps of the norm of the whole gradient, before clipping.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub grad_norm: Option<f64>,
    /// How much answers differ from sample to sample, on the same sample: `√(Σ var p)` over the
    /// classes, from 0 (all get the same) to `√(1 - 1 / classes)`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub prediction_spread: Option<f64>,
    /// Seconds of this epoch.
    pub seconds: f64,
    /// Seconds of the run so far, interruptions left out.
    pub elapsed_seconds: f64,
    /// Training samples a second of training time.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub samples_per_second: Option<f64>,
    /// One entry a layer.
    pub layers: Vec<LayerMetrics>,
}

/// What is known of one layer. A key that does not apply is absent.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct LayerMetrics {
    /// `hidden1`, ..., `output`.
    pub name: String,
    /// Mean over the observed steps of the norm of this layer's gradient.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub grad_norm: Option<f64>,
    /// Norm of the layer's weight matrix now.
    pub weight_norm: f64,
    /// Median over the observed steps of |dW| / |W|.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub update_ratio: Option<f64>,
    /// Share of units x samples with an output above 0, on the fixed sample of the training part
    /// (hidden layers).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub active_fraction: Option<f64>,
    /// Share of units with the same output for every sample of it (ReLU: silent). It is no smaller
    /// than the share of dead ones.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub silent_fraction: Option<f64>,
    /// Share of units with the same output for every sample of the whole training part. Known where
    /// no unit is silent on the fixed sample, in the last epoch, and where a tenth of a layer is
    /// silent in epoch 0, 1, 4 or a sixteenth one: looking through the rest takes time.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub dead_fraction: Option<f64>,
    /// Share of units x samples with an output beyond 0.99 of its range, on the fixed sample (tanh,
    /// sigmoid).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub saturated_fraction: Option<f64>,
    /// `|W - W₀| / |W₀|` of the weight matrix, W₀ being the start, at the end of an epoch. Absent
    /// where that is zero.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub distance_from_start: Option<f64>,
}

/// Why a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stopped {
    /// All epochs are done.
    Epochs,
    /// No better validation loss for `patience` epochs.
    EarlyStopping,
    /// Loss or gradient was no longer a number: the last good weights are kept.
    Diverged,
    /// A person interrupted it: `resume` goes on.
    Interrupted,
    /// A person ended it.
    Person,
}

/// Name of a phase of learning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PhaseName {
    /// The loss falls steeply.
    FastLearning,
    /// Gains shrink.
    FineTuning,
    /// The training loss falls, the validation loss rises: over-fitting is likely.
    Specialisation,
    /// Both losses are flat, and nothing is wrong with where they are.
    Converged,
    /// Both losses are flat and high.
    Underfitting,
    /// The loss grows without end, or is no longer a number.
    Diverging,
}

/// The numbers that a judgement rests on, by name.
pub type Evidence = BTreeMap<String, f64>;

/// A phase of learning: where it began and, so far, ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Phase {
    /// Which one.
    pub name: PhaseName,
    /// First epoch of it, counted from 1; with a fraction, the moment within an epoch.
    #[serde(serialize_with = "epoch_number")]
    pub start: f64,
    /// Last epoch of it, inclusive, fractions allowed.
    #[serde(serialize_with = "epoch_number")]
    pub end: f64,
    /// How sure this is, 0 to 1.
    pub certainty: f64,
    /// What it rests on.
    pub evidence: Evidence,
}

klubok_nn::listed! {
    /// Name of a verdict.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum VerdictName {
        /// The loss is no longer a number, or grows without end.
        Diverging,
        /// The loss exploded.
        LearningRateTooHigh,
        /// One of the two losses is no number, and the other is.
        LossNotANumber,
        /// The validation loss rises while the training loss falls.
        OverFitting,
        /// The validation loss rises while the validation accuracy still does too.
        OverConfidence,
        /// Both losses are high and flat.
        UnderFitting,
        /// The loss jumps up and down.
        OscillatingLoss,
        /// The loss hardly falls, or at the end as slowly and evenly as at the beginning.
        LearningRateTooLow,
        /// The loss was still falling when training ended.
        SlowConvergence,
        /// Many units of a layer have the same output for every training sample.
        DeadUnits,
        /// Many outputs of a layer are at the edge of their range (tanh, sigmoid).
        SaturatedUnits,
        /// Hardly any gradient reaches the lower layers.
        VanishingGradients,
        /// The gradients are far longer than they began, and the network does not learn.
        ExplodingGradients,
        /// A step changes far too much, or far too little, of the weights.
        UpdateRatio,
        /// Large steps have silenced a layer: the loss stays where guessing is.
        LearningRateKillsNetwork,
        /// All samples get about the same answer.
        PredictionsIgnoreInput,
        /// Labels do not follow from the inputs.
        LabelsLookShuffled,
        /// One class has far fewer training samples than others.
        ClassImbalance,
        /// Many input values are the same in nearly all samples.
        ConstantInputs,
        /// Samples of the validation or test part are in the training part too.
        DuplicatesAcrossParts,
        /// The same content stands under two classes.
        ContradictingLabels,
        /// The network cannot even learn one batch by heart.
        NetworkTooSmall,
        /// The network's inputs are far from mean 0 and deviation 1.
        InputNotNormalised,
        /// The loss at the start is far above that of guessing.
        InitialLoss,
    }
}

/// How bad something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Good to know.
    Info,
    /// The result suffers.
    Warning,
    /// The result is of no use.
    Error,
}

/// What a verdict advises: settings to change, and whether more samples help more than they do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Remedy {
    /// Settings, all to be changed together.
    pub changes: Vec<Change>,
    /// More samples help more than any setting.
    pub more_samples: bool,
}

impl From<Vec<Change>> for Remedy {
    fn from(changes: Vec<Change>) -> Self {
        Self { changes, more_samples: false }
    }
}

impl Verdict {
    /// Gives it this advice instead of its own.
    pub fn advise(&mut self, remedy: Remedy) {
        let arguments = |change: &Change| format!("--set {}={}", change.key, change.value);
        self.try_ = remedy.changes.iter().map(arguments).collect::<Vec<_>>().join(" ");
        (self.changes, self.more_samples) = (remedy.changes, remedy.more_samples);
    }
}

/// A judgement of a training, and what to do about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Which one.
    pub name: VerdictName,
    /// How bad it is.
    pub severity: Severity,
    /// The epoch from which on it holds.
    #[serde(serialize_with = "epoch_number")]
    pub since: f64,
    /// What it rests on.
    pub evidence: Evidence,
    /// What it means, in one sentence.
    pub meaning: String,
    /// What to try, as arguments of `klubok train`; empty where no setting helps, only other data.
    #[serde(rename = "try")]
    pub try_: String,
    /// The same, setting by setting; empty where no setting helps. Older logs have none.
    #[serde(default)]
    pub changes: Vec<Change>,
    /// True where more samples help more than any setting. Older logs do not know.
    #[serde(default)]
    pub more_samples: bool,
    /// What the rule rests on: a publication. Older logs have none.
    #[serde(default)]
    pub source: String,
}

/// Something that an observer noticed.
#[derive(Debug, Clone, PartialEq)]
pub enum Notice {
    /// A phase began.
    Phase(Phase),
    /// A verdict appeared.
    Verdict(Verdict),
}

/// Writes whole epochs as whole numbers.
///
/// # Errors
/// When the serializer fails.
pub fn epoch_number<S: Serializer>(epoch: &f64, to: S) -> Result<S::Ok, S::Error> {
    if epoch.fract() == 0.0 && epoch.abs() < 1e15 {
        to.serialize_i64(*epoch as i64)
    } else {
        to.serialize_f64(*epoch)
    }
}

/// A line of `events.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventLine {
    /// Updates done.
    pub step: u64,
    /// Epochs done, with the fraction.
    pub epoch: f64,
    /// What happened.
    #[serde(flatten)]
    pub happened: Happened,
}

/// What happened to a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Happened {
    /// It began.
    Start {
        /// What computes.
        device: String,
        /// Which kernels.
        kernel: String,
    },
    /// It went on from its checkpoint.
    Resume {
        /// What computes.
        device: String,
        /// Which kernels.
        kernel: String,
    },
    /// A phase of learning began.
    Phase(Phase),
    /// A verdict appeared.
    Verdict(Verdict),
    /// A person did something.
    Person {
        /// What.
        #[serde(flatten)]
        act: Act,
    },
    /// It ended, or was interrupted.
    Stopped {
        /// Why.
        reason: Stopped,
        /// The cause in words, where the reason does not say it all.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        cause: Option<String>,
    },
}

impl Happened {
    /// The beginning, or the going on, of a training by this device.
    pub fn begin(resumed: bool, info: DeviceInfo) -> Self {
        let DeviceInfo { device, kernel, .. } = info;
        if resumed { Self::Resume { device, kernel } } else { Self::Start { device, kernel } }
    }
}

impl From<Notice> for Happened {
    fn from(notice: Notice) -> Self {
        match notice {
            Notice::Phase(phase) => Self::Phase(phase),
            Notice::Verdict(verdict) => Self::Verdict(verdict),
        }
    }
}

/// What happened.
#[derive(Debug, Clone)]
pub enum Event<'a> {
    /// What earlier sessions of a resumed run measured up to its checkpoint; before
    /// [`Event::Start`].
    Past {
        /// Lines of `steps.jsonl`.
        steps: &'a [Metrics],
        /// Lines of `metrics.jsonl`.
        epochs: &'a [Metrics],
        /// Lines of `events.jsonl`, those included that are ahead.
        events: &'a [EventLine],
        /// What people did in an earlier session after the checkpoint: it is done again at its
        /// step, and then told.
        ahead: &'a [Recorded],
    },
    /// Before the first step of this session.
    Start {
        /// Updates in a whole epoch.
        steps_per_epoch: u64,
        /// Epochs to be done in all.
        epochs: u64,
        /// Updates done before this session (0 unless resumed).
        step: u64,
    },
    /// The figures of up to 16 steps were read.
    Progress {
        /// Updates done.
        step: u64,
        /// Samples seen in this epoch.
        samples: u64,
        /// Mean training loss of the epoch so far.
        train_loss: f64,
    },
    /// A chosen step of the first three epochs: a line of `steps.jsonl`.
    Step(&'a Metrics),
    /// An epoch ended (epoch 0: before any update): a line of `metrics.jsonl`.
    Epoch {
        /// The line.
        metrics: &'a Metrics,
        /// True when it is the best epoch so far.
        best: bool,
    },
    /// An observer noticed something: a line of `events.jsonl`.
    Noticed {
        /// Updates done.
        step: u64,
        /// The same in epochs.
        epoch: f64,
        /// What.
        notice: &'a Notice,
    },
    /// A person did something: a line of `events.jsonl`, on the disk before it is done.
    Person {
        /// Updates done.
        step: u64,
        /// The same in epochs.
        epoch: f64,
        /// What.
        act: Act,
    },
    /// It rests, because a person wants that.
    Resting {
        /// Updates done.
        step: u64,
    },
    /// Everything needed to go on from here is on the disk.
    Checkpoint {
        /// Updates done.
        step: u64,
    },
    /// Training stops; what it leaves is written next.
    Stopping {
        /// Why.
        stopped: Stopped,
        /// Updates done; of a divergence, when it was seen.
        step: u64,
        /// The same in epochs.
        epoch: f64,
    },
    /// The run ended.
    End {
        /// Why.
        stopped: Stopped,
    },
}

/// Something that wants to know how training goes. It reads and never changes a weight.
pub trait Observer {
    /// Is told each event in order.
    ///
    /// # Errors
    /// An observer that cannot go on (a log on a full disk) ends the run; the last checkpoint
    /// stays.
    fn observe(&mut self, event: &Event<'_>) -> crate::Result<()>;

    /// What it noticed since it was last asked: it is written to the log and told to all.
    fn noticed(&mut self) -> Vec<Notice> {
        Vec::new()
    }
}
