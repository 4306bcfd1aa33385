//! Tests that files round trip, and that every kind of damage is detected.

use std::path::Path;

use fs_err as fs;
use klubok_nn::{
    calibration::Calibration,
    init::Init,
    network::{Hidden, Network, OutputKind, Start},
    plan::{Activation, Picture},
    state::{Numbers, Weights},
};
use proptest::prelude::*;
use safetensors::{
    Dtype, SafeTensors,
    tensor::{TensorView, serialize},
};
use serde_json::Value;

use super::{
    Card, Errors, Fit, Flaw, Input, Model, ModelError, Preprocessing, Target, Training, Typical,
    Validation,
    model::{KEY, checksum_of, shapes},
    typical::Limits,
};

fn hidden(units: usize, batch_norm: bool) -> Hidden {
    Hidden { units, activation: Activation::Relu, batch_norm, dropout: 0.3 }
}

fn card() -> Card {
    let accuracy_interval = [0.5, 0.9];
    let validation = Validation {
        accuracy: 0.75,
        accuracy_interval,
        chance: 0.5,
        chose_epoch: true,
        samples: 8,
    };
    let limits = Limits { contrast: 0.5, t_squared: 12.5, q: [0.25, 30.0], samples: 40 };
    let (mean, axes, spread) = (vec![0.5; 4], vec![0.0, 0.6, 0.8, 0.0], vec![1.5]);
    Card {
        training: Training {
            identity: "0123".into(),
            samples: vec![30, 50],
            split_seed: 0,
            val_fraction: 0.2,
        },
        validation: Some(validation),
        errors: None,
        typical: Some(Typical { mean, axes, spread, limits }),
    }
}

fn model() -> Model {
    let network = Network {
        inputs: 4,
        input_dropout: 0.1,
        hidden: vec![hidden(3, true), hidden(2, false)],
        outputs: 2,
        answer: OutputKind::Classes,
    };
    let start = Start { hidden: Init::He, output: Init::Glorot, output_bias: vec![] };
    let state = network.start(&start, 5);
    Model {
        network,
        preprocessing: Preprocessing {
            input: Input::Pictures(Picture { width: 2, height: 2, channels: 1 }),
            fit: Fit::Squash,
            mean: vec![120.1],
            std: vec![63.7],
            target: None,
        },
        outputs: vec!["cat".into(), "\"dog\" é".into()],
        calibration: Calibration { temperature: 1.5, uniform: 0.01 },
        card: Some(card()),
        weights: Weights { params: state.params, running: state.running },
    }
}

fn read(bytes: &[u8]) -> Result<Model, ModelError> {
    Model::from_bytes(bytes)
}

#[track_caller]
fn refused(bytes: &[u8], message: &str) {
    let error = read(bytes).unwrap_err().to_string();
    assert_eq!(error, format!("`the model` {message}"));
}

/// A file with this metadata and these tensors: `(name, type, shape)`, all zero.
fn file(metadata_json: Option<&str>, tensors: &[(&str, Dtype, Vec<usize>)]) -> Vec<u8> {
    let zeros = vec![0; 4096];
    let view = |(name, dtype, shape): &(&str, Dtype, Vec<usize>)| {
        let bytes = shape.iter().product::<usize>() * dtype.bitsize() / 8;
        ((*name).to_owned(), TensorView::new(*dtype, shape.clone(), &zeros[..bytes]).unwrap())
    };
    let metadata = metadata_json.map(|json| [(KEY.to_owned(), json.to_owned())].into());
    serialize(tensors.iter().map(view).collect::<Vec<_>>(), metadata).unwrap()
}

fn metadata_json() -> String {
    metadata_of(&model().to_bytes().unwrap())
}

fn metadata_of(bytes: &[u8]) -> String {
    let (_, tensors) = SafeTensors::read_metadata(bytes).unwrap();
    tensors.metadata().as_ref().unwrap()[KEY].clone()
}

