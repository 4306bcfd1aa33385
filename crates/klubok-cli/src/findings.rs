//! What was found before training, in words: data, inputs, labels, the first loss.

use klubok::train::event::{Verdict, VerdictName};

use crate::{
    terminal::{percent, thousands},
    text::text,
};

/// A verdict with its numbers, without what to try.
pub(crate) fn sentence(verdict: &Verdict) -> String {
    let of = |key: &str| verdict.evidence.get(key).copied().unwrap_or(0.0);
    let count = |key: &str| thousands(of(key) as usize);
    let share = |key: &str| percent(of(key));
    let number = |key: &str| match verdict.evidence.get(key) {
        Some(number) => format!("{number:.2}"),
        None => text!("verdict.no_number"),
    };
    match verdict.name {
        VerdictName::ClassImbalance => text!(
            "before.class_imbalance",
            least = count("smallest_class"),
            most = count("largest_class")
        ),
        VerdictName::ConstantInputs => text!(
            "before.constant_inputs",
            n = count("nearly_constant"),
            all = count("inputs"),
            share = share("share")
        ),
        VerdictName::DuplicatesAcrossParts => text!(
            "before.duplicates_across_parts",
            val = count("val_in_train"),
            val_share = share("val_share"),
            test = count("test_in_train"),
            test_share = share("test_share")
        ),
        VerdictName::ContradictingLabels => {
            text!("before.contradicting_labels", n = count("samples"), share = share("share"))
        }
        VerdictName::LabelsLookShuffled => text!(
            "before.labels_look_shuffled",
            accuracy = share("accuracy"),
            chance = share("chance"),
            neighbours = share("neighbours_agree"),
            expected = share("neighbours_by_chance")
        ),
        VerdictName::NetworkTooSmall if verdict.evidence.contains_key("narrowest") => text!(
            "before.network_too_narrow",
            units = count("narrowest"),
            right = share("accuracy"),
            wide = share("wide_accuracy")
        ),
        VerdictName::NetworkTooSmall => text!(
            "before.network_too_small",
            samples = count("samples"),
            right = share("accuracy"),
            steps = count("steps"),
            loss = number("loss")
        ),
        VerdictName::InputNotNormalised => text!(
            "before.input_not_normalised",
            mean = number("input_mean"),
            std = number("input_std")
        ),
        VerdictName::InitialLoss => {
            text!("before.initial_loss", loss = number("loss"), expected = number("expected"))
        }
        _ => verdict.meaning.clone(),
    }
}

/// What to do about it where no setting helps.
pub(crate) fn advice(verdict: VerdictName) -> String {
    match verdict {
        VerdictName::ConstantInputs => text!("before.look_at_inputs"),
        VerdictName::DuplicatesAcrossParts => text!("before.remove_copies"),
        VerdictName::ContradictingLabels => text!("before.choose_class"),
        VerdictName::LabelsLookShuffled => text!("before.look_at_labels"),
        VerdictName::LossNotANumber => text!("advice.loss_not_a_number"),
        _ => text!("before.look_at_data"),
    }
}
