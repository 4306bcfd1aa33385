//! A run's folder: `metrics.jsonl`, `steps.jsonl`, and from `events.jsonl` how it ended and what
//! was said of its data.

use std::path::Path;

use klubok_data::bounded;
use klubok_train::{
    config::ConfigBuilder,
    event::{Metrics, Verdict},
};
use serde::Deserialize;

use super::{History, HistoryError, Row};
use crate::{history::Result, metrics, setup::Setup};

/// File of the lines of epochs.
pub(super) const METRICS: &str = "metrics.jsonl";

/// What a line of `events.jsonl` may say about the end, or a verdict.
#[derive(Deserialize)]
struct Line {
    event: String,
    epoch: f64,
    reason: Option<String>,
    #[serde(flatten)]
    verdict: Option<Verdict>,
}

/// The history of a run, also of one that is under way.
///
/// # Errors
/// When a log cannot be read or a line of it is damaged.
pub(super) fn read(folder: &Path) -> Result<History> {
    let mut room = bounded::LINES;
    let mut lines = |name: &str| -> Result<Vec<Metrics>> {
        let path = folder.join(name);
        if path.exists() { metrics::read(&path, &mut room) } else { Ok(Vec::new()) }
    };
    let (epochs, steps) = (lines(METRICS)?, lines("steps.jsonl")?);
    let lines = events(&folder.join("events.jsonl"), room)?;
    let turn = |line: &&Line| ["start", "resume", "stopped"].contains(&line.event.as_str());
    let last = lines.iter().rfind(turn);
    let reason = last.and_then(|line| line.reason.as_deref());
    Ok(History {
        epochs: epochs.iter().map(Row::from).collect(),
        steps: steps.iter().map(Row::from).collect(),
        layers: in_order(epochs, steps),
        verdicts: lines.iter().filter_map(|line| line.verdict.clone()).collect(),
        val_samples: None,
        val_classes: Vec::new(),
        ended: reason.is_some_and(|reason| reason != "interrupted"),
        diverged: last.filter(|_| reason == Some("diverged")).map(|line| line.epoch),
        by_klubok: true,
        setup: setup(&folder.join("config.toml")),
        left_out: Vec::new(),
        notes: Vec::new(),
    })
}

/// The settings of the run, if they can be read: without them advice is general.
fn setup(path: &Path) -> Option<Setup> {
    let text = bounded::read_to_string(path, bounded::SETTINGS).ok()?;
    let config = ConfigBuilder::parse_run(&text, "config.toml").ok()?.config;
    Some(Setup { config, train_classes: Vec::new() })
}

/// The lines of `events.jsonl` that say something of an end or a verdict.
///
/// # Errors
/// When a whole line is no JSON.
fn events(path: &Path, room: u64) -> Result<Vec<Line>> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let mut file = bounded::Lines::open(path, bounded::Kind::Events, 0, room)?;
    let mut lines = Vec::new();
    let mut number = 0;
    while let Some(line) = file.next_line()? {
        number += 1;
        let wrong = |error: serde_json::Error| HistoryError::Log {
            path: path.display().to_string(),
            line: number,
            reason: format!("is damaged: {error}"),
        };
        serde_json::from_slice::<serde::de::IgnoredAny>(line).map_err(wrong)?;
        // Most events are others.
        let told = serde_json::from_slice::<Line>(line).ok();
        lines.extend(told.filter(|line| line.epoch.is_finite()));
    }
    Ok(lines)
}

/// Both kinds of lines in the order of training; at the end of an epoch its own line says it all.
fn in_order(epochs: Vec<Metrics>, steps: Vec<Metrics>) -> Vec<Metrics> {
    let within = steps.into_iter().filter(|step| step.epoch.fract() != 0.0);
    let mut lines: Vec<Metrics> = epochs.into_iter().chain(within).collect();
    lines.sort_by(|a, b| a.epoch.total_cmp(&b.epoch));
    lines
}
