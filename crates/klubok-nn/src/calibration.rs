//! Calibration: from logits to confidences that match the accuracy.
//!
//! A network that keeps fitting its training set becomes overconfident. Temperature scaling (Guo et
//! al. 2017) corrects that with one number and leaves every predicted class as it is. With logits
//! `z` of `K` classes, the confidences are
//!
//! `p = (1 - u) softmax(z / T) + u / K`.
//!
//! The temperature `T` minimises, on `n` held-out samples and with `β = 1 / T`,
//!
//! `mean cross-entropy of softmax(z / T) + (β - 1 - ln β) / n`, for `T` from `e⁻¹⁶` to `e¹⁶`.
//!
//! The uniform share `u = 1 / (n + 1)` is Laplace's rule. If all `n` predictions are correct, a
//! lower temperature always lowers the cross-entropy, and without `u` the confidences would reach
//! 1. The bounds and `u` are "ts-mix" of Berta et al. 2025 (arXiv 2501.19195).
//!
//! The term in `β` is a prior, a gamma distribution with its mode at 1. Sixty correct predictions
//! out of sixty hold almost no information about the temperature, and would make all confidences
//! equal. The prior keeps `T` from shrinking with the weight of one sample, and hardly resists its
//! growth; among hundreds of samples it has no visible effect (`docs/best-epoch.md`). Cross-entropy
//! and prior are both convex in `β`, so there is one minimum.

use serde::{Deserialize, Serialize};

use crate::loss::log_sum_exp;

/// Bound of `|ln T|`.
const MAX_LN_T: f64 = 16.0;
/// Weight of the prior, in samples.
const PRIOR_SAMPLES: f64 = 1.0;
/// Limit of search steps: about as repeated as bisection alone needs for the tolerance.
const MAX_STEPS: usize = 30;
/// The search ends once a step changes `ln T` by less than this.
const TOLERANCE: f64 = 1e-7;

/// Parameters that turn logits into confidences.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// `T`, the divisor of the logits; above 1 the network was overconfident.
    pub temperature: f64,
    /// `u`, the share of the uniform distribution.
    pub uniform: f64,
}

impl Calibration {
    /// No calibration: confidences are the softmax.
    pub const NONE: Self = Self { temperature: 1.0, uniform: 0.0 };

    /// Calibration with a temperature that was fitted to `samples` samples.
    pub fn new(temperature: f64, samples: u64) -> Self {
        Self { temperature, uniform: 1.0 / (samples as f64 + 1.0) }
    }

    /// True when [`Calibration::fit`] can have returned these values.
    pub fn is_sound(&self) -> bool {
        self.temperature.ln().abs() < MAX_LN_T + TOLERANCE && (0.0..1.0).contains(&self.uniform)
    }

    /// Fits the temperature to logits `[samples, outputs]` and the class of each sample. `weights`
    /// has the weight of each sample, or is empty if all weigh the same.
    ///
    /// Returns [`Calibration::NONE`] without samples, or if no sample has a weight.
    pub fn fit(logits: &[f32], outputs: usize, classes: &[u32], weights: &[f64]) -> Self {
        if total(classes, weights) <= 0.0 {
            return Self::NONE;
        }
        let prior = PRIOR_SAMPLES / classes.len() as f64;
        let derivatives = |ln_t: f64| {
            let (first, second) = derivatives(logits, outputs, classes, weights, ln_t);
            let beta = (-ln_t).exp();
            (first + prior * (1.0 - beta), second + prior * beta)
        };
        Self::new(minimum(derivatives).exp(), classes.len() as u64)
    }

    /// Mean cross-entropy of the confidences, weighted as in [`Calibration::fit`]; `None` without
    /// samples.
    pub fn loss(
        &self,
        logits: &[f32],
        outputs: usize,
        classes: &[u32],
        weights: &[f64],
    ) -> Option<f64> {
        let mut scaled = vec![0.0; outputs];
        let samples = logits.chunks_exact(outputs).zip(classes).enumerate();
        let sum: f64 = samples
            .map(|(sample, (z, &class))| {
                scaled.iter_mut().zip(z).for_each(|(to, &z)| *to = f64::from(z));
                self.sample_loss(&mut scaled, class as usize) * weight(weights, sample)
            })
            .sum();
        let total = total(classes, weights);
        (total > 0.0).then(|| sum / total)
    }

