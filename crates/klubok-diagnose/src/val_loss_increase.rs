//! Finds an increase of the validation loss while the training loss decreases.
//!
//! Smooths the validation loss over a window that grows with its length; the minimum is the
//! candidate. An increase counts if it exceeds what jitter and chance explain together:
//!
//! - jitter from epoch to epoch, estimated from the second differences of the curve itself;
//! - sampling: another validation set of `n` samples would give another increase. Two epochs are
//!   compared on the same samples, so the standard deviation of their *changes* counts. Measured on
//!   networks for pictures and tables it is a tenth of the mean loss from one epoch to the next,
//!   and three tenths and more later.
//!
//! The loss is the uncalibrated one: memorising increases it first, through the confidences. The
//! calibrated loss, where known, and the accuracy show whether the predictions get worse too: see
//! [`ValLossIncrease::improves`].
//!
//! Compare Prechelt 1998, "Early Stopping - But When?": its generalisation loss GL is the relative
//! increase here. Instead of a fixed threshold, the increase must exceed a multiple of its standard
//! error.

use super::series::{argmin, mean, median, robust_jitter, smooth};

/// An increase must exceed this number of standard errors.
const MIN_STANDARD_ERRORS: f64 = 1.75;
/// The epoch before must also exceed the minimum, by this number of standard errors.
const MIN_STANDARD_ERRORS_BEFORE: f64 = 0.5;
/// A smaller relative increase does not count.
const MIN_INCREASE: f64 = 0.007;
/// A smaller relative increase does not count where the training loss is unknown.
const MIN_INCREASE_WITHOUT_TRAIN: f64 = 0.03;
/// Smallest relative decrease of the training loss.
const MIN_TRAIN_DECREASE: f64 = 0.005;
/// Smallest relative decrease of the calibrated loss that counts as an improvement.
const MIN_CALIBRATED_DECREASE: f64 = 0.02;
/// Relative jitter that is assumed until it can be measured.
const PRIOR_JITTER: f64 = 0.003;
/// Neighbouring epochs are correlated: this share of the jitter's variance accumulates every epoch.
const DRIFT: f64 = 0.03;
/// Standard deviation of the samples' changes after nine epochs, as a share of the mean loss.
const CHANGE_DEVIATION: f64 = 0.15;
/// Assumed size of a validation set of unknown size.
const DEFAULT_SAMPLES: f64 = 500.0;

/// Both loss curves up to now, one value per validated epoch.
#[derive(Debug, Clone, Default)]
pub(super) struct LossCurves {
    pub(super) epochs: Vec<f64>,
    /// NaN where unknown.
    pub(super) train: Vec<f64>,
    pub(super) val: Vec<f64>,
    /// Validation losses after temperature scaling; NaN where unknown.
    pub(super) calibrated: Vec<f64>,
    /// Validation accuracies; NaN where unknown.
    pub(super) accuracy: Vec<f64>,
}

/// An increase of the validation loss above its minimum.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct ValLossIncrease {
    /// Index of the minimum in the curves.
    pub(super) at: usize,
    /// Validation loss at the minimum.
    pub(super) base: f64,
    /// Validation loss now.
    pub(super) now: f64,
    /// The increase in standard errors.
    pub(super) errors: f64,
    /// Training loss at the minimum and now.
    pub(super) train: Option<(f64, f64)>,
    /// Accuracy at the minimum and now.
    pub(super) accuracy: Option<(f64, f64)>,
    /// Calibrated validation loss at the minimum and now.
    pub(super) calibrated: Option<(f64, f64)>,
    /// True when the accuracy increases or the calibrated loss decreases, by more than chance
    /// explains: only the confidences get worse.
    pub(super) improves: bool,
}

impl ValLossIncrease {
    /// The increase as a share of the loss at the minimum.
    pub(super) fn relative(&self) -> f64 {
        (self.now - self.base) / self.base.abs()
    }

    /// Confidence in the increase: 0.43 at the threshold, 0.86 at five standard errors, towards 1.
    pub(super) fn certainty(&self) -> f64 {
        1.0 / (1.0 + 4.0 / (self.errors * self.errors))
    }
}

