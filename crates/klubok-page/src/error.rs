//! Errors before a page is served.

use std::io;

/// Why a page cannot be served, or a run cannot be shown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The server cannot listen on the address.
    #[error("cannot serve the page at {at}: {source}")]
    Listen {
        /// The requested address, or the default one.
        at: String,
        /// The error of the system.
        source: io::Error,
    },
    /// The run has not written a model yet.
    #[error("the run `{run}` has no model yet")]
    NoModel {
        /// The run's folder.
        run: String,
    },
    /// The timeline of the run cannot be serialised.
    #[error("the report cannot be made: {reason}")]
    Report {
        /// The error of the serialiser.
        reason: String,
    },
    /// Files of the run cannot be read.
    #[error(transparent)]
    Library(#[from] klubok::Error),
}

/// Result of serving or following a run.
pub type Result<T> = std::result::Result<T, Error>;
