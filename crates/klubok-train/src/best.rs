//! Picks the best epoch, whose weights the model gets.

use serde::{Deserialize, Serialize};

use crate::{config::Monitor, event::Metrics};

/// Window of `Monitor::Auto`: the mean over this many epochs, as a single epoch is lucky too often.
/// The number comes from data: `docs/best-epoch.md`.
const WINDOW: usize = 3;
/// With fewer errors than this on the validation set, `Monitor::Auto` compares the number of
/// errors. The number comes from data: `docs/best-epoch.md`.
const FEW_ERRORS: u64 = 3;
/// An epoch whose loss is this many times higher is not better, whatever its calibrated loss: at a
/// high enough temperature an exploded network is at chance level, which can beat its start by a
/// hair.
const MAX_LOSS_RATIO: f64 = 10.0;

/// Calibrated losses of the last three epochs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RecentLosses(Vec<f64>);

impl RecentLosses {
    /// Adds an epoch and returns the new mean; `None` without a loss.
    pub fn mean_with(&mut self, loss: Option<f64>) -> Option<f64> {
        self.0.push(loss?);
        let before = self.0.len().saturating_sub(WINDOW);
        self.0.drain(..before);
        Some(self.0.iter().sum::<f64>() / self.0.len() as f64)
    }

    /// Whether there is no loss yet.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The best epoch and its figures.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BestEpoch {
    /// The epoch; 0 is before any update.
    pub epoch: u64,
    /// Loss on the fixed training sample, in evaluation mode.
    pub train_loss: Option<f64>,
    /// Accuracy on the fixed training sample.
    pub train_accuracy: Option<f64>,
    /// Validation loss.
    pub val_loss: Option<f64>,
    /// Validation loss after temperature scaling; `None` in older checkpoints.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub val_loss_calibrated: Option<f64>,
    /// Mean validation loss of the last epochs, calibrated where there are classes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub mean_loss_calibrated: Option<f64>,
    /// The fitted temperature.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub temperature: Option<f64>,
    /// Validation accuracy.
    pub val_accuracy: Option<f64>,
    /// Root mean squared error of predicted numbers on the validation set.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub val_rmse: Option<f64>,
    /// Their coefficient of determination.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub val_r2: Option<f64>,
}

impl BestEpoch {
    /// Takes the figures of an epoch from its metrics, and adds its loss to `recent`.
    pub fn new(epoch: u64, metrics: &Metrics, recent: &mut RecentLosses) -> Self {
        Self {
            epoch,
            train_loss: metrics.train_eval_loss,
            train_accuracy: metrics.train_accuracy,
            val_loss: metrics.val_loss,
            val_loss_calibrated: metrics.val_loss_calibrated,
            mean_loss_calibrated: recent
                .mean_with(metrics.val_loss_calibrated.or(metrics.val_loss)),
            temperature: metrics.temperature,
            val_accuracy: metrics.val_accuracy,
            val_rmse: metrics.val_rmse,
            val_r2: metrics.val_r2,
        }
    }

    /// Picks the best of these epochs, which are in order; `None` without any.
    pub fn of(epochs: &[Metrics], monitor: Monitor, val_samples: u64) -> Option<Self> {
        let mut recent = RecentLosses::default();
        let all = epochs.iter().map(|line| Self::new(line.epoch as u64, line, &mut recent));
        all.reduce(|best, now| if now.beats(&best, monitor, val_samples) { now } else { best })
    }

    /// Whether this epoch is better than an earlier one, by a validation set of `val_samples`.
    /// Without a validation set the fixed training sample decides.
    pub fn beats(&self, earlier: &BestEpoch, monitor: Monitor, val_samples: u64) -> bool {
        let accuracy = |best: &BestEpoch| best.val_accuracy.or(best.train_accuracy);
        let errors = |best: &BestEpoch| {
            let share = best.val_accuracy.filter(|_| val_samples > 0);
            share.map(|share| ((1.0 - share) * val_samples as f64).round() as u64)
        };
        let is_more_accurate = accuracy(self) > accuracy(earlier);
        let has_lower_loss = self.loss() < earlier.loss();
        let exploded =
            self.loss().zip(earlier.loss()).is_some_and(|(now, then)| now > MAX_LOSS_RATIO * then);
        match monitor {
            Monitor::Auto if errors(self).min(errors(earlier)).is_some_and(|n| n < FEW_ERRORS) => {
                is_more_accurate || (accuracy(self) == accuracy(earlier) && has_lower_loss)
            }
            Monitor::Auto | Monitor::ValLossCalibrated if exploded => false,
            Monitor::Auto | Monitor::ValLossCalibrated | Monitor::ValLoss => {
                self.monitored_loss(monitor) < earlier.monitored_loss(monitor)
            }
            Monitor::ValAccuracy => is_more_accurate,
            Monitor::Last => true,
        }
    }

