//! Verdicts on layers, for made-up metrics with known truth.

use klubok::{
    config::{ConfigBuilder, DataKind, Machine, Preset},
    diagnose::{history::Row, setup::Setup, tracker::Tracker},
    train::event::{LayerMetrics, Metrics, Severity, Verdict, VerdictName},
};

/// Validation samples of each class.
const CLASSES: [u64; 10] = [100; 10];

fn layer(name: &str) -> LayerMetrics {
    LayerMetrics {
        name: name.into(),
        grad_norm: Some(0.5),
        weight_norm: 10.0,
        update_ratio: Some(1e-3),
        active_fraction: Some(0.5),
        silent_fraction: Some(0.0),
        dead_fraction: Some(0.0),
        ..LayerMetrics::default()
    }
}

/// Metrics of a healthy training with ten classes and the layers `hidden1`, `hidden2`, `output`.
fn healthy(epoch: usize) -> Metrics {
    let loss = 0.2 + 2.1 * (-(epoch as f64) / 3.0).exp();
    let output = LayerMetrics {
        active_fraction: None,
        silent_fraction: None,
        dead_fraction: None,
        ..layer("output")
    };
    let trained = epoch > 0;
    Metrics {
        epoch: epoch as f64,
        step: 100 * epoch as u64,
        train_eval_loss: Some(loss),
        val_loss: Some(loss + 0.02),
        train_accuracy: Some(1.0 - 0.4 * loss),
        val_accuracy: Some(0.99 - 0.4 * loss),
        learning_rate: trained.then_some(0.01),
        grad_norm: trained.then_some(1.0),
        prediction_spread: Some(if trained { 0.3 } else { 0.0 }),
        layers: vec![layer("hidden1"), layer("hidden2"), output],
        ..Metrics::default()
    }
}

/// Metrics of a network at chance level.
fn at_chance(epoch: usize) -> Metrics {
    let loss = Some(10f64.ln());
    let accuracy = Some(0.1);
    Metrics {
        train_eval_loss: loss,
        val_loss: loss,
        train_accuracy: accuracy,
        val_accuracy: accuracy,
        ..healthy(epoch)
    }
}

fn tracker_of(lines: impl IntoIterator<Item = Metrics>) -> Tracker {
    let mut tracker = Tracker::new(Some(1000)).with_classes(&CLASSES);
    for line in lines {
        tracker.epoch(&Row::from(&line));
        tracker.layers(&line);
    }
    tracker
}

/// Returns the verdicts on ten epochs; `line` makes the metrics of an epoch.
fn verdicts(line: impl Fn(usize) -> Metrics) -> Vec<Verdict> {
    tracker_of((0..=10).map(line)).verdicts(true)
}

/// Returns the names of the verdicts on layers.
fn names(line: impl Fn(usize) -> Metrics) -> Vec<VerdictName> {
    let on_layers = |name: &VerdictName| *name >= VerdictName::DeadUnits;
    verdicts(line).iter().map(|verdict| verdict.name).filter(on_layers).collect()
}

#[track_caller]
fn the(name: VerdictName, line: impl Fn(usize) -> Metrics) -> Verdict {
    let all = verdicts(line);
    let found = all.iter().find(|verdict| verdict.name == name);
    found.unwrap_or_else(|| panic!("{name:?} is not among {all:?}")).clone()
}

/// Changes the layers of an epoch's metrics.
fn with(mut line: Metrics, change: impl Fn(&mut LayerMetrics)) -> Metrics {
    line.layers.iter_mut().for_each(change);
    line
}

fn is_hidden(layer: &LayerMetrics) -> bool {
    layer.name != "output"
}

#[test]
fn a_healthy_training_gets_no_verdict() {
    assert_eq!(names(healthy), []);
}

#[test]
fn growing_gradients_get_no_verdict_while_the_loss_decreases() {
    // Batch normalisation does this.
    let grows = |e: usize| {
        let times = 1.5f64.powi(2 * e as i32);
        let line = with(healthy(e), |layer| layer.grad_norm = layer.grad_norm.map(|g| g * times));
        Metrics { grad_norm: Some(times), ..line }
    };
    assert!(grows(10).grad_norm > Some(1000.0));
    assert_eq!(names(grows), []);
}

