//! How far to trust a model's predictions: the sentence below them, in the command and on the page.

use klubok::{
    model::{Card, Errors, Model, Validation},
    train::evaluate::wilson,
};
use serde_json::{Value, json};

use crate::{
    numbers::{accuracy, accuracy_and_chance, percent, r_squared, significant, thousands},
    text, verdict,
};

/// Warns that an accuracy on `samples` is no better than chance, if so. `new` says that the model
/// was not trained on them.
pub fn no_better_than_chance(share: f64, samples: usize, chance: f64, new: bool) -> Option<String> {
    if wilson(share, samples)[0] > chance {
        return None;
    }
    let (n, accuracy, chance) = (thousands(samples), accuracy(share, samples), percent(chance));
    Some(if new {
        text!("trust.worthless", accuracy = accuracy, n = n, chance = chance)
    } else {
        text!("trust.no_better", accuracy = accuracy, n = n, chance = chance)
    })
}

/// Writes how far to trust the predictions of a model.
pub fn sentence(model: &Model) -> String {
    let Some(Card { training, validation, errors, .. }) = &model.card else {
        return text!("trust.unknown");
    };
    let learned = training.total(model.network.answer);
    match errors {
        Some(errors) => of_numbers(learned, errors),
        None => of_model(learned, *validation),
    }
}

/// Writes how far to trust a model of numbers.
fn of_numbers(learned: u64, errors: &Errors) -> String {
    let Errors { rmse, r2, chose_epoch, samples } = *errors;
    let (n, learned) = (thousands(samples as usize), thousands(learned as usize));
    let (rmse, r2) = (significant(rmse), r_squared(r2));
    if !errors.is_better_than_mean() {
        return text!("trust.worthless_numbers", n = n, rmse = rmse, r2 = r2);
    }
    let quality = text!("trust.tried_numbers", n = n, learned = learned, rmse = rmse, r2 = r2);
    if chose_epoch { format!("{quality} {}", text!("trust.chose")) } else { quality }
}

/// Writes how far to trust a model trained on `learned` samples.
pub fn of_model(learned: u64, validation: Option<Validation>) -> String {
    let quality = quality(learned, validation);
    if is_flattered(validation) { format!("{quality} {}", text!("trust.chose")) } else { quality }
}

/// Writes how far to trust a network during its training, validated after this epoch.
pub fn in_training(learned: u64, epoch: f64, validation: Validation) -> String {
    let quality = quality(learned, Some(validation));
    let when = text!("trust.at_epoch", epoch = verdict::epoch(epoch));
    if is_flattered(Some(validation)) {
        format!("{quality} {when} {}", text!("trust.chooses"))
    } else {
        format!("{quality} {when}")
    }
}

/// Whether the accuracy is biased: above chance, on samples that chose the epoch.
fn is_flattered(validation: Option<Validation>) -> bool {
    validation.is_some_and(|v| v.chose_epoch && v.is_better_than_chance())
}

fn quality(learned: u64, validation: Option<Validation>) -> String {
    let learned = thousands(learned as usize);
    let Some(validation) = validation else { return text!("trust.untried", learned = learned) };
    let Validation { accuracy, chance, samples, .. } = validation;
    let (n, samples) = (thousands(samples as usize), samples as usize);
    if let Some(sentence) = no_better_than_chance(accuracy, samples, chance, true) {
        return sentence;
    }
    let accuracy = accuracy_and_chance(accuracy, samples, chance);
    text!("trust.tried", accuracy = accuracy, n = n, learned = learned)
}

/// Describes the model's card for programs; null without a card.
pub fn to_json(model: &Model) -> Value {
    let Some(card) = &model.card else { return Value::Null };
    let is_better = card.validation.map(|validation| validation.is_better_than_chance());
    let mut json = json!({
        "training_samples": card.training.total(model.network.answer),
        "validation": card.validation,
        "better_than_chance": is_better.or(card.errors.map(|errors| errors.is_better_than_mean())),
    });
    if let Some(errors) = card.errors {
        json["errors"] = json!(errors);
    }
    json
}

