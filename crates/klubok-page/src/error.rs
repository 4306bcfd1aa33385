//! What can go wrong before a page is there.

use std::io;

/// Why a page cannot be served, or a run cannot be shown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address cannot be listened on.
    #[error("cannot serve the page at {at}: {source}")]
    Listen {
        /// The address that was asked for, or the usual one.
        at: String,
        /// What the system says.
        source: io::Error,
    },
    /// The run has not written a model yet.
    #[error("the run `{run}` has no model yet")]
    NoModel {
        /// The run's folder.
        run: String,
    },
    /// The story of the run cannot be written down.
    #[error("the report cannot be made: {reason}")]
    Report {
        /// What stood in the way.
        reason: String,
    },
    /// Files of the run cannot be read.
    #[error(transparent)]
    Library(#[from] klubok::Error),
}

/// Result of serving or following a run.
pub type Result<T> = std::result::Result<T, Error>;