fn tensors() -> Vec<(&'static str, Dtype, Vec<usize>)> {
    vec![
        ("hidden1.weight", Dtype::F32, vec![3, 4]),
        ("hidden1.norm.weight", Dtype::F32, vec![3]),
        ("hidden1.norm.bias", Dtype::F32, vec![3]),
        ("hidden2.weight", Dtype::F32, vec![2, 3]),
        ("hidden2.bias", Dtype::F32, vec![2]),
        ("output.weight", Dtype::F32, vec![2, 2]),
        ("output.bias", Dtype::F32, vec![2]),
        ("hidden1.norm.running_mean", Dtype::F32, vec![3]),
        ("hidden1.norm.running_var", Dtype::F32, vec![3]),
        ("typical.axes", Dtype::F32, vec![1, 4]),
        ("typical.mean", Dtype::F32, vec![4]),
        ("typical.spread", Dtype::F32, vec![1]),
    ]
}

#[test]
fn a_saved_model_round_trips() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    model().save(&path).unwrap();
    assert_eq!(Model::load(&path).unwrap(), model());
    assert_eq!(fs::read(&path).unwrap(), model().to_bytes().unwrap());
    let names: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(names.len(), 1);
}

#[test]
fn the_metadata_has_sorted_keys_and_short_numbers() {
    let json = metadata_json();
    let checksum = serde_json::from_str::<Value>(&json).unwrap()["checksum"].clone();
    assert_eq!(
        json.replace(checksum.as_str().unwrap(), "CHECKSUM"),
        concat!(
            r#"{"card":{"training":{"identity":"0123","samples":[30,50],"split_seed":0,"#,
            r#""val_fraction":0.2},"typical":{"contrast":0.5,"q":[0.25,30.0],"samples":40,"t_squared":12.5},"#,
            r#""validation":{"accuracy":0.75,"accuracy_interval":[0.5,0.9],"chance":0.5,"#,
            r#""chose_epoch":true,"samples":8}},"#,
            r#""checksum":"CHECKSUM","classes":["cat","\"dog\" é"],"#,
            r#""constants":{"batch_norm_epsilon":0.00001,"leaky_relu_slope":0.01,"#,
            r#""selu_alpha":1.6732632423543772,"selu_scale":1.0507009873554805},"format":3,"#,
            r#""network":{"answer":"classes","hidden":["#,
            r#"{"activation":"relu","batch_norm":true,"dropout":0.3,"units":3},"#,
            r#"{"activation":"relu","batch_norm":false,"dropout":0.3,"units":2}],"#,
            r#""input_dropout":0.1,"inputs":4,"outputs":2},"#,
            r#""preprocessing":{"fit":"squash","input":{"pictures":{"channels":1,"height":2,"width":2}},"#,
            r#""mean":[120.1],"std":[63.7]},"temperature":1.5,"uniform":0.01}"#
        )
    );
}

#[test]
fn tensors_have_the_plans_names() {
    let bytes = model().to_bytes().unwrap();
    let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
    assert_eq!(metadata.offset_keys().len(), tensors().len());
    for (name, dtype, shape) in tensors() {
        let info = metadata.info(name).unwrap();
        assert_eq!((info.dtype, &info.shape), (dtype, &shape), "{name}");
    }
}

#[test]
fn rejects_other_files() {
    refused(b"", "is not a klubok model: it is not a safetensors file");
    refused(b"hello, this is text", "is not a klubok model: it is not a safetensors file");
    refused(
        &file(None, &tensors()),
        "is not a klubok model: it is a safetensors file of something else",
    );
}

#[test]
fn reports_folders_and_missing_files() {
    let folder = tempfile::tempdir().unwrap();
    let error = Model::load(folder.path()).unwrap_err().to_string();
    assert!(error.ends_with("is not a klubok model: it is a folder"), "{error}");
    let error = Model::load(&folder.path().join("no.safetensors")).unwrap_err();
    assert!(matches!(error, ModelError::Io(_)) && error.to_string().contains("no.safetensors"));
}

#[test]
fn names_a_damaged_file() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), &model().to_bytes().unwrap()[..100]).unwrap();
    let error = Model::load(file.path()).unwrap_err().to_string();
    assert!(error.starts_with(&format!("`{}` is damaged: ", file.path().display())), "{error}");
}

#[cfg(target_os = "linux")]
#[test]
fn an_endless_device_is_not_read() {
    let error = Model::load(Path::new("/dev/zero")).unwrap_err().to_string();
    assert!(error.ends_with("it is not a regular file"), "{error}");
}

