//! The loop in memory: what it measures, when it stops, what it keeps.

use std::time::Duration;

use klubok::{
    config::{Config, Monitor, Optimizer, Schedule},
    data::Dataset,
    reference::ReferenceBackend,
    train::{
        control::Control,
        event::{Event, Metrics, Observer, Stopped},
        progress::Quantity,
        task::Task,
        trainer::{Snapshot, Trainer},
    },
};

use crate::blobs;

/// Everything that a training told.
#[derive(Default)]
struct Told {
    epochs: Vec<(Metrics, bool)>,
    steps: Vec<Metrics>,
    progress: Vec<(u64, u64)>,
}

impl Observer for Told {
    fn observe(&mut self, event: &Event<'_>) -> klubok::train::Result<()> {
        match event {
            Event::Epoch { metrics, best } => self.epochs.push(((*metrics).clone(), *best)),
            Event::Step(metrics) => self.steps.push((*metrics).clone()),
            Event::Progress { step, samples, .. } => self.progress.push((*step, *samples)),
            _ => {}
        }
        Ok(())
    }
}

fn run(config: &Config, data: &Dataset, save_every: Duration) -> (Told, Stopped, Snapshot) {
    run_task(Task::new(config, data).unwrap(), config, data, save_every)
}

fn run_task(
    task: Task,
    config: &Config,
    data: &Dataset,
    save_every: Duration,
) -> (Told, Stopped, Snapshot) {
    let start = Snapshot::start(task.initial_state);
    let mut trainer =
        Trainer::new(&ReferenceBackend, task.plan, data, &config.train, start).unwrap();
    trainer.save_every(save_every);
    let (mut told, go_on) = (Told::default(), Control::new());
    let stopped = loop {
        if let Some(stopped) = trainer.advance(&mut told, &go_on).unwrap() {
            break stopped;
        }
    };
    (told, stopped, trainer.snapshot().unwrap())
}

fn train(config: &Config) -> (Told, Stopped, Snapshot) {
    run(config, &blobs::data(60, 21), Duration::MAX)
}

fn without_seconds(metrics: &Metrics) -> Metrics {
    let (seconds, elapsed_seconds, samples_per_second) = (0.0, 0.0, None);
    Metrics { seconds, elapsed_seconds, samples_per_second, ..metrics.clone() }
}

#[test]
fn epoch_zero_is_measured_before_any_update() {
    let (told, ..) = train(&blobs::config());
    let (zero, best) = &told.epochs[0];
    assert_eq!((zero.epoch, zero.step, *best), (0.0, 0, true));
    assert!((zero.val_loss.unwrap() - (blobs::CLASSES as f64).ln()).abs() < 1e-6);
    assert_eq!(zero.train_loss.or(zero.learning_rate).or(zero.grad_norm), None);
    let hidden = &zero.layers[0];
    assert!(hidden.weight_norm > 0.0 && hidden.update_ratio.is_none());
    assert!(hidden.active_fraction.is_some_and(|active| active > 0.1 && active < 0.9));
    let output = &zero.layers[2];
    assert_eq!((output.name.as_str(), output.weight_norm), ("output", 0.0));
    assert_eq!(output.active_fraction, None);
}

#[test]
fn every_epoch_has_a_line_and_the_best_has_the_lowest_loss_of_three_epochs() {
    let (told, stopped, end) = train(&blobs::config());
    assert_eq!(stopped, Stopped::Epochs);
    let lines: Vec<(f64, u64)> = told.epochs.iter().map(|(m, _)| (m.epoch, m.step)).collect();
    assert_eq!(lines, (0..=6).map(|e| (e as f64, 8 * e)).collect::<Vec<_>>());
    let losses: Vec<f64> =
        told.epochs.iter().map(|(m, _)| m.val_loss_calibrated.unwrap()).collect();
    let of_three: Vec<f64> =
        losses.windows(3).map(|three| three.iter().sum::<f64>() / 3.0).collect();
    let lowest = of_three.iter().copied().fold(f64::INFINITY, f64::min);
    let best = end.progress.best.unwrap();
    assert_eq!(best.val_loss_calibrated, Some(losses[best.epoch as usize]));
    assert!((of_three[best.epoch as usize - 2] - lowest).abs() < 1e-12);
    assert!(lowest < 0.8 * losses[0], "it learns: {losses:?}");
    assert_eq!(told.epochs.iter().rposition(|(_, best)| *best), Some(best.epoch as usize));
}

