//! What to try against what is wrong: settings, and the values to give them.
//!
//! Each verdict has a ladder of remedies, the best first. Where the settings of the training are
//! known, the first remedy counts that changes them and that they allow; where none does, none is
//! advised.

use klubok_train::{
    config::{Change, Config, Optimizer, TrainConfig},
    event::{Remedy, Verdict, VerdictName},
};

use super::{row::Row, setup::Setup, tracker::Tracker};

/// Where the learning rate is not known.
const SMALL_RATE: f64 = 1e-4;
/// Training samples of the smallest class below which more of them help more than any setting.
const FEW: u64 = 500;
/// What keeps a network from learning, the cause before its effect: large steps silence units, and
/// silent or saturated units let no gradient through.
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

/// Settings that are changed together.
type Rung = Vec<Change>;

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

    /// What to try.
    pub(super) fn remedy(&self, name: VerdictName) -> Remedy {
        let ladder = self.ladder(name);
        let Some(Setup { config, train_classes }) = &self.setup else {
            return ladder.into_iter().next().unwrap_or_default().into();
        };
        let changes = ladder.into_iter().find_map(|rung| changing(config, rung));
        let few = train_classes.iter().min().is_some_and(|&samples| samples < FEW);
        let memorises = [
            VerdictName::OverFitting,
            VerdictName::OverConfidence,
            VerdictName::LabelsLookShuffled,
        ]
        .contains(&name);
        let more_samples = memorises && few;
        Remedy { changes: changes.unwrap_or_default(), more_samples }
    }

    fn ladder(&self, name: VerdictName) -> Vec<Rung> {
        let config = self.setup.as_ref().map(|setup| &setup.config);
        let rate = |factor: f64| vec![self.rate(factor)];
        let one = |key, value: &str| vec![Change::new(key, value)];
        let batch_norm = || one("model.batch_norm", "true");
        // Far above what its update rule usually takes, the rate is the first suspect.
        let fast = config
            .is_some_and(|config| config.train.learning_rate >= 10.0 * usual_rate(&config.train));
        let slow =
            config.is_some_and(|config| config.train.learning_rate < usual_rate(&config.train));
        let slow_first = |rest: Vec<Rung>| match (fast, slow) {
            (true, _) => [vec![rate(0.1)], rest].concat(),
            (false, true) => rest,
            (false, false) => [rest, vec![rate(0.1)]].concat(),
        };
        match name {
            VerdictName::Diverging | VerdictName::ExplodingGradients => {
                let clip = one("train.clip_norm", "1");
                // Where the settings are known both are brought to where they do no harm.
                if config.is_some() { vec![[clip, rate(0.1)].concat()] } else { vec![clip] }
            }
            VerdictName::LearningRateTooHigh | VerdictName::LearningRateKillsNetwork => {
                vec![rate(0.1)]
            }
            VerdictName::LearningRateTooLow => {
                vec![rate(self.layers.rate_factor_of_crept().unwrap_or(1.0).max(10.0))]
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
                vec![penalties.map(|of| Change::new(&format!("regularization.{of}"), 0)).into()]
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
            // What is too sure of itself is mended by the model's temperature already, or where
            // that is not known by smoothed labels; the cause is the same.
            VerdictName::OverConfidence if config.is_none() => {
                vec![one("regularization.label_smoothing", "0.1")]
            }
            VerdictName::OverFitting | VerdictName::OverConfidence => against_memorising(config),
            VerdictName::UnderFitting => self.against_under_fitting(),
            VerdictName::SlowConvergence => vec![self.longer()],
            // No setting mends labels or a sample; what is found before training brings its own
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

    /// The learning rate times this. What is far above its usual value is brought there at once;
    /// what is below is not brought above it by more than a factor of ten, because steps grow
    /// faster than the rate where the gradient grows with what was learnt.
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

    fn longer(&self) -> Rung {
        let config = self.setup.as_ref().map(|setup| &setup.config);
        let now = config.map_or(self.last.round(), |config| config.train.epochs as f64);
        vec![Change::new("train.epochs", (2.0 * now).clamp(2.0, 1e9))]
    }

    /// A rate far below what its update rule usually takes is the first suspect, then what keeps
    /// the network from learning by heart, then its size.
    fn against_under_fitting(&self) -> Vec<Rung> {
        let hidden = |units: &str| vec![Change::new("model.hidden", units)];
        let Some(Setup { config, .. }) = &self.setup else {
            return vec![hidden(LARGE)];
        };
        let slow = config.train.learning_rate <= 0.1 * usual_rate(&config.train);
        let held = (0..config.model.hidden.len()).any(|i| config.model.dropout.get(i) >= 0.5);
        let twice = config.model.hidden.iter().map(|units| (2 * units).to_string());
        let larger = match config.model.hidden.iter().max() {
            Some(&widest) if widest >= 1024 => twice.collect::<Vec<_>>().join(","),
            _ => LARGE.to_owned(),
        };
        let rungs = [
            slow.then(|| vec![self.rate(10.0)]),
            held.then(|| vec![Change::new("model.dropout", 0.2)]),
            Some(hidden(&larger)),
            Some(self.longer()),
        ];
        rungs.into_iter().flatten().collect()
    }
}

/// Hidden layers of a network that is larger than most.
const LARGE: &str = "1024,512,256";

/// What an update rule usually takes: the default, which for plain descent counts on a momentum of
/// 0.9 that makes steps ten times as long.
fn usual_rate(train: &TrainConfig) -> f64 {
    if train.optimizer == Optimizer::Sgd { 0.1 * (1.0 - train.momentum).max(0.01) } else { 0.001 }
}

/// What keeps a network from memorising, if it is not there already or not as strong.
fn against_memorising(config: Option<&Config>) -> Vec<Rung> {
    let dropout = |share: f64| vec![Change::new("model.dropout", share)];
    let Some(config) = config else { return vec![dropout(0.3)] };
    let dropped = (0..config.model.hidden.len()).map(|i| config.model.dropout.get(i));
    let dropped = dropped.fold(0.0, f64::max);
    let decay = config.regularization.weight_decay;
    let stronger = if decay > 0.0 { 3.0 * decay } else { 0.05 };
    let half = config.model.hidden.iter().map(|units| units.div_ceil(2).to_string());
    let half = half.collect::<Vec<_>>().join(",");
    let rungs = [
        (dropped < 0.3).then(|| dropout(0.3)),
        (decay < 0.05).then(|| vec![Change::new("regularization.weight_decay", 0.05)]),
        (dropped < 0.5).then(|| dropout(0.5)),
        (stronger <= 1.0)
            .then(|| vec![Change::new("regularization.weight_decay", two_digits(stronger))]),
        (half != "1").then(|| vec![Change::new("model.hidden", half)]),
    ];
    rungs.into_iter().flatten().collect()
}

/// Those of these changes that change something, if the settings allow them.
fn changing(config: &Config, rung: Rung) -> Option<Rung> {
    let next = config.with(&rung).ok()?;
    let differs = |change: &Change| {
        let key = klubok_train::config::find(&change.key);
        key.is_some_and(|key| config.written(key) != next.written(key))
    };
    let changes: Rung = rung.into_iter().filter(differs).collect();
    (!changes.is_empty()).then_some(changes)
}

/// A larger network helps none that is kept from learning, and nothing but normalising helps one
/// whose inputs have a wrong scale: effects are cured with their cause.
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

/// A run has one learning rate: where verdicts advise several, that of the first counts, which is
/// the worst of them.
pub(super) fn advise_one_rate(verdicts: &mut [Verdict]) {
    let is_rate = |change: &&Change| change.key == "train.learning_rate";
    let Some(rate) = verdicts.iter().flat_map(|v| &v.changes).find(is_rate).cloned() else {
        return;
    };
    for verdict in verdicts {
        let more_samples = verdict.more_samples;
        let one = |change: &Change| if is_rate(&change) { rate.clone() } else { change.clone() };
        let changes: Vec<Change> = verdict.changes.iter().map(one).collect();
        verdict.advise(Remedy { changes, more_samples });
    }
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
    use klubok_train::{
        config::{ConfigBuilder, DataKind, Machine, Preset},
        event::Evidence,
    };

    use super::*;

    fn advice(tracker: &Tracker, name: VerdictName) -> String {
        tracker.verdict(name, 1.0, Evidence::new()).try_
    }

    #[test]
    fn under_fitting_is_cured_with_its_cause_and_else_with_more_units() {
        let of = |name| Tracker::new(None).verdict(name, 1.0, Evidence::new());
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
    fn one_learning_rate_is_advised_that_of_the_worst_verdict() {
        let of = |name, value| {
            let mut verdict = Tracker::new(None).verdict(name, 1.0, Evidence::new());
            verdict.advise(vec![Change::new("train.learning_rate", value)].into());
            verdict
        };
        let mut verdicts =
            [of(VerdictName::LearningRateTooHigh, 0.001), of(VerdictName::OscillatingLoss, 0.9)];
        advise_one_rate(&mut verdicts);
        assert_eq!(verdicts[1].try_, "--set train.learning_rate=0.001");
        assert_eq!(verdicts[0].changes, verdicts[1].changes);
    }

    /// A tracker of a training with these settings over a preset.
    fn set_up(preset: Preset, sets: &[&str], train: u64) -> Tracker {
        let mut layers = ConfigBuilder::new(preset, DataKind::Pictures);
        sets.iter().for_each(|set| layers.assign(set).unwrap());
        let config = layers.resolve(&Machine::plain(1)).unwrap().config;
        Tracker::new(None).with_setup(Setup { config, train_classes: vec![train, train] })
    }

    #[test]
    fn advice_changes_the_settings_however_often_it_is_followed() {
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
    fn what_is_set_already_is_not_advised() {
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
    fn few_samples_are_the_first_thing_to_change_against_memorising() {
        let more = |samples, name| set_up(Preset::Balanced, &[], samples).remedy(name).more_samples;
        assert!(more(120, VerdictName::OverFitting) && !more(500, VerdictName::OverFitting));
        assert!(!more(120, VerdictName::UnderFitting));
    }

    #[test]
    fn a_rate_far_from_the_usual_is_brought_there() {
        let rate = |set: &[&str], name| advice(&set_up(Preset::Plain, set, 900), name);
        let sgd = ["train.optimizer=sgd", "train.learning_rate=10"];
        let usual = "--set train.learning_rate=0.01";
        assert_eq!(rate(&sgd, VerdictName::LearningRateTooHigh), usual);
        let low = ["train.learning_rate=1e-5"];
        assert_eq!(rate(&low, VerdictName::LearningRateTooLow), "--set train.learning_rate=0.0001");
        // Below its usual rate a network is not too small for the data.
        assert_eq!(rate(&low, VerdictName::UnderFitting), "--set train.learning_rate=0.0001");
    }

    #[test]
    fn rates_are_short() {
        assert_eq!(format!("{}", two_digits(0.003 * 0.1)), "0.0003");
        assert_eq!(format!("{}", two_digits(0.01 * 0.3)), "0.003");
        assert_eq!(format!("{}", two_digits(12.345)), "12");
    }
}
