//! A value and where it was written.

use std::fmt;

use toml::Value;

use super::Preset;

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In a preset.
    Preset(Preset),
    /// In a file.
    File {
        /// The file.
        file: String,
        /// Number of the line, from 1.
        line: usize,
    },
    /// In a flag, such as `--set`.
    Flag,
}

/// Completes a sentence with a file's line or a preset; a flag needs no pointing at.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Preset(preset) => write!(f, " in preset `{}`", preset.name()),
            Place::File { file, line } => write!(f, " in line {line} of `{file}`"),
            Place::Flag => Ok(()),
        }
    }
}

/// A checked value and where it comes from.
#[derive(Debug, Clone)]
pub(super) struct Setting {
    pub(super) value: Value,
    pub(super) place: Place,
}