#[test]
fn a_zero_initialised_output_layer_gets_no_verdict() {
    // It passes back no gradient at first, and its first updates are large relative to it.
    let starts = |e: usize| {
        with(healthy(e), |layer| match (e, is_hidden(layer)) {
            (0, _) => (layer.grad_norm, layer.update_ratio) = (None, None),
            (1, true) => layer.grad_norm = Some(1e-6),
            (1..4, false) => layer.update_ratio = Some(0.8),
            _ => {}
        })
    };
    assert_eq!(names(starts), []);
}

#[test]
fn small_updates_during_warm_up_or_decay_get_no_verdict() {
    let warms_up = |e: usize| {
        let small = |layer: &mut LayerMetrics| layer.update_ratio = Some(1e-6 * e as f64);
        if e < 5 { with(at_chance(e), small) } else { healthy(e) }
    };
    assert_eq!(names(warms_up), []);
    let decays = |e: usize| {
        with(healthy(e), |layer| layer.update_ratio = Some(1e-3 * 0.1f64.powi(e as i32)))
    };
    assert_eq!(names(decays), []);
}

#[test]
fn dead_units_get_a_verdict_once_the_whole_training_set_shows_them() {
    // From epoch 3 on, 60 % of the units are silent on the sample. Epochs 4 and 10 check the whole
    // training set.
    let dying = |dead: f64| {
        move |e: usize| {
            with(healthy(e), |layer| {
                if layer.name == "hidden2" && e >= 3 {
                    layer.silent_fraction = Some(0.6);
                    layer.dead_fraction = [4, 10].contains(&e).then_some(dead);
                }
            })
        }
    };
    assert_eq!(names(dying(0.4)), [], "silent on the sample is not dead");
    let verdict = the(VerdictName::DeadUnits, dying(0.55));
    assert_eq!((verdict.since, verdict.evidence.len()), (3.0, 1));
    assert_eq!(verdict.evidence["hidden2"], 0.55);
    assert_eq!(verdict.try_, "--set model.activation=leaky_relu");
    // Raised in epoch 4; later epochs without a check do not withdraw it.
    let names: Vec<VerdictName> =
        tracker_of((0..=8).map(dying(0.55))).verdicts(true).iter().map(|v| v.name).collect();
    assert!(names.contains(&VerdictName::DeadUnits), "{names:?}");
    assert!(!verdict.source.is_empty());
}

#[test]
fn saturated_units_are_harmless_in_an_accurate_network() {
    let saturated = |from: usize, share: f64, accuracy: f64| {
        move |e: usize| {
            let mut line = with(healthy(e), |layer| {
                if is_hidden(layer) {
                    layer.saturated_fraction = Some(if e >= from { share } else { 0.05 });
                }
            });
            line.train_accuracy = Some(accuracy);
            line
        }
    };
    assert_eq!(names(saturated(3, 0.7, 0.6)), [], "as healthy tanh layers do");
    let of = |accuracy| {
        let verdict = the(VerdictName::SaturatedUnits, saturated(3, 0.95, accuracy));
        (verdict.since, verdict.severity)
    };
    assert_eq!(of(0.6), (3.0, Severity::Warning));
    assert_eq!(of(0.99), (3.0, Severity::Info));
    let verdict = the(VerdictName::SaturatedUnits, saturated(0, 0.7, 0.99));
    assert_eq!((verdict.since, verdict.evidence["hidden1"]), (1.0, 0.7));
}

#[test]
fn detects_vanishing_gradients() {
    let fades = |first: f64| {
        move |e: usize| {
            with(at_chance(e), |layer| {
                if layer.name == "hidden1" {
                    layer.grad_norm = Some(first);
                    layer.saturated_fraction = Some(0.0);
                }
            })
        }
    };
    assert_eq!(names(fades(0.01)), []);
    let verdict = the(VerdictName::VanishingGradients, fades(5e-5));
    assert!((verdict.evidence["hidden1"] - 1e-4).abs() < 1e-12, "{verdict:?}");
    assert_eq!(verdict.try_, "--set model.activation=relu");
    // Less is enough in a network with one prediction for all samples.
    let constant = |e| Metrics { prediction_spread: Some(1e-4), ..fades(0.01)(e) };
    assert!(names(constant).contains(&VerdictName::VanishingGradients));
}

#[test]
fn a_network_whose_weights_a_penalty_shrank_ignores_its_input() {
    let shrunk = |e: usize| {
        with(silent(1)(e), |layer| {
            layer.weight_norm *= if e == 0 { 1.0 } else { 0.01 };
            layer.update_ratio = Some(0.7);
        })
    };
    let verdict = the(VerdictName::PredictionsIgnoreInput, shrunk);
    assert!(verdict.try_.contains("--set regularization.l2=0"), "{verdict:?}");
    let names = names(shrunk);
    assert!(!names.contains(&VerdictName::UpdateRatio), "{names:?}");
    assert!(!names.contains(&VerdictName::LearningRateKillsNetwork), "{names:?}");
}

