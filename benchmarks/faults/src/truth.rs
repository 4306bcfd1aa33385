//! Ground truth: whether a planted fault is really present, and whether a training is really
//! healthy. Computed afterwards from the whole log, the data and the weights, never from verdicts.

use super::{
    facts::Facts,
    fault::Fault,
    log::{Epoch, Log, last, mean, smooth},
    network::{Activity, LayerActivity},
    outcome::Outcome,
};

/// The criteria of [`is_healthy`] in words.
pub(crate) const HEALTHY: &str = "it ran to its end; validation accuracy ends at least halfway from chance level to \
    1, and within 3 points of its best; in the last fifth it gains less than 2 points; the smoothed validation loss \
    ends less than 1.5 % or 0.002 above its minimum";

/// True if a training learns well, without any fault.
pub(crate) fn is_healthy(outcome: &Outcome) -> bool {
    let log = &outcome.log;
    let chance = chance_accuracy(outcome);
    let accuracy = smooth(&log.series(val_accuracy));
    let loss = smooth(&log.series(|epoch| epoch.val_loss));
    let (Some(&end), Some(&end_loss)) = (accuracy.last(), loss.last()) else { return false };
    let best = accuracy.iter().copied().fold(0.0, f64::max);
    let lowest = minimum(&loss);
    let before = accuracy[accuracy.len() - last(&accuracy, 5).len()];
    outcome.stopped != "diverged"
        && end >= chance + 0.5 * (1.0 - chance)
        && end >= best - 0.03
        && end - before < 0.02
        && end_loss <= (1.015 * lowest).max(lowest + 0.002)
}

/// Share of the largest class.
fn chance_accuracy(outcome: &Outcome) -> f64 {
    outcome.facts.as_ref().map_or(0.5, |facts| facts.largest_class)
}

/// True if the fault is present by [`Fault::evidence`]. With `raw_inputs` the network's inputs are
/// pixels from 0 to 255.
pub(crate) fn is_present(fault: Fault, outcome: &Outcome, raw_inputs: bool) -> bool {
    let Outcome { log, activity, facts, .. } = outcome;
    let any_layer = |is: &dyn Fn(&LayerActivity) -> bool| {
        activity.as_ref().is_some_and(|activity| activity.layers.iter().any(is))
    };
    let fact = |is: &dyn Fn(&Facts) -> bool| facts.as_ref().is_some_and(is);
    match fault {
        Fault::DeadUnits => !ends_exploded(outcome) && any_layer(&|layer| layer.dead >= 0.3),
        Fault::SaturatedUnits => {
            !ends_exploded(outcome) && any_layer(&|layer| layer.saturated >= 0.5)
        }
        Fault::VanishingGradients => gradients_vanish(outcome),
        Fault::ExplodingGradients => gradients_explode(log, &outcome.stopped),
        Fault::UpdateRatio => update_ratio_is_extreme(log) && cure_lowers_loss(outcome, 0.05),
        Fault::RateExplodes => exploded(outcome),
        Fault::RateKills => any_layer(&|layer| layer.active < 0.05) && stays_at_chance(outcome),
        Fault::RateTooLow => cure_ends_below(outcome, 0.5),
        Fault::OscillatingLoss => oscillates(outcome),
        Fault::SlowConvergence => {
            cure_lowers_loss(outcome, 0.15) || cure_gains(outcome, val_accuracy, 0.03)
        }
        Fault::Overfitting => accuracy_gain_after_onset(outcome).is_some_and(|gain| gain < -0.5),
        Fault::Overconfidence => accuracy_gain_after_onset(outcome).is_some_and(|gain| gain > 0.5),
        Fault::Underfitting => is_at_plateau(log) && cure_gains(outcome, train_accuracy, 0.1),
        Fault::NotNormalised => {
            fact(&|facts| raw_inputs && (facts.pixels[0] > 10.0 || facts.pixels[1] > 10.0))
        }
        Fault::ConstantInputs => fact(&|facts| facts.constant >= 0.3),
        Fault::ClassImbalance => fact(&|facts| {
            let others = (1.0 - facts.largest_class) / (facts.classes as f64 - 1.0).max(1.0);
            facts.largest_class >= 5.0 * others
        }),
        Fault::ShuffledLabels => fact(&|facts| labels_are_shuffled(facts, log)),
        Fault::Duplicates => fact(&|facts| facts.copies >= 0.02),
        Fault::Contradictions => fact(&|facts| facts.clashes >= 0.01),
        Fault::NetworkTooSmall => cure_gains(outcome, train_accuracy, 0.2),
        Fault::IgnoresInput => {
            activity.as_ref().is_some_and(|Activity { spread, .. }| *spread < 1e-3)
        }
    }
}

