//! Have both losses come to rest, since when, and is that low enough?

use klubok_train::event::Evidence;

use super::{
    evidence::evidence,
    row::Row,
    series::{mean, noise, smooth},
};

/// Epochs that must be at rest.
const SHORTEST: usize = 6;
/// Of all epochs, the share that must be.
const SHARE: f64 = 0.25;
/// Rest: from the first to the second half of those epochs the validation loss changes by less than
/// this share of it, and the training loss by less than four times this.
const REST: f64 = 0.005;
/// High: this share of the loss before training, or of the first epoch's loss where the former is
/// not known.
const HIGH: (f64, f64) = (0.75, 0.8);
/// Without knowing the loss before training: a loss below this is not called high. Guessing one of
/// two classes gives 0.69.
const HIGH_AT_LEAST: f64 = 0.5;
/// Nobody calls this share of right answers under-fitting.
const GOOD_ACCURACY: f64 = 0.9;

/// A course that has come to rest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Flat {
    pub(super) since: f64,
    pub(super) loss: f64,
    /// The loss that it began with.
    pub(super) first: f64,
    /// The loss is hardly lower than it began.
    pub(super) high: bool,
    pub(super) certainty: f64,
}

impl Flat {
    pub(super) fn evidence(&self) -> Evidence {
        evidence(&[("loss_now", self.loss), ("loss_first", self.first)])
    }
}

/// The rest at the end of this course, if it has come to one. A rest that stands ends only with a
/// change twice as large as one that would have kept it from beginning.
pub(super) fn flat(
    epochs: &[f64],
    losses: &[f64],
    train: Option<&[f64]>,
    first: Option<Row>,
    before: Option<Flat>,
) -> Option<Flat> {
    let n = losses.len();
    let window = ((n as f64 * SHARE).ceil() as usize).max(SHORTEST);
    if n < window + 1 {
        return None;
    }
    let ease = if before.is_some() { 2.0 } else { 1.0 };
    let change = |values: &[f64]| {
        let last = &values[n - window..];
        let (early, late) = last.split_at(window / 2);
        (mean(early) - mean(late)) / mean(early).abs().max(f64::MIN_POSITIVE)
    };
    let jitter = noise(losses, 0.0) / losses[n - 1].abs().max(f64::MIN_POSITIVE);
    let rests = change(losses).abs() < ease * REST.max(jitter);
    let train_rests = train.is_none_or(|train| {
        let change = change(train);
        change.is_nan() || change.abs() < 4.0 * ease * REST
    });
    if !(rests && train_rests) {
        return None;
    }
    let loss = mean(&losses[n - window / 2..]);
    let band = loss.abs() * 3.0 * REST.max(jitter);
    let smoothed = smooth(losses, 1);
    let mut since = n - window;
    while since > 0 && (smoothed[since - 1] - loss).abs() < band {
        since -= 1;
    }
    let train_loss = train.map_or(loss, |train| mean(&train[n - window / 2..]));
    let (first_loss, high) =
        height(first, if train_loss.is_nan() { loss } else { train_loss }, loss);
    let certainty = (1.0 - window as f64 / (2.0 * (n - since) as f64)).clamp(0.5, 0.95);
    Some(Flat { since: epochs[since], loss, first: first_loss, high, certainty })
}

/// The loss at the beginning, and whether this is hardly lower.
fn height(first: Option<Row>, train: f64, loss: f64) -> (f64, bool) {
    let began = first.and_then(|row| row.train_loss.or(row.val_loss)).unwrap_or(f64::NAN);
    let high = match first {
        Some(row) if row.untrained => train > HIGH.0 * began,
        Some(_) => train > HIGH.1 * began && train > HIGH_AT_LEAST,
        None => false,
    };
    // A large gap between the losses is over-fitting at rest, not under-fitting.
    (began, high && loss < 1.5 * train)
}

/// True when so many answers are right that a high loss is no under-fitting.
pub(super) fn is_good(accuracy: Option<f64>) -> bool {
    accuracy.is_some_and(|accuracy| accuracy >= GOOD_ACCURACY)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(losses: &[f64], first: f64, untrained: bool) -> Option<Flat> {
        let epochs: Vec<f64> = (0..losses.len()).map(|e| e as f64).collect();
        let row = Row { train_loss: Some(first), untrained, ..Row::default() };
        flat(&epochs, losses, Some(losses), Some(row), None)
    }

    #[test]
    fn rest_is_dated_to_where_it_began() {
        let mut losses: Vec<f64> = (0..10).map(|i| 1.0 - 0.07 * f64::from(i)).collect();
        assert_eq!(of(&losses, 1.0, true), None);
        losses.extend([0.3; 10]);
        let flat = of(&losses, 1.0, true).unwrap();
        assert!((9.0..=11.0).contains(&flat.since) && !flat.high, "{flat:?}");
    }

    #[test]
    fn a_loss_that_stays_where_it_began_is_high() {
        assert!(of(&[0.69; 10], 0.693, true).unwrap().high);
        assert!(of(&[2.1; 10], 2.3, false).unwrap().high);
        assert!(!of(&[0.3; 10], 0.32, false).unwrap().high, "low, whatever came before");
    }
}
