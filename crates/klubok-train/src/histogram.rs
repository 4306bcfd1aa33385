//! Histogram of a layer's weights.

use klubok_nn::state::Numbers;

/// Weights that a histogram counts, at most: a share of them is then good to half a percent, and
/// counting takes no noticeable part of an epoch.
const MAX_WEIGHTS: usize = 32_768;
/// Buckets of a histogram.
const BUCKETS: usize = 64;

/// How the weights of a layer are spread. Of a large layer, it counts every n-th weight.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    /// Smallest weight.
    pub min: f64,
    /// Largest weight.
    pub max: f64,
    /// Sum of the weights.
    pub sum: f64,
    /// Sum of their squares.
    pub sum_squares: f64,
    /// Number of weights in each bucket. The buckets are equally wide, from `min` to `max`.
    pub counts: Vec<u32>,
}

impl Histogram {
    /// Counts the weights `[out, in]` of a layer with this many inputs; leaves out those that are
    /// not finite. None if nothing is left.
    pub fn of(weights: &Numbers, inputs: usize) -> Option<Self> {
        let every = interval(weights.len(), inputs);
        match weights {
            Numbers::F32(all) => Self::of_values(all.iter().step_by(every).map(|&w| w.into())),
            Numbers::F64(all) => Self::of_values(all.iter().step_by(every).copied()),
        }
    }

    fn of_values(values: impl Iterator<Item = f64> + Clone) -> Option<Self> {
        let values = values.filter(|value| value.is_finite());
        let (mut min, mut max) = (f64::INFINITY, f64::NEG_INFINITY);
        let (mut sum, mut sum_squares) = (0.0, 0.0);
        for value in values.clone() {
            (min, max) = (min.min(value), max.max(value));
            (sum, sum_squares) = (sum + value, sum_squares + value * value);
        }
        if min > max {
            return None;
        }
        let buckets = if min < max { BUCKETS } else { 1 };
        let (mut counts, scale) = (vec![0; buckets], buckets as f64 / (max - min));
        for value in values {
            // The conversion takes NaN, of equal weights, to 0.
            counts[(((value - min) * scale) as usize).min(buckets - 1)] += 1;
        }
        Some(Self { min, max, sum, sum_squares, counts })
    }

    /// Returns the right edge of each bucket.
    pub fn edges(&self) -> impl Iterator<Item = f64> {
        let width = (self.max - self.min) / self.counts.len() as f64;
        (1..=self.counts.len()).map(move |i| self.min + width * i as f64)
    }
}

/// Returns the distance between counted weights. It has no divisor in common with the number of
/// inputs: else some inputs would never count.
fn interval(weights: usize, inputs: usize) -> usize {
    let mut every = weights.div_ceil(MAX_WEIGHTS).max(1);
    while common_divisor(every, inputs) > 1 {
        every += 1;
    }
    every
}

fn common_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_by_hand() {
        let weights = Numbers::F32(vec![-1.0, 0.0, 0.5, 1.0, f32::NAN, 1.0]);
        let histogram = Histogram::of(&weights, 3).unwrap();
        assert_eq!((histogram.min, histogram.max), (-1.0, 1.0));
        assert_eq!((histogram.sum, histogram.sum_squares), (1.5, 3.25));
        let filled: Vec<(usize, u32)> =
            histogram.counts.iter().copied().enumerate().filter(|(_, n)| *n > 0).collect();
        assert_eq!(filled, [(0, 1), (32, 1), (48, 1), (63, 2)]);
        let edges: Vec<f64> = histogram.edges().collect();
        assert_eq!((edges.len(), edges[31], edges[63]), (64, 0.0, 1.0));
    }

    #[test]
    fn equal_weights_have_one_bucket_and_none_have_no_histogram() {
        let zeros = Histogram::of(&Numbers::F64(vec![0.0; 4]), 2).unwrap();
        assert_eq!((zeros.counts.clone(), zeros.edges().collect()), (vec![4], vec![0.0]));
        assert_eq!(Histogram::of(&Numbers::F64(vec![]), 2), None);
        assert_eq!(Histogram::of(&Numbers::F32(vec![f32::INFINITY]), 1), None);
    }

    #[test]
    fn a_large_layer_counts_weights_of_every_input() {
        let (outputs, inputs) = (1024, 4096);
        let every = interval(outputs * inputs, inputs);
        assert_eq!(every, 129);
        let columns: std::collections::BTreeSet<usize> =
            (0..outputs * inputs).step_by(every).map(|i| i % inputs).collect();
        assert_eq!(columns.len(), inputs);
        let spread = Numbers::F32((0..outputs * inputs).map(|i| (i % inputs) as f32).collect());
        let histogram = Histogram::of(&spread, inputs).unwrap();
        let total: u32 = histogram.counts.iter().sum();
        assert_eq!(total as usize, (outputs * inputs).div_ceil(every));
        let mean = f64::from(total) / 64.0;
        assert!(histogram.counts.iter().all(|&n| (f64::from(n) - mean).abs() < 0.1 * mean));
    }
}
