//! The severity, meaning and source of each verdict.

use klubok_train::event::{Evidence, Remedy, Severity, Verdict, VerdictName};

/// Builds a verdict: severity, meaning and source follow from its name.
pub(super) fn verdict(
    name: VerdictName,
    since: f64,
    evidence: Evidence,
    remedy: Remedy,
) -> Verdict {
    let (severity, meaning) = severity_and_meaning(name);
    let (meaning, source) = (meaning.to_owned(), source(name).to_owned());
    let (try_, changes, more_samples) = (String::new(), Vec::new(), false);
    let mut verdict =
        Verdict { name, severity, since, evidence, meaning, try_, changes, more_samples, source };
    verdict.advise(remedy);
    verdict
}

/// Severity and meaning of a verdict.
fn severity_and_meaning(name: VerdictName) -> (Severity, &'static str) {
    match name {
        VerdictName::Diverging => (
            Severity::Error,
            "The loss grows without end or is no longer a number, so the network learns nothing any more.",
        ),
        VerdictName::LearningRateTooHigh => (
            Severity::Error,
            "The steps are so large that each one makes the network worse: the loss explodes.",
        ),
        VerdictName::LossNotANumber => (
            Severity::Warning,
            "One loss is no number while the other is: what is measured is broken or was left out, the training is not.",
        ),
        VerdictName::OverFitting => (
            Severity::Warning,
            "The network gets better on what it is trained on and worse on what it has never seen: it memorises.",
        ),
        VerdictName::OverConfidence => (
            Severity::Warning,
            "The answers of the network still get better, but it is ever surer of its wrong ones.",
        ),
        VerdictName::UnderFitting => (
            Severity::Warning,
            "The loss has come to rest hardly lower than it began: the network cannot or does not learn this.",
        ),
        VerdictName::OscillatingLoss => (
            Severity::Warning,
            "The loss jumps up and down: the steps are too large to settle, or the batches too small.",
        ),
        VerdictName::LearningRateTooLow => (
            Severity::Warning,
            "The loss hardly falls, or as slowly at the end as at the beginning: larger steps would be faster.",
        ),
        VerdictName::SlowConvergence => {
            (Severity::Info, "The loss was still falling when training ended: it was not finished.")
        }
        VerdictName::DeadUnits => (
            Severity::Warning,
            "Many units give the same output for every training sample: they get no gradient and cannot learn any more.",
        ),
        VerdictName::SaturatedUnits => (
            Severity::Warning,
            "Many outputs are at the edge of their range, where the slope is almost 0: hardly any gradient gets through.",
        ),
        VerdictName::VanishingGradients => (
            Severity::Warning,
            "The gradient gets smaller from layer to layer on its way back: the first layers hardly learn.",
        ),
        VerdictName::ExplodingGradients => (
            Severity::Error,
            "The gradients are far longer than they began and the loss is no lower: the steps lead nowhere.",
        ),
        VerdictName::UpdateRatio => (
            Severity::Warning,
            "A step changes too much or too little of the weights: about a thousandth of them is usual.",
        ),
        VerdictName::LearningRateKillsNetwork => (
            Severity::Error,
            "Large steps have silenced a layer, so that nothing gets through it: the network can only guess.",
        ),
        VerdictName::PredictionsIgnoreInput => (
            Severity::Error,
            "All samples get about the same answer, whatever the input: the network can only guess.",
        ),
        VerdictName::LabelsLookShuffled => (
            Severity::Error,
            "The labels do not follow from the inputs, as if they had been shuffled: what a network learns of them by heart \
             is of no use on new samples.",
        ),
        VerdictName::ClassImbalance => (
            Severity::Warning,
            "One class has far fewer samples than others: a network that never answers it is right most of the time.",
        ),
        VerdictName::ConstantInputs => (
            Severity::Warning,
            "Many input values are the same in nearly all samples: classes must be told apart by the rest.",
        ),
        VerdictName::DuplicatesAcrossParts => (
            Severity::Warning,
            "Samples that measure the network are among those it learns from, so it looks better than it is.",
        ),
        VerdictName::ContradictingLabels => (
            Severity::Warning,
            "The same content stands under two classes, and no network can be right about both.",
        ),
        VerdictName::NetworkTooSmall => (
            Severity::Warning,
            "The network cannot even learn a single batch by heart, so it cannot learn the whole data.",
        ),
        VerdictName::InputNotNormalised => (
            Severity::Warning,
            "The inputs are far from mean 0 and deviation 1, which learning rates and starting weights count on.",
        ),
        VerdictName::InitialLoss => (
            Severity::Warning,
            "The network starts worse than guessing: its first steps only unlearn its starting weights.",
        ),
    }
}

/// The publication behind a rule. A threshold from a publication is cited at its constant.
fn source(name: VerdictName) -> &'static str {
    match name {
        VerdictName::Diverging
        | VerdictName::LossNotANumber
        | VerdictName::PredictionsIgnoreInput
        | VerdictName::ConstantInputs => "TheDeepChecker (Ben Braiek and Khomh 2022)",
        VerdictName::LearningRateTooHigh | VerdictName::LearningRateTooLow => {
            "Deep Learning Tuning Playbook (Godbole et al. 2023)"
        }
        VerdictName::OverFitting => "Early Stopping - But When? (Prechelt 1998)",
        VerdictName::OverConfidence => "On Calibration of Modern Neural Networks (Guo et al. 2017)",
        VerdictName::UnderFitting => "UMLAUT (Schoop et al. 2021)",
        VerdictName::OscillatingLoss
        | VerdictName::SlowConvergence
        | VerdictName::ExplodingGradients => "AutoTrainer (Zhang et al. 2021)",
        VerdictName::DeadUnits => {
            "Dying ReLU and Initialization (Lu et al. 2019); TheDeepChecker (Ben Braiek and Khomh 2022)"
        }
        VerdictName::LearningRateKillsNetwork => {
            "Dying ReLU and Initialization (Lu et al. 2019); AutoTrainer (Zhang et al. 2021)"
        }
        VerdictName::SaturatedUnits | VerdictName::VanishingGradients => {
            "Understanding the difficulty of training deep feedforward neural networks (Glorot and Bengio 2010)"
        }
        VerdictName::UpdateRatio => "CS231n, Neural Networks Part 3 (Karpathy 2015)",
        VerdictName::LabelsLookShuffled => {
            "Understanding deep learning requires rethinking generalization (Zhang et al. 2017)"
        }
        VerdictName::ClassImbalance => {
            "Machine Learning Crash Course (Google): imbalanced datasets"
        }
        VerdictName::DuplicatesAcrossParts => "Do We Train on Test Data? (Barz and Denzler 2020)",
        VerdictName::ContradictingLabels => {
            "Pervasive Label Errors in Test Sets (Northcutt et al. 2021)"
        }
        VerdictName::NetworkTooSmall | VerdictName::InitialLoss => {
            "A Recipe for Training Neural Networks (Karpathy 2019)"
        }
        VerdictName::InputNotNormalised => {
            "Efficient BackProp (LeCun et al. 1998); UMLAUT (Schoop et al. 2021)"
        }
    }
}
