//! Whether a planted fault is really there, and whether a healthy training really is: told offline,
//! from the whole log, the data and the weights, without a look at any verdict.

use super::{
    facts::Facts,
    fault::Fault,
    log::{Epoch, Log, last, mean, smooth},
    network::{Activity, Units},
    outcome::Outcome,
};

/// What a run that is judged consists of.
pub(crate) struct Case<'a> {
    /// What came of it.
    pub(crate) outcome: &'a Outcome,
    /// Whether its input is left as it is: pixels of 0 to 255.
    pub(crate) raw: bool,
}

/// What a healthy training does; see [`healthy`].
pub(crate) const HEALTHY: &str = "it ran to its end; validation accuracy ends at least half of the way from guessing \
    to 1, and within 3 points of its best; in the last fifth it gains less than 2 points; the smoothed validation \
    loss ends less than 1.5 % or 0.002 above its minimum";

/// Whether a training learns well, and nothing is wrong with it.
pub(crate) fn healthy(outcome: &Outcome) -> bool {
    let log = &outcome.log;
    let guessing = outcome.facts.as_ref().map_or(0.5, |facts| facts.largest_class);
    let accuracy = smooth(&log.course(|line| line.val_accuracy));
    let loss = smooth(&log.course(|line| line.val_loss));
    let (Some(&end), Some(&end_loss)) = (accuracy.last(), loss.last()) else { return false };
    let best = accuracy.iter().copied().fold(0.0, f64::max);
    let lowest = least(&loss);
    let before = accuracy[accuracy.len() - last(&accuracy, 5).len()];
    outcome.stopped != "diverged"
        && end >= guessing + 0.5 * (1.0 - guessing)
        && end >= best - 0.03
        && end - before < 0.02
        && end_loss <= (1.015 * lowest).max(lowest + 0.002)
}

/// Whether the fault is there; what it takes is said by [`Fault::sign`].
pub(crate) fn manifests(fault: Fault, case: &Case<'_>) -> bool {
    let Case { outcome, raw } = case;
    let Outcome { log, activity, facts, .. } = outcome;
    let units = |is: &dyn Fn(&Units) -> bool| {
        activity.as_ref().is_some_and(|activity| activity.layers.iter().any(is))
    };
    let fact = |is: &dyn Fn(&Facts) -> bool| facts.as_ref().is_some_and(is);
    match fault {
        Fault::DeadUnits => !ends_exploded(outcome) && units(&|layer| layer.dead >= 0.3),
        Fault::SaturatedUnits => !ends_exploded(outcome) && units(&|layer| layer.saturated >= 0.5),
        Fault::VanishingGradients => vanishes(outcome),
        Fault::ExplodingGradients => explodes(log, &outcome.stopped),
        Fault::UpdateRatio => ratio_is_out(log) && lower_by(outcome, 0.05),
        Fault::RateExplodes => exploded(outcome),
        Fault::RateKills => units(&|layer| layer.active < 0.05) && rests_at_guessing(outcome),
        Fault::RateTooLow => falls_further(outcome, 0.5),
        Fault::OscillatingLoss => oscillates(outcome),
        Fault::SlowConvergence => lower_by(outcome, 0.15) || gains(outcome, val_accuracy, 0.03),
        Fault::OverFitting => rise(outcome).is_some_and(|gain| gain < -0.5),
        Fault::OverConfidence => rise(outcome).is_some_and(|gain| gain > 0.5),
        Fault::UnderFitting => rests(log) && gains(outcome, train_accuracy, 0.1),
        Fault::NotNormalised => {
            fact(&|facts| *raw && (facts.pixels[0] > 10.0 || facts.pixels[1] > 10.0))
        }
        Fault::ConstantInputs => fact(&|facts| facts.constant >= 0.3),
        Fault::ClassImbalance => fact(&|facts| {
            let rest = (1.0 - facts.largest_class) / (facts.classes as f64 - 1.0).max(1.0);
            facts.largest_class >= 5.0 * rest
        }),
        Fault::ShuffledLabels => fact(&|facts| shuffled(facts, log)),
        Fault::Duplicates => fact(&|facts| facts.copies >= 0.02),
        Fault::Contradictions => fact(&|facts| facts.clashes >= 0.01),
        Fault::TooSmall => gains(outcome, train_accuracy, 0.2),
        Fault::IgnoresInput => {
            activity.as_ref().is_some_and(|Activity { spread, .. }| *spread < 1e-3)
        }
    }
}

