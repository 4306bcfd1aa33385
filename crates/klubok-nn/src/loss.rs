//! Losses of the logits (the outputs of the last linear layer), each beside its gradient.
//!
//! For one sample with logits `z` and target `y`; sums and means run over its `K` outputs:
//!
//! - Cross-entropy: `L = Σ t (logsumexp(z) - z)`, `∂L/∂z = p - t` with `p = softmax(z)`. The target
//!   is `t = y`, 1 for the sample's class and 0 elsewhere; with label smoothing `s` it is
//!   `t = (1 - s) y + s / K` (Szegedy et al. 2016).
//! - Binary cross-entropy: `L = mean(softplus(z) - z y)`, `∂L/∂z = (σ(z) - y) / K`.
//! - Mean squared error: `L = mean((z - y)²)`, `∂L/∂z = 2 (z - y) / K`.
//! - Huber (1964), with `d = z - y`: `L = mean(d²/2 if |d| ≤ δ, else δ (|d| - δ/2))`,
//!   `∂L/∂z = clamp(d, ±δ) / K`.
//!
//! The loss of a batch is `Σ weight L / Σ weight`, PyTorch's reduction `mean`. The weight of a
//! sample is its own weight times the weight of its class.
//!
//! Shapes: `z`, `y` and `dz` `[outputs]`, one sample.

use crate::{
    layers::activation::{sigmoid, softplus},
    plan::{LossKind, LossSpec},
};

/// Target of one sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Target<'a> {
    /// Index of its class.
    Class(u32),
    /// One value per output.
    Values(&'a [f64]),
}

/// Returns the loss of one sample and writes `dz = ∂L/∂z`, both without the sample's weight.
///
/// # Panics
/// When cross-entropy gets values, or another loss a class. Backends check the data first.
pub fn sample(dz: &mut [f64], z: &[f64], target: Target<'_>, spec: &LossSpec) -> f64 {
    let outputs = z.len() as f64;
    match (spec.kind, target) {
        (LossKind::CrossEntropy, Target::Class(class)) => {
            cross_entropy(dz, z, class as usize, spec.label_smoothing)
        }
        (LossKind::BinaryCrossEntropy, Target::Values(y)) => {
            mean(dz, z, y, |z, y| (softplus(z) - z * y, (sigmoid(z) - y) / outputs))
        }
        (LossKind::MeanSquared, Target::Values(y)) => {
            mean(dz, z, y, |z, y| ((z - y).powi(2), 2.0 * (z - y) / outputs))
        }
        (LossKind::Huber { delta }, Target::Values(y)) => mean(dz, z, y, |z, y| {
            let d = z - y;
            let loss = if d.abs() <= delta { d * d / 2.0 } else { delta * (d.abs() - delta / 2.0) };
            (loss, d.clamp(-delta, delta) / outputs)
        }),
        (kind, target) => unreachable!("{kind:?} with {target:?}"),
    }
}

/// `ln Σ eᶻ` without overflow: `m + ln Σ e^(z - m)` with `m = max(z)`.
pub fn log_sum_exp(z: &[f64]) -> f64 {
    let largest = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    largest + z.iter().map(|z| (z - largest).exp()).sum::<f64>().ln()
}

/// Class probabilities `p = eᶻ / Σ eᶻ`.
pub fn softmax(z: &[f64]) -> Vec<f64> {
    let total = log_sum_exp(z);
    z.iter().map(|z| (z - total).exp()).collect()
}

/// Class with the largest logit; the first one on ties.
pub fn predicted_class(z: &[f64]) -> usize {
    (1..z.len()).fold(0, |best, i| if z[i] > z[best] { i } else { best })
}

/// Cross-entropy with label smoothing of one sample, and its gradient.
fn cross_entropy(dz: &mut [f64], z: &[f64], class: usize, smoothing: f64) -> f64 {
    let (total, share) = (log_sum_exp(z), smoothing / z.len() as f64);
    let mut loss = 0.0;
    for (i, (dz, z)) in dz.iter_mut().zip(z).enumerate() {
        let target = share + if i == class { 1.0 - smoothing } else { 0.0 };
        loss += target * (total - z);
        *dz = (z - total).exp() - target;
    }
    loss
}

/// Mean over the outputs of `f(z, y)`, which returns a loss and the gradient of the mean.
fn mean(dz: &mut [f64], z: &[f64], y: &[f64], f: impl Fn(f64, f64) -> (f64, f64)) -> f64 {
    let mut loss = 0.0;
    for ((dz, z), y) in dz.iter_mut().zip(z).zip(y) {
        let (value, gradient) = f(*z, *y);
        loss += value;
        *dz = gradient;
    }
    loss / z.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient::{check_gradient, numbers};

    fn spec(kind: LossKind, label_smoothing: f64) -> LossSpec {
        LossSpec { kind, class_weights: vec![], label_smoothing }
    }

    #[test]
    fn cross_entropy_by_hand() {
        let z = [0.7f64.ln(), 0.3f64.ln()];
        let mut dz = [0.0; 2];
        let loss = sample(&mut dz, &z, Target::Class(0), &spec(LossKind::CrossEntropy, 0.0));
        assert!((loss - 0.35667).abs() < 5e-6, "{loss}");
        assert!((dz[0] + 0.3).abs() < 1e-12 && (dz[1] - 0.3).abs() < 1e-12, "p - y: {dz:?}");
    }

    #[test]
    fn logits_of_a_thousand_neither_overflow_nor_underflow() {
        let mut dz = [0.0; 2];
        let spec = spec(LossKind::CrossEntropy, 0.0);
        assert_eq!(sample(&mut dz, &[1000.0, 0.0], Target::Class(0), &spec), 0.0);
        assert_eq!(sample(&mut dz, &[1000.0, 0.0], Target::Class(1), &spec), 1000.0);
        assert_eq!(dz, [1.0, -1.0]);
    }

    #[test]
    fn huber_is_quadratic_then_linear() {
        let mut dz = [0.0; 1];
        let spec = spec(LossKind::Huber { delta: 1.0 }, 0.0);
        assert_eq!(sample(&mut dz, &[0.5], Target::Values(&[0.0]), &spec), 0.125);
        assert_eq!(sample(&mut dz, &[3.0], Target::Values(&[0.0]), &spec), 2.5);
        assert_eq!(dz, [1.0]);
    }

    #[test]
    fn gradients_match_finite_differences() {
        let (z, y) = (numbers(1, 5), numbers(2, 5));
        let labels: Vec<f64> = y.iter().map(|y| f64::from(*y > 0.0)).collect();
        let cases = [
            (spec(LossKind::CrossEntropy, 0.0), Target::Class(3)),
            (spec(LossKind::CrossEntropy, 0.2), Target::Class(0)),
            (spec(LossKind::BinaryCrossEntropy, 0.0), Target::Values(&labels)),
            (spec(LossKind::MeanSquared, 0.0), Target::Values(&y)),
            (spec(LossKind::Huber { delta: 0.3 }, 0.0), Target::Values(&y)),
        ];
        for (spec, target) in cases {
            let mut dz = vec![0.0; 5];
            sample(&mut dz, &z, target, &spec);
            let name = format!("z of {:?}", spec.kind);
            check_gradient(&name, &z, &dz, |z| sample(&mut [0.0; 5], z, target, &spec));
        }
    }
}