#[test]
fn the_first_epochs_are_measured_at_steps_that_double() {
    let (told, ..) = train(&blobs::config());
    let steps: Vec<u64> = told.steps.iter().map(|m| m.step).collect();
    assert_eq!(steps, [1, 2, 4, 8, 16]);
    assert_eq!(told.steps[0].epoch, 1.0 / 8.0);
    // Dropout and penalties aside the first batch costs ln 3, as the output layer starts at zero.
    let penalty = told.steps[0].train_loss.unwrap() - (blobs::CLASSES as f64).ln();
    assert!((0.0..0.02).contains(&penalty), "{penalty}");
    // Step 8 is the end of epoch 1: the same figures but for training, since step 4 and since epoch
    // 0.
    let (step, epoch) = (&told.steps[3], &told.epochs[1].0);
    assert_eq!(step.val_loss, epoch.val_loss);
    assert_ne!(step.train_loss, epoch.train_loss);
}

#[test]
fn every_reading_is_told() {
    let mut config = blobs::config();
    config.train.epochs = 1;
    config.train.batch_size = 1;
    config.model.batch_norm = false;
    let (told, ..) = train(&config);
    let steps: Vec<u64> = told.progress.iter().map(|p| p.0).collect();
    assert_eq!(steps, [1, 2, 4, 8, 16, 32, 48, 60]);
    assert!(told.progress.iter().all(|(step, samples)| step == samples));
}

#[test]
fn when_it_is_saved_changes_nothing() {
    let config = blobs::config();
    let data = blobs::data(60, 21);
    let (rarely, _, end) = run(&config, &data, Duration::MAX);
    let (often, _, same) = run(&config, &data, Duration::ZERO);
    assert_eq!(end.state, same.state);
    assert_eq!(end.best, same.best);
    let lines = |told: &Told| -> Vec<Metrics> {
        told.epochs.iter().map(|(m, _)| m).chain(&told.steps).map(without_seconds).collect()
    };
    assert_eq!(lines(&rarely), lines(&often));
}

#[test]
fn it_stops_early_when_nothing_gets_better() {
    let mut config = blobs::config();
    config.train.early_stopping = true;
    config.train.learning_rate = 0.0;
    config.train.epochs = 100;
    config.model.batch_norm = false;
    let (told, stopped, end) = train(&config);
    assert_eq!((stopped, end.progress.stopped), (Stopped::EarlyStopping, Some(stopped)));
    assert_eq!(told.epochs.len(), 4, "epoch 0 is the best, three more are waited for");
    assert_eq!(end.progress.best.unwrap().epoch, 0, "the earlier on ties");
}

#[test]
fn accuracy_may_decide_instead() {
    let mut config = blobs::config();
    config.train.monitor = Monitor::ValAccuracy;
    let (told, _, end) = train(&config);
    let accuracies: Vec<f64> = told.epochs.iter().map(|(m, _)| m.val_accuracy.unwrap()).collect();
    let highest = accuracies.iter().copied().fold(0.0, f64::max);
    let first = accuracies.iter().position(|a| *a == highest).unwrap();
    assert_eq!(end.progress.best.unwrap().epoch, first as u64);
}

