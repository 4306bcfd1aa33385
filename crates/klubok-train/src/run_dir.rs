//! The folder of a run: created atomically, found again, and locked against a second training.
//!
//! `config.toml` comes first, with the resolved settings and a section `[run]` about data and
//! version; a folder without it is not a run. `session` writes everything else.

use std::{
    borrow::Cow,
    fs::TryLockError,
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use fs_err::{self as fs, File};
use klubok_files::{atomic::sync_folder, bounded, limits, write_atomically};
use klubok_nn::plan::Plan;
use serde::Serialize;

use crate::{
    Result, RunError, checkpoint,
    config::{Config, ConfigBuilder},
    film::FILM,
    logs::{EVENTS, METRICS, STEPS},
    progress::Progress,
    run_info::RunInfo,
    tensorboard::EVENT_FILE,
    trainer::Checkpoint,
};

/// File of the settings and the facts about the run.
pub const CONFIG: &str = "config.toml";
/// File of the model with the best weights.
pub const MODEL: &str = "model.safetensors";
/// File of the checkpoint, with everything needed to resume.
pub const CHECKPOINT: &str = "checkpoint/state.safetensors";
/// Folder of the checkpoint.
const CHECKPOINTS: &str = "checkpoint";
/// File that assigns each row to a training, validation or test set.
pub const SPLIT: &str = "split.csv";
/// File that announces a served run to other processes. The serving process holds a lock on it,
/// which the system releases however the process ends.
pub const LIVE: &str = "live.json";
/// File of the run's report.
pub const REPORT: &str = "report.html";
const LOCK: &str = ".lock";
/// Names that klubok creates in the folder.
const OWN_NAMES: [&str; 12] = [
    CONFIG,
    MODEL,
    SPLIT,
    METRICS,
    STEPS,
    EVENTS,
    EVENT_FILE,
    LIVE,
    REPORT,
    LOCK,
    CHECKPOINTS,
    FILM,
];

/// The place of a new run.
#[derive(Debug, Clone, Copy)]
pub enum Place<'a> {
    /// This folder.
    Folder(&'a Path),
    /// `NAME-001` in this folder, or the next free number.
    Numbered {
        /// The folder of the runs.
        runs: &'a Path,
        /// The name before the number.
        name: &'a str,
    },
}

/// The folder of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunDir {
    path: PathBuf,
}

/// A lock that keeps other processes from training the run.
#[derive(Debug)]
pub struct RunLock {
    _file: File,
}

impl RunDir {
    /// Creates a run atomically; never overwrites anything.
    ///
    /// # Errors
    /// [`RunError::Exists`] when the folder is a run, [`RunError::Taken`] when it is anything else
    /// but an empty folder; when folders cannot be made.
    pub fn create(place: Place<'_>, config: &Config, info: &RunInfo) -> Result<Self> {
        let (parent, name) = place.parent_and_name()?;
        fs::create_dir_all(parent)?;
        let prepared = prepare(parent, &name, &text(config, info)?)?;
        let renamed = place.rename(&prepared);
        if renamed.is_err() {
            // Best effort: a remaining folder is hidden and not a run.
            let _ = fs::remove_dir_all(&prepared);
        }
        let path = renamed?;
        sync_folder(parent)?;
        Ok(Self { path })
    }

    /// Opens an existing run.
    ///
    /// # Errors
    /// [`RunError::NotARun`] when the folder is not a run.
    pub fn open(path: &Path) -> Result<Self> {
        if path.join(CONFIG).is_file() {
            return Ok(Self { path: path.to_owned() });
        }
        let path = path.display().to_string();
        Err(RunError::NotARun { path, missing: CONFIG })
    }

    /// Opens the most recently created run in `runs`.
    ///
    /// # Errors
    /// [`RunError::NoRuns`] when there is none.
    pub fn latest(runs: &Path) -> Result<Self> {
        let with_time = |path: PathBuf| {
            let created = path.join(CONFIG).metadata().ok()?.modified().ok()?;
            Some((created, path))
        };
        let latest = names(runs)
            .into_iter()
            .filter(|name| !name.starts_with('.'))
            .filter_map(|name| with_time(runs.join(name)))
            .max();
        match latest {
            Some((_, path)) => Ok(Self { path }),
            None => Err(RunError::NoRuns { folder: runs.display().to_string() }),
        }
    }