#[cfg(test)]
mod tests {
    use klubok::{
        model::{Fit, Input, Preprocessing, Training},
        nn::{
            calibration::Calibration,
            network::{Network, OutputKind},
        },
        state::Weights,
    };

    use super::*;

    /// A model with this card.
    fn model(answer: OutputKind, card: Option<Card>) -> Model {
        let hidden = Vec::new();
        let network = Network { inputs: 1, input_dropout: 0.0, hidden, outputs: 2, answer };
        let input = Input::Columns(vec!["x".into()]);
        let (mean, std) = (vec![0.0], vec![1.0]);
        Model {
            network,
            preprocessing: Preprocessing { input, fit: Fit::Squash, mean, std, target: None },
            outputs: vec!["a".into(), "b".into()],
            calibration: Calibration::NONE,
            card,
            weights: Weights::default(),
        }
    }

    fn sentence(card: Option<&Card>) -> String {
        super::sentence(&model(OutputKind::Classes, card.cloned()))
    }

    fn to_json(card: Option<&Card>) -> Value {
        super::to_json(&model(OutputKind::Classes, card.cloned()))
    }

    #[test]
    fn a_model_of_numbers_is_rated_by_its_errors() {
        let of = |r2| {
            let errors = Errors { rmse: 0.523, r2, chose_epoch: true, samples: 400 };
            let card = Card { validation: None, errors: Some(errors), ..card([0.5, 0.6], true) };
            model(OutputKind::Numbers, Some(card))
        };
        let good = super::sentence(&of(0.8));
        assert!(good.contains("0.5230") && good.contains("0.800"), "{good}");
        assert!(super::sentence(&of(-0.1)).starts_with("Do not rely on this"));
        let json = super::to_json(&of(0.8));
        assert_eq!(
            (&json["better_than_chance"], &json["errors"]["r2"]),
            (&json!(true), &json!(0.8))
        );
        assert_eq!(json["training_samples"], 300);
    }

    fn card(accuracy_interval: [f64; 2], chose_epoch: bool) -> Card {
        let training = Training {
            identity: String::new(),
            samples: vec![300, 400],
            split_seed: 0,
            val_fraction: 0.2,
        };
        let (accuracy, chance, samples) = (accuracy_interval[1] - 0.05, 0.5, 400);
        let validation = Validation { accuracy, accuracy_interval, chance, chose_epoch, samples };
        Card { training, validation: Some(validation), errors: None, typical: None }
    }

    #[test]
    fn a_model_is_rated_by_its_validation_samples() {
        assert_eq!(
            sentence(Some(&card([0.65, 0.75], true))),
            "How good it is: 70 % ± 5 (guessing 50 %) on 400 validation samples (it was trained on \
             700 others). They also chose the epoch, so expect slightly less on new ones."
        );
        assert!(sentence(Some(&card([0.65, 0.75], false))).ends_with("trained on 700 others)."));
        assert!(sentence(Some(&card([0.45, 0.55], true))).starts_with("Do not rely on this:"));
        let untried = Card { validation: None, ..card([0.6, 0.7], true) };
        assert!(sentence(Some(&untried)).starts_with("Nobody knows how good it is:"));
        assert!(sentence(None).starts_with("The model does not say how good it is"));
        assert_eq!(to_json(None), Value::Null);
        assert_eq!(to_json(Some(&card([0.45, 0.55], true)))["better_than_chance"], false);
        assert_eq!(to_json(Some(&untried))["better_than_chance"], Value::Null);
    }

    #[test]
    fn in_training_the_epoch_of_the_measurement_is_named() {
        let trust = |interval, chose_epoch| {
            let validation = card(interval, chose_epoch).validation.unwrap();
            in_training(700, 12.0, validation)
        };
        let good = trust([0.65, 0.75], true);
        assert!(good.starts_with("How good it is: 70 % ± 5 (guessing 50 %) on 400"), "{good}");
        assert!(good.contains("Measured at epoch 12 of the training. These samples"), "{good}");
        let last = trust([0.65, 0.75], false);
        assert!(last.ends_with("Measured at epoch 12 of the training."), "{last}");
        let bad = trust([0.45, 0.55], true);
        assert!(bad.starts_with("Do not rely") && bad.ends_with("of the training."), "{bad}");
    }
}
