//! A run's folder: `metrics.jsonl`, `steps.jsonl`, and from `events.jsonl` how it ended and what was said of its data.

use std::path::Path;

use serde::Deserialize;

use super::{History, Row};
use crate::{
    Result,
    observe::metrics,
    train::event::{Metrics, Verdict},
};

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
    let lines = |name: &str| -> Result<Vec<Metrics>> {
        let path = folder.join(name);
        if path.is_file() { metrics::read(&path) } else { Ok(Vec::new()) }
    };
    let (epochs, steps) = (lines(METRICS)?, lines("steps.jsonl")?);
    let events = fs_err::read_to_string(folder.join("events.jsonl")).unwrap_or_default();
    let lines = events.lines().filter_map(|line| serde_json::from_str::<Line>(line).ok());
    let lines: Vec<Line> = lines.collect();
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
    })
}

/// Both kinds of lines in the order of training; at the end of an epoch its own line says it all.
fn in_order(epochs: Vec<Metrics>, steps: Vec<Metrics>) -> Vec<Metrics> {
    let within = steps.into_iter().filter(|step| step.epoch.fract() != 0.0);
    let mut lines: Vec<Metrics> = epochs.into_iter().chain(within).collect();
    lines.sort_by(|a, b| a.epoch.total_cmp(&b.epoch));
    lines
}
