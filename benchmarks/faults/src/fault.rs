//! The faults that are planted, and which verdicts count as naming each.

/// Something that is planted in a training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    DeadUnits,
    SaturatedUnits,
    VanishingGradients,
    ExplodingGradients,
    UpdateRatio,
    /// The loss explodes.
    RateExplodes,
    /// The loss stays at ln(classes), and a layer's activity goes to 0.
    RateKills,
    RateTooLow,
    OscillatingLoss,
    SlowConvergence,
    OverFitting,
    OverConfidence,
    UnderFitting,
    NotNormalised,
    ConstantInputs,
    ClassImbalance,
    ShuffledLabels,
    Duplicates,
    Contradictions,
    TooSmall,
    IgnoresInput,
}

/// A fault, its name in tables, the verdicts that name it, and how a run shows that it is there.
type About = (Fault, &'static str, &'static [&'static str], &'static str);

/// All faults in the order of the tables.
pub(crate) const FAULTS: [About; 21] = [
    (
        Fault::DeadUnits,
        "dead_units",
        &["dead_units", "learning_rate_kills_network"],
        "the loss does not end exploded, and at the end at least 3 units of 10 of a hidden layer say the same to all training pictures",
    ),
    (
        Fault::SaturatedUnits,
        "saturated_units",
        &["saturated_units"],
        "the loss does not end exploded, and at the end at least half of the units of a hidden layer are within 1 % of an end of their range for 9 \
         pictures of 10",
    ),
    (
        Fault::VanishingGradients,
        "vanishing_gradients",
        &["vanishing_gradients"],
        "in the first half of the epochs the first layer's gradient is at the median below 1/1000 of the last's, \
         and at the end less than a third of the way from guessing to the cured run's accuracy is done",
    ),
    (
        Fault::ExplodingGradients,
        "exploding_gradients",
        &["exploding_gradients", "diverging", "learning_rate_too_high"],
        "the gradient's norm is at the median above 100, or no longer a number",
    ),
    (
        Fault::UpdateRatio,
        "update_ratio",
        &["update_ratio", "learning_rate_too_low", "learning_rate_too_high"],
        "a hidden layer's ratio is at the median above 0.03 or below 0.00001, and the cured run's lowest validation \
         loss is at least 5 % and 0.03 lower",
    ),
    (
        Fault::RateExplodes,
        "rate_explodes",
        &["learning_rate_too_high", "diverging"],
        "the run stopped as diverged, or its training loss rose above 3 times that of epoch 0",
    ),
    (
        Fault::RateKills,
        "rate_kills",
        &["learning_rate_kills_network", "dead_units"],
        "in the last third the training loss is within 10 % of what guessing gives, and at the end less than 1 output \
         of 20 of a hidden layer is above 0",
    ),
    (
        Fault::RateTooLow,
        "rate_too_low",
        &["learning_rate_too_low", "update_ratio"],
        "the cured run's training loss ends below half",
    ),
    (
        Fault::OscillatingLoss,
        "oscillating_loss",
        &["oscillating_loss"],
        "in the second half the training loss rises in 3 to 7 epochs of 10, by 10 % of its mean from epoch to epoch, \
         and the cured run's ends below 0.7 of that mean",
    ),
    (
        Fault::SlowConvergence,
        "slow_convergence",
        &["slow_convergence", "learning_rate_too_low"],
        "the cured run's lowest validation loss is at least 15 % and 0.03 lower, or its accuracy 3 points higher",
    ),
    (
        Fault::OverFitting,
        "over_fitting",
        &["over_fitting"],
        "the smoothed validation loss ends 10 % above its minimum, which is in the first two thirds, while the \
         training loss fell, and validation accuracy fell since by more than half a standard error",
    ),
    (
        Fault::OverConfidence,
        "over_confidence",
        &["over_confidence"],
        "the same, but validation accuracy rose since by more than half a standard error",
    ),
    (
        Fault::UnderFitting,
        "under_fitting",
        &["under_fitting", "network_too_small"],
        "the training loss falls by less than 5 % in the last third, and the cured run gets 10 points more of the \
         training pictures right",
    ),
    (
        Fault::NotNormalised,
        "input_not_normalised",
        &["input_not_normalised"],
        "the network is fed numbers whose mean or deviation is above 10",
    ),
    (
        Fault::ConstantInputs,
        "constant_inputs",
        &["constant_inputs"],
        "at least 3 pixels of 10 are the same in all training pictures",
    ),
    (
        Fault::ClassImbalance,
        "class_imbalance",
        &["class_imbalance"],
        "the largest class is at least 5 times as large as an even share of the rest",
    ),
    (
        Fault::ShuffledLabels,
        "shuffled_labels",
        &["labels_look_shuffled"],
        "nearest neighbours tell the class no better than guessing (within 3 standard errors), nor does the network",
    ),
    (
        Fault::Duplicates,
        "duplicates",
        &["duplicates_across_parts"],
        "at least 1 validation picture of 50 is in the training part",
    ),
    (
        Fault::Contradictions,
        "contradictions",
        &["contradicting_labels"],
        "at least 1 training picture of 100 is there under another label",
    ),
    (
        Fault::TooSmall,
        "network_too_small",
        &["network_too_small"],
        "the cured run gets 20 points more of the training pictures right",
    ),
    (
        Fault::IgnoresInput,
        "ignores_input",
        &["predictions_ignore_input"],
        "at the end no class's probability deviates over the pictures by more than 0.001",
    ),
];

impl Fault {
    fn about(self) -> &'static About {
        &FAULTS[self as usize]
    }

    /// Its name in tables.
    pub(crate) fn name(self) -> &'static str {
        self.about().1
    }

    /// The verdicts that name it.
    pub(crate) fn verdicts(self) -> &'static [&'static str] {
        self.about().2
    }

    /// How a run shows that it is there.
    pub(crate) fn sign(self) -> &'static str {
        self.about().3
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_faults() {
        assert!(FAULTS.iter().all(|about| about.0.name() == about.1));
    }
}
