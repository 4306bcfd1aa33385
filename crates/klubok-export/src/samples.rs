//! Samples with klubok's own predictions, by which an exported file tests itself.

use klubok_model::{Input, Model, ModelError};

/// Number of samples, unless a network overflows on some.
const SAMPLES: usize = 8;
/// Largest difference, as a share of the size of an output.
const TOLERANCE: f32 = 1e-5;
/// The fractional parts of its multiples are spread evenly between 0 and 1.
const GOLDEN_RATIO: f64 = 0.618_033_988_749_894_9;

/// A sample.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Values as stored.
    pub row: Vec<f32>,
    /// The prediction of [`Model::predict`].
    pub prediction: Vec<f32>,
}

/// Samples, and how far a prediction may be from klubok's.
#[derive(Debug, Clone, PartialEq)]
pub struct Samples {
    /// The samples.
    pub samples: Vec<Sample>,
    /// Largest difference of each output.
    pub tolerance: Vec<f32>,
}

/// Returns samples that are spread over the range of the training set: bytes for pictures, up to
/// two standard deviations around the mean for columns.
///
/// # Errors
/// When the fields of the model do not fit each other.
pub fn samples(model: &Model) -> Result<Samples, ModelError> {
    let inputs = model.network.inputs;
    let of = &model.preprocessing;
    let mut found = Vec::new();
    for first in (0..SAMPLES).map(|sample| sample * inputs) {
        let value = |i: usize| {
            let part = ((first + i) as f64 * GOLDEN_RATIO).fract();
            match of.input {
                Input::Pictures(_) => (part * 256.0).floor() as f32,
                Input::Columns(_) => of.mean[i] + of.std[i] * (4.0 * part - 2.0) as f32,
            }
        };
        let row: Vec<f32> = (0..inputs).map(value).collect();
        if row.iter().all(|value| value.is_finite()) {
            let prediction = model.predict(&row)?;
            if prediction.iter().all(|value| value.is_finite()) {
                found.push(Sample { row, prediction });
            }
        }
    }
    // Confidences lie between 0 and 1; numbers have a scale of their own.
    let scale = |k: usize| {
        let largest = |most: f32, sample: &Sample| most.max(sample.prediction[k].abs());
        let target = of.target.as_ref().filter(|target| !target.std.is_empty());
        target.map_or(1.0, |target| found.iter().fold(target.std[k], largest))
    };
    let tolerance = (0..model.network.outputs).map(|k| TOLERANCE * scale(k)).collect();
    Ok(Samples { samples: found, tolerance })
}
