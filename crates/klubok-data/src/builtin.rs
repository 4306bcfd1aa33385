//! The built-in sets, `demo:NAME`, with fixed rows and fixed splits.
//!
//! | name | training | validation | test | a row |
//! |---|---|---|---|---|
//! | `cats-dogs` | 4,000 | 1,000 | 1,000 | a drawn picture of 64x64, see [`klubok_demo`] |
//! | `cats-dogs-small` | 600 | 1,000 | 1,000 | the same, for seeing a network memorise |
//! | `spirals` | 500 | 250 | 250 | two numbers, see [`klubok_demo::spirals`] |
//! | `curve` | 500 | 250 | 250 | a number, and one to predict, see [`klubok_demo::curve`] |
//! | `marks` | 4,000 | 1,000 | 1,000 | pictures of 32x32 with labels ([`klubok_demo::marks`]) |
//!
//! The test set comes first, then validation, then training. So the small set is a prefix of the
//! large one. Both share the test and validation set, and the same pictures measure what a network
//! learns from 600 and from 4,000 pictures.

use std::sync::{Mutex, PoisonError};

pub use klubok_demo::{CLASSES, SIDE};
use klubok_demo::{curve, marks, spirals};
use klubok_files::limits;
use klubok_model::Input;
use klubok_nn::{
    network::OutputKind,
    plan::Picture,
    rows::{Kind, MemoryRows},
};

use super::{Dataset, LeftOut, Part, Samples, Targets, pictures::zeros};
use crate::{
    error::Result,
    settings::{Color, DataConfig},
};

/// Seed of all built-in sets. Part of their definition.
const SEED: u64 = 1;

klubok_nn::listed! {
    /// A built-in set.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum BuiltIn {
        /// 6,000 drawn pictures of cats and dogs.
        CatsDogs,
        /// The first 2,600 of those pictures, 600 of them for training.
        CatsDogsSmall,
        /// 1,000 points on two spirals.
        Spirals,
        /// 1,000 noisy points on a curve: a number to predict.
        Curve,
        /// 6,000 drawings of up to four marks: several labels.
        Marks,
    }
}

impl BuiltIn {
    /// Returns the name after `demo:`.
    pub fn name(self) -> &'static str {
        match self {
            BuiltIn::CatsDogs => "cats-dogs",
            BuiltIn::CatsDogsSmall => "cats-dogs-small",
            BuiltIn::Spirals => "spirals",
            BuiltIn::Curve => "curve",
            BuiltIn::Marks => "marks",
        }
    }

    /// Returns the set of this name (without `demo:`).
    pub fn from_name(name: &str) -> Option<BuiltIn> {
        Self::ALL.into_iter().find(|set| set.name() == name)
    }

    /// Returns what the network learns to predict.
    pub fn kind(self) -> OutputKind {
        match self {
            BuiltIn::CatsDogs | BuiltIn::CatsDogsSmall | BuiltIn::Spirals => OutputKind::Classes,
            BuiltIn::Curve => OutputKind::Numbers,
            BuiltIn::Marks => OutputKind::Labels,
        }
    }

    /// Sizes of test, validation and training set, in row order.
    fn sizes(self) -> [usize; 3] {
        match self {
            BuiltIn::CatsDogs | BuiltIn::Marks => [1000, 1000, 4000],
            BuiltIn::CatsDogsSmall => [1000, 1000, 600],
            BuiltIn::Spirals | BuiltIn::Curve => [250, 250, 500],
        }
    }

    /// Generates the set in memory. The bytes do not depend on `threads`.
    ///
    /// Cats and dogs have [`SIDE`] pixels on each side, in `color`; other sets ignore `color`. Row
    /// names are row numbers.
    ///
    /// # Errors
    /// When memory is short.
    pub fn open(self, color: Color, threads: usize) -> Result<Dataset> {
        self.samples(color, threads)?.into_dataset(&DataConfig::default(), false)
    }

    /// Generates the samples of [`BuiltIn::open`].
    pub(super) fn samples(self, color: Color, threads: usize) -> Result<Samples> {
        let [test, val, train] = self.sizes();
        let parts = [vec![Part::Test; test], vec![Part::Val; val], vec![Part::Train; train]];
        let count = test + val + train;
        let (x, input, targets, outputs) = match self {
            BuiltIn::CatsDogs | BuiltIn::CatsDogsSmall => pictures(count, color, threads)?,
            BuiltIn::Spirals => {
                let (x, classes) = spirals::points(count, SEED);
                let columns = spirals::COLUMNS.map(String::from).to_vec();
                let x = numbers(&x, columns.len());
                (x, Input::Columns(columns), Targets::Classes(classes), &spirals::CLASSES[..])
            }
            BuiltIn::Curve => {
                let (x, y) = curve::points(count, SEED);
                let input = Input::Columns(vec![curve::COLUMN.to_owned()]);
                (numbers(&x, 1), input, Targets::Numbers(y), &[curve::TARGET][..])
            }
            BuiltIn::Marks => marks(count),
        };
        let outputs: Vec<String> = outputs.iter().map(|&name| name.to_owned()).collect();
        Ok(Samples {
            rows: targets.add_to(x, outputs.len()),
            columns: if targets.classes().is_some() { Vec::new() } else { outputs.clone() },
            targets,
            outputs,
            weights: None,
            input,
            parts: parts.concat(),
            names: (0..count).map(|row| row.to_string()).collect(),
            skipped: Vec::new(),
            left_out: LeftOut::default(),
        })
    }
}

