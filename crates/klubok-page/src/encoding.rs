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
