//! Verdicts on layers: figures whose truth is known because they are made here.

use klubok::{
    config::{ConfigBuilder, DataKind, Machine, Preset},
    diagnose::{history::Row, setup::Setup, tracker::Tracker},
    train::event::{LayerMetrics, Metrics, Severity, Verdict, VerdictName},
};

/// Balanced classes, 100 validation samples each.
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

/// A line of a healthy training of ten classes: `hidden1`, `hidden2`, `output`.
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

/// A line of a network that only guesses.
fn guessing(epoch: usize) -> Metrics {
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

fn told(lines: impl IntoIterator<Item = Metrics>) -> Tracker {
    let mut tracker = Tracker::new(Some(1000)).with_classes(&CLASSES);
    for line in lines {
        tracker.epoch(&Row::from(&line));
        tracker.layers(&line);
    }
    tracker
}

/// What is said of ten epochs made by `line` from its number.
fn verdicts(line: impl Fn(usize) -> Metrics) -> Vec<Verdict> {
    told((0..=10).map(line)).verdicts(true)
}

/// Verdicts on layers alone.
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

/// Changes the layers of a line.
fn with(mut line: Metrics, change: impl Fn(&mut LayerMetrics)) -> Metrics {
    line.layers.iter_mut().for_each(change);
    line
}

fn is_hidden(layer: &LayerMetrics) -> bool {
    layer.name != "output"
}

#[test]
fn a_healthy_training_raises_no_alarm() {
    assert_eq!(names(healthy), []);
}

#[test]
fn batch_normalisation_makes_gradients_long_while_the_loss_falls() {
    let grows = |e: usize| {
        let times = 1.5f64.powi(2 * e as i32);
        let line = with(healthy(e), |layer| layer.grad_norm = layer.grad_norm.map(|g| g * times));
        Metrics { grad_norm: Some(times), ..line }
    };
    assert!(grows(10).grad_norm > Some(1000.0));
    assert_eq!(names(grows), []);
}

#[test]
fn an_output_layer_that_starts_at_zero_lets_nothing_through_and_grows_by_large_shares() {
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
fn a_learning_rate_that_warms_up_or_decays_makes_small_updates() {
    let warms_up = |e: usize| {
        let small = |layer: &mut LayerMetrics| layer.update_ratio = Some(1e-6 * e as f64);
        if e < 5 { with(guessing(e), small) } else { healthy(e) }
    };
    assert_eq!(names(warms_up), []);
    let decays = |e: usize| {
        with(healthy(e), |layer| layer.update_ratio = Some(1e-3 * 0.1f64.powi(e as i32)))
    };
    assert_eq!(names(decays), []);
}

#[test]
fn dead_units_are_said_when_the_whole_training_part_shows_them() {
    // From epoch 3 on half of the units are silent on the sample; the whole part is looked through
    // in 4 and 10.
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
    // It was said in epoch 4 and is not taken back by epochs that do not look.
    let names: Vec<VerdictName> =
        told((0..=8).map(dying(0.55))).verdicts(true).iter().map(|v| v.name).collect();
    assert!(names.contains(&VerdictName::DeadUnits), "{names:?}");
    assert!(!verdict.source.is_empty());
}

#[test]
fn saturated_units_are_a_note_where_the_network_is_good_with_them() {
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
fn gradients_vanish_on_their_way_to_the_first_layer() {
    let fades = |first: f64| {
        move |e: usize| {
            with(guessing(e), |layer| {
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
    // A network that gives one answer is held there by less.
    let held = |e| Metrics { prediction_spread: Some(1e-4), ..fades(0.01)(e) };
    assert!(names(held).contains(&VerdictName::VanishingGradients));
}

#[test]
fn a_network_whose_weights_a_penalty_took_ignores_its_input() {
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
fn gradients_explode_when_the_loss_does_not_fall() {
    let explodes = |e: usize| Metrics {
        grad_norm: Some(if e < 5 { 1.0 } else { 100.0 }),
        train_eval_loss: Some(if e < 5 { 2.3 } else { 3.0 }),
        ..guessing(e)
    };
    let verdict = the(VerdictName::ExplodingGradients, explodes);
    assert_eq!((verdict.since, verdict.evidence["times_first"]), (5.0, 100.0));
    assert_eq!(verdict.try_, "--set train.clip_norm=1");
}

#[test]
fn gradients_that_exploded_within_the_first_epoch_are_seen_in_its_moments() {
    let mut tracker = told([healthy(0)]);
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
fn updates_that_are_too_large_or_too_small_name_a_learning_rate() {
    let ratio = |ratio: f64| {
        move |e: usize| {
            with(guessing(e), |layer| {
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
    // The output layer alone says nothing.
    let output = |e: usize| {
        with(guessing(e), |layer| {
            if !is_hidden(layer) {
                layer.update_ratio = Some(2.0);
            }
        })
    };
    assert_eq!(names(output), []);
}

/// Silent from epoch `from` on; all get the same answer.
fn silent(from: usize) -> impl Fn(usize) -> Metrics {
    move |e| {
        let line = Metrics { prediction_spread: Some(0.0), ..guessing(e) };
        with(line, |layer| {
            if layer.name == "hidden2" && e >= from {
                (layer.active_fraction, layer.silent_fraction) = (Some(0.0), Some(1.0));
                (layer.dead_fraction, layer.grad_norm) = (Some(1.0), Some(0.0));
            }
        })
    }
}

#[test]
fn a_layer_that_was_alive_and_is_silent_was_killed_by_the_learning_rate() {
    let verdict = the(VerdictName::LearningRateKillsNetwork, silent(2));
    assert_eq!((verdict.since, verdict.evidence["hidden2"]), (2.0, 0.0));
    assert!((verdict.evidence["loss_now"] - 10f64.ln()).abs() < 1e-12);
    assert_eq!(verdict.try_, "--set train.learning_rate=0.001");
    // That it gives one answer follows from it and is not said.
    let both = [VerdictName::LearningRateKillsNetwork, VerdictName::DeadUnits];
    assert_eq!(names(silent(2)), both);
}

#[test]
fn a_network_that_never_was_alive_ignores_its_input() {
    let zeros = |e: usize| with(silent(0)(e), |layer| layer.weight_norm = 0.0);
    let verdict = the(VerdictName::PredictionsIgnoreInput, zeros);
    assert_eq!((verdict.since, verdict.evidence["prediction_spread"]), (1.0, 0.0));
    assert_eq!(verdict.try_, "--set model.init=he");
    assert!(!names(zeros).contains(&VerdictName::LearningRateKillsNetwork));
}

#[test]
fn a_network_that_begins_to_learn_slowly_does_not_ignore_its_input() {
    let slow =
        |e: usize| Metrics { prediction_spread: Some(1e-4 * 1.5f64.powi(e as i32)), ..guessing(e) };
    assert_eq!(names(slow), []);
}

#[test]
fn answers_that_tell_samples_apart_do_not_ignore_the_input() {
    let of = |accuracy: f64| {
        names(move |e: usize| {
            let (spread, accuracy) = (Some(1e-4), Some(accuracy));
            Metrics { prediction_spread: spread, train_accuracy: accuracy, ..guessing(e) }
        })
    };
    assert_eq!(of(0.12), [VerdictName::PredictionsIgnoreInput]);
    assert_eq!(of(0.65), [], "however alike their confidences");
}

#[test]
fn a_network_that_had_few_steps_has_not_hardly_moved() {
    let of = |steps: u64, loss: f64| {
        verdicts(move |e: usize| {
            let line = Metrics { step: steps * e as u64, ..guessing(e) };
            let line = Metrics { train_eval_loss: Some(loss).filter(|_| e > 0), ..line };
            let line = if e == 0 { guessing(0) } else { line };
            with(line, |layer| layer.update_ratio = (e > 0).then_some(5e-5))
        })
    };
    let low = of(100, 2.29);
    assert_eq!(low.iter().map(|v| v.name).collect::<Vec<_>>(), [VerdictName::LearningRateTooLow]);
    assert_eq!(low[0].evidence["loss_now"], 2.29);
    assert_eq!(of(2, 2.29), [], "20 steps in all");
}

/// Learns its training samples by heart; `val` is the loss and the accuracy on validation.
fn by_heart(val: impl Fn(usize) -> (f64, f64)) -> impl Fn(usize) -> Metrics {
    move |e| {
        let (val_loss, val_accuracy) = val(e);
        let (val_loss, val_accuracy) = (Some(val_loss), Some(val_accuracy));
        Metrics { val_loss, val_accuracy, ..healthy(e) }
    }
}

#[test]
fn what_is_learnt_and_of_no_use_looks_like_shuffled_labels() {
    let verdict =
        the(VerdictName::LabelsLookShuffled, by_heart(|e| (2.31 + 0.1 * e as f64, 0.105)));
    // The training loss is below 90 % of ln 10 from epoch 1 on: 0.2 + 2.1 exp(-1/3) = 1.7.
    assert_eq!((verdict.since, verdict.evidence["chance"]), (1.0, 0.1));
    assert_eq!(verdict.evidence["val_samples"], 1000.0);
    // Over-fitting that was of use before: the loss fell first.
    let over_fits = |e: usize| (if e < 2 { 2.0 } else { 2.0 + 0.1 * e as f64 }, 0.4);
    assert_eq!(names(by_heart(over_fits)), []);
    // A little better than guessing, and surely so.
    assert_eq!(names(by_heart(|e| (2.31 + 0.1 * e as f64, 0.15))), []);
    // Half of the answers are right, however sure it is of the others.
    assert_eq!(names(by_heart(|e| (2.31 + 0.3 * e as f64, 0.5))), []);
}

#[test]
fn few_validation_samples_cannot_show_that_labels_are_shuffled() {
    let lines = || (0..=10).map(by_heart(|e| (2.31 + 0.1 * e as f64, 0.1)));
    let of = |classes: &[u64]| {
        let mut tracker = Tracker::new(Some(classes.iter().sum())).with_classes(classes);
        lines().for_each(|line| tracker.layers(&line));
        tracker.verdicts(true).len()
    };
    assert_eq!((of(&[100; 10]), of(&[1; 10]), of(&[])), (1, 0, 0));
    // And where few were learnt from, that explains it as well.
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
