//! Finds a loss that decreases at a constant slope from the first epoch to the last.
//!
//! Near initialisation a network is a linear model of its weights: each small step decreases the
//! loss by the learning rate times the squared gradient norm, which stays constant until the
//! network learns something (Jacot et al. 2018; Lee et al. 2019). A loss that keeps its first slope
//! has hardly left its start and needs larger steps. However slow, it is not on a plateau.

use super::series::{robust_jitter, slope};

/// Fewest epochs for a decision. A plateau needs as many, so a slow decrease never counts as one.
const MIN_EPOCHS: usize = 7;
/// A decrease is steady if the slope of the last third is above this share of the first third's.
const MIN_SLOPE_RATIO: f64 = 0.6;
/// The loss stays above this share of the first loss. With a lower one the network has left its
/// start.
const NEAR_START: f64 = 0.5;
/// The decrease must exceed this multiple of the jitter.
const MIN_JITTERS: f64 = 5.0;

/// A slow decrease has a lower loss in at least this share of the epochs.
const DECREASING_SHARE: f64 = 0.8;
/// A slow decrease is less than this share of the first loss.
const MAX_DECREASE: f64 = 0.1;
/// More than this share of a slow decrease falls in the last third. A cosine schedule leaves a
/// tenth for it.
const LAST_THIRD_SHARE: f64 = 0.05;

/// A steady decrease; slopes in loss per epoch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct SteadyDecrease {
    pub(super) since: f64,
    pub(super) early: f64,
    pub(super) late: f64,
}

/// Returns the slopes of the losses if they decrease steadily.
pub(super) fn find_steady_decrease(epochs: &[f64], losses: &[f64]) -> Option<SteadyDecrease> {
    let n = losses.len();
    if n < MIN_EPOCHS {
        return None;
    }
    let third = n / 3;
    let early = -slope(&epochs[..=third], &losses[..=third]);
    let late = -slope(&epochs[n - third - 1..], &losses[n - third - 1..]);
    let decrease = losses[0] - losses[n - 1];
    let steady = early > 0.0 && late > MIN_SLOPE_RATIO * early;
    let significant = decrease > MIN_JITTERS * robust_jitter(losses, 0.0);
    let near_start = decrease < NEAR_START * losses[0];
    (steady && significant && near_start).then_some(SteadyDecrease {
        since: epochs[0],
        early,
        late,
    })
}

/// True if the loss decreases in nearly every epoch to the end, yet has hardly left its start:
/// single steps hardly matter, whatever the schedule. Steps that are too large make the loss jump
/// instead, and a loss on a plateau decreases only at its beginning.
pub(super) fn barely_decreases(losses: &[f64]) -> bool {
    let [first, .., last] = losses else { return false };
    if losses.len() <= MIN_EPOCHS {
        return false;
    }
    let decreases = losses.windows(2).filter(|pair| pair[1] < pair[0]).count();
    let mostly = decreases as f64 >= DECREASING_SHARE * (losses.len() - 1) as f64;
    let decrease = first - last;
    let late = losses[losses.len() - 1 - losses.len() / 3] - last;
    let significant = decrease > MIN_JITTERS * robust_jitter(losses, 0.0);
    let near_start = decrease < MAX_DECREASE * first;
    mostly && significant && near_start && late > LAST_THIRD_SHARE * decrease
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(losses: &[f64]) -> Option<SteadyDecrease> {
        let epochs: Vec<f64> = (0..losses.len()).map(|epoch| epoch as f64).collect();
        find_steady_decrease(&epochs, losses)
    }

    #[test]
    fn a_straight_line_is_steady_and_an_exponential_is_not() {
        let line: Vec<f64> = (0..12).map(|i| 1.1 - 1e-4 * f64::from(i)).collect();
        let found = find(&line).unwrap();
        assert!((found.early - 1e-4).abs() < 1e-9 && (found.late - 1e-4).abs() < 1e-9, "{found:?}");
        let curve: Vec<f64> = (0..12).map(|i| 0.6 + 0.5 * (-f64::from(i)).exp()).collect();
        assert_eq!(find(&curve), None);
        assert_eq!(find(&line[..6]), None, "too few epochs");
    }

    #[test]
    fn a_small_decrease_in_every_epoch_barely_decreases() {
        // The shape that a cosine schedule gives.
        let slowed = |size: f64| -> Vec<f64> {
            (0..20).map(|i| 0.7 - size * (f64::from(i) / 13.0).sin()).collect()
        };
        assert!(barely_decreases(&slowed(0.01)) && !barely_decreases(&slowed(0.1)));
        let mut jumps = slowed(0.01);
        jumps.iter_mut().step_by(2).for_each(|loss| *loss += 0.01);
        assert!(!barely_decreases(&jumps));
        let plateau: Vec<f64> = (1..=20).map(|i| 0.69 + 0.01 / f64::from(i)).collect();
        assert!(!barely_decreases(&plateau), "decreases only at its beginning");
        assert!(!barely_decreases(&[0.7, 0.69, 0.68]), "too few epochs");
    }

    #[test]
    fn jitter_and_a_large_decrease_are_not_steady() {
        let jitter: Vec<f64> = (0..12).map(|i| 1.1 + 1e-3 * f64::from(i * 7 % 5)).collect();
        assert_eq!(find(&jitter), None);
        let far: Vec<f64> = (0..12).map(|i| 1.1 - 0.09 * f64::from(i)).collect();
        assert_eq!(find(&far), None);
    }
}
