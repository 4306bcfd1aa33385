//! Statements of the article about its network, on every backend: its worked example, the loss at
//! chance level, the active share of a ReLU layer, and the collapse of layers without activations.

use std::sync::Arc;

use klubok_cpu::{CpuBackend, Isa};
use klubok_nn::{
    agreement::Case,
    backend::{Backend, DataId, Figures, Outputs, Program, Step},
    init::Init,
    network::Start,
    plan::{Activation, Op, Value},
    reference::ReferenceBackend,
    rng::{Purpose, Stream},
    rows::MemoryRows,
    state::{Numbers, State, Weights},
};

const DATA: DataId = DataId(0);

fn backends() -> Vec<Box<dyn Backend>> {
    let cpu = |isa| Box::new(CpuBackend::with(2, isa)) as Box<dyn Backend>;
    let reference: Box<dyn Backend> = Box::new(ReferenceBackend);
    Isa::available().into_iter().map(cpu).chain([reference]).collect()
}

fn compile(
    backend: &dyn Backend,
    case: &Case,
    rows: MemoryRows,
    state: &State,
) -> Box<dyn Program> {
    let mut program = backend.compile(&case.plan(), case.batch, &[Arc::new(rows)]).unwrap();
    program.load(state).unwrap();
    program
}

/// A step with learning rate 0 over the given rows.
fn frozen_step(order: &[u32]) -> Step<'_> {
    let weight_sum = order.len() as f64;
    Step { index: 0, rows: order, first: 0, weight_sum, learning_rate: 0.0, observe: true }
}

/// Mean loss of the first `case.batch` rows in training mode.
fn loss(program: &mut dyn Program, case: &Case) -> f64 {
    let order: Vec<u32> = (0..case.batch as u32).collect();
    program.train(DATA, &frozen_step(&order)).unwrap();
    let mut figures = Figures::default();
    program.read(&mut figures);
    figures.steps[0].loss_sum / figures.steps[0].weight_sum
}

/// Standard normal numbers.
fn normal(seed: u64, count: usize) -> Vec<f32> {
    let mut stream = Stream::new(seed, Purpose::Demo, 0, 0);
    (0..count).map(|_| stream.normal() as f32).collect()
}

#[test]
fn for_y_1_0_and_p_70_30_the_loss_is_0_35667_and_the_gradient_p_minus_y() {
    for backend in backends() {
        let case = Case::plain(3, &[], 2, 1);
        // With weights of zero the biases are the logits for any input.
        let biases = vec![0.7f32.ln(), 0.3f32.ln()];
        let start = Start { hidden: Init::He, output: Init::Zeros, output_bias: biases };
        let rows = MemoryRows::numbers(&[0.5, -1.0, 2.0], 3, &[0]);
        let mut program = compile(&*backend, &case, rows, &case.network.start(&start, 0));

        let mut gradient = Weights::default();
        program.gradients(DATA, &frozen_step(&[0]), &mut gradient).unwrap();
        let [weight, bias] = &gradient.params[..] else { panic!("a layer has weights and biases") };
        let expected = [-0.3, 0.3];
        for (got, expected) in bias.to_f64().iter().zip(expected) {
            assert!((got - expected).abs() < 1e-6, "{got} {expected}");
        }
        // dW = dzᵀ x.
        let expected = [-0.15, 0.3, -0.6, 0.15, -0.3, 0.6];
        for (got, expected) in weight.to_f64().iter().zip(expected) {
            assert!((got - expected).abs() < 1e-6, "{got} {expected}");
        }
        let loss = loss(&mut *program, &case);
        assert!((loss - 0.35667).abs() < 5e-6, "{loss}");
    }
}

