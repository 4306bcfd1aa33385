//! Is anything that the network learns of use on samples that it was not trained on?

use klubok_train::event::Metrics;

use super::evidence::{Finding, evidence};

/// The training loss is below this share of what guessing gives: it may be learning by heart, it
/// surely is.
const LEARNT: (f64, f64) = (0.9, 0.7);
/// A validation loss that was never below this share of what guessing gives.
const NO_USE: f64 = 0.99;
/// Of the way from guessing to all answers right, the validation accuracy has surely not made this
/// share.
const WAY: f64 = 0.2;
/// So many standard errors above guessing are surely of use; many epochs are looked at.
const SURELY: f64 = 3.0;
/// 97.5 % point of the normal distribution.
const INTERVAL: f64 = 1.96;

/// What guessing gives on the validation part, and the best that was reached there.
#[derive(Debug, Clone)]
pub(super) struct Chance {
    samples: f64,
    /// Entropy of the classes: the loss of always answering their shares.
    loss: f64,
    /// Share of the most frequent class.
    pub(super) accuracy: f64,
    lowest: f64,
}

impl Chance {
    /// Of a part with so many samples of each class; none of one with no sample, or with one class.
    pub(super) fn new(classes: &[u64]) -> Option<Self> {
        let samples = classes.iter().sum::<u64>() as f64;
        // In an order of its own: whoever counted the classes in another one gets the same bits.
        let mut classes = classes.to_vec();
        classes.sort_unstable();
        let shares = || classes.iter().filter(|&&n| n > 0).map(|&n| n as f64 / samples);
        let loss = shares().map(|share| -share * share.ln()).sum();
        let accuracy = shares().fold(0.0, f64::max);
        (loss > 0.0).then_some(Self { samples, loss, accuracy, lowest: f64::INFINITY })
    }

    /// Is told a line.
    pub(super) fn line(&mut self, line: &Metrics) {
        self.lowest = line.val_loss.map_or(self.lowest, |loss| loss.min(self.lowest));
    }

    /// What was learnt of the training samples is of no use on validation, and this is not for lack
    /// of samples.
    ///
    /// Networks learn labels at random, and their training loss then says nothing of new samples
    /// (Zhang et al. 2017).
    pub(super) fn shuffled(&self, line: &Metrics) -> Finding {
        let (Some(train), Some(accuracy)) = (line.train_eval_loss, line.val_accuracy) else {
            return Finding::No;
        };
        let error = (accuracy * (1.0 - accuracy) / self.samples).sqrt();
        let of_use = self.lowest < NO_USE * self.loss
            || accuracy - SURELY * error > self.accuracy
            || accuracy + INTERVAL * error > self.accuracy + WAY * (1.0 - self.accuracy);
        if of_use || train > LEARNT.0 * self.loss {
            return Finding::No;
        }
        if train > LEARNT.1 * self.loss {
            return Finding::Open;
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
