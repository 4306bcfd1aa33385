//! Compares losses, gradients and updates with PyTorch in double precision.
//! `tests/golden/make_golden.py` made the fixtures. A tensor agrees if the norm of the difference
//! is at most 1e-8 of its norm.

use std::{collections::BTreeMap, sync::Arc};

use klubok_nn::{
    backend::{Backend, DataId, Figures, Program, Step},
    network::{Hidden, Network, OutputKind},
    optim::{Rule, UpdateSpec},
    plan::{Activation, Augment, InputSpec, LossKind, LossSpec, Plan},
    reference::ReferenceBackend,
    rows::{MemoryRows, Rows},
    state::{Numbers, State, Weights},
};
use safetensors::{Dtype, SafeTensors};

/// Limit of the relative difference.
const TOLERANCE: f64 = 1e-8;
/// Rounding error of sums of numbers around 1. Some gradients are 0 except for rounding: the shift
/// of a normalisation has no effect if only the identity and a linear layer separate it from the
/// next normalisation.
const ROUNDING: f64 = 1e-14;
const DATA: DataId = DataId(0);

type Tensors = BTreeMap<String, Vec<f64>>;

/// All tensors of a fixture in f64.
fn fixture(name: &str) -> Tensors {
    let path = format!("{}/tests/golden/{name}.safetensors", env!("CARGO_MANIFEST_DIR"));
    let bytes = fs_err::read(path).unwrap();
    let numbers = |dtype, bytes: &[u8]| -> Vec<f64> {
        match dtype {
            Dtype::F64 => {
                bytes.chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().unwrap())).collect()
            }
            Dtype::U32 => bytes
                .chunks_exact(4)
                .map(|b| f64::from(u32::from_le_bytes(b.try_into().unwrap())))
                .collect(),
            other => panic!("{other:?}"),
        }
    };
    let file = SafeTensors::deserialize(&bytes).unwrap();
    file.iter().map(|(name, t)| (name.into(), numbers(t.dtype(), t.data()))).collect()
}

fn f32s(tensors: &Tensors, name: &str) -> Vec<f32> {
    let values = &tensors[name];
    let rounded: Vec<f32> = values.iter().map(|&v| v as f32).collect();
    assert!(values.iter().zip(&rounded).all(|(v, r)| *v == f64::from(*r)), "{name} needs doubles");
    rounded
}

fn u32s(tensors: &Tensors, name: &str) -> Vec<u32> {
    tensors[name].iter().map(|&v| v as u32).collect()
}

fn plan(
    widths: &[usize],
    activation: Activation,
    batch_norm: bool,
    loss: LossSpec,
    update: UpdateSpec,
) -> Plan {
    let (inputs, outputs) = (widths[0], widths[widths.len() - 1]);
    let hidden = widths[1..widths.len() - 1]
        .iter()
        .map(|&units| Hidden { units, activation, batch_norm, dropout: 0.0 })
        .collect();
    let network =
        Network { inputs, input_dropout: 0.0, hidden, outputs, answer: OutputKind::Classes };
    let (factor, offset) = (vec![1.0], vec![0.0]);
    let prepare = InputSpec { factor, offset, picture: None, augment: Augment::default() };
    network.lower(prepare, loss, update, 0)
}

/// A program on `rows` with the parameters and statistics whose names start with `prefix`.
fn program(plan: &Plan, rows: MemoryRows, tensors: &Tensors, prefix: &str) -> Box<dyn Program> {
    let get = |name: &str| Numbers::F64(tensors[&format!("{prefix}{name}")].clone());
    let state = State {
        params: plan.params.iter().map(|p| get(&p.name)).collect(),
        running: plan.running.iter().map(|r| get(&r.name)).collect(),
        moments: vec![],
    };
    let max_batch = rows.len();
    let mut program = ReferenceBackend.compile(plan, max_batch, &[Arc::new(rows)]).unwrap();
    program.load(&state).unwrap();
    program
}

