//! The ONNX file, read again and computed.

use std::path::Path;

use klubok_export::{
    WeightFormat, int8,
    onnx::{
        CLASS, InputForm, LABEL, OnnxError, OnnxFile, OnnxOptions, PROBABILITIES, VALUES,
        messages::{DataType, Graph, Opset, Property},
    },
};
use klubok_model::{Card, Fit, Input, Model, Training, Validation};
use klubok_nn::{network::OutputKind, plan::Picture};
use prost::Message;

use super::{
    interpreter::{Values, run},
    models::{model, rows},
};

const MODELS: u64 = 100;
const SAMPLES: usize = 100;

/// `ModelProto`.
#[derive(Message)]
struct Read {
    #[prost(int64, tag = "1")]
    ir_version: i64,
    #[prost(string, tag = "2")]
    producer_name: String,
    #[prost(string, tag = "6")]
    doc_string: String,
    #[prost(message, required, tag = "7")]
    graph: Graph,
    #[prost(message, repeated, tag = "8")]
    opset_import: Vec<Opset>,
    #[prost(message, repeated, tag = "14")]
    metadata_props: Vec<Property>,
}

impl Read {
    fn property(&self, key: &str) -> Option<&str> {
        let found = self.metadata_props.iter().find(|entry| entry.key == key);
        found.map(|entry| entry.value.as_str())
    }
}

fn bytes(model: &Model, options: OnnxOptions) -> Vec<u8> {
    let mut bytes = Vec::new();
    OnnxFile::new(model, options).unwrap().write(&mut bytes).unwrap();
    bytes
}

fn read(model: &Model, options: OnnxOptions) -> Read {
    Read::decode(bytes(model, options).as_slice()).unwrap()
}

fn with(input: InputForm) -> OnnxOptions {
    OnnxOptions { input: Some(input), ..OnnxOptions::default() }
}

/// The first model with these outputs and this kind of input.
fn first(answer: OutputKind, pictures: bool) -> Model {
    let fits = |model: &Model| {
        let is_picture = matches!(model.preprocessing.input, Input::Pictures(_));
        model.network.answer == answer && is_picture == pictures
    };
    (0..MODELS).map(model).find(fits).unwrap()
}

/// The forms that the input of a model can have.
fn forms(model: &Model) -> &'static [InputForm] {
    match model.preprocessing.input {
        Input::Pictures(_) => &[InputForm::Bytes, InputForm::Numbers],
        Input::Columns(_) => &[InputForm::Numbers],
    }
}

/// Sizes of an input or output, none for one that every call chooses.
fn shape(graph: &Graph, name: &str) -> (i32, Vec<Option<i64>>) {
    let value = graph.input.iter().chain(&graph.output).find(|value| value.name == name).unwrap();
    let tensor = value.kind.clone().unwrap().tensor.unwrap();
    (tensor.elem_type, tensor.shape.unwrap().dim.iter().map(|dim| dim.dim_value).collect())
}

/// Computes a file and compares it with klubok's predictions.
fn compare(model: &Model, rows: &[Vec<f32>], options: OnnxOptions, what: &str) {
    let graph = read(model, options).graph;
    let (_, sizes) = shape(&graph, "input");
    let row = model.network.inputs;
    assert_eq!(sizes[1..].iter().flatten().product::<i64>(), row as i64);
    let width = sizes.last().unwrap().unwrap() as usize;
    let numbers = rows.iter().flatten().map(|value| f64::from(*value)).collect();
    let all = run(&graph, Values { width, row, numbers });
    let name = match model.network.answer {
        OutputKind::Numbers => VALUES,
        OutputKind::Classes | OutputKind::Labels => PROBABILITIES,
    };
    assert!(graph.output.iter().all(|output| all.contains_key(&output.name)), "{what}");
    let outputs = model.network.outputs;
    for (i, row) in rows.iter().enumerate() {
        let got = &all[name].numbers[i * outputs..(i + 1) * outputs];
        let expected = model.predict(row).unwrap();
        for (k, (got, expected)) in got.iter().zip(&expected).enumerate() {
            // Confidences lie between 0 and 1; numbers have a scale of their own.
            let scale = model.preprocessing.target.as_ref().map_or(1.0, |target| target.std[k]);
            let most = f64::from(1e-5 * expected.abs().max(scale));
            let error = (got - f64::from(*expected)).abs();
            assert!(error <= most, "{what}, sample {i}: {got} instead of {expected}");
        }
        if let Some(classes) = all.get(CLASS) {
            let largest = got.iter().copied().fold(0.0, f64::max);
            assert_eq!(got[classes.numbers[i] as usize], largest, "{what}, sample {i}");
        }
    }
}

