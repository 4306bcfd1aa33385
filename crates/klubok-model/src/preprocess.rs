//! Converts stored rows to the network's input. Stored in the model.
//!
//! `x = (stored - mean) / std`, with one mean and standard deviation per channel of pictures or
//! column of numbers: `std² = Σ (x - mean)² / n` over the training set. With
//! `data.normalize = false`, mean 0 and standard deviation 1.

use klubok_nn::{
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
}

impl Preprocessing {
    /// Returns the preprocessing without normalisation: `x = stored`.
    #[must_use]
    pub fn as_stored(self) -> Self {
        let (mean, std) = (vec![0.0; self.mean.len()], vec![1.0; self.std.len()]);
        Self { mean, std, ..self }
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
