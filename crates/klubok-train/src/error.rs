//! What can go wrong with a run.

use klubok_data::DataError;
use klubok_model::ModelError;
use klubok_nn::PlanError;

use crate::config::ConfigError;

/// Result of this crate.
pub type Result<T, E = RunError> = std::result::Result<T, E>;

/// A run that cannot start, go on or end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The folder holds a run already.
    #[error(
        "`{path}` is a run already, and a run is never written over: resume it, or name another"
    )]
    Exists {
        /// The folder.
        path: String,
    },
    /// Something else is where the run should go.
    #[error("`{path}` exists and is not empty: a run needs a folder of its own")]
    Taken {
        /// What is there.
        path: String,
    },
    /// The folder is no run.
    #[error("`{path}` is not a run: a run is a folder with `{missing}`")]
    NotARun {
        /// The folder.
        path: String,
        /// The file that is not there.
        missing: &'static str,
    },
    /// There is no run to be the latest.
    #[error("there is no run in `{folder}`")]
    NoRuns {
        /// Where runs were looked for.
        folder: String,
    },
    /// The configuration of a run cannot be read.
    #[error("`{path}` is damaged: {reason}")]
    Config {
        /// The file.
        path: String,
        /// What the parser said.
        reason: String,
    },
    /// Another process trains this run.
    #[error("`{path}` is being trained by another process: wait until it has ended")]
    Busy {
        /// The folder.
        path: String,
    },
    /// A checkpoint cannot be used.
    #[error("the checkpoint `{path}` is damaged: {reason}")]
    Checkpoint {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The settings are not those that the run was trained with so far.
    #[error("`{key}` is `{now}` in the settings of the run, at its checkpoint it was `{before}`")]
    Changed {
        /// The key.
        key: String,
        /// Its value at the checkpoint.
        before: String,
        /// Its value now.
        now: String,
    },
    /// A line of a log is not as klubok wrote it.
    #[error("line {line} of `{path}` is damaged: {reason}")]
    Line {
        /// The log.
        path: String,
        /// Number of the line, from 1.
        line: usize,
        /// What the parser said.
        reason: String,
    },
    /// A log is shorter than the checkpoint says.
    #[error("`{path}` has {got} bytes, the checkpoint was made when it had {expected}")]
    Log {
        /// The file.
        path: String,
        /// Bytes it had at the checkpoint.
        expected: u64,
        /// Bytes it has.
        got: u64,
    },
    /// Something else stands in a log than at the checkpoint.
    #[error("`{path}` is not what it was at the checkpoint: somebody has written into it")]
    LogChanged {
        /// The file.
        path: String,
    },
    /// A run has come further than its first checkpoint, and has none.
    #[error(
        "the run had come to epoch {epoch}, but its checkpoint `{path}` is gone: it cannot go on"
    )]
    Gone {
        /// The checkpoint.
        path: String,
        /// The last epoch in its log.
        epoch: f64,
    },
    /// The checkpoint belongs to other data or another batch size.
    #[error(
        "the checkpoint has {expected} updates an epoch, this data gives {got}: it has changed"
    )]
    Epoch {
        /// Updates an epoch when the checkpoint was made.
        expected: u64,
        /// Updates an epoch now.
        got: u64,
    },
    /// The data is not what the run was trained on so far.
    #[error("the data is not what it was at the checkpoint: {difference}")]
    Data {
        /// What is different.
        difference: String,
    },
    /// There is nothing to train on.
    #[error("the training part has no samples")]
    NoSamples,
    /// A setting is unknown, of the wrong type or out of its range.
    #[error(transparent)]
    Setting(#[from] ConfigError),
    /// The data could not be read or is not what training needs.
    #[error(transparent)]
    Dataset(#[from] DataError),
    /// A model file is not one, is damaged, or was written by a later version.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A network or state does not fit what was asked of the backend.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A file could not be read or written; the message names it.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}
