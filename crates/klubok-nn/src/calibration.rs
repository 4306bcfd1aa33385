//! Calibration: from logits to confidences that are as often right as they say.
//!
//! A network that fits its training samples ever more closely grows surer than it is right.
//! Temperature scaling (Guo et al. 2017) mends that with one number that changes no answer: with
//! logits `z` of `K` classes,
//!
//! `p = (1 - u) softmax(z / T) + u / K`.
//!
//! The temperature `T` is the one with the lowest cross-entropy of `softmax(z / T)` on `n` samples
//! that training did not see, plus `(β - 1 - ln β) / n` with `β = 1 / T`, between `e⁻¹⁶` and `e¹⁶`.
//! `u = 1 / (n + 1)` is Laplace's rule: where all `n` answers are right the lower temperature is
//! always the better one, and confidences would be 1. Bounds and `u` are "ts-mix" of Berta et al.
//! 2025 (arXiv 2501.19195).
//!
//! The term in `β` is a prior, a gamma distribution with its mode at 1: sixty right answers out of
//! sixty say next to nothing of the temperature, and would make all confidences alike. It holds
//! `T` up with the force of one sample, lets it grow almost freely, and where hundreds speak it is
//! not noticed (`docs/best-epoch.md`). Like the cross-entropy it is convex in `β`: there is one
//! lowest point.

use serde::{Deserialize, Serialize};

use crate::loss::log_sum_exp;

/// `ln T` is between this and its negative.
const BOUND: f64 = 16.0;
/// Samples that the prior weighs as much as.
const PRIOR: f64 = 1.0;
/// Steps of the search: no more than halving would need for seven digits of `ln T`.
const STEPS: usize = 30;
/// The search ends with a step of `ln T` below this.
const CLOSE: f64 = 1e-7;

/// How logits become confidences.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// What logits are divided by; above 1 the network was too sure.
    pub temperature: f64,
    /// Share of all answers alike that is mixed in.
    pub uniform: f64,
}

impl Calibration {
    /// Confidences as the network has them.
    pub const NONE: Self = Self { temperature: 1.0, uniform: 0.0 };

    /// A temperature that so many samples were right for.
    pub fn of(temperature: f64, samples: u64) -> Self {
        Self { temperature, uniform: 1.0 / (samples as f64 + 1.0) }
    }

    /// Whether it can have been fitted.
    pub fn is_sound(&self) -> bool {
        self.temperature.ln().abs() < BOUND + CLOSE && (0.0..1.0).contains(&self.uniform)
    }

    /// Fits logits, `outputs` a sample, to the class of each sample. Without samples it is
    /// [`Calibration::NONE`].
    pub fn fit(logits: &[f32], outputs: usize, classes: &[u32]) -> Self {
        if classes.is_empty() {
            return Self::NONE;
        }
        let prior = PRIOR / classes.len() as f64;
        let slope = |ln_t: f64| {
            let (first, second) = slope(logits, outputs, classes, ln_t);
            let beta = (-ln_t).exp();
            (first + prior * (1.0 - beta), second + prior * beta)
        };
        Self::of(lowest(slope).exp(), classes.len() as u64)
    }

    /// Mean cross-entropy of the confidences; none without samples.
    pub fn loss(&self, logits: &[f32], outputs: usize, classes: &[u32]) -> Option<f64> {
        let mut scaled = vec![0.0; outputs];
        let samples = logits.chunks_exact(outputs).zip(classes);
        let sum: f64 = samples
            .map(|(z, &class)| {
                scaled.iter_mut().zip(z).for_each(|(to, &z)| *to = f64::from(z));
                self.sample_loss(&mut scaled, class as usize)
            })
            .sum();
        (!classes.is_empty()).then(|| sum / classes.len() as f64)
    }

    /// `-ln p` of a class; the logits are spoilt.
    fn sample_loss(&self, z: &mut [f64], class: usize) -> f64 {
        let Self { temperature, uniform } = *self;
        let outputs = z.len() as f64;
        z.iter_mut().for_each(|z| *z /= temperature);
        let ln_p = z[class] - log_sum_exp(z);
        // A probability that underflows has a loss all the same.
        if uniform == 0.0 {
            -ln_p
        } else {
            -((1.0 - uniform) * ln_p.exp() + uniform / outputs).ln()
        }
    }