#[test]
fn detects_exploding_gradients_when_the_loss_does_not_decrease() {
    let explodes = |e: usize| Metrics {
        grad_norm: Some(if e < 5 { 1.0 } else { 100.0 }),
        train_eval_loss: Some(if e < 5 { 2.3 } else { 3.0 }),
        ..at_chance(e)
    };
    let verdict = the(VerdictName::ExplodingGradients, explodes);
    assert_eq!((verdict.since, verdict.evidence["times_first"]), (5.0, 100.0));
    assert_eq!(verdict.try_, "--set train.clip_norm=1");
}

#[test]
fn steps_show_gradients_that_exploded_within_the_first_epoch() {
    let mut tracker = tracker_of([healthy(0)]);
    for (epoch, norm) in [(0.01, 1.0), (0.02, 1e3), (0.04, 1e6)] {
        let loss = Some(2.3 * norm);
        let grad_norm = Some(norm);
        let line = Metrics { epoch, step: 1, train_eval_loss: loss, grad_norm, ..healthy(1) };
        tracker.step(&Row::from(&line));
        tracker.layers(&line);
    }
    tracker.diverged(0.05);
    let verdicts = tracker.verdicts(true);
    let exploding = verdicts.iter().find(|v| v.name == VerdictName::ExplodingGradients).unwrap();
    assert_eq!((exploding.since, exploding.evidence["times_first"]), (0.02, 1e6));
}

#[test]
fn the_verdict_on_too_large_or_too_small_updates_proposes_a_learning_rate() {
    let ratio = |ratio: f64| {
        move |e: usize| {
            with(at_chance(e), |layer| {
                if is_hidden(layer) {
                    layer.update_ratio = (e > 0).then_some(ratio);
                }
            })
        }
    };
    assert_eq!(names(ratio(0.05)), []);
    let large = the(VerdictName::UpdateRatio, ratio(0.5));
    assert_eq!((large.evidence["hidden2"], large.evidence["limit"]), (0.5, 0.05));
    assert_eq!(large.try_, "--set train.learning_rate=0.00001");
    let small = the(VerdictName::UpdateRatio, ratio(1e-6));
    assert_eq!((small.evidence["hidden2"], small.evidence["limit"]), (1e-6, 1e-5));
    assert_eq!(small.try_, "--set train.learning_rate=10");
    // The output layer alone raises no verdict.
    let output = |e: usize| {
        with(at_chance(e), |layer| {
            if !is_hidden(layer) {
                layer.update_ratio = Some(2.0);
            }
        })
    };
    assert_eq!(names(output), []);
}

/// Metrics of a network whose layer `hidden2` is silent from epoch `from` on: all samples get the
/// same prediction.
fn silent(from: usize) -> impl Fn(usize) -> Metrics {
    move |e| {
        let line = Metrics { prediction_spread: Some(0.0), ..at_chance(e) };
        with(line, |layer| {
            if layer.name == "hidden2" && e >= from {
                (layer.active_fraction, layer.silent_fraction) = (Some(0.0), Some(1.0));
                (layer.dead_fraction, layer.grad_norm) = (Some(1.0), Some(0.0));
            }
        })
    }
}

#[test]
fn the_learning_rate_killed_a_layer_that_was_alive_before() {
    let verdict = the(VerdictName::LearningRateKillsNetwork, silent(2));
    assert_eq!((verdict.since, verdict.evidence["hidden2"]), (2.0, 0.0));
    assert!((verdict.evidence["loss_now"] - 10f64.ln()).abs() < 1e-12);
    assert_eq!(verdict.try_, "--set train.learning_rate=0.001");
    // Constant predictions follow from it and get no verdict of their own.
    let both = [VerdictName::LearningRateKillsNetwork, VerdictName::DeadUnits];
    assert_eq!(names(silent(2)), both);
}

#[test]
fn a_network_that_was_never_alive_ignores_its_input() {
    let zeros = |e: usize| with(silent(0)(e), |layer| layer.weight_norm = 0.0);
    let verdict = the(VerdictName::PredictionsIgnoreInput, zeros);
    assert_eq!((verdict.since, verdict.evidence["prediction_spread"]), (1.0, 0.0));
    assert_eq!(verdict.try_, "--set model.init=he");
    assert!(!names(zeros).contains(&VerdictName::LearningRateKillsNetwork));
}

