//! rten and tract read exported files and predict what klubok predicts.

#![expect(clippy::unwrap_used, reason = "a test ends where something fails")]

#[path = "../../../crates/klubok-export/tests/it/models.rs"]
mod models;
mod readers;

use klubok_export::{
    WeightFormat, int8,
    onnx::{InputForm, OnnxFile, OnnxOptions},
};
use klubok_model::{Input, Model};
use klubok_nn::network::OutputKind;

use models::{model, rows};
use readers::{Prediction, RUNTIMES, Rows, Runtime};

const MODELS: u64 = 100;
const SAMPLES: usize = 100;

fn file(model: &Model, options: OnnxOptions) -> Vec<u8> {
    let mut bytes = Vec::new();
    OnnxFile::new(model, options).unwrap().write(&mut bytes).unwrap();
    bytes
}

/// The forms of input that a model can have.
fn forms(model: &Model) -> &'static [InputForm] {
    match model.preprocessing.input {
        Input::Pictures(_) => &[InputForm::Bytes, InputForm::Numbers],
        Input::Columns(_) => &[InputForm::Numbers],
    }
}

/// Samples in the shape and type of an input.
fn shaped(model: &Model, form: InputForm, rows: &[Vec<f32>]) -> Rows {
    let (n, values) = (rows.len(), rows.concat());
    match (&model.preprocessing.input, form) {
        (Input::Pictures(shape), InputForm::Bytes) => {
            let shape = [n, shape.height, shape.width, shape.channels];
            Rows::Bytes(shape, values.iter().map(|value| *value as u8).collect())
        }
        _ => Rows::Numbers([n, model.network.inputs], values),
    }
}

/// Compares a runtime's prediction with klubok's, returns the largest error.
///
/// Confidences lie between 0 and 1; numbers have a scale of their own.
fn compare(model: &Model, rows: &[Vec<f32>], got: &Prediction, what: &str) -> f32 {
    let outputs = model.network.outputs;
    assert_eq!(got.values.len(), rows.len() * outputs, "{what}");
    let mut most = 0f32;
    for (i, (row, got_values)) in rows.iter().zip(got.values.chunks_exact(outputs)).enumerate() {
        let expected = model.predict(row).unwrap();
        for (k, (value, expected)) in got_values.iter().zip(&expected).enumerate() {
            let scale = model.preprocessing.target.as_ref().map_or(1.0, |target| target.std[k]);
            let error = (value - expected).abs() / expected.abs().max(scale);
            assert!(error <= 1e-5, "{what}, sample {i}: {got_values:?} instead of {expected:?}");
            most = most.max(error);
        }
        if let Some(classes) = &got.classes {
            let class = classes[i] as usize;
            let largest = got_values.iter().copied().fold(f32::MIN, f32::max);
            assert_eq!(got_values[class], largest, "{what}, sample {i}");
        }
    }
    most
}

/// Compares a hundred models in all forms; `change` is what the weights undergo before.
fn compare_all(runtime: &Runtime, weights: WeightFormat, change: impl Fn(Model) -> Model) {
    let mut most = 0f32;
    for seed in 0..MODELS {
        let model = change(model(seed));
        let rows = rows(&model, seed + 1000, SAMPLES);
        for &form in forms(&model) {
            let what = format!("{}, model {seed}, {form:?}", runtime.name);
            let options = OnnxOptions { input: Some(form), weights, label: false };
            let input = shaped(&model, form, &rows);
            let got = (runtime.predict)(&file(&model, options), input);
            let got = got.unwrap_or_else(|error| panic!("{what}: {error}"));
            most = most.max(compare(&model, &rows, &got, &what));
        }
    }
    println!("{}, {weights:?}: at most {most:e} from klubok", runtime.name);
}

#[test]
fn runtimes_predict_what_klubok_predicts() {
    for runtime in &RUNTIMES {
        compare_all(runtime, WeightFormat::F32, |model| model);
    }
}

#[test]
fn weights_in_eight_bits_are_read_too() {
    for runtime in &RUNTIMES {
        compare_all(runtime, WeightFormat::Int8, |model| int8(&model));
    }
}

#[test]
fn extreme_inputs_give_no_nan() {
    for runtime in &RUNTIMES {
        for seed in 0..MODELS {
            let model = model(seed);
            let mut rows = rows(&model, seed, 3);
            rows.iter_mut().flatten().for_each(|value| *value *= 1e3);
            let input = shaped(&model, InputForm::Numbers, &rows);
            let input_form = Some(InputForm::Numbers);
            let file = file(&model, OnnxOptions { input: input_form, ..OnnxOptions::default() });
            let got = (runtime.predict)(&file, input).unwrap();
            let is_finite = got.values.iter().all(|value| value.is_finite());
            assert!(is_finite, "{}, model {seed}: {:?}", runtime.name, got.values);
        }
    }
}

/// Why `label` must be asked for: rten reads no texts.
#[test]
fn not_every_runtime_reads_names() {
    let of_classes = |model: &Model| model.network.answer == OutputKind::Classes;
    let model = (0..MODELS).map(model).find(of_classes).unwrap();
    let rows = rows(&model, 1, 2);
    let input = Some(InputForm::Numbers);
    let file = file(&model, OnnxOptions { label: true, input, ..OnnxOptions::default() });
    for runtime in &RUNTIMES {
        let got = (runtime.predict)(&file, shaped(&model, InputForm::Numbers, &rows));
        match runtime.name {
            "rten" => assert!(got.unwrap_err().to_string().contains("STRING")),
            _ => assert!(compare(&model, &rows, &got.unwrap(), runtime.name) < 1e-5),
        }
    }
}
