//! The figures of one epoch, from any framework.

use klubok_train::event::Metrics;

/// Steps that rules wait for before they decide anything. The first value then weighs less than a
/// twentieth, 0.9^29, in running statistics that move by a tenth a step.
pub(super) const MIN_STEPS: u64 = 29;

/// Figures of an epoch, or of a step within one. A loss may be NaN: training diverged.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Row {
    /// Epochs done.
    pub epoch: f64,
    /// True before any update.
    pub untrained: bool,
    /// Updates done, where known.
    pub step: Option<u64>,
    /// Training loss; in evaluation mode where known.
    pub train_loss: Option<f64>,
    /// Mean training loss of the batches, in training mode, where known.
    pub batch_loss: Option<f64>,
    /// Validation loss.
    pub val_loss: Option<f64>,
    /// Validation loss after temperature scaling, where known.
    pub val_loss_calibrated: Option<f64>,
    /// Training accuracy, 0 to 1.
    pub train_accuracy: Option<f64>,
    /// Validation accuracy, 0 to 1.
    pub val_accuracy: Option<f64>,
    /// Norm of the gradient.
    pub grad_norm: Option<f64>,
    /// Learning rate.
    pub learning_rate: Option<f64>,
}

impl From<&Metrics> for Row {
    fn from(metrics: &Metrics) -> Self {
        Self {
            epoch: metrics.epoch,
            untrained: metrics.step == 0,
            step: Some(metrics.step),
            train_loss: metrics.train_eval_loss.or(metrics.train_loss),
            batch_loss: metrics.train_loss,
            val_loss: metrics.val_loss,
            val_loss_calibrated: metrics.val_loss_calibrated,
            train_accuracy: metrics.train_accuracy,
            val_accuracy: metrics.val_accuracy,
            grad_norm: metrics.grad_norm,
            learning_rate: metrics.learning_rate,
        }
    }
}
