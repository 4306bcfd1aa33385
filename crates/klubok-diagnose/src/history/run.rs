//! Reads a run's folder: `metrics.jsonl`, `steps.jsonl`, and from `events.jsonl` the end of the run
//! and the verdicts.

use std::path::Path;

use klubok_files::bounded;
use klubok_train::{
    config::ConfigBuilder,
    event::{Metrics, Verdict},
};
use serde::Deserialize;

use super::{History, HistoryError, Row};
use crate::{history::Result, metrics, setup::Setup};

/// The file with the metrics of epochs.
pub(super) const METRICS: &str = "metrics.jsonl";

/// A line of `events.jsonl`: an event with its reason, or a verdict.
#[derive(Deserialize)]
struct LoggedEvent {
    event: String,
    epoch: f64,
    reason: Option<String>,
    #[serde(flatten)]
    verdict: Option<Verdict>,
}

/// Reads the history of a run, finished or not.
///
/// # Errors
/// When a log cannot be read or has a damaged line.
pub(super) fn read(folder: &Path) -> Result<History> {
    let mut budget = bounded::MAX_LINES_MEMORY;
    let mut read = |name: &str| -> Result<Vec<Metrics>> {
        let path = folder.join(name);
        if path.exists() { metrics::read(&path, &mut budget) } else { Ok(Vec::new()) }
    };
    let (epochs, steps) = (read(METRICS)?, read("steps.jsonl")?);
    let events = read_events(&folder.join("events.jsonl"), budget)?;
    let starts_or_stops =
        |event: &&LoggedEvent| ["start", "resume", "stopped"].contains(&event.event.as_str());
    let last = events.iter().rfind(starts_or_stops);
    let reason = last.and_then(|event| event.reason.as_deref());
    Ok(History {
        epochs: epochs.iter().map(Row::from).collect(),
        steps: steps.iter().map(Row::from).collect(),
        layers: in_order(epochs, steps),
        verdicts: events.iter().filter_map(|event| event.verdict.clone()).collect(),
        val_samples: None,
        val_classes: Vec::new(),
        ended: reason.is_some_and(|reason| reason != "interrupted"),
        diverged: last.filter(|_| reason == Some("diverged")).map(|event| event.epoch),
        by_klubok: true,
        setup: setup(&folder.join("config.toml")),
        left_out: Vec::new(),
        notes: Vec::new(),
    })
}

/// The settings of the run, if readable: without them advice is general.
fn setup(path: &Path) -> Option<Setup> {
    let text = bounded::read_to_string(path, bounded::MAX_SETTINGS_BYTES).ok()?;
    let config = ConfigBuilder::parse_run(&text, "config.toml").ok()?.config;
    Some(Setup { config, train_classes: Vec::new() })
}

/// Reads the events of `events.jsonl` that have the form of [`LoggedEvent`].
///
/// # Errors
/// When a complete line is not JSON.
fn read_events(path: &Path, budget: u64) -> Result<Vec<LoggedEvent>> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let mut file = bounded::Lines::open(path, bounded::LineKind::Events, 0, budget)?;
    let mut events = Vec::new();
    let mut number = 0;
    while let Some(line) = file.next_line()? {
        number += 1;
        let wrong = |error: serde_json::Error| HistoryError::Log {
            path: path.display().to_string(),
            line: number,
            reason: format!("is damaged: {error}"),
        };
        serde_json::from_slice::<serde::de::IgnoredAny>(line).map_err(wrong)?;
        // Most events have another form.
        let event = serde_json::from_slice::<LoggedEvent>(line).ok();
        events.extend(event.filter(|event| event.epoch.is_finite()));
    }
    Ok(events)
}

/// Merges epochs and steps in the order of training; leaves out steps at the end of an epoch.
fn in_order(epochs: Vec<Metrics>, steps: Vec<Metrics>) -> Vec<Metrics> {
    let within = steps.into_iter().filter(|step| step.epoch.fract() != 0.0);
    let mut all: Vec<Metrics> = epochs.into_iter().chain(within).collect();
    all.sort_by(|a, b| a.epoch.total_cmp(&b.epoch));
    all
}
