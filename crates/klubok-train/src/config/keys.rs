//! The description of a setting: default, allowed values, meaning.

use std::{
    fmt,
    ops::Bound::{self, Excluded, Included, Unbounded},
};

/// One setting.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// `section.name`.
    pub path: &'static str,
    /// The value where no preset, file or flag sets one.
    pub default: DefaultValue,
    /// The allowed values.
    pub allowed: Allowed,
    /// One value or several.
    pub arity: Arity,
    /// What the setting does.
    pub meaning: &'static str,
    /// Source of the default.
    pub source: &'static str,
}

/// The default of a setting.
#[derive(Debug, Clone, Copy)]
pub enum DefaultValue {
    /// This value, as TOML.
    Fixed(&'static str),
    /// `"auto"`: this rule derives the value from other settings or the data.
    Auto(&'static str),
}

/// The allowed values of a setting.
#[derive(Debug, Clone, Copy)]
pub enum Allowed {
    /// `true` or `false`.
    Switch,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A whole number from the first to the second, both included.
    Whole(i64, i64),
    /// A finite number within bounds.
    Number(Bound<f64>, Bound<f64>),
    /// Any text of at most 1,000 bytes, such as the name of a column.
    Text,
}

/// Length limit of a text.
pub(super) const MAX_TEXT_BYTES: usize = 1000;

/// Length limit of a list: networks with more hidden layers learn nothing, very slowly.
pub const MAX_ENTRIES: usize = klubok_nn::network::MAX_HIDDEN_LAYERS;

/// How many values a setting takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arity {
    /// One.
    One,
    /// One for all hidden layers, or a list with one per layer.
    OneOrEach,
    /// A list of at most [`MAX_ENTRIES`].
    List,
}

impl Key {
    /// Returns the part of the path before the dot.
    pub fn section(&self) -> &'static str {
        self.path.split('.').next().unwrap_or_default()
    }

    /// Returns the part of the path after the dot.
    pub fn name(&self) -> &'static str {
        self.path.split('.').nth(1).unwrap_or_default()
    }

    /// Describes the allowed values in words.
    pub fn range(&self) -> String {
        let auto = match self.default {
            DefaultValue::Auto(_) => ", or \"auto\"",
            DefaultValue::Fixed(_) => "",
        };
        match self.arity {
            Arity::One => format!("{}{auto}", self.allowed),
            Arity::OneOrEach => format!("{}, or a list with one a hidden layer", self.allowed),
            Arity::List => format!("a list of at most {MAX_ENTRIES}, each entry {}", self.allowed),
        }
    }
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Allowed::Switch => write!(f, "true or false"),
            Allowed::Text => write!(f, "a text of at most {MAX_TEXT_BYTES} bytes"),
            Allowed::OneOf([only]) => write!(f, "{only}"),
            Allowed::OneOf(words) => write!(f, "one of {}", words.join(", ")),
            Allowed::Whole(min, i64::MAX) => write!(f, "a whole number of at least {min}"),
            Allowed::Whole(min, max) => write!(f, "a whole number from {min} to {max}"),
            Allowed::Number(min, max) => {
                let min = match min {
                    Included(min) => Some(format!("of at least {min}")),
                    Excluded(min) => Some(format!("above {min}")),
                    Unbounded => None,
                };
                let max = match max {
                    Included(max) => Some(format!("at most {max}")),
                    Excluded(max) => Some(format!("below {max}")),
                    Unbounded => None,
                };
                let bounds: Vec<String> = min.into_iter().chain(max).collect();
                write!(f, "a number {}", bounds.join(" and "))
            }
        }
    }
}
