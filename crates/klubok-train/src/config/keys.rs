//! What is known of a setting, and which one is meant.

use std::{
    fmt,
    ops::Bound::{self, Excluded, Included, Unbounded},
};

/// One setting.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// `section.name`.
    pub path: &'static str,
    /// What it is below presets, files and flags.
    pub default: DefaultValue,
    /// What one value may be.
    pub allowed: Allowed,
    /// Whether it takes one value or several.
    pub arity: Arity,
    /// What it does.
    pub meaning: &'static str,
    /// Where the default comes from.
    pub source: &'static str,
}

/// What a setting is when nobody sets it.
#[derive(Debug, Clone, Copy)]
pub enum DefaultValue {
    /// Always this, as TOML.
    Fixed(&'static str),
    /// `"auto"`: follows from other settings or the data by this rule.
    Auto(&'static str),
}

/// What one value may be.
#[derive(Debug, Clone, Copy)]
pub enum Allowed {
    /// `true` or `false`.
    Switch,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A whole number from the first to the second.
    Whole(i64, i64),
    /// A finite number within bounds.
    Number(Bound<f64>, Bound<f64>),
}

/// Entries of a list; networks of more hidden layers learn nothing, and take very long to say so.
pub const ENTRIES: usize = klubok_nn::network::MAX_HIDDEN_LAYERS;

/// How many values a setting takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arity {
    /// One.
    One,
    /// One for all hidden layers, or a list with one for each.
    OneOrEach,
    /// A list of at most [`ENTRIES`].
    List,
}

impl Key {
    /// The part before the dot.
    pub fn section(&self) -> &'static str {
        self.path.split('.').next().unwrap_or_default()
    }

    /// The part after the dot.
    pub fn name(&self) -> &'static str {
        self.path.split('.').nth(1).unwrap_or_default()
    }

    /// What may be written, in words.
    pub fn range(&self) -> String {
        let auto = match self.default {
            DefaultValue::Auto(_) => ", or \"auto\"",
            DefaultValue::Fixed(_) => "",
        };
        match self.arity {
            Arity::One => format!("{}{auto}", self.allowed),
            Arity::OneOrEach => format!("{}, or a list with one a hidden layer", self.allowed),
            Arity::List => format!("a list of at most {ENTRIES}, each entry {}", self.allowed),
        }
    }
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Allowed::Switch => write!(f, "true or false"),
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
