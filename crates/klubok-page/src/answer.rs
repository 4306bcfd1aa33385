//! An answer to a browser, and how pictures and numbers are written in it.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use klubok::plan::Picture;
use serde_json::{Map, Value};

/// What a look is answered with, or why it cannot be answered, in a sentence.
pub(super) type Answer = Result<Value, String>;

/// The size of pictures.
pub(super) fn sizes(Picture { width, height, channels }: Picture) -> Map<String, Value> {
    Map::from_iter([
        ("width".to_owned(), width.into()),
        ("height".to_owned(), height.into()),
        ("channels".to_owned(), channels.into()),
    ])
}

/// Adds what another object has.
pub(super) fn extend(answer: &mut Map<String, Value>, more: Value) {
    if let Value::Object(more) = more {
        answer.extend(more);
    }
}

/// The largest absolute value.
pub(super) fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |most, value| most.max(value.abs()))
}

/// Numbers as signed bytes, of which 127 stands for `scale`.
pub(super) fn signed_bytes(values: &[f64], scale: f64) -> Vec<u8> {
    let by = if scale > 0.0 { 127.0 / scale } else { 0.0 };
    values.iter().map(|value| (value * by).round() as i8 as u8).collect()
}

/// Numbers of four bytes each.
pub(super) fn floats(values: &[f64]) -> String {
    let bytes: Vec<u8> = values.iter().flat_map(|&value| (value as f32).to_le_bytes()).collect();
    STANDARD.encode(bytes)
}