/// Finds an increase of the validation loss at the end of the curves. Hysteresis: with `stands`, an
/// increase that was found before, the thresholds are a third.
pub(super) fn find_val_loss_increase(
    curves: &LossCurves,
    samples: Option<u64>,
    stands: bool,
) -> Option<ValLossIncrease> {
    let n = curves.val.len();
    let smoothed = smooth(&curves.val, half(n));
    let at = argmin(&smoothed)?;
    let since = n - 1 - at;
    if since < 2 {
        return None;
    }
    let base = mean(&curves.val[at.saturating_sub(1)..at + 2]).max(smoothed[at]);
    let last = since.min(3);
    let now = level(&curves.val[n - last..]);
    let samples = samples.map_or(DEFAULT_SAMPLES, |n| n as f64).max(1.0);
    let error = standard_error(&curves.val[at.saturating_sub(8)..], since, base, samples);
    let errors = (now - base) / error;
    let train = at_minimum_and_end(&curves.train, at, last);
    let (train_decreases, min_increase) = match train {
        Some((then, now)) => {
            let jitter = robust_jitter(&curves.train[at.saturating_sub(8)..], 0.0);
            let chance = jitter * (1.0 / last as f64 + 1.0 / 3.0).sqrt();
            (then - now > chance.max(MIN_TRAIN_DECREASE * then.abs()), MIN_INCREASE)
        }
        None => (true, MIN_INCREASE_WITHOUT_TRAIN),
    };
    // One bad epoch does not count: the epoch before must exceed the minimum too.
    let before = level(&curves.val[(n - 1 - last).max(at + 1)..n - 1]);
    let lasts = since < 3 || before - base > MIN_STANDARD_ERRORS_BEFORE * error;
    let hysteresis = if stands { 3.0 } else { 1.0 };
    let increases = errors > MIN_STANDARD_ERRORS / hysteresis
        && now - base > min_increase / hysteresis * base.abs();
    if !increases || !(train_decreases && lasts || stands) {
        return None;
    }
    let accuracy = at_minimum_and_end(&curves.accuracy, at, last);
    let calibrated = at_minimum_and_end(&curves.calibrated, at, last);
    let calibrated_decreases = calibrated.is_some_and(|(then, now)| {
        let error =
            standard_error(&curves.calibrated[at.saturating_sub(8)..], since, then, samples);
        let min_decrease = (MIN_STANDARD_ERRORS * error).max(MIN_CALIBRATED_DECREASE * then.abs());
        // A loss that decreased and increased again no longer improves.
        let lowest = smooth(&curves.calibrated[at..], 1).into_iter().fold(then, f64::min);
        then - now > min_decrease && now - lowest < min_decrease
    });
    let improves = calibrated_decreases || accuracy_increases(&curves.accuracy, at, samples);
    Some(ValLossIncrease { at, base, now, errors, train, accuracy, calibrated, improves })
}

/// Standard error of the change of a loss from its minimum to the last epochs.
fn standard_error(losses: &[f64], since: usize, base: f64, samples: f64) -> f64 {
    let jitter = robust_jitter(losses, PRIOR_JITTER * base.abs());
    let drift = 1.0 / since.min(3) as f64 + 1.0 / 3.0 + DRIFT * since as f64;
    let change = (CHANGE_DEVIATION * base).powi(2) * since.min(9) as f64 / 9.0;
    (jitter * jitter * drift + change / samples).sqrt()
}

/// Level of the last few values: their median, which is the mean for two.
fn level(values: &[f64]) -> f64 {
    median(&mut values.to_vec())
}

/// True if the accuracy has increased since the minimum, by more than jitter and the size of the
/// validation set explain, and still increases.
fn accuracy_increases(accuracy: &[f64], at: usize, samples: f64) -> bool {
    let last = ((accuracy.len() - at) / 3).max(1);
    let (earlier, late) = accuracy.split_at(accuracy.len() - last);
    let then = mean_of_finite(&accuracy[at.saturating_sub(1)..at + 2]);
    let middle = mean_of_finite(&earlier[earlier.len() - last..]);
    let jitter = robust_jitter(accuracy, 0.002);
    // Both epochs count the same samples, which cancels about half of the standard deviation.
    let chance = 0.5 * (then * (1.0 - then) / samples).max(0.0).sqrt();
    let min_increase = (2.0 * jitter).max(chance).max(0.005);
    let late = mean_of_finite(late);
    late - then > min_increase && late - middle > (jitter * (2.0 / last as f64).sqrt()).max(0.001)
}

/// Half the width of the smoothing window, which covers an eighth of the curve.
pub(super) fn half(n: usize) -> usize {
    ((n as f64 / 16.0).round() as usize).clamp(1, 8)
}

