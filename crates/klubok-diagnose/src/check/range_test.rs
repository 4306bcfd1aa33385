//! The learning rate range test: the real network, on a copy, at a rate that rises from far too
//! small to far too large.
//!
//! Smith 2017, "Cyclical learning rates for training neural networks": the loss first does not
//! move, then falls, then explodes. Between fall and explosion lies a floor, and chance decides
//! where on it the lowest point is: the noisier the batches, the farther it may be from the
//! explosion. So what counts is the highest rate at which the loss cannot be told from the lowest,
//! by one standard error, as Breiman et al. 1984 choose among trees that are about as good. A third
//! of that rate is proposed, Smith's factor between the largest rate and the one to begin with; but
//! no more than a hundredth of the rate that does harm, which acts for some steps in this test and
//! for epochs in a training. Where the lowest loss turns into harm within a decade, that is the
//! tenth of the lowest that fastai proposes (Howard and Gugger 2020).
//!
//! A rate of the settings above the one at which the test undid all it had learnt is tried in a
//! short training of no more steps than the test: see [`RangeTest::try_out`].

use klubok_train::{
    Result,
    config::{Optimizer, TrainConfig},
};
use serde::{Deserialize, Serialize};

use super::{
    Lab, affordable,
    trial::{Trial, loss},
};

/// First and last rate, for rules that divide by the size of the gradient and for plain descent.
const ADAPTIVE: (f64, f64) = (1e-6, 1.0);
const PLAIN: (f64, f64) = (1e-5, 10.0);
/// What the test may cost, and its least and most steps.
const FLOPS: f64 = 1.2e12;
const STEPS: (u64, u64) = (100, 1000);
/// It ends when the loss is this many times the lowest so far (fastai), smoothed as it goes.
const EXPLODED: f64 = 4.0;
/// Weight of the last loss in that running mean.
const LAST: f64 = 0.15;
/// Half of the width of the smoothing, as a share of all steps.
const WINDOW: f64 = 0.05;
/// Standard errors of the difference of two means by which a loss is told from the lowest.
const TOLD_APART: f64 = 1.0;
/// The proposal is this share of the highest rate on the floor,
const SAFE: f64 = 1.0 / 3.0;
/// and at most this share of the first rate that does harm: the loss is this many times what it was
/// before training.
const FAR: f64 = 0.01;
const HARM: f64 = 1.25;
/// Fall of the smoothed loss, as a share of the first, that says anything was learnt.
const FALL: f64 = 0.015;
/// A training at a rate that is just high enough makes the loss fall by this share of it, or by
/// half of what the test could. Chosen on `klubok-studies rates`, where a rate is called too low
/// that makes a tenth of the best rate's fall.
const LEAST: (f64, f64) = (0.08, 0.5);
/// Of a short training at the settings' rate, the share at the end whose mean loss counts.
const END: f64 = 0.1;

/// The loss at rising learning rates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RangeTest {
    /// The rate that the settings have.
    pub configured: f64,
    /// The rate that the test proposes; none where the loss never fell.
    pub proposed: Option<f64>,
    /// The rate below which the training that the settings plan would learn hardly anything; none
    /// where the loss never fell.
    pub least: Option<f64>,
    /// Whether a short training learnt at the settings' rate; it is made where the test undid at a
    /// lower one what it had learnt.
    pub learns: Option<bool>,
    /// The rate from which on the loss exploded, if it did.
    pub exploded_at: Option<f64>,
    /// The loss before the first step, and the lowest, both smoothed.
    pub first_loss: f64,
    /// The lowest, smoothed.
    pub lowest_loss: f64,
    /// Rate and smoothed loss of each step that is a number.
    pub curve: Vec<(f64, f64)>,
}