fn train_accuracy(line: &Epoch) -> Option<f64> {
    line.train_accuracy
}

fn val_accuracy(line: &Epoch) -> Option<f64> {
    line.val_accuracy
}

fn train_loss(line: &Epoch) -> Option<f64> {
    line.train_eval_loss.or(line.train_loss)
}

fn least(numbers: &[f64]) -> f64 {
    numbers.iter().copied().fold(f64::INFINITY, f64::min)
}

/// The middle one; of an even number, the lower of the two. NaN is greater than all.
fn median(mut numbers: Vec<f64>) -> Option<f64> {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len().saturating_sub(1) / 2).copied()
}

/// First layer's gradient over the output's, in the first half of the epochs; and nothing much is
/// learnt.
fn vanishes(outcome: &Outcome) -> bool {
    let lines = outcome.log.trained();
    let ratios = lines[..lines.len().div_ceil(2)].iter().filter_map(|line| {
        let (first, last) = (line.layers.first()?.grad_norm?, line.layers.last()?.grad_norm?);
        (last > 0.0).then_some(first / last)
    });
    let small = median(ratios.collect()).is_some_and(|ratio| ratio < 1e-3);
    let end = |log: &Log| mean(last(&log.course(val_accuracy), 5));
    let guessing = outcome.facts.as_ref().map_or(0.5, |facts| facts.largest_class);
    let cured = outcome.cured.as_ref().map_or(1.0, end);
    small && end(&outcome.log) < guessing + (cured - guessing) / 3.0
}

fn explodes(log: &Log, stopped: &str) -> bool {
    let norms: Vec<f64> = log.trained().iter().filter_map(|line| line.grad_norm).collect();
    let long = |norm: f64| norm.is_nan() || norm > 100.0;
    stopped == "diverged" || median(norms).is_some_and(long)
}

/// The median of a hidden layer's update ratios; the output may start at zero, so its own says
/// little.
fn ratio_is_out(log: &Log) -> bool {
    let layers = log.0.last().map_or(0, |line| line.layers.len());
    (0..layers.saturating_sub(1)).any(|layer| {
        let of = |line: &Epoch| line.layers.get(layer)?.update_ratio;
        median(log.course(of)).is_some_and(|ratio| !(1e-5..=0.03).contains(&ratio))
    })
}

/// Whether the loss exploded at any time.
fn exploded(outcome: &Outcome) -> bool {
    let above = |line: &Epoch| {
        above_start(outcome, line.train_loss) || above_start(outcome, train_loss(line))
    };
    outcome.stopped == "diverged" || outcome.log.trained().iter().any(above)
}

/// Whether it never came back: then that is the fault, and not what it did to units on the way.
fn ends_exploded(outcome: &Outcome) -> bool {
    let end = outcome.log.trained().last();
    outcome.stopped == "diverged" || end.is_some_and(|line| above_start(outcome, train_loss(line)))
}

fn above_start(outcome: &Outcome, loss: Option<f64>) -> bool {
    let first = outcome.log.0.first().and_then(train_loss).unwrap_or(f64::INFINITY);
    loss.is_none_or(|loss| loss > 3.0 * first)
}

