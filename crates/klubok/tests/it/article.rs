//! The example `article.rs`, an MLP in one file: its steps are those of the CPU backend, and its
//! figures are as it says.

use std::sync::Arc;

use klubok::{
    backend::{Backend, DataId, Figures, Numbers, State, Step},
    cpu::{CpuBackend, Isa},
    nn::network::{Hidden, Network, OutputKind},
    optim::{Rule, UpdateSpec},
    plan::{Activation, Augment, InputSpec, LossSpec},
    rows::MemoryRows,
};

use example::{Linear, Optimiser, Samples};

#[path = "../../examples/article.rs"]
#[expect(dead_code, unreachable_pub, reason = "an example is a program of its own")]
mod example;

const STEPS: usize = 100;
const BATCH: usize = 20;

/// The example's training set and network at the start, rounded to f32.
fn start() -> (Samples, Vec<Linear>) {
    let ([mut samples, _], mut network) = example::start();
    let values = network.iter_mut().flat_map(|layer| [&mut layer.w, &mut layer.b]);
    for value in values.chain([&mut samples.x]).flatten() {
        *value = f64::from(*value as f32);
    }
    (samples, network)
}

/// Rows of a step: each epoch takes every row once.
fn rows(step: usize, count: usize) -> Vec<usize> {
    (0..BATCH).map(|i| (step * BATCH + i) * 7 % count).collect()
}

/// Losses of the example's steps; trains the network.
fn losses(samples: &Samples, network: &mut [Linear], mut optimiser: Optimiser) -> Vec<f64> {
    let count = samples.y.len() / 2;
    let batch = |step| example::select(samples, &rows(step, count));
    (0..STEPS).map(|step| optimiser.step(network, &batch(step), || 1.0)).collect()
}

/// Losses of the same steps on a backend, and the parameters after them.
fn backend_losses(
    backend: &dyn Backend,
    samples: &Samples,
    start: &[Linear],
    update: UpdateSpec,
    learning_rate: f64,
) -> (Vec<f64>, Vec<Vec<f64>>) {
    let layer = |layer: &Linear| Hidden {
        units: layer.b.len(),
        activation: Activation::Relu,
        batch_norm: false,
        dropout: 0.0,
    };
    let (inputs, hidden) = (start[0].inputs, start[..start.len() - 1].iter().map(layer).collect());
    let network =
        Network { inputs, input_dropout: 0.0, hidden, outputs: 2, answer: OutputKind::Classes };
    let identity = InputSpec {
        factor: vec![1.0],
        offset: vec![0.0],
        picture: None,
        augment: Augment::default(),
    };
    let plan = network.lower(identity, LossSpec::CROSS_ENTROPY, update, 0);
    let classes: Vec<u32> = samples.y.chunks_exact(2).map(|y| y[1] as u32).collect();
    let data = MemoryRows::numbers(&narrow(&samples.x), inputs, &classes);
    let mut program = backend.compile(&plan, BATCH, &[Arc::new(data)]).unwrap();
    let tensors = start.iter().flat_map(|layer| [&layer.w, &layer.b]);
    let params = tensors.map(|tensor| Numbers::F32(narrow(tensor))).collect();
    let mut state = State { params, ..State::default() };
    program.load(&state).unwrap();
    for step in 0..STEPS {
        let rows: Vec<u32> = rows(step, classes.len()).iter().map(|&row| row as u32).collect();
        let (index, weight_sum) = (step as u64, BATCH as f64);
        let step = Step { index, rows: &rows, first: 0, weight_sum, learning_rate, observe: false };
        program.train(DataId(0), &step).unwrap();
    }
    let mut figures = Figures::default();
    program.read(&mut figures);
    program.store(&mut state).unwrap();
    let losses = figures.steps.iter().map(|step| step.loss_sum / step.weight_sum).collect();
    (losses, state.params.iter().map(Numbers::to_f64).collect())
}

fn narrow(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&value| value as f32).collect()
}