impl RangeTest {
    /// Trains a copy of the lab's network at rising rates.
    ///
    /// # Errors
    /// When the device fails.
    pub fn of(lab: &Lab<'_>) -> Result<Self> {
        let train = &lab.config.train;
        let (network, batch) = (&lab.task.network, train.batch_size);
        let steps = affordable(FLOPS, network, batch, STEPS.0, STEPS.1);
        let range = if train.optimizer == Optimizer::Sgd { PLAIN } else { ADAPTIVE };
        let rows = &lab.data.parts.train;
        let mut trial = Trial::new(lab, lab.config, &lab.task.preprocessing, rows, 0)?;
        let (mut losses, mut running, mut lowest) = (Vec::new(), Running::default(), f64::INFINITY);
        let mut exploded_at = None;
        for step in 0..steps {
            let rate = rate(range, step, steps);
            let loss = loss(&trial.train(rate)?);
            let mean = running.add(loss);
            lowest = lowest.min(mean);
            if !loss.is_finite() || mean > EXPLODED * lowest {
                exploded_at = Some(rate);
                break;
            }
            losses.push((rate, loss));
        }
        let planned = planned(train, &trial);
        let mut test = judge(train.learning_rate, &losses, exploded_at, steps, planned);
        test.try_out(lab)?;
        Ok(test)
    }

    /// Trains a copy for a while at the lab's own rate, which becomes the configured one, where the
    /// test undid at a lower one what it had learnt. With warm-up and a rate that decays some
    /// networks stand five times that rate and others not three: no factor tells them apart
    /// (`docs/diagnosis.md`).
    ///
    /// The schedule is passed through from its beginning to its end, however few the steps.
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
        let steps = affordable(FLOPS, network, batch, STEPS.0, STEPS.1).min(planned);
        let end = ((END * steps as f64) as u64).max(1);
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
        self.learns = Some(sum / (end as f64) < (1.0 - FALL) * self.first_loss);
        Ok(())
    }

    /// The rate at which the loss was again what it had been before training, where it had fallen,
    /// or exploded.
    pub(super) fn undone_at(&self) -> Option<f64> {
        if self.proposed.is_none() {
            return self.exploded_at;
        }
        let points = self.curve.iter().skip_while(|point| point.1 > self.lowest_loss);
        let back = points.clone().find(|point| point.1 > self.first_loss);
        back.map(|point| point.0).or(self.exploded_at)
    }
}

/// How far the planned training comes with a rate of 1: the sum of its schedule.
fn planned(train: &TrainConfig, trial: &Trial) -> f64 {
    let schedule = train.rate(trial.steps_per_epoch());
    let steps = train.epochs.saturating_mul(trial.steps_per_epoch());
    // A long training is known by a part of its steps.
    let every = steps.div_ceil(100_000).max(1);
    let sum: f64 = (0..steps).step_by(every as usize).map(|step| schedule.at(step)).sum();
    sum * every as f64 / train.learning_rate
}

/// The rate of a step, evenly spaced on a logarithmic scale.
fn rate((first, last): (f64, f64), step: u64, steps: u64) -> f64 {
    first * (last / first).powf(step as f64 / (steps - 1) as f64)
}

/// A mean that forgets, without the bias of its start.
#[derive(Debug, Default)]
struct Running {
    sum: f64,
    weight: f64,
}

impl Running {
    fn add(&mut self, value: f64) -> f64 {
        self.sum += LAST * (value - self.sum);
        self.weight += LAST * (1.0 - self.weight);
        self.sum / self.weight
    }
}

