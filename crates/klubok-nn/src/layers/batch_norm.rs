//! Batch normalisation (Ioffe and Szegedy 2015).
//!
//! Forward, per feature: `y = gain x̂ + shift` with `x̂ = (x - mean) / √(variance + ε)`.
//!
//! - Training uses the statistics of the batch: `mean = Σ x / n`, `variance = Σ (x - mean)² / n`.
//! - Evaluation uses running statistics. Each training step moves them by
//!   `running ← running + MOMENTUM (batch - running)`. As in PyTorch, the running variance is
//!   unbiased: it divides by `n - 1`.
//!
//! Backward, with `g = dy gain` and means over the batch:
//! `dx = (g - mean(g) - x̂ mean(g x̂)) / √(variance + ε)`, `dgain = Σ dy x̂`, `dshift = Σ dy`.
//!
//! Shapes: `x`, `y` and their gradients `[batch, features]`, all else `[features]`.

use crate::plan::{Op, ParamKind, Plan, Value};

/// `ε`, PyTorch's default.
pub const EPSILON: f64 = 1e-5;
/// Weight of the new batch in the running statistics, PyTorch's default.
pub const MOMENTUM: f64 = 0.1;

/// Mean and variance of each feature over a batch. The backward pass reads them again.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Statistics {
    /// Mean, `[features]`.
    pub mean: Vec<f64>,
    /// Biased variance, `[features]`.
    pub variance: Vec<f64>,
}

/// Computes the statistics of a batch.
pub fn statistics(x: &[f64], features: usize) -> Statistics {
    let n = (x.len() / features) as f64;
    let mut mean = vec![0.0; features];
    let mut variance = vec![0.0; features];
    for row in x.chunks_exact(features) {
        mean.iter_mut().zip(row).for_each(|(m, x)| *m += x / n);
    }
    for row in x.chunks_exact(features) {
        for ((v, m), x) in variance.iter_mut().zip(&mean).zip(row) {
            *v += (x - m).powi(2) / n;
        }
    }
    Statistics { mean, variance }
}

/// Moves the running statistics towards those of a batch of `batch` rows.
pub fn update_running(
    mean: &mut [f64],
    variance: &mut [f64],
    statistics: &Statistics,
    batch: usize,
) {
    // A batch of one has no unbiased variance; its biased one is 0.
    let unbiased = batch as f64 / (batch.max(2) - 1) as f64;
    for (running, new) in mean.iter_mut().zip(&statistics.mean) {
        *running += MOMENTUM * (new - *running);
    }
    for (running, new) in variance.iter_mut().zip(&statistics.variance) {
        *running += MOMENTUM * (new * unbiased - *running);
    }
}

/// Writes `y = gain x̂ + shift`, with the statistics of the batch or the running ones.
pub fn forward(y: &mut [f64], x: &[f64], gain: &[f64], shift: &[f64], statistics: &Statistics) {
    let Statistics { mean, variance } = statistics;
    let features = gain.len();
    for (y, x) in y.chunks_exact_mut(features).zip(x.chunks_exact(features)) {
        for f in 0..features {
            let normalised = (x[f] - mean[f]) / (variance[f] + EPSILON).sqrt();
            y[f] = gain[f] * normalised + shift[f];
        }
    }
}

/// Adds the gradients of one batch to `dx`, `dgain` and `dshift`. `statistics` are those of the
/// batch.
pub fn backward(
    dx: &mut [f64],
    dgain: &mut [f64],
    dshift: &mut [f64],
    dy: &[f64],
    x: &[f64],
    gain: &[f64],
    statistics: &Statistics,
) {
    let Statistics { mean, variance } = statistics;
    let features = gain.len();
    let batch = x.len() / features;
    for f in 0..features {
        let deviation = (variance[f] + EPSILON).sqrt();
        let normalised = |row: usize| (x[row * features + f] - mean[f]) / deviation;
        let (mut sum, mut projection) = (0.0, 0.0);
        for row in 0..batch {
            sum += dy[row * features + f];
            projection += dy[row * features + f] * normalised(row);
        }
        dgain[f] += projection;
        dshift[f] += sum;
        let n = batch as f64;
        for row in 0..batch {
            let centred = dy[row * features + f] - sum / n - normalised(row) * projection / n;
            dx[row * features + f] += gain[f] * centred / deviation;
        }
    }
}

/// Appends the normalisation to a plan and returns its output.
///
/// Gain and shift are named `LAYER.norm.weight` and `LAYER.norm.bias`, as in PyTorch.
pub fn lower(plan: &mut Plan, x: Value) -> Value {
    let features = plan.widths[x.0];
    let gain = plan.add_param("norm.weight", &[features], ParamKind::Gain);
    let shift = plan.add_param("norm.bias", &[features], ParamKind::Shift);
    let mean = plan.add_running("norm.running_mean", features, 0.0);
    let variance = plan.add_running("norm.running_var", features, 1.0);
    let y = plan.add_value(features);
    plan.ops.push(Op::Norm { y, x, gain, shift, mean, variance });
    y
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient::{check_gradient, numbers, weighted_sum};

    #[test]
    fn two_samples_by_hand() {
        let batch = statistics(&[1.0, 10.0, 3.0, 10.0], 2);
        assert_eq!(batch, Statistics { mean: vec![2.0, 10.0], variance: vec![1.0, 0.0] });
        let (mut mean, mut variance) = (vec![0.0, 0.0], vec![1.0, 1.0]);
        update_running(&mut mean, &mut variance, &batch, 2);
        assert_eq!(mean, [0.2, 1.0]);
        assert!((variance[0] - 1.1).abs() < 1e-12 && (variance[1] - 0.9).abs() < 1e-12);
        let mut y = [0.0; 4];
        forward(&mut y, &[1.0, 10.0, 3.0, 10.0], &[2.0, 1.0], &[0.0, 5.0], &batch);
        assert!((y[0] + 2.0).abs() < 1e-4 && (y[2] - 2.0).abs() < 1e-4, "{y:?}");
        assert_eq!((y[1], y[3]), (5.0, 5.0));
    }

    #[test]
    fn gradients_match_finite_differences() {
        for (batch, features) in [(5, 3), (2, 1), (9, 4)] {
            let x = numbers(1, batch * features);
            let (gain, shift) = (numbers(2, features), numbers(3, features));
            let dy = numbers(4, batch * features);
            let loss = |x: &[f64], gain: &[f64], shift: &[f64]| {
                let mut y = vec![0.0; batch * features];
                forward(&mut y, x, gain, shift, &statistics(x, features));
                weighted_sum(&dy, &y)
            };
            let (mut dx, mut dgain, mut dshift) =
                (vec![0.0; x.len()], vec![0.0; features], vec![0.0; features]);
            let of_batch = statistics(&x, features);
            backward(&mut dx, &mut dgain, &mut dshift, &dy, &x, &gain, &of_batch);
            check_gradient("x", &x, &dx, |x| loss(x, &gain, &shift));
            check_gradient("gain", &gain, &dgain, |gain| loss(&x, gain, &shift));
            check_gradient("shift", &shift, &dshift, |shift| loss(&x, &gain, shift));
        }
    }
}
