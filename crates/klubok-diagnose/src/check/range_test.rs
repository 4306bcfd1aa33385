//! The learning rate range test: trains a copy of the network at a learning rate that increases
//! from far too small to far too large.
//!
//! Smith 2017, "Cyclical learning rates for training neural networks": the loss first stays, then
//! decreases, then explodes. Between decrease and explosion the loss curve has a flat floor. Chance
//! decides where on it the lowest point lies: with noisier batches it can be farther from the
//! explosion. So the test takes the highest rate whose loss is within one standard error of the
//! lowest, as Breiman et al. 1984 choose among trees of about equal quality. It proposes a third of
//! that rate, Smith's factor between the maximum and the base rate, but at most a hundredth of the
//! harmful rate, which acts for some steps in this test and for epochs in a training. If the loss
//! turns from lowest to harmful within a decade, that is the tenth of the lowest that fastai
//! proposes (Howard and Gugger 2020).
//!
//! If the configured rate is above the one at which the test undid all progress, a short training
//! of at most as many steps tries it: see [`RangeTest::try_out`].

use klubok_train::{
    Result,
    config::{Optimizer, TrainConfig},
};
use serde::{Deserialize, Serialize};

use super::{
    Lab, affordable_steps,
    trial::{Trial, loss},
};

/// First and last learning rate for adaptive optimizers.
const ADAPTIVE_RATES: (f64, f64) = (1e-6, 1.0);
/// First and last learning rate for SGD.
const SGD_RATES: (f64, f64) = (1e-5, 10.0);
/// Budget of FLOPs.
const FLOPS: f64 = 1.2e12;
/// Minimum and maximum number of steps.
const STEPS: (u64, u64) = (100, 1000);
/// The test ends when the running mean of the loss is this multiple of its lowest value (fastai).
const EXPLODED_FACTOR: f64 = 4.0;
/// Weight of the newest loss in the running mean.
const RUNNING_WEIGHT: f64 = 0.15;
/// Half the width of the smoothing window as a share of all steps.
const HALF_WINDOW_SHARE: f64 = 0.05;
/// A loss this many standard errors above the lowest differs from it. The standard error is that of
/// the difference of two means.
const MAX_STANDARD_ERRORS: f64 = 1.0;
/// The proposed rate is this share of the highest rate on the floor.
const FLOOR_SHARE: f64 = 1.0 / 3.0;
/// The proposed rate is at most this share of the first harmful rate.
const HARMFUL_SHARE: f64 = 0.01;
/// A rate is harmful if its loss is this multiple of the loss before training.
const HARMFUL_FACTOR: f64 = 1.25;
/// Smallest relative decrease of the smoothed loss that shows learning.
const MIN_DECREASE: f64 = 0.015;
/// At the lowest useful rate a training decreases the loss by the first share of it, or by the
/// second share of the test's decrease. Chosen on `klubok-studies rates`, where a rate is too low
/// if it makes less than a tenth of the best rate's decrease.
const USEFUL_DECREASE: (f64, f64) = (0.08, 0.5);
/// The mean loss over this last share of a short training decides whether it learned.
const END_SHARE: f64 = 0.1;

/// The result of the range test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RangeTest {
    /// The learning rate in the settings.
    pub configured: f64,
    /// The proposed rate; none if the loss never decreased.
    pub proposed: Option<f64>,
    /// The rate below which the planned training would learn hardly anything; none if the loss
    /// never decreased.
    pub least: Option<f64>,
    /// Whether a short training at the configured rate learned; none if it was not needed, because
    /// the test undid its progress at no lower rate.
    pub learns: Option<bool>,
    /// The rate at which the loss exploded, if it did.
    pub exploded_at: Option<f64>,
    /// The smoothed loss before the first step.
    pub first_loss: f64,
    /// The lowest smoothed loss.
    pub lowest_loss: f64,
    /// Rate and smoothed loss of each step with a finite loss.
    pub curve: Vec<(f64, f64)>,
}

