//! The error of the library: one enum per area, gathered in [`Error`].
//!
//! Every message says what was wrong, where, and what would be right; the command adds the way out.

use crate::{
    config::ConfigError, data::DataError, format::ModelError, limits::amount,
    observe::history::HistoryError, train::RunError,
};

/// What can go wrong in the library.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The data could not be read or is not what training needs.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A setting is unknown, of the wrong type or out of its range.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A model file is not one, is damaged, or was written by a later version.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A run folder or a run itself went wrong.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A history cannot be read or judged.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// A network or state does not fit what was asked of the backend.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A file could not be read or written; the message names it.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// A network, state or batch that a backend cannot take.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// Two shapes that must agree do not.
    #[error("`{what}` has {got} values where the network expects {expected}")]
    ShapeMismatch {
        /// The tensor or field.
        what: String,
        /// Number of values the plan asks for.
        expected: usize,
        /// Number of values that were given.
        got: usize,
    },
    /// The plan uses something that this backend cannot run.
    #[error("the {backend} backend cannot run {what}")]
    Unsupported {
        /// Name of the backend.
        backend: &'static str,
        /// What it cannot do.
        what: String,
    },
    /// The network needs more memory than can be had.
    #[error(
        "the network needs about {} of memory, {}", amount(*needed),
        available.map_or("which cannot be had".into(), |bytes| format!("{} can be had", amount(bytes)))
    )]
    Memory {
        /// Estimated need in bytes.
        needed: u64,
        /// What the system lets this process have, where it says so.
        available: Option<u64>,
    },
    /// The system gives fewer threads than were asked for.
    #[error("{wanted} threads were asked for, the system gives {got}")]
    Threads {
        /// Threads that can be had, this one included.
        got: usize,
        /// Threads that were asked for.
        wanted: usize,
    },
    /// A label is not one of the network's outputs.
    #[error("row {row} has label {label}, the network knows the labels 0 to {last}")]
    Label {
        /// Row of the data, from 0.
        row: u32,
        /// The label found.
        label: u32,
        /// The largest label that is allowed.
        last: usize,
    },
}

/// Result of the library.
pub type Result<T> = std::result::Result<T, Error>;
