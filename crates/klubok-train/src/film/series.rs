//! The steps of a film: a fixed series, thinned by rule.
//!
//! The series is dense at the start, where a network changes most, and has eight steps an octave
//! later on. It depends on nothing but the step number. Which of its steps a film keeps depends on
//! how far the training is: so an interruption changes nothing.

/// Steps of the series up to 16.
const FIRST: [u64; 9] = [0, 1, 2, 3, 4, 6, 8, 12, 16];
/// Steps in each octave from 16 on, as a power of two.
const OCTAVE_BITS: u32 = 3;
/// Exponent of the measure of density: with 1 the kept steps would be as dense in every octave,
/// with 0 as dense in every thousand steps. Between the two, the first steps and the last epochs
/// both get their share.
const EVENNESS: f64 = 0.7;

/// Whether a step belongs to the series.
pub fn is_due(step: u64) -> bool {
    match step {
        0..=16 => FIRST.contains(&step),
        _ => step.trailing_zeros() + OCTAVE_BITS >= step.ilog2(),
    }
}

/// Returns the steps of the series up to `last`, at most `count` of them: beyond that, each further
/// step removes the one where the series is densest. The first and the last one stay.
pub fn kept(last: u64, count: usize) -> Vec<u64> {
    let mut kept = Vec::new();
    let mut step = Some(0).filter(|_| count > 0);
    while let Some(due) = step.filter(|step| *step <= last) {
        kept.push(due);
        if kept.len() > count.max(2) {
            kept.remove(densest(&kept));
        }
        step = next(due);
    }
    kept
}

/// Returns the step of the series after one of its steps; none where numbers end.
fn next(step: u64) -> Option<u64> {
    match FIRST.iter().find(|first| **first > step) {
        Some(first) => Some(*first),
        None => step.checked_add(1 << (step.ilog2() - OCTAVE_BITS)),
    }
}

/// Returns the index of the inner step with the closest neighbours. Takes at least three steps.
fn densest(steps: &[u64]) -> usize {
    let gap = |i: usize| (steps[i + 1] - steps[i - 1]) as f64 / (steps[i] as f64).powf(EVENNESS);
    (1..steps.len() - 1).min_by(|&a, &b| gap(a).total_cmp(&gap(b))).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_series_has_eight_steps_an_octave() {
        let due: Vec<u64> = (0..70).filter(|&step| is_due(step)).collect();
        let expected = [
            0, 1, 2, 3, 4, 6, 8, 12, 16, 18, 20, 22, 24, 26, 28, 30, 32, 36, 40, 44, 48, 52, 56,
            60, 64,
        ];
        assert_eq!(due, expected);
        assert_eq!(kept(69, 1000), expected);
        assert_eq!((1000..2000).filter(|&step| is_due(step)).count(), 8);
        assert_eq!(next(1 << 63), Some((1 << 63) + (1 << 60)));
        assert_eq!(next(u64::MAX - (1 << 60) + 1), None);
    }

    #[test]
    fn a_step_once_dropped_never_returns() {
        let mut before = kept(0, 20);
        for last in 1..5000 {
            let now = kept(last, 20);
            assert!(now.len() <= 20 && now[0] == 0);
            assert!(!is_due(last) || now.last() == Some(&last));
            assert!(now.iter().all(|step| before.contains(step) || *step == last), "{last}");
            before = now;
        }
    }

    #[test]
    fn a_long_film_keeps_first_steps_and_last_epochs() {
        let kept = kept(6000, 60);
        assert_eq!(kept.len(), 60);
        assert!(kept.iter().filter(|step| **step <= 64).count() >= 10, "{kept:?}");
        assert!(kept.iter().filter(|step| **step > 1500).count() >= 14, "{kept:?}");
        assert_eq!(super::kept(6000, 0), [0; 0]);
    }
}