fn train_accuracy(epoch: &Epoch) -> Option<f64> {
    epoch.train_accuracy
}

fn val_accuracy(epoch: &Epoch) -> Option<f64> {
    epoch.val_accuracy
}

fn train_loss(epoch: &Epoch) -> Option<f64> {
    epoch.train_eval_loss.or(epoch.train_loss)
}

fn minimum(numbers: &[f64]) -> f64 {
    numbers.iter().copied().fold(f64::INFINITY, f64::min)
}

/// The median; of an even count, the lower of the two middle numbers. NaN sorts last.
fn median(mut numbers: Vec<f64>) -> Option<f64> {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len().saturating_sub(1) / 2).copied()
}

/// True if in the first half of the epochs the first layer's gradient is small beside the output's,
/// and accuracy stays low.
fn gradients_vanish(outcome: &Outcome) -> bool {
    let epochs = outcome.log.trained();
    let ratios = epochs[..epochs.len().div_ceil(2)].iter().filter_map(|epoch| {
        let (first, last) = (epoch.layers.first()?.grad_norm?, epoch.layers.last()?.grad_norm?);
        (last > 0.0).then_some(first / last)
    });
    let small = median(ratios.collect()).is_some_and(|ratio| ratio < 1e-3);
    let end = |log: &Log| mean(last(&log.series(val_accuracy), 5));
    let chance = chance_accuracy(outcome);
    let cured = outcome.cured.as_ref().map_or(1.0, end);
    small && end(&outcome.log) < chance + (cured - chance) / 3.0
}

fn gradients_explode(log: &Log, stopped: &str) -> bool {
    let norms: Vec<f64> = log.trained().iter().filter_map(|epoch| epoch.grad_norm).collect();
    let is_large = |norm: f64| norm.is_nan() || norm > 100.0;
    stopped == "diverged" || median(norms).is_some_and(is_large)
}

/// True if the median update ratio of a hidden layer is out of range. The output layer may start at
/// zero, so its ratio does not count.
fn update_ratio_is_extreme(log: &Log) -> bool {
    let layers = log.0.last().map_or(0, |epoch| epoch.layers.len());
    (0..layers.saturating_sub(1)).any(|layer| {
        let ratio = |epoch: &Epoch| epoch.layers.get(layer)?.update_ratio;
        median(log.series(ratio)).is_some_and(|ratio| !(1e-5..=0.03).contains(&ratio))
    })
}

/// True if the loss exploded at any time.
fn exploded(outcome: &Outcome) -> bool {
    let above = |epoch: &Epoch| {
        above_start(outcome, epoch.train_loss) || above_start(outcome, train_loss(epoch))
    };
    outcome.stopped == "diverged" || outcome.log.trained().iter().any(above)
}

/// True if the loss exploded and did not recover. The explosion is then the fault, not its effect
/// on units.
fn ends_exploded(outcome: &Outcome) -> bool {
    let end = outcome.log.trained().last();
    outcome.stopped == "diverged"
        || end.is_some_and(|epoch| above_start(outcome, train_loss(epoch)))
}

fn above_start(outcome: &Outcome, loss: Option<f64>) -> bool {
    let first = outcome.log.0.first().and_then(train_loss).unwrap_or(f64::INFINITY);
    loss.is_none_or(|loss| loss > 3.0 * first)
}

