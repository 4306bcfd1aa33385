//! Facts about a run besides its settings: its data, preset and replayed acts.

use klubok_data::{self as data, Fingerprint, OpenOptions};
use serde::{Deserialize, Serialize};

use crate::{Result, RunError, act::RecordedAct, config::Config};

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

impl RunInfo {
    /// Returns how to open the run's data again, and one sentence on how the data differs from what
    /// the run was trained on, if it does.
    ///
    /// # Errors
    /// When the data is missing or the recorded fingerprint is damaged.
    pub fn reopen(&self, config: &Config) -> Result<(OpenOptions, Option<String>)> {
        let options = OpenOptions {
            val: self.val.as_ref().map(Into::into),
            test: self.test.as_ref().map(Into::into),
            threads: config.train.threads,
            ..OpenOptions::new(config.data.clone())
        };
        let damaged = |error: toml::de::Error| RunError::Config {
            path: "config.toml".to_owned(),
            reason: error.message().to_owned(),
        };
        let before: Fingerprint = self.fingerprint.clone().try_into().map_err(damaged)?;
        let difference = before.difference(&data::fingerprint(&self.data, &options)?);
        Ok((options, difference))
    }
}
