//! Which epoch is the best, whose weights the model gets.

use serde::{Deserialize, Serialize};

use crate::{config::Monitor, event::Metrics};

/// `Monitor::Auto` goes by the mean over so many epochs, as one epoch alone is lucky too often, and
/// with fewer wrong answers than this by how many there are. Data chose both: `docs/best-epoch.md`.
const EPOCHS: usize = 3;
const FEW_ERRORS: u64 = 3;
/// A loss so many times as high is no better one, whatever a temperature makes of it: with a high
/// enough one a network that exploded is guessing, and may guess a hair better than at its start.
const FAR_ABOVE: f64 = 10.0;

/// Losses of the last three epochs after the best temperature.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Recent(Vec<f64>);

impl Recent {
    /// The mean with one more epoch; none without a loss.
    pub fn mean_with(&mut self, loss: Option<f64>) -> Option<f64> {
        self.0.push(loss?);
        let before = self.0.len().saturating_sub(EPOCHS);
        self.0.drain(..before);
        Some(self.0.iter().sum::<f64>() / self.0.len() as f64)
    }

    /// True before the first of them.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The best epoch and its figures.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Best {
    /// The epoch; 0 is before any update.
    pub epoch: u64,
    /// Loss on the fixed sample of the training part, in evaluation mode.
    pub train_loss: Option<f64>,
    /// Share of right answers on it.
    pub train_accuracy: Option<f64>,
    /// Loss on the validation part.
    pub val_loss: Option<f64>,
    /// The same after the best temperature; none in checkpoints from before it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub val_loss_calibrated: Option<f64>,
    /// Its mean over the last epochs.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub mean_loss_calibrated: Option<f64>,
    /// That temperature.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub temperature: Option<f64>,
    /// Share of right answers on it.
    pub val_accuracy: Option<f64>,
}

impl Best {
    /// The figures of an epoch, which follows on `recent` ones and is added to them.
    pub fn new(epoch: u64, metrics: &Metrics, recent: &mut Recent) -> Self {
        Self {
            epoch,
            train_loss: metrics.train_eval_loss,
            train_accuracy: metrics.train_accuracy,
            val_loss: metrics.val_loss,
            val_loss_calibrated: metrics.val_loss_calibrated,
            mean_loss_calibrated: recent.mean_with(metrics.val_loss_calibrated),
            temperature: metrics.temperature,
            val_accuracy: metrics.val_accuracy,
        }
    }

    /// The best of these epochs, in order; none of none.
    pub fn of(epochs: &[Metrics], monitor: Monitor, val_samples: u64) -> Option<Self> {
        let mut recent = Recent::default();
        let all = epochs.iter().map(|line| Self::new(line.epoch as u64, line, &mut recent));
        all.reduce(|best, now| if now.beats(&best, monitor, val_samples) { now } else { best })
    }

    /// True when this epoch is better than an earlier one, by a validation part of so many samples.
    /// Without one the fixed sample of the training part decides.
    pub fn beats(&self, earlier: &Best, monitor: Monitor, val_samples: u64) -> bool {
        let accuracy = |best: &Best| best.val_accuracy.or(best.train_accuracy);
        let errors = |best: &Best| {
            let share = best.val_accuracy.filter(|_| val_samples > 0);
            share.map(|share| ((1.0 - share) * val_samples as f64).round() as u64)
        };
        let is_more_right = accuracy(self) > accuracy(earlier);
        let has_lower_loss = self.loss() < earlier.loss();
        let is_far_above =
            self.loss().zip(earlier.loss()).is_some_and(|(now, then)| now > FAR_ABOVE * then);
        match monitor {
            Monitor::Auto if errors(self).min(errors(earlier)).is_some_and(|n| n < FEW_ERRORS) => {
                is_more_right || (accuracy(self) == accuracy(earlier) && has_lower_loss)
            }
            Monitor::Auto | Monitor::ValLossCalibrated if is_far_above => false,
            Monitor::Auto | Monitor::ValLossCalibrated | Monitor::ValLoss => {
                self.monitored_loss(monitor) < earlier.monitored_loss(monitor)
            }
            Monitor::ValAccuracy => is_more_right,
            Monitor::Last => true,
        }
    }

