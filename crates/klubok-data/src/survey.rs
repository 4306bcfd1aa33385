//! Facts about data that stand before any training: counts, copies, inputs that never change, their
//! scale.
//!
//! Cheap on purpose: what is counted over all rows are classes and hashes, which are there already;
//! values are looked at in a sample of the training part.

use klubok_nn::rows::{Field, Rows};
use serde::Serialize;

use super::{ClassCount, DataError, Dataset, Part, preprocess::each_row};
use crate::{error::Result, limits};

/// Rows of the training part whose values are looked at, at most: evenly spaced over the part.
const LOOKED_AT: usize = 2000;
/// Of wide rows fewer, so that a training need not wait: about as many values as a third of a
/// second reads. But never less than what [`NEARLY`] takes.
const VALUES: usize = 40_000_000;
const LEAST: usize = 200;
/// Share of the samples that an input must have the same value in to count as nearly constant.
const NEARLY: f64 = 0.99;
/// Pairs of samples that are named for each kind of copy.
const NAMED: usize = 3;

/// What can be said of data without training.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Survey {
    /// Samples of each part.
    pub samples: Counts,
    /// Samples of each class in each part, in the order of the classes.
    pub classes: Vec<ClassCount>,
    /// Files that could not be read.
    pub unreadable: usize,
    /// Samples that are there more than once.
    pub copies: Copies,
    /// The values of a sample.
    pub inputs: Inputs,
}

/// A number a part.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// For training.
    pub train: usize,
    /// For choosing the best epoch.
    pub val: usize,
    /// Never read by training.
    pub test: usize,
}

impl Counts {
    /// All parts together.
    pub fn total(self) -> usize {
        self.train + self.val + self.test
    }

    fn of(&mut self, part: Part) -> &mut usize {
        match part {
            Part::Train => &mut self.train,
            Part::Val => &mut self.val,
            Part::Test => &mut self.test,
        }
    }
}

/// Samples whose stored content another sample has too.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Copies {
    /// Samples of a part beyond the first with the same content in it.
    pub within: Counts,
    /// Samples of the validation and of the test part whose content is in the training part as well
    /// (`train` is 0).
    pub in_train: Counts,
    /// Samples of all parts whose content stands under another class as well.
    pub contradicting: usize,
    /// Some of the samples in `in_train`: the name in its part, the name in the training part.
    pub in_train_names: Vec<[String; 2]>,
    /// Some of the samples in `contradicting`: two names with the same content and different
    /// classes.
    pub contradicting_names: Vec<[String; 2]>,
}

/// The values of the samples, by a look at up to 2,000 of the training part.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Inputs {
    /// Values of a sample.
    pub values: usize,
    /// Samples that were looked at.
    pub looked_at: usize,
    /// Values that are the same in all of them.
    pub constant: usize,
    /// Values that are the same in at least 99 % of them, constants included.
    pub nearly_constant: usize,
    /// Mean over all values as they are stored (0 to 255 for pixels).
    pub mean: f64,
    /// Standard deviation over all values as they are stored.
    pub std: f64,
}

impl Survey {
    /// Surveys data. Of the values, only a sample of the training part is read.
    ///
    /// # Errors
    /// When rows cannot be read.
    pub fn of(data: &Dataset) -> Result<Self> {
        let samples = Counts {
            train: data.parts.train.len(),
            val: data.parts.val.len(),
            test: data.parts.test.len(),
        };
        Ok(Self {
            samples,
            classes: data.counts(),
            unreadable: data.skipped.len(),
            copies: copies(data),
            inputs: inputs(&*data.rows, &data.parts.train)?,
        })
    }
}

/// Goes through the samples sorted by content: copies are neighbours.
fn copies(data: &Dataset) -> Copies {
    let parts = data.part_of_rows();
    let mut rows: Vec<u32> = [&data.parts.train, &data.parts.val, &data.parts.test]
        .into_iter()
        .flat_map(|rows| rows.iter().copied())
        .collect();
    rows.sort_unstable_by_key(|&row| (data.hashes[row as usize], row));
    let mut copies = Copies::default();
    for same in rows.chunk_by(|&a, &b| data.hashes[a as usize] == data.hashes[b as usize]) {
        if same.len() > 1 {
            copies.add(data, &parts, same);
        }
    }
    copies
}

