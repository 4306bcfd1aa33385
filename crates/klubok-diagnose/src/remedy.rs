//! Remedies for verdicts: settings and their new values.
//!
//! Each verdict has a list of remedies, the best first. If the settings of the training are known,
//! the advice is the first remedy that changes them and that they allow, or none.

use klubok_train::{
    config::{Change, Config, Optimizer, TrainConfig},
    event::{Remedy, Verdict, VerdictName},
};

use super::{row::Row, setup::Setup, tracker::Tracker};

/// Learning rate to advise where the current one is unknown.
const SMALL_RATE: f64 = 1e-4;
/// With fewer training samples in the smallest class, more samples help more than any setting.
const FEW_SAMPLES: u64 = 500;
/// Verdicts on a network that does not learn, causes before effects: large steps silence units, and
/// silent or saturated units pass no gradient.
const CAUSES: [VerdictName; 8] = [
    VerdictName::LearningRateTooHigh,
    VerdictName::LearningRateKillsNetwork,
    VerdictName::LearningRateTooLow,
    VerdictName::UpdateRatio,
    VerdictName::DeadUnits,
    VerdictName::SaturatedUnits,
    VerdictName::VanishingGradients,
    VerdictName::PredictionsIgnoreInput,
];

/// Settings to change together.
type Changes = Vec<Change>;

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

    /// The remedy for a verdict.
    pub(super) fn remedy(&self, name: VerdictName) -> Remedy {
        let candidates = self.candidates(name);
        let Some(Setup { config, train_classes }) = &self.setup else {
            return candidates.into_iter().next().unwrap_or_default().into();
        };
        let changes = candidates.into_iter().find_map(|changes| effective(config, changes));
        let few = train_classes.iter().min().is_some_and(|&samples| samples < FEW_SAMPLES);
        let memorises = [
            VerdictName::OverFitting,
            VerdictName::OverConfidence,
            VerdictName::LabelsLookShuffled,
        ]
        .contains(&name);
        let more_samples = memorises && few;
        Remedy { changes: changes.unwrap_or_default(), more_samples }
    }

    /// The remedies for a verdict, the best first.
    fn candidates(&self, name: VerdictName) -> Vec<Changes> {
        let config = self.setup.as_ref().map(|setup| &setup.config);
        let rate = |factor: f64| vec![self.rate(factor)];
        let one = |key, value: &str| vec![Change::new(key, value)];
        let batch_norm = || one("model.batch_norm", "true");
        // A rate far above the usual one for its optimizer is the first suspect.
        let fast = config
            .is_some_and(|config| config.train.learning_rate >= 10.0 * usual_rate(&config.train));
        let slow =
            config.is_some_and(|config| config.train.learning_rate < usual_rate(&config.train));
        let slow_first = |rest: Vec<Changes>| match (fast, slow) {
            (true, _) => [vec![rate(0.1)], rest].concat(),
            (false, true) => rest,
            (false, false) => [rest, vec![rate(0.1)]].concat(),
        };
        match name {
            VerdictName::Diverging | VerdictName::ExplodingGradients => {
                let clip = one("train.clip_norm", "1");
                // With known settings, change both to harmless values.
                if config.is_some() { vec![[clip, rate(0.1)].concat()] } else { vec![clip] }
            }
            VerdictName::LearningRateTooHigh | VerdictName::LearningRateKillsNetwork => {
                vec![rate(0.1)]
            }
            VerdictName::LearningRateTooLow => {
                vec![rate(self.layers.rate_factor_if_barely_moved().unwrap_or(1.0).max(10.0))]
            }
            VerdictName::UpdateRatio => vec![rate(self.layers.rate_factor())],
            VerdictName::OscillatingLoss => vec![rate(0.3)],
            VerdictName::DeadUnits
            | VerdictName::VanishingGradients
            | VerdictName::PredictionsIgnoreInput
            | VerdictName::UnderFitting
                if self.layers.began_at_zero() =>
            {
                vec![one("model.init", "he")]
            }
            VerdictName::DeadUnits
            | VerdictName::VanishingGradients
            | VerdictName::PredictionsIgnoreInput
            | VerdictName::UnderFitting
                if self.layers.weights_collapsed() =>
            {
                let penalties = ["l1", "l2", "weight_decay"];
                vec![penalties.map(|key| Change::new(&format!("regularization.{key}"), 0)).into()]
            }
            VerdictName::DeadUnits => slow_first(vec![one("model.activation", "leaky_relu")]),
            VerdictName::SaturatedUnits | VerdictName::PredictionsIgnoreInput => {
                slow_first(vec![batch_norm()])
            }
            VerdictName::VanishingGradients if self.layers.can_saturate() => {
                slow_first(vec![one("model.activation", "relu"), batch_norm()])
            }
            VerdictName::VanishingGradients => {
                slow_first(vec![batch_norm(), one("model.init", "he")])
            }
            // Temperature scaling, or label smoothing where the settings are unknown, fixes
            // over-confident predictions; the cause is the same as for overfitting.
            VerdictName::OverConfidence if config.is_none() => {
                vec![one("regularization.label_smoothing", "0.1")]
            }
            VerdictName::OverFitting | VerdictName::OverConfidence => against_memorising(config),
            VerdictName::UnderFitting => self.against_underfitting(),
            VerdictName::SlowConvergence => vec![self.more_epochs()],
            // No setting fixes labels or a sample. Verdicts from before training have their own
            // advice.
            VerdictName::LabelsLookShuffled
            | VerdictName::LossNotANumber
            | VerdictName::ClassImbalance
            | VerdictName::ConstantInputs
            | VerdictName::DuplicatesAcrossParts
            | VerdictName::ContradictingLabels
            | VerdictName::NetworkTooSmall
            | VerdictName::InputNotNormalised
            | VerdictName::InitialLoss => Vec::new(),
        }
    }

    /// Multiplies the learning rate by `factor`. A rate far above its usual value moves there at
    /// once. A lower rate exceeds the usual value by a factor of ten at most: gradients grow as the
    /// network learns, so steps grow faster than the rate.
    fn rate(&self, factor: f64) -> Change {
        let train = self.setup.as_ref().map(|setup| &setup.config.train);
        let now = train.map(|train| train.learning_rate).or(self.highest_rate());
        let next = match (now, train.map(usual_rate)) {
            (Some(now), Some(usual)) if factor < 0.3 => usual.min(now * factor),
            (Some(now), Some(usual)) if factor > 10.0 => (now * factor).min(usual.max(10.0 * now)),
            (Some(now), _) => now * factor,
            (None, _) if factor > 1.0 => 100.0 * SMALL_RATE,
            (None, _) => SMALL_RATE,
        };
        Change::new("train.learning_rate", two_digits(next))
    }

    fn more_epochs(&self) -> Changes {
        let config = self.setup.as_ref().map(|setup| &setup.config);
        let now = config.map_or(self.last.round(), |config| config.train.epochs as f64);
        vec![Change::new("train.epochs", (2.0 * now).clamp(2.0, 1e9))]
    }

    /// Suspects a rate far below the usual one for its optimizer first, then regularisation, then
    /// the size of the network.
    fn against_underfitting(&self) -> Vec<Changes> {
        let hidden = |units: &str| vec![Change::new("model.hidden", units)];
        let Some(Setup { config, .. }) = &self.setup else {
            return vec![hidden(LARGE_NETWORK)];
        };
        let slow = config.train.learning_rate <= 0.1 * usual_rate(&config.train);
        let strong_dropout =
            (0..config.model.hidden.len()).any(|i| config.model.dropout.get(i) >= 0.5);
        let twice = config.model.hidden.iter().map(|units| (2 * units).to_string());
        let larger = match config.model.hidden.iter().max() {
            Some(&widest) if widest >= 1024 => twice.collect::<Vec<_>>().join(","),
            _ => LARGE_NETWORK.to_owned(),
        };
        let candidates = [
            slow.then(|| vec![self.rate(10.0)]),
            strong_dropout.then(|| vec![Change::new("model.dropout", 0.2)]),
            Some(hidden(&larger)),
            Some(self.more_epochs()),
        ];
        candidates.into_iter().flatten().collect()
    }
}

