//! How far to trust a model's predictions: the sentence below them, in the command and on the page.

use klubok::{
    model::{Card, Training, Validation},
    train::evaluate::wilson,
};
use serde_json::{Value, json};

use crate::{
    numbers::{accuracy, accuracy_and_chance, percent, thousands},
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

/// Writes how far to trust the predictions of a model with this card.
pub fn sentence(card: Option<&Card>) -> String {
    let Some(Card { training: Training { samples, .. }, validation, .. }) = card else {
        return text!("trust.unknown");
    };
    of_model(samples.iter().sum(), *validation)
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

/// Describes the card for programs; null without a card.
pub fn to_json(card: Option<&Card>) -> Value {
    let Some(card) = card else { return Value::Null };
    json!({
        "training_samples": card.training.samples.iter().sum::<u64>(),
        "validation": card.validation,
        "better_than_chance": card.validation.map(|validation| validation.is_better_than_chance()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card(accuracy_interval: [f64; 2], chose_epoch: bool) -> Card {
        let training = Training {
            identity: String::new(),
            samples: vec![300, 400],
            split_seed: 0,
            val_fraction: 0.2,
        };
        let (accuracy, chance, samples) = (accuracy_interval[1] - 0.05, 0.5, 400);
        let validation = Validation { accuracy, accuracy_interval, chance, chose_epoch, samples };
        Card { training, validation: Some(validation), typical: None }
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
