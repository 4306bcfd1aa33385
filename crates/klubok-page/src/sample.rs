//! Samples to inspect: a row of the data, or an uploaded picture.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use klubok::{data::Dataset, rows::Field};
use serde_json::{Map, Value, json};

use super::{encoding::shape_json, hub::Hub};

/// The sample to inspect: an uploaded picture, a row of the data, or by default the first picture
/// of the film.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct SampleQuery {
    pub(super) picture: Option<u64>,
    pub(super) row: Option<u32>,
    /// The label that a person gives to an uploaded picture.
    pub(super) label: Option<usize>,
}

/// A sample as the data set stores it.
pub(super) struct Sample {
    pub(super) stored: Vec<f64>,
    /// Its class, if the run predicts classes.
    pub(super) label: Option<usize>,
    /// Its labels, 1 or 0 each, or its numbers, if the run predicts such.
    pub(super) targets: Option<Vec<f32>>,
    pub(super) name: String,
    /// The validation rows before and after it; the validation set is a ring.
    pub(super) neighbours: Option<[u32; 2]>,
}

impl Hub {
    /// Returns the requested sample.
    ///
    /// # Errors
    /// When there is none; a sentence.
    pub(super) fn sample(&self, query: SampleQuery) -> Result<Sample, String> {
        if let Some(number) = query.picture {
            let pixels = self.picture(number).ok_or("this picture is no longer kept")?;
            let stored = pixels.iter().map(|&byte| f64::from(byte)).collect();
            let label = query.label.filter(|&label| label < self.run.outputs.len());
            let (name, targets) = (String::new(), None);
            return Ok(Sample { stored, label, targets, name, neighbours: None });
        }
        let data = self.data.as_ref().ok_or("the data of this run is not at hand")?;
        let first = || self.scene().ok()?.rows.first().copied();
        let row = query.row.or_else(first).ok_or("there is no sample")?;
        if row as usize >= data.rows.len() {
            return Err("there is no such sample".to_owned());
        }
        Ok(Sample {
            stored: self.stored(&[row])?,
            label: data.targets.classes().map(|classes| classes[row as usize] as usize),
            targets: own_targets(data, row),
            name: data.names[row as usize].clone(),
            neighbours: neighbours(&data.parts.val, row),
        })
    }

    /// Returns rows as the data set stores them, `[rows, inputs]`.
    pub(super) fn stored(&self, rows: &[u32]) -> Result<Vec<f64>, String> {
        let data = self.data.as_ref().ok_or("the data of this run is not at hand")?;
        let field = &data.rows.fields()[Field::X.0];
        let mut bytes = vec![0; rows.len() * field.bytes()];
        data.rows.gather(Field::X, rows, &mut bytes).map_err(|error| error.to_string())?;
        let stored = bytes.chunks_exact(field.kind.bytes()).map(|value| field.kind.number(value));
        Ok(stored.collect())
    }

    /// Describes a sample for display: pixels with their shape, or values.
    pub(super) fn sample_json(&self, stored: &[f64]) -> Map<String, Value> {
        let Some(shape) = self.run.shape() else {
            return Map::from_iter([("values".to_owned(), json!(stored))]);
        };
        let mut json = shape_json(shape);
        let pixels: Vec<u8> = stored.iter().map(|&value| value as u8).collect();
        json.insert("pixels".to_owned(), STANDARD.encode(pixels).into());
        json
    }
}

/// Returns the labels or the numbers of a row; none where the data has classes.
fn own_targets(data: &Dataset, row: u32) -> Option<Vec<f32>> {
    let outputs = data.outputs.len();
    let own = data.targets.values().get(row as usize * outputs..)?.get(..outputs)?;
    Some(own.to_vec())
}

/// Returns the rows of a part before and after a row, which need not belong to it; none where the
/// part is empty.
fn neighbours(part: &[u32], row: u32) -> Option<[u32; 2]> {
    let before = part.iter().rev().find(|&&other| other < row).or(part.last())?;
    let after = part.iter().find(|&&other| other > row).or(part.first())?;
    Some([*before, *after])
}
