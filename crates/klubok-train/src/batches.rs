//! Mini-batches: every epoch shuffles the rows anew.
//!
//! The order of epoch `e` depends only on the seed and on `e`, so a resumed run continues in it.

use klubok_nn::rng::{Purpose, Stream};

/// The mini-batches of one epoch at a time.
#[derive(Debug, Clone)]
pub struct Batches {
    rows: Vec<u32>,
    order: Vec<u32>,
    batch_size: usize,
    count: usize,
    seed: u64,
}

impl Batches {
    /// Splits these rows into batches of `batch_size`; the last one may be smaller. With
    /// `join_single`, a last batch of one row joins the batch before: batch normalisation needs a
    /// variance.
    pub fn new(rows: &[u32], batch_size: usize, seed: u64, join_single: bool) -> Self {
        let batch_size = batch_size.clamp(1, rows.len().max(1));
        let joined = join_single && batch_size > 1 && rows.len() % batch_size == 1;
        let count = rows.len().div_ceil(batch_size) - usize::from(joined);
        Self { rows: rows.to_vec(), order: rows.to_vec(), batch_size, count, seed }
    }

    /// Returns the number of batches in an epoch.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Returns the number of rows in the largest batch.
    pub fn max_batch(&self) -> usize {
        (0..self.count).rev().take(2).map(|i| self.range(i).len()).max().unwrap_or(0)
    }

    /// Shuffles the rows into the order of an epoch, counted from 0.
    pub fn start_epoch(&mut self, epoch: u64) {
        self.order.copy_from_slice(&self.rows);
        Stream::new(self.seed, Purpose::Shuffle, 0, epoch).shuffle(&mut self.order);
    }

    /// Returns the rows of batch `i` of the current epoch.
    ///
    /// # Panics
    /// When there is no such batch.
    pub fn batch(&self, i: usize) -> &[u32] {
        &self.order[self.range(i)]
    }

    fn range(&self, i: usize) -> std::ops::Range<usize> {
        let end = if i + 1 == self.count { self.rows.len() } else { (i + 1) * self.batch_size };
        i * self.batch_size..end
    }
}

/// Draws a fixed random sample of `count` of these rows, sorted.
pub fn sample(rows: &[u32], count: usize, seed: u64) -> Vec<u32> {
    let mut sample = rows.to_vec();
    Stream::new(seed, Purpose::Shuffle, 1, 0).shuffle(&mut sample);
    sample.truncate(count);
    sample.sort_unstable();
    sample
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(rows: u32, batch_size: usize, join_single: bool) -> Vec<usize> {
        let rows: Vec<u32> = (0..rows).collect();
        let batches = Batches::new(&rows, batch_size, 0, join_single);
        let sizes: Vec<usize> = (0..batches.len()).map(|i| batches.batch(i).len()).collect();
        assert_eq!(batches.max_batch(), sizes.iter().copied().max().unwrap_or(0));
        sizes
    }

    #[test]
    fn the_last_partial_batch_is_kept() {
        assert_eq!(sizes(10, 4, false), [4, 4, 2]);
        assert_eq!(sizes(8, 4, false), [4, 4]);
        assert_eq!(sizes(9, 4, false), [4, 4, 1]);
        assert_eq!(sizes(3, 128, false), [3]);
        assert!(sizes(0, 4, false).is_empty());
    }

    #[test]
    fn join_single_merges_a_last_batch_of_one_row() {
        assert_eq!(sizes(9, 4, true), [4, 5]);
        assert_eq!(sizes(10, 4, true), [4, 4, 2]);
        assert_eq!(sizes(5, 4, true), [5]);
        assert_eq!(sizes(1, 4, true), [1]);
        assert_eq!(sizes(3, 1, true), [1, 1, 1]);
    }

    #[test]
    fn every_epoch_has_all_rows_in_a_reproducible_order() {
        let rows: Vec<u32> = (0..100).map(|i| 3 * i).collect();
        let mut batches = Batches::new(&rows, 7, 5, false);
        let mut epoch = |e| {
            batches.start_epoch(e);
            (0..batches.len()).flat_map(|i| batches.batch(i).to_vec()).collect::<Vec<u32>>()
        };
        let (first, second, again) = (epoch(0), epoch(1), epoch(0));
        assert_ne!(first, second);
        assert_eq!(first, again);
        for mut order in [first, second] {
            order.sort_unstable();
            assert_eq!(order, rows);
        }
    }

    #[test]
    fn a_sample_is_reproducible_and_drawn_from_all_rows() {
        let rows: Vec<u32> = (0..1000).collect();
        let a = sample(&rows, 100, 1);
        assert_eq!(a, sample(&rows, 100, 1));
        assert_ne!(a, sample(&rows, 100, 2));
        assert!(a.len() == 100 && a.windows(2).all(|w| w[0] < w[1]) && a[99] > 500);
        assert_eq!(sample(&rows, 2000, 1), rows);
    }
}
