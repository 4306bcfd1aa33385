//! A cell of the confusion matrix: the validation samples of one class that got one prediction.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use klubok::plan::Picture;
use serde_json::{Map, Value, json};

use super::{
    encoding::{extend, shape_json, shrunk, shrunk_shape},
    hub::Hub,
    inspection::InspectionResult,
    moment::At,
    predictions::Judged,
};

/// Samples of a cell, at most.
const MAX_SAMPLES: usize = 24;
/// Pixels on each side of a picture, at most.
const MAX_SIDE: usize = 32;
/// Bytes of JSON that a report has for cells.
const REPORT_BYTES: usize = 100_000;

impl Hub {
    /// Shows samples of a cell, those with the most confident predictions first. A cell has the
    /// numbers of the true and of the predicted class.
    pub(super) fn inspect_cell(&self, cell: (usize, usize), at: At) -> InspectionResult {
        let data = self.class_data()?;
        let (step, mut samples) = self.judged(at)?;
        samples.retain(|sample| (sample.truth, sample.said) == cell);
        samples.sort_by(|a, b| b.confidence_or_zero().total_cmp(&a.confidence_or_zero()));
        let (all, shape) = (samples.len(), self.run.shape());
        samples.truncate(MAX_SAMPLES);
        let sample = |sample: &Judged| {
            let stored = self.stored(&[sample.row])?;
            let mut json = json!({
                "row": sample.row,
                "name": data.names[sample.row as usize],
                "confidence": sample.confidence,
            });
            match shape {
                Some(shape) => json["pixels"] = STANDARD.encode(small(&stored, shape)).into(),
                None => json["values"] = json!(stored),
            }
            Ok(json)
        };
        let shown: Result<Vec<Value>, String> = samples.iter().map(sample).collect();
        let small_shape = |shape| shape_json(shrunk_shape(shape, factor(shape)));
        let mut json = shape.map_or_else(Map::new, small_shape);
        extend(&mut json, json!({ "step": step, "of": all, "samples": shown? }));
        Ok(Value::Object(json))
    }

    /// Returns the queries of the cells that a report has room for: mistakes before what is right,
    /// the most frequent first.
    pub(super) fn cells_in_report(&self) -> Vec<String> {
        let predictions = self.inspect_predictions(At::default()).unwrap_or_default();
        let counts: Vec<Vec<u64>> =
            serde_json::from_value(predictions["confusion"].clone()).unwrap_or_default();
        let of_row = |(truth, row): (usize, &Vec<u64>)| {
            let cells = row.iter().enumerate().filter(|(_, count)| **count > 0);
            cells.map(|(said, count)| ((truth, said), *count)).collect::<Vec<_>>()
        };
        let mut cells: Vec<((usize, usize), u64)> =
            counts.iter().enumerate().flat_map(of_row).collect();
        cells.sort_by_key(|((truth, said), count)| (truth == said, u64::MAX - count));
        let mut room = REPORT_BYTES;
        let mut queries = Vec::new();
        for ((truth, said), _) in cells {
            let cell = self.inspect_cell((truth, said), At::default());
            let bytes = cell.map_or(0, |json| json.to_string().len());
            if bytes > room {
                break;
            }
            room -= bytes;
            queries.push(format!("?truth={truth}&said={said}"));
        }
        queries
    }
}

/// How many pixels in a row one pixel of a small picture stands for.
fn factor(shape: Picture) -> usize {
    shape.width.max(shape.height).div_ceil(MAX_SIDE).max(1)
}

/// Returns the pixels of a small picture.
fn small(stored: &[f64], shape: Picture) -> Vec<u8> {
    let pixels = stored.iter().map(|&pixel| pixel as f32);
    shrunk(pixels, shape, factor(shape)).into_iter().map(|mean| mean.round() as u8).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_pictures_have_means_as_pixels() {
        let shape = Picture { width: 66, height: 3, channels: 1 };
        let stored: Vec<f64> = (0..shape.values()).map(|i| (i % 66) as f64).collect();
        let expected: Vec<u8> = (0..22).map(|x| 3 * x + 1).collect();
        let shown = Picture { width: 22, height: 1, channels: 1 };
        assert_eq!(shrunk_shape(shape, factor(shape)), shown);
        assert_eq!(small(&stored, shape), expected);
    }

    #[test]
    fn a_small_picture_stays_as_it_is() {
        let shape = Picture { width: 2, height: 1, channels: 3 };
        assert_eq!(small(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], shape), [1, 2, 3, 4, 5, 6]);
    }
}
