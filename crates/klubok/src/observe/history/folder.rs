//! A folder that somebody's training left behind: which training is in it, and in which of its files.
//!
//! Looked for are files with the usual names of histories (Lightning, fastai, Keras, Hugging Face) and event files, in
//! the folder and a few levels below. The folders of a training's parts (`train`, `validation`) and figures (`loss_train`) belong
//! to it; any other folder is a training of its own.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::{
    History, HistoryError, columns::meaning, file, tensorboard, tensorboard::is_event_file,
};
use crate::{Result, part::Part};

/// Names of files that hold the history of a training.
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
/// Levels of folders below the one that was named.
const DEEPEST: usize = 4;
/// Most files and folders that are looked at.
const MOST: usize = 100_000;
/// So many trainings are looked into before one must be named.
const FEW: usize = 16;

/// The files of a training.
#[derive(Default)]
struct Training {
    tables: Vec<PathBuf>,
    events: Vec<PathBuf>,
}

/// The history of the one training in a folder. Those without a course of losses, such as what TensorBoard keeps of
/// hyper-parameters, do not count beside one that has it.
///
/// # Errors
/// When there is none or more than one, or it cannot be read.
pub(super) fn read(folder: &Path, path: &str) -> Result<History> {
    let mut found = find(folder, path)?;
    // What lies beside a training's own table: checkpoints that keep a copy of it.
    if found.get(folder).is_some_and(|training| !training.tables.is_empty()) {
        found.retain(|place, _| place == folder);
    }
    if found.len() > FEW {
        return Err(several(path, found.keys()).into());
    }
    let read = |(place, training): (&PathBuf, &Training)| {
        (place.clone(), training.read(&place.display().to_string()))
    };
    let mut all: Vec<(PathBuf, Result<History>)> = found.iter().map(read).collect();
    let is_course = |read: &Result<History>| match read {
        Ok(history) => history.epochs.len() > 1,
        Err(crate::Error::History(error)) => {
            !matches!(error, HistoryError::NoLoss { .. } | HistoryError::Empty { .. })
        }
        // It may be the one that was meant.
        Err(_) => true,
    };
    if all.iter().any(|(_, read)| is_course(read)) {
        all.retain(|(_, read)| is_course(read));
    }
    match all.len() {
        0 => Err(HistoryError::Folder { path: path.to_owned() }.into()),
        1 => all.remove(0).1,
        _ => Err(several(path, all.iter().map(|(place, _)| place)).into()),
    }
}

fn several<'a>(path: &str, places: impl Iterator<Item = &'a PathBuf>) -> HistoryError {
    let mut names: Vec<String> =
        places.take(6).map(|place| format!("`{}`", place.display())).collect();
    if names.len() > 5 {
        "...".clone_into(&mut names[5]);
    }
    HistoryError::Several { path: path.to_owned(), names: names.join(", ") }
}

impl Training {
    fn read(&self, path: &str) -> Result<History> {
        match &self.tables[..] {
            [] => tensorboard::read(&self.events, path),
            [table] => file(table),
            tables => Err(several(path, tables.iter()).into()),
        }
    }
}

/// The trainings in a folder, by the folder of each.
fn find(folder: &Path, path: &str) -> Result<BTreeMap<PathBuf, Training>> {
    let mut found: BTreeMap<PathBuf, Training> = BTreeMap::new();
    let mut open = vec![(folder.to_owned(), 0)];
    let mut count = 0;
    while let Some((inner, depth)) = open.pop() {
        let entries = match fs_err::read_dir(&inner) {
            Ok(entries) => entries,
            Err(error) if depth == 0 => return Err(error.into()),
            // What may not be looked into holds nothing for us.
            Err(_) => continue,
        };
        for entry in entries.flatten() {
            count += 1;
            if count > MOST {
                let (path, most) = (path.to_owned(), MOST);
                let none = HistoryError::Folder { path: path.clone() };
                let crowded = HistoryError::Crowded { path, most };
                return Err(if found.is_empty() { none } else { crowded }.into());
            }
            let (path, kind) = (entry.path(), entry.file_type());
            // Links to folders are not followed: they may lead round in a circle.
            if kind.is_ok_and(|kind| kind.is_dir()) {
                open.extend((depth < DEEPEST).then_some((path, depth + 1)));
            } else if is_event_file(&path) {
                let place = training_of(&inner, folder);
                found.entry(place).or_default().events.push(path);
            } else if NAMES.iter().any(|name| path.ends_with(name)) {
                found.entry(inner.clone()).or_default().tables.push(path);
            }
        }
    }
    for training in found.values_mut() {
        training.events.sort();
        training.tables.sort();
    }
    Ok(found)
}

/// The folder of the training that event files in `inner` are of: the one above those of a part or a figure.
fn training_of(inner: &Path, folder: &Path) -> PathBuf {
    let name = inner.file_name().unwrap_or_default().to_string_lossy();
    let belongs =
        Part::of_folder(&name).is_some() || meaning(&name).is_some_and(|column| column.of_part);
    match inner.parent() {
        Some(above) if belongs && inner != folder => above.to_owned(),
        _ => inner.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{read, tests::CURVE};

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
    fn usual_layouts_are_found_from_above_and_from_within() {
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
    fn several_trainings_are_named() {
        let folder = folder(&["logs/version_0/metrics.csv", "logs/version_1/metrics.csv"]);
        let error = read(folder.path()).unwrap_err().to_string();
        assert!(error.contains("version_0`, `") && error.contains("version_1`"), "{error}");
        assert!(read(&folder.path().join("logs/version_1")).is_ok());
    }

    #[test]
    fn a_table_with_nothing_in_it_is_no_training_beside_another() {
        let folder = folder(&["version_0/metrics.csv", "version_1/metrics.csv"]);
        fs_err::write(folder.path().join("version_1/metrics.csv"), "epoch,loss\n").unwrap();
        assert_eq!(read(folder.path()).unwrap().epochs.len(), 3);
    }

    #[test]
    fn folders_without_a_history_are_said_to_be_such() {
        let folder = folder(&["cat/1.png", "notes.txt", "a/b/c/d/e/metrics.csv"]);
        let error = read(folder.path()).unwrap_err().to_string();
        assert!(
            error.ends_with("neither a run nor a folder with the history of a training"),
            "{error}"
        );
    }
}
