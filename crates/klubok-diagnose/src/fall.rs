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

/// Of all epochs, the share in which a loss that creeps falls.
const MOSTLY: f64 = 0.8;
/// A loss that creeps has fallen by less than this share of it,
const CREPT: f64 = 0.1;
/// and of that more than this share in the last third: a cosine schedule leaves a tenth for it.
const LATE: f64 = 0.05;

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

/// True where the loss falls epoch after epoch, to the end, and has yet hardly left its start:
/// whatever the schedule, one step hardly mattered. Large steps that lead nowhere jump about
/// instead, and what has come to rest falls at its beginning only.
pub(super) fn creeps(losses: &[f64]) -> bool {
    let [first, .., last] = losses else { return false };
    if losses.len() <= ENOUGH {
        return false;
    }
    let falls = losses.windows(2).filter(|pair| pair[1] < pair[0]).count();
    let mostly = falls as f64 >= MOSTLY * (losses.len() - 1) as f64;
    let fell = first - last;
    let late = losses[losses.len() - 1 - losses.len() / 3] - last;
    let surely = fell > SURELY * noise(losses, 0.0) && fell < CREPT * first;
    mostly && surely && late > LATE * fell
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
    fn a_loss_creeps_that_falls_a_little_every_epoch() {
        // As a cosine schedule slows it down.
        let slowed = |size: f64| -> Vec<f64> {
            (0..20).map(|i| 0.7 - size * (f64::from(i) / 13.0).sin()).collect()
        };
        assert!(creeps(&slowed(0.01)) && !creeps(&slowed(0.1)));
        let mut jumps = slowed(0.01);
        jumps.iter_mut().step_by(2).for_each(|loss| *loss += 0.01);
        assert!(!creeps(&jumps));
        let rests: Vec<f64> = (1..=20).map(|i| 0.69 + 0.01 / f64::from(i)).collect();
        assert!(!creeps(&rests), "it fell at its beginning only");
        assert!(!creeps(&[0.7, 0.69, 0.68]), "too short to tell");
    }

    #[test]
    fn jitter_about_one_level_and_a_fall_far_from_the_start_are_none() {
        let jitter: Vec<f64> = (0..12).map(|i| 1.1 + 1e-3 * f64::from(i * 7 % 5)).collect();
        assert_eq!(of(&jitter), None);
        let far: Vec<f64> = (0..12).map(|i| 1.1 - 0.09 * f64::from(i)).collect();
        assert_eq!(of(&far), None);
    }
}
