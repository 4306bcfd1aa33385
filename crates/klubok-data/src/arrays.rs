//! Samples in a program's memory become a data set.

use klubok_model::Input;
use klubok_nn::{
    plan::Picture,
    rows::{Kind, MemoryRows},
};

use crate::{
    DataError, Dataset, Part, Result, Samples, Targets, left_out::LeftOut, settings::DataConfig,
};

/// The most classes of a data set.
const MAX_CLASSES: usize = 65_536;

/// Samples in memory: inputs, then targets, then optional names and weights.
///
/// ```
/// use klubok_data::{Arrays, Dataset};
///
/// // Four points, [rows, columns], and the class of each.
/// let (x, y) = ([0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0], [0, 1, 1, 0]);
/// let xor = Arrays::columns(&x, 2)?.classes(&y)?;
/// let data = Dataset::with_validation(xor.clone(), xor)?;
/// assert_eq!((data.parts.train.len(), data.outputs.len()), (4, 2));
/// # Ok::<(), klubok_data::DataError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Arrays {
    rows: usize,
    x: Vec<u8>,
    kind: Kind,
    width: usize,
    input: Input,
    targets: Option<Targets>,
    outputs: Vec<String>,
    weights: Option<Vec<f32>>,
}

impl Arrays {
    /// Takes rows of numbers, `[rows, columns]`.
    ///
    /// # Errors
    /// [`DataError::Sizes`] when `x` is not whole rows.
    pub fn columns(x: &[f32], columns: usize) -> Result<Self> {
        let names = (0..columns).map(|column| format!("x{column}")).collect();
        let bytes = x.iter().flat_map(|value| value.to_ne_bytes()).collect();
        Self::new(bytes, Kind::Numbers, columns, Input::Columns(names))
    }

    /// Takes pictures, `[rows, height, width, channels]`, a byte per value.
    ///
    /// # Errors
    /// [`DataError::Sizes`] when `pixels` are not whole pictures, of 1 (grey) or 3 channels (RGB).
    pub fn pictures(pixels: &[u8], shape: Picture) -> Result<Self> {
        if ![1, 3].contains(&shape.channels) {
            return Err(sizes("channels of a picture", 3, shape.channels));
        }
        Self::new(pixels.to_vec(), Kind::Pixels, shape.values(), Input::Pictures(shape))
    }

    fn new(x: Vec<u8>, kind: Kind, width: usize, input: Input) -> Result<Self> {
        let (values, rows) = (x.len() / kind.bytes(), x.len() / kind.bytes() / width.max(1));
        if width == 0 || values != rows * width {
            return Err(sizes("inputs", (rows + 1) * width, values));
        }
        let (targets, outputs, weights) = (None, Vec::new(), None);
        Ok(Self { rows, x, kind, width, input, targets, outputs, weights })
    }

    /// Names the columns of the inputs.
    ///
    /// # Errors
    /// [`DataError::Sizes`] when there are more or fewer names than columns; pictures have none.
    pub fn named(self, columns: &[&str]) -> Result<Self> {
        let expected = if self.kind == Kind::Numbers { self.width } else { 0 };
        if columns.len() != expected {
            return Err(sizes("names of columns", expected, columns.len()));
        }
        let names = columns.iter().map(|&name| name.to_owned()).collect();
        Ok(Self { input: Input::Columns(names), ..self })
    }

    /// Adds the class of each row, counted from 0.
    ///
    /// # Errors
    /// [`DataError::Sizes`] when there are more or fewer than rows, or more than 65,536 classes.
    pub fn classes(self, classes: &[u32]) -> Result<Self> {
        if classes.len() != self.rows {
            return Err(sizes("classes", self.rows, classes.len()));
        }
        let count = classes.iter().max().map_or(0, |last| *last as usize + 1);
        if count > MAX_CLASSES {
            return Err(sizes("classes", MAX_CLASSES, count));
        }
        let outputs = (0..count).map(|class| class.to_string()).collect();
        Ok(Self { targets: Some(Targets::Classes(classes.to_vec())), outputs, ..self })
    }

    /// Adds numbers to predict, `[rows, outputs]`.
    ///
    /// # Errors
    /// [`DataError::Sizes`] when they are not `outputs` per row, [`DataError::NotFinite`] for a
    /// NaN or infinite one.
    pub fn numbers(self, y: &[f32], outputs: usize) -> Result<Self> {
        let names: Vec<String> = (0..outputs).map(|output| format!("y{output}")).collect();
        self.check_values(y, &names)?;
        Ok(Self { targets: Some(Targets::Numbers(y.to_vec())), outputs: names, ..self })
    }