fn judge(
    configured: f64,
    losses: &[(f64, f64)],
    exploded_at: Option<f64>,
    steps: u64,
    planned: f64,
) -> RangeTest {
    let half = (WINDOW * steps as f64).ceil() as usize;
    let curve = smoothed(losses, half);
    // The first rates move nothing: the first whole window is the loss before training.
    let first = curve.get(half).or(curve.last());
    let first_loss = first.map_or(f64::NAN, |point| point.1);
    let lowest = (0..curve.len()).min_by(|&a, &b| curve[a].1.total_cmp(&curve[b].1)).unwrap_or(0);
    let lowest_loss = curve.get(lowest).map_or(f64::NAN, |point| point.1);
    let fell = lowest_loss < (1.0 - FALL) * first_loss;
    // How far the test had come before a step: near its start a network is a linear model of its
    // weights, and what it has learnt follows from the sum of the rates (Jacot et al. 2018).
    let come = |i: usize| losses[..i].iter().map(|point| point.0).sum::<f64>();
    let proposed = fell.then(|| {
        let (from_lowest, near) = (&curve[lowest..], neighbours(losses, lowest, half));
        let highest = lowest_loss + TOLD_APART * standard_error(near);
        let floor = from_lowest.iter().take_while(|point| point.1 <= highest).last();
        let harm = from_lowest.iter().find(|point| point.1 > HARM * first_loss);
        let harm = harm.map(|point| point.0).or(exploded_at).unwrap_or(f64::INFINITY);
        // A short training needs a higher rate to come as far as the test did.
        let far = (FAR * harm).max(come(lowest) / planned);
        one_digit(floor.map_or(f64::NAN, |point| SAFE * point.0).min(far))
    });
    let least = (LEAST.0 * first_loss).min(LEAST.1 * (first_loss - lowest_loss));
    let enough = curve.iter().skip(half).position(|point| point.1 <= first_loss - least);
    let least = enough.filter(|_| fell).map(|i| come(half + i) / planned);
    let learns = None;
    RangeTest { configured, proposed, least, learns, exploded_at, first_loss, lowest_loss, curve }
}

/// Means over `half` points to each side, fewer at the ends: symmetric, so that nothing is moved
/// along the curve.
fn smoothed(points: &[(f64, f64)], half: usize) -> Vec<(f64, f64)> {
    let mean = |i: usize| {
        let near = neighbours(points, i, half);
        near.iter().map(|point| point.1).sum::<f64>() / near.len() as f64
    };
    (0..points.len()).map(|i| (points[i].0, mean(i))).collect()
}

/// A point with up to `half` others on each side, as many on one as on the other.
fn neighbours(points: &[(f64, f64)], i: usize, half: usize) -> &[(f64, f64)] {
    let half = half.min(i).min(points.len() - 1 - i);
    &points[i - half..=i + half]
}

/// Of the difference of two means over as many points as these. Their noise is what second
/// differences leave of them, which a slope does not enter: `Var(a - 2 b + c) = 6 Var(a)` (Gasser
/// et al. 1986).
fn standard_error(points: &[(f64, f64)]) -> f64 {
    let bends = points.windows(3).map(|p| (p[0].1 - 2.0 * p[1].1 + p[2].1).powi(2));
    let (bends, count) = bends.fold((0.0, 0.0), |(sum, count), bend| (sum + bend, count + 1.0));
    let variance = bends / (6.0 * f64::max(count, 1.0));
    (2.0 * variance / points.len().max(1) as f64).sqrt()
}

/// A rate with one digit that counts: the test knows no more.
fn one_digit(rate: f64) -> f64 {
    format!("{rate:.0e}").parse().unwrap_or(rate)
}

#[cfg(test)]
mod tests {
    use klubok_train::event::VerdictName;

    use super::*;

    /// A training that comes far, however small its rate.
    const LONG: f64 = f64::INFINITY;

    #[test]
    fn a_short_training_needs_a_rate_that_takes_it_as_far_as_the_test_came() {
        // 1 % is done after 0.1, 10 % after 0.2, all after 0.6; harm is done at 0.5.
        let losses = [(0.1, 1.0), (0.1, 0.99), (0.2, 0.9), (0.2, 0.5), (0.5, 3.0), (0.5, 9.0)];
        let of = |planned| judge(1e-3, &losses, Some(0.5), 0, planned);
        let (short, long) = (of(10.0), of(1e6));
        assert_eq!(long.proposed, Some(0.005), "a hundredth of what does harm");
        assert_eq!(short.proposed, Some(0.04), "0.4 in 10 steps");
        let least = short.least.unwrap();
        assert!((least - 0.02).abs() < 1e-12 && long.least.unwrap() < 1e-6, "{short:?}");
        assert!(short.verdict().is_some_and(|v| v.name == VerdictName::LearningRateTooLow));
        assert_eq!(long.verdict(), None);
    }

