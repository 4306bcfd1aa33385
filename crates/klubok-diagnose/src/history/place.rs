//! Where rows of a table come from, and what they have.

use klubok_data::part::Part;

/// A file of a table.
pub(super) struct Source {
    /// Its first row.
    pub(super) first: u32,
    /// The part that its name or that of its folder speaks of.
    pub(super) part: Option<Part>,
    /// A column speaks of parts itself.
    pub(super) named: bool,
}

/// Which of the rows have what.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(super) struct Place {
    pub(super) epoch: Option<f64>,
    pub(super) step: Option<f64>,
    pub(super) loss: bool,
    /// Has a training loss.
    pub(super) train: bool,
    /// Has a validation loss that is no value of a batch.
    pub(super) val: bool,
    pub(super) used: bool,
}
