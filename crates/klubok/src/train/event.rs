//! What training tells its observers: a closed list of events. Observers only read.

use serde::{Deserialize, Serialize};

/// One line of `metrics.jsonl` (an epoch) or `steps.jsonl` (a chosen step). A key that does not apply is absent.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Metrics {
    /// Epochs done; in `steps.jsonl` with its fraction.
    pub epoch: f64,
    /// Updates done.
    pub step: u64,
    /// Mean loss in training mode since the last line of this kind, penalties included.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub train_loss: Option<f64>,
    /// Loss in evaluation mode on a fixed sample of the training part as large as the validation part.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub train_eval_loss: Option<f64>,
    /// Loss in evaluation mode on the validation part: no penalties, smoothing or class weights.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub val_loss: Option<f64>,
    /// Share of right answers in evaluation mode on the same sample as `train_eval_loss`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub train_accuracy: Option<f64>,
    /// Share of right answers on the validation part.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub val_accuracy: Option<f64>,
    /// Learning rate of the last update.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub learning_rate: Option<f64>,
    /// Mean over the steps of the norm of the whole gradient, before clipping.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub grad_norm: Option<f64>,
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
    /// Mean over the steps of the norm of this layer's gradient.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub grad_norm: Option<f64>,
    /// Norm of the layer's weight matrix now.
    pub weight_norm: f64,
    /// Median over the steps of |dW| / |W|.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub update_ratio: Option<f64>,
    /// Share of units x samples with an output above 0, on the fixed sample of the training part (hidden layers).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub active_fraction: Option<f64>,
    /// Share of units with the same output for every sample of it (ReLU: silent).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub dead_fraction: Option<f64>,
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
}

/// What happened.
#[derive(Debug, Clone)]
pub enum Event<'a> {
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
    /// Everything needed to go on from here is on the disk.
    Checkpoint {
        /// Updates done.
        step: u64,
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
    /// An observer that cannot go on (a log on a full disk) ends the run; the last checkpoint stays.
    fn observe(&mut self, event: &Event<'_>) -> crate::Result<()>;
}
