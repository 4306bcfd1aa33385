//! Verdicts before training in words: data, inputs, labels, the first loss.

use klubok::train::event::{Verdict, VerdictName};

use crate::{
    figures::Figures,
    numbers::{decimal, rate, thousands},
    text,
};

/// Writes a verdict with its figures, without advice.
pub(crate) fn sentence(verdict: &Verdict, of: &Figures<'_>) -> String {
    let count = |key: &str| thousands(of.get(key) as usize);
    let share = |key: &str| of.share(key);
    let number = |key: &str| decimal(format_args!("{:.2}", of.get(key)));
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
        VerdictName::NetworkTooSmall if of.has("narrowest") => text!(
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
        VerdictName::UnderFitting => text!(
            "before.learns_nothing",
            samples = count("samples"),
            steps = count("steps"),
            first = number("loss_first"),
            now = number("loss_now")
        ),
        VerdictName::LearningRateTooHigh => text!(
            "before.learning_rate_too_high",
            exploded = rate(of.get("exploded_at")),
            configured = rate(of.get("learning_rate"))
        ),
        VerdictName::LearningRateTooLow => text!(
            "before.learning_rate_too_low",
            configured = rate(of.get("learning_rate")),
            proposed = rate(of.get("proposed"))
        ),
        name => plain(name),
    }
}

/// Writes a verdict without figures.
pub(crate) fn plain(verdict: VerdictName) -> String {
    match verdict {
        VerdictName::Diverging => text!("plain.diverging"),
        VerdictName::LearningRateTooHigh => text!("plain.learning_rate_too_high"),
        VerdictName::LossNotANumber => text!("plain.loss_not_a_number"),
        VerdictName::OverFitting => text!("plain.over_fitting"),
        VerdictName::OverConfidence => text!("plain.over_confidence"),
        VerdictName::UnderFitting => text!("plain.under_fitting"),
        VerdictName::OscillatingLoss => text!("plain.oscillating_loss"),
        VerdictName::LearningRateTooLow => text!("plain.learning_rate_too_low"),
        VerdictName::SlowConvergence => text!("plain.slow_convergence"),
        VerdictName::DeadUnits => text!("plain.dead_units"),
        VerdictName::SaturatedUnits => text!("plain.saturated_units"),
        VerdictName::VanishingGradients => text!("plain.vanishing_gradients"),
        VerdictName::ExplodingGradients => text!("plain.exploding_gradients"),
        VerdictName::UpdateRatio => text!("plain.update_ratio"),
        VerdictName::LearningRateKillsNetwork => text!("plain.learning_rate_kills_network"),
        VerdictName::PredictionsIgnoreInput => text!("plain.predictions_ignore_input"),
        VerdictName::LabelsLookShuffled => text!("plain.labels_look_shuffled"),
        VerdictName::ClassImbalance => text!("plain.class_imbalance"),
        VerdictName::ConstantInputs => text!("plain.constant_inputs"),
        VerdictName::DuplicatesAcrossParts => text!("plain.duplicates_across_parts"),
        VerdictName::ContradictingLabels => text!("plain.contradicting_labels"),
        VerdictName::NetworkTooSmall => text!("plain.network_too_small"),
        VerdictName::InputNotNormalised => text!("plain.input_not_normalised"),
        VerdictName::InitialLoss => text!("plain.initial_loss"),
    }
}

/// Advises what to do where no setting helps.
pub(crate) fn advice(verdict: VerdictName) -> String {
    match verdict {
        VerdictName::ConstantInputs => text!("before.look_at_inputs"),
        VerdictName::DuplicatesAcrossParts => text!("before.remove_copies"),
        VerdictName::ContradictingLabels => text!("before.choose_class"),
        VerdictName::LabelsLookShuffled => text!("before.look_at_labels"),
        VerdictName::LossNotANumber => text!("advice.loss_not_a_number"),
        VerdictName::OverFitting | VerdictName::OverConfidence => text!("verdict.more_samples"),
        _ => text!("before.look_at_data"),
    }
}