impl RangeTest {
    /// Trains a copy of the lab's network at increasing rates.
    ///
    /// # Errors
    /// When the device fails.
    pub fn run(lab: &Lab<'_>) -> Result<Self> {
        let train = &lab.config.train;
        let (network, batch) = (&lab.task.network, train.batch_size);
        let steps = affordable_steps(FLOPS, network, batch, STEPS.0, STEPS.1);
        let range = if train.optimizer == Optimizer::Sgd { SGD_RATES } else { ADAPTIVE_RATES };
        let rows = &lab.data.parts.train;
        let mut trial = Trial::new(lab, lab.config, &lab.task.preprocessing, rows, 0)?;
        let mut losses = Vec::new();
        let (mut running, mut lowest) = (RunningMean::default(), f64::INFINITY);
        let mut exploded_at = None;
        for step in 0..steps {
            let rate = rate(range, step, steps);
            let loss = loss(&trial.train(rate)?);
            let mean = running.add(loss);
            lowest = lowest.min(mean);
            if !loss.is_finite() || mean > EXPLODED_FACTOR * lowest {
                exploded_at = Some(rate);
                break;
            }
            losses.push((rate, loss));
        }
        let planned = planned_progress(train, &trial);
        let mut test = evaluate(train.learning_rate, &losses, exploded_at, steps, planned);
        test.try_out(lab)?;
        Ok(test)
    }

    /// Sets the configured rate to the lab's own. If the test undid its progress at a lower rate,
    /// trains a copy for some steps to find out whether the network learns. With warm-up and decay
    /// some networks tolerate five times that lower rate and others not three times: no factor
    /// tells them apart (`docs/diagnosis.md`).
    ///
    /// Runs through the whole schedule, however few the steps.
    ///
    /// # Errors
    /// When the device fails.
    pub fn try_out(&mut self, lab: &Lab<'_>) -> Result<()> {
        let train = &lab.config.train;
        self.configured = train.learning_rate;
        self.learns = None;
        if self.undone_at().is_none_or(|rate| rate >= self.configured) {
            return Ok(());
        }
        let rows = &lab.data.parts.train;
        let mut trial = Trial::new(lab, lab.config, &lab.task.preprocessing, rows, 0)?;
        let schedule = train.rate(trial.steps_per_epoch());
        let planned = train.epochs.saturating_mul(trial.steps_per_epoch()).max(1);
        let (network, batch) = (&lab.task.network, train.batch_size);
        let steps = affordable_steps(FLOPS, network, batch, STEPS.0, STEPS.1).min(planned);
        let end = ((END_SHARE * steps as f64) as u64).max(1);
        let mut sum = 0.0;
        for step in 0..steps {
            let at = (step as f64 * planned as f64 / steps as f64) as u64;
            let loss = loss(&trial.train(schedule.at(at))?);
            if !loss.is_finite() {
                self.learns = Some(false);
                return Ok(());
            }
            if step >= steps - end {
                sum += loss;
            }
        }
        self.learns = Some(sum / (end as f64) < (1.0 - MIN_DECREASE) * self.first_loss);
        Ok(())
    }

    /// The rate at which the loss returned to its start after a decrease, or exploded.
    pub(super) fn undone_at(&self) -> Option<f64> {
        if self.proposed.is_none() {
            return self.exploded_at;
        }
        let points = self.curve.iter().skip_while(|point| point.1 > self.lowest_loss);
        let back = points.clone().find(|point| point.1 > self.first_loss);
        back.map(|point| point.0).or(self.exploded_at)
    }
}

/// Progress of the planned training at a rate of 1: the sum of its schedule.
fn planned_progress(train: &TrainConfig, trial: &Trial) -> f64 {
    let schedule = train.rate(trial.steps_per_epoch());
    let steps = train.epochs.saturating_mul(trial.steps_per_epoch());
    // Samples the schedule of a long training.
    let every = steps.div_ceil(100_000).max(1);
    let sum: f64 = (0..steps).step_by(every as usize).map(|step| schedule.at(step)).sum();
    sum * every as f64 / train.learning_rate
}

/// The learning rate of a step, evenly spaced on a logarithmic scale.
fn rate((first, last): (f64, f64), step: u64, steps: u64) -> f64 {
    first * (last / first).powf(step as f64 / (steps - 1) as f64)
}

/// An exponential moving average with bias correction.
#[derive(Debug, Default)]
struct RunningMean {
    sum: f64,
    weight: f64,
}

impl RunningMean {
    fn add(&mut self, value: f64) -> f64 {
        self.sum += RUNNING_WEIGHT * (value - self.sum);
        self.weight += RUNNING_WEIGHT * (1.0 - self.weight);
        self.sum / self.weight
    }
}

