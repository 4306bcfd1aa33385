//! Finds the history of a training in a folder.
//!
//! Searches the folder and a few levels below for event files and for the usual names of histories
//! (Lightning, fastai, Keras, Hugging Face). Folders for parts (`train`, `validation`) and figures
//! (`loss_train`) belong to their training; any other folder is a training of its own. Without
//! files of these names, any other file that reads as a history counts.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use klubok_data::part::Part;
use klubok_files::bounded;

use super::{
    History, HistoryError, Row,
    columns::meaning,
    records, tables,
    tensorboard::{self, is_event_file},
};
use crate::history::Result;

/// Usual file names of histories.
const NAMES: [&str; 12] = [
    "metrics.csv",
    "history.csv",
    "history.json",
    "metrics.json",
    "trainer_state.json",
    "training.csv",
    "training.log",
    "training_log.csv",
    "training_log.json",
    "log.csv",
    "log.json",
    "logs.csv",
];
/// Maximum depth of folders below the given one.
const MAX_DEPTH: usize = 6;
/// Maximum number of files and folders to search.
const MAX_ENTRIES: usize = 100_000;
/// Maximum number of trainings, or of files with other names, to read.
const MAX_CANDIDATES: usize = 16;

/// Extensions of files that may have a history under another name.
const EXTENSIONS: [&str; 4] = ["csv", "tsv", "json", "jsonl"];

/// The files of a training.
#[derive(Default)]
struct Training {
    tables: Vec<PathBuf>,
    /// Tables in the folders of its parts.
    parts: Vec<(Part, PathBuf)>,
    events: Vec<PathBuf>,
}

/// The result of a search.
#[derive(Default)]
struct Found {
    /// Trainings by folder.
    trainings: BTreeMap<PathBuf, Training>,
    /// Files that may have a history under another name.
    others: Vec<PathBuf>,
}

/// The path of a training or a file, and the result of reading it.
type Reading = (PathBuf, Result<History>);

/// Reads the only training in a folder; all files together must fit into `budget`. Files without a
/// loss curve, such as TensorBoard's hyper-parameters or a text log, do not count beside one that
/// has it.
///
/// # Errors
/// When there is none or more than one, or it cannot be read.
pub(super) fn read(folder: &Path, path: &str, budget: &mut u64) -> Result<History> {
    let Found { trainings, others } = find(folder, path)?;
    let mut all: Vec<Reading> = Vec::new();
    if let Some(own) = trainings.get(folder).filter(|own| !own.tables.is_empty()) {
        let read = own.read(path, budget);
        if has_curve(&read) {
            // Anything else is a checkpoint's copy of the training's own table.
            return read;
        }
        all.push((folder.to_owned(), read));
    }
    let own_count = all.len();
    if trainings.len() > MAX_CANDIDATES {
        return Err(several(path, trainings.keys().cloned()));
    }
    for (place, training) in
        trainings.iter().filter(|(place, _)| own_count == 0 || *place != folder)
    {
        all.push((place.clone(), training.read(&place.display().to_string(), budget)));
    }
    if all.iter().any(|(_, read)| has_curve(read)) {
        all.retain(|(_, read)| has_curve(read));
        keep_the_longest(&mut all);
    } else {
        let mut other = read_others(&others, budget);
        other.retain(|(_, read)| has_curve(read));
        // If nothing has a curve, report the error of the folder's own table.
        all.truncate(if own_count == 0 { all.len() } else { own_count });
        all = if other.is_empty() { all } else { other };
    }
    match all.len() {
        0 => Err(HistoryError::Folder { path: path.to_owned() }),
        1 => all.remove(0).1,
        _ => {
            let names = |place: &PathBuf| match trainings.get(place) {
                Some(training) if place == folder => training.paths_to_name(folder),
                _ => vec![place.clone()],
            };
            Err(several(path, all.iter().flat_map(|(place, _)| names(place))))
        }
    }
}

/// Keeps only the longest history if all others are its beginnings: each checkpoint of a training
/// has the log up to its step.
fn keep_the_longest(all: &mut Vec<Reading>) {
    let Some(longest) = (0..all.len()).max_by_key(|&i| rows(&all[i]).len()) else { return };
    let whole = rows(&all[longest]);
    // The last epoch of a beginning may be incomplete.
    let begins = |read: &Reading| match rows(read).split_last() {
        Some((_, first)) => {
            !first.is_empty() && first.len() + 1 < whole.len() && whole.starts_with(first)
        }
        None => false,
    };
    if all.iter().enumerate().all(|(i, read)| i == longest || begins(read)) {
        *all = vec![all.swap_remove(longest)];
    }
}