    /// Adds labels, `[rows, outputs]`: 1 where a row has the label, else 0.
    ///
    /// # Errors
    /// As [`Arrays::numbers`], and [`DataError::Label`] for any other value.
    pub fn labels(self, y: &[f32], outputs: usize) -> Result<Self> {
        let names: Vec<String> = (0..outputs).map(|output| output.to_string()).collect();
        self.check_values(y, &names)?;
        let wrong = y.iter().position(|&value| value != 0.0 && value != 1.0);
        if let Some(i) = wrong {
            let (row, label) = ((i / outputs) as u32, names[i % outputs].clone());
            return Err(DataError::Label { row, label, value: y[i] });
        }
        Ok(Self { targets: Some(Targets::Labels(y.to_vec())), outputs: names, ..self })
    }

    /// Names the outputs: the classes, labels or numbers.
    ///
    /// # Errors
    /// [`DataError::Sizes`] when there are too few or too many names, or two are the same.
    pub fn outputs(self, names: &[&str]) -> Result<Self> {
        let (expected, mut different) = (self.outputs.len(), names.to_vec());
        if names.len() != expected {
            return Err(sizes("names of outputs", expected, names.len()));
        }
        different.sort_unstable();
        different.dedup();
        if different.len() != expected {
            return Err(sizes("different names of outputs", expected, different.len()));
        }
        Ok(Self { outputs: names.iter().map(|&name| name.to_owned()).collect(), ..self })
    }

    /// Adds the weight of each row: how many rows it counts for, in training and in evaluation.
    ///
    /// # Errors
    /// [`DataError::Sizes`] when there are more or fewer than rows, [`DataError::Weight`] when one
    /// is negative or not finite, or all are 0.
    pub fn weights(self, weights: &[f32]) -> Result<Self> {
        if weights.len() != self.rows {
            return Err(sizes("weights", self.rows, weights.len()));
        }
        let wrong = weights.iter().position(|weight| !(weight.is_finite() && *weight >= 0.0));
        if let Some(row) = wrong {
            return Err(DataError::Weight { row: row as u32, value: weights[row] });
        }
        if self.rows > 0 && weights.iter().all(|weight| *weight == 0.0) {
            return Err(DataError::Weight { row: 0, value: 0.0 });
        }
        Ok(Self { weights: Some(weights.to_vec()), ..self })
    }

    fn check_values(&self, y: &[f32], names: &[String]) -> Result<()> {
        if names.is_empty() || y.len() != self.rows * names.len() {
            return Err(sizes("targets", self.rows * names.len(), y.len()));
        }
        match y.iter().position(|value| !value.is_finite()) {
            Some(i) => {
                let (row, column) = ((i / names.len()) as u32, names[i % names.len()].clone());
                Err(DataError::NotFinite { row, column, value: y[i] })
            }
            None => Ok(()),
        }
    }

    /// Turns the arrays into samples of one split.
    fn into_samples(self, part: Part) -> Result<Samples> {
        let targets = self.targets.ok_or(DataError::NoTargets)?;
        let x = MemoryRows::empty(self.rows).with(self.kind, self.width, self.x);
        let rows = targets.add_to(x, self.outputs.len());
        Ok(Samples {
            rows,
            input: self.input,
            columns: if targets.classes().is_some() { Vec::new() } else { self.outputs.clone() },
            targets,
            outputs: self.outputs,
            weights: self.weights,
            parts: vec![part; self.rows],
            names: (0..self.rows).map(|row| format!("{}/{row}", part.name())).collect(),
            skipped: Vec::new(),
            left_out: LeftOut::default(),
        })
    }
}

impl Dataset {
    /// Makes a data set of arrays and cuts a validation set off: this share of each class, or of
    /// the rows, chosen by `seed`.
    ///
    /// # Errors
    /// When there are no targets, fewer than two classes, or a class with fewer than two rows.
    pub fn split(all: Arrays, val_fraction: f64, seed: u64) -> Result<Self> {
        let settings = DataConfig { val_fraction, split_seed: seed, ..DataConfig::default() };
        all.into_samples(Part::Train)?.into_dataset(&settings, false)
    }

    /// Makes a data set of arrays with a validation set of one's own.
    ///
    /// # Errors
    /// As [`Dataset::split`], and when the two have other inputs or kinds of targets.
    pub fn with_validation(train: Arrays, val: Arrays) -> Result<Self> {
        let (mut all, val) = (train.into_samples(Part::Train)?, val.into_samples(Part::Val)?);
        all.append(val)?;
        all.into_dataset(&DataConfig::default(), false)
    }
}

fn sizes(what: &'static str, expected: usize, got: usize) -> DataError {
    DataError::Sizes { what, expected, got }
}
