//! The error type for all crates.

#[cfg(feature = "train")]
use klubok_data::DataError;
#[cfg(feature = "train")]
use klubok_diagnose::history::HistoryError;
use klubok_model::ModelError;
use klubok_nn::PlanError;
#[cfg(feature = "train")]
use klubok_train::{RunError, config::ConfigError};

/// Any error of the library. Every message names the problem, its place, and a remedy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The data could not be read or is unfit for training.
    #[cfg(feature = "train")]
    #[error(transparent)]
    Data(DataError),
    /// A setting is unknown, of the wrong type or out of its range.
    #[cfg(feature = "train")]
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A model file is invalid, damaged, or from a later version.
    #[error(transparent)]
    Model(ModelError),
    /// A run folder or a run failed.
    #[cfg(feature = "train")]
    #[error(transparent)]
    Run(RunError),
    /// A history cannot be read or diagnosed.
    #[cfg(feature = "train")]
    #[error(transparent)]
    History(HistoryError),
    /// The backend refused a network or a state.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A file could not be read or written; the message names it.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// Result with any error of the library.
pub type Result<T, E = Error> = std::result::Result<T, E>;

// Each crate's error wraps those of the crates below it: here they are unwrapped into one enum.

#[cfg(feature = "train")]
impl From<DataError> for Error {
    fn from(error: DataError) -> Self {
        match error {
            DataError::Plan(error) => error.into(),
            DataError::Io(error) => error.into(),
            error => Self::Data(error),
        }
    }
}

impl From<ModelError> for Error {
    fn from(error: ModelError) -> Self {
        match error {
            ModelError::Plan(error) => error.into(),
            ModelError::Io(error) => error.into(),
            error => Self::Model(error),
        }
    }
}

#[cfg(feature = "train")]
impl From<RunError> for Error {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Setting(error) => error.into(),
            RunError::Dataset(error) => error.into(),
            RunError::Model(error) => error.into(),
            RunError::Plan(error) => error.into(),
            RunError::Io(error) => error.into(),
            error => Self::Run(error),
        }
    }
}

#[cfg(feature = "train")]
impl From<HistoryError> for Error {
    fn from(error: HistoryError) -> Self {
        match error {
            HistoryError::Run(error) => error.into(),
            HistoryError::Io(error) => error.into(),
            error => Self::History(error),
        }
    }
}