    /// Cross-entropy `-ln p` of one sample. Overwrites its logits.
    fn sample_loss(&self, z: &mut [f64], class: usize) -> f64 {
        let Self { temperature, uniform } = *self;
        let outputs = z.len() as f64;
        z.iter_mut().for_each(|z| *z /= temperature);
        let ln_p = z[class] - log_sum_exp(z);
        // Without `u`, `exp` could underflow to 0 and the loss become infinite.
        if uniform == 0.0 {
            -ln_p
        } else {
            -((1.0 - uniform) * ln_p.exp() + uniform / outputs).ln()
        }
    }

    /// Replaces the logits of one sample by its confidences.
    pub fn confidences(&self, z: &mut [f64]) {
        let outputs = z.len() as f64;
        z.iter_mut().for_each(|z| *z /= self.temperature);
        let total = log_sum_exp(z);
        z.iter_mut()
            .for_each(|z| *z = (1.0 - self.uniform) * (*z - total).exp() + self.uniform / outputs);
    }
}

/// Minimum of a function on [-[`MAX_LN_T`], [`MAX_LN_T`]] that decreases to the left of its minimum
/// and increases to the right; `at` returns its first and second derivative.
///
/// Newton's method, safeguarded by bisection: a Newton step that leaves the remaining interval, or
/// is longer than half the step before, is replaced by halving the interval.
fn minimum(at: impl Fn(f64) -> (f64, f64)) -> f64 {
    let (mut low, mut high, mut x) = (-MAX_LN_T, MAX_LN_T, 0.0);
    let mut last = MAX_LN_T;
    for _ in 0..MAX_STEPS {
        let (first, second) = at(x);
        if first > 0.0 {
            high = x;
        } else if first < 0.0 {
            low = x;
        } else {
            return x;
        }
        let newton = x - first / second;
        let is_good = newton > low && newton < high && (newton - x).abs() < last / 2.0;
        let next = if is_good { newton } else { f64::midpoint(low, high) };
        last = (next - x).abs();
        x = next;
        if last < TOLERANCE {
            break;
        }
    }
    x
}

/// Weight of a sample; 1 if there are no weights.
fn weight(weights: &[f64], sample: usize) -> f64 {
    weights.get(sample).copied().unwrap_or(1.0)
}

/// Sum of the weights of all samples.
fn total(classes: &[u32], weights: &[f64]) -> f64 {
    if weights.is_empty() { classes.len() as f64 } else { weights.iter().sum() }
}

