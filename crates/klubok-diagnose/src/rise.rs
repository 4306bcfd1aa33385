//! Does the validation loss rise while the training loss falls, and since when?
//!
//! The course is smoothed over a window that grows with its length; its minimum is the candidate. A
//! rise counts when it is larger than noise and chance together explain. Two sources of chance are
//! known:
//!
//! - jitter from epoch to epoch, measured on the course itself by its second differences;
//! - the validation part is a sample: another one of `n` would give another rise. Between two
//!   epochs the losses of the same samples are compared, so what counts is the deviation of their
//!   *changes*. It was measured on networks for pictures and tables: a tenth of the mean loss from
//!   one epoch to the next, three tenths and more later.
//!
//! The loss that rises is the one as the network has it: memorising grows it first, in confidence.
//! Whether the answers themselves get worse is asked of the loss after the best temperature, where
//! that is known, and of the accuracy: see [`Rise::improves`].
//!
//! Compare Prechelt 1998, "Early Stopping - But When?": its generalisation loss GL is our relative
//! rise; that it must exceed a multiple of its standard error takes the place of a fixed threshold.

use super::series::{lowest, mean, median, noise, smooth};

/// Standard errors that a rise must exceed.
const ERRORS: f64 = 1.75;
/// Standard errors by which the epoch before must have been above the minimum.
const BEFORE: f64 = 0.5;
/// The rise that nobody minds, as a share of the loss.
const LEAST: f64 = 0.007;
/// The same where no training loss is known that would have to fall.
const LEAST_ALONE: f64 = 0.03;
/// The training loss must have fallen by this share.
const FALL: f64 = 0.005;
/// The fall after the best temperature that counts, as a share of the loss.
const MENDED: f64 = 0.02;
/// Jitter that is assumed before it can be measured, as a share of the loss.
const JITTER: f64 = 0.003;
/// Jitter of neighbouring epochs is alike: the share of its variance that adds up with every epoch.
const DRIFT: f64 = 0.03;
/// Deviation of the samples' changes after nine epochs, as a share of the mean loss.
const CHANGE: f64 = 0.15;
/// Samples of a validation part of unknown size.
const SAMPLES: f64 = 500.0;

/// The course of both losses up to now, one value an epoch.
#[derive(Debug, Clone, Default)]
pub(super) struct Course {
    pub(super) epochs: Vec<f64>,
    /// NaN where not known.
    pub(super) train: Vec<f64>,
    pub(super) val: Vec<f64>,
    /// Validation losses after the best temperature; NaN where not known.
    pub(super) calibrated: Vec<f64>,
    /// NaN where not known.
    pub(super) accuracy: Vec<f64>,
}

/// A rise of the validation loss.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rise {
    /// Place of the minimum in the course.
    pub(super) at: usize,
    /// Validation loss there.
    pub(super) base: f64,
    /// Validation loss now.
    pub(super) now: f64,
    /// The rise in standard errors.
    pub(super) errors: f64,
    /// Training loss at the minimum, and now.
    pub(super) train: Option<(f64, f64)>,
    /// Accuracy at the minimum and now.
    pub(super) accuracy: Option<(f64, f64)>,
    /// Validation loss after the best temperature, at the minimum and now.
    pub(super) calibrated: Option<(f64, f64)>,
    /// True when more answers get right, or the loss falls once a temperature has mended how sure
    /// they are, and more than chance explains.
    pub(super) improves: bool,
}

impl Rise {
    /// The rise as a share of the loss at the minimum.
    pub(super) fn share(&self) -> f64 {
        (self.now - self.base) / self.base.abs()
    }

    /// How sure a rise of so many standard errors is: 0.43 at the threshold, 0.86 at five, towards
    /// 1.
    pub(super) fn certainty(&self) -> f64 {
        1.0 / (1.0 + 4.0 / (self.errors * self.errors))
    }
}

