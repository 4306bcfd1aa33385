//! A fixed subsample of rows, for what is drawn or measured on some of them.

use klubok_nn::rng::{Purpose, Stream};

/// Returns at most `max_count` of these rows in order: one of each of so many equal stretches, at a
/// place that is drawn for each, and the same ones on every call. A fixed stride could meet a
/// period of the rows: every second row of two alternating classes is of one class.
pub fn subsample(rows: &[u32], max_count: usize) -> Vec<u32> {
    let count = max_count.min(rows.len());
    let of_stretch = |i: usize| {
        let stretch = &rows[i * rows.len() / count..(i + 1) * rows.len() / count];
        // Layers 0 and 1 are of other draws for the inspection.
        let mut stream = Stream::new(0, Purpose::Inspect, 2, i as u64);
        stretch[stream.below(stretch.len() as u32) as usize]
    };
    (0..count).map(of_stretch).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_one_row_of_each_stretch() {
        let rows: Vec<u32> = (0..10).collect();
        assert_eq!(subsample(&rows, 10), rows);
        assert_eq!(subsample(&rows, 99), rows);
        let few = subsample(&rows, 3);
        assert_eq!(few.len(), 3);
        assert!(few[0] < 3 && (3..6).contains(&few[1]) && few[2] >= 6, "{few:?}");
        assert!(subsample(&rows, 0).is_empty() && subsample(&[], 5).is_empty());
    }

    #[test]
    fn alternating_classes_keep_their_shares() {
        for period in [2, 3, 4] {
            let rows: Vec<u32> = (0..200 * period).collect();
            let chosen = subsample(&rows, 200);
            for class in 0..period {
                let count = chosen.iter().filter(|&&row| row % period == class).count() as u32;
                let share = 200 / period;
                assert!((share / 2..2 * share).contains(&count), "{count} of {share}");
            }
        }
    }
}