/// First and second derivative of the mean cross-entropy of `softmax(z / T)` with respect to
/// `ln T`, without the prior.
///
/// With `β = 1 / T`: `∂L/∂β = mean(Σ p z - z_class)`, `∂²L/∂β² = mean(Σ p z² - (Σ p z)²)`. By the
/// chain rule with `∂β/∂ln T = -β`: `∂L/∂ln T = -β ∂L/∂β`, `∂²L/∂(ln T)² = β (∂L/∂β + β ∂²L/∂β²)`.
fn derivatives(
    logits: &[f32],
    outputs: usize,
    classes: &[u32],
    weights: &[f64],
    ln_t: f64,
) -> (f64, f64) {
    let beta = (-ln_t).exp();
    let (mut first, mut second) = (0.0, 0.0);
    for (sample, (z, &class)) in logits.chunks_exact(outputs).zip(classes).enumerate() {
        let own = f64::from(z[class as usize]);
        let largest = f64::from(z.iter().copied().fold(f32::NEG_INFINITY, f32::max));
        let (mut total, mut mean, mut square) = (0.0, 0.0, 0.0);
        for &z in z {
            // Relative to the logit of the sample's class, which limits cancellation.
            let (p, z) = ((beta * (f64::from(z) - largest)).exp(), f64::from(z) - own);
            total += p;
            mean += p * z;
            square += p * z * z;
        }
        mean /= total;
        let weight = weight(weights, sample);
        first += weight * mean;
        second += weight * (square / total - mean * mean);
    }
    let n = total(classes, weights);
    let (first, second) = (first / n, second / n);
    (-beta * first, beta * (first + beta * second))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{gradient::numbers, loss::softmax};

    /// Logits `temperature · z` of samples whose classes are drawn from `softmax(z)`.
    fn drawn(samples: usize, outputs: usize, temperature: f32) -> (Vec<f32>, Vec<u32>) {
        let z: Vec<f64> = numbers(1, samples * outputs).iter().map(|z| 3.0 * z).collect();
        let uniform = numbers(2, samples);
        let classes = z.chunks_exact(outputs).zip(&uniform).map(|(z, uniform)| {
            let mut rest = f64::midpoint(*uniform, 1.0);
            let p = softmax(z);
            p.iter()
                .position(|p| {
                    rest -= p;
                    rest < 0.0
                })
                .unwrap_or(outputs - 1) as u32
        });
        (z.iter().map(|z| *z as f32 * temperature).collect(), classes.collect())
    }

    #[test]
    fn fit_recovers_the_temperature() {
        for temperature in [0.1, 1.0, 4.0, 1e3] {
            let (z, classes) = drawn(20_000, 3, temperature);
            let fitted = Calibration::fit(&z, 3, &classes, &[]);
            let ratio = fitted.temperature / f64::from(temperature);
            assert!((ratio - 1.0).abs() < 0.05, "{temperature}: {ratio}");
            assert_eq!(fitted.uniform, 1.0 / 20_001.0);
        }
    }

    #[test]
    fn a_sample_of_weight_two_counts_as_two_samples() {
        let (z, classes) = drawn(2000, 3, 2.0);
        let weights: Vec<f64> = (0..2000).map(|i| f64::from(1 + i % 2)).collect();
        let weighted = Calibration::fit(&z, 3, &classes, &weights);
        let all = z.chunks_exact(3).zip(&classes).zip(&weights);
        let repeated: Vec<(&[f32], u32)> =
            all.flat_map(|((z, class), w)| std::iter::repeat_n((z, *class), *w as usize)).collect();
        let (z2, classes2): (Vec<&[f32]>, Vec<u32>) = repeated.into_iter().unzip();
        let z2 = z2.concat();
        let counted = Calibration::fit(&z2, 3, &classes2, &[]);
        // The prior counts samples, whatever they weigh.
        assert!((weighted.temperature / counted.temperature - 1.0).abs() < 1e-3);
        let loss = Calibration::NONE.loss(&z, 3, &classes, &weights).unwrap();
        assert!((loss - Calibration::NONE.loss(&z2, 3, &classes2, &[]).unwrap()).abs() < 1e-12);
        assert_eq!(Calibration::fit(&z, 3, &classes, &[0.0; 2000]), Calibration::NONE);
    }

    #[test]
    fn no_other_temperature_has_a_lower_loss() {
        for (samples, outputs) in [(7, 2), (60, 2), (60, 10), (500, 5)] {
            let (z, classes) = drawn(samples, outputs, 2.0);
            let Calibration { temperature, .. } = Calibration::fit(&z, outputs, &classes, &[]);
            let loss = |temperature: f64| {
                let loss = Calibration { temperature, uniform: 0.0 }
                    .loss(&z, outputs, &classes, &[])
                    .unwrap();
                let beta = 1.0 / temperature;
                loss + (beta - 1.0 - beta.ln()) / samples as f64
            };
            let minimum = loss(temperature);
            for other in [0.5, 0.99, 0.9999, 1.0001, 1.01, 2.0] {
                assert!(
                    loss(temperature * other) >= minimum,
                    "{samples} x {outputs}: {temperature} x {other}"
                );
            }
        }
    }

    #[test]
    fn derivatives_match_finite_differences() {
        let (z, classes) = drawn(40, 4, 1.5);
        let loss = |ln_t: f64| {
            Calibration { temperature: ln_t.exp(), uniform: 0.0 }
                .loss(&z, 4, &classes, &[])
                .unwrap()
        };
        for ln_t in [-1.0, 0.0, 0.7, 3.0] {
            let h = 1e-5;
            let (first, second) = derivatives(&z, 4, &classes, &[], ln_t);
            let central = (loss(ln_t + h) - loss(ln_t - h)) / (2.0 * h);
            assert!((first - central).abs() < 1e-8, "{first} {central}");
            let slope = |ln_t: f64| derivatives(&z, 4, &classes, &[], ln_t).0;
            let central = (slope(ln_t + h) - slope(ln_t - h)) / (2.0 * h);
            assert!((second - central).abs() < 1e-8, "{second} {central}");
        }
    }

    #[test]
    fn few_samples_change_the_temperature_little() {
        let z = [5.0, -5.0, -3.0, 3.0];
        let right = Calibration::fit(&z, 2, &[0, 1], &[]);
        assert!((0.8..1.0).contains(&right.temperature), "{right:?}");
        // Laplace's rule: after two correct of two, the confidence is 1 - (1/3) / 2 = 5/6.
        let mut p = [5.0, -5.0];
        right.confidences(&mut p);
        assert!((p[0] - 5.0 / 6.0).abs() < 1e-4 && (p[0] + p[1] - 1.0).abs() < 1e-12, "{p:?}");
        let wrong = Calibration::fit(&z, 2, &[1, 0], &[]);
        assert!((4.0..40.0).contains(&wrong.temperature), "{wrong:?}");
        // Sixty correct of sixty, with any margin: the prior keeps the temperature from 0.
        for margin in [0.01, 1.0, 10.0] {
            let z = [margin, 0.0].repeat(60);
            let right = Calibration::fit(&z, 2, &[0; 60], &[]).temperature;
            assert!((0.01..=1.0).contains(&right), "{margin}: {right}");
        }
        // A thousand wrong of a thousand: the loss is at chance level, ln 2.
        let repeated = z.repeat(500);
        let wrong = Calibration::fit(&repeated, 2, &[1, 0].repeat(500), &[]);
        assert!((3.0..MAX_LN_T + TOLERANCE).contains(&wrong.temperature.ln()), "{wrong:?}");
        let loss = wrong.loss(&repeated, 2, &[1, 0].repeat(500), &[]).unwrap();
        assert!((loss - 2f64.ln()).abs() < 0.1, "{loss}");
    }

    #[test]
    fn a_monotonic_function_has_its_minimum_at_a_bound() {
        let max = MAX_LN_T;
        for (slope, bound) in [(-1.0, max), (-1e-9, max), (1.0, -max), (1e9, -max)] {
            for curvature in [0.0, 1e-12] {
                let found = minimum(|_| (slope, curvature));
                assert!((found - bound).abs() < 2.0 * TOLERANCE, "{slope} {curvature}: {found}");
                assert!(Calibration::new(found.exp(), 9).is_sound());
            }
        }
    }

    #[test]
    fn extreme_inputs_give_finite_temperatures() {
        assert_eq!(Calibration::fit(&[], 2, &[], &[]), Calibration::NONE);
        assert_eq!(Calibration::NONE.loss(&[], 2, &[], &[]), None);
        assert_eq!(Calibration::fit(&[0.0; 6], 3, &[0, 1], &[]).temperature, 1.0, "equal logits");
        assert_eq!(
            Calibration::fit(&[7.0; 3], 1, &[0, 0, 0], &[]).temperature,
            1.0,
            "a single class"
        );
        for huge in [1e30, -1e30, 3e38] {
            let z = [huge, -huge, huge, 0.0];
            let fitted = Calibration::fit(&z, 2, &[1, 0], &[]);
            assert!(
                fitted.temperature.is_finite()
                    && fitted.loss(&z, 2, &[1, 0], &[]).unwrap().is_finite(),
                "{fitted:?}"
            );
        }
    }

    #[test]
    fn without_calibration_confidences_are_the_softmax() {
        let z = [1.0, -2.0, 0.5];
        let mut p = z;
        Calibration::NONE.confidences(&mut p);
        assert_eq!(p.to_vec(), softmax(&z));
        let loss = Calibration::NONE.loss(&[1.0, -2.0, 0.5], 3, &[1], &[]).unwrap();
        assert!((loss + p[1].ln()).abs() < 1e-12);
        let extreme = Calibration::NONE.loss(&[2000.0, 0.0], 2, &[1], &[]).unwrap();
        assert_eq!(extreme, 2000.0, "no overflow");
    }
}