#[test]
fn a_graph_predicts_what_klubok_predicts() {
    for seed in 0..MODELS {
        let model = model(seed);
        let rows = rows(&model, seed + 1000, SAMPLES);
        for &form in forms(&model) {
            compare(&model, &rows, with(form), &format!("model {seed}, {form:?}"));
        }
        let options = OnnxOptions { weights: WeightFormat::Int8, ..OnnxOptions::default() };
        compare(&int8(&model), &rows, options, &format!("model {seed} in 8 bits"));
    }
}

#[test]
fn the_same_model_gives_the_same_bytes() {
    for seed in 0..10 {
        let options = OnnxOptions::default();
        assert_eq!(bytes(&model(seed), options), bytes(&model(seed), options));
    }
}

#[test]
fn inputs_and_outputs_are_declared() {
    let pictures = first(OutputKind::Classes, true);
    let Input::Pictures(Picture { width, height, channels }) = pictures.preprocessing.input else {
        panic!("no pictures");
    };
    let sizes = [height, width, channels].map(|n| Some(n as i64));
    let (inputs, outputs) = (pictures.network.inputs as i64, pictures.network.outputs as i64);
    let graph = read(&pictures, OnnxOptions::default()).graph;
    let bytes = [vec![None], sizes.to_vec()].concat();
    assert_eq!(shape(&graph, "input"), (DataType::Uint8 as i32, bytes));
    let numbers = vec![None, Some(inputs)];
    let graph = read(&pictures, OnnxOptions { label: true, ..with(InputForm::Numbers) }).graph;
    assert_eq!(shape(&graph, "input"), (DataType::Float as i32, numbers));
    let names: Vec<&str> = graph.output.iter().map(|output| output.name.as_str()).collect();
    assert_eq!(names, [LABEL, CLASS, PROBABILITIES]);
    assert_eq!(shape(&graph, LABEL), (DataType::String as i32, vec![None]));
    assert_eq!(shape(&graph, CLASS), (DataType::Int64 as i32, vec![None]));
    assert_eq!(shape(&graph, PROBABILITIES).1, [None, Some(outputs)]);
    let texts = graph.initializer.iter().find(|tensor| tensor.name == "names").unwrap();
    assert_eq!(texts.string_data[0], b"output 0");
    let table = first(OutputKind::Numbers, false);
    let graph = read(&table, OnnxOptions::default()).graph;
    assert_eq!(shape(&graph, "input").1, [None, Some(table.network.inputs as i64)]);
    assert_eq!(graph.output.len(), 1);
    assert_eq!(shape(&graph, VALUES).1, [None, Some(table.network.outputs as i64)]);
}