    /// Returns the monitored loss, which picks the best epoch and reduces the learning rate on a
    /// plateau.
    pub fn monitored_loss(&self, monitor: Monitor) -> Option<f64> {
        match monitor {
            Monitor::Auto => self.mean_loss_calibrated.or(self.calibrated_loss()),
            Monitor::ValLossCalibrated => self.calibrated_loss(),
            Monitor::ValLoss | Monitor::ValAccuracy | Monitor::Last => self.loss(),
        }
    }

    /// Returns the validation loss or, without a validation set, the loss of the fixed training
    /// sample.
    fn loss(&self) -> Option<f64> {
        self.val_loss.or(self.train_loss)
    }

    fn calibrated_loss(&self) -> Option<f64> {
        self.val_loss_calibrated.or(self.loss())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn best(val_loss: Option<f64>, val_accuracy: Option<f64>, train_loss: f64) -> BestEpoch {
        let train_loss = Some(train_loss);
        let (val_loss_calibrated, mean_loss_calibrated, temperature) = (None, None, None);
        let train_accuracy = Some(0.5);
        BestEpoch {
            epoch: 0,
            train_loss,
            train_accuracy,
            val_loss,
            val_loss_calibrated,
            mean_loss_calibrated,
            temperature,
            val_accuracy,
            val_rmse: None,
            val_r2: None,
        }
    }

    #[test]
    fn the_monitor_decides_and_the_earlier_epoch_wins_ties() {
        let a = best(Some(0.5), Some(0.8), 0.1);
        let b = best(Some(0.4), Some(0.8), 0.2);
        assert!(b.beats(&a, Monitor::ValLoss, 100) && !a.beats(&b, Monitor::ValLoss, 100));
        let accuracy = Monitor::ValAccuracy;
        assert!(!b.beats(&a, accuracy, 100) && !a.beats(&b, accuracy, 100));
        assert!(!a.beats(&a, Monitor::ValLoss, 100));
        assert!(a.beats(&b, Monitor::Last, 100));
    }

    #[test]
    fn the_calibrated_loss_decides_unless_hardly_any_prediction_is_wrong() {
        let with = |calibrated, loss, accuracy| BestEpoch {
            val_loss_calibrated: Some(calibrated),
            ..best(Some(loss), Some(accuracy), 0.1)
        };
        // The overconfident epoch is still the better one.
        let (confident, modest) = (with(0.4, 0.9, 0.85), with(0.5, 0.5, 0.85));
        for monitor in [Monitor::Auto, Monitor::ValLossCalibrated] {
            assert!(confident.beats(&modest, monitor, 100));
            assert!(!modest.beats(&confident, monitor, 100));
        }
        assert!(modest.beats(&confident, Monitor::ValLoss, 100));
        // 2 of 13 predictions are wrong: accuracy decides, then the uncalibrated loss.
        assert!(modest.beats(&confident, Monitor::Auto, 13));
        assert!(!confident.beats(&modest, Monitor::Auto, 13));
        assert!(with(0.9, 0.9, 0.93).beats(&modest, Monitor::Auto, 13));
    }

    #[test]
    fn an_exploded_epoch_is_not_the_best() {
        let with = |calibrated, loss| BestEpoch {
            val_loss_calibrated: Some(calibrated),
            ..best(Some(loss), Some(0.5), 1.0)
        };
        let (start, exploded) = (with(0.693, 0.693), with(0.692, 5560.0));
        let confident = with(0.68, 1.8);
        for monitor in [Monitor::Auto, Monitor::ValLossCalibrated] {
            assert!(!exploded.beats(&start, monitor, 100) && confident.beats(&start, monitor, 100));
        }
    }

    #[test]
    fn one_lucky_epoch_is_not_the_best() {
        let mut recent = RecentLosses::default();
        let metrics = [0.9, 0.6, 0.3, 0.6, 0.5, 0.35].map(|loss| Metrics {
            val_loss_calibrated: Some(loss),
            val_accuracy: Some(0.5),
            ..Metrics::default()
        });
        let epochs: Vec<BestEpoch> =
            (0..).zip(&metrics).map(|(i, m)| BestEpoch::new(i, m, &mut recent)).collect();
        let means = [0.9, 0.75, 0.6, 0.5, 1.4 / 3.0, 1.45 / 3.0];
        for (epoch, mean) in epochs.iter().zip(means) {
            assert!((epoch.mean_loss_calibrated.unwrap() - mean).abs() < 1e-12);
        }
        let best = |monitor| {
            let better = |best: BestEpoch, now: &BestEpoch| {
                if now.beats(&best, monitor, 100) { *now } else { best }
            };
            epochs.iter().fold(epochs[0], better).epoch
        };
        assert_eq!((best(Monitor::Auto), best(Monitor::ValLossCalibrated)), (4, 2));
    }

    #[test]
    fn without_validation_the_training_sample_decides() {
        let (a, b) = (best(None, None, 0.2), best(None, None, 0.1));
        assert!(b.beats(&a, Monitor::ValLoss, 0) && b.beats(&a, Monitor::Auto, 0));
    }
}
