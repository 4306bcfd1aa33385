//! The figures of a training at a step or an epoch: a line of a log.

use serde::{Deserialize, Serialize};

use crate::histogram::Histogram;

/// One line of `metrics.jsonl` (an epoch) or `steps.jsonl` (a chosen step). A key that does not
/// apply is absent.
///
/// Norms of gradients and updates come from the observed steps: at least one in 16, chosen by its
/// number. A chosen step evaluates at most 2,048 samples of each set, unless it ends an epoch.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Metrics {
    /// Epochs done; a fraction in `steps.jsonl`.
    pub epoch: f64,
    /// Updates done.
    pub step: u64,
    /// Mean loss in training mode since the last line of this kind, penalties included.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub train_loss: Option<f64>,
    /// Loss in evaluation mode on a fixed training sample as large as the validation set.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub train_eval_loss: Option<f64>,
    /// Validation loss in evaluation mode, without penalties, label smoothing or class weights.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub val_loss: Option<f64>,
    /// Validation loss after temperature scaling ([`klubok_nn::calibration`]): how well the network
    /// separates the classes, regardless of its confidence.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub val_loss_calibrated: Option<f64>,
    /// The fitted temperature, which divides the logits. Above 1, the network is overconfident.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub temperature: Option<f64>,
    /// Accuracy in evaluation mode on the same sample as `train_eval_loss`: the share of correct
    /// classes or labels.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub train_accuracy: Option<f64>,
    /// Validation accuracy.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub val_accuracy: Option<f64>,
    /// Validation error of predicted numbers: the root of the mean squared error, in their own
    /// units; the mean over several.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub val_rmse: Option<f64>,
    /// Coefficient of determination on the validation set: 1 is perfect, 0 as good as the mean;
    /// the mean over several numbers.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub val_r2: Option<f64>,
    /// Learning rate of the last update.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub learning_rate: Option<f64>,
    /// Mean over the observed steps of the gradient's global norm, before clipping.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub grad_norm: Option<f64>,
    /// Variation of the predictions over the same sample: `√(Σ var p)` over the classes, from 0
    /// (equal predictions) to `√(1 - 1 / classes)`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub prediction_spread: Option<f64>,
    /// Seconds of this epoch.
    pub seconds: f64,
    /// Seconds of the run so far, without interruptions.
    pub elapsed_seconds: f64,
    /// Training samples per second of training time.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub samples_per_second: Option<f64>,
    /// One entry per layer.
    pub layers: Vec<LayerMetrics>,
}

/// Metrics of one layer. A key that does not apply is absent.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct LayerMetrics {
    /// `hidden1`, ..., `output`.
    pub name: String,
    /// Mean over the observed steps of the norm of this layer's gradient.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub grad_norm: Option<f64>,
    /// Norm of the layer's weight matrix.
    pub weight_norm: f64,
    /// Median over the observed steps of |dW| / |W|.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub update_ratio: Option<f64>,
    /// Share of units x samples with an output above 0, on the fixed training sample (hidden
    /// layers).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub active_fraction: Option<f64>,
    /// Share of units with the same output for every row of the fixed sample (ReLU: silent). It is
    /// no smaller than the share of dead units.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub silent_fraction: Option<f64>,
    /// Share of units with the same output for every sample of the whole training set. Known where
    /// no unit is silent on the fixed sample, in the last epoch, and where a tenth of a layer is
    /// silent in epoch 0, 1, 4 or every 16th: a forward pass over the rest takes time.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub dead_fraction: Option<f64>,
    /// Share of units x samples with an output beyond 0.99 of its range, on the fixed sample (tanh,
    /// sigmoid).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub saturated_fraction: Option<f64>,
    /// `|W - W₀| / |W₀|` of the weight matrix at the end of an epoch, with initial weights W₀.
    /// Absent where W₀ is zero.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub distance_from_start: Option<f64>,
    /// How the weights are spread, at the end of an epoch and in a snapshot, with
    /// `train.tensorboard`. Not in the logs.
    #[serde(skip)]
    pub histogram: Option<Box<Histogram>>,
}
