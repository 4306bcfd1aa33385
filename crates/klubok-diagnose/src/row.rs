//! What is known of an epoch, whoever trained.

use klubok_train::event::Metrics;

/// Steps before which little can be said: running statistics that move by a tenth have then
/// followed to a twentieth, 0.9^29.
pub(super) const FOLLOW: u64 = 29;

/// Figures of an epoch, or of a moment within one. Losses may be no numbers (NaN): training
/// diverged.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Row {
    /// Epochs done.
    pub epoch: f64,
    /// True before any update.
    pub untrained: bool,
    /// Updates done, where that is known.
    pub step: Option<u64>,
    /// Training loss; in evaluation mode where that is known.
    pub train_loss: Option<f64>,
    /// Mean training loss of the batches, in training mode, where that is known.
    pub batch_loss: Option<f64>,
    /// Validation loss.
    pub val_loss: Option<f64>,
    /// The same after the best temperature, where that is known.
    pub val_loss_calibrated: Option<f64>,
    /// Share of right answers in training, 0 to 1.
    pub train_accuracy: Option<f64>,
    /// Share of right answers on the validation part, 0 to 1.
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