fn stays_at_chance(outcome: &Outcome) -> bool {
    let Some(facts) = &outcome.facts else { return false };
    let chance_loss = (facts.classes as f64).ln();
    let loss = outcome.log.series(train_loss);
    let last_third = last(&loss, 3);
    !loss.is_empty() && last_third.iter().all(|loss| (loss / chance_loss - 1.0).abs() < 0.1)
}

/// True if the cured run's training loss ends below this share of the run's own.
fn cure_ends_below(outcome: &Outcome, share: f64) -> bool {
    let end = |log: &Log| mean(last(&log.series(train_loss), 10));
    outcome.cured.as_ref().is_some_and(|cured| end(cured) < share * end(&outcome.log))
}

/// True if the cured run's lowest validation loss is lower by this share, and by 0.03.
fn cure_lowers_loss(outcome: &Outcome, share: f64) -> bool {
    let lowest = |log: &Log| minimum(&smooth(&log.series(|epoch| epoch.val_loss)));
    outcome.cured.as_ref().is_some_and(|cured| {
        let (own, cured) = (lowest(&outcome.log), lowest(cured));
        cured < (1.0 - share) * own && cured < own - 0.03
    })
}

/// True if the cured run's best accuracy is higher by at least `gain`.
fn cure_gains(outcome: &Outcome, accuracy: fn(&Epoch) -> Option<f64>, gain: f64) -> bool {
    let best = |log: &Log| smooth(&log.series(accuracy)).into_iter().fold(0.0, f64::max);
    outcome.cured.as_ref().is_some_and(|cured| best(cured) >= best(&outcome.log) + gain)
}

/// True if the training loss decreases by less than 5 % in the last third.
fn is_at_plateau(log: &Log) -> bool {
    let loss = smooth(&log.series(train_loss));
    let last_third = last(&loss, 3);
    let (Some(first), Some(end)) = (last_third.first(), last_third.last()) else { return false };
    *end > 0.95 * first
}

fn oscillates(outcome: &Outcome) -> bool {
    let loss = outcome.log.series(train_loss);
    let half = last(&loss, 2);
    let changes: Vec<f64> = half.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let increases = changes.iter().filter(|change| **change > 0.0).count();
    let share = increases as f64 / changes.len().max(1) as f64;
    let size = mean(&changes.iter().map(|change| change.abs()).collect::<Vec<_>>()) / mean(half);
    let cured = outcome.cured.as_ref().map(|log| mean(last(&log.series(train_loss), 2)));
    (0.3..=0.7).contains(&share)
        && size >= 0.1
        && cured.is_some_and(|cured| cured < 0.7 * mean(half))
}

/// The gain of validation accuracy since the minimum of the smoothed validation loss, in standard
/// errors of one such accuracy; none unless that loss increases while the training loss decreases.
fn accuracy_gain_after_onset(outcome: &Outcome) -> Option<f64> {
    let log = &outcome.log;
    let loss = smooth(&log.series(|epoch| epoch.val_loss));
    let (accuracy, train) = (smooth(&log.series(val_accuracy)), log.series(train_loss));
    let onset = (0..loss.len()).min_by(|&a, &b| loss[a].total_cmp(&loss[b]))?;
    let train_decreased = train.last()? < train.get(onset)?;
    let val_increased = *loss.last()? > 1.1 * loss[onset] && 3 * onset < 2 * loss.len();
    let p = accuracy.get(onset)?;
    let error = (p * (1.0 - p) / outcome.facts.as_ref().map_or(500, |facts| facts.val) as f64)
        .sqrt()
        .max(1e-3);
    let end = mean(last(&accuracy, 5));
    (train_decreased && val_increased).then_some((end - p) / error)
}

