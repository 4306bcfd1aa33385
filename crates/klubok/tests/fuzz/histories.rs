//! Training histories: CSV, JSON and TensorBoard event files.

use klubok::{
    diagnose::{
        Diagnosis,
        history::{self, History},
    },
    train::tensorboard::record::framed,
};
use klubok_fuzz::{fast_folder, fuzz};

/// Checks the invariants of an accepted history.
fn check_invariants(history: &History) {
    let epochs = || history.epochs.iter().map(|row| row.epoch);
    assert!(epochs().all(|epoch| (0.0..=1e16).contains(&epoch)), "an invalid epoch");
    assert!(epochs().zip(epochs().skip(1)).all(|(a, b)| a < b), "epochs out of order");
    let figures = history.epochs.iter().flat_map(|row| [row.val_accuracy, row.learning_rate]);
    assert!(figures.flatten().all(f64::is_finite), "a figure that is not finite");
    let diagnosis = Diagnosis::from_history(history);
    if let Some(best) = diagnosis.best_epoch {
        let row = history.epochs.iter().find(|row| row.epoch == best);
        assert!(row.is_some_and(|row| row.val_loss.is_some_and(f64::is_finite)), "not validated");
    }
    assert!(serde_json::to_string(&diagnosis).is_ok());
}

const WORDS: [&[u8]; 19] = [
    b"NA",
    b"nan",
    b"null",
    b",",
    b"\n",
    b"epoch",
    b"step",
    b"val_loss",
    b"train_loss",
    b"loss",
    b"accuracy",
    b"[",
    b"{",
    b"\"",
    b";",
    b"-",
    b"#",
    b"# ",
    b"\n# loss,",
];

fn parse(bytes: &[u8]) {
    if let Ok(history) = history::parse(bytes, "h") {
        check_invariants(&history);
    }
}

#[test]
fn csv() {
    let seeds = [
        "epoch,accuracy,loss,val_accuracy,val_loss\n0,0.5,0.9,NA,NA\n1,0.6,0.8,0.5,0.9\n2,0.7,0.7,NA,NA\n",
        "epoch,lr-Adam,step,train_loss,val_loss\n,0.1,0,,\n0,,9,,0.8\n0,,9,0.9,\n,0.1,10,,\n1,,19,,0.7\n1,,19,0.8,\n",
        "step;train_loss;val_loss\n10;0.9;\n20;0.8;1.0\n30;0.7;\n40;nan;0.9\n",
        "epoch,phase,loss,acc\n0,train,0.9,0.5\n0,val,1.0,0.4\n1,train,0.8,0.6\n1,val,0.9,0.5\n",
        "split,loss,lr\ntrain,0.9,1\ntrain,0.8,1\nval,1.0,2\nval,0.9,2\n",
        "fold,step,train_loss,val_loss\n0,1,0.9,0\n0,2,0.8,1.0\n1,1,0.9,0\n1,2,0.8,1.0\n",
        "train_loss\tval_loss\n0.9\t\n\t0.8\n0.7\t\n\tinf\n",
    ];
    fuzz("csv", &seeds.map(|seed| seed.as_bytes().to_vec()), &WORDS, parse);
}

#[test]
fn json() {
    let seeds = [
        "{\"loss\": [0.9, 0.8, 0.7], \"val_loss\": [null, 0.9, NaN], \"lr\": [0.1]}",
        "[{\"epoch\": 1, \"train\": {\"loss\": 0.9}, \"val\": {\"loss\": 1}}, {\"epoch\": 2, \"train\": {\"loss\": 0.8}}]",
        "{\"log_history\": [{\"epoch\": 0.5, \"loss\": 1, \"step\": 5}, {\"epoch\": 1.0, \"eval_loss\": 0.9, \"step\": 10}]}",
        "{\"mode\": \"train\", \"epoch\": 1, \"iter\": 50, \"loss\": 0.9}\n{\"mode\": \"val\", \"epoch\": 1, \"iter\": 20, \"loss\": 1}\n",
        "{\"epoch\": 1, \"loss\": 0.9}\n{\"epoch\": 2, \"loss\": -Infinity, \"val_loss\": 0.8}\n",
    ];
    fuzz("json", &seeds.map(|seed| seed.as_bytes().to_vec()), &WORDS, parse);
}

/// Encodes an event with one number: wall time, step, and a summary with one tag.
fn event(step: u8, tag: &str, number: f32) -> Vec<u8> {
    let tag = [&[0x0a, tag.len() as u8], tag.as_bytes()].concat();
    let value = [&tag[..], &[0x15], &number.to_le_bytes()].concat();
    let summary = [&[0x0a, value.len() as u8], &value[..]].concat();
    let seconds = [&[0x09], &f64::from(step).to_le_bytes()[..]].concat();
    [&seconds[..], &[0x10, step, 0x2a, summary.len() as u8], &summary[..]].concat()
}

#[test]
fn events() {
    let folder = fast_folder();
    let path = folder.path().join("events.out.tfevents.1");
    let read = |bytes: &[u8]| {
        fs_err::write(&path, bytes).unwrap();
        if let Ok(history) = history::read(&path) {
            check_invariants(&history);
        }
    };
    let curve = |tags: [&str; 2]| -> Vec<Vec<u8>> {
        let two = |i: u8| tags.map(|tag| event(i, tag, 1.0 / f32::from(i + 1)));
        (0..6).flat_map(two).collect()
    };
    let curves = [
        curve(["loss/train", "loss/val"]),
        curve(["train_loss_step", "epoch"]),
        curve(["eval/loss", "train/epoch"]),
    ];
    let files: Vec<Vec<u8>> = curves
        .iter()
        .map(|events| events.iter().flat_map(|event| framed(event)).collect())
        .collect();
    fuzz("events", &files, &WORDS, read);
    // Changes within records that keep valid checksums.
    let records: Vec<Vec<u8>> = curves
        .iter()
        .map(|events| events.iter().flat_map(|e| [&[e.len() as u8], &e[..]].concat()).collect())
        .collect();
    fuzz("events-within", &records, &WORDS, |mut bytes| {
        let mut file = Vec::new();
        while let Some((&length, rest)) = bytes.split_first() {
            let (record, rest) = rest.split_at(rest.len().min(usize::from(length)));
            file.extend(framed(record));
            bytes = rest;
        }
        read(&file);
    });
}
