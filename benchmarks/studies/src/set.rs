//! The data sets, and what of them is trained on, chooses and judges.

use std::{path::Path, sync::Arc};

use anyhow::{Result, bail};
use clap::ValueEnum;
use klubok::{
    config::{Color, Config, DataKind},
    data::{self, Dataset, Input, LeftOut, OpenOptions, Parts, builtin},
    plan::Picture,
    rng::{Purpose, Stream},
    rows::MemoryRows,
};

/// Pictures that choose, at most, and as many that judge.
pub(crate) const POOL: usize = 5000;
/// Pictures that are drawn.
const DRAWN: usize = 20_000;

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
pub(crate) enum Set {
    /// Drawn cats and dogs, as in `demo:cats-dogs`
    Drawn,
    /// Photographs of cats and dogs
    Photographs,
    /// Digits
    Mnist,
    /// Garments
    Fashion,
}

impl Set {
    pub(crate) fn kind(self) -> DataKind {
        match self {
            Set::Drawn | Set::Photographs => DataKind::Pictures,
            Set::Mnist | Set::Fashion => DataKind::Idx,
        }
    }

    /// All samples in one part. `folder` holds the sets that are not drawn.
    pub(crate) fn open(self, folder: &Path, config: &Config) -> Result<Dataset> {
        let name = match self {
            Set::Drawn => return draw(config),
            Set::Photographs => "cats-dogs-64",
            Set::Mnist => "mnist",
            Set::Fashion => "fashion-mnist",
        };
        let options =
            OpenOptions { threads: config.train.threads, ..OpenOptions::new(config.data.clone()) };
        let path = folder.join(name);
        Ok(data::open(&path.display().to_string(), &options, &|_, _| {})?)
    }
}

fn draw(config: &Config) -> Result<Dataset> {
    let drawn = builtin::cats_dogs(DRAWN, 1, config.train.threads)?;
    let channels = config.data.color.channels();
    let picture = Picture { width: builtin::SIDE, height: builtin::SIDE, channels };
    let pixels = match config.data.color {
        Color::Grey => drawn.grey(),
        Color::Rgb => drawn.pixels,
    };
    Ok(Dataset {
        rows: Arc::new(MemoryRows::pictures(pixels, picture.values(), &drawn.classes)),
        targets: drawn.classes,
        classes: builtin::CLASSES.map(String::from).to_vec(),
        input: Input::Pictures(picture),
        parts: Parts::default(),
        // Every drawing is another one.
        names: (0..DRAWN).map(|row| row.to_string()).collect(),
        hashes: (0..DRAWN as u128).collect(),
        skipped: Vec::new(),
        left_out: LeftOut::default(),
    })
}

/// Deals the samples out by a seed: `train` to learn from, [`POOL`] to choose and as many to judge.
///
/// # Errors
/// When there are too few.
pub(crate) fn deal(data: &Dataset, train: usize, seed: u64) -> Result<(Dataset, Vec<u32>)> {
    let mut rows: Vec<u32> = (0..data.targets.len() as u32).collect();
    if rows.len() < 2 * POOL + train {
        bail!("there are {} samples, and it takes {}", rows.len(), 2 * POOL + train);
    }
    Stream::new(seed, Purpose::Split, 0, 0).shuffle(&mut rows);
    let (judges, rest) = rows.split_at(POOL);
    let (val, rest) = rest.split_at(POOL);
    let mut own = rest[..train].to_vec();
    own.sort_unstable();
    let parts = Parts { train: own, val: val.to_vec(), test: Vec::new() };
    Ok((Dataset { parts, ..data.clone() }, judges.to_vec()))
}
