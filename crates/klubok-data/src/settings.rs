//! The section `[data]` of the settings: how to read the data.

use std::path::Path;

use klubok_files::bounded;
use klubok_model::Fit;
use klubok_nn::network::OutputKind;
use serde::{Deserialize, Serialize};

/// `[data]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataConfig {
    /// Pixels on each side of the network's input picture.
    pub size: usize,
    /// Colours of the input.
    pub color: Color,
    /// How a picture becomes square.
    pub fit: Fit,
    /// How to interpret the folders. Runs older than this setting have none.
    #[serde(default)]
    pub layout: Layout,
    /// Normalises inputs to mean 0 and standard deviation 1 over the training set.
    pub normalize: bool,
    /// Share of the training data cut off for validation if there is no validation set.
    pub val_fraction: f64,
    /// Seed of that split; independent of `train.seed`.
    pub split_seed: u64,
    /// Maximum samples of each split; 0 for all. Runs older than this setting have none.
    #[serde(default)]
    pub limit: usize,
    /// Target columns of a table.
    #[serde(default)]
    pub target: Vec<String>,
    /// Column of a table with the weight of each row; empty for none.
    #[serde(default)]
    pub weight: String,
    /// What the target is. Runs older than this setting have classes.
    #[serde(default)]
    pub task: TargetKind,
}

/// What the target of a row is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetKind {
    /// One of several classes.
    #[default]
    Class,
    /// Numbers.
    Number,
    /// Any of several labels.
    Label,
}

impl TargetKind {
    /// Returns the name in settings.
    pub fn name(self) -> &'static str {
        match self {
            TargetKind::Class => "class",
            TargetKind::Number => "number",
            TargetKind::Label => "label",
        }
    }

    /// Returns what the outputs of a network mean that learns such targets.
    pub fn outputs(self) -> OutputKind {
        match self {
            TargetKind::Class => OutputKind::Classes,
            TargetKind::Number => OutputKind::Numbers,
            TargetKind::Label => OutputKind::Labels,
        }
    }
}

impl From<OutputKind> for TargetKind {
    fn from(kind: OutputKind) -> Self {
        match kind {
            OutputKind::Classes => TargetKind::Class,
            OutputKind::Numbers => TargetKind::Number,
            OutputKind::Labels => TargetKind::Label,
        }
    }
}

impl Default for DataConfig {
    fn default() -> Self {
        Self {
            size: 64,
            color: Color::Grey,
            fit: Fit::Squash,
            layout: Layout::default(),
            normalize: true,
            val_fraction: 0.2,
            split_seed: 0,
            limit: 0,
            target: Vec::new(),
            weight: String::new(),
            task: TargetKind::Class,
        }
    }
}

/// Colours of the network's input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Color {
    /// One value per pixel.
    Grey,
    /// Three values per pixel.
    Rgb,
}

impl Color {
    /// Returns the values per pixel.
    pub fn channels(self) -> usize {
        match self {
            Color::Grey => 1,
            Color::Rgb => 3,
        }
    }
}

/// How to interpret folders.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// Names and contents decide. If they disagree, it is an error.
    #[default]
    Names,
    /// Folders named like splits are splits; others are ignored.
    Parts,
    /// All folders are classes, whatever their names.
    Classes,
}

/// Returns true for the folder of a run: its settings have a section `[run]` with the klubok
/// version, which no other program writes.
pub fn is_run(folder: &Path) -> bool {
    let text = bounded::read_to_string(&folder.join("config.toml"), bounded::MAX_SETTINGS_BYTES);
    text.is_ok_and(|text| {
        let mut lines = text.lines().map(str::trim);
        lines.any(|line| line == "[run]") && lines.any(|line| line.starts_with("klubok ="))
    })
}