/// The rise of the validation loss at the end of this course, if there is one. What `stands`
/// already ends only when little of it is left.
pub(super) fn rise(course: &Course, samples: Option<u64>, stands: bool) -> Option<Rise> {
    let n = course.val.len();
    let smoothed = smooth(&course.val, half(n));
    let at = lowest(&smoothed)?;
    let since = n - 1 - at;
    if since < 2 {
        return None;
    }
    let base = mean(&course.val[at.saturating_sub(1)..at + 2]).max(smoothed[at]);
    let last = since.min(3);
    let now = level(&course.val[n - last..]);
    let samples = samples.map_or(SAMPLES, |n| n as f64).max(1.0);
    let error = standard_error(&course.val[at.saturating_sub(8)..], since, base, samples);
    let errors = (now - base) / error;
    let train = fall(&course.train, at, last);
    let (fell, least) = match train {
        Some((then, now)) => {
            let jitter = noise(&course.train[at.saturating_sub(8)..], 0.0);
            let chance = jitter * (1.0 / last as f64 + 1.0 / 3.0).sqrt();
            (then - now > chance.max(FALL * then.abs()), LEAST)
        }
        None => (true, LEAST_ALONE),
    };
    // One bad epoch is no rise: the epoch before must have been above the minimum too.
    let before = level(&course.val[(n - 1 - last).max(at + 1)..n - 1]);
    let lasts = since < 3 || before - base > BEFORE * error;
    let ease = if stands { 3.0 } else { 1.0 };
    let rises = errors > ERRORS / ease && now - base > least / ease * base.abs();
    if !rises || !(fell && lasts || stands) {
        return None;
    }
    let accuracy = fall(&course.accuracy, at, last);
    let calibrated = fall(&course.calibrated, at, last);
    let recalibrated = calibrated.is_some_and(|(then, now)| {
        let error =
            standard_error(&course.calibrated[at.saturating_sub(8)..], since, then, samples);
        let told = (ERRORS * error).max(MENDED * then.abs());
        // What fell and has risen again since improves no more.
        let lowest = smooth(&course.calibrated[at..], 1).into_iter().fold(then, f64::min);
        then - now > told && now - lowest < told
    });
    let improves = recalibrated || accuracy_rises(&course.accuracy, at, samples);
    Some(Rise { at, base, now, errors, train, accuracy, calibrated, improves })
}

/// Standard error of the change of a loss from its level at a minimum to the last epochs.
fn standard_error(losses: &[f64], since: usize, base: f64, samples: f64) -> f64 {
    let jitter = noise(losses, JITTER * base.abs());
    let drift = 1.0 / since.min(3) as f64 + 1.0 / 3.0 + DRIFT * since as f64;
    let change = (CHANGE * base).powi(2) * since.min(9) as f64 / 9.0;
    (jitter * jitter * drift + change / samples).sqrt()
}

/// Where the last few values are: their median, of two their mean.
fn level(values: &[f64]) -> f64 {
    median(&mut values.to_vec())
}

/// Does the accuracy rise since the minimum, more than jitter and the size of the validation part
/// explain, and has it not come to rest since?
fn accuracy_rises(accuracy: &[f64], at: usize, samples: f64) -> bool {
    let last = ((accuracy.len() - at) / 3).max(1);
    let (earlier, late) = accuracy.split_at(accuracy.len() - last);
    let then = of_known(&accuracy[at.saturating_sub(1)..at + 2]);
    let middle = of_known(&earlier[earlier.len() - last..]);
    let jitter = noise(accuracy, 0.002);
    // The same samples are counted at both moments: about half of the deviation of a share cancels
    // out.
    let chance = 0.5 * (then * (1.0 - then) / samples).max(0.0).sqrt();
    let least = (2.0 * jitter).max(chance).max(0.005);
    let late = of_known(late);
    late - then > least && late - middle > (jitter * (2.0 / last as f64).sqrt()).max(0.001)
}

/// Half of the window: an eighth of the course in all.
pub(super) fn half(n: usize) -> usize {
    ((n as f64 / 16.0).round() as usize).clamp(1, 8)
}

/// The mean of those values that are known; NaN where none is.
fn of_known(values: &[f64]) -> f64 {
    let known: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    mean(&known)
}