#[test]
fn the_initial_loss_is_ln_of_the_number_of_classes() {
    for backend in backends() {
        for classes in [2u32, 3, 10] {
            let case = Case::plain(20, &[16, 8], classes as usize, 12);
            let labels: Vec<u32> = (0..12).map(|row| row * 7 % classes).collect();
            let rows = MemoryRows::numbers(&normal(3, 12 * 20), 20, &labels);
            let start = Start { hidden: Init::He, output: Init::Zeros, output_bias: vec![] };
            let state = case.network.start(&start, 5);
            let loss = loss(&mut *compile(&*backend, &case, rows, &state), &case);
            assert!((loss - f64::from(classes).ln()).abs() < 1e-6, "{classes} classes: {loss}");
        }
    }
}

#[test]
fn about_half_of_a_relu_layer_is_active_initially() {
    const SAMPLES: usize = 64;
    for backend in backends() {
        for seed in 0..2 {
            let case = Case::plain(4096, &[512], 2, SAMPLES);
            let ops = case.plan().ops;
            let relu = ops.iter().find(|op| matches!(op, Op::Activate { .. })).unwrap();
            let start = Start { hidden: Init::He, output: Init::Zeros, output_bias: vec![] };
            let x = normal(100 + seed, SAMPLES * 4096);
            let rows = MemoryRows::numbers(&x, 4096, &[0; SAMPLES]);
            let mut program = compile(&*backend, &case, rows, &case.network.start(&start, seed));
            let active = infer(&mut *program, relu.writes(), SAMPLES);
            assert_eq!(active.len(), SAMPLES * 512);
            let share = active.iter().filter(|&&a| a > 0.0).count() as f64 / active.len() as f64;
            assert!((0.45..=0.55).contains(&share), "seed {seed}: {share}");
        }
    }
}

#[test]
fn layers_without_activations_collapse_to_one_matrix() {
    for backend in backends() {
        let widths = [6, 5, 4, 3];
        let mut case = Case::plain(widths[0], &widths[1..3], widths[3], 7);
        case.network.hidden.iter_mut().for_each(|layer| layer.activation = Activation::Identity);
        let mut state = case.start();
        for (i, biases) in state.params.iter_mut().skip(1).step_by(2).enumerate() {
            *biases = Numbers::F32(normal(i as u64, biases.len()));
        }
        // W = W₃ W₂ W₁ and b = W₃ (W₂ b₁ + b₂) + b₃. Unit vectors yield the columns of W, zero
        // yields b.
        let forward = |x: &[f64], with_bias: bool| {
            state.params.chunks_exact(2).fold(x.to_vec(), |x, layer| {
                let (w, b) = (layer[0].to_f64(), layer[1].to_f64());
                let dot = |w: &[f64]| w.iter().zip(&x).map(|(w, x)| w * x).sum::<f64>();
                let rows = w.chunks_exact(x.len()).zip(&b);
                rows.map(|(w, b)| dot(w) + if with_bias { *b } else { 0.0 }).collect()
            })
        };
        let unit =
            |i: usize| (0..widths[0]).map(|j| f64::from(u8::from(i == j))).collect::<Vec<_>>();
        let columns: Vec<Vec<f64>> = (0..widths[0]).map(|i| forward(&unit(i), false)).collect();
        let bias = forward(&vec![0.0; widths[0]], true);

        let x = normal(9, 7 * widths[0]);
        let rows = MemoryRows::numbers(&x, widths[0], &[0; 7]);
        let mut program = compile(&*backend, &case, rows, &state);
        let z = infer(&mut *program, case.plan().output, 7);
        for (x, z) in x.chunks_exact(widths[0]).zip(z.chunks_exact(widths[3])) {
            for (o, z) in z.iter().enumerate() {
                let sum: f64 = x.iter().zip(&columns).map(|(x, c)| f64::from(*x) * c[o]).sum();
                let expected = sum + bias[o];
                assert!((f64::from(*z) - expected).abs() < 1e-5, "{z} {expected}");
            }
        }
    }
}

/// One value of the plan for the first rows, in evaluation mode.
fn infer(program: &mut dyn Program, tap: Value, rows: usize) -> Vec<f32> {
    let order: Vec<u32> = (0..rows as u32).collect();
    let mut out = Outputs::default();
    program.infer(DATA, &order, &[tap], &mut out).unwrap();
    out.values.remove(0)
}