    /// Returns the path of the folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the path of a file in the folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Reads the settings and the facts about the run.
    ///
    /// # Errors
    /// When `config.toml` cannot be read or is damaged.
    pub fn settings(&self) -> Result<(Config, RunInfo)> {
        let path = self.file(CONFIG);
        let text = bounded::read_to_string(&path, bounded::MAX_SETTINGS_BYTES)?;
        let path = path.display().to_string();
        parse(&text).map_err(|reason| RunError::Config { path, reason })
    }

    /// Replaces the facts about the run, such as the new path of its data. The caller must hold the
    /// lock.
    ///
    /// # Errors
    /// When `config.toml` cannot be read or written.
    pub fn rewrite(&self, info: &RunInfo, _lock: &RunLock) -> Result<()> {
        let (config, _) = self.settings()?;
        let path = self.file(CONFIG);
        let created = path.metadata().and_then(|about| about.modified());
        write_atomically(&path, text(&config, info)?.as_bytes())?;
        // `RunDir::latest` compares these times.
        if let Ok(created) = created {
            File::options().write(true).open(&path)?.set_modified(created)?;
        }
        Ok(())
    }

    /// Reads the progress; `None` before the first checkpoint. Its field `stopped` is set once the
    /// run has ended.
    ///
    /// # Errors
    /// When the checkpoint cannot be read or is damaged.
    pub fn progress(&self) -> Result<Option<Progress>> {
        let Some(bytes) = self.checkpoint_bytes()? else { return Ok(None) };
        let (config, info) = self.settings()?;
        let settings = checkpoint::Settings::new(&config, &info);
        checkpoint::progress(&self.file(CHECKPOINT), &bytes, &settings).map(Some)
    }

    /// Reads the whole checkpoint; `None` before the first one. `plan` is that of the run.
    ///
    /// # Errors
    /// When the checkpoint cannot be read, is damaged or has other settings.
    pub fn checkpoint(&self, plan: &Plan) -> Result<Option<Checkpoint>> {
        let (config, info) = self.settings()?;
        let (path, settings) = (self.file(CHECKPOINT), checkpoint::Settings::new(&config, &info));
        let read = |bytes: Vec<u8>| checkpoint::from_bytes(&path, &bytes, plan, &settings);
        Ok(self.checkpoint_bytes()?.map(read).transpose()?.map(|(checkpoint, _)| checkpoint))
    }

    /// Reads the bytes of the checkpoint; `None` before the first one.
    pub(super) fn checkpoint_bytes(&self) -> Result<Option<Vec<u8>>> {
        match bounded::read(&self.file(CHECKPOINT), limits::max_tensor_file_bytes()) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether a process trains this run; writes nothing.
    pub fn is_trained_now(&self) -> bool {
        let locked = |file: File| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock));
        File::open(self.file(LOCK)).is_ok_and(locked)
    }

    /// Returns the name of something in the folder that klubok did not create, if any.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn foreign(&self) -> Result<Option<String>> {
        let is_own = |name: &str| {
            OWN_NAMES.contains(&name) || (name.starts_with('.') && has_ending(name, "tmp"))
        };
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_folder = entry.file_type()?.is_dir();
            if !is_own(&name) || is_folder != (name == CHECKPOINTS || name == FILM) {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }

    /// Removes the run atomically.
    ///
    /// # Errors
    /// [`RunError::Busy`] when a process trains it; when it cannot be removed.
    pub fn remove(self) -> Result<()> {
        let path = fs::canonicalize(&self.path)?;
        let lock = self.lock()?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let hidden = parent(&path).join(format!(".{name}.removed-{}", std::process::id()));
        fs::rename(&path, &hidden)?;
        fs::remove_dir_all(&hidden)?;
        drop(lock);
        Ok(())
    }

    /// Removes the checkpoint: the run can no longer resume, and everything else stays.
    ///
    /// # Errors
    /// [`RunError::Busy`] when a process trains it; when it cannot be removed.
    pub fn remove_checkpoint(&self) -> Result<()> {
        let _lock = self.lock()?;
        Ok(fs::remove_file(self.file(CHECKPOINT))?)
    }

    /// Locks the run against other trainings, and removes temporary files of a killed process.
    ///
    /// # Errors
    /// [`RunError::Busy`] when another process does.
    pub fn lock(&self) -> Result<RunLock> {
        let file = bounded::open_to_write(&self.file(LOCK))?;
        match file.try_lock() {
            Ok(()) => {
                remove_unfinished(&self.path);
                remove_unfinished(parent(&self.file(CHECKPOINT)));
                remove_unfinished(&self.file(FILM));
                Ok(RunLock { _file: file })
            }
            Err(TryLockError::WouldBlock) => {
                Err(RunError::Busy { path: self.path.display().to_string() })
            }
            Err(TryLockError::Error(error)) => Err(error.into()),
        }
    }
}

