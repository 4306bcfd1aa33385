//! Checks before training: on data and networks with one planted fault each, and on sound ones.

use std::sync::Arc;

use klubok::{
    check::{
        Experiment, Findings, Lab, baselines, check, gradient_check::GradientCheck,
        initial_loss::InitialLoss, noise_scale::NoiseScale, one_batch::OneBatch,
        permutation_test::PermutationTest, range_test::RangeTest, steps::Steps,
    },
    config::{Color, Config, ConfigBuilder, DataKind, Machine, Preset},
    cpu::CpuBackend,
    data::{Dataset, Targets, builtin::BuiltIn, survey::Survey},
    diagnose::data_quality,
    rng::{Purpose, Stream},
    train::event::{Severity, VerdictName},
};

use crate::blobs;

fn config(preset: Preset, kind: DataKind, sets: &[&str]) -> Config {
    let mut builder = ConfigBuilder::new(preset, kind);
    for set in sets {
        builder.assign(set).unwrap();
    }
    builder.resolve(&Machine::plain(1)).unwrap().config
}

fn plain(sets: &[&str]) -> Config {
    config(Preset::Plain, DataKind::Points, sets)
}

fn with<T>(config: &Config, data: &Dataset, measure: impl FnOnce(&Lab<'_>) -> T) -> T {
    let backend = CpuBackend::new(1);
    measure(&Lab::new(config, data, &backend).unwrap())
}

/// Runs all experiments, and checks that each reports its start in order.
fn found(config: &Config, data: &Dataset) -> Findings {
    with(config, data, |lab| {
        let mut steps = Steps::new(lab).unwrap();
        for _ in 0..steps.count_to_time(lab) {
            steps.step().unwrap();
        }
        let mut started = Vec::new();
        let findings = check(lab, &mut steps, &mut |experiment| started.push(experiment)).unwrap();
        assert_eq!(started, Experiment::ALL);
        findings
    })
}

fn names(findings: &Findings) -> Vec<VerdictName> {
    findings.verdicts.iter().map(|verdict| verdict.name).collect()
}

/// Shuffles the labels of all sets of the data.
fn shuffled(data: &Dataset) -> Dataset {
    let mut data = data.clone();
    let mut classes = data.targets.classes().unwrap().to_vec();
    Stream::new(5, Purpose::Demo, 0, 0).shuffle(&mut classes);
    data.targets = Targets::Classes(classes);
    relabelled(data)
}

/// Rebuilds the rows with the classes of the targets.
fn relabelled(mut data: Dataset) -> Dataset {
    use klubok::rows::{Field, MemoryRows};
    let width = data.rows.fields()[Field::X.0].width;
    let rows: Vec<u32> = (0..data.rows.len() as u32).collect();
    let mut bytes = vec![0; data.rows.fields()[Field::X.0].bytes() * rows.len()];
    data.rows.gather(Field::X, &rows, &mut bytes).unwrap();
    let classes = data.targets.classes().unwrap();
    data.rows = Arc::new(if bytes.len() == width * rows.len() {
        MemoryRows::pictures(bytes, width, classes)
    } else {
        let x: Vec<f32> = bytes.as_chunks().0.iter().map(|b| f32::from_ne_bytes(*b)).collect();
        MemoryRows::numbers(&x, width, classes)
    });
    data
}

fn labels_test(data: &Dataset) -> PermutationTest {
    with(&plain(&["model.hidden=8"]), data, |lab| {
        let (_, confidences) = baselines::baselines(lab).unwrap();
        PermutationTest::run(lab, &confidences).unwrap()
    })
}

#[test]
fn sound_data_and_a_sound_network_have_no_verdict() {
    let findings =
        found(&plain(&["model.hidden=32,32", "train.learning_rate=0.01"]), &blobs::data(600, 300));
    assert_eq!(names(&findings), []);
    assert!(findings.one_batch.learnt && findings.gradient_check.passed, "{findings:?}");
    assert!((findings.initial_loss.loss - 3f64.ln()).abs() < 1e-6);
    // Three blobs two deviations from the middle: a linear model separates them far above chance.
    let baselines = findings.baselines;
    assert!((baselines.priors.accuracy.unwrap() - 1.0 / 3.0).abs() < 1e-9, "{baselines:?}");
    assert!(baselines.linear.accuracy > Some(0.85), "{baselines:?}");
    assert!(findings.learning_rate.proposed.is_some_and(|rate| (1e-4..0.1).contains(&rate)));
    assert!(findings.gradient_noise.unwrap().noise_scale.is_some_and(|scale| scale > 1.0));
    // 2 inputs: 3 · 32 + 33 · 32 + 33 · 3.
    assert_eq!(findings.network.parameters, 96 + 1056 + 99);
}

#[test]
fn a_check_is_reproducible() {
    let (config, data) = (plain(&["model.hidden=8"]), blobs::data(120, 60));
    assert_eq!(found(&config, &data), found(&config, &data));
}

#[test]
fn detects_shuffled_labels_and_accepts_real_ones() {
    for data in [
        BuiltIn::Spirals.open(Color::Grey, 1).unwrap(),
        BuiltIn::CatsDogsSmall.open(Color::Grey, 1).unwrap(),
        blobs::data(600, 300),
    ] {
        let real = labels_test(&data);
        assert!(real.largest_z() > 5.0, "{real:?}");
        let random = labels_test(&shuffled(&data));
        assert!(random.largest_z() < 2.7, "{random:?}");
        let [agree, chance] =
            [random.neighbours_agree, random.neighbours_by_chance].map(Option::unwrap);
        assert!((agree - chance).abs() < 0.1, "{random:?}");
    }
    let findings = found(&plain(&["model.hidden=8"]), &shuffled(&blobs::data(600, 300)));
    assert_eq!(findings.verdicts[0].name, VerdictName::LabelsLookShuffled);
    assert_eq!(findings.verdicts[0].severity, Severity::Error);
}

#[test]
fn few_validation_samples_are_not_enough_to_call_labels_shuffled() {
    let findings = found(&plain(&["model.hidden=8"]), &shuffled(&blobs::data(120, 60)));
    assert!(!names(&findings).contains(&VerdictName::LabelsLookShuffled), "{findings:?}");
}

#[test]
fn counts_planted_copies_exactly() {
    let mut data = blobs::data(90, 30);
    // Three validation samples and one training sample become copies of training samples.
    for (row, of) in [(90, 0), (91, 1), (92, 2), (7, 6)] {
        data.hashes[row] = data.hashes[of];
    }
    let copies = Survey::of(&data).unwrap().copies;
    assert_eq!((copies.in_train.val, copies.within.train), (3, 1));
    // Classes alternate: 90 and 0, 91 and 1, 92 and 2 share a class; 7 and 6 do not.
    assert_eq!(copies.contradicting, 2);
    let verdicts = data_quality::verdicts(&Survey::of(&data).unwrap(), &plain(&[]));
    let names: Vec<VerdictName> = verdicts.iter().map(|verdict| verdict.name).collect();
    assert_eq!(names, [VerdictName::DuplicatesAcrossParts, VerdictName::ContradictingLabels]);
}

#[test]
fn distinguishes_a_network_that_is_too_small_from_one_that_cannot_learn() {
    let data = BuiltIn::Spirals.open(Color::Grey, 1).unwrap();
    let batch = |sets: &[&str]| with(&plain(sets), &data, |lab| OneBatch::run(lab).unwrap());
    let small = batch(&["model.hidden=1"]);
    assert_eq!((small.learnt, small.wide_copy_learnt), (false, Some(true)), "{small:?}");
    assert_eq!(small.samples, 32);
    let enough = batch(&["model.hidden=64,64"]);
    assert_eq!((enough.learnt, enough.wide_copy_learnt), (true, None), "{enough:?}");
    let zeros = batch(&["model.hidden=64,64", "model.init=zeros"]);
    assert_eq!((zeros.learnt, zeros.wide_copy_learnt), (false, Some(false)), "{zeros:?}");
    let findings = found(&plain(&["model.hidden=1"]), &data);
    assert!(names(&findings).contains(&VerdictName::NetworkTooSmall), "{findings:?}");
    let findings = found(&plain(&["model.hidden=8", "model.init=zeros"]), &data);
    assert!(names(&findings).contains(&VerdictName::UnderFitting), "{findings:?}");
}

#[test]
fn detects_a_harmful_bottleneck_layer() {
    // Three blobs on a circle: one unit projects them onto a line, where they lie close.
    let data = blobs::data(900, 600);
    let of = |sets: &[&str]| with(&plain(sets), &data, |lab| baselines::baselines(lab).unwrap().0);
    let narrow = of(&["model.hidden=1"]);
    let network = narrow.narrow_network.unwrap();
    let [own, linear] = [network, narrow.linear].map(|of| of.accuracy_interval.unwrap());
    assert!(own[1] < linear[0], "{narrow:?}");
    assert_eq!(of(&["model.hidden=32,3"]).narrow_network, None);
}

#[test]
fn gradients_are_correct_with_all_features_on() {
    let sets = [
        "model.batch_norm=true",
        "model.dropout=0.3",
        "model.activation=gelu,relu",
        "regularization.l1=0.001",
        "regularization.l2=0.01",
        "regularization.label_smoothing=0.1",
        "train.class_weights=balanced",
    ];
    for data in [blobs::data(60, 21), BuiltIn::CatsDogsSmall.open(Color::Grey, 1).unwrap()] {
        let checked = with(&plain(&sets), &data, |lab| GradientCheck::run(lab).unwrap());
        assert!(checked.passed && checked.elements > 20, "{checked:?}");
        assert!(checked.worst < 1e-6 && checked.device_worst < 1e-4, "{checked:?}");
    }
}

#[test]
fn unnormalised_pixels_get_a_verdict() {
    let data = BuiltIn::CatsDogsSmall.open(Color::Grey, 1).unwrap();
    let sets = ["data.normalize=false", "model.hidden=16", "model.output_init=he"];
    let config = config(Preset::Plain, DataKind::Pictures, &sets);
    let verdicts = data_quality::verdicts(&Survey::of(&data).unwrap(), &config);
    let scale: Vec<_> = verdicts.iter().map(|v| (v.name, v.try_.as_str())).collect();
    assert_eq!(scale, [(VerdictName::InputNotNormalised, "--set data.normalize=true")]);
    // Large inputs make large logits: the initial loss is far above ln 2.
    let start = with(&config, &data, |lab| InitialLoss::measure(lab).unwrap());
    assert!(start.loss > 5.0 && (start.expected - 2f64.ln()).abs() < 1e-12, "{start:?}");
}

#[test]
fn a_learning_rate_above_the_explosion_is_too_high() {
    let data = blobs::data(600, 300);
    let sets = ["model.hidden=32", "train.optimizer=sgd", "train.learning_rate=50"];
    let test = with(&plain(&sets), &data, |lab| RangeTest::run(lab).unwrap());
    assert!(test.proposed.is_some_and(|rate| (1e-3..1.0).contains(&rate)), "{test:?}");
    assert!(test.lowest_loss < 0.6 * test.first_loss, "{test:?}");
    assert_eq!(test.learns, Some(false));
    assert_eq!(test.verdict().map(|v| v.name), Some(VerdictName::LearningRateTooHigh));
}

#[test]
fn a_short_training_tests_the_rate_only_when_the_loss_exploded_below_it() {
    let data = blobs::data(600, 300);
    let tried = |data: &Dataset, rate: &str| {
        let sets = ["model.hidden=32", "train.epochs=20", rate];
        with(&plain(&sets), data, |lab| RangeTest::run(lab).unwrap())
    };
    let low = tried(&data, "train.learning_rate=0.001");
    assert_eq!((low.learns, low.verdict()), (None, None), "{low:?}");
    // An explosion at a far lower rate: a short training decides.
    let try_out = |data: &Dataset| {
        let sets = ["model.hidden=32", "train.epochs=20", "train.learning_rate=0.003"];
        let mut test = RangeTest { exploded_at: Some(1e-6), proposed: None, ..low.clone() };
        with(&plain(&sets), data, |lab| test.try_out(lab).unwrap());
        (test.configured, test.learns)
    };
    assert_eq!(try_out(&data), (0.003, Some(true)));
    assert_eq!(try_out(&shuffled(&data)), (0.003, Some(false)));
    // Without anything to learn, nothing can explode.
    let random = tried(&shuffled(&data), "train.learning_rate=0.001");
    assert_eq!(random.learns, None, "{random:?}");
}

#[test]
fn the_noise_scale_increases_with_label_noise() {
    let scale = |data: &Dataset| {
        with(&plain(&["model.hidden=16"]), data, |lab| {
            let mut steps = Steps::new(lab).unwrap();
            (0..10).for_each(|_| steps.step().unwrap());
            NoiseScale::measure(lab, &mut steps).unwrap().unwrap()
        })
    };
    let sound = scale(&blobs::data(3000, 30));
    assert!(sound.batches.len() == 4 && sound.noise_scale.is_some_and(|s| s < 100.0), "{sound:?}");
    let mut last = 1.0;
    for spread in &sound.batches {
        assert!(spread.noise_share < last, "a larger batch has a smaller noise share: {sound:?}");
        last = spread.noise_share;
    }
    let random = scale(&shuffled(&blobs::data(3000, 30)));
    assert!(random.noise_scale.is_none_or(|scale| scale > 300.0), "{random:?}");
}