#[test]
fn rejects_a_file_truncated_at_any_length() {
    let bytes = model().to_bytes().unwrap();
    for length in 0..bytes.len() {
        assert!(read(&bytes[..length]).is_err(), "{length}");
    }
    let cut = "is damaged: its size is not what its header says, it was probably cut short";
    refused(&bytes[..bytes.len() - 1], cut);
    refused(&bytes[..100], cut);
    refused(&[&bytes[..], b"x"].concat(), cut);
}

#[test]
fn detects_every_flipped_bit() {
    let bytes = model().to_bytes().unwrap();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << bit;
            assert!(read(&flipped).is_err(), "byte {at}, bit {bit}");
        }
    }
}

#[test]
fn detects_altered_weights_and_metadata() {
    let mut bytes = model().to_bytes().unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    refused(&bytes, "is damaged: its content does not match its checksum");
    refused(
        &file(Some(&metadata_json().replace("cat", "cow")), &tensors()),
        "is damaged: its content does not match its checksum",
    );
}

#[test]
fn reports_missing_and_extra_tensors() {
    let mut missing = tensors();
    missing.remove(4);
    refused(
        &file(Some(&metadata_json()), &missing),
        "is damaged: tensor `hidden2.bias` is missing",
    );
    let mut extra = tensors();
    extra.push(("hidden3.bias", Dtype::F32, vec![1]));
    refused(
        &file(Some(&metadata_json()), &extra),
        "is damaged: tensor `hidden3.bias` is not part of the network",
    );
}

#[test]
fn reports_tensors_of_another_shape_or_type() {
    let mut shape = tensors();
    shape[0].2 = vec![4, 3];
    refused(
        &file(Some(&metadata_json()), &shape),
        "is damaged: tensor `hidden1.weight` is F32 [4, 3] where the network expects F32 [3, 4]",
    );
    let mut dtype = tensors();
    dtype[4].1 = Dtype::F16;
    refused(
        &file(Some(&metadata_json()), &dtype),
        "is damaged: tensor `hidden2.bias` is F16 [2] where the network expects F32 [2]",
    );
}

