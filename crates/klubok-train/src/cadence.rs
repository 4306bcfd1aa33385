//! Picks the steps that are measured, by their number alone: an interruption changes nothing.

use crate::film;

/// Steps between two readings of the figures.
pub const READ_EVERY: u64 = 16;
/// One step in this many is observed: it measures the norms of gradients, updates and weights,
/// which costs some hundredths of a step.
pub const OBSERVE_EVERY: u64 = 16;
/// Least number of observed steps in an epoch that has as many.
const MIN_OBSERVED: u64 = 16;
/// Number of epochs in which steps 1, 2, 4, 8, ... are measured like the end of an epoch.
const FAST_EPOCHS: u64 = 3;

/// Whether the step with this index is observed. The last step of an epoch, the chosen steps and
/// those of a film are.
pub fn is_observed(index: u64, steps_per_epoch: u64) -> bool {
    let done = index + 1;
    let every = (steps_per_epoch / MIN_OBSERVED).clamp(1, OBSERVE_EVERY);
    index.is_multiple_of(every)
        || done.is_multiple_of(steps_per_epoch)
        || is_chosen(done, steps_per_epoch)
        || film::is_due(done)
}

/// Whether the point after this many steps is measured like the end of an epoch.
pub fn is_chosen(done: u64, steps_per_epoch: u64) -> bool {
    done.is_power_of_two() && done <= fast_steps(steps_per_epoch)
}

/// Returns the number of steps in which some are chosen.
pub fn fast_steps(steps_per_epoch: u64) -> u64 {
    FAST_EPOCHS * steps_per_epoch
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_has_sixteen_observed_steps_or_one_in_sixteen() {
        let later = |epoch: u64| (3 * epoch..4 * epoch).filter(|&i| is_observed(i, epoch)).count();
        assert_eq!(later(10), 10);
        // One in 16 of 1600 steps, the last, and three of a film.
        assert_eq!(later(1600), 104);
        assert!((16..=33).contains(&later(125)), "{}", later(125));
    }

    #[test]
    fn powers_of_two_are_chosen_in_the_first_three_epochs() {
        let chosen: Vec<u64> = (1..100).filter(|&done| is_chosen(done, 10)).collect();
        assert_eq!(chosen, [1, 2, 4, 8, 16]);
        assert!(is_observed(31, 100) && is_observed(15, 1600), "steps 32 and 16 are measured");
    }
}
