//! A training from scratch: creates the run folder, opens the data and trains.

use std::path::{Path, PathBuf};

use klubok::{
    config::{Config, Preset},
    data::{self, Dataset, Fingerprint, OpenOptions},
    device,
    train::{
        act::RecordedAct,
        run_dir::{Place, RunDir},
        run_info::RunInfo,
    },
};

use crate::{
    failure::{Failure, Result},
    flags::PageFlags,
    json::EventPrinter,
    loading,
    terminal::Screen,
    training::{Training, TrainingOutcome},
};

/// Data and outputs of a training from scratch.
pub(crate) struct TrainingJob<'a> {
    /// Data: a folder, or `demo:NAME`.
    pub(crate) source: &'a str,
    /// Separate validation part.
    pub(crate) val: Option<PathBuf>,
    /// Separate test part.
    pub(crate) test: Option<PathBuf>,
    /// Whether an unreadable picture is an error.
    pub(crate) strict: bool,
    /// Preset that the settings began with.
    pub(crate) preset: Preset,
    /// Flags of the live page.
    pub(crate) page: &'a PageFlags,
    /// Recorded acts of people, for a replay.
    pub(crate) replay: Vec<RecordedAct>,
    /// Messages for people.
    pub(crate) screen: Screen,
}

impl TrainingJob<'_> {
    /// Creates the run and trains it. `data` is the dataset of a previous run with the same data
    /// settings; the dataset is returned for the next run.
    ///
    /// # Errors
    /// When the folder is taken, the data cannot be used or training fails. An untrained run's
    /// folder is removed again.
    pub(crate) fn train(
        &self,
        config: &Config,
        place: Place<'_>,
        data: Option<Dataset>,
        events: Option<&mut EventPrinter>,
    ) -> Result<(TrainingOutcome, Dataset)> {
        let backend = device::of(config)?;
        let PreparedRun { run, info, data } = self.prepare(config, place, data)?;
        let (page, screen) = (self.page, self.screen);
        let training =
            Training { run: &run, config, info: &info, data: &data, page, screen, events };
        let done = training.train(backend.as_ref()).inspect_err(|_| remove_untrained(&run))?;
        Ok((done, data))
    }

    /// Creates the run and opens its data, unless a previous run has it open.
    ///
    /// # Errors
    /// When the folder is taken, or the data cannot be used; the run's folder is removed again.
    pub(crate) fn prepare(
        &self,
        config: &Config,
        place: Place<'_>,
        data: Option<Dataset>,
    ) -> Result<PreparedRun> {
        let threads = config.train.threads;
        let (val, test, strict) = (self.val.clone(), self.test.clone(), self.strict);
        let options =
            OpenOptions { val, test, strict, threads, ..OpenOptions::new(config.data.clone()) };
        let info = self.describe(&options)?;
        let run = RunDir::create(place, config, &info)?;
        let open = || loading::open(self.source, &options, self.screen);
        let data = data.map_or_else(open, Ok).inspect_err(|_| remove_untrained(&run))?;
        Ok(PreparedRun { run, info, data })
    }

    fn describe(&self, options: &OpenOptions) -> Result<RunInfo> {
        let part = |path: &Option<PathBuf>| path.as_deref().map(canonical_path).transpose();
        let fingerprint: Fingerprint = data::fingerprint(self.source, options)?;
        Ok(RunInfo {
            klubok: env!("CARGO_PKG_VERSION").to_owned(),
            data: canonical_source(self.source)?,
            val: part(&options.val)?,
            test: part(&options.test)?,
            preset: Some(self.preset.name().to_owned()),
            replay: self.replay.clone(),
            fingerprint: toml::Table::try_from(&fingerprint).map_err(Failure::failed)?,
        })
    }
}

/// A run before its training.
pub(crate) struct PreparedRun {
    /// Run folder.
    pub(crate) run: RunDir,
    /// Paths and fingerprint of the data.
    pub(crate) info: RunInfo,
    /// Opened data.
    pub(crate) data: Dataset,
}

/// Removes the folder of a run that has not trained.
pub(crate) fn remove_untrained(run: &RunDir) {
    if matches!(run.progress(), Ok(None))
        && let Ok(_ours) = run.lock()
    {
        // Best effort: the original failure matters more.
        let _ = fs_err::remove_dir_all(run.path());
    }
}

/// Returns the source of data as a run records it: an absolute path, or `demo:NAME`.
///
/// # Errors
/// When the path does not exist.
pub(crate) fn canonical_source(source: &str) -> Result<String> {
    if source.starts_with("demo:") {
        Ok(source.to_owned())
    } else {
        canonical_path(source.as_ref())
    }
}

/// Returns the absolute path of a folder or file.
///
/// # Errors
/// When the path does not exist.
pub(crate) fn canonical_path(path: &Path) -> Result<String> {
    Ok(fs_err::canonicalize(path)?.to_string_lossy().into_owned())
}
