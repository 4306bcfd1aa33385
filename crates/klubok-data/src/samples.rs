//! Samples as read from a source, before the validation split.

use std::sync::Arc;

use klubok_model::Input;
use klubok_nn::rows::{Field, MemoryRows, Rows};
use twox_hash::XxHash3_128;

use crate::{
    DataError, Dataset, Part, Parts, Result, Skipped, Targets, count, left_out::LeftOut, quoted,
    record, settings::DataConfig, split,
};

/// Samples of all parts.
pub(super) struct Samples {
    /// Inputs and targets.
    pub(super) rows: MemoryRows,
    pub(super) input: Input,
    pub(super) targets: Targets,
    pub(super) outputs: Vec<String>,
    /// The target columns of a table.
    pub(super) columns: Vec<String>,
    pub(super) weights: Option<Vec<f32>>,
    pub(super) parts: Vec<Part>,
    pub(super) names: Vec<String>,
    pub(super) skipped: Vec<Skipped>,
    pub(super) left_out: LeftOut,
}

impl Samples {
    /// Cuts off a validation set if there is none. `is_known` is true for data of a trained model,
    /// which may lack classes.
    pub(super) fn into_dataset(self, settings: &DataConfig, is_known: bool) -> Result<Dataset> {
        let (rows, most) = (self.rows.len(), record::MAX_ROWS);
        if rows > most {
            return Err(DataError::TooManyRows { rows, most });
        }
        let rows_of = |part| -> Vec<u32> {
            let rows = self.parts.iter().enumerate().filter(|(_, p)| **p == part);
            rows.map(|(row, _)| row as u32).collect()
        };
        let (train, val, test) = (rows_of(Part::Train), rows_of(Part::Val), rows_of(Part::Test));
        let has_weight =
            |row: &u32| self.weights.as_ref().is_none_or(|all| all[*row as usize] > 0.0);
        if !train.is_empty() && !train.iter().any(has_weight) {
            return Err(DataError::Weight { row: train[0], value: 0.0 });
        }
        let needs_validation = val.is_empty();
        if !is_known {
            check_targets(&self.outputs, &self.targets, &train, needs_validation)?;
        }
        let (train, val) = if needs_validation {
            let DataConfig { val_fraction, split_seed, .. } = *settings;
            split::split(&self.targets, &train, self.outputs.len(), val_fraction, split_seed)
        } else {
            (train, val)
        };
        let hashes = hashes(&self.rows)?;
        let rows = match &self.weights {
            Some(weights) => self.rows.weighted(weights),
            None => self.rows,
        };
        Ok(Dataset {
            hashes,
            rows: Arc::new(rows),
            targets: self.targets,
            outputs: self.outputs,
            columns: self.columns,
            weights: self.weights,
            input: self.input,
            parts: Parts { train, val, test },
            names: self.names,
            skipped: self.skipped,
            left_out: self.left_out,
        })
    }

    /// Whether nobody named the outputs, as in [`Arrays`](crate::Arrays).
    fn has_default_names(&self) -> bool {
        let is_default =
            |(i, name): (usize, &String)| *name == format!("{i}") || *name == format!("y{i}");
        self.outputs.iter().enumerate().all(is_default)
    }

    /// Appends the samples of another part.
    ///
    /// # Errors
    /// [`DataError::PartMismatch`] when inputs, kind of targets or number of outputs differ, or
    /// only one has weights.
    pub(super) fn append(&mut self, other: Self) -> Result<()> {
        let describe = |samples: &Self| {
            let outputs = match &samples.targets {
                Targets::Classes(_) => "classes".to_owned(),
                Targets::Numbers(_) => format!("{} numbers", samples.outputs.len()),
                Targets::Labels(_) => format!("{} labels", samples.outputs.len()),
            };
            let weights = if samples.weights.is_some() { " and weights" } else { "" };
            format!("{} with {outputs}{weights}", samples.input.describe())
        };
        let (expected, got) = (describe(self), describe(&other));
        if self.input != other.input || expected != got {
            return Err(DataError::PartMismatch { expected, got });
        }
        let differ = self.outputs.iter().zip(&other.outputs).any(|(a, b)| a != b);
        if differ && !other.has_default_names() {
            let (expected, got) = (quoted(&self.outputs), quoted(&other.outputs));
            return Err(DataError::PartMismatch { expected, got });
        }
        match (&mut self.targets, other.targets) {
            (Targets::Classes(all), Targets::Classes(more)) => all.extend(more),
            (
                Targets::Numbers(all) | Targets::Labels(all),
                Targets::Numbers(more) | Targets::Labels(more),
            ) => all.extend(more),
            _ => return Err(DataError::PartMismatch { expected, got }),
        }
        if other.outputs.len() > self.outputs.len() {
            self.outputs = other.outputs;
        }
        self.rows.append(&other.rows);
        if let (Some(all), Some(more)) = (&mut self.weights, other.weights) {
            all.extend(more);
        }
        self.parts.extend(other.parts);
        self.names.extend(other.names);
        Ok(())
    }
}

/// Checks that there are at least two classes, each with enough training samples, or numbers that
/// vary.
fn check_targets(
    outputs: &[String],
    targets: &Targets,
    train: &[u32],
    needs_validation: bool,
) -> Result<()> {
    match targets {
        Targets::Classes(_) => {
            if let [class] = outputs {
                return Err(DataError::OneClass { class: class.clone() });
            }
            let counts = count(targets, train, outputs.len());
            for (class, n) in outputs.iter().cloned().zip(counts) {
                match n {
                    0 => return Err(DataError::EmptyClass { class }),
                    1 if needs_validation => return Err(DataError::OneSample { class }),
                    _ => {}
                }
            }
            Ok(())
        }
        Targets::Numbers(values) | Targets::Labels(values) => {
            if train.len() < 2 {
                return Err(DataError::FewRows { rows: train.len() });
            }
            let value = |row: u32, output| values[row as usize * outputs.len() + output];
            let constant = (0..outputs.len()).find(|&output| {
                train.iter().all(|&row| value(row, output) == value(train[0], output))
            });
            match constant {
                Some(output) => Err(DataError::ConstantTarget {
                    target: outputs[output].clone(),
                    value: value(train[0], output),
                }),
                None => Ok(()),
            }
        }
    }
}

/// Hashes each row's stored input (XXH3, 128 bits).
pub(super) fn hashes(rows: &MemoryRows) -> Result<Vec<u128>> {
    let mut bytes = vec![0; rows.fields()[Field::X.0].bytes()];
    let hash = |row| {
        rows.gather(Field::X, &[row], &mut bytes)?;
        Ok(XxHash3_128::oneshot(&bytes))
    };
    (0..rows.len() as u32).map(hash).collect()
}
