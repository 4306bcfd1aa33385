//! The built-in sets, `demo:NAME`, with fixed rows and fixed splits.
//!
//! | name | training | validation | test | a row |
//! |---|---|---|---|---|
//! | `cats-dogs` | 4,000 | 1,000 | 1,000 | a drawn picture of 64x64, see [`klubok_demo`] |
//! | `cats-dogs-small` | 600 | 1,000 | 1,000 | the same, for seeing a network memorise |
//! | `spirals` | 500 | 250 | 250 | two numbers, see [`klubok_demo::spirals`] |
//!
//! The test set comes first, then validation, then training. So the small set is a prefix of the
//! large one. Both share the test and validation set, and the same pictures measure what a network
//! learns from 600 and from 4,000 pictures.

use std::sync::{Arc, Mutex, PoisonError};

use klubok_demo::spirals;
pub use klubok_demo::{CLASSES, SIDE};
use klubok_files::limits;
use klubok_model::Input;
use klubok_nn::{
    plan::Picture,
    rows::{Field, MemoryRows, Rows},
};
use twox_hash::XxHash3_128;

use super::{Dataset, LeftOut, Parts, pictures::zeros};
use crate::{error::Result, settings::Color};

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
    }
}

impl BuiltIn {
    /// Returns the name after `demo:`.
    pub fn name(self) -> &'static str {
        match self {
            BuiltIn::CatsDogs => "cats-dogs",
            BuiltIn::CatsDogsSmall => "cats-dogs-small",
            BuiltIn::Spirals => "spirals",
        }
    }

    /// Returns the set of this name (without `demo:`).
    pub fn from_name(name: &str) -> Option<BuiltIn> {
        Self::ALL.into_iter().find(|set| set.name() == name)
    }

    /// Sizes of test, validation and training set, in row order.
    fn sizes(self) -> [u32; 3] {
        match self {
            BuiltIn::CatsDogs => [1000, 1000, 4000],
            BuiltIn::CatsDogsSmall => [1000, 1000, 600],
            BuiltIn::Spirals => [250, 250, 500],
        }
    }

    /// Generates the set in memory. The bytes do not depend on `threads`.
    ///
    /// Pictures have [`SIDE`] pixels on each side, in `color`; spirals ignore `color`. Row names
    /// are row numbers.
    ///
    /// # Errors
    /// When memory is short.
    pub fn open(self, color: Color, threads: usize) -> Result<Dataset> {
        let [test, val, train] = self.sizes();
        let parts = Parts {
            test: (0..test).collect(),
            val: (test..test + val).collect(),
            train: (test + val..test + val + train).collect(),
        };
        let count = (test + val + train) as usize;
        let (rows, targets, names, input) = match self {
            BuiltIn::CatsDogs | BuiltIn::CatsDogsSmall => pictures(count, color, threads)?,
            BuiltIn::Spirals => {
                let (x, classes) = spirals::points(count, SEED);
                let columns = spirals::COLUMNS.map(String::from).to_vec();
                let rows = MemoryRows::numbers(&x, columns.len(), &classes);
                (rows, classes, spirals::CLASSES, Input::Columns(columns))
            }
        };
        Ok(Dataset {
            hashes: hashes(&rows),
            rows: Arc::new(rows),
            targets,
            classes: names.map(String::from).to_vec(),
            input,
            parts,
            names: (0..count).map(|row| row.to_string()).collect(),
            skipped: Vec::new(),
            left_out: LeftOut::default(),
        })
    }
}

fn pictures(
    count: usize,
    color: Color,
    threads: usize,
) -> Result<(MemoryRows, Vec<u32>, [&'static str; 2], Input)> {
    let drawn = cats_dogs(count, SEED, threads)?;
    let picture = Picture { width: SIDE, height: SIDE, channels: color.channels() };
    let pixels = match color {
        Color::Grey => drawn.grey(),
        Color::Rgb => drawn.pixels,
    };
    let rows = MemoryRows::pictures(pixels, picture.values(), &drawn.classes);
    Ok((rows, drawn.classes, CLASSES, Input::Pictures(picture)))
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

/// Hashes the input of each row (XXH3, 128 bits).
fn hashes(rows: &MemoryRows) -> Vec<u128> {
    let mut row = vec![0; rows.fields()[Field::X.0].bytes()];
    let hash = |i: u32| {
        rows.gather(Field::X, &[i], &mut row).expect("rows in memory never fail");
        XxHash3_128::oneshot(&row)
    };
    (0..rows.len() as u32).map(hash).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

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
                let ones: u32 = part.iter().map(|&row| data.targets[row as usize]).sum();
                assert_eq!(ones as usize * 2, part.len());
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