/// The rows of a history; empty after an error.
fn rows(read: &Reading) -> &[Row] {
    read.1.as_ref().map_or(&[], |history| &history.epochs)
}

/// True for a history of more than one epoch, and for an error in a file that may be the right one.
/// False for another kind of table, a text log or a summary of one row.
fn has_curve(read: &Result<History>) -> bool {
    match read {
        Ok(history) => history.epochs.len() > 1,
        Err(
            HistoryError::NoLoss { .. }
            | HistoryError::Empty { .. }
            | HistoryError::NoTable { .. }
            | HistoryError::NotUtf8 { .. },
        ) => false,
        Err(HistoryError::Form { form, .. }) => *form == records::FORM,
        Err(_) => true,
    }
}

/// Reads a CSV or JSON file.
fn table(path: &Path, budget: &mut u64) -> Result<History> {
    tables(&[path.to_owned()], &path.display().to_string(), budget)
}

/// Reads files with other names. Leaves out files without losses and copies; files for several
/// parts make one history.
fn read_others(others: &[PathBuf], budget: &mut u64) -> Vec<Reading> {
    let mut all: Vec<Reading> = Vec::new();
    for path in others {
        let read = table(path, budget);
        let is_other = read.is_err() && !has_curve(&read);
        let is_copy = all.iter().any(|(_, known)| known.as_ref().ok() == read.as_ref().ok());
        if is_other || (read.is_ok() && is_copy) {
            continue;
        }
        all.push((path.clone(), read));
    }
    let part = |path: &Path| Part::of_folder(&path.file_stem()?.to_string_lossy());
    let parts: Option<Vec<(Part, PathBuf)>> =
        all.iter().map(|(path, _)| Some((part(path)?, path.clone()))).collect();
    match (parts.filter(|parts| are_parts(parts)), all.first()) {
        (Some(parts), Some((path, _))) => {
            let folder = path.parent().unwrap_or(path).to_owned();
            // The files were already read once within the budget.
            let read = read_parts(
                &parts,
                &folder.display().to_string(),
                &mut bounded::MAX_LOG_BYTES.clone(),
            );
            vec![(folder, read)]
        }
        _ => all,
    }
}

/// True for at least two files with distinct parts.
fn are_parts(files: &[(Part, PathBuf)]) -> bool {
    let at_most_once = |part| files.iter().filter(|file| file.0 == part).count() <= 1;
    files.len() > 1 && Part::ALL.into_iter().all(at_most_once)
}

/// Reads a training with one file per part.
fn read_parts(files: &[(Part, PathBuf)], path: &str, budget: &mut u64) -> Result<History> {
    let paths: Vec<PathBuf> = files.iter().map(|file| file.1.clone()).collect();
    tables(&paths, path, budget)
}

/// The part in the name of a file or its folder.
pub(super) fn part_of(file: &Path) -> Option<Part> {
    let part = |name: &std::ffi::OsStr| Part::of_folder(&name.to_string_lossy());
    file.file_stem().and_then(part).or_else(|| file.parent()?.file_name().and_then(part))
}

fn several(path: &str, places: impl Iterator<Item = PathBuf>) -> HistoryError {
    let mut names: Vec<String> =
        places.take(6).map(|place| format!("`{}`", place.display())).collect();
    if names.len() > 5 {
        "...".clone_into(&mut names[5]);
    }
    HistoryError::Several { path: path.to_owned(), names: names.join(", ") }
}

impl Training {
    /// Reads the table with a curve; without one the files of parts, or the event files.
    fn read(&self, path: &str, budget: &mut u64) -> Result<History> {
        let read = |file: &PathBuf| (file.clone(), table(file, budget));
        let mut all: Vec<Reading> = self.tables.iter().map(read).collect();
        let curves = all.iter().filter(|(_, read)| has_curve(read)).count();
        match (curves, &self.parts[..]) {
            (0, []) if !self.events.is_empty() => tensorboard::read(&self.events, path, budget),
            (0, [(_, file)]) => table(file, budget),
            (0, parts) if are_parts(parts) => read_parts(parts, path, budget),
            (0, parts) if !parts.is_empty() => {
                Err(several(path, parts.iter().map(|file| file.1.clone())))
            }
            (0, _) => all.swap_remove(0).1,
            (1, _) => {
                all.retain(|(_, read)| has_curve(read));
                all.swap_remove(0).1
            }
            _ => Err(several(
                path,
                all.into_iter().filter(|(_, read)| has_curve(read)).map(|(file, _)| file),
            )),
        }
    }