/// Evaluates the losses of the test.
fn evaluate(
    configured: f64,
    losses: &[(f64, f64)],
    exploded_at: Option<f64>,
    steps: u64,
    planned: f64,
) -> RangeTest {
    let half = (HALF_WINDOW_SHARE * steps as f64).ceil() as usize;
    let curve = smoothed(losses, half);
    // The first rates change nothing: the first whole window is the loss before training.
    let first = curve.get(half).or(curve.last());
    let first_loss = first.map_or(f64::NAN, |point| point.1);
    let lowest = (0..curve.len()).min_by(|&a, &b| curve[a].1.total_cmp(&curve[b].1)).unwrap_or(0);
    let lowest_loss = curve.get(lowest).map_or(f64::NAN, |point| point.1);
    let decreased = lowest_loss < (1.0 - MIN_DECREASE) * first_loss;
    // Progress of the test before a step: near initialisation a network is a linear model of its
    // weights, and its progress follows from the sum of the rates (Jacot et al. 2018).
    let progress = |i: usize| losses[..i].iter().map(|point| point.0).sum::<f64>();
    let proposed = decreased.then(|| {
        let (from_lowest, near) = (&curve[lowest..], neighbours(losses, lowest, half));
        let highest = lowest_loss + MAX_STANDARD_ERRORS * standard_error(near);
        let floor = from_lowest.iter().take_while(|point| point.1 <= highest).last();
        let harmful = from_lowest.iter().find(|point| point.1 > HARMFUL_FACTOR * first_loss);
        let harmful = harmful.map(|point| point.0).or(exploded_at).unwrap_or(f64::INFINITY);
        // A short training needs a higher rate to make as much progress as the test.
        let max = (HARMFUL_SHARE * harmful).max(progress(lowest) / planned);
        one_digit(floor.map_or(f64::NAN, |point| FLOOR_SHARE * point.0).min(max))
    });
    let decrease =
        (USEFUL_DECREASE.0 * first_loss).min(USEFUL_DECREASE.1 * (first_loss - lowest_loss));
    let useful = curve.iter().skip(half).position(|point| point.1 <= first_loss - decrease);
    let least = useful.filter(|_| decreased).map(|i| progress(half + i) / planned);
    let learns = None;
    RangeTest { configured, proposed, least, learns, exploded_at, first_loss, lowest_loss, curve }
}

/// Centred moving average over `half` points to each side, fewer at the ends. Symmetric, so it does
/// not shift the curve.
fn smoothed(points: &[(f64, f64)], half: usize) -> Vec<(f64, f64)> {
    let mean = |i: usize| {
        let near = neighbours(points, i, half);
        near.iter().map(|point| point.1).sum::<f64>() / near.len() as f64
    };
    (0..points.len()).map(|i| (points[i].0, mean(i))).collect()
}

/// A point with up to `half` neighbours on each side, equally many on both.
fn neighbours(points: &[(f64, f64)], i: usize, half: usize) -> &[(f64, f64)] {
    let half = half.min(i).min(points.len() - 1 - i);
    &points[i - half..=i + half]
}

/// Standard error of the difference of two means over as many points as these. Estimates the noise
/// from second differences, which a slope does not affect: `Var(a - 2 b + c) = 6 Var(a)` (Gasser et
/// al. 1986).
fn standard_error(points: &[(f64, f64)]) -> f64 {
    let squares = points.windows(3).map(|p| (p[0].1 - 2.0 * p[1].1 + p[2].1).powi(2));
    let (sum, count) = squares.fold((0.0, 0.0), |(sum, count), x| (sum + x, count + 1.0));
    let variance = sum / (6.0 * f64::max(count, 1.0));
    (2.0 * variance / points.len().max(1) as f64).sqrt()
}

/// Rounds a rate to one significant digit, the precision of the test.
fn one_digit(rate: f64) -> f64 {
    format!("{rate:.0e}").parse().unwrap_or(rate)
}

#[cfg(test)]
mod tests {
    use klubok_train::event::VerdictName;

    use super::*;

    /// Planned progress of an endless training.
    const LONG: f64 = f64::INFINITY;

    #[test]
    fn a_short_training_gets_a_rate_for_as_much_progress_as_the_test() {
        // The loss is 1 % lower after progress of 0.1, 10 % lower after 0.2, and lowest after 0.4.
        // The harmful rate is 0.5.
        let losses = [(0.1, 1.0), (0.1, 0.99), (0.2, 0.9), (0.2, 0.5), (0.5, 3.0), (0.5, 9.0)];
        let test = |planned| evaluate(1e-3, &losses, Some(0.5), 0, planned);
        let (short, long) = (test(10.0), test(1e6));
        assert_eq!(long.proposed, Some(0.005), "a hundredth of the harmful rate");
        assert_eq!(short.proposed, Some(0.04), "0.4 in 10 steps");
        let least = short.least.unwrap();
        assert!((least - 0.02).abs() < 1e-12 && long.least.unwrap() < 1e-6, "{short:?}");
        assert!(short.verdict().is_some_and(|v| v.name == VerdictName::LearningRateTooLow));
        assert_eq!(long.verdict(), None);
    }