impl Copies {
    /// Adds the rows of one content.
    fn add(&mut self, data: &Dataset, parts: &[Part], same: &[u32]) {
        let part = |row: u32| parts[row as usize];
        let class = |row: u32| data.targets[row as usize];
        let name = |row: u32| data.names[row as usize].clone();
        let mut here = Counts::default();
        same.iter().for_each(|&row| *here.of(part(row)) += 1);
        for which in [Part::Train, Part::Val, Part::Test] {
            *self.within.of(which) += here.of(which).saturating_sub(1);
        }
        if let Some(&first) = same.iter().find(|&&row| part(row) == Part::Train) {
            self.in_train.val += here.val;
            self.in_train.test += here.test;
            let outside = same.iter().find(|&&row| part(row) != Part::Train);
            if let Some(&row) = outside.filter(|_| self.in_train_names.len() < NAMED) {
                self.in_train_names.push([name(row), name(first)]);
            }
        }
        if let Some(&other) = same.iter().find(|&&row| class(row) != class(same[0])) {
            self.contradicting += same.len();
            if self.contradicting_names.len() < NAMED {
                self.contradicting_names.push([name(same[0]), name(other)]);
            }
        }
    }
}

/// Rows of this width that are looked at, at most.
fn enough(width: usize) -> usize {
    (VALUES / width.max(1)).clamp(LEAST, LOOKED_AT)
}

