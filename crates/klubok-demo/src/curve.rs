//! Noisy points on a curve: `demo:curve`, numbers to predict.
//!
//! `y = sin 1.5 x + 0.3 x` for `x` uniform in [-3, 3), plus noise: [`NOISE`] times the sum of three
//! uniform numbers in [-1, 1), whose standard deviation is 1. No network can have a root mean
//! squared error below [`NOISE`].

use klubok_nn::rng::{Purpose, Stream};

use crate::spirals::sin_cos;

/// Name of the input.
pub const COLUMN: &str = "x";
/// Name of the target.
pub const TARGET: &str = "y";
/// Standard deviation of the noise.
pub const NOISE: f64 = 0.1;

/// Returns the first `count` points of `seed`: `x` and `y`.
pub fn points(count: usize, seed: u64) -> (Vec<f32>, Vec<f32>) {
    let point = |i: u64| {
        // Layer 3; the other sets use 0 to 2.
        let mut stream = Stream::new(seed, Purpose::Demo, 3, i);
        let x = 6.0 * stream.uniform() - 3.0;
        let noise: f64 = (0..3).map(|_| 2.0 * stream.uniform() - 1.0).sum();
        (x as f32, (value(x) + NOISE * noise) as f32)
    };
    (0..count as u64).map(point).unzip()
}

/// Returns the curve without noise.
pub fn value(x: f64) -> f64 {
    sin_cos(1.5 * x).0 + 0.3 * x
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_lie_on_the_curve_but_for_noise() {
        let (x, y) = points(20_000, 1);
        assert!(x.iter().all(|x| (-3.0..3.0).contains(x)));
        let errors = x.iter().zip(&y).map(|(x, y)| f64::from(*y) - value(f64::from(*x)));
        let rmse = (errors.map(|error| error * error).sum::<f64>() / 20_000.0).sqrt();
        assert!((rmse / NOISE - 1.0).abs() < 0.02, "{rmse}");
        assert!((value(1.0) - (1.5f64.sin() + 0.3)).abs() < 1e-12);
        assert!((value(-2.5) - ((-3.75f64).sin() - 0.75)).abs() < 1e-12);
    }

    #[test]
    fn a_point_does_not_depend_on_the_count() {
        let (x, y) = points(50, 7);
        assert_eq!(points(9, 7), (x[..9].to_vec(), y[..9].to_vec()));
        assert_ne!(points(50, 8).0, x);
    }
}
