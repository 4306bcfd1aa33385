//! Layer metrics at the end of an epoch, against brute force.

use klubok::{
    backend::{Backend, DataId, Outputs},
    config::{Config, OneOrEach},
    data::Dataset,
    plan::{Activation, Op, Plan, Value},
    reference::ReferenceBackend,
    state::State,
    train::{
        self,
        control::Control,
        distance::Distance,
        event::{Event, LayerMetrics, Metrics, Observer},
        task::Task,
        trainer::{Checkpoint, Trainer},
    },
};

use crate::blobs;

#[derive(Default)]
struct Epochs(Vec<Metrics>);

impl Observer for Epochs {
    fn observe(&mut self, event: &Event<'_>) -> train::Result<()> {
        if let Event::Epoch { metrics, .. } = event {
            self.0.push((*metrics).clone());
        }
        Ok(())
    }
}

/// Trains to the end; returns the metrics of the epochs, the first and last state, and the plan.
fn trained(config: &Config, data: &Dataset) -> (Vec<Metrics>, State, State, Plan) {
    let task = Task::new(config, data).unwrap();
    let checkpoint = Checkpoint::start(task.initial_state.clone());
    let (plan, samples, backend) = (task.plan.clone(), task.samples.clone(), ReferenceBackend);
    let mut trainer = Trainer::new(&backend, plan, samples, &config.train, checkpoint).unwrap();
    trainer.measure_distance_from(Distance::of(&task, config.train.seed).into());
    let (mut epochs, control) = (Epochs::default(), Control::new());
    while trainer.advance(&mut epochs, &control).unwrap().is_none() {}
    let end = trainer.checkpoint().unwrap().state;
    (epochs.0, task.initial_state, end, task.plan)
}

/// Computes the values of these taps for all training samples, one block per tap.
fn values(plan: &Plan, state: &State, data: &Dataset, taps: &[Value]) -> Vec<Vec<f32>> {
    let rows = std::slice::from_ref(&data.rows);
    let mut program = ReferenceBackend.compile(plan, 8, rows).unwrap();
    program.load(state).unwrap();
    let mut outputs = Outputs::default();
    program.infer(DataId(0), &data.parts.train, taps, &mut outputs).unwrap();
    outputs.values
}

/// Settings with ReLU, no batch normalisation, and steps that are far too large.
fn dying() -> Config {
    let mut config = blobs::config();
    config.model.hidden = vec![24, 16];
    config.model.batch_norm = false;
    config.train.learning_rate = 0.3;
    config
}

#[test]
fn dead_units_are_silent_for_every_training_sample() {
    // On a fixed sample of three, units are silent that are not silent elsewhere.
    let data = blobs::data(300, 3);
    let config = dying();
    let (lines, _, end, plan) = trained(&config, &data);
    let activation = |op: &Op| match op {
        Op::Activate { y, .. } => Some(*y),
        _ => None,
    };
    let taps: Vec<Value> = plan.ops.iter().filter_map(activation).collect();
    let share = |(values, units): (Vec<f32>, usize)| {
        let constant = |unit: usize| {
            let outputs = || values.iter().skip(unit).step_by(units);
            outputs().all(|y| Some(y) == outputs().next())
        };
        (0..units).filter(|&unit| constant(unit)).count() as f64 / units as f64
    };
    let expected: Vec<f64> =
        values(&plan, &end, &data, &taps).into_iter().zip([24, 16]).map(share).collect();
    // The last epoch, 6, always checks the whole training set.
    let last = &lines.last().unwrap().layers;
    let dead: Vec<f64> = last[..2].iter().map(|layer| layer.dead_fraction.unwrap()).collect();
    assert_eq!(dead, expected);
    assert!(dead.iter().any(|&share| share > 0.0), "some died: {dead:?}");
    let silent: Vec<f64> = last[..2].iter().map(|layer| layer.silent_fraction.unwrap()).collect();
    assert!(silent[0] > dead[0], "{silent:?}: silent on three samples is not dead, {dead:?}");
    assert_eq!((last[2].dead_fraction, last[2].silent_fraction), (None, None));
    // Epoch 3 has no check: its silent units may be dead or not.
    let third = &lines[3].layers[0];
    assert!(third.silent_fraction.unwrap() > 0.0 && third.dead_fraction.is_none(), "{third:?}");
}

#[test]
fn distances_compare_the_weights_with_their_initial_values() {
    let data = blobs::data(60, 21);
    let (lines, start, end, plan) = trained(&blobs::config(), &data);
    let of = |line: &Metrics| -> Vec<Option<f64>> {
        line.layers.iter().map(|layer| layer.distance_from_start).collect()
    };
    // The output layer starts at zero, which allows no relative distance.
    assert_eq!(of(&lines[0]), [Some(0.0), Some(0.0), None]);
    let weight = plan.params.iter().position(|p| p.name == "hidden2.weight").unwrap();
    let (w0, w) = (start.params[weight].to_f64(), end.params[weight].to_f64());
    let moved: f64 = w.iter().zip(&w0).map(|(w, w0)| (w - w0) * (w - w0)).sum();
    let norm: f64 = w0.iter().map(|w| w * w).sum();
    let distance = lines.last().unwrap().layers[1].distance_from_start.unwrap();
    assert!((distance - (moved / norm).sqrt()).abs() < 1e-12 && distance > 0.01, "{distance}");
}

#[test]
fn the_spread_of_predictions_increases_with_learning() {
    let (lines, ..) = trained(&blobs::config(), &blobs::data(60, 21));
    let spreads: Vec<f64> = lines.iter().map(|line| line.prediction_spread.unwrap()).collect();
    assert!(spreads[0] < 1e-7, "the output layer starts at zero: {spreads:?}");
    assert!(spreads[6] > 0.1 && spreads[6] < (2.0f64 / 3.0).sqrt(), "{spreads:?}");
}

#[test]
fn only_bounded_activations_saturate() {
    let data = blobs::data(60, 21);
    let saturated = |f| -> Vec<Option<f64>> {
        let mut config = dying();
        config.model.activation = OneOrEach::One(f);
        let (lines, ..) = trained(&config, &data);
        let share = |layer: &LayerMetrics| layer.saturated_fraction;
        lines.last().unwrap().layers.iter().map(share).collect()
    };
    assert_eq!(saturated(Activation::Gelu), [None, None, None]);
    let tanh = saturated(Activation::Tanh);
    assert!(tanh[1].is_some_and(|share| share > 0.5) && tanh[2].is_none(), "{tanh:?}");
}
