//! The training loop in memory: its measurements, its stopping, its best weights.

use std::{sync::mpsc, time::Duration};

use klubok::{
    backend::Program,
    config::{Config, Monitor, Optimizer, Schedule},
    data::Dataset,
    reference::ReferenceBackend,
    train::{
        control::Control,
        event::{Event, Metrics, Observer, Stopped},
        progress::{Progress, Quantity},
        task::Task,
        trainer::{Checkpoint, Trainer},
    },
};

use crate::blobs;

/// Records the events of a training.
#[derive(Default)]
struct Recorder {
    epochs: Vec<(Metrics, bool)>,
    steps: Vec<Metrics>,
    progress: Vec<(u64, u64)>,
}

impl Observer for Recorder {
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

fn run(config: &Config, data: &Dataset, save_every: Duration) -> (Recorder, Stopped, Checkpoint) {
    run_task(Task::new(config, data).unwrap(), config, save_every)
}

fn run_task(task: Task, config: &Config, save_every: Duration) -> (Recorder, Stopped, Checkpoint) {
    let start = Checkpoint::start(task.initial_state);
    let mut trainer =
        Trainer::new(&ReferenceBackend, task.plan, task.samples, &config.train, start).unwrap();
    trainer.save_every(save_every);
    let (mut recorder, control) = (Recorder::default(), Control::new());
    let stopped = loop {
        if let Some(stopped) = trainer.advance(&mut recorder, &control).unwrap() {
            break stopped;
        }
    };
    (recorder, stopped, trainer.checkpoint().unwrap())
}

fn train(config: &Config) -> (Recorder, Stopped, Checkpoint) {
    run(config, &blobs::data(60, 21), Duration::MAX)
}

fn without_seconds(metrics: &Metrics) -> Metrics {
    let (seconds, elapsed_seconds, samples_per_second) = (0.0, 0.0, None);
    Metrics { seconds, elapsed_seconds, samples_per_second, ..metrics.clone() }
}

#[test]
fn measures_epoch_zero_before_any_update() {
    let (recorder, ..) = train(&blobs::config());
    let (zero, best) = &recorder.epochs[0];
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
fn a_person_is_answered_though_the_time_for_inspections_is_spent() {
    let (config, data) = (blobs::config(), blobs::data(60, 21));
    let task = Task::new(&config, &data).unwrap();
    let start = Checkpoint::start(task.initial_state);
    let mut trainer =
        Trainer::new(&ReferenceBackend, task.plan, task.samples, &config.train, start).unwrap();
    let control = Control::new();
    let (sender, receiver) = mpsc::channel();
    let spent = Duration::from_millis(400);
    control.inspect(0, false, Box::new(move |_, _| std::thread::sleep(spent)));
    for asked in [false, true] {
        let sender = sender.clone();
        let inspection = move |_: &dyn Program, at: &Progress| {
            sender.send((asked, at.step)).unwrap();
        };
        control.inspect(5, asked, Box::new(inspection));
    }
    drop(sender);
    while trainer.advance(&mut Recorder::default(), &control).unwrap().is_none() {}
    drop(control);
    assert_eq!(receiver.into_iter().collect::<Vec<_>>(), [(true, 5)]);
}

#[test]
fn every_epoch_has_metrics_and_the_best_has_the_lowest_mean_loss_of_three_epochs() {
    let (recorder, stopped, end) = train(&blobs::config());
    assert_eq!(stopped, Stopped::Epochs);
    let lines: Vec<(f64, u64)> = recorder.epochs.iter().map(|(m, _)| (m.epoch, m.step)).collect();
    assert_eq!(lines, (0..=6).map(|e| (e as f64, 8 * e)).collect::<Vec<_>>());
    let losses: Vec<f64> =
        recorder.epochs.iter().map(|(m, _)| m.val_loss_calibrated.unwrap()).collect();
    let means_of_three: Vec<f64> =
        losses.windows(3).map(|three| three.iter().sum::<f64>() / 3.0).collect();
    let lowest = means_of_three.iter().copied().fold(f64::INFINITY, f64::min);
    let best = end.progress.best.unwrap();
    assert_eq!(best.val_loss_calibrated, Some(losses[best.epoch as usize]));
    assert!((means_of_three[best.epoch as usize - 2] - lowest).abs() < 1e-12);
    assert!(lowest < 0.8 * losses[0], "it learns: {losses:?}");
    assert_eq!(recorder.epochs.iter().rposition(|(_, best)| *best), Some(best.epoch as usize));
}

#[test]
fn the_first_epochs_are_measured_at_powers_of_two() {
    let (recorder, ..) = train(&blobs::config());
    let steps: Vec<u64> = recorder.steps.iter().map(|m| m.step).collect();
    assert_eq!(steps, [1, 2, 4, 8, 16]);
    assert_eq!(recorder.steps[0].epoch, 1.0 / 8.0);
    // Apart from penalties the first batch costs ln 3, because the output layer starts at zero.
    let penalty = recorder.steps[0].train_loss.unwrap() - (blobs::CLASSES as f64).ln();
    assert!((0.0..0.02).contains(&penalty), "{penalty}");
    // Step 8 ends epoch 1. The evaluations are the same; the training losses are means since step 4
    // and since epoch 0.
    let (step, epoch) = (&recorder.steps[3], &recorder.epochs[1].0);
    assert_eq!(step.val_loss, epoch.val_loss);
    assert_ne!(step.train_loss, epoch.train_loss);
}

#[test]
fn observers_receive_every_reading() {
    let mut config = blobs::config();
    config.train.epochs = 1;
    config.train.batch_size = 1;
    config.model.batch_norm = false;
    let (recorder, ..) = train(&config);
    let steps: Vec<u64> = recorder.progress.iter().map(|p| p.0).collect();
    assert_eq!(steps, [1, 2, 4, 8, 16, 32, 48, 60]);
    assert!(recorder.progress.iter().all(|(step, samples)| step == samples));
}

#[test]
fn the_save_interval_does_not_change_the_result() {
    let config = blobs::config();
    let data = blobs::data(60, 21);
    let (rarely, _, end) = run(&config, &data, Duration::MAX);
    let (often, _, same) = run(&config, &data, Duration::ZERO);
    assert_eq!(end.state, same.state);
    assert_eq!(end.best, same.best);
    let lines = |recorder: &Recorder| -> Vec<Metrics> {
        recorder.epochs.iter().map(|(m, _)| m).chain(&recorder.steps).map(without_seconds).collect()
    };
    assert_eq!(lines(&rarely), lines(&often));
}

#[test]
fn stops_early_without_improvement() {
    let mut config = blobs::config();
    config.train.early_stopping = true;
    config.train.learning_rate = 0.0;
    config.train.epochs = 100;
    config.model.batch_norm = false;
    let (recorder, stopped, end) = train(&config);
    assert_eq!((stopped, end.progress.stopped), (Stopped::EarlyStopping, Some(stopped)));
    assert_eq!(recorder.epochs.len(), 4, "epoch 0 is the best, and the patience is three epochs");
    assert_eq!(end.progress.best.unwrap().epoch, 0, "the earlier epoch wins ties");
}

#[test]
fn the_monitor_may_be_the_accuracy() {
    let mut config = blobs::config();
    config.train.monitor = Monitor::ValAccuracy;
    let (recorder, _, end) = train(&config);
    let accuracies: Vec<f64> =
        recorder.epochs.iter().map(|(m, _)| m.val_accuracy.unwrap()).collect();
    let highest = accuracies.iter().copied().fold(0.0, f64::max);
    let first = accuracies.iter().position(|a| *a == highest).unwrap();
    assert_eq!(end.progress.best.unwrap().epoch, first as u64);
}

#[test]
fn without_a_validation_set_the_training_sample_decides() {
    let (recorder, _, end) = run(&blobs::config(), &blobs::data(60, 0), Duration::MAX);
    let lines = recorder.epochs.iter().map(|(m, _)| m.train_eval_loss.unwrap());
    let lowest = lines.fold(f64::INFINITY, f64::min);
    assert!(recorder.epochs.iter().all(|(m, _)| m.val_loss.is_none() && m.val_accuracy.is_none()));
    assert_eq!(end.progress.best.unwrap().train_loss, Some(lowest));
}

#[test]
fn a_plateau_lowers_the_learning_rate() {
    let mut config = blobs::config();
    config.train.schedule = Schedule::Plateau;
    config.train.warmup_epochs = 0.0;
    config.train.learning_rate = 1e-300; // No weight moves, so no loss is below that of epoch 0.
    config.model.batch_norm = false;
    let (recorder, ..) = train(&config);
    let rates: Vec<f64> =
        recorder.epochs[1..].iter().map(|(m, _)| m.learning_rate.unwrap()).collect();
    let rate = 1e-300;
    assert_eq!(rates[..3], [rate, 0.5 * rate, 0.25 * rate]);
}

#[test]
fn a_divergence_restores_the_last_good_weights_and_names_the_cause() {
    let mut config = blobs::config();
    config.train.optimizer = Optimizer::Sgd;
    config.train.learning_rate = 1e200;
    config.train.warmup_epochs = 0.0;
    config.model.batch_norm = false;
    let (recorder, stopped, end) = train(&config);
    assert_eq!(stopped, Stopped::Diverged);
    let divergence = end.progress.divergence.unwrap();
    assert!(divergence.step < 8 && divergence.learning_rate > 1e199, "{divergence:?}");
    assert_ne!(divergence.quantity, Quantity::EvalLoss, "detected in the figures of the step");
    assert_eq!(end.progress.step, 0, "back at the last saved point");
    assert!(end.best.params.iter().all(|p| p.to_f64().iter().all(|w| w.is_finite())));
    assert!(recorder.steps.iter().all(|m| m.val_loss.is_some_and(f64::is_finite)));
}

#[test]
fn nan_in_the_data_is_reported_before_any_update() {
    let mut config = blobs::config();
    config.model.hidden = vec![]; // A hidden ReLU would turn NaN into 0.
    let data = blobs::data(60, 21);
    let mut task = Task::new(&config, &data).unwrap(); // Made first: `Task::new` refuses NaN.
    let x = vec![f32::NAN; 2 * 81];
    let classes = data.targets.classes().unwrap();
    task.samples.rows = std::sync::Arc::new(klubok::rows::MemoryRows::numbers(&x, 2, classes));
    let (_, stopped, end) = run_task(task, &config, Duration::MAX);
    assert_eq!(stopped, Stopped::Diverged);
    let divergence = end.progress.divergence.unwrap();
    assert_eq!((divergence.quantity, divergence.step), (Quantity::EvalLoss, 0));
    assert!(divergence.to_string().contains("values in the data"), "{divergence}");
}

#[test]
fn zero_epochs_measure_only_the_start() {
    let mut config = blobs::config();
    config.train.epochs = 0;
    let (recorder, stopped, _) = train(&config);
    assert_eq!((recorder.epochs.len(), stopped), (1, Stopped::Epochs));
}

#[test]
fn trains_on_a_single_sample() {
    let mut config = blobs::config();
    config.model.batch_norm = false;
    let (recorder, stopped, _) = run(&config, &blobs::data(1, 2), Duration::MAX);
    assert_eq!((recorder.epochs.len(), stopped), (7, Stopped::Epochs));
}

#[test]
fn an_empty_training_set_is_an_error() {
    let (config, data) = (blobs::config(), blobs::data(0, 3));
    let task = Task::new(&config, &data).unwrap();
    let start = Checkpoint::start(task.initial_state);
    let result = Trainer::new(&ReferenceBackend, task.plan, task.samples, &config.train, start);
    assert_eq!(result.err().unwrap().to_string(), "the training part has no samples");
}
