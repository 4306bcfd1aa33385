//! The events that training sends to its observers: a closed list. Observers only read, and may
//! return notices.

use std::collections::BTreeMap;

use klubok_nn::backend::DeviceInfo;
use serde::{Deserialize, Serialize, Serializer};

use crate::{
    act::{Act, RecordedAct},
    config::Change,
    film::Snapshot,
};

pub use crate::metrics::{LayerMetrics, Metrics};

/// Why a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stopped {
    /// All epochs are done.
    Epochs,
    /// No improvement for `patience` epochs.
    EarlyStopping,
    /// The loss or gradient became NaN or infinite; the last good weights are kept.
    Diverged,
    /// A person interrupted the run; `resume` continues it.
    Interrupted,
    /// A person ended the run.
    Person,
}

/// Name of a phase of learning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PhaseName {
    /// The loss decreases steeply.
    FastLearning,
    /// The loss decreases ever more slowly.
    FineTuning,
    /// The training loss decreases while the validation loss increases: overfitting is likely.
    Specialisation,
    /// Both losses are flat, at an acceptable level.
    Converged,
    /// Both losses are flat and high.
    Underfitting,
    /// The loss grows without bound, or is NaN.
    Diverging,
}

/// The figures behind a phase or verdict, by name.
pub type Evidence = BTreeMap<String, f64>;

/// A phase of learning, with its start and its end so far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Phase {
    /// Name of the phase.
    pub name: PhaseName,
    /// First epoch, counted from 1; a fraction is a point within an epoch.
    #[serde(serialize_with = "epoch_number")]
    pub start: f64,
    /// Last epoch, inclusive; may be a fraction.
    #[serde(serialize_with = "epoch_number")]
    pub end: f64,
    /// Confidence, 0 to 1.
    pub certainty: f64,
    /// The figures behind the phase.
    pub evidence: Evidence,
}

klubok_nn::listed! {
    /// Name of a verdict.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum VerdictName {
        /// The loss is NaN, or grows without bound.
        Diverging,
        /// The loss exploded.
        LearningRateTooHigh,
        /// One of the two losses is NaN, the other is not.
        LossNotANumber,
        /// The validation loss increases while the training loss decreases.
        OverFitting,
        /// The validation loss increases while the validation accuracy still increases too.
        OverConfidence,
        /// Both losses are high and flat.
        UnderFitting,
        /// The loss oscillates.
        OscillatingLoss,
        /// The loss hardly decreases, or decreases as slowly and evenly at the end as at the start.
        LearningRateTooLow,
        /// The loss was still decreasing when training ended.
        SlowConvergence,
        /// Many units of a layer have the same output for every training sample.
        DeadUnits,
        /// Many outputs of a layer are at the edge of their range (tanh, sigmoid).
        SaturatedUnits,
        /// Hardly any gradient reaches the lower layers.
        VanishingGradients,
        /// Gradient norms are far above their initial values, and the network does not learn.
        ExplodingGradients,
        /// A step changes the weights by far too much or far too little.
        UpdateRatio,
        /// Large steps have silenced a layer: the loss stays at chance level.
        LearningRateKillsNetwork,
        /// All samples get about the same prediction.
        PredictionsIgnoreInput,
        /// The labels do not depend on the inputs.
        LabelsLookShuffled,
        /// One class has far fewer training samples than others.
        ClassImbalance,
        /// Many input values are the same in nearly all samples.
        ConstantInputs,
        /// The training set contains samples of the validation or test set.
        DuplicatesAcrossParts,
        /// Identical samples have different labels.
        ContradictingLabels,
        /// The network cannot even memorise one batch.
        NetworkTooSmall,
        /// The network's inputs are far from mean 0 and deviation 1.
        InputNotNormalised,
        /// The initial loss is far above chance level.
        InitialLoss,
    }
}

/// Severity of a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Harmless, for information.
    Info,
    /// The result suffers.
    Warning,
    /// The result is useless.
    Error,
}

/// The advice of a verdict: settings to change, and whether more samples help more.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Remedy {
    /// Settings to change together.
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
    /// Replaces the advice of the verdict.
    pub fn advise(&mut self, remedy: Remedy) {
        let arguments = |change: &Change| format!("--set {}={}", change.key, change.value);
        self.try_ = remedy.changes.iter().map(arguments).collect::<Vec<_>>().join(" ");
        (self.changes, self.more_samples) = (remedy.changes, remedy.more_samples);
    }
}

/// A verdict on a training, with its remedy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Name of the verdict.
    pub name: VerdictName,
    /// Severity.
    pub severity: Severity,
    /// The first epoch for which the verdict holds.
    #[serde(serialize_with = "epoch_number")]
    pub since: f64,
    /// The figures behind the verdict.
    pub evidence: Evidence,
    /// The meaning, in one sentence.
    pub meaning: String,
    /// Settings to try, as arguments of `klubok train`; empty where only other data helps.
    #[serde(rename = "try")]
    pub try_: String,
    /// The settings of `try`, one by one; empty where no setting helps, and in older logs.
    #[serde(default)]
    pub changes: Vec<Change>,
    /// Whether more samples help more than any setting; false in older logs.
    #[serde(default)]
    pub more_samples: bool,
    /// The publication behind the rule; empty in older logs.
    #[serde(default)]
    pub source: String,
}

