//! A value and its origin: preset, file or flag.

use std::fmt;

use toml::Value;

use super::Preset;

/// The source that set a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A preset.
    Preset(Preset),
    /// A file.
    File {
        /// The file.
        file: String,
        /// Number of the line, from 1.
        line: usize,
    },
    /// A flag, such as `--set`.
    Flag,
}

/// Completes a message with the file and line or the preset, and with nothing for a flag.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Preset(preset) => write!(f, " in preset `{}`", preset.name()),
            Origin::File { file, line } => write!(f, " in line {line} of `{file}`"),
            Origin::Flag => Ok(()),
        }
    }
}

/// A checked value and its origin.
#[derive(Debug, Clone)]
pub(super) struct Setting {
    pub(super) value: Value,
    pub(super) origin: Origin,
}