impl<'a> Place<'a> {
    fn parent_and_name(&self) -> Result<(&'a Path, Cow<'a, str>)> {
        match *self {
            Place::Numbered { runs, name } => Ok((runs, name.into())),
            Place::Folder(path) => match path.file_name() {
                Some(name) => Ok((parent(path), name.to_string_lossy())),
                None => Err(RunError::Taken { path: path.display().to_string() }),
            },
        }
    }

    /// Renames a prepared folder to a final name that is free.
    fn rename(&self, prepared: &Path) -> Result<PathBuf> {
        match self {
            Place::Folder(path) => {
                let taken = path.symlink_metadata().is_ok() && !is_empty_folder(path);
                if taken || !rename_folder(prepared, path)? {
                    let run = path.join(CONFIG).is_file();
                    let path = path.display().to_string();
                    let error =
                        if run { RunError::Exists { path } } else { RunError::Taken { path } };
                    return Err(error);
                }
                Ok(path.to_path_buf())
            }
            Place::Numbered { runs, name } => {
                // klubok gives no longer number, and one may have no successor.
                let number = |entry: &String| -> Option<u64> {
                    entry.strip_prefix(name)?.strip_prefix('-')?.parse::<u32>().ok().map(u64::from)
                };
                let mut next = 1 + names(runs).iter().filter_map(number).max().unwrap_or(0);
                loop {
                    let path = runs.join(format!("{name}-{next:03}"));
                    if path.symlink_metadata().is_err() && rename_folder(prepared, &path)? {
                        return Ok(path);
                    }
                    next += 1;
                }
            }
        }
    }
}

/// Renames a folder; returns `false` when something exists at `to`.
fn rename_folder(from: &Path, to: &Path) -> Result<bool> {
    match fs::rename(from, to) {
        Ok(()) => Ok(true),
        Err(error) => match error.kind() {
            ErrorKind::AlreadyExists | ErrorKind::DirectoryNotEmpty | ErrorKind::NotADirectory => {
                Ok(false)
            }
            _ => Err(error.into()),
        },
    }
}

/// Creates a hidden folder in `parent` with the configuration, synced to disk.
fn prepare(parent: &Path, name: &str, text: &str) -> Result<PathBuf> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let path = loop {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = parent.join(format!(".{name}.tmp-{}-{number}", std::process::id()));
        match fs::create_dir(&path) {
            Ok(()) => break path,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error.into()),
        }
    };
    let file = path.join(CONFIG);
    let written = fs::write(&file, text)
        .and_then(|()| File::open(&file)?.sync_all())
        .and_then(|()| sync_folder(&path));
    if written.is_err() {
        // The disk may be full: leaves nothing behind.
        let _ = fs::remove_dir_all(&path);
    }
    written?;
    Ok(path)
}

fn text(config: &Config, info: &RunInfo) -> Result<String> {
    #[derive(Serialize)]
    struct Section<'a> {
        run: &'a RunInfo,
    }
    let section = toml::to_string(&Section { run: info }).map_err(std::io::Error::other)?;
    Ok(format!("{}\n{section}", config.to_toml()))
}