/// Inputs, their shape, targets and names of the outputs.
type Generated = (MemoryRows, Input, Targets, &'static [&'static str]);

fn pictures(count: usize, color: Color, threads: usize) -> Result<Generated> {
    let drawn = cats_dogs(count, SEED, threads)?;
    let picture = Picture { width: SIDE, height: SIDE, channels: color.channels() };
    let pixels = match color {
        Color::Grey => drawn.grey(),
        Color::Rgb => drawn.pixels,
    };
    let x = MemoryRows::empty(count).with(Kind::Pixels, picture.values(), pixels);
    Ok((x, Input::Pictures(picture), Targets::Classes(drawn.classes), &CLASSES))
}

fn marks(count: usize) -> Generated {
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    for index in 0..count as u64 {
        let (picture, present) = marks::draw(SEED, index);
        pixels.extend(picture);
        labels.extend(present);
    }
    let picture = Picture { width: marks::SIDE, height: marks::SIDE, channels: 1 };
    let x = MemoryRows::empty(count).with(Kind::Pixels, picture.values(), pixels);
    (x, Input::Pictures(picture), Targets::Labels(labels), &marks::LABELS)
}

fn numbers(x: &[f32], columns: usize) -> MemoryRows {
    let bytes = x.iter().flat_map(|value| value.to_ne_bytes()).collect();
    MemoryRows::empty(x.len() / columns).with(Kind::Numbers, columns, bytes)
}

/// Drawn pictures with their classes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drawn {
    /// `[count, SIDE, SIDE, 3]`, interleaved RGB.
    pub pixels: Vec<u8>,
    /// 0 cat, 1 dog.
    pub classes: Vec<u32>,
}

impl Drawn {
    /// Converts to grey, `[count, SIDE, SIDE]`.
    pub fn grey(&self) -> Vec<u8> {
        klubok_demo::grey(&self.pixels)
    }
}

/// Draws the first `count` pictures of `seed`. The bytes do not depend on `threads` (0 counts as
/// 1).
///
/// # Errors
/// When memory is short.
pub fn cats_dogs(count: usize, seed: u64, threads: usize) -> Result<Drawn> {
    let classes: Vec<u32> = (0..count as u64).map(|i| klubok_demo::class(seed, i)).collect();
    let values = SIDE * SIDE * 3;
    let mut pixels = zeros(count, values)?;
    let pictures = Mutex::new(pixels.chunks_exact_mut(values).zip(&classes).enumerate());
    let next = || pictures.lock().unwrap_or_else(PoisonError::into_inner).next();
    limits::run_on_threads(threads, || {
        while let Some((i, (picture, &class))) = next() {
            picture.copy_from_slice(&klubok_demo::draw(seed, i as u64, class));
        }
    });
    Ok(Drawn { pixels, classes })
}