    #[test]
    fn rates_rise_by_equal_factors() {
        let rates: Vec<f64> = (0..4).map(|step| rate((1e-3, 1.0), step, 4)).collect();
        for (rate, expected) in rates.iter().zip([1e-3, 1e-2, 1e-1, 1.0]) {
            assert!((rate / expected - 1.0).abs() < 1e-12, "{rates:?}");
        }
    }

    #[test]
    fn where_the_loss_turns_at_once_a_tenth_of_the_lowest_is_proposed() {
        // Flat at 1, down to 0.5 at a rate of 0.02, up again; 7 steps smooth over one neighbour on
        // each side.
        let losses = [
            (2e-6, 1.0),
            (2e-5, 1.0),
            (2e-4, 1.0),
            (2e-3, 0.8),
            (0.02, 0.5),
            (0.2, 0.8),
            (2.0, 3.0),
        ];
        let test = judge(1e-3, &losses, Some(20.0), 7, LONG);
        assert_eq!((test.proposed, test.exploded_at), (Some(0.002), Some(20.0)));
        assert!((test.lowest_loss - 0.7).abs() < 1e-12 && test.first_loss == 1.0, "{test:?}");
    }

    /// A valley from 1e-4 to 1e-1 that falls to 0.5 at 1e-3 and stays there up to 1e-2, with noise.
    fn valley(noise: f64) -> Vec<(f64, f64)> {
        let rates = (0..600).map(|i| 10f64.powf(-6.0 + f64::from(i) / 100.0));
        let fall = |rate: f64| (rate.log10() + 4.0).clamp(0.0, 1.0) / 2.0;
        let rise = |rate: f64| (rate.log10() + 2.0).max(0.0) / 2.0;
        // Two steps up, two steps down, and a dip where the floor begins.
        let jump = |i: usize| if (i / 2).is_multiple_of(2) { noise } else { -noise };
        let dip = |rate: f64| if (1e-3..3e-3).contains(&rate) { 0.05 * noise } else { 0.0 };
        rates.enumerate().map(|(i, r)| (r, 1.0 - fall(r) + rise(r) + jump(i) - dip(r))).collect()
    }

    #[test]
    fn a_dip_within_the_noise_does_not_move_the_proposal() {
        // The smoothed floor ends a little before 1e-2; harm is done from 10^-0.5 on, far beyond.
        let test = judge(1e-3, &valley(0.1), None, 600, LONG);
        let dip = test.curve.iter().min_by(|a, b| a.1.total_cmp(&b.1)).unwrap().0;
        assert!((1e-3..3e-3).contains(&dip), "{dip}");
        assert!(test.proposed.is_some_and(|rate| (0.002..=0.003).contains(&rate)), "{test:?}");
    }

    #[test]
    fn standard_errors_by_hand() {
        let points = |losses: &[f64]| losses.iter().map(|&loss| (0.0, loss)).collect::<Vec<_>>();
        // A slope is no noise. Bends of 6 and -6: a variance of 36 / 6, over four points.
        assert_eq!(standard_error(&points(&[1.0, 2.0, 3.0, 4.0])), 0.0);
        assert_eq!(standard_error(&points(&[0.0, -3.0, 0.0, -3.0])), 3f64.sqrt());
        assert_eq!(standard_error(&points(&[1.0])), 0.0);
    }

    #[test]
    fn where_nothing_is_learnt_nothing_is_proposed() {
        let losses: Vec<(f64, f64)> = (1..50).map(|i| (f64::from(i), 0.69)).collect();
        assert_eq!(judge(1e-3, &losses, None, 50, LONG).proposed, None);
        let empty = judge(1e-3, &[], Some(1e-6), 50, LONG);
        assert!(empty.proposed.is_none() && empty.curve.is_empty() && empty.first_loss.is_nan());
    }
}
