//! Model files, damaged and forged: an accepted model can predict.

use klubok::{
    config::{Fit, Init},
    model::{Card, Input, Model, Preprocessing, Training, Typical, Validation, typical::Limits},
    nn::{
        calibration::Calibration,
        network::{Hidden, Network, OutputKind, Start},
    },
    plan::{Activation, Augment, Picture},
    state::Weights,
};
use klubok_fuzz::fuzz;
use twox_hash::xxhash3_128::Hasher;

fn card() -> Card {
    let (accuracy_interval, chance) = ([0.5, 0.9], 0.5);
    let (chose_epoch, samples) = (true, 8);
    let validation = Validation { accuracy: 0.75, accuracy_interval, chance, chose_epoch, samples };
    let limits = Limits { contrast: 0.5, t_squared: 12.5, q: [0.25, 30.0], samples: 40 };
    let (mean, axes, spread) = (vec![0.5; 4], vec![0.0, 0.6, 0.8, 0.0], vec![1.5]);
    let (identity, samples) = ("0123".into(), vec![30, 50]);
    Card {
        training: Training { identity, samples, split_seed: 0, val_fraction: 0.2 },
        validation: Some(validation),
        errors: None,
        typical: Some(Typical { mean, axes, spread, limits }),
    }
}

fn model() -> Model {
    let hidden = |units, batch_norm| Hidden {
        units,
        activation: Activation::Relu,
        batch_norm,
        dropout: 0.3,
    };
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
        outputs: vec!["cat".into(), "dog".into()],
        calibration: Calibration::new(1.5, 99),
        card: Some(card()),
        weights: Weights { params: state.params, running: state.running },
    }
}

/// Checks the invariants of an accepted model.
fn check_invariants(model: &Model) {
    let prepare = model.preprocessing.prepare(Augment::default());
    assert!(prepare.factor.iter().chain(&prepare.offset).all(|x| x.is_finite()));
    if let Input::Pictures(picture) = model.preprocessing.input {
        assert!([1, 3].contains(&picture.channels));
        assert_eq!(picture.values(), model.network.inputs);
    }
    assert!(model.network.outputs >= 1);
    let typical = model.card.as_ref().and_then(|card| card.typical.as_ref());
    let _ = typical.map(|typical| typical.is_far(&vec![1e9; model.network.inputs]));
    assert!(model.network.answer != OutputKind::Classes || model.outputs.len() >= 2);
    model.network.lower_for_inference(prepare);
    let prediction = model.predict(&vec![1.0; model.network.inputs]).unwrap();
    assert_eq!(prediction.len(), model.network.outputs);
    let mut confidences = vec![1e30, -1e30];
    model.calibration.confidences(&mut confidences);
    assert!(confidences.iter().all(|p| (0.0..=1.0).contains(p)));
    // The model survives a round trip.
    let again = Model::from_bytes(&model.to_bytes().unwrap()).unwrap();
    assert_eq!(again, *model);
}

#[test]
fn models() {
    let good = model().to_bytes().unwrap();
    let words: [&[u8]; 10] = [
        b"\\\"beside\\\":[9.0,1.0]",
        b"\\\"samples\\\":[0]",
        b"\\\"channels\\\":2",
        b"\\\"numbers\\\"",
        b"\\\"classes\\\":[]",
        b"\\\"std\\\":[1e-45]",
        b"-1.0",
        b"\\\"hidden\\\":[]",
        b"\\\"temperature\\\":1e-300",
        b"\\\"uniform\\\":1",
    ];
    fuzz("model", std::slice::from_ref(&good), &words, |bytes| {
        if let Ok(read) = Model::from_bytes(bytes) {
            assert!(read == model(), "a damaged model was accepted");
        }
    });
    fuzz("model-sealed", std::slice::from_ref(&good), &words, |bytes| {
        if let Some(Ok(model)) = resealed(bytes).map(|bytes| Model::from_bytes(&bytes)) {
            check_invariants(&model);
        }
    });
}

/// Corrects the checksum of a file whose description can be read: XXH3 (128 bits) of the
/// description without the checksum, and of the values in the order of the network.
fn resealed(bytes: &[u8]) -> Option<Vec<u8>> {
    let (length, rest) = bytes.split_first_chunk::<8>()?;
    let (header, data) =
        rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
    let mut header: serde_json::Value = serde_json::from_slice(header).ok()?;
    let card = header["__metadata__"]["klubok"].as_str()?;
    let mut card: serde_json::Value = serde_json::from_str(card).ok()?;
    card.as_object_mut()?.shift_remove("checksum");
    let network: Network = serde_json::from_value(card["network"].clone()).ok()?;
    if network.hidden.len() > 64 {
        return None;
    }
    let (params, running) = network.tensors();
    let names = params.into_iter().map(|p| p.name).chain(running.into_iter().map(|r| r.name));
    let mut hasher = Hasher::new();
    hasher.write(card.to_string().as_bytes());
    for name in names {
        let at = |i: usize| usize::try_from(header[&name]["data_offsets"][i].as_u64()?).ok();
        hasher.write(data.get(at(0)?..at(1)?)?);
    }
    card["checksum"] = format!("{:032x}", hasher.finish_128()).into();
    card.sort_all_objects();
    header["__metadata__"]["klubok"] = card.to_string().into();
    let header = header.to_string();
    Some([&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), data].concat())
}