#[test]
fn reports_a_later_version_whatever_else_it_contains() {
    refused(
        &file(Some(r#"{"format":5,"novelty":true}"#), &[]),
        "has model format 5, this klubok reads up to 4: use a later one",
    );
}

/// The file with changed metadata and a matching checksum.
fn with_changed_metadata(change: impl Fn(&mut Value)) -> Vec<u8> {
    let mut json: Value = serde_json::from_str(&metadata_json()).unwrap();
    json.as_object_mut().unwrap().shift_remove("checksum");
    change(&mut json);
    let blocks: Vec<Vec<u8>> = tensors()
        .iter()
        .map(|(_, _, shape)| vec![0; shape.iter().product::<usize>() * 4])
        .collect();
    json["checksum"] = checksum_of(&json, &blocks).into();
    json.sort_all_objects();
    file(Some(&json.to_string()), &tensors())
}

#[test]
fn reads_format_1_without_calibration() {
    let first = with_changed_metadata(|json| {
        json["format"] = 1.into();
        let json = json.as_object_mut().unwrap();
        for key in ["card", "constants", "temperature", "uniform"] {
            json.shift_remove(key);
        }
    });
    let message = "is damaged: tensor `typical.axes` is not part of the network";
    refused(&first, message);
    let of_network = &tensors()[..9];
    let mut json: Value = serde_json::from_str(&metadata_of(&first)).unwrap();
    json.as_object_mut().unwrap().shift_remove("checksum");
    let blocks =
        of_network.iter().map(|(_, _, shape)| vec![0; shape.iter().product::<usize>() * 4]);
    json["checksum"] = checksum_of(&json, blocks).into();
    json.sort_all_objects();
    let model = read(&file(Some(&json.to_string()), of_network)).unwrap();
    assert_eq!((model.calibration, model.card), (Calibration::NONE, None));
}

#[test]
fn later_formats_need_calibration_and_constants() {
    refused(
        &with_changed_metadata(|json| drop(json.as_object_mut().unwrap().shift_remove("uniform"))),
        "is damaged: its description cannot be read: it has no temperature",
    );
    let constants = "is damaged: its layers have other constants than klubok's";
    refused(&with_changed_metadata(|json| json["constants"] = Value::Null), constants);
    refused(
        &with_changed_metadata(|json| json["constants"]["batch_norm_epsilon"] = 1e-3.into()),
        constants,
    );
    refused(
        &with_changed_metadata(|json| json["temperature"] = 0.into()),
        "is damaged: its confidences have a temperature of 0 and 0.01 of all answers alike mixed in",
    );
}

#[test]
fn rejects_invalid_metadata() {
    for json in ["", "null", "[]", "{}", r#"{"format":2}"#, r#"{"format":-1}"#, "{\"format\":"] {
        let error = read(&file(Some(json), &tensors())).unwrap_err().to_string();
        assert!(error.contains("its description cannot be read"), "{json}: {error}");
    }
}

#[test]
fn rejects_huge_sizes_without_allocating() {
    let max = usize::MAX.to_string();
    for (from, to) in [
        ("\"units\":3", format!("\"units\":{max}")),
        ("\"inputs\":4", format!("\"inputs\":{max}")),
        ("\"outputs\":2", format!("\"outputs\":{max}")),
        ("\"units\":2", "\"units\":99999999999999999999999".into()),
    ] {
        let json = metadata_json();
        assert!(json.contains(from));
        let error = read(&file(Some(&json.replace(from, &to)), &tensors())).unwrap_err();
        assert!(matches!(error, ModelError::Damaged { .. }), "{error}");
    }
    let header = r#"{"w":{"dtype":"F32","shape":[4294967296,4294967296,4],"data_offsets":[0,0]}}"#;
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    assert!(matches!(
        read(&bytes).unwrap_err(),
        ModelError::Damaged { flaw: Flaw::Header { .. }, .. }
    ));
    bytes[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    assert!(matches!(
        read(&bytes).unwrap_err(),
        ModelError::Damaged { flaw: Flaw::Header { .. }, .. }
    ));
}

#[track_caller]
fn unfit(change: impl Fn(&mut Model), message: &str) {
    let mut model = model();
    change(&mut model);
    let error = model.to_bytes().unwrap_err().to_string();
    assert_eq!(error, format!("the model cannot be saved: {message}"));
}

#[test]
fn does_not_save_an_inconsistent_model() {
    unfit(|m| m.outputs.truncate(1), "it has 1 names for 2 outputs");
    unfit(|m| m.network.outputs = 0, "its network has a layer of size 0");
    let preprocessing = "its preprocessing does not fit a network with 4 inputs";
    unfit(|m| m.preprocessing.mean = vec![], preprocessing);
    unfit(|m| m.preprocessing.std = vec![0.0], preprocessing);
    let huge = Picture { width: usize::MAX, height: 2, channels: 1 };
    unfit(|m| m.preprocessing.input = Input::Pictures(huge), preprocessing);
    unfit(
        |m| m.weights.params[1] = Numbers::F32(vec![1.0, f32::NAN, 1.0]),
        "tensor `hidden1.norm.weight` holds a value that is not a finite number",
    );
    unfit(
        |m| m.weights.params[1] = Numbers::F64(vec![1.0, 1e300, 1.0]),
        "tensor `hidden1.norm.weight` holds a value that is not a finite number",
    );
    unfit(
        |m| m.weights.params[4] = Numbers::F32(vec![1.0]),
        "tensor `hidden2.bias` is 1 values where the network expects [2]",
    );
    unfit(|m| m.weights.running.clear(), "tensor `hidden1.norm.running_mean` is missing");
}

/// Values that are not finite with a matching checksum, as another program may write them.
#[test]
fn rejects_weights_that_are_not_finite() {
    let mut tensors: Vec<Vec<u8>> = tensors()
        .iter()
        .map(|(_, _, shape)| vec![0; shape.iter().product::<usize>() * 4])
        .collect();
    tensors[6][..4].copy_from_slice(&f32::INFINITY.to_le_bytes());
    tensors[11].copy_from_slice(&1f32.to_le_bytes());
    let metadata = model().metadata(tensors.clone()).unwrap();
    let mut shapes = shapes(&model().network);
    shapes.extend(card().shapes(4));
    let views = shapes
        .into_iter()
        .zip(&tensors)
        .map(|((name, shape), block)| (name, TensorView::new(Dtype::F32, shape, block).unwrap()));
    let bytes = serialize(views, Some([(KEY.to_owned(), metadata)].into())).unwrap();
    refused(&bytes, "is damaged: tensor `output.bias` holds a value that is not a finite number");
}

prop_compose! {
    fn any_model()(
        inputs in 1usize..6,
        layers in proptest::collection::vec((1usize..6, any::<bool>(), 0.0f32..1.0), 0..4),
        is_known in any::<bool>(),
        classes in proptest::collection::btree_set(".*", 2..4),
        mean in proptest::collection::vec(-1e30f32..1e30, 6),
        std in proptest::collection::vec(1e-30f32..1e30, 6),
        seed in any::<u64>(),
    ) -> Model {
        let hidden = layers.into_iter().map(|(units, batch_norm, dropout)| {
            Hidden { dropout, ..hidden(units, batch_norm) }
        });
        let network = Network {
            inputs,
            input_dropout: 0.0,
            hidden: hidden.collect(),
            outputs: classes.len(),
            answer: OutputKind::Classes,
        };
        let start = Start { hidden: Init::He, output: Init::Glorot, output_bias: vec![] };
        let state = network.start(&start, seed);
        let preprocessing = Preprocessing {
            input: Input::Columns((0..inputs).map(|i| format!("column {i}")).collect()),
            fit: Fit::Pad,
            mean: mean[..inputs].to_vec(),
            std: std[..inputs].to_vec(),
            target: None,
        };
        let weights = Weights { params: state.params, running: state.running };
        let calibration = Calibration::new(f64::from(std[0]).clamp(1e-6, 1e6), seed >> 40);
        let outputs: Vec<String> = classes.into_iter().collect();
        let spread = vec![std[0].clamp(1e-6, 1e6); 2];
        let axes = vec![0.5; 2 * inputs];
        let limits = card().typical.unwrap().limits;
        let typical = Typical { mean: mean[..inputs].to_vec(), axes, spread, limits };
        let samples = vec![seed % 100; outputs.len()];
        let training = Training { samples, ..card().training };
        let card = Card { training, validation: None, errors: None, typical: Some(typical) };
        let card = is_known.then_some(card);
        Model { network, preprocessing, outputs, calibration, card, weights }
    }
}

proptest! {
    #[test]
    fn any_model_round_trips(model in any_model()) {
        let bytes = model.to_bytes().unwrap();
        let again = read(&bytes).unwrap();
        prop_assert_eq!(&again, &model);
        prop_assert_eq!(again.to_bytes().unwrap(), bytes);
    }

    #[test]
    fn arbitrary_bytes_do_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(read(&bytes).is_err());
    }
}

#[test]
fn a_model_of_numbers_keeps_their_scale_and_its_errors() {
    let mut model = model();
    model.network.answer = OutputKind::Numbers;
    model.outputs = vec!["price".into(), "age".into()];
    let columns = model.outputs.clone();
    model.preprocessing.target =
        Some(Target { columns, mean: vec![2.5, 30.0], std: vec![0.5, 10.0] });
    let card = model.card.as_mut().unwrap();
    card.validation = None;
    card.errors = Some(Errors { rmse: 0.25, r2: 0.75, chose_epoch: true, samples: 100 });
    let bytes = model.to_bytes().unwrap();
    assert!(String::from_utf8_lossy(&bytes).contains(r#"\"format\":4"#));
    assert_eq!(read(&bytes).unwrap(), model);
    let mut outputs = [1.0, -2.0];
    model.to_prediction(&mut outputs);
    assert_eq!(outputs, [3.0, 10.0]);
    let mut values = [3.0, 10.0, 2.5, 30.0];
    model.preprocessing.target.as_ref().unwrap().scale(&mut values);
    assert_eq!(values, [1.0, -2.0, 0.0, 0.0]);
    for (mean, std) in [(vec![1.0], vec![1.0]), (vec![0.0; 2], vec![1.0, 0.0])] {
        let mut wrong = model.clone();
        let columns = wrong.outputs.clone();
        wrong.preprocessing.target = Some(Target { columns, mean, std });
        let error = wrong.to_bytes().unwrap_err().to_string();
        assert!(error.ends_with("its target does not fit a network with 2 outputs"), "{error}");
    }
    // Numbers need names, too.
    model.outputs.clear();
    assert!(model.to_bytes().is_err());
}
