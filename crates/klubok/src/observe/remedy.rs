//! What to try against what is wrong, as arguments of `klubok train`.

use super::{history::Row, tracker::Tracker};
use crate::train::event::{Verdict, VerdictName};

/// Where the learning rate is not known.
const SMALL_RATE: f64 = 1e-4;
/// What keeps a network from learning, the cause before its effect: large steps silence units, and
/// silent or saturated units let no gradient through.
const CAUSES: [VerdictName; 7] = [
    VerdictName::LearningRateTooHigh,
    VerdictName::LearningRateKillsNetwork,
    VerdictName::UpdateRatio,
    VerdictName::DeadUnits,
    VerdictName::SaturatedUnits,
    VerdictName::VanishingGradients,
    VerdictName::PredictionsIgnoreInput,
];

impl Tracker {
    fn highest_rate(&self) -> Option<f64> {
        let rows = self.early.iter().chain(&self.points);
        let rates = rows.filter_map(|row| row.learning_rate);
        rates.filter(|rate| *rate > 0.0 && rate.is_finite()).reduce(f64::max)
    }

    pub(super) fn rate_decayed(&self) -> bool {
        let last = self.points.last().and_then(|row: &Row| row.learning_rate);
        last.zip(self.highest_rate()).is_some_and(|(last, highest)| last < 0.5 * highest)
    }

    /// What to try, as arguments of `klubok train`.
    pub(super) fn remedy(&self, name: VerdictName) -> String {
        let rate = |factor: f64| {
            let rate = self.highest_rate().map_or(SMALL_RATE, |rate| rate * factor);
            format!("--set train.learning_rate={}", two_digits(rate))
        };
        match name {
            VerdictName::Diverging | VerdictName::ExplodingGradients => {
                "--set train.clip_norm=1".to_owned()
            }
            VerdictName::LearningRateTooHigh | VerdictName::LearningRateKillsNetwork => rate(0.1),
            VerdictName::UpdateRatio => rate(self.layers.rate_factor()),
            VerdictName::DeadUnits
            | VerdictName::VanishingGradients
            | VerdictName::PredictionsIgnoreInput
            | VerdictName::UnderFitting
                if self.layers.began_at_zero() =>
            {
                "--set model.init=he".to_owned()
            }
            VerdictName::DeadUnits
            | VerdictName::VanishingGradients
            | VerdictName::PredictionsIgnoreInput
            | VerdictName::UnderFitting
                if self.layers.weights_collapsed() =>
            {
                let penalties = ["l1", "l2", "weight_decay"];
                penalties.map(|penalty| format!("--set regularization.{penalty}=0")).join(" ")
            }
            VerdictName::DeadUnits => "--set model.activation=leaky_relu".to_owned(),
            VerdictName::VanishingGradients if self.layers.can_saturate() => {
                "--set model.activation=relu".to_owned()
            }
            VerdictName::SaturatedUnits
            | VerdictName::VanishingGradients
            | VerdictName::PredictionsIgnoreInput => "--set model.batch_norm=true".to_owned(),
            // No setting mends labels; another cut shows whether it was the cut.
            VerdictName::LabelsLookShuffled => "--set data.split_seed=1".to_owned(),
            // What is found before training brings its own advice; no setting mends a sample.
            VerdictName::LossNotANumber
            | VerdictName::ClassImbalance
            | VerdictName::ConstantInputs
            | VerdictName::DuplicatesAcrossParts
            | VerdictName::ContradictingLabels
            | VerdictName::NetworkTooSmall
            | VerdictName::InputNotNormalised
            | VerdictName::InitialLoss => String::new(),
            VerdictName::OverFitting => "--set model.dropout=0.3".to_owned(),
            VerdictName::OverConfidence => "--set regularization.label_smoothing=0.1".to_owned(),
            VerdictName::UnderFitting => "--set model.hidden=1024,512,256".to_owned(),
            VerdictName::OscillatingLoss => rate(0.3),
            VerdictName::LearningRateTooLow => match self.highest_rate() {
                Some(_) => rate(10.0),
                None => "--set train.learning_rate=0.01".to_owned(),
            },
            VerdictName::SlowConvergence => {
                let epochs = (2.0 * self.last).clamp(2.0, 1e9);
                format!("--set train.epochs={}", epochs.round())
            }
        }
    }
}

/// A larger network helps none that is kept from learning: there, under-fitting is cured with its
/// cause.
pub(super) fn advise_by_cause(verdicts: &mut [Verdict]) {
    let of = |name: VerdictName| verdicts.iter().find(|verdict| verdict.name == name);
    let Some(remedy) = CAUSES.into_iter().find_map(of).map(|cause| cause.try_.clone()) else {
        return;
    };
    let effects = verdicts.iter_mut().filter(|verdict| verdict.name == VerdictName::UnderFitting);
    effects.for_each(|verdict| verdict.try_.clone_from(&remedy));
}

/// `0.0003`: a number with two digits that count.
fn two_digits(number: f64) -> f64 {
    let scale = 10f64.powi(1 - number.log10().floor() as i32);
    if !scale.is_finite() || scale == 0.0 {
        return number;
    }
    let rounded = (number * scale).round() / scale;
    // Division by a power of ten may leave a tail of digits: this form has none.
    format!("{rounded:.1e}").parse().unwrap_or(rounded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn under_fitting_is_cured_with_its_cause_and_else_with_more_units() {
        let of = |name| Tracker::new(None).verdict(name, 1.0, crate::train::event::Evidence::new());
        let mut alone = [of(VerdictName::UnderFitting)];
        advise_by_cause(&mut alone);
        assert_eq!(alone[0].try_, "--set model.hidden=1024,512,256");
        let names = [VerdictName::UnderFitting, VerdictName::DeadUnits, VerdictName::UpdateRatio];
        let mut verdicts = names.map(of);
        advise_by_cause(&mut verdicts);
        assert_eq!(verdicts[0].try_, verdicts[2].try_);
        assert_eq!(verdicts[1].try_, "--set model.activation=leaky_relu");
    }

    #[test]
    fn rates_are_short() {
        assert_eq!(format!("{}", two_digits(0.003 * 0.1)), "0.0003");
        assert_eq!(format!("{}", two_digits(0.01 * 0.3)), "0.003");
        assert_eq!(format!("{}", two_digits(12.345)), "12");
    }
}
