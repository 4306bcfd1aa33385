//! Learning rate over time: pure functions of the step.
//!
//! With `t` the number of the update from 0, `N` the updates of an epoch, `T` those of the whole
//! training and `W` those of the warm-up, the rate is `learning_rate` times
//!
//! | `train.schedule` | factor, with `u = t - W` |
//! | --- | --- |
//! | warm-up (`t < W`, before each of the rest) | `(t + 1) / W` |
//! | `constant` | `1` |
//! | `step` | `decay^⌊u / (N decay_epochs)⌋` |
//! | `exponential` | `decay^(u / N)` |
//! | `cosine` | `(1 + cos(π c)) / 2`, `c` the fractional part of `(restarts + 1) u / (T - W)` |
//! | `one_cycle` | see below; it has its own warm-up, so `W = 0` |
//! | `plateau` | [`Plateau::factor`] |
//!
//! Linear warm-up is that of Goyal et al. 2017. Cosine is Loshchilov and Hutter 2017 with cycles of
//! equal length. One-cycle is Smith 2018 in the variant of fastai and PyTorch's `OneCycleLR`: over
//! the first 30 % of the updates half a cosine from 1/25 up to 1, then half a cosine down to
//! 1/250000.

use serde::{Deserialize, Serialize};

use crate::config::{Schedule, TrainConfig};

/// Share of a one-cycle training in which the rate rises.
const RISE: f64 = 0.3;
/// First factor of a one-cycle training.
const FIRST: f64 = 1.0 / 25.0;
/// Last factor of a one-cycle training.
const LAST: f64 = FIRST / 1e4;

/// The learning rate of every update of a training.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LearningRate {
    base: f64,
    schedule: Schedule,
    decay: f64,
    decay_epochs: f64,
    restarts: u64,
    epoch: f64,
    warmup: f64,
    total: f64,
}

impl LearningRate {
    /// The schedule that the settings ask for, with epochs of `steps_per_epoch` updates.
    pub fn new(config: &TrainConfig, steps_per_epoch: u64) -> Self {
        let epoch = steps_per_epoch as f64;
        let own_warmup = config.schedule == Schedule::OneCycle;
        Self {
            base: config.learning_rate,
            schedule: config.schedule,
            decay: config.decay,
            decay_epochs: config.decay_epochs,
            restarts: config.restarts,
            epoch,
            warmup: if own_warmup { 0.0 } else { config.warmup_epochs * epoch },
            total: config.epochs as f64 * epoch,
        }
    }

    /// The learning rate of update `step`, from 0, before any reduction by [`Plateau`]. Updates
    /// after the last one that was planned have its rate.
    pub fn at(&self, step: u64) -> f64 {
        let t = (step as f64).min(self.total - 1.0);
        if t < self.warmup {
            return self.base * ((t + 1.0) / self.warmup).min(1.0);
        }
        let u = t - self.warmup;
        self.base
            * match self.schedule {
                Schedule::Constant | Schedule::Plateau => 1.0,
                Schedule::Step => self.decay.powf((u / (self.epoch * self.decay_epochs)).floor()),
                Schedule::Exponential => self.decay.powf(u / self.epoch),
                Schedule::Cosine => {
                    let cycles = (self.restarts + 1) as f64;
                    half_cosine(1.0, 0.0, (cycles * u / (self.total - self.warmup)).fract())
                }
                Schedule::OneCycle => one_cycle(t, self.total),
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

    /// Ten epochs of ten updates at 2.
    fn rate(schedule: Schedule) -> LearningRate {
        LearningRate {
            base: 2.0,
            schedule,
            decay: 0.5,
            decay_epochs: 3.0,
            restarts: 0,
            epoch: 10.0,
            warmup: 0.0,
            total: 100.0,
        }
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
        check(rate(Schedule::Constant), &[(0, 2.0), (57, 2.0), (99, 2.0)]);
    }

    #[test]
    fn step_halves_every_three_epochs() {
        check(
            rate(Schedule::Step),
            &[(0, 2.0), (29, 2.0), (30, 1.0), (59, 1.0), (60, 0.5), (99, 0.25)],
        );
    }

    #[test]
    fn exponential_halves_every_epoch() {
        let half = std::f64::consts::SQRT_2;
        check(rate(Schedule::Exponential), &[(0, 2.0), (5, half), (10, 1.0), (30, 0.25)]);
    }

    #[test]
    fn cosine_falls_to_zero() {
        let third = 1.5; // 2 (1 + cos 60°) / 2
        check(
            LearningRate { total: 90.0, ..rate(Schedule::Cosine) },
            &[(0, 2.0), (30, third), (45, 1.0), (60, 0.5)],
        );
        assert!(rate(Schedule::Cosine).at(99) < 1e-3);
    }

    #[test]
    fn cosine_restarts_at_the_top() {
        check(
            LearningRate { restarts: 3, ..rate(Schedule::Cosine) },
            &[(0, 2.0), (25, 2.0), (50, 2.0), (75, 2.0)],
        );
        let halfway = LearningRate { restarts: 1, total: 40.0, ..rate(Schedule::Cosine) };
        check(halfway, &[(10, 1.0), (20, 2.0), (30, 1.0)]);
    }

    #[test]
    fn after_its_end_it_stays_at_its_last_rate() {
        let schedules = [Schedule::Constant, Schedule::Step, Schedule::Exponential];
        for schedule in schedules.into_iter().chain([Schedule::Cosine, Schedule::OneCycle]) {
            let last = rate(schedule).at(99);
            assert!(last > 0.0);
            check(rate(schedule), &[(100, last), (150, last), (100_000, last)]);
        }
    }

    #[test]
    fn warm_up_rises_to_the_rate_and_the_schedule_begins_there() {
        let warm = LearningRate { warmup: 4.0, total: 104.0, ..rate(Schedule::Cosine) };
        check(warm, &[(0, 0.5), (1, 1.0), (2, 1.5), (3, 2.0), (4, 2.0), (54, 1.0)]);
        let fraction = LearningRate { warmup: 2.5, ..rate(Schedule::Constant) };
        check(fraction, &[(0, 0.8), (1, 1.6), (2, 2.0), (3, 2.0)]);
    }

    /// `torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=2, total_steps=100)`: 0.08 at step 0,
    /// 2 at step 29, 8e-6 at step 99.
    #[test]
    fn one_cycle_is_that_of_pytorch() {
        check(rate(Schedule::OneCycle), &[(0, 0.08), (29, 2.0), (64, 1.000_004), (99, 8e-6)]);
    }

    #[test]
    fn one_cycle_of_few_updates_is_a_number() {
        for total in 1..8u64 {
            let short = LearningRate { total: total as f64, ..rate(Schedule::OneCycle) };
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
