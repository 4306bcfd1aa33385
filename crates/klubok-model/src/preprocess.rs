//! Converts stored rows to the network's input. Stored in the model.
//!
//! `x = (stored - mean) / std`, with one mean and standard deviation per channel of pictures or
//! column of numbers: `std² = Σ (x - mean)² / n` over the training set. With
//! `data.normalize = false`, mean 0 and standard deviation 1.

use klubok_nn::{
    network::OutputKind,
    plan::{Augment, InputSpec, Picture},
    rows::Kind,
};
use serde::{Deserialize, Serialize};

/// The kind and shape of a row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Input {
    /// Pixels.
    Pictures(Picture),
    /// Numeric columns, by name.
    Columns(Vec<String>),
}

impl Input {
    /// Describes the input, as in "pictures of 64x64 grey pixels" or "3 columns".
    pub fn describe(&self) -> String {
        match self {
            Input::Pictures(Picture { width, height, channels: 1 }) => {
                format!("pictures of {width}x{height} grey pixels")
            }
            Input::Pictures(Picture { width, height, .. }) => {
                format!("pictures of {width}x{height} RGB pixels")
            }
            Input::Columns(names) => format!("{} columns", names.len()),
        }
    }
}

/// How a picture of any shape becomes a square.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fit {
    /// Stretches: keeps everything, distorts shapes.
    Squash,
    /// Crops the centre: keeps shapes, loses edges.
    Crop,
    /// Pads with grey: keeps everything, shrinks the subject.
    Pad,
}

/// The conversion from a picture or row to the network's input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preprocessing {
    /// The kind and shape of a row.
    pub input: Input,
    /// How to fit a picture of another shape.
    pub fit: Fit,
    /// Mean over the training set in stored units (0 to 255 for pixels), per channel or column.
    pub mean: Vec<f32>,
    /// Standard deviation over the training set, likewise. Constants have 1.
    pub std: Vec<f32>,
    /// The target of a table or of numbers; none for the classes of folders.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub target: Option<Target>,
}

/// The target columns of the training data, and the scale of numbers.
///
/// A network learns numbers as `(y - mean) / std`, so that they are of the size of its outputs, and
/// its loss is in these units. Predictions are turned back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Names of the columns, in the order of the outputs; for classes the one column that names
    /// them.
    pub columns: Vec<String>,
    /// Mean of each number over the training set; empty for classes and labels.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub mean: Vec<f32>,
    /// Standard deviation, likewise.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub std: Vec<f32>,
}

impl Target {
    /// Converts numbers, `[rows, outputs]`, to the network's units.
    pub fn scale(&self, values: &mut [f32]) {
        for row in values.chunks_mut(self.mean.len().max(1)) {
            for (value, (mean, std)) in row.iter_mut().zip(self.mean.iter().zip(&self.std)) {
                *value = ((f64::from(*value) - f64::from(*mean)) / f64::from(*std)) as f32;
            }
        }
    }

    /// Converts one prediction of the network to the units of the data.
    pub fn unscale(&self, outputs: &mut [f64]) {
        for (value, (mean, std)) in outputs.iter_mut().zip(self.mean.iter().zip(&self.std)) {
            *value = *value * f64::from(*std) + f64::from(*mean);
        }
    }

    /// Returns true when a network with these outputs can have this target.
    fn fits(&self, outputs: usize, kind: OutputKind) -> bool {
        let numbers = self.mean.iter().chain(&self.std);
        let columns = if kind == OutputKind::Classes { 1 } else { outputs };
        let scales = if kind == OutputKind::Numbers { outputs } else { 0 };
        self.columns.len() == columns
            && (self.mean.len(), self.std.len()) == (scales, scales)
            && numbers.clone().all(|value| value.is_finite())
            && self.std.iter().all(|std| *std > 0.0)
    }
}

impl Preprocessing {
    /// Returns the preprocessing without normalisation: `x = stored`.
    #[must_use]
    pub fn as_stored(self) -> Self {
        let none = |mean: &[f32]| (vec![0.0; mean.len()], vec![1.0; mean.len()]);
        let target = self.target.map(|target| {
            let (mean, std) = none(&target.mean);
            Target { mean, std, ..target }
        });
        let (mean, std) = none(&self.mean);
        Self { mean, std, target, ..self }
    }

    /// Returns true when a network with these outputs can have the target.
    pub(crate) fn target_fits(&self, outputs: usize, kind: OutputKind) -> bool {
        self.target.as_ref().is_none_or(|target| target.fits(outputs, kind))
    }

    /// Converts a stored row to the network's input.
    pub fn apply(&self, kind: Kind, stored: &[u8]) -> Vec<f64> {
        let scales = self.mean.iter().zip(&self.std).cycle();
        let values = stored.chunks_exact(kind.bytes()).zip(scales);
        let scaled = |(value, (mean, std)): (&[u8], (&f32, &f32))| {
            (kind.number(value) - f64::from(*mean)) / f64::from(*std)
        };
        values.map(scaled).collect()
    }

    /// Returns the identity preprocessing of `columns` columns.
    pub fn identity_columns(&self, columns: usize) -> Self {
        Self {
            input: Input::Columns((0..columns).map(|column| column.to_string()).collect()),
            fit: self.fit,
            mean: vec![0.0; columns],
            std: vec![1.0; columns],
            target: None,
        }
    }

    /// Returns the conversion as an operation of a plan: `x = stored * factor + offset`.
    pub fn prepare(&self, augment: Augment) -> InputSpec {
        InputSpec {
            factor: self.std.iter().map(|std| 1.0 / std).collect(),
            offset: self.mean.iter().zip(&self.std).map(|(mean, std)| -mean / std).collect(),
            picture: match self.input {
                Input::Pictures(shape) => Some(shape),
                Input::Columns(_) => None,
            },
            augment,
        }
    }
}