#[test]
fn without_a_validation_part_the_training_sample_decides() {
    let (told, _, end) = run(&blobs::config(), &blobs::data(60, 0), Duration::MAX);
    let lines = told.epochs.iter().map(|(m, _)| m.train_eval_loss.unwrap());
    let lowest = lines.fold(f64::INFINITY, f64::min);
    assert!(told.epochs.iter().all(|(m, _)| m.val_loss.is_none() && m.val_accuracy.is_none()));
    assert_eq!(end.progress.best.unwrap().train_loss, Some(lowest));
}

#[test]
fn a_plateau_lowers_the_learning_rate() {
    let mut config = blobs::config();
    config.train.schedule = Schedule::Plateau;
    config.train.warmup_epochs = 0.0;
    config.train.learning_rate = 1e-300; // Nothing moves, so no loss is lower than that of epoch 0.
    config.model.batch_norm = false;
    let (told, ..) = train(&config);
    let rates: Vec<f64> = told.epochs[1..].iter().map(|(m, _)| m.learning_rate.unwrap()).collect();
    let rate = 1e-300;
    assert_eq!(rates[..3], [rate, 0.5 * rate, 0.25 * rate]);
}

#[test]
fn a_divergence_goes_back_to_the_last_good_weights_and_names_the_cause() {
    let mut config = blobs::config();
    config.train.optimizer = Optimizer::Sgd;
    config.train.learning_rate = 1e200;
    config.train.warmup_epochs = 0.0;
    config.model.batch_norm = false;
    let (told, stopped, end) = train(&config);
    assert_eq!(stopped, Stopped::Diverged);
    let divergence = end.progress.divergence.unwrap();
    assert!(divergence.step < 8 && divergence.learning_rate > 1e199, "{divergence:?}");
    assert_ne!(divergence.quantity, Quantity::EvalLoss, "found in the figures of the step");
    assert_eq!(end.progress.step, 0, "back to the last point that was saved");
    assert!(end.best.params.iter().all(|p| p.to_f64().iter().all(|w| w.is_finite())));
    assert!(told.steps.iter().all(|m| m.val_loss.is_some_and(f64::is_finite)));
}

#[test]
fn data_that_is_no_number_is_said_before_any_update() {
    let mut config = blobs::config();
    config.model.hidden = vec![]; // A hidden ReLU would make 0 of it.
    let mut data = blobs::data(60, 21);
    let task = Task::new(&config, &data).unwrap(); // It would refuse what comes now.
    let x = vec![f32::NAN; 2 * 81];
    data.rows = std::sync::Arc::new(klubok::rows::MemoryRows::numbers(&x, 2, &data.targets));
    let (_, stopped, end) = run_task(task, &config, &data, Duration::MAX);
    assert_eq!(stopped, Stopped::Diverged);
    let divergence = end.progress.divergence.unwrap();
    assert_eq!((divergence.quantity, divergence.step), (Quantity::EvalLoss, 0));
    assert!(divergence.to_string().contains("values in the data"), "{divergence}");
}

#[test]
fn no_epochs_measure_the_start_only() {
    let mut config = blobs::config();
    config.train.epochs = 0;
    let (told, stopped, _) = train(&config);
    assert_eq!((told.epochs.len(), stopped), (1, Stopped::Epochs));
}

#[test]
fn a_training_part_of_one_sample_is_trained_on() {
    let mut config = blobs::config();
    config.model.batch_norm = false;
    let (told, stopped, _) = run(&config, &blobs::data(1, 2), Duration::MAX);
    assert_eq!((told.epochs.len(), stopped), (7, Stopped::Epochs));
}

#[test]
fn no_training_part_is_an_error() {
    let (config, data) = (blobs::config(), blobs::data(0, 3));
    let task = Task::new(&config, &data).unwrap();
    let start = Snapshot::start(task.initial_state);
    let result = Trainer::new(&ReferenceBackend, task.plan, &data, &config.train, start);
    assert_eq!(result.err().unwrap().to_string(), "the training part has no samples");
}