/// Hidden layers of a large network.
const LARGE_NETWORK: &str = "1024,512,256";

/// The usual learning rate of an optimizer: its default. The default for SGD assumes a momentum of
/// 0.9, which makes steps ten times as long.
fn usual_rate(train: &TrainConfig) -> f64 {
    if train.optimizer == Optimizer::Sgd { 0.1 * (1.0 - train.momentum).max(0.01) } else { 0.001 }
}

/// Regularisation that the settings do not have yet, or have weaker.
fn against_memorising(config: Option<&Config>) -> Vec<Changes> {
    let dropout = |share: f64| vec![Change::new("model.dropout", share)];
    let Some(config) = config else { return vec![dropout(0.3)] };
    let rates = (0..config.model.hidden.len()).map(|i| config.model.dropout.get(i));
    let highest = rates.fold(0.0, f64::max);
    let decay = config.regularization.weight_decay;
    let stronger = if decay > 0.0 { 3.0 * decay } else { 0.05 };
    let half = config.model.hidden.iter().map(|units| units.div_ceil(2).to_string());
    let half = half.collect::<Vec<_>>().join(",");
    let candidates = [
        (highest < 0.3).then(|| dropout(0.3)),
        (decay < 0.05).then(|| vec![Change::new("regularization.weight_decay", 0.05)]),
        (highest < 0.5).then(|| dropout(0.5)),
        (stronger <= 1.0)
            .then(|| vec![Change::new("regularization.weight_decay", two_digits(stronger))]),
        (half != "1").then(|| vec![Change::new("model.hidden", half)]),
    ];
    candidates.into_iter().flatten().collect()
}