/// Mean loss of the last step.
fn loss_of(program: &mut dyn Program) -> f64 {
    let mut figures = Figures::default();
    program.read(&mut figures);
    let [step] = figures.steps[..] else { panic!("{} steps", figures.steps.len()) };
    step.loss_sum / step.weight_sum
}

#[track_caller]
fn agree(name: &str, got: &[f64], expected: &[f64]) {
    assert_eq!(got.len(), expected.len(), "{name}");
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
    let difference = norm(&mut got.iter().zip(expected).map(|(g, e)| g - e));
    let size = norm(&mut expected.iter().copied());
    let allowed = (TOLERANCE * size).max(ROUNDING);
    assert!(difference <= allowed, "{name}: differs by {difference}, is {size}");
}

/// The losses of `make_golden.py`: name, loss, rows and weights of the samples.
fn losses(data: &Tensors) -> Vec<(&'static str, LossSpec, MemoryRows, Vec<f64>)> {
    let x = f32s(data, "data/x");
    let (classes, weights) = (u32s(data, "data/classes"), f32s(data, "data/sample_weights"));
    let (width, ones) = (x.len() / classes.len(), vec![1.0; classes.len()]);
    let outputs = data["data/numbers"].len() / classes.len();
    let sample_weights = &data["data/sample_weights"];
    let class_weights = &data["data/class_weights"];
    let product = |(class, weight): (&u32, &f64)| class_weights[*class as usize] * weight;
    let products = classes.iter().zip(sample_weights).map(product).collect();
    let with_classes = MemoryRows::numbers(&x, width, &classes);
    let with_targets = |name| MemoryRows::regression(&x, width, &f32s(data, name), outputs);
    let spec = |kind| LossSpec { kind, ..LossSpec::CROSS_ENTROPY };
    let smooth = LossSpec {
        class_weights: class_weights.clone(),
        label_smoothing: 0.1,
        ..LossSpec::CROSS_ENTROPY
    };
    vec![
        ("cross_entropy", LossSpec::CROSS_ENTROPY, with_classes.clone(), ones.clone()),
        ("cross_entropy_weighted", smooth, with_classes.weighted(&weights), products),
        (
            "binary_cross_entropy",
            spec(LossKind::BinaryCrossEntropy),
            with_targets("data/labels").weighted(&weights),
            sample_weights.clone(),
        ),
        ("mean_squared", spec(LossKind::MeanSquared), with_targets("data/numbers"), ones),
        (
            "huber",
            spec(LossKind::Huber { delta: 1.0 }),
            with_targets("data/numbers").weighted(&weights),
            sample_weights.clone(),
        ),
    ]
}

#[test]
fn every_activation_with_every_loss_with_and_without_batch_norm() {
    let golden = fixture("losses");
    let mut remaining = golden.keys().filter(|name| name.contains("/d_")).count();
    for (kind, loss, rows, weights) in losses(&golden) {
        let order: Vec<u32> = (0..rows.len() as u32).collect();
        let weight_sum = weights.iter().sum();
        let step = Step {
            index: 0,
            rows: &order,
            first: 0,
            weight_sum,
            learning_rate: 0.0,
            observe: true,
        };
        for (norm, batch_norm) in [("plain", false), ("norm", true)] {
            for activation in Activation::ALL {
                let plan =
                    plan(&[5, 6, 4, 3], activation, batch_norm, loss.clone(), UpdateSpec::SGD);
                let mut program = program(&plan, rows.clone(), &golden, &format!("{norm}/"));
                let activation = serde_json::to_value(activation).unwrap();
                let case = format!("{norm}/{}/{kind}", activation.as_str().unwrap());
                let mut gradients = Weights::default();
                program.gradients(DATA, &step, &mut gradients).unwrap();
                for (param, gradient) in plan.params.iter().zip(&gradients.params) {
                    let name = format!("{case}/d_{}", param.name);
                    agree(&name, &gradient.to_f64(), &golden[&name]);
                    remaining -= 1;
                }
                program.train(DATA, &step).unwrap();
                let name = format!("{case}/loss");
                agree(&name, &[loss_of(&mut *program)], &golden[&name]);
            }
        }
    }
    assert_eq!(remaining, 0, "gradients without a comparison");
}