fn rests_at_guessing(outcome: &Outcome) -> bool {
    let Some(facts) = &outcome.facts else { return false };
    let guessing = (facts.classes as f64).ln();
    let loss = outcome.log.course(train_loss);
    let rest = last(&loss, 3);
    !loss.is_empty() && rest.iter().all(|loss| (loss / guessing - 1.0).abs() < 0.1)
}

/// Whether the cured run's training loss ends below this share of the run's own.
fn falls_further(outcome: &Outcome, share: f64) -> bool {
    let end = |log: &Log| mean(last(&log.course(train_loss), 10));
    outcome.cured.as_ref().is_some_and(|cured| end(cured) < share * end(&outcome.log))
}

/// Whether the cured run's lowest validation loss is lower by this share, and by 0.03.
fn lower_by(outcome: &Outcome, share: f64) -> bool {
    let lowest = |log: &Log| least(&smooth(&log.course(|line| line.val_loss)));
    outcome.cured.as_ref().is_some_and(|cured| {
        let (own, cured) = (lowest(&outcome.log), lowest(cured));
        cured < (1.0 - share) * own && cured < own - 0.03
    })
}

/// Whether the cured run's best accuracy is higher by so much.
fn gains(outcome: &Outcome, accuracy: fn(&Epoch) -> Option<f64>, gain: f64) -> bool {
    let best = |log: &Log| smooth(&log.course(accuracy)).into_iter().fold(0.0, f64::max);
    outcome.cured.as_ref().is_some_and(|cured| best(cured) >= best(&outcome.log) + gain)
}

fn rests(log: &Log) -> bool {
    let loss = smooth(&log.course(train_loss));
    let tail = last(&loss, 3);
    let (Some(first), Some(end)) = (tail.first(), tail.last()) else { return false };
    *end > 0.95 * first
}

fn oscillates(outcome: &Outcome) -> bool {
    let loss = outcome.log.course(train_loss);
    let half = last(&loss, 2);
    let steps: Vec<f64> = half.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let rises = steps.iter().filter(|step| **step > 0.0).count() as f64 / steps.len().max(1) as f64;
    let size = mean(&steps.iter().map(|step| step.abs()).collect::<Vec<_>>()) / mean(half);
    let cured = outcome.cured.as_ref().map(|log| mean(last(&log.course(train_loss), 2)));
    (0.3..=0.7).contains(&rises)
        && size >= 0.1
        && cured.is_some_and(|cured| cured < 0.7 * mean(half))
}

/// Where the smoothed validation loss rises while the training loss falls: what validation accuracy
/// gained since the minimum, in standard errors of one such accuracy.
fn rise(outcome: &Outcome) -> Option<f64> {
    let log = &outcome.log;
    let loss = smooth(&log.course(|line| line.val_loss));
    let (accuracy, train) = (smooth(&log.course(val_accuracy)), log.course(train_loss));
    let at = (0..loss.len()).min_by(|&a, &b| loss[a].total_cmp(&loss[b]))?;
    let fell = train.last()? < train.get(at)?;
    let rose = *loss.last()? > 1.1 * loss[at] && 3 * at < 2 * loss.len();
    let p = accuracy.get(at)?;
    let error = (p * (1.0 - p) / outcome.facts.as_ref().map_or(500, |facts| facts.val) as f64)
        .sqrt()
        .max(1e-3);
    let end = mean(last(&accuracy, 5));
    (fell && rose).then_some((end - p) / error)
}