    /// The paths that the user can name instead of `folder`: its files, or the folders of files
    /// below.
    fn paths_to_name(&self, folder: &Path) -> Vec<PathBuf> {
        let tables = self.tables.iter().chain(self.parts.iter().map(|file| &file.1));
        let mut paths: Vec<PathBuf> = Vec::new();
        for file in tables.chain(&self.events) {
            let inner = file.parent().filter(|inner| *inner != folder);
            let path = inner.unwrap_or(file);
            if !paths.iter().any(|known| known == path) {
                paths.push(path.to_owned());
            }
        }
        paths
    }
}

/// Searches a folder for trainings and for other files that may be histories.
fn find(folder: &Path, path: &str) -> Result<Found> {
    let mut found = Found::default();
    let mut open = vec![(folder.to_owned(), 0)];
    let mut count = 0;
    while let Some((inner, depth)) = open.pop() {
        let entries = match fs_err::read_dir(&inner) {
            Ok(entries) => entries,
            Err(error) if depth == 0 => return Err(error.into()),
            // Skips folders without permission.
            Err(_) => continue,
        };
        for entry in entries.flatten() {
            count += 1;
            if count > MAX_ENTRIES {
                let (path, most) = (path.to_owned(), MAX_ENTRIES);
                let none = HistoryError::Folder { path: path.clone() };
                let too_many = HistoryError::TooManyFiles { path, most };
                return Err(if found.trainings.is_empty() { none } else { too_many });
            }
            let (path, kind) = (entry.path(), entry.file_type());
            // Links to folders are not followed: they may form a cycle.
            if kind.is_ok_and(|kind| kind.is_dir()) {
                open.extend((depth < MAX_DEPTH).then_some((path, depth + 1)));
            } else {
                found.add(path, &inner, folder);
            }
        }
    }
    for training in found.trainings.values_mut() {
        training.events.sort();
        training.tables.sort();
        training.parts.sort();
    }
    found.others.sort();
    // More files than this are data.
    if found.others.len() > MAX_CANDIDATES {
        found.others.clear();
    }
    Ok(found)
}

impl Found {
    /// Adds a file in the folder `inner`.
    fn add(&mut self, path: PathBuf, inner: &Path, folder: &Path) {
        if is_event_file(&path) {
            self.trainings.entry(training_of(inner, folder)).or_default().events.push(path);
        } else if NAMES.iter().any(|name| path.ends_with(name)) {
            let name = inner.file_name().unwrap_or_default().to_string_lossy();
            match (Part::of_folder(&name), inner.parent()) {
                (Some(part), Some(above)) if inner != folder => {
                    let training = self.trainings.entry(above.to_owned()).or_default();
                    training.parts.push((part, path));
                }
                _ => self.trainings.entry(inner.to_owned()).or_default().tables.push(path),
            }
        } else if self.others.len() <= MAX_CANDIDATES
            && path.extension().is_some_and(|end| EXTENSIONS.iter().any(|known| end == *known))
        {
            self.others.push(path);
        }
    }
}