    /// The loss that the choice of an epoch, and a reduction of the learning rate on a plateau, go
    /// by.
    pub fn monitored_loss(&self, monitor: Monitor) -> Option<f64> {
        match monitor {
            Monitor::Auto => self.mean_loss_calibrated.or(self.calibrated_loss()),
            Monitor::ValLossCalibrated => self.calibrated_loss(),
            Monitor::ValLoss | Monitor::ValAccuracy | Monitor::Last => self.loss(),
        }
    }

    /// Validation loss, or without a validation part that of the fixed sample of the training part.
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

    fn best(val_loss: Option<f64>, val_accuracy: Option<f64>, train_loss: f64) -> Best {
        let train_loss = Some(train_loss);
        let (val_loss_calibrated, mean_loss_calibrated, temperature) = (None, None, None);
        let train_accuracy = Some(0.5);
        Best {
            epoch: 0,
            train_loss,
            train_accuracy,
            val_loss,
            val_loss_calibrated,
            mean_loss_calibrated,
            temperature,
            val_accuracy,
        }
    }

    #[test]
    fn the_monitor_decides_and_ties_stay_with_the_earlier() {
        let a = best(Some(0.5), Some(0.8), 0.1);
        let b = best(Some(0.4), Some(0.8), 0.2);
        assert!(b.beats(&a, Monitor::ValLoss, 100) && !a.beats(&b, Monitor::ValLoss, 100));
        let accuracy = Monitor::ValAccuracy;
        assert!(!b.beats(&a, accuracy, 100) && !a.beats(&b, accuracy, 100));
        assert!(!a.beats(&a, Monitor::ValLoss, 100));
        assert!(a.beats(&b, Monitor::Last, 100));
    }

    #[test]
    fn the_loss_after_the_best_temperature_decides_unless_hardly_any_answer_is_wrong() {
        let with = |calibrated, loss, accuracy| Best {
            val_loss_calibrated: Some(calibrated),
            ..best(Some(loss), Some(accuracy), 0.1)
        };
        // Surer than it is right, and yet the better one.
        let (sure, modest) = (with(0.4, 0.9, 0.85), with(0.5, 0.5, 0.85));
        for monitor in [Monitor::Auto, Monitor::ValLossCalibrated] {
            assert!(sure.beats(&modest, monitor, 100) && !modest.beats(&sure, monitor, 100));
        }
        assert!(modest.beats(&sure, Monitor::ValLoss, 100));
        // Of 13 samples 2 are wrong: accuracy, then the loss as it is.
        assert!(modest.beats(&sure, Monitor::Auto, 13) && !sure.beats(&modest, Monitor::Auto, 13));
        assert!(with(0.9, 0.9, 0.93).beats(&modest, Monitor::Auto, 13));
    }

    #[test]
    fn what_exploded_is_not_the_best() {
        let with = |calibrated, loss| Best {
            val_loss_calibrated: Some(calibrated),
            ..best(Some(loss), Some(0.5), 1.0)
        };
        let (start, exploded, sure) = (with(0.693, 0.693), with(0.692, 5560.0), with(0.68, 1.8));
        for monitor in [Monitor::Auto, Monitor::ValLossCalibrated] {
            assert!(!exploded.beats(&start, monitor, 100) && sure.beats(&start, monitor, 100));
        }
    }

    #[test]
    fn one_lucky_epoch_is_not_the_best() {
        let mut recent = Recent::default();
        let metrics = [0.9, 0.6, 0.3, 0.6, 0.5, 0.35].map(|loss| Metrics {
            val_loss_calibrated: Some(loss),
            val_accuracy: Some(0.5),
            ..Metrics::default()
        });
        let epochs: Vec<Best> =
            (0..).zip(&metrics).map(|(i, m)| Best::new(i, m, &mut recent)).collect();
        let means = [0.9, 0.75, 0.6, 0.5, 1.4 / 3.0, 1.45 / 3.0];
        for (epoch, mean) in epochs.iter().zip(means) {
            assert!((epoch.mean_loss_calibrated.unwrap() - mean).abs() < 1e-12);
        }
        let best = |monitor| {
            let better =
                |best: Best, now: &Best| if now.beats(&best, monitor, 100) { *now } else { best };
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
