//! Finds a network that learns its training samples and nothing that helps on held-out samples, as
//! if the labels had been shuffled.

use klubok_train::event::Metrics;

use super::evidence::{Finding, evidence};

/// Training loss as a share of chance level: the network may memorise below the first number, and
/// does memorise below the second.
const MEMORISED_SHARE: (f64, f64) = (0.9, 0.7);
/// A validation loss below this share of chance level shows learning.
const LEARNED_SHARE: f64 = 0.99;
/// The validation accuracy must be significantly below this share of the way from chance level to
/// 1.
const MAX_ACCURACY_GAIN: f64 = 0.2;
/// A validation accuracy this many standard errors above chance level shows learning. The number is
/// high because every epoch is tested.
const MIN_STANDARD_ERRORS: f64 = 3.0;
/// 97.5 % quantile of the normal distribution.
const NORMAL_QUANTILE: f64 = 1.96;

/// Chance level on the validation set, and the lowest validation loss so far.
#[derive(Debug, Clone)]
pub(super) struct ChanceLevel {
    samples: f64,
    /// Entropy of the classes: the loss of always predicting their shares.
    loss: f64,
    /// Share of the most frequent class.
    pub(super) accuracy: f64,
    lowest: f64,
}

impl ChanceLevel {
    /// Chance level for this number of samples of each class; none without samples or with one
    /// class.
    pub(super) fn new(classes: &[u64]) -> Option<Self> {
        let samples = classes.iter().sum::<u64>() as f64;
        // Sorted, so that the order of the classes does not change the bits of the sum.
        let mut classes = classes.to_vec();
        classes.sort_unstable();
        let shares = || classes.iter().filter(|&&n| n > 0).map(|&n| n as f64 / samples);
        let loss = shares().map(|share| -share * share.ln()).sum();
        let accuracy = shares().fold(0.0, f64::max);
        (loss > 0.0).then_some(Self { samples, loss, accuracy, lowest: f64::INFINITY })
    }

    /// Records the validation loss.
    pub(super) fn record(&mut self, metrics: &Metrics) {
        self.lowest = metrics.val_loss.map_or(self.lowest, |loss| loss.min(self.lowest));
    }

    /// Holds when the network memorises its training samples and stays at chance level on the
    /// validation set, which must be large enough to show it.
    ///
    /// Networks fit random labels, and their training loss then tells nothing about held-out
    /// samples (Zhang et al. 2017).
    pub(super) fn shuffled(&self, metrics: &Metrics) -> Finding {
        let (Some(train), Some(accuracy)) = (metrics.train_eval_loss, metrics.val_accuracy) else {
            return Finding::No;
        };
        let error = (accuracy * (1.0 - accuracy) / self.samples).sqrt();
        let max_accuracy = self.accuracy + MAX_ACCURACY_GAIN * (1.0 - self.accuracy);
        let generalises = self.lowest < LEARNED_SHARE * self.loss
            || accuracy - MIN_STANDARD_ERRORS * error > self.accuracy
            || accuracy + NORMAL_QUANTILE * error > max_accuracy;
        if generalises || train > MEMORISED_SHARE.0 * self.loss {
            return Finding::No;
        }
        if train > MEMORISED_SHARE.1 * self.loss {
            return Finding::Undecided;
        }
        Finding::Holds(evidence(&[
            ("train_loss_chance", self.loss),
            ("train_loss_now", train),
            ("val_loss_lowest", self.lowest),
            ("val_accuracy", accuracy),
            ("val_samples", self.samples),
            ("chance", self.accuracy),
        ]))
    }
}
