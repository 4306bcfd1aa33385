//! The runs beside this one: how far each came, and in which settings they differ.

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

use super::{answer::Answer, hub::Hub};

/// Runs that are shown, the last ones by name.
const RUNS: usize = 40;
/// Bytes of files that are read of all of them together: who asks waits for it.
const BUDGET: u64 = 32 << 20;
/// Bytes at the end of a log in which its last events are looked for.
const END: u64 = 64 << 10;

/// What is compared of an epoch.
#[derive(Deserialize)]
struct Line {
    epoch: f64,
    val_loss: Option<f64>,
    val_accuracy: Option<f64>,
}

impl Hub {
    /// All runs of the folder, with the settings in which any two of them differ.
    pub(crate) fn look_at_runs(&self) -> Answer {
        let mut folders: Vec<_> = fs_err::read_dir(self.about.runs())
            .map_err(|error| error.to_string())?
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| RunDir::open(path).is_ok())
            .collect();
        folders.sort();
        let older = folders.len().saturating_sub(RUNS);
        Ok(compared(&folders[older..], self.about.run.path()))
    }
}

/// Runs side by side, with the settings in which any two of them differ. A run that cannot be read,
/// or for which nothing is left of what may be read of all of them, is left out.
pub(crate) fn compared(folders: &[PathBuf], current: &Path) -> Value {
    let mut budget = BUDGET;
    let read: Vec<(&PathBuf, Map<String, Value>, Value)> =
        folders.iter().filter_map(|folder| read(folder, &mut budget)).collect();
    let same = |key: &String| {
        let mut values = read.iter().map(|(_, settings, _)| settings.get(key));
        let first = values.next();
        values.all(|value| Some(value) == first)
    };
    // One folder has many paths: `run` and `./run`, say.
    let is_current = |folder: &Path| {
        let real = |path| fs_err::canonicalize(path).ok();
        real(folder).is_some_and(|folder| Some(folder) == real(current))
    };
    let told = read.iter().map(|(folder, settings, figures)| {
        let differs: Map<String, Value> = settings
            .iter()
            .filter(|(key, _)| !same(key))
            .map(|(key, value)| (key.clone(), shown(value).into()))
            .collect();
        let mut told = figures.clone();
        told["current"] = is_current(folder).into();
        told["differs"] = differs.into();
        told
    });
    json!({ "runs": told.collect::<Vec<_>>() })
}

/// Settings of a run as `section.key`, and its figures; none where its files cannot be read.
fn read<'a>(
    folder: &'a PathBuf,
    budget: &mut u64,
) -> Option<(&'a PathBuf, Map<String, Value>, Value)> {
    let mut file = |name, most: u64| {
        let text = bounded::read_to_string(&folder.join(name), most.min(*budget));
        *budget -= text.as_ref().map_or(0, |text| text.len() as u64);
        text
    };
    let text = file(CONFIG, bounded::SETTINGS).ok()?;
    let config = ConfigBuilder::parse_run(&text, CONFIG).ok()?.config;
    let mut settings = Map::new();
    for (section, keys) in toml::Table::try_from(&config).ok()? {
        for (key, value) in keys.as_table().into_iter().flatten() {
            settings.insert(format!("{section}.{key}"), serde_json::to_value(value).ok()?);
        }
    }
    let metrics = match file(METRICS, bounded::LOG) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return None,
        log => log.unwrap_or_default(),
    };
    let epochs: Vec<Line> =
        metrics.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let best = epochs
        .iter()
        .filter(|line| line.val_loss.is_some())
        .min_by(|a, b| f64::total_cmp(&a.val_loss.unwrap_or(0.0), &b.val_loss.unwrap_or(0.0)));
    let course: Vec<Value> =
        epochs.iter().filter_map(|line| Some(json!([line.epoch, line.val_loss?]))).collect();
    let figures = json!({
        "name": folder.file_name()?.to_string_lossy(),
        "epochs": epochs.last().map_or(0.0, |line| line.epoch),
        "best_val_loss": best.and_then(|line| line.val_loss),
        "best_val_accuracy": best.and_then(|line| line.val_accuracy),
        "stopped": stopped(&folder.join(EVENTS)),
        "val_loss": course,
    });
    Some((folder, settings, figures))
}

/// How a run ended, by the end of its log.
fn stopped(log: &Path) -> Option<Stopped> {
    let (mut file, mut end) = (bounded::open(log).ok()?, Vec::new());
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(END))).ok()?;
    file.take(END).read_to_end(&mut end).ok()?;
    let lines = end.split(|&byte| byte == b'\n').rev();
    let mut events = lines.filter_map(|line| serde_json::from_slice::<EventLine>(line).ok());
    events.find_map(|line| match line.kind {
        EventKind::Stopped { reason, .. } => Some(reason),
        _ => None,
    })
}

/// A setting as a person would write it.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}
