//! Errors of this crate.

use klubok_data::DataError;
use klubok_model::ModelError;
use klubok_nn::PlanError;

use crate::config::ConfigError;

/// Result type of this crate.
pub type Result<T, E = RunError> = std::result::Result<T, E>;

/// An error of a run: it cannot start, resume or end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The folder already holds a run.
    #[error(
        "`{path}` is a run already, and a run is never written over: resume it, or name another"
    )]
    Exists {
        /// The folder.
        path: String,
    },
    /// Something other than a run is in the place of the new run.
    #[error("`{path}` exists and is not empty: a run needs a folder of its own")]
    Taken {
        /// The existing path.
        path: String,
    },
    /// The folder is not a run.
    #[error("`{path}` is not a run: a run is a folder with `{missing}`")]
    NotARun {
        /// The folder.
        path: String,
        /// The missing file.
        missing: &'static str,
    },
    /// The folder has no runs.
    #[error("there is no run in `{folder}`")]
    NoRuns {
        /// The searched folder.
        folder: String,
    },
    /// The configuration of a run cannot be read.
    #[error("`{path}` is damaged: {reason}")]
    Config {
        /// The file.
        path: String,
        /// The parser's message.
        reason: String,
    },
    /// The data has targets of another kind than the settings.
    #[error("`data.task` is `{expected}`, and the target of the data is of the kind `{got}`")]
    Target {
        /// The kind in the settings.
        expected: &'static str,
        /// The kind of the data.
        got: &'static str,
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
        /// The damage.
        reason: String,
    },
    /// A snapshot of the film cannot be used.
    #[error("the snapshot `{path}` is damaged: {reason}")]
    Film {
        /// The file.
        path: String,
        /// The damage.
        reason: String,
    },
    /// The settings differ from those at the checkpoint.
    #[error("`{key}` is `{now}` in the settings of the run, at its checkpoint it was `{before}`")]
    Changed {
        /// The key.
        key: String,
        /// Its value at the checkpoint.
        before: String,
        /// Its value now.
        now: String,
    },
    /// A line of a log is damaged.
    #[error("line {line} of `{path}` is damaged: {reason}")]
    Line {
        /// The log.
        path: String,
        /// Number of the line, from 1.
        line: usize,
        /// The parser's message.
        reason: String,
    },
    /// A log is shorter than it was at the checkpoint.
    #[error("`{path}` has {got} bytes, the checkpoint was made when it had {expected}")]
    Log {
        /// The file.
        path: String,
        /// Its bytes at the checkpoint.
        expected: u64,
        /// Its bytes now.
        got: u64,
    },
    /// The content of a log differs from that at the checkpoint.
    #[error("`{path}` is not what it was at the checkpoint: somebody has written into it")]
    LogChanged {
        /// The file.
        path: String,
    },
    /// A run is past its first checkpoint, but the checkpoint is missing.
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
        /// Updates per epoch at the checkpoint.
        expected: u64,
        /// Updates per epoch now.
        got: u64,
    },
    /// The data differs from that at the checkpoint.
    #[error("the data is not what it was at the checkpoint: {difference}")]
    Data {
        /// The difference.
        difference: String,
    },
    /// The training set is empty.
    #[error("the training part has no samples")]
    NoSamples,
    /// A setting is unknown, of the wrong type or out of its range.
    #[error(transparent)]
    Setting(#[from] ConfigError),
    /// The data could not be read or is unfit for training.
    #[error(transparent)]
    Dataset(#[from] DataError),
    /// A model file is invalid, damaged, or from a later version.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The backend refused a network or a state.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A file could not be read or written; the message names it.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}