fn labels_are_shuffled(facts: &Facts, log: &Log) -> bool {
    let error = |n: f64| (facts.largest_class * (1.0 - facts.largest_class) / n).sqrt();
    let end = mean(last(&log.series(val_accuracy), 5));
    facts.neighbour < facts.largest_class + 3.0 * error(200.0)
        && end < facts.largest_class + 3.0 * error(facts.val as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run with these validation losses, accuracies and training losses.
    fn run(val_loss: &[f64], val_accuracy: &[f64], train: &[f64]) -> Outcome {
        let epoch = |i: usize| Epoch {
            done: i as f64 + 1.0,
            val_loss: Some(val_loss[i]),
            val_accuracy: Some(val_accuracy[i]),
            train_loss: Some(train[i]),
            train_eval_loss: Some(train[i]),
            ..Epoch::default()
        };
        Outcome {
            stopped: "epochs".into(),
            verdicts: Vec::new(),
            log: Log((0..val_loss.len()).map(epoch).collect()),
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

    fn present(fault: Fault, outcome: &Outcome) -> bool {
        is_present(fault, outcome, false)
    }

    #[test]
    fn accuracy_separates_overfitting_from_overconfidence() {
        let loss = [0.7, 0.5, 0.4, 0.4, 0.5, 0.6, 0.7, 0.8];
        let train = [0.7, 0.5, 0.4, 0.3, 0.2, 0.1, 0.1, 0.05];
        let worse = run(&loss, &[0.5, 0.7, 0.8, 0.8, 0.75, 0.7, 0.7, 0.7], &train);
        let better = run(&loss, &[0.5, 0.7, 0.8, 0.8, 0.85, 0.9, 0.9, 0.9], &train);
        assert!(present(Fault::Overfitting, &worse) && !present(Fault::Overconfidence, &worse));
        assert!(present(Fault::Overconfidence, &better) && !present(Fault::Overfitting, &better));
        assert!(!is_healthy(&worse) && !is_healthy(&better));
    }

    #[test]
    fn a_training_that_converges_is_healthy() {
        let loss = [0.6, 0.4, 0.3, 0.25, 0.22, 0.2, 0.2, 0.2, 0.2, 0.2];
        let accuracy = [0.6, 0.8, 0.9, 0.9, 0.9, 0.92, 0.92, 0.92, 0.92, 0.92];
        let good = run(&loss, &accuracy, &loss);
        assert!(is_healthy(&good));
        assert!(!present(Fault::RateExplodes, &good) && !present(Fault::OscillatingLoss, &good));
        let near_chance = run(&loss, &[0.55; 10], &loss);
        assert!(!is_healthy(&near_chance));
    }

    #[test]
    fn the_cured_run_reveals_slow_learning() {
        let slow = [0.69, 0.68, 0.67, 0.66, 0.65];
        let mut outcome = run(&slow, &[0.6; 5], &slow);
        assert!(!present(Fault::RateTooLow, &outcome));
        let fast = [0.5, 0.3, 0.2, 0.1, 0.1];
        outcome.cured = Some(run(&fast, &[0.9; 5], &fast).log);
        assert!(present(Fault::RateTooLow, &outcome) && present(Fault::SlowConvergence, &outcome));
    }

    #[test]
    fn vanishing_and_exploding_gradients_are_recognised() {
        let mut outcome = run(&[0.69; 4], &[0.5; 4], &[0.69; 4]);
        for epoch in &mut outcome.log.0 {
            epoch.grad_norm = Some(0.1);
            let layer = |grad_norm| super::super::log::Layer {
                grad_norm: Some(grad_norm),
                update_ratio: Some(1e-6),
                ..Default::default()
            };
            epoch.layers = vec![layer(1e-6), layer(0.1)];
        }
        assert!(present(Fault::VanishingGradients, &outcome));
        assert!(
            !present(Fault::ExplodingGradients, &outcome) && update_ratio_is_extreme(&outcome.log)
        );
        outcome.log.0.iter_mut().for_each(|epoch| epoch.grad_norm = Some(500.0));
        assert!(present(Fault::ExplodingGradients, &outcome));
    }
}
