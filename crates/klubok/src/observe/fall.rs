//! Does the loss fall at one pace from its beginning to its end?
//!
//! Near its start a network is a linear model of its weights: in small steps the loss falls by the
//! learning rate times the square of the gradient, which stays what it is until something is learnt
//! (Jacot et al. 2018; Lee et al. 2019). A loss that still falls at its first pace has hardly left
//! its start: larger steps are what is missing, and however slow it is, it has not come to rest.

use super::series::{noise, slope};

/// Epochs that must have been seen: as many as rest asks for, so that a slow fall is never called
/// one.
const ENOUGH: usize = 7;
/// Pace of the last third over that of the first third from which the fall is called even.
const EVEN: f64 = 0.6;
/// The loss is above this share of the first one: what has learnt more has left its start.
const NEAR_START: f64 = 0.5;
/// So many times its jitter the loss must have fallen.
const SURELY: f64 = 5.0;

/// An even fall, in loss an epoch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct EvenFall {
    pub(super) since: f64,
    pub(super) early: f64,
    pub(super) late: f64,
}

/// The even fall that this course is, if it is one.
pub(super) fn even_fall(epochs: &[f64], losses: &[f64]) -> Option<EvenFall> {
    let n = losses.len();
    if n < ENOUGH {
        return None;
    }
    let third = n / 3;
    let early = -slope(&epochs[..=third], &losses[..=third]);
    let late = -slope(&epochs[n - third - 1..], &losses[n - third - 1..]);
    let fell = losses[0] - losses[n - 1];
    let even = early > 0.0 && late > EVEN * early;
    let surely = fell > SURELY * noise(losses, 0.0) && fell < NEAR_START * losses[0];
    (even && surely).then_some(EvenFall { since: epochs[0], early, late })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(losses: &[f64]) -> Option<EvenFall> {
        let epochs: Vec<f64> = (0..losses.len()).map(|epoch| epoch as f64).collect();
        even_fall(&epochs, losses)
    }

    #[test]
    fn a_line_is_even_however_flat_and_a_curve_is_not() {
        let line: Vec<f64> = (0..12).map(|i| 1.1 - 1e-4 * f64::from(i)).collect();
        let fall = of(&line).unwrap();
        assert!((fall.early - 1e-4).abs() < 1e-9 && (fall.late - 1e-4).abs() < 1e-9, "{fall:?}");
        let curve: Vec<f64> = (0..12).map(|i| 0.6 + 0.5 * (-f64::from(i)).exp()).collect();
        assert_eq!(of(&curve), None);
        assert_eq!(of(&line[..6]), None, "too short to tell");
    }

    #[test]
    fn jitter_about_one_level_and_a_fall_far_from_the_start_are_none() {
        let jitter: Vec<f64> = (0..12).map(|i| 1.1 + 1e-3 * f64::from(i * 7 % 5)).collect();
        assert_eq!(of(&jitter), None);
        let far: Vec<f64> = (0..12).map(|i| 1.1 - 0.09 * f64::from(i)).collect();
        assert_eq!(of(&far), None);
    }
}