/// Keeps the changes that have an effect; none if there are none or the settings do not allow them.
fn effective(config: &Config, changes: Changes) -> Option<Changes> {
    let next = config.with(&changes).ok()?;
    let differs = |change: &Change| {
        let key = klubok_train::config::find(&change.key);
        key.is_some_and(|key| config.written(key) != next.written(key))
    };
    let changes: Changes = changes.into_iter().filter(differs).collect();
    (!changes.is_empty()).then_some(changes)
}

/// Gives each effect the remedy of its cause. A larger network does not help if something keeps the
/// network from learning, and only normalisation helps if the inputs have a wrong scale.
pub(super) fn advise_by_cause(verdicts: &mut [Verdict]) {
    let remedy = |name: VerdictName| {
        let verdict = verdicts.iter().find(|verdict| verdict.name == name)?;
        let (changes, more_samples) = (verdict.changes.clone(), verdict.more_samples);
        Some(Remedy { changes, more_samples })
    };
    let scale = remedy(VerdictName::InputNotNormalised);
    let cause = scale.clone().or_else(|| CAUSES.into_iter().find_map(remedy));
    for verdict in verdicts {
        let remedy = match verdict.name {
            VerdictName::UnderFitting => &cause,
            VerdictName::Diverging
            | VerdictName::ExplodingGradients
            | VerdictName::OscillatingLoss => &scale,
            name if CAUSES.contains(&name) => &scale,
            _ => &None,
        };
        remedy.iter().for_each(|remedy| verdict.advise(remedy.clone()));
    }
}

/// Gives all verdicts the learning rate of the first, which is the most severe: a run has one
/// learning rate.
pub(super) fn advise_one_rate(verdicts: &mut [Verdict]) {
    let is_valid_rate = |change: &&Change| change.key == "train.learning_rate";
    let Some(rate) = verdicts.iter().flat_map(|v| &v.changes).find(is_valid_rate).cloned() else {
        return;
    };
    for verdict in verdicts {
        let more_samples = verdict.more_samples;
        let one =
            |change: &Change| if is_valid_rate(&change) { rate.clone() } else { change.clone() };
        let changes: Vec<Change> = verdict.changes.iter().map(one).collect();
        verdict.advise(Remedy { changes, more_samples });
    }
}

/// Rounds to two significant digits: `0.0003`.
fn two_digits(number: f64) -> f64 {
    let scale = 10f64.powi(1 - number.log10().floor() as i32);
    if !scale.is_finite() || scale == 0.0 {
        return number;
    }
    let rounded = (number * scale).round() / scale;
    // The division may leave a tail of digits, which this format drops.
    format!("{rounded:.1e}").parse().unwrap_or(rounded)
}

#[cfg(test)]
mod tests {
    use klubok_train::{
        config::{ConfigBuilder, DataKind, Machine, Preset},
        event::Evidence,
    };

    use super::*;

    fn advice(tracker: &Tracker, name: VerdictName) -> String {
        tracker.verdict(name, 1.0, Evidence::new()).try_
    }

    #[test]
    fn underfitting_gets_the_remedy_of_its_cause_or_more_units() {
        let verdict = |name| Tracker::new(None).verdict(name, 1.0, Evidence::new());
        let mut alone = [verdict(VerdictName::UnderFitting)];
        advise_by_cause(&mut alone);
        assert_eq!(alone[0].try_, "--set model.hidden=1024,512,256");
        let names = [VerdictName::UnderFitting, VerdictName::DeadUnits, VerdictName::UpdateRatio];
        let mut verdicts = names.map(verdict);
        advise_by_cause(&mut verdicts);
        assert_eq!(verdicts[0].try_, verdicts[2].try_);
        assert_eq!(verdicts[1].try_, "--set model.activation=leaky_relu");
    }

