//! Encoding of pictures and numbers in an inspection's JSON.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use klubok::plan::Picture;
use serde_json::{Map, Value};

/// Describes the shape of pictures.
pub(super) fn shape_json(Picture { width, height, channels }: Picture) -> Map<String, Value> {
    Map::from_iter([
        ("width".to_owned(), width.into()),
        ("height".to_owned(), height.into()),
        ("channels".to_owned(), channels.into()),
    ])
}

/// Returns the shape of a picture whose pixels stand for `by` x `by` ones.
pub(super) fn shrunk_shape(Picture { width, height, channels }: Picture, by: usize) -> Picture {
    Picture { width: width.div_ceil(by), height: height.div_ceil(by), channels }
}

/// Shrinks pictures that come one after the other: a pixel is the mean of `by` x `by` ones.
pub(super) fn shrunk(values: impl Iterator<Item = f32>, shape: Picture, by: usize) -> Vec<f32> {
    let (Picture { width, height, channels }, small) = (shape, shrunk_shape(shape, by));
    let mut sums: Vec<(f32, u32)> = Vec::new();
    for (i, value) in values.enumerate() {
        let (c, x) = (i % channels, i / channels % width);
        let (y, picture) = (i / channels / width % height, i / channels / width / height);
        if i % shape.values() == 0 {
            sums.resize((picture + 1) * small.values(), (0.0, 0));
        }
        let row = picture * small.height + y / by;
        let sum = &mut sums[(row * small.width + x / by) * channels + c];
        *sum = (sum.0 + value, sum.1 + 1);
    }
    sums.iter().map(|(sum, count)| sum / *count as f32).collect()
}

/// Adds the entries of another object.
pub(super) fn extend(object: &mut Map<String, Value>, more: Value) {
    if let Value::Object(more) = more {
        object.extend(more);
    }
}

/// Returns the largest absolute value.
pub(super) fn max_abs(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |max, value| max.max(value.abs()))
}

/// Quantises numbers to signed bytes; 127 stands for `scale`.
pub(super) fn signed_bytes(values: &[f64], scale: f64) -> Vec<u8> {
    let factor = if scale > 0.0 { 127.0 / scale } else { 0.0 };
    values.iter().map(|value| (value * factor).round() as i8 as u8).collect()
}

/// Encodes numbers as little-endian f32, in base64.
pub(super) fn base64_f32(values: &[f64]) -> String {
    let bytes: Vec<u8> = values.iter().flat_map(|&value| (value as f32).to_le_bytes()).collect();
    STANDARD.encode(bytes)
}
