//! How far a model's answers can be trusted: what stands below them, whoever asks.

use klubok::{
    model::{Card, Training, Validation},
    train::evaluate::wilson,
};
use serde_json::{Value, json};

use crate::{
    numbers::{accuracy, accuracy_and_chance, percent, thousands},
    text, verdict,
};

/// That the answers to `samples` are no better than guesses, if they are; `new` to the model where
/// it is known that it did not learn from them.
pub fn worthless(share: f64, samples: usize, chance: f64, new: bool) -> Option<String> {
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

/// A line that goes with every answer of a model.
pub fn line(card: Option<&Card>) -> String {
    let Some(Card { training: Training { samples, .. }, validation, .. }) = card else {
        return text!("trust.unknown");
    };
    of_model(samples.iter().sum(), *validation)
}

/// The same of a model that learned from so many samples.
pub fn of_model(learned: u64, validation: Option<Validation>) -> String {
    let tried = tried(learned, validation);
    if is_flattered(validation) { format!("{tried} {}", text!("trust.chose")) } else { tried }
}

/// The same of a network in the midst of its training, which was validated after this epoch.
pub fn in_training(learned: u64, epoch: f64, validation: Validation) -> String {
    let tried = tried(learned, Some(validation));
    let when = text!("trust.at_epoch", epoch = verdict::epoch(epoch));
    if is_flattered(Some(validation)) {
        format!("{tried} {when} {}", text!("trust.chooses"))
    } else {
        format!("{tried} {when}")
    }
}

/// Whether the samples that choose the epoch make it look better than it is.
fn is_flattered(validation: Option<Validation>) -> bool {
    validation.is_some_and(|tried| tried.chose_epoch && tried.is_better_than_chance())
}

fn tried(learned: u64, validation: Option<Validation>) -> String {
    let learned = thousands(learned as usize);
    let Some(validation) = validation else { return text!("trust.untried", learned = learned) };
    let Validation { accuracy, chance, samples, .. } = validation;
    let (n, samples) = (thousands(samples as usize), samples as usize);
    if let Some(sentence) = worthless(accuracy, samples, chance, true) {
        return sentence;
    }
    let accuracy = accuracy_and_chance(accuracy, samples, chance);
    text!("trust.tried", accuracy = accuracy, n = n, learned = learned)
}

/// The same for programs; null where nothing is known.
pub fn to_json(card: Option<&Card>) -> Value {
    let Some(card) = card else { return Value::Null };
    json!({
        "training_samples": card.training.samples.iter().sum::<u64>(),
        "validation": card.validation,
        "better_than_chance": card.validation.map(|tried| tried.is_better_than_chance()),
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
    fn a_model_is_as_good_as_it_was_on_what_it_did_not_learn_from() {
        assert_eq!(
            line(Some(&card([0.65, 0.75], true))),
            "How good it is: 70 % ± 5 (guessing 50 %) on 400 samples that it did not learn from \
             (it learned from 700). They chose its epoch, so expect a little less of new ones."
        );
        assert!(line(Some(&card([0.65, 0.75], false))).ends_with("(it learned from 700)."));
        assert!(line(Some(&card([0.45, 0.55], true))).starts_with("Do not rely on this:"));
        let untried = Card { validation: None, ..card([0.6, 0.7], true) };
        assert!(line(Some(&untried)).starts_with("Nobody knows how good it is:"));
        assert!(line(None).starts_with("The model does not say how good it is"));
        assert_eq!(to_json(None), Value::Null);
        assert_eq!(to_json(Some(&card([0.45, 0.55], true)))["better_than_chance"], false);
        assert_eq!(to_json(Some(&untried))["better_than_chance"], Value::Null);
    }

    #[test]
    fn in_training_it_is_said_when_that_was_measured() {
        let said = |interval, chose_epoch| {
            let validation = card(interval, chose_epoch).validation.unwrap();
            in_training(700, 12.0, validation)
        };
        let good = said([0.65, 0.75], true);
        assert!(good.starts_with("How good it is: 70 % ± 5 (guessing 50 %) on 400"), "{good}");
        assert!(good.contains("Measured at epoch 12 of the training. These samples"), "{good}");
        let last = said([0.65, 0.75], false);
        assert!(last.ends_with("Measured at epoch 12 of the training."), "{last}");
        let bad = said([0.45, 0.55], true);
        assert!(bad.starts_with("Do not rely") && bad.ends_with("of the training."), "{bad}");
    }
}