fn parse(text: &str) -> std::result::Result<(Config, RunInfo), String> {
    let resolved = ConfigBuilder::parse_run(text, CONFIG).map_err(|error| error.to_string())?;
    let (mut config, mut info) =
        (resolved.config, resolved.run.ok_or("it has no section `[run]`")?);
    // Earlier versions of klubok wrote the kernel here.
    if let Some(kernel) = info.remove("kernel") {
        config.train.kernel =
            kernel.try_into().map_err(|error| format!("`run.kernel`: {error}"))?;
    }
    Ok((config, info.try_into().map_err(|error: toml::de::Error| error.to_string())?))
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// Lists the names in a folder; none when it cannot be read.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// Removes temporary files that a killed `write_atomically` left; nobody else writes here.
fn remove_unfinished(folder: &Path) {
    for name in names(folder) {
        if name.starts_with('.') && has_ending(&name, "tmp") {
            // Best effort: a remaining file is harmless.
            let _ = fs::remove_file(folder.join(name));
        }
    }
}

fn has_ending(name: &str, ending: &str) -> bool {
    Path::new(name).extension() == Some(ending.as_ref())
}

fn is_empty_folder(path: &Path) -> bool {
    fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none())
}

#[cfg(test)]
mod tests {
    use std::{thread, time::Duration};

    use super::*;
    use crate::config::{ConfigBuilder, DataKind, Machine, Preset};

    fn config() -> Config {
        let mut builder = ConfigBuilder::new(Preset::Balanced, DataKind::Pictures);
        builder.assign("model.dropout=0.1,0.2,0.3").unwrap();
        builder.resolve(&Machine::plain(2)).unwrap().config
    }

    fn info() -> RunInfo {
        RunInfo {
            klubok: "0.1.0".into(),
            data: "/a folder/ \"data\"".into(),
            val: Some("/val".into()),
            test: None,
            preset: Some("balanced".into()),
            replay: Vec::new(),
            fingerprint: toml::from_str("files = 3").unwrap(),
        }
    }

    fn numbered(runs: &Path, name: &str) -> String {
        let run = RunDir::create(Place::Numbered { runs, name }, &config(), &info()).unwrap();
        run.path().file_name().unwrap().to_str().unwrap().to_owned()
    }

