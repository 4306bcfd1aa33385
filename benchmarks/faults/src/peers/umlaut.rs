//! UMLAUT: Schoop, Huang and Hartmann, "UMLAUT: Debugging Deep Learning Programs using Program
//! Structure and Model Behavior", CHI 2021. The rules and their constants are those of
//! `umlaut/heuristics.py` and `umserver/errors.py` of <https://github.com/BerkeleyHCI/umlaut>. They
//! run after every epoch and report at once:
//!
//! - Input outside of -1 to 1. The input of klubok's networks has mean 0 and standard deviation 1,
//!   always outside that range; [`WITHOUT_RANGE`] is the same set without this rule.
//! - A loss that is not a number.
//! - A learning rate above 0.01 or below 1e-7.
//! - Overfitting: from one epoch to the next the validation loss increased and the training loss
//!   did not.
//! - From the fourth epoch on, a validation accuracy above 0.95 or above that of training. Its text
//!   first suggests "overlap between the training and validation data".
//! - A hidden layer without activation; dropout above 0.5.
//!
//! UMLAUT's rules on shape and type of the input, on a missing softmax and on an activation before
//! the softmax do not apply: klubok's settings cannot cause these faults.

use super::{Findings, Peer};
use crate::{fault::Fault, log::Epoch, outcome::Outcome, settings::Settings};

const RATES: std::ops::RangeInclusive<f64> = 1e-7..=0.01;
const HIGH_ACCURACY: f64 = 0.95;
/// Epochs before accuracies count.
const ACCURACY_START: usize = 3;
const HIGH_DROPOUT: f64 = 0.5;

const LIMITS: &str =
    "it has no rule for gradients, units, oscillation, imbalance, labels or constant inputs";

pub(crate) const PEER: Peer = Peer {
    name: "UMLAUT",
    evaluate: |outcome, settings| evaluate(outcome, settings, true),
    matches,
    limits: LIMITS,
};

pub(crate) const WITHOUT_RANGE: Peer = Peer {
    name: "UMLAUT without its rule on -1 to 1",
    evaluate: |outcome, settings| evaluate(outcome, settings, settings.get("normalize").is_some()),
    matches,
    limits: LIMITS,
};

fn evaluate(outcome: &Outcome, settings: &Settings, out_of_range: bool) -> Findings {
    let epochs = outcome.log.trained();
    let mut findings = static_rules(settings);
    if out_of_range {
        findings.push("input_normalization");
    }
    for (index, current) in epochs.iter().enumerate() {
        let previous = index.checked_sub(1).map(|previous| &epochs[previous]);
        findings.extend(epoch_rules(index, previous, current));
    }
    if outcome.stopped == "diverged" {
        findings.push("nan_loss");
    }
    findings.sort_unstable();
    findings.dedup();
    findings
}

fn static_rules(settings: &Settings) -> Findings {
    let number = |key| settings.get(key).and_then(|x| x.parse().ok()).unwrap_or(0.0);
    let linear =
        settings.get("activation") == Some("identity") && settings.get("hidden") != Some("-");
    let high = number("dropout") > HIGH_DROPOUT || number("input_dropout") > HIGH_DROPOUT;
    let rules = [(linear, "missing_activations"), (high, "high_dropout_rate")];
    rules.into_iter().filter(|(is, _)| *is).map(|(_, name)| name).collect()
}

fn epoch_rules(index: usize, previous: Option<&Epoch>, current: &Epoch) -> Findings {
    let change = |of: fn(&Epoch) -> Option<f64>| Some(of(current)? - of(previous?)?);
    let rate = current.learning_rate.unwrap_or(*RATES.start());
    let (train, val) = (current.train_accuracy.unwrap_or(0.0), current.val_accuracy.unwrap_or(0.0));
    let overfits = change(|epoch| epoch.val_loss).is_some_and(|change| change > 0.0)
        && change(|epoch| epoch.train_loss).is_some_and(|change| change <= 0.0);
    let rules = [
        (current.train_loss.is_none_or(f64::is_nan), "nan_loss"),
        (rate > *RATES.end(), "lr_high"),
        (rate < *RATES.start(), "lr_low"),
        (overfits, "overfitting"),
        (index >= ACCURACY_START && (val > HIGH_ACCURACY || val > train), "overconfident_val"),
    ];
    rules.into_iter().filter(|(is, _)| *is).map(|(_, name)| name).collect()
}

/// UMLAUT's text on a learning rate that is too high or too low: "This could lead to the model's
/// inability to learn".
fn matches(finding: &str, fault: Fault) -> bool {
    use Fault as F;
    match finding {
        "input_normalization" => fault == F::NotNormalised,
        "nan_loss" => matches!(fault, F::ExplodingGradients | F::RateExplodes),
        "lr_high" => matches!(
            fault,
            F::RateExplodes
                | F::RateKills
                | F::OscillatingLoss
                | F::UpdateRatio
                | F::DeadUnits
                | F::SaturatedUnits
        ),
        "lr_low" => matches!(fault, F::RateTooLow | F::SlowConvergence | F::UpdateRatio),
        "overfitting" => matches!(fault, F::Overfitting | F::Overconfidence),
        "overconfident_val" => fault == F::Duplicates,
        "missing_activations" | "high_dropout_rate" => fault == F::Underfitting,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epoch(train_loss: f64, val_loss: f64, accuracies: (f64, f64), rate: f64) -> Epoch {
        Epoch {
            train_loss: Some(train_loss),
            val_loss: Some(val_loss),
            train_accuracy: Some(accuracies.0),
            val_accuracy: Some(accuracies.1),
            learning_rate: Some(rate),
            ..Epoch::default()
        }
    }

    #[test]
    fn rules_run_after_every_epoch() {
        let previous = epoch(1.0, 1.0, (0.8, 0.7), 0.001);
        let findings = |index, current: Epoch| epoch_rules(index, Some(&previous), &current);
        assert!(findings(5, epoch(0.9, 0.9, (0.8, 0.7), 0.001)).is_empty());
        assert_eq!(findings(5, epoch(1.0, 1.1, (0.8, 0.7), 0.001)), ["overfitting"]);
        assert!(findings(5, epoch(1.1, 1.1, (0.8, 0.7), 0.001)).is_empty());
        assert_eq!(
            findings(5, epoch(0.9, 0.9, (0.8, 0.81), 0.02)),
            ["lr_high", "overconfident_val"]
        );
        assert_eq!(findings(2, epoch(0.9, 0.9, (0.8, 0.81), 1e-8)), ["lr_low"]);
        assert_eq!(findings(0, Epoch::default()), ["nan_loss"]);
    }

    #[test]
    fn static_rules_check_the_settings() {
        let findings = |line: &str| static_rules(&Settings::read(&[line]).unwrap());
        assert_eq!(findings("hidden=64 activation=identity"), ["missing_activations"]);
        assert_eq!(findings("hidden=64 dropout=0.6"), ["high_dropout_rate"]);
        assert!(findings("hidden=64 dropout=0.5 activation=tanh").is_empty());
    }
}