/// A figure around a place and at the end, of those epochs that have one; none where none of them
/// has.
fn fall(values: &[f64], at: usize, last: usize) -> Option<(f64, f64)> {
    let then = of_known(&values[at.saturating_sub(1)..at + 2]);
    let now = of_known(&values[values.len() - last..]);
    (then.is_finite() && now.is_finite()).then_some((then, now))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn course(val: &[f64], train: &[f64]) -> Course {
        Course {
            epochs: (1..=val.len()).map(|e| e as f64).collect(),
            train: train.to_vec(),
            val: val.to_vec(),
            calibrated: vec![f64::NAN; val.len()],
            accuracy: vec![f64::NAN; val.len()],
        }
    }

    fn falling(n: usize) -> Vec<f64> {
        (0..n).map(|i| 0.9f64.powi(i as i32)).collect()
    }

    #[test]
    fn a_clear_rise_is_found_at_its_minimum() {
        let val = [1.0, 0.8, 0.7, 0.66, 0.65, 0.66, 0.68, 0.71, 0.74, 0.77];
        let rise = rise(&course(&val, &falling(10)), Some(1000), false).unwrap();
        assert_eq!(rise.at, 4);
        assert!(rise.certainty() > 0.8 && rise.share() > 0.05, "{rise:?}");
    }

    #[test]
    fn a_rise_that_few_samples_explain_is_none() {
        let val = [0.75, 0.70, 0.67, 0.66, 0.66, 0.664, 0.669, 0.674, 0.68];
        let of = |samples| rise(&course(&val, &falling(9)), Some(samples), false).is_some();
        assert!(of(5000) && !of(40));
    }

    #[test]
    fn a_rise_of_both_losses_is_no_over_fitting() {
        let val = [0.75, 0.7, 0.67, 0.65, 0.65, 0.67, 0.7, 0.74, 0.78];
        assert_eq!(rise(&course(&val, &val), Some(1000), false), None);
        let alone = rise(&course(&val, &[f64::NAN; 9]), Some(1000), false);
        assert!(alone.is_some_and(|rise| rise.train.is_none()));
        // Nor does it fall where the last epoch has none.
        let torn = [&val[..8], &[f64::NAN]].concat();
        assert_eq!(rise(&course(&val, &torn), Some(1000), false), None);
    }

    #[test]
    fn an_accuracy_that_still_rises_is_told_from_one_that_has_come_to_rest() {
        let val = [1.0, 0.8, 0.7, 0.65, 0.66, 0.7, 0.75, 0.8, 0.86, 0.92];
        let of = |last: [f64; 4]| {
            let mut course = course(&val, &falling(10));
            course.accuracy = [&[0.5, 0.6, 0.65, 0.7, 0.71, 0.72][..], &last].concat();
            rise(&course, Some(2000), false).unwrap().improves
        };
        assert!(of([0.73, 0.74, 0.75, 0.76]));
        assert!(!of([0.72; 4]) && !of([0.71, 0.70, 0.69, 0.68]));
    }

    #[test]
    fn a_loss_that_a_temperature_brings_down_still_improves() {
        let val = [1.0, 0.8, 0.7, 0.65, 0.66, 0.7, 0.75, 0.8, 0.86, 0.92];
        let of = |fall: f64, samples| {
            let mut course = course(&val, &falling(10));
            course.calibrated = (0..10).map(|i| 0.64 * (1.0 - fall).powi(i - 3)).collect();
            rise(&course, Some(samples), false).unwrap().improves
        };
        assert!(of(0.02, 2000) && !of(0.0, 2000) && !of(-0.02, 2000));
        assert!(!of(0.02, 4), "so few samples show it by chance");
    }

    #[test]
    fn what_stands_ends_only_when_little_is_left() {
        let mut val = vec![0.8, 0.7, 0.66, 0.65, 0.66, 0.67, 0.68, 0.67];
        val.extend([0.66; 4]);
        let course = course(&val, &falling(12));
        assert!(
            rise(&course, Some(2000), false).is_none() && rise(&course, Some(2000), true).is_some()
        );
    }
}