    #[test]
    fn opens_a_created_run_with_its_settings() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("some/where/run");
        let run = RunDir::create(Place::Folder(&path), &config(), &info()).unwrap();
        assert_eq!(RunDir::open(&path).unwrap(), run);
        assert_eq!(run.settings().unwrap(), (config(), info()));
        assert_eq!(run.progress().unwrap(), None);
        assert_eq!(names(path.parent().unwrap()), ["run"], "no temporary folder is left");
    }

    #[test]
    fn creating_a_run_overwrites_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run");
        let create = || RunDir::create(Place::Folder(&path), &config(), &info()).unwrap_err();
        fs::write(&path, "a file").unwrap();
        assert!(matches!(create(), RunError::Taken { .. }));
        assert_eq!(fs::read_to_string(&path).unwrap(), "a file");
        fs::remove_file(&path).unwrap();

        fs::create_dir(&path).unwrap();
        fs::write(path.join("mine"), "a file in a folder").unwrap();
        assert!(matches!(create(), RunError::Taken { .. }));
        fs::remove_file(path.join("mine")).unwrap();

        // An empty folder is fine.
        RunDir::create(Place::Folder(&path), &config(), &info()).unwrap();
        assert!(matches!(create(), RunError::Exists { .. }));
        assert_eq!(names(folder.path()), ["run"], "no temporary folder is left");
    }

    #[test]
    fn removes_a_run_unless_it_is_being_trained() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run");
        let run = RunDir::create(Place::Folder(&path), &config(), &info()).unwrap();
        fs::create_dir(path.join("checkpoint")).unwrap();
        fs::write(path.join(CHECKPOINT), "").unwrap();
        assert_eq!(run.foreign().unwrap(), None);
        fs::write(path.join("notes.txt"), "mine").unwrap();
        assert_eq!(run.foreign().unwrap().as_deref(), Some("notes.txt"));
        assert!(!run.is_trained_now());
        let lock = run.lock().unwrap();
        assert!(run.is_trained_now());
        assert!(matches!(run.remove_checkpoint().unwrap_err(), RunError::Busy { .. }));
        assert!(matches!(run.clone().remove().unwrap_err(), RunError::Busy { .. }));
        assert!(path.join(CHECKPOINT).exists());
        drop(lock);
        run.remove_checkpoint().unwrap();
        assert!(path.join(CONFIG).exists() && !path.join(CHECKPOINT).exists());
        run.remove().unwrap();
        assert!(names(folder.path()).is_empty(), "{:?}", names(folder.path()));
    }

    #[test]
    fn refuses_a_path_without_a_name() {
        let create = |path: &str| {
            RunDir::create(Place::Folder(Path::new(path)), &config(), &info()).unwrap_err()
        };
        assert!(matches!(create("/"), RunError::Taken { .. }));
        assert!(matches!(create(".."), RunError::Taken { .. }));
    }

    #[test]
    fn numbers_count_up_per_name() {
        let folder = tempfile::tempdir().unwrap();
        let runs = folder.path().join("runs");
        assert_eq!(numbered(&runs, "cats"), "cats-001");
        assert_eq!(numbered(&runs, "cats"), "cats-002");
        assert_eq!(numbered(&runs, "cats-dogs"), "cats-dogs-001");
        fs::create_dir(runs.join("cats-041")).unwrap();
        assert_eq!(numbered(&runs, "cats"), "cats-042");
    }

    #[test]
    fn runs_created_concurrently_get_different_numbers() {
        let folder = tempfile::tempdir().unwrap();
        let mut made: Vec<String> = thread::scope(|scope| {
            let make = || scope.spawn(|| numbered(folder.path(), "run"));
            let threads: Vec<_> = (0..16).map(|_| make()).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        made.sort();
        assert_eq!(made, (1..=16).map(|i| format!("run-{i:03}")).collect::<Vec<_>>());
    }

    #[test]
    fn the_latest_run_is_the_one_created_last() {
        let folder = tempfile::tempdir().unwrap();
        let error = RunDir::latest(folder.path()).unwrap_err();
        assert!(matches!(error, RunError::NoRuns { .. }));
        for name in ["b", "a", "c"] {
            numbered(folder.path(), name);
            thread::sleep(Duration::from_millis(20));
        }
        fs::create_dir(folder.path().join("zzz is no run")).unwrap();
        prepare(folder.path(), "unfinished", "").unwrap();
        assert_eq!(RunDir::latest(folder.path()).unwrap().path(), folder.path().join("c-001"));
    }

    #[test]
    fn locking_removes_temporary_files_of_a_killed_process() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run");
        let run = RunDir::create(Place::Folder(&path), &config(), &info()).unwrap();
        fs::create_dir(path.join("checkpoint")).unwrap();
        fs::write(path.join("checkpoint/.state.safetensors.1-2.tmp"), "half").unwrap();
        fs::write(path.join("mine.tmp"), "a file of somebody's").unwrap();
        drop(run.lock().unwrap());
        assert!(names(&path.join("checkpoint")).is_empty());
        assert!(path.join("mine.tmp").is_file());
    }

    #[test]
    fn the_error_describes_a_missing_or_damaged_run() {
        let folder = tempfile::tempdir().unwrap();
        let error = RunDir::open(folder.path()).unwrap_err();
        assert!(matches!(error, RunError::NotARun { .. }), "{error}");
        for (text, reason) in [
            ("[train]\nepochs = 3\n".to_owned(), "leaves `data.val_fraction` open"),
            (config().to_toml(), "it has no section `[run]`"),
            (config().to_toml().replace("size = 64", "size = 0"), "`data.size` is `0` in line 2"),
        ] {
            fs::write(folder.path().join(CONFIG), text).unwrap();
            let error = RunDir::open(folder.path()).unwrap().settings().unwrap_err().to_string();
            assert!(error.contains("is damaged") && error.contains(reason), "{error}");
        }
    }
}
