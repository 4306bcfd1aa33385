//! Finds a plateau at the end of the loss curves, and whether the loss is still high there.

use klubok_train::event::Evidence;

use super::{
    evidence::evidence,
    row::Row,
    series::{mean, robust_jitter, smooth},
};

/// Shortest window of epochs that must be flat.
const MIN_WINDOW: usize = 6;
/// The window as a share of all epochs.
const WINDOW_SHARE: f64 = 0.25;
/// Largest relative change of the validation loss from the first to the second half of the window.
/// The training loss may change by four times this.
const MAX_CHANGE: f64 = 0.005;
/// A loss above this share of the loss before training is high. The second number is for the first
/// epoch's loss, where the loss before training is unknown.
const HIGH_SHARE: (f64, f64) = (0.75, 0.8);
/// A smaller loss is not high if the loss before training is unknown. Chance level for two classes
/// is 0.69.
const MIN_HIGH_LOSS: f64 = 0.5;
/// A network with this accuracy does not underfit.
const GOOD_ACCURACY: f64 = 0.9;

/// A plateau at the end of the loss curves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Plateau {
    pub(super) since: f64,
    pub(super) loss: f64,
    /// The initial loss.
    pub(super) first: f64,
    /// The loss is hardly below the initial loss.
    pub(super) high: bool,
    pub(super) certainty: f64,
}

impl Plateau {
    pub(super) fn evidence(&self) -> Evidence {
        evidence(&[("loss_now", self.loss), ("loss_first", self.first)])
    }
}

/// Finds a plateau at the end of the losses. Hysteresis: a plateau that was found `before` ends
/// only at twice the change that a new one allows.
pub(super) fn find_plateau(
    epochs: &[f64],
    losses: &[f64],
    train: Option<&[f64]>,
    first: Option<Row>,
    before: Option<Plateau>,
) -> Option<Plateau> {
    let n = losses.len();
    let window = ((n as f64 * WINDOW_SHARE).ceil() as usize).max(MIN_WINDOW);
    if n < window + 1 {
        return None;
    }
    let hysteresis = if before.is_some() { 2.0 } else { 1.0 };
    let change = |values: &[f64]| {
        let last = &values[n - window..];
        let (early, late) = last.split_at(window / 2);
        (mean(early) - mean(late)) / mean(early).abs().max(f64::MIN_POSITIVE)
    };
    let jitter = robust_jitter(losses, 0.0) / losses[n - 1].abs().max(f64::MIN_POSITIVE);
    let is_flat = change(losses).abs() < hysteresis * MAX_CHANGE.max(jitter);
    let train_is_flat = train.is_none_or(|train| {
        let change = change(train);
        change.is_nan() || change.abs() < 4.0 * hysteresis * MAX_CHANGE
    });
    if !(is_flat && train_is_flat) {
        return None;
    }
    let loss = mean(&losses[n - window / 2..]);
    let band = loss.abs() * 3.0 * MAX_CHANGE.max(jitter);
    let smoothed = smooth(losses, 1);
    let mut since = n - window;
    while since > 0 && (smoothed[since - 1] - loss).abs() < band {
        since -= 1;
    }
    let train_loss = train.map_or(loss, |train| mean(&train[n - window / 2..]));
    let (first_loss, high) =
        is_high(first, if train_loss.is_nan() { loss } else { train_loss }, loss);
    let certainty = (1.0 - window as f64 / (2.0 * (n - since) as f64)).clamp(0.5, 0.95);
    Some(Plateau { since: epochs[since], loss, first: first_loss, high, certainty })
}

/// Returns the initial loss, and whether the current loss is hardly lower.
fn is_high(first: Option<Row>, train: f64, loss: f64) -> (f64, bool) {
    let initial = first.and_then(|row| row.train_loss.or(row.val_loss)).unwrap_or(f64::NAN);
    let high = match first {
        Some(row) if row.untrained => train > HIGH_SHARE.0 * initial,
        Some(_) => train > HIGH_SHARE.1 * initial && train > MIN_HIGH_LOSS,
        None => false,
    };
    // A large gap between the losses is overfitting on a plateau, not underfitting.
    (initial, high && loss < 1.5 * train)
}

/// True when the accuracy is too high for underfitting, whatever the loss.
pub(super) fn is_good(accuracy: Option<f64>) -> bool {
    accuracy.is_some_and(|accuracy| accuracy >= GOOD_ACCURACY)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(losses: &[f64], first: f64, untrained: bool) -> Option<Plateau> {
        let epochs: Vec<f64> = (0..losses.len()).map(|e| e as f64).collect();
        let row = Row { train_loss: Some(first), untrained, ..Row::default() };
        find_plateau(&epochs, losses, Some(losses), Some(row), None)
    }

    #[test]
    fn a_plateau_is_dated_to_its_first_epoch() {
        let mut losses: Vec<f64> = (0..10).map(|i| 1.0 - 0.07 * f64::from(i)).collect();
        assert_eq!(find(&losses, 1.0, true), None);
        losses.extend([0.3; 10]);
        let plateau = find(&losses, 1.0, true).unwrap();
        assert!((9.0..=11.0).contains(&plateau.since) && !plateau.high, "{plateau:?}");
    }

    #[test]
    fn a_loss_that_stays_at_its_start_is_high() {
        assert!(find(&[0.69; 10], 0.693, true).unwrap().high);
        assert!(find(&[2.1; 10], 2.3, false).unwrap().high);
        assert!(!find(&[0.3; 10], 0.32, false).unwrap().high, "below the absolute minimum");
    }
}
