//! Batch normalisation of one feature: `y = gain x̂ + shift` with
//! `x̂ = (x - mean) / √(variance + ε)`.
//!
//! A row holds one feature of all samples, so the statistics of a batch are sums along the row.
//! `deviation` is `√(variance + ε)`.

use crate::{isa::kernel, reduce::sum_of};

kernel! {
    /// Mean and biased variance of a row.
    pub fn statistics(x: &[f32]) -> (f64, f64) {
        let n = x.len() as f64;
        let mean = sum_of(x, x, |x, _| x) / n;
        (mean, sum_of(x, x, |x, _| (x - mean) * (x - mean)) / n)
    }
}

kernel! {
    /// Writes `x̂ = (x - mean) / deviation` and replaces `x` by `gain x̂ + shift`.
    pub fn forward(x: &mut [f32], normalised: &mut [f32], mean: f32, deviation: f32, gain: f32, shift: f32) {
        for (x, normalised) in x.iter_mut().zip(normalised) {
            *normalised = (*x - mean) / deviation;
            *x = gain * *normalised + shift;
        }
    }
}

kernel! {
    /// Replaces `dy` by `dx = gain (dy - mean(dy) - x̂ mean(dy x̂)) / deviation`; returns `Σ dy x̂`
    /// and `Σ dy`, the gradients of gain and shift.
    pub fn backward(dy: &mut [f32], normalised: &[f32], deviation: f32, gain: f32) -> (f64, f64) {
        let n = dy.len() as f64;
        let projection = sum_of(dy, normalised, |dy, x| dy * x);
        let sum = sum_of(dy, dy, |dy, _| dy);
        let (mean, mean_projection) = ((sum / n) as f32, (projection / n) as f32);
        let factor = gain / deviation;
        for (dy, normalised) in dy.iter_mut().zip(normalised) {
            *dy = factor * ((*dy - mean) - normalised * mean_projection);
        }
        (projection, sum)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::isa::Isa;

    proptest! {
        #[test]
        fn agrees_with_f64(
            x in prop::collection::vec(-3.0f32..5.0, 1..70), gain in -2.0f32..2.0, shift in -1.0f32..1.0,
        ) {
            let n = x.len() as f64;
            let dy: Vec<f32> = (0..x.len()).map(|i| (i as f32 * 1.3).sin()).collect();
            let wide: Vec<f64> = x.iter().map(|&x| f64::from(x)).collect();
            let mean = wide.iter().sum::<f64>() / n;
            let variance = wide.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
            let deviation = (variance + 1e-5).sqrt();
            let hat = |i: usize| (wide[i] - mean) / deviation;
            let dot: f64 = (0..x.len()).map(|i| f64::from(dy[i]) * hat(i)).sum();
            let total: f64 = dy.iter().map(|&d| f64::from(d)).sum();
            for isa in Isa::available() {
                let (m, v) = statistics(isa, &x);
                prop_assert!((m - mean).abs() < 1e-9 && (v - variance).abs() < 1e-9);
                let (mut y, mut normalised, mut dx) = (x.clone(), vec![0.0; x.len()], dy.clone());
                forward(isa, &mut y, &mut normalised, m as f32, deviation as f32, gain, shift);
                let (dgain, dshift) = backward(isa, &mut dx, &normalised, deviation as f32, gain);
                // A deviation near √ε magnifies the rounding error of the mean.
                let rounding = 1e-6 * (1.0 + 5.0 / deviation);
                prop_assert!((dgain - dot).abs() < rounding * n && (dshift - total).abs() < 1e-9 * n);
                for i in 0..x.len() {
                    let expected = f64::from(gain) * hat(i) + f64::from(shift);
                    prop_assert!((f64::from(y[i]) - expected).abs() < rounding * 2.0, "{} {expected}", y[i]);
                    let centred = f64::from(dy[i]) - total / n - hat(i) * dot / n;
                    let expected = f64::from(gain) / deviation * centred;
                    prop_assert!((f64::from(dx[i]) - expected).abs() < rounding * 20.0 / deviation);
                }
            }
        }
    }
}