    #[test]
    fn rates_increase_by_equal_factors() {
        let rates: Vec<f64> = (0..4).map(|step| rate((1e-3, 1.0), step, 4)).collect();
        for (rate, expected) in rates.iter().zip([1e-3, 1e-2, 1e-1, 1.0]) {
            assert!((rate / expected - 1.0).abs() < 1e-12, "{rates:?}");
        }
    }

    #[test]
    fn proposes_a_tenth_of_the_lowest_if_the_loss_turns_at_once() {
        // Flat at 1, down to 0.5 at a rate of 0.02, up again. With 7 steps the window has one
        // neighbour on each side.
        let losses = [
            (2e-6, 1.0),
            (2e-5, 1.0),
            (2e-4, 1.0),
            (2e-3, 0.8),
            (0.02, 0.5),
            (0.2, 0.8),
            (2.0, 3.0),
        ];
        let test = evaluate(1e-3, &losses, Some(20.0), 7, LONG);
        assert_eq!((test.proposed, test.exploded_at), (Some(0.002), Some(20.0)));
        assert!((test.lowest_loss - 0.7).abs() < 1e-12 && test.first_loss == 1.0, "{test:?}");
    }

    /// A loss that decreases from 1 at 1e-4 to 0.5 at 1e-3, stays there up to 1e-2 and then
    /// increases, with noise.
    fn valley(noise: f64) -> Vec<(f64, f64)> {
        let rates = (0..600).map(|i| 10f64.powf(-6.0 + f64::from(i) / 100.0));
        let decrease = |rate: f64| (rate.log10() + 4.0).clamp(0.0, 1.0) / 2.0;
        let increase = |rate: f64| (rate.log10() + 2.0).max(0.0) / 2.0;
        // Two steps up, two steps down, and a dip where the floor begins.
        let jump = |i: usize| if (i / 2).is_multiple_of(2) { noise } else { -noise };
        let dip = |rate: f64| if (1e-3..3e-3).contains(&rate) { 0.05 * noise } else { 0.0 };
        let loss = |i: usize, r: f64| 1.0 - decrease(r) + increase(r) + jump(i) - dip(r);
        rates.enumerate().map(|(i, r)| (r, loss(i, r))).collect()
    }

    #[test]
    fn a_dip_within_the_noise_does_not_move_the_proposal() {
        // The smoothed floor ends a little before 1e-2; rates from 10^-0.5 on, far beyond, are
        // harmful.
        let test = evaluate(1e-3, &valley(0.1), None, 600, LONG);
        let dip = test.curve.iter().min_by(|a, b| a.1.total_cmp(&b.1)).unwrap().0;
        assert!((1e-3..3e-3).contains(&dip), "{dip}");
        assert!(test.proposed.is_some_and(|rate| (0.002..=0.003).contains(&rate)), "{test:?}");
    }

    #[test]
    fn standard_errors_by_hand() {
        let points = |losses: &[f64]| losses.iter().map(|&loss| (0.0, loss)).collect::<Vec<_>>();
        // A slope is no noise. Second differences of 6 and -6: a variance of 36 / 6, over four
        // points.
        assert_eq!(standard_error(&points(&[1.0, 2.0, 3.0, 4.0])), 0.0);
        assert_eq!(standard_error(&points(&[0.0, -3.0, 0.0, -3.0])), 3f64.sqrt());
        assert_eq!(standard_error(&points(&[1.0])), 0.0);
    }

    #[test]
    fn proposes_nothing_if_the_network_learns_nothing() {
        let losses: Vec<(f64, f64)> = (1..50).map(|i| (f64::from(i), 0.69)).collect();
        assert_eq!(evaluate(1e-3, &losses, None, 50, LONG).proposed, None);
        let empty = evaluate(1e-3, &[], Some(1e-6), 50, LONG);
        assert!(empty.proposed.is_none() && empty.curve.is_empty() && empty.first_loss.is_nan());
    }
}