/// The training's folder for event files in `inner`: the parent if `inner` is named after a part or
/// a figure.
fn training_of(inner: &Path, folder: &Path) -> PathBuf {
    let name = inner.file_name().unwrap_or_default().to_string_lossy();
    let belongs =
        Part::of_folder(&name).is_some() || meaning(&name).is_some_and(|column| column.names_part);
    match inner.parent() {
        Some(above) if belongs && inner != folder => above.to_owned(),
        _ => inner.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            Note, read,
            tests::{CURVE, losses_of},
        },
        Part,
    };

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in files {
            let path = folder.path().join(name);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, CURVE).unwrap();
        }
        folder
    }

    #[test]
    fn finds_usual_layouts_from_outer_and_inner_folders() {
        for (file, named) in [
            ("metrics.csv", ""),
            ("lightning_logs/version_0/metrics.csv", ""),
            ("lightning_logs/version_0/metrics.csv", "lightning_logs"),
            ("lightning_logs/version_0/metrics.csv", "lightning_logs/version_0"),
            ("models/history.csv", "models"),
        ] {
            let folder = folder(&[file, "lightning_logs/version_0/hparams.yaml"]);
            let history = read(&folder.path().join(named)).unwrap();
            assert_eq!(history.epochs.len(), 3, "{file} {named}");
        }
    }

    #[test]
    fn merges_files_of_parts_into_one_history() {
        let (train, val) = ("epoch,loss\n1,9\n2,8\n3,7\n", "epoch,loss\n1,7\n2,6\n3,5\n");
        let expected =
            [(1.0, Some(9.0), Some(7.0)), (2.0, Some(8.0), Some(6.0)), (3.0, Some(7.0), Some(5.0))];
        for [one, other] in [
            ["train/log.csv", "valid/log.csv"],
            ["a/train/metrics.csv", "a/val/metrics.csv"],
            ["train.csv", "val.csv"],
        ] {
            let folder = folder(&[one, other]);
            fs_err::write(folder.path().join(one), train).unwrap();
            fs_err::write(folder.path().join(other), val).unwrap();
            assert_eq!(losses_of(&read(folder.path()).unwrap()), expected, "{one}");
            let alone = read(&folder.path().join(other)).unwrap();
            assert_eq!(losses_of(&alone)[0], (1.0, None, Some(7.0)), "{other}");
            assert_eq!(alone.notes, [Note::PartByName { part: Part::Val }]);
        }
        let folder = folder(&["test/history.csv"]);
        let history = read(&folder.path().join("test")).unwrap();
        assert_eq!((history.notes.len(), history.epochs[0].train_loss), (0, Some(0.9)));
    }

    #[test]
    fn reads_the_only_file_with_another_name() {
        for name in ["summary.csv", "results.csv", "run/vis_data/scalars.json", "a.log.json"] {
            let folder = folder(&[name, "notes.txt"]);
            fs_err::write(folder.path().join("config.json"), "{\"lr\": 1}").unwrap();
            fs_err::write(folder.path().join("args.csv"), "name,age\nTom,3\n").unwrap();
            assert_eq!(read(folder.path()).unwrap().epochs.len(), 3, "{name}");
        }
        let folder = folder(&["one.csv", "other.csv", "copy.csv"]);
        let path = folder.path().join("other.csv");
        fs_err::write(path, "epoch,loss\n1,3\n2,2\n").unwrap();
        let error = read(folder.path()).unwrap_err().to_string();
        assert!(error.contains("copy.csv`, `") && error.contains("other.csv`"), "{error}");
    }

    #[test]
    fn paths_in_the_error_are_readable() {
        let folder = folder(&["train/metrics.csv", "other/metrics.csv"]);
        let error = read(folder.path()).unwrap_err().to_string();
        let named = format!("`{}`", folder.path().display());
        let (_, names) = error.split_once("name one of them: ").unwrap();
        assert!(!names.contains(&named), "{error}");
        for name in names.split(", ") {
            let name = name.trim_matches('`');
            assert_eq!(read(std::path::Path::new(name)).unwrap().epochs.len(), 3, "{name}");
        }
    }

    #[test]
    fn lists_several_trainings_in_the_error() {
        let folder = folder(&["logs/version_0/metrics.csv", "logs/version_1/metrics.csv"]);
        let error = read(folder.path()).unwrap_err().to_string();
        assert!(error.contains("version_0`, `") && error.contains("version_1`"), "{error}");
        assert!(read(&folder.path().join("logs/version_1")).is_ok());
    }

    #[test]
    fn ignores_an_empty_table_beside_another_training() {
        let folder = folder(&["version_0/metrics.csv", "version_1/metrics.csv"]);
        fs_err::write(folder.path().join("version_1/metrics.csv"), "epoch,loss\n").unwrap();
        assert_eq!(read(folder.path()).unwrap().epochs.len(), 3);
    }

    #[test]
    fn ignores_a_text_log_or_a_summary_beside_a_history() {
        let python = "2024-01-01 12:00:00,123 - INFO - begin, batch 64\n2024-01-01 12:00:01,456 - INFO - loss 1\n";
        let hydra =
            "[2024-01-01 12:00:00,123][INFO] - begin\n[2024-01-01 12:00:01,456][INFO] - loss 1\n";
        let summary = "{\"train\": {\"loss\": 0.5}, \"test\": {\"loss\": 0.6}}\n";
        for (beside, text) in
            [("training.log", python), ("training.log", hydra), ("metrics.json", summary)]
        {
            for file in
                ["lightning_logs/version_0/metrics.csv", "loss.tsv", "history.csv", "train/log.csv"]
            {
                let folder = folder(&[file]);
                fs_err::write(folder.path().join(beside), text).unwrap();
                let history = read(folder.path());
                assert_eq!(history.unwrap().epochs.len(), 3, "{beside} {file}");
            }
            // On its own, its error is reported.
            let folder = folder(&["notes.txt"]);
            fs_err::write(folder.path().join(beside), text).unwrap();
            let error = read(folder.path()).unwrap_err().to_string();
            assert!(error.contains(beside) || error.ends_with("at least two"), "{error}");
        }
    }

    #[test]
    fn reads_event_files_beside_a_text_log() {
        let folder = folder(&["training.log"]);
        fs_err::write(folder.path().join("training.log"), "epoch one begins\nloss 1\n").unwrap();
        fs_err::write(folder.path().join("a.tfevents.1"), [0; 64]).unwrap();
        let error = read(folder.path()).unwrap_err().to_string();
        assert!(error.ends_with("a checksum does not agree"), "{error}");
    }

    #[test]
    fn reads_metrics_jsonl_of_other_frameworks() {
        let lines = "{\"epoch\": 1, \"loss\": 2}\n{\"epoch\": 2, \"loss\": 1}\n";
        let folder = folder(&["metrics.jsonl", "config.toml"]);
        fs_err::write(folder.path().join("metrics.jsonl"), lines).unwrap();
        fs_err::write(folder.path().join("config.toml"), "[model]\n").unwrap();
        let history = read(folder.path()).unwrap();
        assert_eq!((history.epochs.len(), history.by_klubok), (2, false));
        fs_err::write(folder.path().join("config.toml"), "[run]\nklubok = \"1\"\n").unwrap();
        let error = read(folder.path()).unwrap_err().to_string();
        assert!(error.contains("is damaged"), "{error}");
    }

    #[test]
    fn takes_the_longest_log_of_checkpoints() {
        let log = |epochs: u32| {
            let line = |epoch: u32| {
                format!("{{\"epoch\": {epoch}, \"loss\": {}, \"step\": {epoch}}}", 9 - epoch)
            };
            let lines: Vec<String> = (1..=epochs).map(line).collect();
            format!("{{\"log_history\": [{}]}}", lines.join(","))
        };
        let names = ["checkpoint-3/trainer_state.json", "checkpoint-6/trainer_state.json"];
        let folder = folder(&names);
        let write =
            |name: &str, text: String| fs_err::write(folder.path().join(name), text).unwrap();
        write(names[0], log(3));
        write(names[1], log(6));
        assert_eq!(read(folder.path()).unwrap().epochs.len(), 6);
        write(names[0], log(3).replace("\"loss\": 8", "\"loss\": 7"));
        assert!(read(folder.path()).unwrap_err().to_string().contains("more than one training"));
    }

    #[test]
    fn all_files_of_a_folder_share_one_budget() {
        let folder =
            folder(&["version_0/metrics.csv", "version_1/metrics.csv", "version_2/metrics.csv"]);
        let mut budget = 2 * CURVE.len() as u64;
        for (i, text) in [(0, "epoch,loss\n"), (1, "epoch,loss\n")] {
            fs_err::write(folder.path().join(format!("version_{i}/metrics.csv")), text).unwrap();
        }
        assert_eq!(super::read(folder.path(), "h", &mut budget).unwrap().epochs.len(), 3);
        let error = super::read(folder.path(), "h", &mut budget).unwrap_err().to_string();
        assert!(error.contains("is larger than 256 MiB"), "{error}");
    }

    #[test]
    fn refuses_a_folder_without_a_history() {
        let folder = folder(&["cat/1.png", "notes.txt", "a/b/c/d/e/f/g/metrics.csv"]);
        let error = read(folder.path()).unwrap_err().to_string();
        assert!(
            error.ends_with("neither a run nor a folder with the history of a training"),
            "{error}"
        );
    }
}
