//! A run's folder: `metrics.jsonl`, `steps.jsonl`, and how it ended from `events.jsonl`.

use std::path::Path;

use serde::Deserialize;

use super::{History, Row};
use crate::{Result, observe::metrics};

/// File of the lines of epochs.
pub(super) const METRICS: &str = "metrics.jsonl";

/// What a line of `events.jsonl` may say about the end.
#[derive(Deserialize)]
struct Line {
    event: String,
    epoch: f64,
    reason: Option<String>,
}

/// The history of a run, also of one that is under way.
///
/// # Errors
/// When a log cannot be read or a line of it is damaged.
pub(super) fn read(folder: &Path) -> Result<History> {
    let rows = |name: &str| -> Result<Vec<Row>> {
        let path = folder.join(name);
        if !path.is_file() {
            return Ok(Vec::new());
        }
        Ok(metrics::read(&path)?.iter().map(Row::from).collect())
    };
    let events = fs_err::read_to_string(folder.join("events.jsonl")).unwrap_or_default();
    let mut lines = events.lines().filter_map(|line| serde_json::from_str::<Line>(line).ok());
    let last = lines.rfind(|line| ["start", "resume", "stopped"].contains(&line.event.as_str()));
    let reason = last.as_ref().and_then(|line| line.reason.as_deref());
    Ok(History {
        epochs: rows(METRICS)?,
        steps: rows("steps.jsonl")?,
        val_samples: None,
        ended: reason.is_some_and(|reason| reason != "interrupted"),
        diverged: last.as_ref().filter(|_| reason == Some("diverged")).map(|line| line.epoch),
    })
}
