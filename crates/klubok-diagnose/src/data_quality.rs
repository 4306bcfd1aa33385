//! Verdicts on the data itself, before any training.
//!
//! Rules and their sources: class imbalance, Google's machine learning crash course, "imbalanced
//! datasets"; copies across parts and contradicting labels, Barz and Denzler 2020 and Northcutt et
//! al. 2021, who count them in public data sets; constant inputs and inputs that are not
//! normalised, `TheDeepChecker` (Ben Braiek and Khomh 2022) and UMLAUT (Schoop et al. 2021), which
//! check for both before training.
//!
//! A training adds these verdicts at its start (`Tracker::add_data_verdicts`), because no metric
//! shows them later.

use std::ops::RangeInclusive;

use klubok_data::{
    settings::TargetKind,
    survey::{Inputs, Survey},
};
use klubok_train::{
    config::{Change, ClassWeights, Config},
    event::{Severity, Verdict, VerdictName},
};

use super::{evidence::evidence, meaning};

/// Classes are imbalanced if the smallest has less than this share of an even split. With two
/// classes that is a minority of 20 %, where Google's course begins to call the imbalance moderate.
const IMBALANCED_SHARE: f64 = 0.4;
/// Share of nearly constant input values that earns a warning: too few others are left to learn
/// from.
const NEARLY_CONSTANT_SHARE: f64 = 0.5;
/// Share of constant input values that earns a note. `TheDeepChecker` notes every one, but pictures
/// of a centred object have some in their corners.
const CONSTANT_SHARE: f64 = 0.25;
/// Share of copied or contradicting samples that earns a warning, because it biases the metrics; a
/// smaller one earns a note. Northcutt et al. 2021 find 3.3 % wrong labels in public test sets, and
/// that these change the ranking of models.
const WARNING_SHARE: f64 = 0.01;
/// Root mean square of inputs that networks learn well from; it is 1 after normalisation. `LeCun`
/// et al. 1998, "Efficient `BackProp`", ask for about 1. Pixels of 0 to 255 have about 140, pixels
/// of 0 to 1 about 0.6.
const GOOD_SCALE: RangeInclusive<f64> = 0.01..=5.0;

/// The names of all verdicts that [`verdicts`] can raise.
pub const NAMES: [VerdictName; 5] = [
    VerdictName::ClassImbalance,
    VerdictName::ConstantInputs,
    VerdictName::DuplicatesAcrossParts,
    VerdictName::ContradictingLabels,
    VerdictName::InputNotNormalised,
];

/// Builds a verdict that holds from epoch 0, with named evidence.
pub fn verdict_at_start(
    name: VerdictName,
    numbers: &[(&str, f64)],
    changes: Vec<Change>,
) -> Verdict {
    meaning::verdict(name, 0.0, evidence(numbers), changes.into())
}

/// Checks the data against the settings of a training; the most severe verdict comes first.
pub fn verdicts(survey: &Survey, config: &Config) -> Vec<Verdict> {
    let mut verdicts: Vec<Verdict> = [
        class_imbalance(survey, config),
        constant_inputs(survey.inputs),
        duplicates_across_parts(survey),
        contradicting_labels(survey),
        input_not_normalised(survey.inputs, config),
    ]
    .into_iter()
    .flatten()
    .collect();
    verdicts.sort_by_key(|verdict| std::cmp::Reverse(verdict.severity));
    verdicts
}

fn class_imbalance(survey: &Survey, config: &Config) -> Option<Verdict> {
    let counts = survey.classes.iter().map(|class| class.train);
    let (least, most) = (counts.clone().min()?, counts.max()?);
    let even = survey.samples.train as f64 / survey.classes.len() as f64;
    let imbalanced = (least as f64) < IMBALANCED_SHARE * even;
    let weighted =
        survey.target != TargetKind::Class || config.train.class_weights != ClassWeights::None;
    (imbalanced && !weighted).then(|| {
        let numbers = [
            ("smallest_class", least as f64),
            ("largest_class", most as f64),
            ("share_of_even", least as f64 / even),
        ];
        let weights = Change::new("train.class_weights", "balanced");
        verdict_at_start(VerdictName::ClassImbalance, &numbers, vec![weights])
    })
}

fn constant_inputs(inputs: Inputs) -> Option<Verdict> {
    let share = |count: usize| count as f64 / inputs.values.max(1) as f64;
    let (constant, nearly) = (share(inputs.constant), share(inputs.nearly_constant));
    (constant >= CONSTANT_SHARE || nearly >= NEARLY_CONSTANT_SHARE).then(|| {
        let numbers = [
            ("inputs", inputs.values as f64),
            ("constant", inputs.constant as f64),
            ("nearly_constant", inputs.nearly_constant as f64),
            ("share", nearly),
        ];
        let verdict = verdict_at_start(VerdictName::ConstantInputs, &numbers, Vec::new());
        let is_note = nearly < NEARLY_CONSTANT_SHARE;
        let severity = if is_note { Severity::Info } else { verdict.severity };
        Verdict { severity, ..verdict }
    })
}

fn duplicates_across_parts(survey: &Survey) -> Option<Verdict> {
    let (copies, samples) = (survey.copies.in_train, survey.samples);
    let share = |copies: usize, of: usize| copies as f64 / of.max(1) as f64;
    let (val, test) = (share(copies.val, samples.val), share(copies.test, samples.test));
    (copies.total() > 0).then(|| {
        let numbers = [
            ("val_in_train", copies.val as f64),
            ("val_share", val),
            ("test_in_train", copies.test as f64),
            ("test_share", test),
        ];
        let verdict = verdict_at_start(VerdictName::DuplicatesAcrossParts, &numbers, Vec::new());
        with_severity_by_share(verdict, val.max(test))
    })
}

