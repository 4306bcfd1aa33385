//! Samples that are looked at: a row of the data, or a picture that was handed in.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use klubok::rows::Field;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{answer::sizes, hub::Hub};

/// Which sample to look at: a picture that was handed in, a row of the data, or the first of the
/// validation part.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default)]
pub(super) struct Which {
    pub(super) picture: Option<u64>,
    pub(super) row: Option<u32>,
    /// What a person says a picture of theirs shows.
    pub(super) label: Option<usize>,
}

/// A sample as it is stored.
pub(super) struct Sample {
    pub(super) stored: Vec<f64>,
    pub(super) label: Option<usize>,
    pub(super) name: String,
    /// Rows of the validation part before and after it; the part is a ring.
    pub(super) beside: Option<[u32; 2]>,
}

impl Hub {
    /// The sample that is meant.
    ///
    /// # Errors
    /// In a sentence, when there is none.
    pub(super) fn sample(&self, which: Which) -> Result<Sample, String> {
        if let Some(number) = which.picture {
            let pixels = self.picture(number).ok_or("this picture is no longer kept")?;
            let stored = pixels.iter().map(|&byte| f64::from(byte)).collect();
            let label = which.label.filter(|&label| label < self.about.classes.len());
            return Ok(Sample { stored, label, name: String::new(), beside: None });
        }
        let data = self.data.as_ref().ok_or("the data of this run is not at hand")?;
        let first = data.parts.val.first().or(data.parts.train.first()).copied();
        let row = which.row.or(first).ok_or("there is no sample")?;
        if row as usize >= data.rows.len() {
            return Err("there is no such sample".to_owned());
        }
        Ok(Sample {
            stored: self.stored(&[row])?,
            label: Some(data.targets[row as usize] as usize),
            name: data.names[row as usize].clone(),
            beside: beside(&data.parts.val, row),
        })
    }

    /// Rows of the data as they are stored, `[rows, inputs]`.
    pub(super) fn stored(&self, rows: &[u32]) -> Result<Vec<f64>, String> {
        let data = self.data.as_ref().ok_or("the data of this run is not at hand")?;
        let field = &data.rows.fields()[Field::X.0];
        let mut bytes = vec![0; rows.len() * field.bytes()];
        data.rows.gather(Field::X, rows, &mut bytes).map_err(|error| error.to_string())?;
        let stored = bytes.chunks_exact(field.kind.bytes()).map(|value| field.kind.number(value));
        Ok(stored.collect())
    }

    /// A sample for the eye: pixels with their size, or values.
    pub(super) fn shown(&self, stored: &[f64]) -> Map<String, Value> {
        let Some(shape) = self.about.shape() else {
            return Map::from_iter([("values".to_owned(), json!(stored))]);
        };
        let mut shown = sizes(shape);
        let pixels: Vec<u8> = stored.iter().map(|&value| value as u8).collect();
        shown.insert("pixels".to_owned(), STANDARD.encode(pixels).into());
        shown
    }
}

/// The rows before and after a row in a part, which need not have it; none where the part is empty.
fn beside(part: &[u32], row: u32) -> Option<[u32; 2]> {
    let before = part.iter().rev().find(|&&other| other < row).or(part.last())?;
    let after = part.iter().find(|&&other| other > row).or(part.first())?;
    Some([*before, *after])
}
