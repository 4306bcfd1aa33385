//! Facts about a run besides its settings: its data, preset and replayed acts.

use serde::{Deserialize, Serialize};

use crate::act::RecordedAct;

/// `[run]` of a run's `config.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunInfo {
    /// Version of klubok that made the run.
    pub klubok: String,
    /// Absolute path of the data, or `demo:NAME`.
    pub data: String,
    /// Absolute path of the validation set, if separate.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub val: Option<String>,
    /// Absolute path of the test set, if separate.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub test: Option<String>,
    /// The preset under the settings.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub preset: Option<String>,
    /// Acts of people in the run that this one replays.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub replay: Vec<RecordedAct>,
    /// Fingerprint of the data: `resume` refuses data that has changed.
    pub fingerprint: toml::Table,
}