/// A notice of an observer.
#[derive(Debug, Clone, PartialEq)]
pub enum Notice {
    /// A phase began.
    Phase(Phase),
    /// A verdict was raised.
    Verdict(Verdict),
}

/// Serializes whole epochs as whole numbers.
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
    /// Epochs done; may be a fraction.
    pub epoch: f64,
    /// The event.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// An event in the log of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum EventKind {
    /// The run began.
    Start {
        /// The device.
        device: String,
        /// The kernels.
        kernel: String,
    },
    /// The run resumed from its checkpoint.
    Resume {
        /// The device.
        device: String,
        /// The kernels.
        kernel: String,
    },
    /// A phase of learning began.
    Phase(Phase),
    /// A verdict was raised.
    Verdict(Verdict),
    /// A person acted.
    Person {
        /// The act.
        #[serde(flatten)]
        act: Act,
    },
    /// The run ended, or was interrupted.
    Stopped {
        /// The reason.
        reason: Stopped,
        /// The cause in words, where the reason alone is too general.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        cause: Option<String>,
    },
}

impl EventKind {
    /// The start or the resumption of a training on this device.
    pub fn begin(resumed: bool, info: DeviceInfo) -> Self {
        let DeviceInfo { device, kernel, .. } = info;
        if resumed { Self::Resume { device, kernel } } else { Self::Start { device, kernel } }
    }
}

impl From<Notice> for EventKind {
    fn from(notice: Notice) -> Self {
        match notice {
            Notice::Phase(phase) => Self::Phase(phase),
            Notice::Verdict(verdict) => Self::Verdict(verdict),
        }
    }
}

/// An event of a training, for its observers.
#[derive(Debug, Clone)]
pub enum Event<'a> {
    /// The logs of a resumed run up to its checkpoint; comes before [`Event::Start`].
    Past {
        /// Lines of `steps.jsonl`.
        steps: &'a [Metrics],
        /// Lines of `metrics.jsonl`.
        epochs: &'a [Metrics],
        /// Lines of `events.jsonl`, including those ahead.
        events: &'a [EventLine],
        /// Acts of an earlier session after the checkpoint. Training repeats each at its step, and
        /// sends it then.
        ahead: &'a [RecordedAct],
    },
    /// Before the first step of this session.
    Start {
        /// Updates per epoch.
        steps_per_epoch: u64,
        /// Total number of epochs.
        epochs: u64,
        /// Updates before this session (0 unless resumed).
        step: u64,
    },
    /// The figures of up to 16 steps were read.
    Progress {
        /// Updates done.
        step: u64,
        /// Training samples so far in this epoch.
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
        /// Whether it is the best epoch so far.
        best: bool,
    },
    /// A snapshot.
    Snapshot {
        /// What it shows.
        snapshot: &'a Snapshot,
        /// Whether the film keeps it; otherwise somebody requested it.
        is_kept: bool,
    },
    /// An observer returned a notice: a line of `events.jsonl`.
    Noticed {
        /// Updates done.
        step: u64,
        /// The same in epochs.
        epoch: f64,
        /// The notice.
        notice: &'a Notice,
    },
    /// A person acted: a line of `events.jsonl`, synced to disk before the act takes effect.
    Person {
        /// Updates done.
        step: u64,
        /// The same in epochs.
        epoch: f64,
        /// The act.
        act: Act,
    },
    /// A person paused the training.
    Resting {
        /// Updates done.
        step: u64,
    },
    /// A checkpoint is on the disk.
    Checkpoint {
        /// Updates done.
        step: u64,
    },
    /// Training stops; its final files follow.
    Stopping {
        /// The reason.
        stopped: Stopped,
        /// Updates done; at the detection in case of a divergence.
        step: u64,
        /// The same in epochs.
        epoch: f64,
    },
    /// The run ended.
    End {
        /// The reason.
        stopped: Stopped,
    },
}

/// An observer of a training. It only reads, and never changes a weight.
pub trait Observer {
    /// Receives each event in order.
    ///
    /// # Errors
    /// When the observer cannot continue (a log on a full disk). This ends the run; the last
    /// checkpoint stays.
    fn observe(&mut self, event: &Event<'_>) -> crate::Result<()>;

    /// Returns the notices since the last call. They go to the log and to all observers.
    fn noticed(&mut self) -> Vec<Notice> {
        Vec::new()
    }
}

/// Observes nothing.
impl Observer for () {
    fn observe(&mut self, _: &Event<'_>) -> crate::Result<()> {
        Ok(())
    }
}
