//! The sources of a table's rows, and the figures they have.

use klubok_data::part::Part;

/// A file of a table.
pub(super) struct SourceFile {
    /// Its first row.
    pub(super) first: u32,
    /// The part in the name of the file or its folder.
    pub(super) part: Option<Part>,
    /// True if the name of a column includes a part.
    pub(super) columns_name_part: bool,
}

/// The position of a row, and the figures it has.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(super) struct RowInfo {
    pub(super) epoch: Option<f64>,
    pub(super) step: Option<f64>,
    /// Has any loss.
    pub(super) loss: bool,
    /// Has a training loss.
    pub(super) train: bool,
    /// Has a validation loss that is not of a single batch.
    pub(super) val: bool,
    /// Has any figure.
    pub(super) used: bool,
}