/// Mean of the finite values; NaN if there are none.
fn mean_of_finite(values: &[f64]) -> f64 {
    let known: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    mean(&known)
}

/// Means of a figure around index `at` and over the `last` epochs, if both have finite values.
fn at_minimum_and_end(values: &[f64], at: usize, last: usize) -> Option<(f64, f64)> {
    let then = mean_of_finite(&values[at.saturating_sub(1)..at + 2]);
    let now = mean_of_finite(&values[values.len() - last..]);
    (then.is_finite() && now.is_finite()).then_some((then, now))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curves(val: &[f64], train: &[f64]) -> LossCurves {
        LossCurves {
            epochs: (1..=val.len()).map(|e| e as f64).collect(),
            train: train.to_vec(),
            val: val.to_vec(),
            calibrated: vec![f64::NAN; val.len()],
            accuracy: vec![f64::NAN; val.len()],
        }
    }

    fn decreasing(n: usize) -> Vec<f64> {
        (0..n).map(|i| 0.9f64.powi(i as i32)).collect()
    }

    #[test]
    fn finds_a_clear_increase_at_its_minimum() {
        let val = [1.0, 0.8, 0.7, 0.66, 0.65, 0.66, 0.68, 0.71, 0.74, 0.77];
        let curves = curves(&val, &decreasing(10));
        let increase = find_val_loss_increase(&curves, Some(1000), false).unwrap();
        assert_eq!(increase.at, 4);
        assert!(increase.certainty() > 0.8 && increase.relative() > 0.05, "{increase:?}");
    }

    #[test]
    fn ignores_an_increase_within_the_sampling_error() {
        let val = [0.75, 0.70, 0.67, 0.66, 0.66, 0.664, 0.669, 0.674, 0.68];
        let curves = curves(&val, &decreasing(9));
        let found = |samples| find_val_loss_increase(&curves, Some(samples), false).is_some();
        assert!(found(5000) && !found(40));
    }

    #[test]
    fn needs_a_decreasing_or_unknown_training_loss() {
        let val = [0.75, 0.7, 0.67, 0.65, 0.65, 0.67, 0.7, 0.74, 0.78];
        let find = |train: &[f64]| find_val_loss_increase(&curves(&val, train), Some(1000), false);
        assert_eq!(find(&val), None);
        assert!(find(&[f64::NAN; 9]).is_some_and(|increase| increase.train.is_none()));
        // The training loss of the last epoch is missing, and increased before.
        assert_eq!(find(&[&val[..8], &[f64::NAN]].concat()), None);
    }

    #[test]
    fn improves_only_while_the_accuracy_still_increases() {
        let val = [1.0, 0.8, 0.7, 0.65, 0.66, 0.7, 0.75, 0.8, 0.86, 0.92];
        let improves = |last: [f64; 4]| {
            let mut curves = curves(&val, &decreasing(10));
            curves.accuracy = [&[0.5, 0.6, 0.65, 0.7, 0.71, 0.72][..], &last].concat();
            find_val_loss_increase(&curves, Some(2000), false).unwrap().improves
        };
        assert!(improves([0.73, 0.74, 0.75, 0.76]));
        assert!(!improves([0.72; 4]) && !improves([0.71, 0.70, 0.69, 0.68]));
    }

    #[test]
    fn improves_while_the_calibrated_loss_decreases() {
        let val = [1.0, 0.8, 0.7, 0.65, 0.66, 0.7, 0.75, 0.8, 0.86, 0.92];
        let improves = |decrease: f64, samples| {
            let mut curves = curves(&val, &decreasing(10));
            curves.calibrated = (0..10).map(|i| 0.64 * (1.0 - decrease).powi(i - 3)).collect();
            find_val_loss_increase(&curves, Some(samples), false).unwrap().improves
        };
        assert!(improves(0.02, 2000) && !improves(0.0, 2000) && !improves(-0.02, 2000));
        assert!(!improves(0.02, 4), "chance explains it on so few samples");
    }

    #[test]
    fn a_standing_increase_ends_at_lower_thresholds() {
        let mut val = vec![0.8, 0.7, 0.66, 0.65, 0.66, 0.67, 0.68, 0.67];
        val.extend([0.66; 4]);
        let curves = curves(&val, &decreasing(12));
        let found = |stands| find_val_loss_increase(&curves, Some(2000), stands).is_some();
        assert!(!found(false) && found(true));
    }
}