    /// Confidences from the logits of one sample, in their place.
    pub fn confidences(&self, z: &mut [f64]) {
        let outputs = z.len() as f64;
        z.iter_mut().for_each(|z| *z /= self.temperature);
        let total = log_sum_exp(z);
        z.iter_mut()
            .for_each(|z| *z = (1.0 - self.uniform) * (*z - total).exp() + self.uniform / outputs);
    }
}

/// Where a function is lowest between the bounds, that falls before and grows behind; `at` gives
/// its first and second derivative.
///
/// Newton's steps, each at most half as long as the one before; where one is longer or leads out
/// of what is left of the bounds, that is halved.
fn lowest(at: impl Fn(f64) -> (f64, f64)) -> f64 {
    let (mut low, mut high, mut x) = (-BOUND, BOUND, 0.0);
    let mut last = BOUND;
    for _ in 0..STEPS {
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
        if last < CLOSE {
            break;
        }
    }
    x
}

/// First and second derivative of the mean cross-entropy of `softmax(z / T)` by `ln T`, without the
/// prior.
///
/// With `β = 1 / T`: `∂L/∂β = mean(Σ p z - z_class)`, `∂²L/∂β² = mean(Σ p z² - (Σ p z)²)`, and
/// `∂β/∂ln T = -β`.
fn slope(logits: &[f32], outputs: usize, classes: &[u32], ln_t: f64) -> (f64, f64) {
    let beta = (-ln_t).exp();
    let (mut first, mut second) = (0.0, 0.0);
    for (z, &class) in logits.chunks_exact(outputs).zip(classes) {
        let own = f64::from(z[class as usize]);
        let largest = f64::from(z.iter().copied().fold(f32::NEG_INFINITY, f32::max));
        let (mut total, mut mean, mut square) = (0.0, 0.0, 0.0);
        for &z in z {
            // From the class's own logit: what is far above or below it loses no digits.
            let (p, z) = ((beta * (f64::from(z) - largest)).exp(), f64::from(z) - own);
            total += p;
            mean += p * z;
            square += p * z * z;
        }
        mean /= total;
        first += mean;
        second += square / total - mean * mean;
    }
    let n = classes.len() as f64;
    let (first, second) = (first / n, second / n);
    (-beta * first, beta * (first + beta * second))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{gradient::numbers, loss::softmax};

    /// Logits of samples whose classes are drawn by `softmax(z)`, times `sure`.
    fn drawn(samples: usize, outputs: usize, sure: f32) -> (Vec<f32>, Vec<u32>) {
        let z: Vec<f64> = numbers(1, samples * outputs).iter().map(|z| 3.0 * z).collect();
        let dice = numbers(2, samples);
        let classes = z.chunks_exact(outputs).zip(&dice).map(|(z, dice)| {
            let mut left = f64::midpoint(*dice, 1.0);
            let p = softmax(z);
            p.iter()
                .position(|p| {
                    left -= p;
                    left < 0.0
                })
                .unwrap_or(outputs - 1) as u32
        });
        (z.iter().map(|z| *z as f32 * sure).collect(), classes.collect())
    }

    #[test]
    fn a_network_that_is_too_sure_is_told_how_much() {
        for sure in [0.1, 1.0, 4.0, 1e3] {
            let (z, classes) = drawn(20_000, 3, sure);
            let fitted = Calibration::fit(&z, 3, &classes);
            let off = fitted.temperature / f64::from(sure);
            assert!((off - 1.0).abs() < 0.05, "{sure}: {off}");
            assert_eq!(fitted.uniform, 1.0 / 20_001.0);
        }
    }

    #[test]
    fn no_other_temperature_has_a_lower_loss() {
        for (samples, outputs) in [(7, 2), (60, 2), (60, 10), (500, 5)] {
            let (z, classes) = drawn(samples, outputs, 2.0);
            let Calibration { temperature, .. } = Calibration::fit(&z, outputs, &classes);
            let loss = |temperature: f64| {
                let loss =
                    Calibration { temperature, uniform: 0.0 }.loss(&z, outputs, &classes).unwrap();
                let beta = 1.0 / temperature;
                loss + (beta - 1.0 - beta.ln()) / samples as f64
            };
            let lowest = loss(temperature);
            for other in [0.5, 0.99, 0.9999, 1.0001, 1.01, 2.0] {
                assert!(
                    loss(temperature * other) >= lowest,
                    "{samples} x {outputs}: {temperature} x {other}"
                );
            }
        }
    }

    #[test]
    fn slopes_match_finite_differences() {
        let (z, classes) = drawn(40, 4, 1.5);
        let loss = |ln_t: f64| {
            Calibration { temperature: ln_t.exp(), uniform: 0.0 }.loss(&z, 4, &classes).unwrap()
        };
        for ln_t in [-1.0, 0.0, 0.7, 3.0] {
            let h = 1e-5;
            let (first, second) = slope(&z, 4, &classes, ln_t);
            let central = (loss(ln_t + h) - loss(ln_t - h)) / (2.0 * h);
            assert!((first - central).abs() < 1e-8, "{first} {central}");
            let central = (slope(&z, 4, &classes, ln_t + h).0 - slope(&z, 4, &classes, ln_t - h).0)
                / (2.0 * h);
            assert!((second - central).abs() < 1e-8, "{second} {central}");
        }
    }

    #[test]
    fn few_samples_move_it_little() {
        let z = [5.0, -5.0, -3.0, 3.0];
        let right = Calibration::fit(&z, 2, &[0, 1]);
        assert!((0.8..1.0).contains(&right.temperature), "{right:?}");
        // Laplace: two of two right, and a third is thought right 5 times in 6.
        let mut p = [5.0, -5.0];
        right.confidences(&mut p);
        assert!((p[0] - 5.0 / 6.0).abs() < 1e-4 && (p[0] + p[1] - 1.0).abs() < 1e-12, "{p:?}");
        let wrong = Calibration::fit(&z, 2, &[1, 0]);
        assert!((4.0..40.0).contains(&wrong.temperature), "{wrong:?}");
        // Sixty of sixty, however clearly or faintly: one lowest point, and never far below 1.
        for margin in [0.01, 1.0, 10.0] {
            let z = [margin, 0.0].repeat(60);
            let right = Calibration::fit(&z, 2, &[0; 60]).temperature;
            assert!((0.01..=1.0).contains(&right), "{margin}: {right}");
        }
        // As many wrong as there are in a real validation part: no better than guessing.
        let many = z.repeat(500);
        let wrong = Calibration::fit(&many, 2, &[1, 0].repeat(500));
        assert!((3.0..BOUND + CLOSE).contains(&wrong.temperature.ln()), "{wrong:?}");
        let loss = wrong.loss(&many, 2, &[1, 0].repeat(500)).unwrap();
        assert!((loss - 2f64.ln()).abs() < 0.1, "{loss}");
    }

    #[test]
    fn what_only_falls_or_only_grows_is_lowest_at_a_bound() {
        for (slope, bound) in [(-1.0, BOUND), (-1e-9, BOUND), (1.0, -BOUND), (1e9, -BOUND)] {
            for bend in [0.0, 1e-12] {
                let lowest = lowest(|_| (slope, bend));
                assert!((lowest - bound).abs() < 2.0 * CLOSE, "{slope} {bend}: {lowest}");
                assert!(Calibration::of(lowest.exp(), 9).is_sound());
            }
        }
    }

    #[test]
    fn it_is_never_no_number() {
        assert_eq!(Calibration::fit(&[], 2, &[]), Calibration::NONE);
        assert_eq!(Calibration::NONE.loss(&[], 2, &[]), None);
        assert_eq!(Calibration::fit(&[0.0; 6], 3, &[0, 1]).temperature, 1.0, "one answer for all");
        assert_eq!(Calibration::fit(&[7.0; 3], 1, &[0, 0, 0]).temperature, 1.0, "a single class");
        for huge in [1e30, -1e30, 3e38] {
            let z = [huge, -huge, huge, 0.0];
            let fitted = Calibration::fit(&z, 2, &[1, 0]);
            assert!(
                fitted.temperature.is_finite() && fitted.loss(&z, 2, &[1, 0]).unwrap().is_finite(),
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
        let loss = Calibration::NONE.loss(&[1.0, -2.0, 0.5], 3, &[1]).unwrap();
        assert!((loss + p[1].ln()).abs() < 1e-12);
        let far = Calibration::NONE.loss(&[2000.0, 0.0], 2, &[1]).unwrap();
        assert_eq!(far, 2000.0, "no overflow");
    }
}
