//! `klubok runs`: lists and removes runs.

use std::{
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use klubok::{
    config::TargetKind,
    data::{Part, read_split, settings::is_run},
    train::{
        RunError,
        best::BestEpoch,
        evaluate::{chance_accuracy, wilson},
        event::{EventKind, Stopped},
        logs::{EVENTS, Logs, METRICS},
        run_dir::{CHECKPOINT, CONFIG, RunDir, SPLIT},
    },
};
use klubok_text::{
    numbers::{accuracy, decimal, percent, r_squared},
    shell::{quoted, shown},
    text,
};
use serde::Serialize;

use crate::{
    args,
    failure::{Failure, Result},
    run_lookup::{RUNS_FOLDER, find_run},
    terminal::{Screen, columns, numbers, print_stdout, table_by_name, words},
};

/// State of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    /// A process is training it.
    Running,
    /// `resume` continues it.
    Interrupted,
    /// Its training is complete.
    Ended,
    /// A loss or gradient was no longer finite.
    Diverged,
}

/// An entry of the list.
#[derive(Debug, Serialize)]
struct RunEntry {
    run: String,
    bytes: u64,
    checkpoint_bytes: u64,
    /// Time of creation in UTC.
    made: Option<String>,
    data: Option<String>,
    state: Option<State>,
    epochs: Option<f64>,
    best_epoch: Option<u64>,
    val_accuracy: Option<f64>,
    val_accuracy_interval: Option<[f64; 2]>,
    /// Coefficient of determination of predicted numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    val_r2: Option<f64>,
    /// Chance accuracy in classes.
    chance: Option<f64>,
    #[serde(skip)]
    val_samples: usize,
    /// Planned epochs.
    #[serde(skip)]
    planned_epochs: Option<u64>,
    /// Error of a damaged run.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// A removed run or checkpoint.
#[derive(Debug, Serialize)]
struct Removed {
    run: String,
    freed_bytes: u64,
}

/// Lists runs, or removes those that flags name.
pub(crate) fn run(args: &args::Runs) -> Result<()> {
    let removed = if !args.remove.is_empty() {
        remove(&args.remove, args)?
    } else if !args.remove_checkpoint.is_empty() {
        remove_checkpoints(&args.remove_checkpoint, args)?
    } else {
        return list(args);
    };
    if args.flags.json {
        print_stdout(serde_json::json!({ "removed": removed }))?;
    }
    Ok(())
}

fn list(args: &args::Runs) -> Result<()> {
    let screen = Screen::new(args.flags.quiet);
    let mut folders: Vec<PathBuf> = match fs_err::read_dir(&args.folder) {
        Ok(entries) => entries.flatten().map(|entry| entry.path()).collect(),
        // No run exists yet.
        Err(_) if args.folder == Path::new(RUNS_FOLDER) && !args.folder.exists() => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    let is_hidden = |path: &Path| {
        path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
    };
    folders.retain(|path| !is_hidden(path) && is_run(path));
    folders.sort();
    let runs: Vec<RunEntry> = folders.iter().map(|path| read_entry(path)).collect();
    if args.flags.json {
        return print_stdout(serde_json::json!({ "runs": runs }));
    }
    if runs.is_empty() {
        screen.message(text!("runs.none", folder = args.folder.display()));
        return Ok(());
    }
    print_stdout(to_table(&runs))?;
    let is_done = |run: &&RunEntry| matches!(run.state, Some(State::Ended | State::Diverged));
    let checkpoints: u64 = runs.iter().filter(is_done).map(|run| run.checkpoint_bytes).sum();
    screen.message(text!(
        "runs.all",
        n = runs.len(),
        size = size(runs.iter().map(|run| run.bytes).sum()),
        checkpoints = size(checkpoints)
    ));
    screen.message(text!("runs.how"));
    Ok(())
}

/// Column of chance accuracy, which a narrow terminal drops first.
const CHANCE: usize = 5;
/// Column of the data, which a narrow terminal drops next.
const DATA: usize = 7;

fn to_table(runs: &[RunEntry]) -> String {
    let head = [
        words(text!("runs.run")),
        numbers(text!("runs.size")),
        words(text!("runs.made")),
        numbers(text!("runs.epochs")),
        numbers(text!("runs.accuracy")),
        numbers(text!("runs.chance")),
        words(text!("runs.state")),
        words(text!("runs.data")),
    ];
    let or_dash = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    let row = |run: &RunEntry| {
        let share = run.val_accuracy.map(|share| accuracy(share, run.val_samples));
        let share = share.or(run.val_r2.map(|r2| format!("R² {}", r_squared(r2))));
        // The table shows the day, `--json` the minute.
        let day = run.made.as_ref().and_then(|made| made.split(' ').next());
        let epochs = run.epochs.zip(run.planned_epochs);
        let state = run.state.map(|state| match state {
            State::Running => text!("runs.running"),
            State::Interrupted => text!("runs.interrupted"),
            State::Ended => text!("runs.ended"),
            State::Diverged => text!("runs.diverged"),
        });
        let damaged = run.error.as_ref().map(|reason| text!("runs.unreadable", reason = reason));
        vec![
            run.run.clone(),
            size(run.bytes),
            or_dash(day.map(str::to_owned)),
            or_dash(epochs.map(|(epochs, all)| {
                text!("runs.epochs_of", epochs = epochs, all = all.max(epochs as u64))
            })),
            or_dash(share),
            or_dash(run.chance.map(percent)),
            or_dash(damaged.or(state)),
            or_dash(run.data.as_deref().map(shown)),
        ]
    };
    let rows: Vec<_> = runs.iter().map(row).collect();
    table_by_name(&head, &rows, 0, &[CHANCE, DATA], columns())
}

/// Reads the entry of a run; of a damaged one, little more than its size and error.
fn read_entry(path: &Path) -> RunEntry {
    let mut entry = RunEntry {
        run: path.display().to_string(),
        bytes: bytes_of(path),
        checkpoint_bytes: bytes_of(&path.join(CHECKPOINT)),
        made: path.join(CONFIG).metadata().and_then(|about| about.modified()).ok().map(date),
        data: None,
        state: None,
        epochs: None,
        best_epoch: None,
        val_accuracy: None,
        val_accuracy_interval: None,
        val_r2: None,
        chance: None,
        val_samples: 0,
        planned_epochs: None,
        error: None,
    };
    if let Err(error) = read_result(&mut entry, path) {
        entry.error = Some(error.to_string());
    }
    entry
}

/// Reads result and state from the logs, as the checkpoint may have been removed.
fn read_result(entry: &mut RunEntry, path: &Path) -> klubok::train::Result<()> {
    let run = RunDir::open(path)?;
    let (config, info) = run.settings()?;
    entry.data = Some(info.data);
    entry.planned_epochs = Some(config.train.epochs);
    entry.state = Some(if run.is_trained_now() { State::Running } else { State::Interrupted });
    if !run.file(METRICS).exists() || !run.file(EVENTS).exists() {
        entry.epochs = Some(0.0);
        return Ok(());
    }
    let past = Logs::past(path)?;
    let counts = val_counts(&run)?;
    entry.val_samples = counts.iter().sum::<u64>() as usize;
    let best = BestEpoch::of(&past.epochs, config.train.monitor, entry.val_samples as u64);
    entry.epochs = past.epochs.last().map(|line| line.epoch);
    entry.best_epoch = best.map(|best| best.epoch);
    entry.val_accuracy = best.and_then(|best| best.val_accuracy);
    entry.val_accuracy_interval = entry.val_accuracy.map(|share| wilson(share, entry.val_samples));
    entry.val_r2 = best.and_then(|best| best.val_r2);
    let is_class = config.data.task == TargetKind::Class;
    entry.chance = (is_class && entry.val_samples > 0).then(|| chance_accuracy(&counts));
    for event in past.events {
        match event.kind {
            EventKind::Stopped { reason, .. } if entry.state != Some(State::Running) => {
                entry.state = Some(match reason {
                    Stopped::Interrupted => State::Interrupted,
                    Stopped::Diverged => State::Diverged,
                    Stopped::Epochs | Stopped::EarlyStopping | Stopped::Person => State::Ended,
                });
            }
            EventKind::Resume { .. } if entry.state != Some(State::Running) => {
                entry.state = Some(State::Interrupted);
            }
            EventKind::Person { act: klubok::train::act::Act::Epochs { epochs, .. } } => {
                entry.planned_epochs = Some(epochs);
            }
            _ => {}
        }
    }
    Ok(())
}

/// Number of validation samples of each class.
fn val_counts(run: &RunDir) -> klubok::train::Result<Vec<u64>> {
    let mut counts = std::collections::BTreeMap::new();
    for row in read_split(&run.file(SPLIT))? {
        let row = row?;
        if row.part == Part::Val {
            *counts.entry(row.class).or_insert(0) += 1;
        }
    }
    Ok(counts.into_values().collect())
}

/// Removes runs after checking all of them.
fn remove(paths: &[PathBuf], args: &args::Runs) -> Result<Vec<Removed>> {
    let screen = Screen::new(args.flags.quiet);
    let runs = open_idle_runs(paths)?;
    for run in &runs {
        if let Some(foreign) = run.foreign()? {
            let path = run.path().join(foreign);
            return Err(Failure::failed(format!("`{}` is not part of a run", path.display()))
                .hint(text!("hint.foreign")));
        }
    }
    let mut removed = Vec::new();
    for run in runs {
        let (path, freed_bytes) = (run.path().display().to_string(), bytes_of(run.path()));
        run.remove()?;
        screen.message(text!("runs.removed", run = path, size = size(freed_bytes)));
        removed.push(Removed { run: path, freed_bytes });
    }
    Ok(removed)
}

/// Removes the checkpoints of runs that have ended.
fn remove_checkpoints(paths: &[PathBuf], args: &args::Runs) -> Result<Vec<Removed>> {
    let screen = Screen::new(args.flags.quiet);
    let runs = open_idle_runs(paths)?;
    for run in &runs {
        let path = run.path().display().to_string();
        if run.progress()?.is_some_and(|progress| progress.stopped.is_none()) {
            return Err(Failure::failed(format!("`{path}` was interrupted and has not ended"))
                .hint(text!("hint.needed", run = quoted(&path))));
        }
    }
    let mut removed = Vec::new();
    for run in runs {
        let path = run.path().display().to_string();
        let freed_bytes = bytes_of(&run.file(CHECKPOINT));
        if freed_bytes == 0 {
            screen.message(text!("runs.no_checkpoint", run = path));
            continue;
        }
        run.remove_checkpoint()?;
        screen.message(text!("runs.removed_checkpoint", run = path, size = size(freed_bytes)));
        removed.push(Removed { run: path, freed_bytes });
    }
    Ok(removed)
}

/// Opens the runs at these paths. Fails if one is being trained.
fn open_idle_runs(paths: &[PathBuf]) -> Result<Vec<RunDir>> {
    let mut runs: Vec<RunDir> = Vec::new();
    for path in paths {
        let path_shown = path.display().to_string();
        let run = find_run(&path_shown)?;
        let refused = if !is_run(run.path()) || run.path().is_symlink() {
            Some(RunError::NotARun { path: path_shown, missing: "a `config.toml` of klubok" })
        } else if run.is_trained_now() {
            Some(RunError::Busy { path: path_shown })
        } else {
            None
        };
        if let Some(refused) = refused {
            return Err(Failure::failed(refused).hint(text!("hint.not_removed")));
        }
        if !runs.contains(&run) {
            runs.push(run);
        }
    }
    Ok(runs)
}

/// Bytes of a file, or of all files below a folder, without following links.
fn bytes_of(path: &Path) -> u64 {
    let Ok(about) = path.symlink_metadata() else { return 0 };
    if !about.is_dir() {
        return about.len();
    }
    let entries = fs_err::read_dir(path).into_iter().flatten().flatten();
    entries.map(|entry| bytes_of(&entry.path())).sum()
}

/// `0.4 MB`, `12 MB`.
fn size(bytes: u64) -> String {
    let megabytes = bytes as f64 / 1e6;
    let digits = usize::from(megabytes < 9.95);
    text!("word.megabytes", n = decimal(format_args!("{megabytes:.digits$}")))
}

/// `2026-11-28 19:34` in UTC, by the days of the proleptic Gregorian calendar (H. Hinnant, "chrono-
/// compatible low-level date algorithms").
fn date(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    // Years begin in March here: the leap day comes last.
    let days = seconds / 86_400 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute) = (seconds % 86_400 / 3600, seconds % 3600 / 60);
    format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02}")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn dates_agree_with_the_calendar() {
        // `date -u -d @N '+%F %H:%M'`.
        for (seconds, expected) in [
            (0, "1970-01-01 00:00"),
            (951_782_399, "2000-02-28 23:59"),
            (951_782_400, "2000-02-29 00:00"),
            (1_709_251_199, "2024-02-29 23:59"),
            (1_709_251_200, "2024-03-01 00:00"),
            (4_102_444_799, "2099-12-31 23:59"),
        ] {
            assert_eq!(date(UNIX_EPOCH + Duration::from_secs(seconds)), expected);
        }
    }

    #[test]
    fn sizes_are_short() {
        assert_eq!([400_000, 9_940_000, 12_400_000].map(size), ["0.4 MB", "9.9 MB", "12 MB"]);
    }
}
