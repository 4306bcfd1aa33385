//! Comparison of this run with its siblings: their progress, and the settings that differ.

use std::{
    io::{self, Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
};

use klubok::{
    bounded,
    config::ConfigBuilder,
    train::{
        event::{EventKind, EventLine, Stopped},
        logs::{EVENTS, METRICS},
        run_dir::{CONFIG, RunDir},
    },
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::hub::Hub;

/// Runs in the comparison, at most: the last ones by name.
const MAX_RUNS: usize = 40;
/// Bytes to read of all runs together, at most: the browser waits for them.
const MAX_BYTES: u64 = 32 << 20;
/// Bytes at the end of a log to search for its last event.
const TAIL_BYTES: u64 = 64 << 10;

/// Settings that decide which samples the losses are measured on, and how.
const MEASURED_BY: [&str; 9] = [
    "data.layout",
    "data.val_fraction",
    "data.split_seed",
    "data.limit",
    "data.target",
    "data.weight",
    "data.task",
    "train.loss",
    "train.huber_delta",
];

/// A run as its files describe it.
struct ReadRun<'a> {
    folder: &'a PathBuf,
    /// Its settings as `section.key`.
    settings: Map<String, Value>,
    /// Its data.
    data: [Option<toml::Value>; 4],
    figures: Value,
}

impl ReadRun<'_> {
    /// Whether the losses of two runs can be compared: they are measured on the same samples by the
    /// same formula.
    fn is_comparable(&self, other: &Self) -> bool {
        let same = |key: &&str| self.settings.get(*key) == other.settings.get(*key);
        self.data == other.data && MEASURED_BY.iter().all(same)
    }
}

/// Metrics of an epoch.
#[derive(Deserialize)]
struct EpochMetrics {
    epoch: f64,
    val_loss: Option<f64>,
    val_accuracy: Option<f64>,
    val_r2: Option<f64>,
}

impl Hub {
    /// Compares all runs of this run's folder.
    ///
    /// # Errors
    /// When the folder cannot be read; a sentence.
    pub fn sibling_runs(&self) -> Result<Value, String> {
        let mut folders: Vec<_> = fs_err::read_dir(self.run.runs_folder())
            .map_err(|error| error.to_string())?
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| RunDir::open(path).is_ok())
            .collect();
        folders.sort();
        let older = folders.len().saturating_sub(MAX_RUNS);
        Ok(compare_runs(&folders[older..], self.run.dir.path()))
    }
}

/// Compares runs: their metrics, and the settings in which they differ from the current one. Of the
/// current one, those in which any two differ. Leaves out runs that cannot be read within the byte
/// budget.
pub fn compare_runs(folders: &[PathBuf], current: &Path) -> Value {
    let mut budget = MAX_BYTES;
    let read: Vec<ReadRun<'_>> =
        folders.iter().filter_map(|folder| read(folder, &mut budget)).collect();
    // One folder has many paths, such as `run` and `./run`.
    let is_current = |folder: &Path| {
        let real = |path| fs_err::canonicalize(path).ok();
        real(folder).is_some_and(|folder| Some(folder) == real(current))
    };
    let own = read.iter().find(|run| is_current(run.folder));
    let runs = read.iter().map(|run| {
        let is_own = own.is_some_and(|own| own.folder == run.folder);
        let compared = || read.iter().filter(|_| is_own).chain(own);
        let differs: Map<String, Value> = run
            .settings
            .iter()
            .filter(|(key, value)| compared().any(|of| of.settings.get(*key) != Some(value)))
            .map(|(key, value)| (key.clone(), setting_text(value).into()))
            .collect();
        let mut json = run.figures.clone();
        json["current"] = is_own.into();
        json["comparable"] = own.is_some_and(|own| own.is_comparable(run)).into();
        json["differs"] = differs.into();
        json
    });
    json!({ "runs": runs.collect::<Vec<_>>() })
}

/// Reads a run's settings and metrics; none where its files cannot be read.
fn read<'a>(folder: &'a PathBuf, budget: &mut u64) -> Option<ReadRun<'a>> {
    let mut file = |name, max_bytes: u64| {
        let text = bounded::read_to_string(&folder.join(name), max_bytes.min(*budget));
        *budget -= text.as_ref().map_or(0, |text| text.len() as u64);
        text
    };
    let text = file(CONFIG, bounded::MAX_SETTINGS_BYTES).ok()?;
    let parsed = ConfigBuilder::parse_run(&text, CONFIG).ok()?;
    let of_run = parsed.run.unwrap_or_default();
    let data = ["data", "val", "test", "fingerprint"].map(|key| of_run.get(key).cloned());
    let mut settings = Map::new();
    for (section, keys) in toml::Table::try_from(&parsed.config).ok()? {
        for (key, value) in keys.as_table().into_iter().flatten() {
            settings.insert(format!("{section}.{key}"), serde_json::to_value(value).ok()?);
        }
    }
    let metrics = match file(METRICS, bounded::MAX_LOG_BYTES) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return None,
        log => log.unwrap_or_default(),
    };
    let epochs: Vec<EpochMetrics> =
        metrics.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let best = epochs
        .iter()
        .filter(|line| line.val_loss.is_some())
        .min_by(|a, b| f64::total_cmp(&a.val_loss.unwrap_or(0.0), &b.val_loss.unwrap_or(0.0)));
    let loss_curve: Vec<Value> =
        epochs.iter().filter_map(|line| Some(json!([line.epoch, line.val_loss?]))).collect();
    let figures = json!({
        "name": folder.file_name()?.to_string_lossy(),
        "epochs": epochs.last().map_or(0.0, |line| line.epoch),
        "best_val_loss": best.and_then(|line| line.val_loss),
        "best_val_accuracy": best.and_then(|line| line.val_accuracy),
        "best_val_r2": best.and_then(|line| line.val_r2),
        "stopped": stopped(&folder.join(EVENTS)),
        "val_loss": loss_curve,
    });
    Some(ReadRun { folder, settings, data, figures })
}

/// Returns how a run ended, from the end of its event log.
fn stopped(log: &Path) -> Option<Stopped> {
    let (mut file, mut end) = (bounded::open(log).ok()?, Vec::new());
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES))).ok()?;
    file.take(TAIL_BYTES).read_to_end(&mut end).ok()?;
    let lines = end.split(|&byte| byte == b'\n').rev();
    let mut events = lines.filter_map(|line| serde_json::from_slice::<EventLine>(line).ok());
    events.find_map(|line| match line.kind {
        EventKind::Stopped { reason, .. } => Some(reason),
        _ => None,
    })
}

/// Writes a setting's value as in a settings file, strings without quotes.
fn setting_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}
