//! UMLAUT: Schoop, Huang and Hartmann, "UMLAUT: Debugging Deep Learning Programs using Program
//! Structure and Model Behavior", CHI 2021. The rules and their constants are those of
//! `umlaut/heuristics.py` and `umserver/errors.py` of <https://github.com/BerkeleyHCI/umlaut>: they
//! are asked after every epoch, and say what they say at once.
//!
//! - Input outside of -1 to 1. The input of klubok's networks has mean 0 and deviation 1, which
//!   lies outside always; so the rules are also judged without this one, as [`WITHOUT_RANGE`].
//! - A loss that is not a number.
//! - A learning rate above 0.01 or below 1e-7.
//! - Over-fitting: from one epoch to the next the validation loss rose and the training loss did
//!   not.
//! - From the fourth epoch on, a validation accuracy above 0.95, or above that of training:
//!   "overlap between the training and validation data" is what its text offers first.
//! - A hidden layer without activation; dropout above 0.5.
//!
//! Its rules on the shape and type of the input, on a missing softmax and on an activation before
//! it have nothing to find here: klubok cannot be set so.

use super::{Names, Peer};
use crate::{fault::Fault, log::Epoch, outcome::Outcome, settings::Settings};

const RATES: std::ops::RangeInclusive<f64> = 1e-7..=0.01;
const HIGH_ACCURACY: f64 = 0.95;
/// Epochs in which accuracies are left alone.
const EARLY: usize = 3;
const HIGH_DROPOUT: f64 = 0.5;

const CANNOT: &str =
    "it has no rule for gradients, units, oscillation, imbalance, labels or constant inputs";

pub(crate) const PEER: Peer = Peer {
    name: "UMLAUT",
    judge: |outcome, settings| all(outcome, settings, true),
    names,
    cannot: CANNOT,
};

pub(crate) const WITHOUT_RANGE: Peer = Peer {
    name: "UMLAUT without its rule on -1 to 1",
    judge: |outcome, settings| all(outcome, settings, settings.get("normalize").is_some()),
    names,
    cannot: CANNOT,
};

fn all(outcome: &Outcome, settings: &Settings, range: bool) -> Names {
    let lines = outcome.log.trained();
    let mut names = static_rules(settings);
    if range {
        names.push("input_normalization");
    }
    for (number, line) in lines.iter().enumerate() {
        names.extend(epoch(number, number.checked_sub(1).map(|before| &lines[before]), line));
    }
    if outcome.stopped == "diverged" {
        names.push("nan_loss");
    }
    names.sort_unstable();
    names.dedup();
    names
}

fn static_rules(settings: &Settings) -> Names {
    let number = |key| settings.get(key).and_then(|x| x.parse().ok()).unwrap_or(0.0);
    let linear =
        settings.get("activation") == Some("identity") && settings.get("hidden") != Some("-");
    let high = number("dropout") > HIGH_DROPOUT || number("input_dropout") > HIGH_DROPOUT;
    let rules = [(linear, "missing_activations"), (high, "high_dropout_rate")];
    rules.into_iter().filter(|(is, _)| *is).map(|(_, name)| name).collect()
}

fn epoch(number: usize, before: Option<&Epoch>, now: &Epoch) -> Names {
    let change = |of: fn(&Epoch) -> Option<f64>| Some(of(now)? - of(before?)?);
    let rate = now.learning_rate.unwrap_or(*RATES.start());
    let (train, val) = (now.train_accuracy.unwrap_or(0.0), now.val_accuracy.unwrap_or(0.0));
    let over_fits = change(|line| line.val_loss).is_some_and(|change| change > 0.0)
        && change(|line| line.train_loss).is_some_and(|change| change <= 0.0);
    let rules = [
        (now.train_loss.is_none_or(f64::is_nan), "nan_loss"),
        (rate > *RATES.end(), "lr_high"),
        (rate < *RATES.start(), "lr_low"),
        (over_fits, "overfitting"),
        (number >= EARLY && (val > HIGH_ACCURACY || val > train), "overconfident_val"),
    ];
    rules.into_iter().filter(|(is, _)| *is).map(|(_, name)| name).collect()
}

/// "This could lead to the model's inability to learn", it says of a learning rate that is too high
/// or too low.
fn names(name: &str, fault: Fault) -> bool {
    use Fault as F;
    match name {
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
        "overfitting" => matches!(fault, F::OverFitting | F::OverConfidence),
        "overconfident_val" => fault == F::Duplicates,
        "missing_activations" | "high_dropout_rate" => fault == F::UnderFitting,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(train_loss: f64, val_loss: f64, accuracies: (f64, f64), rate: f64) -> Epoch {
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
    fn each_rule_is_asked_after_every_epoch() {
        let before = line(1.0, 1.0, (0.8, 0.7), 0.001);
        let said = |number, now: Epoch| epoch(number, Some(&before), &now);
        assert!(said(5, line(0.9, 0.9, (0.8, 0.7), 0.001)).is_empty());
        assert_eq!(said(5, line(1.0, 1.1, (0.8, 0.7), 0.001)), ["overfitting"]);
        assert!(said(5, line(1.1, 1.1, (0.8, 0.7), 0.001)).is_empty());
        assert_eq!(said(5, line(0.9, 0.9, (0.8, 0.81), 0.02)), ["lr_high", "overconfident_val"]);
        assert_eq!(said(2, line(0.9, 0.9, (0.8, 0.81), 1e-8)), ["lr_low"]);
        assert_eq!(said(0, Epoch::default()), ["nan_loss"]);
    }

    #[test]
    fn settings_are_judged_before_training() {
        let said = |line: &str| static_rules(&Settings::read(&[line]).unwrap());
        assert_eq!(said("hidden=64 activation=identity"), ["missing_activations"]);
        assert_eq!(said("hidden=64 dropout=0.6"), ["high_dropout_rate"]);
        assert!(said("hidden=64 dropout=0.5 activation=tanh").is_empty());
    }
}
