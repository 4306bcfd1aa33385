//! Which steps are looked at, and how closely: by their number alone, so that an interruption
//! changes nothing.

/// Steps between two readings of their figures.
pub const READ_EVERY: u64 = 16;
/// Of so many steps, one measures what it does to the parameters: that takes some hundredths of a
/// step.
pub const OBSERVE: u64 = 16;
/// Steps of an epoch that are observed at least, if it has so many.
const OBSERVED: u64 = 16;
/// Epochs in which steps 1, 2, 4, 8, ... are measured like the end of an epoch.
const FAST_EPOCHS: u64 = 3;

/// Whether the step of this index is observed, where an epoch has so many. The last one of an epoch
/// is, and those that are measured like one.
pub fn observed(index: u64, steps_per_epoch: u64) -> bool {
    let done = index + 1;
    let every = (steps_per_epoch / OBSERVED).clamp(1, OBSERVE);
    index.is_multiple_of(every)
        || done.is_multiple_of(steps_per_epoch)
        || chosen(done, steps_per_epoch)
}

/// Whether so many steps are measured like the end of an epoch.
pub fn chosen(done: u64, steps_per_epoch: u64) -> bool {
    done.is_power_of_two() && done <= fast_steps(steps_per_epoch)
}

/// The steps among which there are chosen ones.
pub fn fast_steps(steps_per_epoch: u64) -> u64 {
    FAST_EPOCHS * steps_per_epoch
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_has_sixteen_observed_steps_or_one_of_sixteen() {
        let later = |epoch: u64| (3 * epoch..4 * epoch).filter(|&i| observed(i, epoch)).count();
        assert_eq!(later(10), 10);
        // One of 16 in 1600 steps, and the last.
        assert_eq!(later(1600), 101);
        assert!((16..=33).contains(&later(125)), "{}", later(125));
    }

    #[test]
    fn powers_of_two_are_chosen_in_three_epochs() {
        let chosen: Vec<u64> = (1..100).filter(|&done| chosen(done, 10)).collect();
        assert_eq!(chosen, [1, 2, 4, 8, 16]);
        assert!(observed(31, 100) && observed(15, 1600), "steps 32 and 16 are measured");
    }
}
