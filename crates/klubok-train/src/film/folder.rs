//! The film's folder in a run: one file per snapshot, named by its step.
//!
//! A snapshot never changes once it is written. Files are renamed into place, so that a reader sees
//! whole ones, and not synced: after a crash of the machine a film may lack snapshots. What the
//! folder keeps follows from the progress of the training alone, so a training that was killed and
//! resumed has the film of one that was not.

use std::{
    collections::BTreeSet,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use fs_err as fs;
use klubok_files::bounded;

use super::{Snapshot, kept, scene::MAX_FILM_BYTES};
use crate::{Result, progress::Progress};

/// Name of the folder in a run.
pub const FILM: &str = "film";
const ENDING: &str = ".safetensors";
/// Digits of a step in the name of a file: they sort by step.
const DIGITS: usize = 10;

/// The folder of a film.
#[derive(Debug, Clone)]
pub struct FilmDir {
    path: PathBuf,
}

impl FilmDir {
    /// The film of a run.
    pub fn of(run: &Path) -> Self {
        Self { path: run.join(FILM) }
    }

    /// Returns the steps of the snapshots, in order; none without a film.
    pub fn steps(&self) -> Vec<u64> {
        let entries = fs::read_dir(&self.path).into_iter().flatten().flatten();
        let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        let mut steps: Vec<u64> =
            names.filter_map(|name| name.strip_suffix(ENDING)?.parse().ok()).collect();
        steps.sort_unstable();
        steps
    }

    /// Reads a snapshot.
    ///
    /// # Errors
    /// When it cannot be read or is damaged.
    pub fn read(&self, step: u64) -> Result<Snapshot> {
        let path = self.file(step);
        let bytes = bounded::read(&path, MAX_FILM_BYTES as u64)?;
        Snapshot::from_bytes(&path, &bytes)
    }

    /// Writes a snapshot.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, snapshot: &Snapshot) -> Result<()> {
        let bytes = snapshot.to_bytes()?;
        let new = self.path.join(format!(".{}.tmp", snapshot.step));
        let written = match fs::write(&new, &bytes) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                fs::create_dir_all(&self.path)?;
                fs::write(&new, &bytes)
            }
            written => written,
        };
        let renamed = written.and_then(|()| fs::rename(&new, self.file(snapshot.step)));
        if renamed.is_err() {
            // Report the first error, not this one.
            let _ = fs::remove_file(&new);
        }
        Ok(renamed?)
    }

    /// Removes every file but those that a film of at most `count` snapshots has at this point: the
    /// kept steps of the series, the best epoch and the last state.
    ///
    /// # Errors
    /// When a file cannot be removed.
    pub fn prune(&self, at: &Progress, count: usize) -> Result<()> {
        let (last, _) = at.steps_and_epochs();
        let mut keep: BTreeSet<u64> = kept(last, count).into_iter().collect();
        keep.insert(last);
        keep.extend(at.best.map(|best| best.epoch * at.steps_per_epoch));
        for step in self.steps().into_iter().filter(|step| !keep.contains(step)) {
            fs::remove_file(self.file(step))?;
        }
        Ok(())
    }

    fn file(&self, step: u64) -> PathBuf {
        self.path.join(format!("{step:0DIGITS$}{ENDING}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::best::BestEpoch;

    #[test]
    fn a_film_keeps_its_series_the_best_epoch_and_the_last_state() {
        let run = tempfile::tempdir().unwrap();
        let film = FilmDir::of(run.path());
        assert!(film.steps().is_empty());
        for step in [0, 1, 2, 3, 4, 6, 8, 10, 12, 13, 15] {
            film.write(&Snapshot { step, ..Snapshot::default() }).unwrap();
        }
        let best = BestEpoch { epoch: 2, ..BestEpoch::default() };
        let at = Progress { step: 13, steps_per_epoch: 5, best: Some(best), ..Progress::default() };
        film.prune(&at, 60).unwrap();
        assert_eq!(film.steps(), [0, 1, 2, 3, 4, 6, 8, 10, 12, 13]);
        assert_eq!(film.read(10).unwrap().step, 10);
        film.prune(&at, 4).unwrap();
        let steps = film.steps();
        assert_eq!((steps.len(), steps[0]), (6, 0), "{steps:?}");
        assert!(film.read(11).is_err());
        fs::write(film.file(12), "no snapshot").unwrap();
        assert!(film.read(12).unwrap_err().to_string().contains("is damaged"));
    }
}