fn shuffled(facts: &Facts, log: &Log) -> bool {
    let error = |n: f64| (facts.largest_class * (1.0 - facts.largest_class) / n).sqrt();
    let end = mean(last(&log.course(val_accuracy), 5));
    facts.neighbour < facts.largest_class + 3.0 * error(200.0)
        && end < facts.largest_class + 3.0 * error(facts.val as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run with these validation losses, accuracies and training losses.
    fn run(val_loss: &[f64], val_accuracy: &[f64], train: &[f64]) -> Outcome {
        let line = |i: usize| Epoch {
            done: i as f64 + 1.0,
            val_loss: Some(val_loss[i]),
            val_accuracy: Some(val_accuracy[i]),
            train_loss: Some(train[i]),
            train_eval_loss: Some(train[i]),
            ..Epoch::default()
        };
        Outcome {
            stopped: "epochs".into(),
            said: Vec::new(),
            log: Log((0..val_loss.len()).map(line).collect()),
            activity: None,
            facts: Some(Facts {
                largest_class: 0.5,
                classes: 2,
                val: 400,
                constant: 0.0,
                copies: 0.0,
                clashes: 0.0,
                neighbour: 0.9,
                pixels: [128.0, 30.0, 0.0, 255.0],
            }),
            cured: None,
        }
    }

    fn there(fault: Fault, outcome: &Outcome) -> bool {
        manifests(fault, &Case { outcome, raw: false })
    }

    #[test]
    fn a_rise_is_over_fitting_or_over_confidence_by_the_accuracy() {
        let loss = [0.7, 0.5, 0.4, 0.4, 0.5, 0.6, 0.7, 0.8];
        let train = [0.7, 0.5, 0.4, 0.3, 0.2, 0.1, 0.1, 0.05];
        let worse = run(&loss, &[0.5, 0.7, 0.8, 0.8, 0.75, 0.7, 0.7, 0.7], &train);
        let better = run(&loss, &[0.5, 0.7, 0.8, 0.8, 0.85, 0.9, 0.9, 0.9], &train);
        assert!(there(Fault::OverFitting, &worse) && !there(Fault::OverConfidence, &worse));
        assert!(there(Fault::OverConfidence, &better) && !there(Fault::OverFitting, &better));
        assert!(!healthy(&worse) && !healthy(&better));
    }

    #[test]
    fn a_training_that_comes_to_rest_is_healthy() {
        let loss = [0.6, 0.4, 0.3, 0.25, 0.22, 0.2, 0.2, 0.2, 0.2, 0.2];
        let accuracy = [0.6, 0.8, 0.9, 0.9, 0.9, 0.92, 0.92, 0.92, 0.92, 0.92];
        let good = run(&loss, &accuracy, &loss);
        assert!(healthy(&good));
        assert!(!there(Fault::RateExplodes, &good) && !there(Fault::OscillatingLoss, &good));
        let guessing = run(&loss, &[0.55; 10], &loss);
        assert!(!healthy(&guessing), "it is not far from guessing");
    }

    #[test]
    fn a_cure_shows_what_was_missing() {
        let slow = [0.69, 0.68, 0.67, 0.66, 0.65];
        let mut outcome = run(&slow, &[0.6; 5], &slow);
        assert!(!there(Fault::RateTooLow, &outcome));
        let fast = [0.5, 0.3, 0.2, 0.1, 0.1];
        outcome.cured = Some(run(&fast, &[0.9; 5], &fast).log);
        assert!(there(Fault::RateTooLow, &outcome) && there(Fault::SlowConvergence, &outcome));
    }

    #[test]
    fn gradients_are_held_against_their_limits() {
        let mut outcome = run(&[0.69; 4], &[0.5; 4], &[0.69; 4]);
        for line in &mut outcome.log.0 {
            line.grad_norm = Some(0.1);
            let layer = |grad_norm| super::super::log::Layer {
                grad_norm: Some(grad_norm),
                update_ratio: Some(1e-6),
                ..Default::default()
            };
            line.layers = vec![layer(1e-6), layer(0.1)];
        }
        assert!(there(Fault::VanishingGradients, &outcome));
        assert!(!there(Fault::ExplodingGradients, &outcome) && ratio_is_out(&outcome.log));
        outcome.log.0.iter_mut().for_each(|line| line.grad_norm = Some(500.0));
        assert!(there(Fault::ExplodingGradients, &outcome));
    }
}
