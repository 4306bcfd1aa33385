//! Parsers of argument values that clap lacks.

use clap::ValueEnum;
use klubok_text::Lang;

/// A language of messages.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Language {
    /// English.
    En,
    /// Russian.
    Ru,
}

impl From<Language> for Lang {
    fn from(language: Language) -> Self {
        match language {
            Language::En => Self::En,
            Language::Ru => Self::Ru,
        }
    }
}

pub(crate) fn assignment(text: &str) -> std::result::Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => {
            Ok((key.trim().to_owned(), value.trim().to_owned()))
        }
        _ => Err("expected KEY=VALUE".to_owned()),
    }
}

pub(crate) fn positive(text: &str) -> std::result::Result<usize, String> {
    match text.parse() {
        Ok(n) if n > 0 => Ok(n),
        _ => Err("expected a whole number of at least 1".to_owned()),
    }
}

pub(crate) fn seconds(text: &str) -> std::result::Result<f64, String> {
    match text.parse() {
        Ok(s) if s > 0.0 && s < 1e6 => Ok(s),
        _ => Err("expected a number of seconds above 0".to_owned()),
    }
}