#[cfg(test)]
mod tests {
    use klubok_nn::rows::Field;
    use twox_hash::XxHash3_128;

    use super::*;
    use crate::Parts;

    fn input(set: &Dataset, rows: &[u32]) -> Vec<u8> {
        let mut bytes = vec![0; rows.len() * set.rows.fields()[Field::X.0].bytes()];
        set.rows.gather(Field::X, rows, &mut bytes).expect("rows in memory");
        bytes
    }

    #[test]
    fn the_bytes_do_not_depend_on_threads_or_count() {
        let all = cats_dogs(50, 3, 1).unwrap();
        for threads in [0, 2, 3, 64] {
            assert_eq!(cats_dogs(50, 3, threads).unwrap(), all, "{threads} threads");
        }
        for count in [0, 1, 17] {
            let some = cats_dogs(count, 3, 2).unwrap();
            assert_eq!(some.pixels, all.pixels[..count * SIDE * SIDE * 3]);
            assert_eq!(some.classes, all.classes[..count]);
        }
        assert_ne!(cats_dogs(50, 4, 1).unwrap().pixels, all.pixels);
    }

    #[test]
    fn names_round_trip() {
        for set in BuiltIn::ALL {
            assert_eq!(BuiltIn::from_name(set.name()), Some(set));
        }
        assert_eq!(BuiltIn::from_name("demo:spirals"), None);
    }

    #[test]
    fn splits_are_balanced_and_cover_all_distinct_rows() {
        for set in BuiltIn::ALL {
            let data = set.open(Color::Grey, 2).unwrap();
            let Parts { train, val, test } = &data.parts;
            let mut rows: Vec<u32> = [train, val, test].into_iter().flatten().copied().collect();
            rows.sort_unstable();
            assert_eq!(rows, (0..data.rows.len() as u32).collect::<Vec<_>>());
            for part in [train, val, test] {
                if data.targets.classes().is_some() {
                    let ones: u32 = data.classes_of(part).iter().sum();
                    assert_eq!(ones as usize * 2, part.len());
                }
            }
            assert_eq!(data.names.len(), rows.len());
            let mut hashes = data.hashes;
            hashes.sort_unstable();
            hashes.dedup();
            assert_eq!(hashes.len(), rows.len());
        }
    }

    #[test]
    fn the_small_set_is_a_prefix_of_the_large_one() {
        let small = BuiltIn::CatsDogsSmall.open(Color::Rgb, 1).unwrap();
        let big = BuiltIn::CatsDogs.open(Color::Rgb, 2).unwrap();
        assert_eq!(small.hashes, big.hashes[..small.hashes.len()]);
        assert_eq!((&small.parts.val, &small.parts.test), (&big.parts.val, &big.parts.test));
        assert_eq!(small.parts.train, big.parts.train[..600]);
    }

    #[test]
    fn rows_match_the_input_shape() {
        let grey = BuiltIn::CatsDogsSmall.open(Color::Grey, 2).unwrap();
        let rgb = BuiltIn::CatsDogsSmall.open(Color::Rgb, 2).unwrap();
        let picture = |channels| Input::Pictures(Picture { width: 64, height: 64, channels });
        assert_eq!((&grey.input, &rgb.input), (&picture(1), &picture(3)));
        let drawn = cats_dogs(3, SEED, 1).unwrap();
        assert_eq!(input(&grey, &[1, 2]), drawn.grey()[64 * 64..]);
        assert_eq!(input(&rgb, &[1, 2]), drawn.pixels[64 * 64 * 3..]);
        let spirals = BuiltIn::Spirals.open(Color::Rgb, 2).unwrap();
        assert_eq!(spirals.input, Input::Columns(vec!["x".into(), "y".into()]));
        assert_eq!(input(&spirals, &[0]).len(), 8);
        assert_eq!(spirals.hashes[5], XxHash3_128::oneshot(&input(&spirals, &[5])));
    }
}
