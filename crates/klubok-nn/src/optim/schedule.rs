//! Learning-rate schedules: pure functions of the step.
//!
//! Let `t` be the index of the update from 0, `T` the number of updates of the training and `W` the
//! number of warm-up updates. The learning rate is [`LearningRate::highest`] times
//!
//! | [`Curve`] | factor, with `u = t - W` |
//! | --- | --- |
//! | warm-up (`t < W`, precedes every other curve) | `(t + 1) / W` |
//! | constant | `1` |
//! | step | `factor^⌊u / every⌋` |
//! | exponential | `factor^(u / every)` |
//! | cosine | `(1 + cos(π c)) / 2`, `c` the fractional part of `cycles u / (T - W)` |
//! | one cycle | see below; it has its own warm-up, so `W = 0` |
//!
//! [`Plateau`] multiplies any of them by a factor that follows the loss.
//!
//! Sources: linear warm-up, Goyal et al. 2017. Cosine, Loshchilov and Hutter 2017, with cycles of
//! equal length. One cycle, Smith 2018, in the variant of fastai and PyTorch's `OneCycleLR`: half a
//! cosine from 1/25 up to 1 over the first 30 % of the updates, then half a cosine down to
//! 1/250000.

use serde::{Deserialize, Serialize};

/// Share of the updates in which the one-cycle rate increases.
const INCREASE_SHARE: f64 = 0.3;
/// First factor of the one-cycle curve.
const FIRST_FACTOR: f64 = 1.0 / 25.0;
/// Last factor of the one-cycle curve.
const LAST_FACTOR: f64 = FIRST_FACTOR / 1e4;

/// Shape of the learning rate after the warm-up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Curve {
    /// Constant rate.
    Constant,
    /// Multiplies the rate by `factor` every `every` updates.
    Step {
        /// Factor of one reduction.
        factor: f64,
        /// Updates between two reductions.
        every: f64,
    },
    /// Decays the rate exponentially, by `factor` over `every` updates.
    Exponential {
        /// Factor over `every` updates.
        factor: f64,
        /// Updates in which the rate changes by `factor`.
        every: f64,
    },
    /// Decreases to 0 along half a cosine.
    Cosine {
        /// Number of cycles; 1 means no restart.
        cycles: u64,
    },
    /// Increases to the peak, then decreases.
    OneCycle,
}

/// Learning rate of every update of a training.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LearningRate {
    /// Peak rate, which the factors of the curve multiply.
    pub highest: f64,
    /// Shape after the warm-up.
    pub curve: Curve,
    /// Warm-up updates; 0 with [`Curve::OneCycle`].
    pub warmup: f64,
    /// Updates of the whole training.
    pub total: f64,
}

impl LearningRate {
    /// Learning rate of update `step`, from 0, without the factor of [`Plateau`]. Updates after
    /// `total` keep the rate of the last one.
    pub fn at(&self, step: u64) -> f64 {
        let t = (step as f64).min(self.total - 1.0);
        if t < self.warmup {
            return self.highest * ((t + 1.0) / self.warmup).min(1.0);
        }
        let u = t - self.warmup;
        self.highest
            * match self.curve {
                Curve::Constant => 1.0,
                Curve::Step { factor, every } => factor.powf((u / every).floor()),
                Curve::Exponential { factor, every } => factor.powf(u / every),
                Curve::Cosine { cycles } => {
                    half_cosine(1.0, 0.0, (cycles as f64 * u / (self.total - self.warmup)).fract())
                }
                Curve::OneCycle => one_cycle(t, self.total),
            }
    }
}

/// Factor of the one-cycle curve.
fn one_cycle(t: f64, total: f64) -> f64 {
    let (peak, end) = ((INCREASE_SHARE * total - 1.0).max(0.0), total - 1.0);
    if t < peak {
        half_cosine(FIRST_FACTOR, 1.0, t / peak)
    } else if t < end {
        half_cosine(1.0, LAST_FACTOR, (t - peak) / (end - peak))
    } else {
        LAST_FACTOR
    }
}

/// Half a cosine from `a` at `x = 0` to `b` at `x = 1`, flat at both ends.
fn half_cosine(a: f64, b: f64, x: f64) -> f64 {
    b + (a - b) * (1.0 + (std::f64::consts::PI * x).cos()) / 2.0
}

/// Reduces the learning rate on a plateau of the monitored loss.
///
/// The factor is multiplied by `decay` after every `decay_epochs` epochs without a new minimum. Any
/// improvement counts, however small.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plateau {
    /// Factor of the learning rate.
    pub factor: f64,
    best: Option<f64>,
    waited: u64,
}

impl Default for Plateau {
    fn default() -> Self {
        Self { factor: 1.0, best: None, waited: 0 }
    }
}

