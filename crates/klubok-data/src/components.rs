//! Principal component analysis: the directions of largest variance.
//!
//! With the centred samples as rows of `X [n, width]` and `X Xᵀ u = λ u`, the axis is `Xᵀ u / √λ`
//! and the standard deviation along it `√(λ / (n - 1))`. There are fewer samples than pixels, so
//! `X Xᵀ` is the smaller matrix.

use crate::symmetric::{eigen, product};

/// Eigenvalues below this share of the largest are rounding errors.
const ROUNDING_SHARE: f64 = 1e-10;

/// The principal components of some samples.
#[derive(Debug, Clone)]
pub struct Components {
    /// The mean of the samples.
    pub mean: Vec<f64>,
    /// Orthonormal vectors in order of decreasing variance.
    pub axes: Vec<Vec<f64>>,
    /// Standard deviation of the samples along each axis.
    pub spread: Vec<f64>,
}

impl Components {
    /// Computes at most `limit` leading components of samples `[n, width]`.
    ///
    /// # Panics
    /// When `samples` does not divide into rows of `width`.
    pub fn of(samples: &[f64], width: usize, limit: usize) -> Self {
        assert!(width > 0 && samples.len().is_multiple_of(width), "samples of {width} values");
        let n = samples.len() / width;
        let mut mean = vec![0.0; width];
        for sample in samples.chunks_exact(width) {
            mean.iter_mut().zip(sample).for_each(|(mean, x)| *mean += x);
        }
        mean.iter_mut().for_each(|mean| *mean /= n as f64);
        let centred: Vec<f64> = samples
            .chunks_exact(width)
            .flat_map(|sample| sample.iter().zip(&mean).map(|(x, mean)| x - mean))
            .collect();
        let (values, vectors) = eigen(product(&centred, &centred, width), n);
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by(|&a, &b| values[b].total_cmp(&values[a]));
        let (mut axes, mut spread) = (Vec::new(), Vec::new());
        let floor = order.first().map_or(0.0, |&first| values[first] * ROUNDING_SHARE);
        for &i in order.iter().take(limit).filter(|&&i| values[i] > floor) {
            let mut axis = vec![0.0; width];
            for (u, sample) in vectors[i * n..].iter().zip(centred.chunks_exact(width)) {
                axis.iter_mut().zip(sample).for_each(|(axis, x)| *axis += u * x);
            }
            axis.iter_mut().for_each(|axis| *axis /= values[i].sqrt());
            axes.push(axis);
            spread.push((values[i] / (n as f64 - 1.0)).sqrt());
        }
        Self { mean, axes, spread }
    }

    /// Returns a sample's coordinates, in standard deviations from the mean.
    pub fn coordinates(&self, sample: &[f64]) -> Vec<f64> {
        let centred: Vec<f64> = sample.iter().zip(&self.mean).map(|(x, mean)| x - mean).collect();
        self.along(&centred).iter().zip(&self.spread).map(|(x, spread)| x / spread).collect()
    }

    /// Returns the sample at these coordinates.
    pub fn sample(&self, coordinates: &[f64]) -> Vec<f64> {
        let mut sample = self.mean.clone();
        for ((axis, spread), at) in self.axes.iter().zip(&self.spread).zip(coordinates) {
            sample.iter_mut().zip(axis).for_each(|(x, axis)| *x += at * spread * axis);
        }
        sample
    }

    /// Converts a gradient at a sample into a gradient at its coordinates.
    pub fn gradient(&self, at_sample: &[f64]) -> Vec<f64> {
        self.along(at_sample).iter().zip(&self.spread).map(|(g, spread)| g * spread).collect()
    }

    fn along(&self, vector: &[f64]) -> Vec<f64> {
        let product = |axis: &Vec<f64>| axis.iter().zip(vector).map(|(a, b)| a * b).sum();
        self.axes.iter().map(product).collect()
    }
}

#[cfg(test)]
mod tests {
    use klubok_nn::rng::{Purpose, Stream};

    use super::*;

    /// Samples with a range of 9 along one direction, 3 along another, and almost none otherwise.
    fn samples() -> Vec<f64> {
        let mut stream = Stream::new(7, Purpose::Demo, 0, 0);
        let mut noise = || stream.uniform() - 0.5;
        let sample = |_| {
            let (a, b) = (9.0 * noise(), 3.0 * noise());
            [1.0 + 0.6 * a, 2.0 + 0.8 * a, 3.0 + b, 0.01 * noise()]
        };
        (0..40).flat_map(sample).collect()
    }

    #[test]
    fn axes_are_the_directions_of_largest_variance() {
        let found = Components::of(&samples(), 4, 2);
        assert_eq!((found.axes.len(), found.spread.len()), (2, 2));
        let turned = found.axes[0][0].signum();
        let wanted = [[0.6 * turned, 0.8 * turned, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]];
        assert!(wanted[0].iter().zip(&found.axes[0]).all(|(a, b)| (a - b).abs() < 0.05));
        assert!((found.axes[1][2].abs() - 1.0).abs() < 0.01);
        // The plain formula gives the same spread along each axis.
        for (axis, spread) in found.axes.iter().zip(&found.spread) {
            let along: Vec<f64> = samples()
                .chunks(4)
                .map(|x| x.iter().zip(axis).zip(&found.mean).map(|((x, a), m)| (x - m) * a).sum())
                .collect();
            let square: f64 = along.iter().map(|x| x * x).sum();
            assert!((spread - (square / 39.0).sqrt()).abs() < 1e-9);
        }
    }

    #[test]
    fn all_axes_reconstruct_a_sample() {
        let samples = samples();
        let found = Components::of(&samples, 4, 100);
        // The first two values are collinear, so there are three directions.
        assert_eq!(found.axes.len(), 3);
        let back = found.sample(&found.coordinates(&samples[..4]));
        assert!(back.iter().zip(&samples).all(|(a, b)| (a - b).abs() < 1e-9));
    }

    #[test]
    fn identical_samples_have_no_axes() {
        assert!(Components::of(&[1.0, 2.0, 1.0, 2.0], 2, 2).axes.is_empty());
        assert!(Components::of(&[1.0, 2.0], 2, 2).axes.is_empty());
    }
}
