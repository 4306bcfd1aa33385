//! Memory for the columns of a table, which grow with the rows of the file.

use super::error::TableError;
use klubok_files::limits;

/// Minimum bytes to grow by: the system is asked once per step.
const MIN_STEP_BYTES: usize = 1 << 20;

/// Makes room for `more` values. Grows by an eighth: doubling would take up to twice the memory of
/// the numbers.
///
/// # Errors
/// [`TableError::Memory`].
pub(super) fn reserve<T>(values: &mut Vec<T>, more: usize, path: &str) -> Result<(), TableError> {
    if values.capacity() - values.len() >= more {
        return Ok(());
    }
    let size = size_of::<T>();
    let step = more.max(values.len() / 8).max(MIN_STEP_BYTES / size);
    let bytes = (step * size) as u64;
    if limits::fits_in_memory(bytes) && values.try_reserve_exact(step).is_ok() {
        return Ok(());
    }
    let needed = ((values.len() + more) * size) as u64;
    Err(TableError::Memory { path: path.to_owned(), needed })
}