    #[test]
    fn all_verdicts_advise_the_learning_rate_of_the_most_severe() {
        let verdict = |name, value| {
            let mut verdict = Tracker::new(None).verdict(name, 1.0, Evidence::new());
            verdict.advise(vec![Change::new("train.learning_rate", value)].into());
            verdict
        };
        let mut verdicts = [
            verdict(VerdictName::LearningRateTooHigh, 0.001),
            verdict(VerdictName::OscillatingLoss, 0.9),
        ];
        advise_one_rate(&mut verdicts);
        assert_eq!(verdicts[1].try_, "--set train.learning_rate=0.001");
        assert_eq!(verdicts[0].changes, verdicts[1].changes);
    }

    /// A tracker of a training with a preset and changed settings.
    fn set_up(preset: Preset, sets: &[&str], train: u64) -> Tracker {
        let mut builder = ConfigBuilder::new(preset, DataKind::Pictures);
        sets.iter().for_each(|set| builder.assign(set).unwrap());
        let config = builder.resolve(&Machine::plain(1)).unwrap().config;
        Tracker::new(None).with_setup(Setup { config, train_classes: vec![train, train] })
    }

    #[test]
    fn advice_always_changes_the_settings_or_ends() {
        let sets: [&[&str]; 7] = [
            &[],
            &["train.optimizer=sgd", "train.learning_rate=10"],
            &["train.learning_rate=1e-6", "train.clip_norm=1"],
            &["model.hidden=1024,512,256", "model.dropout=0.3,0.2,0.1"],
            &["model.hidden=[]", "model.activation=tanh"],
            &["model.batch_norm=false", "train.batch_size=1"],
            &["model.hidden=1", "regularization.label_smoothing=0.1", "model.init=zeros"],
        ];
        for preset in [Preset::Plain, Preset::Balanced, Preset::Article] {
            for (set, name) in sets.iter().flat_map(|set| VerdictName::ALL.map(|name| (set, name)))
            {
                let mut tracker = set_up(preset, set, 150);
                for _ in 0..8 {
                    let changes = tracker.remedy(name).changes;
                    let setup = tracker.setup.as_mut().unwrap();
                    let next = setup.config.with(&changes).unwrap();
                    assert!(changes.is_empty() || next != setup.config, "{name:?} {changes:?}");
                    setup.config = next;
                }
            }
        }
    }

    #[test]
    fn does_not_advise_current_settings() {
        let over = VerdictName::OverFitting;
        assert_eq!(advice(&set_up(Preset::Plain, &[], 900), over), "--set model.dropout=0.3");
        let balanced = set_up(Preset::Balanced, &[], 900);
        assert_eq!(advice(&balanced, over), "--set model.dropout=0.5");
        let clipped = set_up(Preset::Plain, &["train.clip_norm=1"], 900);
        assert_eq!(advice(&clipped, VerdictName::Diverging), "--set train.learning_rate=0.0001");
        let both = advice(&set_up(Preset::Plain, &[], 900), VerdictName::Diverging);
        assert_eq!(both, "--set train.clip_norm=1 --set train.learning_rate=0.0001");
        let large = set_up(Preset::Balanced, &[], 900);
        let more = "--set model.hidden=2048,1024,512";
        assert_eq!(advice(&large, VerdictName::UnderFitting), more);
    }

    #[test]
    fn advises_more_samples_against_memorising_few() {
        let more = |samples, name| set_up(Preset::Balanced, &[], samples).remedy(name).more_samples;
        assert!(more(120, VerdictName::OverFitting) && !more(500, VerdictName::OverFitting));
        assert!(!more(120, VerdictName::UnderFitting));
    }

    #[test]
    fn moves_a_learning_rate_towards_the_usual_one() {
        let rate = |set: &[&str], name| advice(&set_up(Preset::Plain, set, 900), name);
        let sgd = ["train.optimizer=sgd", "train.learning_rate=10"];
        let usual = "--set train.learning_rate=0.01";
        assert_eq!(rate(&sgd, VerdictName::LearningRateTooHigh), usual);
        let low = ["train.learning_rate=1e-5"];
        assert_eq!(rate(&low, VerdictName::LearningRateTooLow), "--set train.learning_rate=0.0001");
        // At a rate below the usual one, the network need not be too small.
        assert_eq!(rate(&low, VerdictName::UnderFitting), "--set train.learning_rate=0.0001");
    }

    #[test]
    fn rounds_to_two_digits() {
        assert_eq!(format!("{}", two_digits(0.003 * 0.1)), "0.0003");
        assert_eq!(format!("{}", two_digits(0.01 * 0.3)), "0.003");
        assert_eq!(format!("{}", two_digits(12.345)), "12");
    }
}