fn contradicting_labels(survey: &Survey) -> Option<Verdict> {
    let samples = survey.copies.contradicting as f64;
    let share = samples / survey.samples.total().max(1) as f64;
    (samples > 0.0).then(|| {
        let numbers = [("samples", samples), ("share", share)];
        let verdict = verdict_at_start(VerdictName::ContradictingLabels, &numbers, Vec::new());
        with_severity_by_share(verdict, share)
    })
}

/// Makes the verdict a note if it concerns few samples.
fn with_severity_by_share(verdict: Verdict, share: f64) -> Verdict {
    let severity = if share < WARNING_SHARE { Severity::Info } else { verdict.severity };
    Verdict { severity, ..verdict }
}

fn input_not_normalised(inputs: Inputs, config: &Config) -> Option<Verdict> {
    let scale = inputs.mean.hypot(inputs.std);
    (!GOOD_SCALE.contains(&scale) && !config.data.normalize && inputs.constant < inputs.values)
        .then(|| {
            let numbers =
                [("input_mean", inputs.mean), ("input_std", inputs.std), ("input_scale", scale)];
            let normalize = Change::new("data.normalize", true);
            verdict_at_start(VerdictName::InputNotNormalised, &numbers, vec![normalize])
        })
}

#[cfg(test)]
mod tests {
    use klubok_data::{
        ClassCount,
        survey::{Copies, Counts},
    };
    use klubok_train::config::{ConfigBuilder, DataKind, Machine, Preset};

    use super::*;

    fn config(set: &str) -> Config {
        let mut builder = ConfigBuilder::new(Preset::Plain, DataKind::Pictures);
        builder.assign(set).unwrap();
        builder.resolve(&Machine::plain(1)).unwrap().config
    }

    /// 1,000 samples in two balanced classes, without faults.
    fn healthy() -> Survey {
        let class = |name: &str| ClassCount { class: name.into(), train: 400, val: 100, test: 0 };
        Survey {
            target: TargetKind::Class,
            samples: Counts { train: 800, val: 200, test: 0 },
            classes: vec![class("a"), class("b")],
            unreadable: 0,
            copies: Copies::default(),
            inputs: Inputs {
                values: 100,
                looked_at: 800,
                mean: 120.0,
                std: 50.0,
                ..Inputs::default()
            },
        }
    }

    fn found(survey: &Survey, set: &str) -> Vec<(VerdictName, Severity)> {
        verdicts(survey, &config(set)).into_iter().map(|v| (v.name, v.severity)).collect()
    }

    #[test]
    fn healthy_data_has_no_verdict() {
        assert_eq!(found(&healthy(), "train.seed=1"), []);
    }

    #[test]
    fn names_lists_all_verdicts() {
        let mut survey = healthy();
        survey.classes[0].train = 10;
        survey.inputs.nearly_constant = 90;
        survey.copies.in_train.val = 100;
        survey.copies.contradicting = 100;
        let found = found(&survey, "data.normalize=false");
        assert_eq!(found.into_iter().map(|(name, _)| name).collect::<Vec<_>>(), NAMES);
    }

    #[test]
    fn classes_are_imbalanced_below_a_minority_of_a_fifth() {
        let mut survey = healthy();
        (survey.classes[0].train, survey.classes[1].train) = (159, 641);
        let imbalanced = [(VerdictName::ClassImbalance, Severity::Warning)];
        assert_eq!(found(&survey, "train.seed=1"), imbalanced);
        assert_eq!(found(&survey, "train.class_weights=balanced"), []);
        (survey.classes[0].train, survey.classes[1].train) = (160, 640);
        assert_eq!(found(&survey, "train.seed=1"), []);
    }

    #[test]
    fn copies_are_a_note_below_one_percent_and_a_warning_above() {
        let mut survey = healthy();
        survey.copies.in_train.val = 1;
        survey.copies.contradicting = 9;
        assert_eq!(
            found(&survey, "train.seed=1"),
            [
                (VerdictName::DuplicatesAcrossParts, Severity::Info),
                (VerdictName::ContradictingLabels, Severity::Info)
            ]
        );
        survey.copies.in_train.val = 2;
        survey.copies.contradicting = 10;
        let found = found(&survey, "train.seed=1");
        assert!(found.iter().all(|(_, severity)| *severity == Severity::Warning), "{found:?}");
    }

    #[test]
    fn constant_inputs_are_a_note_from_a_quarter_and_a_warning_from_a_half() {
        let mut survey = healthy();
        survey.inputs.nearly_constant = 49;
        survey.inputs.constant = 24;
        assert_eq!(found(&survey, "train.seed=1"), []);
        survey.inputs.constant = 25;
        let note = [(VerdictName::ConstantInputs, Severity::Info)];
        assert_eq!(found(&survey, "train.seed=1"), note);
        survey.inputs.nearly_constant = 50;
        let constant = [(VerdictName::ConstantInputs, Severity::Warning)];
        assert_eq!(found(&survey, "train.seed=1"), constant);
    }

    #[test]
    fn inputs_that_are_not_normalised_are_found_by_their_scale() {
        let of = |mean, std| {
            let mut survey = healthy();
            (survey.inputs.mean, survey.inputs.std) = (mean, std);
            found(&survey, "data.normalize=false")
        };
        let scale = [(VerdictName::InputNotNormalised, Severity::Warning)];
        assert_eq!(of(120.0, 50.0), scale);
        assert_eq!(of(0.0, 1e-3), scale);
        assert_eq!(of(0.5, 0.3), []);
        let verdict = &verdicts(&healthy(), &config("data.normalize=false"))[0];
        assert_eq!((verdict.evidence["input_scale"], verdict.since), (130.0, 0.0));
    }
}