impl Plateau {
    /// Returns the same factor, with no loss to compare with.
    pub fn restarted(&self) -> Self {
        Self { factor: self.factor, ..Self::default() }
    }

    /// Records the loss of an epoch.
    pub fn record(&mut self, loss: f64, decay: f64, decay_epochs: f64) {
        if self.best.is_none_or(|best| loss < best) {
            self.best = Some(loss);
            self.waited = 0;
            return;
        }
        self.waited += 1;
        if self.waited as f64 >= decay_epochs {
            self.factor *= decay;
            self.waited = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: Curve = Curve::Step { factor: 0.5, every: 30.0 };
    const EXPONENTIAL: Curve = Curve::Exponential { factor: 0.5, every: 10.0 };
    const COSINE: Curve = Curve::Cosine { cycles: 1 };

    /// A schedule of 100 updates with peak rate 2.
    fn rate(curve: Curve) -> LearningRate {
        LearningRate { highest: 2.0, curve, warmup: 0.0, total: 100.0 }
    }

    #[track_caller]
    fn check(rate: LearningRate, expected: &[(u64, f64)]) {
        for &(step, expected) in expected {
            let got = rate.at(step);
            assert!((got - expected).abs() < 1e-12, "step {step}: {got}, expected {expected}");
        }
    }

    #[test]
    fn constant_is_constant() {
        check(rate(Curve::Constant), &[(0, 2.0), (57, 2.0), (99, 2.0)]);
    }

    #[test]
    fn step_halves_every_30_updates() {
        check(rate(STEP), &[(0, 2.0), (29, 2.0), (30, 1.0), (59, 1.0), (60, 0.5), (99, 0.25)]);
    }

    #[test]
    fn exponential_halves_over_10_updates() {
        let half = std::f64::consts::SQRT_2;
        check(rate(EXPONENTIAL), &[(0, 2.0), (5, half), (10, 1.0), (30, 0.25)]);
    }

    #[test]
    fn cosine_decreases_to_zero() {
        let third = 1.5; // 2 (1 + cos 60°) / 2
        check(
            LearningRate { total: 90.0, ..rate(COSINE) },
            &[(0, 2.0), (30, third), (45, 1.0), (60, 0.5)],
        );
        assert!(rate(COSINE).at(99) < 1e-3);
    }

    #[test]
    fn cosine_restarts_at_the_peak() {
        check(rate(Curve::Cosine { cycles: 4 }), &[(0, 2.0), (25, 2.0), (50, 2.0), (75, 2.0)]);
        let halfway = LearningRate { total: 40.0, ..rate(Curve::Cosine { cycles: 2 }) };
        check(halfway, &[(10, 1.0), (20, 2.0), (30, 1.0)]);
    }

    #[test]
    fn updates_past_the_end_keep_the_last_rate() {
        for curve in [Curve::Constant, STEP, EXPONENTIAL, COSINE, Curve::OneCycle] {
            let last = rate(curve).at(99);
            assert!(last > 0.0);
            check(rate(curve), &[(100, last), (150, last), (100_000, last)]);
        }
    }

    #[test]
    fn warm_up_increases_to_the_peak_where_the_schedule_begins() {
        let warm = LearningRate { warmup: 4.0, total: 104.0, ..rate(COSINE) };
        check(warm, &[(0, 0.5), (1, 1.0), (2, 1.5), (3, 2.0), (4, 2.0), (54, 1.0)]);
        let fraction = LearningRate { warmup: 2.5, ..rate(Curve::Constant) };
        check(fraction, &[(0, 0.8), (1, 1.6), (2, 2.0), (3, 2.0)]);
    }

    /// `torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=2, total_steps=100)`: 0.08 at step 0,
    /// 2 at step 29, 8e-6 at step 99.
    #[test]
    fn one_cycle_matches_pytorch() {
        check(rate(Curve::OneCycle), &[(0, 0.08), (29, 2.0), (64, 1.000_004), (99, 8e-6)]);
    }

    #[test]
    fn one_cycle_of_few_updates_stays_in_range() {
        for total in 1..8u64 {
            let short = LearningRate { total: total as f64, ..rate(Curve::OneCycle) };
            assert!((0..total).all(|t| short.at(t) > 0.0 && short.at(t) <= 2.0), "{total}");
        }
    }

    #[test]
    fn plateau_reduces_after_2_epochs_without_a_lower_loss() {
        let mut plateau = Plateau::default();
        let factors: Vec<f64> = [3.0, 2.0, 2.0, 2.5, 1.0, 1.0, 1.0, 1.0, 1.0]
            .into_iter()
            .map(|loss| {
                plateau.record(loss, 0.5, 2.0);
                plateau.factor
            })
            .collect();
        assert_eq!(factors, [1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.25, 0.25, 0.125]);
    }
}
