//! Paces a training, so that people can follow it: slower at the start, where most happens.
//!
//! A pace is a time for the whole training. Its steps are due as the frames of a film would be that
//! is as dense as the snapshots are: step `s` of `n` after `(s / n)^0.3` of the time. Waiting
//! changes no weight and is no training time.

use std::time::{Duration, Instant};

/// Exponent of the share of the time at a share of the steps.
const EVENNESS: f64 = 0.3;

/// A pace, from the step at which it begins.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Time for the whole training.
    whole: Duration,
    /// When it began, and at which step.
    begun: Option<(Instant, u64)>,
}

impl Pace {
    /// A pace at which a whole training takes this long, where it is not slower by itself.
    pub fn new(whole: Duration) -> Self {
        Self { whole, begun: None }
    }

    /// Returns when the step after `step` of `last` is due. The first call begins the pace.
    pub fn due(&mut self, step: u64, last: u64) -> Instant {
        let (begun, first) = *self.begun.get_or_insert_with(|| (Instant::now(), step));
        let share = |step: u64| (step as f64 / last.max(1) as f64).min(1.0).powf(EVENNESS);
        begun + self.whole.mul_f64((share(step + 1) - share(first)).max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_steps_take_longest_and_the_whole_its_time() {
        let mut pace = Pace::new(Duration::from_secs(40));
        let first = pace.due(0, 1000);
        let (begun, _) = pace.begun.unwrap();
        assert!(first - begun > Duration::from_secs(4), "{:?}", first - begun);
        let (before, last) = (pace.due(998, 1000), pace.due(999, 1000));
        assert!((last - begun).abs_diff(Duration::from_secs(40)) < Duration::from_millis(1));
        assert!(last - before < Duration::from_millis(20));
        // A pace that begins late takes what is left.
        let mut late = Pace::new(Duration::from_secs(40));
        late.due(500, 1000);
        let (begun, _) = late.begun.unwrap();
        assert!(late.due(999, 1000) - begun < Duration::from_secs(10));
    }
}
