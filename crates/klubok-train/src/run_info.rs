//! What a run remembers of itself beside its settings.

use serde::{Deserialize, Serialize};

use crate::act::Recorded;

/// `[run]` of a run's `config.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunInfo {
    /// Version of klubok that made the run.
    pub klubok: String,
    /// Absolute path of the data, or `demo:NAME`.
    pub data: String,
    /// Absolute path of the validation part, where it was given apart.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub val: Option<String>,
    /// Absolute path of the test part, where it was given apart.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub test: Option<String>,
    /// The preset that the settings began with.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub preset: Option<String>,
    /// What people did in the run that this one repeats.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub replay: Vec<Recorded>,
    /// What the data looked like: `resume` refuses data that has changed.
    pub fingerprint: toml::Table,
}
