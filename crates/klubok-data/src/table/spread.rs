//! Refuses columns whose numbers differ too little for single precision.
//!
//! Numbers are kept in single precision, which has 24 binary digits. In a column such as a time in
//! seconds since 1970, the first of them are the same everywhere, and what differs is rounded away
//! before normalisation could take the mean off.

use super::{Table, TableError, TableTarget, words::short};

/// Least spread of a column, relative to its largest number: then 8 binary digits differ.
const LEAST_SPREAD: f32 = 1.0 / 65_536.0;

/// Checks the inputs and the numbers to predict.
///
/// # Errors
/// [`TableError::Close`] for the first such column.
pub(super) fn check(table: &Table, path: &str) -> Result<(), TableError> {
    let empty = (&Vec::new(), &Vec::new());
    let (names, values) = match &table.target {
        Some(TableTarget::Numbers { names, values }) => (names, values),
        _ => empty,
    };
    for (names, values) in [(&table.inputs, &table.x), (names, values)] {
        let mut ranges = vec![(f32::INFINITY, f32::NEG_INFINITY); names.len()];
        for row in values.chunks_exact(names.len().max(1)) {
            for ((low, high), value) in ranges.iter_mut().zip(row) {
                (*low, *high) = (low.min(*value), high.max(*value));
            }
        }
        let is_close = |(low, high): &(f32, f32)| {
            let least = f64::from(low.abs().max(high.abs()) * LEAST_SPREAD);
            low < high && f64::from(*high) - f64::from(*low) < least
        };
        if let Some(i) = ranges.iter().position(is_close) {
            let (path, column) = (path.to_owned(), short(&names[i]));
            let (low, high) = ranges[i];
            return Err(TableError::Close { path, column, low, high });
        }
    }
    Ok(())
}
