//! Facts about a data set before training: counts, copies, constant inputs and their scale.
//!
//! Cheap by design: counts over all rows use only classes and existing hashes; values come from a
//! subsample of the training set.

use klubok_files::limits;
use klubok_nn::rows::{Field, Rows};
use serde::Serialize;

use super::{ClassCount, DataError, Dataset, Part, preprocess::each_row};
use crate::{Targets, error::Result, settings::TargetKind};

/// Maximum training rows whose values are read, evenly spaced over the training set.
const MAX_ROWS: usize = 2000;
/// Maximum values to read, which lowers the number of wide rows: about a third of a second of
/// reading.
const MAX_VALUES: usize = 40_000_000;
/// Minimum rows to read; [`NEARLY_CONSTANT`] needs this many.
const MIN_ROWS: usize = 200;
/// Minimum share of samples with the same value for a nearly constant input.
const NEARLY_CONSTANT: f64 = 0.99;
/// Maximum sample pairs that are named per kind of copy.
const MAX_NAMED: usize = 3;

/// Facts about a data set that need no training.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Survey {
    /// Samples per split.
    pub samples: Counts,
    /// What the target is.
    pub target: TargetKind,
    /// Samples per output and split, in order: of a class, with a label, or with a number.
    pub classes: Vec<ClassCount>,
    /// Number of unreadable files.
    pub unreadable: usize,
    /// Duplicate samples.
    pub copies: Copies,
    /// Statistics of the input values.
    pub inputs: Inputs,
}

/// One number per split.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Training set.
    pub train: usize,
    /// Validation set: chooses the best epoch.
    pub val: usize,
    /// Test set: training never reads it.
    pub test: usize,
}

impl Counts {
    /// Sums over all splits.
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

/// Samples with identical stored content.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Copies {
    /// Per split, samples beyond the first with the same content in that split.
    pub within: Counts,
    /// Validation and test samples whose content is also in the training set (`train` is 0).
    pub in_train: Counts,
    /// Samples of all splits whose content also occurs under another class or with other labels.
    /// Two numbers do not contradict each other.
    pub contradicting: usize,
    /// Some samples of `in_train`: the name in their split and the name in the training set.
    pub in_train_names: Vec<[String; 2]>,
    /// Some samples of `contradicting`: two names with the same content and different classes.
    pub contradicting_names: Vec<[String; 2]>,
}

/// Input statistics over up to 2,000 training samples.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Inputs {
    /// Values per sample.
    pub values: usize,
    /// Samples that were read.
    pub looked_at: usize,
    /// Inputs with the same value in all samples.
    pub constant: usize,
    /// Inputs with the same value in at least 99 % of the samples, constants included.
    pub nearly_constant: usize,
    /// Mean over all stored values (0 to 255 for pixels).
    pub mean: f64,
    /// Standard deviation over all stored values.
    pub std: f64,
}

impl Survey {
    /// Surveys a data set. Reads the values of a training subsample only.
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
            target: data.targets.kind().into(),
            classes: data.counts(),
            unreadable: data.skipped.len(),
            copies: copies(data),
            inputs: inputs(&*data.rows, &data.parts.train)?,
        })
    }
}

/// Sorts the samples by content, so that copies are neighbours.
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
    /// Adds the rows with one content.
    fn add(&mut self, data: &Dataset, parts: &[Part], same: &[u32]) {
        let part = |row: u32| parts[row as usize];
        let class = |row: u32| data.target_text(row);
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
            if let Some(&row) = outside.filter(|_| self.in_train_names.len() < MAX_NAMED) {
                self.in_train_names.push([name(row), name(first)]);
            }
        }
        if matches!(data.targets, Targets::Numbers(_)) {
            return;
        }
        if let Some(&other) = same.iter().find(|&&row| class(row) != class(same[0])) {
            self.contradicting += same.len();
            if self.contradicting_names.len() < MAX_NAMED {
                self.contradicting_names.push([name(same[0]), name(other)]);
            }
        }
    }
}

