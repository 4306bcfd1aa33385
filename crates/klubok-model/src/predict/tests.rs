//! Tests that predictions agree with the reference, and that a model that does not fit is an error.

use std::{sync::Arc, thread};

use klubok_nn::{
    backend::{Backend, DataId, Outputs},
    calibration::Calibration,
    init::Init,
    layers::activation::sigmoid,
    network::{Hidden, Network, OutputKind, Start},
    plan::{Activation, Augment, Picture},
    reference::ReferenceBackend,
    rows::MemoryRows,
    state::{State, Weights},
};
use proptest::prelude::*;

use super::*;
use crate::Fit;

const fn shared<T: Send + Sync>() {}
const _: () = shared::<Model>();
const _: () = shared::<Scratch>();

/// `len` numbers from -1 to 1.
fn numbers(seed: u64, len: usize) -> Vec<f32> {
    let number = |i: u64| {
        let hash = (seed + i + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        ((hash ^ (hash >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 40) as f32 / 2f32.powi(23)
    };
    (0..len as u64).map(|i| number(i) - 1.0).collect()
}

/// Numbers from `low` to `high`.
fn between(low: f32, high: f32, seed: u64, len: usize) -> Vec<f32> {
    numbers(seed, len).into_iter().map(|x| low + f32::midpoint(x, 1.0) * (high - low)).collect()
}

fn model(
    input: Input,
    hidden: Vec<Hidden>,
    outputs: usize,
    answer: OutputKind,
    seed: u64,
) -> Model {
    let (inputs, channels) = match &input {
        Input::Pictures(picture) => (picture.values(), picture.channels),
        Input::Columns(names) => (names.len(), names.len()),
    };
    let mean = between(-10.0, 10.0, seed, channels);
    let std = between(0.5, 20.0, seed + 1, channels);
    let network = Network { inputs, input_dropout: 0.1, hidden, outputs, answer };
    let start = Start { hidden: Init::He, output: Init::Glorot, output_bias: vec![] };
    let State { mut params, mut running, .. } = network.start(&start, seed);
    let (of_params, of_running) = network.tensors();
    for (i, (values, spec)) in params.iter_mut().zip(of_params).enumerate() {
        if spec.shape.len() == 1 {
            *values = Numbers::F32(between(-0.5, 1.5, seed + i as u64, spec.shape[0]));
        }
    }
    for (i, (values, spec)) in running.iter_mut().zip(of_running).enumerate() {
        // Means and variances take turns.
        let low = if i % 2 == 0 { -1.0 } else { 0.2 };
        *values = Numbers::F32(between(low, 1.5, seed + i as u64, spec.len));
    }
    Model {
        network,
        preprocessing: Preprocessing { input, fit: Fit::Squash, mean, std, target: None },
        outputs: (0..outputs).map(|i| i.to_string()).collect(),
        calibration: Calibration { temperature: 1.5, uniform: 0.01 },
        card: None,
        weights: Weights { params, running },
    }
}

fn columns(count: usize) -> Input {
    Input::Columns((0..count).map(|i| i.to_string()).collect())
}

fn hidden(units: usize, batch_norm: bool) -> Hidden {
    Hidden { units, activation: Activation::Gelu, batch_norm, dropout: 0.3 }
}

/// 5 columns, two hidden layers, 3 classes.
fn example() -> Model {
    let hidden = vec![hidden(7, true), hidden(18, false)];
    model(columns(5), hidden, 3, OutputKind::Classes, 1)
}

fn sample(model: &Model, seed: u64) -> Vec<f32> {
    let len = model.network.inputs;
    match model.preprocessing.input {
        Input::Pictures(_) => between(0.0, 255.0, seed, len).iter().map(|x| x.round()).collect(),
        Input::Columns(_) => between(-30.0, 30.0, seed, len),
    }
}

/// Logits of the reference.
fn logits(model: &Model, sample: &[f32]) -> Vec<f64> {
    let plan = model.network.lower_for_inference(model.preprocessing.prepare(Augment::default()));
    let rows = match model.preprocessing.input {
        Input::Pictures(_) => {
            let pixels = sample.iter().map(|x| *x as u8).collect();
            MemoryRows::pictures(pixels, sample.len(), &[0])
        }
        Input::Columns(_) => MemoryRows::numbers(sample, sample.len(), &[0]),
    };
    let mut program = ReferenceBackend.compile(&plan, 1, &[Arc::new(rows)]).unwrap();
    program.load(&State::from(model.weights.clone())).unwrap();
    let mut out = Outputs::default();
    program.infer(DataId(0), &[0], &[plan.output], &mut out).unwrap();
    out.values[0].iter().map(|z| f64::from(*z)).collect()
}

/// Checks a prediction against the reference, and that a used scratch does not change its bits.
fn check(model: &Model, sample: &[f32]) {
    let logits = logits(model, sample);
    let size = logits.iter().fold(1.0, |size: f64, z| size.max(z.abs()));
    let mut expected = logits;
    match model.network.answer {
        OutputKind::Classes => model.calibration.confidences(&mut expected),
        OutputKind::Labels => expected.iter_mut().for_each(|z| *z = sigmoid(*z)),
        OutputKind::Numbers => {}
    }
    let got = model.predict(sample).unwrap();
    for (got, expected) in got.iter().zip(&expected) {
        let error = (f64::from(*got) - expected).abs();
        assert!(
            error <= 1e-5 * size,
            "{got} instead of {expected}, logits up to {size}: {model:?}"
        );
    }
    let (mut scratch, mut out) = (Scratch::default(), vec![f32::NAN; got.len()]);
    let other = example();
    other.predict_into(&[1.0; 5], &mut [0.0; 3], &mut scratch).unwrap();
    for _ in 0..2 {
        model.predict_into(sample, &mut out, &mut scratch).unwrap();
        assert_eq!(out, got);
    }
}

fn any_activation() -> impl Strategy<Value = Activation> {
    proptest::sample::select(Activation::ALL.to_vec())
}

fn any_input() -> impl Strategy<Value = Input> {
    let picture = |(width, height, channels)| Input::Pictures(Picture { width, height, channels });
    let channels = proptest::sample::select(vec![1usize, 3]);
    prop_oneof![(1..60usize).prop_map(columns), (1..9usize, 1..9usize, channels).prop_map(picture),]
}

prop_compose! {
    fn any_model()(
        input in any_input(),
        layers in proptest::collection::vec((1..40usize, any_activation(), any::<bool>()), 0..4),
        outputs in 1..12usize,
        answer in proptest::sample::select(
            vec![OutputKind::Classes, OutputKind::Labels, OutputKind::Numbers]
        ),
        seed in 0..1_000_000u64,
    ) -> Model {
        let layers = layers.into_iter().map(|(units, activation, batch_norm)| {
            Hidden { activation, ..hidden(units, batch_norm) }
        });
        model(input, layers.collect(), outputs, answer, seed)
    }
}

proptest! {
    #[test]
    fn agrees_with_the_reference(model in any_model(), seed in 0..1_000_000u64) {
        check(&model, &sample(&model, seed));
    }

    #[test]
    fn tensors_of_any_size_are_errors_and_no_panics(
        seed in any::<usize>(), len in 0..200usize, tensors in 0..9usize, wide: bool,
    ) {
        let mut model = example();
        let Weights { params, running } = &mut model.weights;
        let all: Vec<&mut Numbers> = params.iter_mut().chain(running).collect();
        let count = all.len();
        let tensor = all.into_iter().nth(seed % count).unwrap();
        let fits = tensor.len() == len;
        *tensor = if wide { Numbers::F64(vec![0.5; len]) } else { Numbers::F32(vec![0.5; len]) };
        prop_assert_eq!(model.predict(&[1.0; 5]).is_ok(), fits);
        let mut model = example();
        let fits = model.weights.params.len() == tensors;
        model.weights.params.resize(tensors, Numbers::F32(vec![]));
        prop_assert_eq!(model.predict(&[1.0; 5]).is_ok(), fits);
    }
}

#[test]
fn every_activation_with_and_without_batch_norm() {
    for activation in Activation::ALL {
        for batch_norm in [false, true] {
            let layer = Hidden { activation, ..hidden(21, batch_norm) };
            let model = model(columns(33), vec![layer; 2], 4, OutputKind::Numbers, 5);
            (0..20).for_each(|seed| check(&model, &sample(&model, seed)));
        }
    }
}

#[test]
fn one_unit_by_hand() {
    let mut model = model(columns(2), vec![], 1, OutputKind::Numbers, 1);
    model.preprocessing.mean = vec![1.0, 0.0];
    model.preprocessing.std = vec![2.0, 1.0];
    model.weights.params = vec![Numbers::F32(vec![3.0, -1.0]), Numbers::F32(vec![0.5])];
    // 3 (5 - 1) / 2 - 4 + 0.5
    assert_eq!(model.predict(&[5.0, 4.0]).unwrap(), [2.5]);
    model.network.answer = OutputKind::Labels;
    assert_eq!(model.predict(&[5.0, 6.5]).unwrap(), [0.5]);
    assert_eq!(model.predict(&[5.0, 1e6]).unwrap(), [0.0]);
}

#[test]
fn weights_in_f64_predict_the_same() {
    let (narrow, mut wide) = (example(), example());
    let Weights { params, running } = &mut wide.weights;
    for tensor in params.iter_mut().chain(running) {
        *tensor = Numbers::F64(tensor.to_f64());
    }
    let sample = sample(&narrow, 3);
    let pairs = narrow.predict(&sample).unwrap().into_iter().zip(wide.predict(&sample).unwrap());
    assert!(pairs.into_iter().all(|(a, b)| (a - b).abs() < 1e-6));
}

#[test]
fn threads_share_a_model_and_get_the_same_bits() {
    let model = example();
    let samples: Vec<_> = (0..50).map(|seed| sample(&model, seed)).collect();
    let predictions = || {
        let (mut scratch, mut out) = (Scratch::default(), [0.0; 3]);
        let predict = |sample: &Vec<f32>| {
            model.predict_into(sample, &mut out, &mut scratch).unwrap();
            out.map(f32::to_bits)
        };
        samples.iter().map(predict).collect::<Vec<_>>()
    };
    let expected = predictions();
    thread::scope(|scope| {
        for thread in [(); 4].map(|()| scope.spawn(predictions)) {
            assert_eq!(thread.join().unwrap(), expected);
        }
    });
}

#[test]
fn wrong_sizes_and_values_that_are_not_finite_are_errors() {
    let (model, mut scratch) = (example(), Scratch::default());
    let mut refused = |sample: &[f32], room, message: &str| {
        let mut out = vec![7.0; room];
        let error = model.predict_into(sample, &mut out, &mut scratch).unwrap_err();
        assert_eq!(error.to_string(), message);
        assert!(out.iter().all(|x| *x == 7.0));
    };
    refused(&[1.0; 4], 3, "the sample has 4 values, the model expects 5");
    refused(&[], 3, "the sample has 0 values, the model expects 5");
    refused(&[1.0; 5], 4, "there is room for 4 predicted values, the model predicts 3");
    let value = |value| [1.0, 1.0, value, 1.0, f32::NAN];
    let every = "every value must be a finite number";
    refused(&value(f32::NAN), 3, &format!("value 2 of the sample is NaN: {every}"));
    refused(&value(-f32::INFINITY), 3, &format!("value 2 of the sample is -inf: {every}"));
    refused(&value(0.0), 3, &format!("value 4 of the sample is NaN: {every}"));
}

#[test]
fn changed_fields_that_do_not_fit_are_errors() {
    let refused = |change: fn(&mut Model), flaw: &str| {
        let mut model = example();
        change(&mut model);
        let sample = vec![1.0; model.network.inputs.min(100)];
        let error = model.predict(&sample).unwrap_err().to_string();
        assert_eq!(error, format!("the model cannot predict: {flaw}"));
    };
    let empty = "its network has a layer of size 0";
    refused(|m| m.network.outputs = 0, empty);
    refused(|m| m.network.hidden[1].units = 0, empty);
    refused(|m| m.network.inputs = 0, empty);
    let shape = |tensor, got, expected| {
        format!("tensor `{tensor}` is {got} values where the network expects {expected}")
    };
    refused(
        |m| m.network.hidden[0].units = usize::MAX,
        &shape("hidden1.weight", 35, format!("[{}, 5]", usize::MAX)),
    );
    refused(|m| m.network.outputs = 4, "it has 3 names for 4 outputs");
    refused(
        |m| m.weights.running[1] = Numbers::F32(vec![1.0; 8]),
        &shape("hidden1.norm.running_var", 8, "[7]".into()),
    );
    refused(
        |m| m.network.hidden[0].batch_norm = false,
        "tensor `number 7` is not part of the network",
    );
    refused(|m| m.network.hidden[1].batch_norm = true, "tensor `output.bias` is missing");
    refused(|m| m.weights.running.clear(), "tensor `hidden1.norm.running_mean` is missing");
    refused(
        |m| {
            let bias = m.weights.params.pop().unwrap();
            m.weights.running.insert(0, bias);
        },
        "tensor `output.bias` is missing",
    );
    let preprocessing = "its preprocessing does not fit a network with 5 inputs";
    refused(|m| m.preprocessing.std.clear(), preprocessing);
    refused(|m| m.preprocessing.mean.push(0.0), preprocessing);
    let picture = |width, channels| Input::Pictures(Picture { width, height: 1, channels });
    refused(
        |m| m.preprocessing.input = Input::Pictures(Picture { width: 1, height: 1, channels: 5 }),
        "its pictures have 5 channels: grey ones have 1, others 3",
    );
    let mut model = example();
    for input in [picture(5, 1), picture(usize::MAX, 3), picture(0, 0)] {
        model.preprocessing.input = input;
        assert!(matches!(model.predict(&[1.0; 5]), Err(ModelError::Unusable { .. })));
    }
}
