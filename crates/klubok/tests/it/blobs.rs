//! A small task for the tests of training: points around three centres.

use std::sync::Arc;

use klubok::{
    config::{Config, ConfigBuilder, DataKind, Machine, Preset},
    data::{Dataset, LeftOut, Parts, Targets},
    model::Input,
    rng::{Purpose, Stream},
    rows::MemoryRows,
};

/// Number of classes of the task.
pub(crate) const CLASSES: usize = 3;

/// Makes a set of `train` training and `val` validation points, with alternating classes.
pub(crate) fn data(train: u32, val: u32) -> Dataset {
    let mut random = Stream::new(1, Purpose::Demo, 0, 0);
    let targets: Vec<u32> = (0..train + val).map(|i| i % CLASSES as u32).collect();
    let mut x = Vec::new();
    for &class in &targets {
        let angle = f64::from(class) * 2.1;
        x.push((2.0 * angle.cos() + random.normal()) as f32);
        x.push((2.0 * angle.sin() + random.normal()) as f32);
    }
    Dataset {
        rows: Arc::new(MemoryRows::numbers(&x, 2, &targets)),
        outputs: ["a", "b", "c"].map(String::from).to_vec(),
        columns: vec![],
        weights: None,
        input: Input::Columns(vec!["x".into(), "y".into()]),
        parts: Parts {
            train: (0..train).collect(),
            val: (train..train + val).collect(),
            test: vec![],
        },
        names: (0..targets.len()).map(|row| row.to_string()).collect(),
        hashes: (0..targets.len() as u128).collect(),
        skipped: vec![],
        left_out: LeftOut::default(),
        targets: Targets::Classes(targets),
    }
}

/// Settings: AdamW, batches of 8, six epochs, no early stopping.
pub(crate) fn config() -> Config {
    let mut builder = ConfigBuilder::new(Preset::Plain, DataKind::Pictures);
    for set in [
        "model.hidden=7,5",
        "model.batch_norm=true",
        "model.dropout=0.2",
        "train.epochs=6",
        "train.batch_size=8",
        "train.learning_rate=0.01",
        "train.warmup_epochs=0.5",
        "train.decay=0.5",
        "train.decay_epochs=1",
        "train.early_stopping=false",
        "train.patience=3",
        "train.seed=3",
        "regularization.l2=0.001",
        "regularization.weight_decay=0.01",
    ] {
        builder.assign(set).unwrap();
    }
    builder.resolve(&Machine::plain(1)).unwrap().config
}