/// The rule with the example's settings.
fn rule(rule: example::Rule) -> Rule {
    let epsilon = 1e-8;
    match rule {
        example::Rule::Sgd => Rule::Sgd { momentum: 0.9, nesterov: false },
        example::Rule::RmsProp => Rule::RmsProp { decay: 0.99, epsilon, momentum: 0.0 },
        example::Rule::Adam => Rule::Adam { beta1: 0.9, beta2: 0.999, epsilon },
    }
}

/// Largest difference of two lists.
fn difference(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

#[test]
fn its_first_100_steps_are_those_of_the_cpu() {
    let (samples, start) = start();
    for (name, learning_rate) in example::RATES {
        for l2 in [0.0, 0.01] {
            let mut network = start.clone();
            let optimiser = Optimiser::new(name, learning_rate, l2, &network);
            let expected = losses(&samples, &mut network, optimiser);
            assert!(expected[STEPS - 1] < 0.9 * expected[0], "{name:?} learns: {expected:?}");
            let update = UpdateSpec { rule: rule(name), l2, ..UpdateSpec::SGD };
            for isa in Isa::available() {
                let backend = CpuBackend::with(2, isa);
                let (got, params) =
                    backend_losses(&backend, &samples, &start, update, learning_rate);
                let largest = difference(&got, &expected);
                assert!(largest < 1e-5, "{name:?}, l2 {l2}, {isa:?}: losses differ by {largest}");
                let tensors = network.iter().flat_map(|layer| [&layer.w, &layer.b]);
                for (got, expected) in params.iter().zip(tensors) {
                    let largest = difference(got, expected);
                    assert!(largest < 1e-5, "{name:?}, l2 {l2}, {isa:?}: weights by {largest}");
                }
            }
        }
    }
}

#[test]
fn its_dropout_keeps_the_mean() {
    let mut mask = example::dropout(0.25, example::Random(1));
    let mask: Vec<f64> = (0..100_000).map(|_| mask()).collect();
    assert!(mask.iter().all(|&factor| factor == 0.0 || factor == 4.0 / 3.0));
    let mean = mask.iter().sum::<f64>() / mask.len() as f64;
    assert!((mean - 1.0).abs() < 0.01, "{mean}");
}

#[test]
fn its_story_is_true() {
    let (p, y) = ([0.7, 0.3], [1.0, 0.0]);
    assert_eq!(format!("{:.3}", example::cross_entropy(&p, &y)), "0.357");
    assert!(difference(&example::output_gradient(&p, &y), &[-0.3, 0.3]) < 1e-12);
    let (sets, network) = example::start();
    assert_eq!(example::parameters(&network).count(), 2474);
    let check = example::gradient_check(&network, &example::select(&sets[0], &[0, 1, 2, 3]));
    assert!(check < 1e-6, "{check}");
    for (rule, learning_rate) in example::RATES {
        let curve = example::train(&mut network.clone(), rule, learning_rate, &sets);
        let val: Vec<(f64, f64)> = curve.iter().map(|[_, val]| *val).collect();
        assert!((val[0].0 - 2f64.ln()).abs() < 0.05, "at first it guesses: {val:?}");
        assert!(val[1].1 < 92.0 && val[15].1 > 93.0, "{rule:?}: {val:?}");
        let falls = [val[0].0 - val[8].0, val[8].0 - val[15].0];
        assert!(falls[0] > 2.0 * falls[1], "fast learning, then fine tuning: {val:?}");
        assert!(curve[15][0].0 < val[15].0, "the training loss is lower: {curve:?}");
    }
}

#[test]
fn it_has_at_most_400_lines_and_uses_the_standard_library_only() {
    let code = include_str!("../../examples/article.rs");
    assert!(code.lines().count() <= 400, "{}", code.lines().count());
    for line in code.lines().map(str::trim_start) {
        assert!(!line.starts_with("use ") || line.starts_with("use std::"), "{line}");
        assert!(
            !["klubok", "extern crate", "unsafe", "mod "].iter().any(|word| line.contains(word)),
            "{line}"
        );
    }
}