/// Returns the maximum rows of this width to read.
fn row_limit(width: usize) -> usize {
    (MAX_VALUES / width.max(1)).clamp(MIN_ROWS, MAX_ROWS)
}

/// Measures mean, standard deviation and constancy over a subsample of `train`.
fn inputs(rows: &dyn Rows, train: &[u32]) -> Result<Inputs> {
    let spec = &rows.fields()[Field::X.0];
    let looked_at = train.len().min(row_limit(spec.width));
    let which = (0..looked_at).map(|i| train[i * train.len() / looked_at]);
    let which: Vec<u32> = which.collect();
    let value = |stored: &[u8]| spec.kind.number(stored);
    let needed = (spec.width * size_of::<(f64, usize, usize)>()) as u64;
    if !limits::fits_in_memory(needed) {
        return Err(DataError::Memory { rows: looked_at, needed });
    }
    // Majority vote (Boyer and Moore 1991): one candidate per input, no table of values.
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
        nearly_constant: at_least(NEARLY_CONSTANT),
        mean,
        std: (squares / n - mean * mean).max(0.0).sqrt(),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use klubok_nn::rows::MemoryRows;

    use super::{super::fixtures::*, *};
    use crate::{LeftOut, Parts};
    use klubok_model::Input;

    /// One value per row: six training rows, two validation rows, one test row.
    fn data(x: &[f32], targets: &[u32]) -> Dataset {
        Dataset {
            rows: Arc::new(MemoryRows::numbers(x, 1, targets)),
            outputs: vec!["a".into(), "b".into()],
            columns: Vec::new(),
            weights: None,
            input: Input::Columns(vec!["x".into()]),
            parts: Parts { train: (0..6).collect(), val: vec![6, 7], test: vec![8] },
            names: (0..x.len()).map(|row| format!("row {row}")).collect(),
            hashes: x.iter().map(|x| u128::from(x.to_bits())).collect(),
            skipped: vec![],
            left_out: LeftOut::default(),
            targets: Targets::Classes(targets.to_vec()),
        }
    }

    #[test]
    fn counts_copies_by_split_and_class() {
        // Training: 1 three times, once in class b; validation: 1 and 9; test: 9.
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
    fn different_samples_are_not_copies() {
        let x: Vec<f32> = (0..9).map(|i| i as f32).collect();
        let survey = Survey::of(&data(&x, &[0; 9])).unwrap();
        assert_eq!(survey.copies, Copies::default());
    }

    #[test]
    fn counts_constant_inputs() {
        // 200 rows of three inputs: always 7; 7 except once; half and half.
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
    fn reads_a_subsample_of_many_rows() {
        let rows = MemoryRows::pictures(vec![5; 3 * 2500], 3, &[0; 2500]);
        let train: Vec<u32> = (0..2500).collect();
        let inputs = inputs(&rows, &train).unwrap();
        assert_eq!((inputs.looked_at, inputs.constant, inputs.mean), (MAX_ROWS, 3, 5.0));
        assert_eq!(super::inputs(&rows, &[]).unwrap().constant, 0);
        // Two numbers; 64x64 grey; 224x224 in colour; 1024x1024 in colour.
        assert_eq!([2, 4096, 150_528, 3_145_728].map(row_limit), [2000, 2000, 265, 200]);
    }

    #[test]
    fn finds_a_copied_file() {
        let folder = classes(&["cat", "dog"], 5);
        fs_err::copy(folder.path().join("cat/000.png"), folder.path().join("dog/copy.png"))
            .unwrap();
        let survey = Survey::of(&open_folder(&folder, &options(4)).unwrap()).unwrap();
        assert_eq!((survey.samples.total(), survey.copies.contradicting), (11, 2));
        assert_eq!(
            survey.copies.contradicting_names,
            [["cat/000.png", "dog/copy.png"].map(String::from)]
        );
    }
}
