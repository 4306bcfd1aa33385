//! The data sets, and their split into training, validation and test set.

use std::{path::Path, sync::Arc};

use anyhow::{Result, bail};
use clap::ValueEnum;
use klubok::{
    config::{Color, Config, DataKind},
    data::{self, Dataset, LeftOut, OpenOptions, Parts, Targets, builtin},
    model::Input,
    plan::Picture,
    rng::{Purpose, Stream},
    rows::MemoryRows,
};

/// Validation samples; there are as many test samples.
pub(crate) const POOL_SIZE: usize = 5000;
/// Number of generated drawings.
const DRAWINGS: usize = 20_000;

/// A data set.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    ValueEnum,
    serde::Serialize,
    serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum DataSet {
    /// Drawings of cats and dogs, as in `demo:cats-dogs`
    Drawn,
    /// Photographs of cats and dogs
    Photographs,
    /// Digits
    Mnist,
    /// Garments
    Fashion,
}

impl DataSet {
    pub(crate) fn kind(self) -> DataKind {
        match self {
            DataSet::Drawn | DataSet::Photographs => DataKind::Pictures,
            DataSet::Mnist | DataSet::Fashion => DataKind::Idx,
        }
    }

    /// Reads all samples, not yet split. `folder` holds the sets that are not generated.
    pub(crate) fn open(self, folder: &Path, config: &Config) -> Result<Dataset> {
        let name = match self {
            DataSet::Drawn => return draw(config),
            DataSet::Photographs => "cats-dogs-64",
            DataSet::Mnist => "mnist",
            DataSet::Fashion => "fashion-mnist",
        };
        let options =
            OpenOptions { threads: config.train.threads, ..OpenOptions::new(config.data.clone()) };
        let path = folder.join(name);
        Ok(data::open(&path.display().to_string(), &options, &|_, _| {})?)
    }
}

fn draw(config: &Config) -> Result<Dataset> {
    let drawn = builtin::cats_dogs(DRAWINGS, 1, config.train.threads)?;
    let channels = config.data.color.channels();
    let picture = Picture { width: builtin::SIDE, height: builtin::SIDE, channels };
    let pixels = match config.data.color {
        Color::Grey => drawn.grey(),
        Color::Rgb => drawn.pixels,
    };
    Ok(Dataset {
        rows: Arc::new(MemoryRows::pictures(pixels, picture.values(), &drawn.classes)),
        targets: Targets::Classes(drawn.classes),
        columns: Vec::new(),
        weights: None,
        outputs: builtin::CLASSES.map(String::from).to_vec(),
        input: Input::Pictures(picture),
        parts: Parts::default(),
        // No two drawings are equal.
        names: (0..DRAWINGS).map(|row| row.to_string()).collect(),
        hashes: (0..DRAWINGS as u128).collect(),
        skipped: Vec::new(),
        left_out: LeftOut::default(),
    })
}

/// Splits the samples at random: `train` training samples, [`POOL_SIZE`] for validation and as many
/// test samples. Returns the first two as a data set, and the rows of the test samples.
///
/// # Errors
/// When there are too few samples.
pub(crate) fn split(data: &Dataset, train: usize, seed: u64) -> Result<(Dataset, Vec<u32>)> {
    let mut rows: Vec<u32> = (0..data.rows.len() as u32).collect();
    if rows.len() < 2 * POOL_SIZE + train {
        bail!("there are {} samples, and it takes {}", rows.len(), 2 * POOL_SIZE + train);
    }
    Stream::new(seed, Purpose::Split, 0, 0).shuffle(&mut rows);
    let (test, rest) = rows.split_at(POOL_SIZE);
    let (val, rest) = rest.split_at(POOL_SIZE);
    let mut train = rest[..train].to_vec();
    train.sort_unstable();
    let parts = Parts { train, val: val.to_vec(), test: Vec::new() };
    Ok((Dataset { parts, ..data.clone() }, test.to_vec()))
}