#[test]
fn the_metadata_say_what_the_model_is() {
    let mut pictures = first(OutputKind::Classes, true);
    pictures.preprocessing.fit = Fit::Pad;
    pictures.outputs[0] = "a \"cat\", é".into();
    let outputs = pictures.network.outputs;
    pictures.card = Some(Card {
        training: Training {
            identity: "0123".into(),
            samples: vec![40; outputs],
            split_seed: 0,
            val_fraction: 0.2,
        },
        validation: Some(Validation {
            accuracy: 0.9,
            accuracy_interval: [0.8, 0.95],
            chance: 0.5,
            chose_epoch: true,
            samples: 80,
        }),
        errors: None,
        typical: None,
    });
    let file = read(&pictures, OnnxOptions::default());
    assert_eq!((file.ir_version, file.producer_name.as_str()), (7, "klubok"));
    let opset = Opset { domain: Some(String::new()), version: 13 };
    assert_eq!(file.opset_import, [opset]);
    assert!(file.doc_string.ends_with("Written by klubok."), "{}", file.doc_string);
    let keys: Vec<&str> = file.metadata_props.iter().map(|entry| entry.key.as_str()).collect();
    assert!(keys.is_sorted(), "{keys:?}");
    let names = serde_json::to_string(&pictures.outputs).unwrap();
    assert_eq!(file.property("names"), Some(names.as_str()));
    assert_eq!((file.property("task"), file.property("fit")), (Some("class"), Some("pad")));
    assert_eq!(file.property("temperature"), Some("1.7"));
    assert!(file.property("quality").unwrap().contains("80 validation samples: 90.0 %"));
    let card: serde_json::Value = serde_json::from_str(file.property("card").unwrap()).unwrap();
    assert_eq!(card["validation"]["accuracy"], 0.9);
    assert_eq!(card["training"]["samples"][0], 40);
    let table = read(&first(OutputKind::Numbers, false), OnnxOptions::default());
    assert!(table.property("columns").unwrap().starts_with("[\"column 0\""));
    assert!(table.property("target").unwrap().starts_with("[\"number 0\""));
    assert_eq!((table.property("width"), table.property("temperature")), (None, None));
}

#[test]
fn what_a_model_does_not_have_is_refused() {
    let table = first(OutputKind::Labels, false);
    assert_eq!(
        OnnxFile::new(&table, with(InputForm::Bytes)).unwrap_err(),
        OnnxError::BytesOfColumns
    );
    let label = OnnxOptions { label: true, ..OnnxOptions::default() };
    assert_eq!(OnnxFile::new(&table, label).unwrap_err(), OnnxError::NoClasses);
}

/// A folder with the files of a hundred models for other runtimes, beside each its samples and
/// klubok's predictions.
#[test]
#[ignore = "writes into the folder that `KLUBOK_ONNX` names"]
fn files_for_other_runtimes() {
    let folder = std::env::var_os("KLUBOK_ONNX").expect("KLUBOK_ONNX names no folder");
    for seed in 0..MODELS {
        let model = model(seed);
        let rows = rows(&model, seed + 1000, SAMPLES);
        for &form in forms(&model) {
            write_samples(
                Path::new(&folder),
                &format!("{seed}-{form:?}"),
                &model,
                &rows,
                with(form),
            );
        }
        let options = OnnxOptions { weights: WeightFormat::Int8, ..with(InputForm::Numbers) };
        write_samples(Path::new(&folder), &format!("{seed}-int8"), &int8(&model), &rows, options);
    }
}

fn write_samples(
    folder: &Path,
    name: &str,
    model: &Model,
    rows: &[Vec<f32>],
    options: OnnxOptions,
) {
    let label = model.network.answer == OutputKind::Classes;
    let options = OnnxOptions { label, ..options };
    fs_err::write(folder.join(format!("{name}.onnx")), bytes(model, options)).unwrap();
    let predictions: Vec<Vec<f32>> = rows.iter().map(|row| model.predict(row).unwrap()).collect();
    let scale = model.preprocessing.target.as_ref().map(|target| target.std.clone());
    let scale = vec![scale.unwrap_or_else(|| vec![1.0; model.network.outputs])];
    for (what, values) in [("rows", rows), ("expected", &predictions), ("scale", &scale)] {
        fs_err::write(folder.join(format!("{name}.{what}.npy")), npy(values)).unwrap();
    }
}

/// A matrix as a file of NumPy.
fn npy(rows: &[Vec<f32>]) -> Vec<u8> {
    let shape = format!("({}, {})", rows.len(), rows[0].len());
    let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}}}");
    let mut bytes = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
    bytes.extend(format!("{header:<117}\n").bytes());
    bytes.extend(rows.iter().flatten().flat_map(|value| value.to_le_bytes()));
    bytes
}
