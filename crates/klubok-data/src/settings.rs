//! How data is read: the section `[data]` of the settings.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::bounded;

/// `[data]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataConfig {
    /// Pixels on each side of a picture, as the network sees it.
    pub size: usize,
    /// Grey or RGB.
    pub color: Color,
    /// How a picture that is not square becomes so.
    pub fit: Fit,
    /// Which folders are parts and which are classes; runs from before the setting have none.
    #[serde(default)]
    pub layout: Layout,
    /// Normalise inputs to mean 0 and deviation 1 over the training part.
    pub normalize: bool,
    /// Share of the data cut off for validation where there is no validation part.
    pub val_fraction: f64,
    /// Seed of that cut; `train.seed` does not touch it.
    pub split_seed: u64,
    /// Samples of each part that are used; 0 is all. Runs from before the setting have none.
    #[serde(default)]
    pub limit: usize,
}

/// Colours of the network's input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Color {
    /// One value a pixel.
    Grey,
    /// Three values a pixel.
    Rgb,
}

impl Color {
    /// Values a pixel.
    pub fn channels(self) -> usize {
        match self {
            Color::Grey => 1,
            Color::Rgb => 3,
        }
    }
}

/// How a picture of any shape becomes a square.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fit {
    /// Stretch: nothing is lost, shapes are distorted.
    Squash,
    /// Cut the middle out: shapes are kept, edges lost.
    Crop,
    /// Fill up with grey: nothing is lost, the subject is smaller.
    Pad,
}

/// Which folders are parts and which are classes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// Names and contents decide; where they do not agree it is an error.
    #[default]
    Names,
    /// Folders with the names of parts are parts, others are left out.
    Parts,
    /// All folders are classes, whatever they are called.
    Classes,
}

/// True of a folder in which klubok trained: its settings have a section `[run]` that says which
/// klubok, those of nobody else do.
pub fn is_run(folder: &Path) -> bool {
    let text = bounded::read_to_string(&folder.join("config.toml"), bounded::SETTINGS);
    text.is_ok_and(|text| {
        let mut lines = text.lines().map(str::trim);
        lines.any(|line| line == "[run]") && lines.any(|line| line.starts_with("klubok ="))
    })
}
