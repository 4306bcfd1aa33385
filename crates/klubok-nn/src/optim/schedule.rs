//! Learning rate over time: pure functions of the step.
//!
//! With `t` the number of the update from 0, `T` the updates of the whole training and `W` those of
//! the warm-up, the rate is [`LearningRate::highest`] times
//!
//! | [`Curve`] | factor, with `u = t - W` |
//! | --- | --- |
//! | warm-up (`t < W`, before each of the rest) | `(t + 1) / W` |
//! | constant | `1` |
//! | step | `factor^⌊u / every⌋` |
//! | exponential | `factor^(u / every)` |
//! | cosine | `(1 + cos(π c)) / 2`, `c` the fractional part of `cycles u / (T - W)` |
//! | one cycle | see below; it has its own warm-up, so `W = 0` |
//!
//! [`Plateau`] reduces the rate by what the loss does, and stands beside all of them.
//!
//! Linear warm-up is that of Goyal et al. 2017. Cosine is Loshchilov and Hutter 2017 with cycles of
//! equal length. One-cycle is Smith 2018 in the variant of fastai and PyTorch's `OneCycleLR`: over
//! the first 30 % of the updates half a cosine from 1/25 up to 1, then half a cosine down to
//! 1/250000.

use serde::{Deserialize, Serialize};
/// Share of a one-cycle training in which the rate rises.
const RISE: f64 = 0.3;
/// First factor of a one-cycle training.
const FIRST: f64 = 1.0 / 25.0;
/// Last factor of a one-cycle training.
const LAST: f64 = FIRST / 1e4;

/// How the rate changes after the warm-up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Curve {
    /// Not at all.
    Constant,
    /// Multiplied by `factor` at once, every so many updates.
    Step {
        /// What it is multiplied by.
        factor: f64,
        /// Updates between two reductions.
        every: f64,
    },
    /// Multiplied by `factor` little by little, over every so many updates.
    Exponential {
        /// What it is multiplied by.
        factor: f64,
        /// Updates until it is.
        every: f64,
    },
    /// Falls to 0 along half a cosine.
    Cosine {
        /// How often: 1 is without restarts.
        cycles: u64,
    },
    /// Rises and falls once.
    OneCycle,
}

/// The learning rate of every update of a training.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LearningRate {
    /// The rate that the factors of the curve multiply.
    pub highest: f64,
    /// How it changes after the warm-up.
    pub curve: Curve,
    /// Updates in which it rises to `highest`; none with [`Curve::OneCycle`].
    pub warmup: f64,
    /// Updates of the whole training.
    pub total: f64,
}

impl LearningRate {
    /// The learning rate of update `step`, from 0, before any reduction by [`Plateau`]. Updates
    /// after the last one that was planned have its rate.
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

fn one_cycle(t: f64, total: f64) -> f64 {
    let (top, end) = ((RISE * total - 1.0).max(0.0), total - 1.0);
    if t < top {
        half_cosine(FIRST, 1.0, t / top)
    } else if t < end {
        half_cosine(1.0, LAST, (t - top) / (end - top))
    } else {
        LAST
    }
}

/// From `a` at `x = 0` to `b` at `x = 1`, flat at both ends.
fn half_cosine(a: f64, b: f64, x: f64) -> f64 {
    b + (a - b) * (1.0 + (std::f64::consts::PI * x).cos()) / 2.0
}

/// Reduction on a plateau: times `decay` after `decay_epochs` epochs without a lower loss, and
/// again after as many more. Any lower loss counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plateau {
    /// What the learning rate is multiplied by.
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
    /// Takes note of the loss after an epoch.
    pub fn epoch(&mut self, loss: f64, decay: f64, decay_epochs: f64) {
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

    /// A hundred updates at 2.
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
    fn constant_stays() {
        check(rate(Curve::Constant), &[(0, 2.0), (57, 2.0), (99, 2.0)]);
    }

    #[test]
    fn step_halves_every_so_many_updates() {
        check(rate(STEP), &[(0, 2.0), (29, 2.0), (30, 1.0), (59, 1.0), (60, 0.5), (99, 0.25)]);
    }

    #[test]
    fn exponential_halves_over_so_many_updates() {
        let half = std::f64::consts::SQRT_2;
        check(rate(EXPONENTIAL), &[(0, 2.0), (5, half), (10, 1.0), (30, 0.25)]);
    }

    #[test]
    fn cosine_falls_to_zero() {
        let third = 1.5; // 2 (1 + cos 60°) / 2
        check(
            LearningRate { total: 90.0, ..rate(COSINE) },
            &[(0, 2.0), (30, third), (45, 1.0), (60, 0.5)],
        );
        assert!(rate(COSINE).at(99) < 1e-3);
    }

    #[test]
    fn cosine_restarts_at_the_top() {
        check(rate(Curve::Cosine { cycles: 4 }), &[(0, 2.0), (25, 2.0), (50, 2.0), (75, 2.0)]);
        let halfway = LearningRate { total: 40.0, ..rate(Curve::Cosine { cycles: 2 }) };
        check(halfway, &[(10, 1.0), (20, 2.0), (30, 1.0)]);
    }

    #[test]
    fn after_its_end_it_stays_at_its_last_rate() {
        for curve in [Curve::Constant, STEP, EXPONENTIAL, COSINE, Curve::OneCycle] {
            let last = rate(curve).at(99);
            assert!(last > 0.0);
            check(rate(curve), &[(100, last), (150, last), (100_000, last)]);
        }
    }

    #[test]
    fn warm_up_rises_to_the_rate_and_the_schedule_begins_there() {
        let warm = LearningRate { warmup: 4.0, total: 104.0, ..rate(COSINE) };
        check(warm, &[(0, 0.5), (1, 1.0), (2, 1.5), (3, 2.0), (4, 2.0), (54, 1.0)]);
        let fraction = LearningRate { warmup: 2.5, ..rate(Curve::Constant) };
        check(fraction, &[(0, 0.8), (1, 1.6), (2, 2.0), (3, 2.0)]);
    }

    /// `torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=2, total_steps=100)`: 0.08 at step 0,
    /// 2 at step 29, 8e-6 at step 99.
    #[test]
    fn one_cycle_is_that_of_pytorch() {
        check(rate(Curve::OneCycle), &[(0, 0.08), (29, 2.0), (64, 1.000_004), (99, 8e-6)]);
    }

    #[test]
    fn one_cycle_of_few_updates_is_a_number() {
        for total in 1..8u64 {
            let short = LearningRate { total: total as f64, ..rate(Curve::OneCycle) };
            assert!((0..total).all(|t| short.at(t) > 0.0 && short.at(t) <= 2.0), "{total}");
        }
    }

    #[test]
    fn plateau_reduces_after_so_many_epochs_without_a_lower_loss() {
        let mut plateau = Plateau::default();
        let factors: Vec<f64> = [3.0, 2.0, 2.0, 2.5, 1.0, 1.0, 1.0, 1.0, 1.0]
            .into_iter()
            .map(|loss| {
                plateau.epoch(loss, 0.5, 2.0);
                plateau.factor
            })
            .collect();
        assert_eq!(factors, [1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.25, 0.25, 0.125]);
    }
}