#[test]
fn a_network_that_starts_learning_slowly_does_not_ignore_its_input() {
    let slow = |e: usize| Metrics {
        prediction_spread: Some(1e-4 * 1.5f64.powi(e as i32)),
        ..at_chance(e)
    };
    assert_eq!(names(slow), []);
}

#[test]
fn predictions_that_distinguish_samples_do_not_ignore_the_input() {
    let of = |accuracy: f64| {
        names(move |e: usize| {
            let (spread, accuracy) = (Some(1e-4), Some(accuracy));
            Metrics { prediction_spread: spread, train_accuracy: accuracy, ..at_chance(e) }
        })
    };
    assert_eq!(of(0.12), [VerdictName::PredictionsIgnoreInput]);
    assert_eq!(of(0.65), [], "even with similar confidences");
}

#[test]
fn small_progress_in_few_steps_does_not_mean_a_low_learning_rate() {
    let of = |steps: u64, loss: f64| {
        verdicts(move |e: usize| {
            let line = Metrics { step: steps * e as u64, ..at_chance(e) };
            let line = Metrics { train_eval_loss: Some(loss).filter(|_| e > 0), ..line };
            let line = if e == 0 { at_chance(0) } else { line };
            with(line, |layer| layer.update_ratio = (e > 0).then_some(5e-5))
        })
    };
    let low = of(100, 2.29);
    assert_eq!(low.iter().map(|v| v.name).collect::<Vec<_>>(), [VerdictName::LearningRateTooLow]);
    assert_eq!(low[0].evidence["loss_now"], 2.29);
    assert_eq!(of(2, 2.29), [], "20 steps in all");
}

/// Metrics of a network that memorises its training samples; `val` gives the validation loss and
/// accuracy.
fn memorising(val: impl Fn(usize) -> (f64, f64)) -> impl Fn(usize) -> Metrics {
    move |e| {
        let (val_loss, val_accuracy) = val(e);
        let (val_loss, val_accuracy) = (Some(val_loss), Some(val_accuracy));
        Metrics { val_loss, val_accuracy, ..healthy(e) }
    }
}

#[test]
fn learning_without_any_generalisation_looks_like_shuffled_labels() {
    let verdict =
        the(VerdictName::LabelsLookShuffled, memorising(|e| (2.31 + 0.1 * e as f64, 0.105)));
    // The training loss is below 90 % of ln 10 from epoch 1 on: 0.2 + 2.1 exp(-1/3) = 1.7.
    assert_eq!((verdict.since, verdict.evidence["chance"]), (1.0, 0.1));
    assert_eq!(verdict.evidence["val_samples"], 1000.0);
    // Overfitting after useful learning: the loss decreased first.
    let over_fits = |e: usize| (if e < 2 { 2.0 } else { 2.0 + 0.1 * e as f64 }, 0.4);
    assert_eq!(names(memorising(over_fits)), []);
    // A little above chance level, and significantly so.
    assert_eq!(names(memorising(|e| (2.31 + 0.1 * e as f64, 0.15))), []);
    // Half of the predictions are right, however confident the others are.
    assert_eq!(names(memorising(|e| (2.31 + 0.3 * e as f64, 0.5))), []);
}

#[test]
fn too_few_validation_samples_to_call_labels_shuffled() {
    let lines = || (0..=10).map(memorising(|e| (2.31 + 0.1 * e as f64, 0.1)));
    let of = |classes: &[u64]| {
        let mut tracker = Tracker::new(Some(classes.iter().sum())).with_classes(classes);
        lines().for_each(|line| tracker.layers(&line));
        tracker.verdicts(true).len()
    };
    assert_eq!((of(&[100; 10]), of(&[1; 10]), of(&[])), (1, 0, 0));
    // A small training set explains it as well.
    let config = ConfigBuilder::new(Preset::Plain, DataKind::Points).resolve(&Machine::plain(1));
    let severity = |train: u64| {
        let train_classes = vec![train; 10];
        let setup = Setup { config: config.as_ref().unwrap().config.clone(), train_classes };
        let mut tracker = Tracker::new(Some(1000)).with_classes(&CLASSES).with_setup(setup);
        lines().for_each(|line| tracker.layers(&line));
        tracker.verdicts(true)[0].severity
    };
    assert_eq!((severity(2000), severity(60)), (Severity::Error, Severity::Warning));
}