/// Mean, deviation and constancy of the values of some rows of `train`.
fn inputs(rows: &dyn Rows, train: &[u32]) -> Result<Inputs> {
    let spec = &rows.fields()[Field::X.0];
    let looked_at = train.len().min(enough(spec.width));
    let which = (0..looked_at).map(|i| train[i * train.len() / looked_at]);
    let which: Vec<u32> = which.collect();
    let value = |stored: &[u8]| spec.kind.number(stored);
    let needed = (spec.width * size_of::<(f64, usize, usize)>()) as u64;
    if !limits::fits(needed) {
        return Err(DataError::Memory { rows: looked_at, needed });
    }
    // Who has more than half of the votes wins (Boyer and Moore 1991): one candidate a value, no
    // table of values.
    let mut candidates = vec![(0.0f64, 0usize); spec.width];
    let (mut sum, mut squares) = (0.0, 0.0);
    each_row(rows, &which, |_, bytes| {
        for (candidate, bytes) in candidates.iter_mut().zip(bytes.chunks_exact(spec.kind.bytes())) {
            let x = value(bytes);
            (sum, squares) = (sum + x, squares + x * x);
            match candidate {
                (_, 0) => *candidate = (x, 1),
                (same, votes) if *same == x => *votes += 1,
                (_, votes) => *votes -= 1,
            }
        }
        Ok(())
    })?;
    let mut hits = vec![0usize; spec.width];
    each_row(rows, &which, |_, bytes| {
        let values = bytes.chunks_exact(spec.kind.bytes()).zip(&candidates);
        for (hits, (bytes, (candidate, _))) in hits.iter_mut().zip(values) {
            *hits += usize::from(value(bytes) == *candidate);
        }
        Ok(())
    })?;
    let n = (looked_at * spec.width).max(1) as f64;
    let mean = sum / n;
    let at_least = |share: f64| {
        let least = (share * looked_at as f64).ceil().max(1.0) as usize;
        hits.iter().filter(|&&hits| hits >= least).count()
    };
    Ok(Inputs {
        values: spec.width,
        looked_at,
        constant: at_least(1.0),
        nearly_constant: at_least(NEARLY),
        mean,
        std: (squares / n - mean * mean).max(0.0).sqrt(),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use klubok_nn::rows::MemoryRows;

    use super::{super::fixtures::*, *};
    use crate::{Input, LeftOut, Parts};

    /// One value a row; the first six rows are for training, two for validation, one for the test.
    fn data(x: &[f32], targets: &[u32]) -> Dataset {
        Dataset {
            rows: Arc::new(MemoryRows::numbers(x, 1, targets)),
            classes: vec!["a".into(), "b".into()],
            input: Input::Columns(vec!["x".into()]),
            parts: Parts { train: (0..6).collect(), val: vec![6, 7], test: vec![8] },
            names: (0..x.len()).map(|row| format!("row {row}")).collect(),
            hashes: x.iter().map(|x| u128::from(x.to_bits())).collect(),
            skipped: vec![],
            left_out: LeftOut::default(),
            targets: targets.to_vec(),
        }
    }

    #[test]
    fn copies_are_counted_by_part_and_class() {
        // Training: 1 three times, once as b; validation: 1, and 9; test: 9.
        let x = [1.0, 2.0, 1.0, 3.0, 1.0, 4.0, 1.0, 9.0, 9.0];
        let survey = Survey::of(&data(&x, &[0, 0, 0, 1, 1, 1, 0, 1, 1])).unwrap();
        let copies = &survey.copies;
        assert_eq!(copies.within, Counts { train: 2, val: 0, test: 0 });
        assert_eq!(copies.in_train, Counts { train: 0, val: 1, test: 0 });
        assert_eq!(copies.contradicting, 4);
        assert_eq!(copies.in_train_names, [["row 6", "row 0"].map(String::from)]);
        assert_eq!(copies.contradicting_names, [["row 0", "row 4"].map(String::from)]);
        assert_eq!(survey.samples, Counts { train: 6, val: 2, test: 1 });
        assert_eq!(survey.classes[1].train, 3);
    }

    #[test]
    fn different_samples_are_no_copies() {
        let x: Vec<f32> = (0..9).map(|i| i as f32).collect();
        let survey = Survey::of(&data(&x, &[0; 9])).unwrap();
        assert_eq!(survey.copies, Copies::default());
    }

    #[test]
    fn values_that_never_change_are_counted() {
        // 200 rows: always 7; 7 but for one; half and half.
        let x: Vec<f32> =
            (0..200).flat_map(|i| [7.0, if i == 3 { 1.0 } else { 7.0 }, (i % 2) as f32]).collect();
        let rows = MemoryRows::numbers(&x, 3, &[0; 200]);
        let train: Vec<u32> = (0..200).collect();
        let inputs = inputs(&rows, &train).unwrap();
        assert_eq!((inputs.values, inputs.constant, inputs.nearly_constant), (3, 1, 2));
        let mean = (1400.0 + 1394.0 + 100.0) / 600.0;
        assert!((inputs.mean - mean).abs() < 1e-9, "{inputs:?}");
        let squares = (200.0 * 49.0 + 199.0 * 49.0 + 1.0 + 100.0) / 600.0;
        assert!((inputs.std - (squares - mean * mean).sqrt()).abs() < 1e-9, "{inputs:?}");
    }

    #[test]
    fn of_many_rows_some_are_looked_at() {
        let rows = MemoryRows::pictures(vec![5; 3 * 2500], 3, &[0; 2500]);
        let train: Vec<u32> = (0..2500).collect();
        let inputs = inputs(&rows, &train).unwrap();
        assert_eq!((inputs.looked_at, inputs.constant, inputs.mean), (LOOKED_AT, 3, 5.0));
        assert_eq!(super::inputs(&rows, &[]).unwrap().constant, 0);
        // Two numbers; 64x64 grey; 224x224 in colour; 1024x1024 in colour.
        assert_eq!([2, 4096, 150_528, 3_145_728].map(enough), [2000, 2000, 265, 200]);
    }

    #[test]
    fn a_copied_file_is_found() {
        let folder = classes(&["cat", "dog"], 5);
        fs_err::copy(folder.path().join("cat/000.png"), folder.path().join("dog/copy.png"))
            .unwrap();
        let survey = Survey::of(&opened(&folder, &options(4)).unwrap()).unwrap();
        assert_eq!((survey.samples.total(), survey.copies.contradicting), (11, 2));
        assert_eq!(
            survey.copies.contradicting_names,
            [["cat/000.png", "dog/copy.png"].map(String::from)]
        );
    }
}
