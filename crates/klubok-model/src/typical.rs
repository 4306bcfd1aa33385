//! Detects samples far from all training samples.
//!
//! The first principal components span a space. Two statistics locate a sample `x`, as in
//! statistical process control (Jackson and Mudholkar 1979). `T² = Σ (cᵢ / sᵢ)²`, with its
//! coordinates `cᵢ` and their standard deviations `sᵢ`, is its squared distance from the mean
//! within the space, in standard deviations. `Q = |x - mean|² - Σ cᵢ²` is its squared distance from
//! the space. A sample is far if a statistic lies outside the range of training samples that were
//! not used for the components. `Q` has a lower limit too, since a sample nearer to the mean than
//! all of them is not one of them. A third statistic is the contrast, the standard deviation of a
//! sample's own values: a sample is far with less than half of their minimum contrast, as a blank
//! picture among drawings.

use serde::{Deserialize, Serialize};

/// Maximum axes.
pub const MAX_AXES: usize = 32;
/// A sample is far below this share of the minimum contrast.
const CONTRAST_SHARE: f64 = 0.5;

/// Statistics of typical training samples, in the network's input.
#[derive(Debug, Clone, PartialEq)]
pub struct Typical {
    /// Mean, `[inputs]`.
    pub mean: Vec<f32>,
    /// Orthonormal vectors, `[axes, inputs]`.
    pub axes: Vec<f32>,
    /// Standard deviation along each axis.
    pub spread: Vec<f32>,
    /// A sample beyond these limits is far.
    pub limits: Limits,
}

/// The statistics' range over held-out training samples that were not used for the axes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Smallest contrast: standard deviation of a sample's own values.
    pub contrast: f64,
    /// Largest `T²`.
    pub t_squared: f64,
    /// Smallest and largest `Q`.
    pub q: [f64; 2],
    /// Number of samples.
    pub samples: u64,
}

impl Typical {
    /// Returns true if a sample, as the network's input, is far from the training samples.
    pub fn is_far(&self, sample: &[f64]) -> bool {
        let Limits { contrast: min_contrast, t_squared: max_t_squared, q: [low, high], .. } =
            self.limits;
        let (t_squared, q) = self.statistics(sample);
        t_squared > max_t_squared
            || !(low..=high).contains(&q)
            || contrast(sample) < CONTRAST_SHARE * min_contrast
    }

    /// Computes `T²` and `Q`.
    pub fn statistics(&self, sample: &[f64]) -> (f64, f64) {
        let centred: Vec<f64> =
            sample.iter().zip(&self.mean).map(|(x, mean)| x - f64::from(*mean)).collect();
        let (mut t_squared, mut q) = (0.0, product(&centred, &centred));
        for (axis, spread) in self.axes.chunks_exact(centred.len()).zip(&self.spread) {
            let at = product(axis, &centred);
            t_squared += (at / f64::from(*spread)).powi(2);
            q -= at * at;
        }
        (t_squared, q.max(0.0))
    }

    /// Checks that it is valid for a network with this many inputs.
    pub fn is_sound(&self, inputs: usize) -> bool {
        let Self { mean, axes, spread, limits } = self;
        let Limits { contrast, t_squared, q: [low, high], .. } = limits;
        let finite = |values: &[f32]| values.iter().all(|x| x.is_finite());
        mean.len() == inputs
            && (1..=MAX_AXES).contains(&spread.len())
            && Some(axes.len()) == spread.len().checked_mul(inputs)
            && finite(mean)
            && finite(axes)
            && spread.iter().all(|s| s.is_finite() && *s > 0.0)
            && [contrast, t_squared, low, high].iter().all(|x| x.is_finite() && **x >= 0.0)
            && low <= high
    }
}

/// Standard deviation of a sample's own values.
pub fn contrast(sample: &[f64]) -> f64 {
    let n = sample.len() as f64;
    let mean = sample.iter().sum::<f64>() / n;
    (sample.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt()
}

/// Computes `Σ aᵢ bᵢ` in eight partial sums for SIMD.
fn product<A: Copy + Into<f64>>(a: &[A], b: &[f64]) -> f64 {
    let (a, rest_a) = a.as_chunks::<8>();
    let (b, rest_b) = b.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for (a, b) in a.iter().zip(b) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += (*a).into() * b;
        }
    }
    sums.iter().sum::<f64>() + rest_a.iter().zip(rest_b).map(|(a, b)| (*a).into() * b).sum::<f64>()
}