/// Compares losses, parameters and running statistics of ten steps.
#[track_caller]
fn ten_steps(name: &str, learning_rate: f64, update: UpdateSpec) {
    let golden = fixture("updates");
    let classes = u32s(&golden, "data/classes");
    let rows = MemoryRows::numbers(&f32s(&golden, "data/x"), 5, &classes);
    let plan = plan(&[5, 8, 6, 3], Activation::Relu, true, LossSpec::CROSS_ENTROPY, update);
    let mut program = program(&plan, rows, &golden, "start/");
    let (batches, mut losses) = (u32s(&golden, "data/batches"), Vec::new());
    for (index, rows) in (0..10).zip(batches.chunks_exact(16)) {
        let step = Step { index, rows, first: 0, weight_sum: 16.0, learning_rate, observe: true };
        program.train(DATA, &step).unwrap();
        losses.push(loss_of(&mut *program));
        if ![1, 2, 10].contains(&(index + 1)) {
            continue;
        }
        let mut weights = Weights::default();
        program.store_weights(&mut weights).unwrap();
        let params = plan.params.iter().map(|p| &p.name).zip(&weights.params);
        for (tensor, got) in
            params.chain(plan.running.iter().map(|r| &r.name).zip(&weights.running))
        {
            let name = format!("{name}/step{}/{tensor}", index + 1);
            agree(&name, &got.to_f64(), &golden[&name]);
        }
    }
    agree(name, &losses, &golden[&format!("{name}/losses")]);
}

const MOMENTUM: UpdateSpec =
    UpdateSpec { rule: Rule::Sgd { momentum: 0.9, nesterov: false }, ..UpdateSpec::SGD };
const ADAM: UpdateSpec =
    UpdateSpec { rule: Rule::Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 }, ..UpdateSpec::SGD };

fn rmsprop(momentum: f64) -> UpdateSpec {
    UpdateSpec { rule: Rule::RmsProp { decay: 0.99, epsilon: 1e-8, momentum }, ..UpdateSpec::SGD }
}

#[test]
fn sgd() {
    ten_steps("sgd", 0.1, UpdateSpec::SGD);
}

#[test]
fn sgd_with_momentum() {
    ten_steps("momentum", 0.05, MOMENTUM);
}

#[test]
fn sgd_with_nesterov_momentum() {
    let rule = Rule::Sgd { momentum: 0.9, nesterov: true };
    ten_steps("nesterov", 0.05, UpdateSpec { rule, ..UpdateSpec::SGD });
}

#[test]
fn rmsprop_without_momentum() {
    ten_steps("rmsprop", 0.01, rmsprop(0.0));
}

#[test]
fn rmsprop_with_momentum() {
    ten_steps("rmsprop_momentum", 0.003, rmsprop(0.9));
}

#[test]
fn adam() {
    ten_steps("adam", 0.01, ADAM);
}

#[test]
fn adam_with_decoupled_decay() {
    ten_steps("adamw", 0.01, UpdateSpec { weight_decay: 0.1, ..ADAM });
}

#[test]
fn momentum_with_l1_and_l2() {
    ten_steps("momentum_l1_l2", 0.05, UpdateSpec { l1: 0.003, l2: 0.02, ..MOMENTUM });
}

#[test]
fn adam_with_l2() {
    ten_steps("adam_l2", 0.01, UpdateSpec { l2: 0.02, ..ADAM });
}

#[test]
fn momentum_clipped_by_the_global_norm() {
    ten_steps("momentum_clipped", 0.05, UpdateSpec { clip_norm: Some(0.25), ..MOMENTUM });
}

#[test]
fn adam_with_l2_clipped_by_the_global_norm() {
    ten_steps("adam_l2_clipped", 0.01, UpdateSpec { l2: 0.02, clip_norm: Some(0.25), ..ADAM });
}
