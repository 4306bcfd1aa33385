//! The planted faults, the verdicts that name each, and the evidence of each in a run.

/// A planted fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    DeadUnits,
    SaturatedUnits,
    VanishingGradients,
    ExplodingGradients,
    UpdateRatio,
    /// The learning rate makes the loss explode.
    RateExplodes,
    /// The learning rate kills units: the loss stays at ln(classes), and a layer's activity goes to
    /// 0.
    RateKills,
    RateTooLow,
    OscillatingLoss,
    SlowConvergence,
    Overfitting,
    Overconfidence,
    Underfitting,
    NotNormalised,
    ConstantInputs,
    ClassImbalance,
    ShuffledLabels,
    Duplicates,
    Contradictions,
    NetworkTooSmall,
    IgnoresInput,
}

/// A fault, its name in tables, the verdicts that name it, and its evidence in a run.
type Description = (Fault, &'static str, &'static [&'static str], &'static str);

/// All faults in the order of the tables.
pub(crate) const FAULTS: [Description; 21] = [
    (
        Fault::DeadUnits,
        "dead_units",
        &["dead_units", "learning_rate_kills_network"],
        "the loss does not end exploded, and at the end at least 3 in 10 units of a hidden layer have the same output \
         for all training pictures",
    ),
    (
        Fault::SaturatedUnits,
        "saturated_units",
        &["saturated_units"],
        "the loss does not end exploded, and at the end at least half of the units of a hidden layer are within 1 % of \
         a bound of their range for 9 in 10 pictures",
    ),
    (
        Fault::VanishingGradients,
        "vanishing_gradients",
        &["vanishing_gradients"],
        "in the first half of the epochs the median ratio of the first layer's gradient to the last's is below 1/1000, \
         and accuracy ends less than a third of the way from chance level to that of the cured run",
    ),
    (
        Fault::ExplodingGradients,
        "exploding_gradients",
        &["exploding_gradients", "diverging", "learning_rate_too_high"],
        "the gradient's median norm is above 100 or not a number",
    ),
    (
        Fault::UpdateRatio,
        "update_ratio",
        &["update_ratio", "learning_rate_too_low", "learning_rate_too_high"],
        "the median update ratio of a hidden layer is above 0.03 or below 0.00001, and the cured run's lowest \
         validation loss is at least 5 % and 0.03 lower",
    ),
    (
        Fault::RateExplodes,
        "rate_explodes",
        &["learning_rate_too_high", "diverging"],
        "the run stopped as diverged, or its training loss exceeded 3 times that of epoch 0",
    ),
    (
        Fault::RateKills,
        "rate_kills",
        &["learning_rate_kills_network", "dead_units"],
        "in the last third the training loss is within 10 % of chance level, and at the end less than 1 in 20 outputs \
         of a hidden layer is above 0",
    ),
    (
        Fault::RateTooLow,
        "rate_too_low",
        &["learning_rate_too_low", "update_ratio"],
        "the cured run's training loss ends below half of the run's own",
    ),
    (
        Fault::OscillatingLoss,
        "oscillating_loss",
        &["oscillating_loss"],
        "in the second half the training loss increases in 3 to 7 of 10 epochs, changes by 10 % of its mean from epoch \
         to epoch, and the cured run's ends below 0.7 of that mean",
    ),
    (
        Fault::SlowConvergence,
        "slow_convergence",
        &["slow_convergence", "learning_rate_too_low"],
        "the cured run's lowest validation loss is at least 15 % and 0.03 lower, or its accuracy 3 points higher",
    ),
    (
        Fault::Overfitting,
        "over_fitting",
        &["over_fitting"],
        "the smoothed validation loss ends 10 % above its minimum, which lies in the first two thirds; since then the \
         training loss decreased, and validation accuracy decreased by more than half a standard error",
    ),
    (
        Fault::Overconfidence,
        "over_confidence",
        &["over_confidence"],
        "as for over_fitting, but validation accuracy increased by more than half a standard error",
    ),
    (
        Fault::Underfitting,
        "under_fitting",
        &["under_fitting", "network_too_small"],
        "the training loss decreases by less than 5 % in the last third, and the cured run's training accuracy is 10 \
         points higher",
    ),
    (
        Fault::NotNormalised,
        "input_not_normalised",
        &["input_not_normalised"],
        "the mean or standard deviation of the network's inputs is above 10",
    ),
    (
        Fault::ConstantInputs,
        "constant_inputs",
        &["constant_inputs"],
        "at least 3 in 10 pixels are the same in all training pictures",
    ),
    (
        Fault::ClassImbalance,
        "class_imbalance",
        &["class_imbalance"],
        "the largest class is at least 5 times the mean size of the others",
    ),
    (
        Fault::ShuffledLabels,
        "shuffled_labels",
        &["labels_look_shuffled"],
        "neither nearest neighbours nor the network predict the class better than chance (within 3 standard errors)",
    ),
    (
        Fault::Duplicates,
        "duplicates",
        &["duplicates_across_parts"],
        "at least 1 in 50 validation pictures is in the training set",
    ),
    (
        Fault::Contradictions,
        "contradictions",
        &["contradicting_labels"],
        "at least 1 in 100 training pictures occurs under another label too",
    ),
    (
        Fault::NetworkTooSmall,
        "network_too_small",
        &["network_too_small"],
        "the cured run's training accuracy is 20 points higher",
    ),
    (
        Fault::IgnoresInput,
        "ignores_input",
        &["predictions_ignore_input"],
        "at the end the standard deviation of every class probability over the pictures is below 0.001",
    ),
];

impl Fault {
    fn description(self) -> &'static Description {
        &FAULTS[self as usize]
    }

    /// Name in tables.
    pub(crate) fn name(self) -> &'static str {
        self.description().1
    }

    /// The verdicts that name the fault.
    pub(crate) fn verdicts(self) -> &'static [&'static str] {
        self.description().2
    }

    /// The evidence of the fault in a run.
    pub(crate) fn evidence(self) -> &'static str {
        self.description().3
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_the_order_of_the_enum() {
        assert!(FAULTS.iter().all(|(fault, name, ..)| fault.name() == *name));
    }
}
