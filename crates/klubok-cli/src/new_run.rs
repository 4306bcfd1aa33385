//! A new run: its folder, its data, its training.

use std::path::{Path, PathBuf};

use klubok::{
    backend::Backend,
    config::{Config, Preset},
    data::{self, Dataset, Fingerprint, OpenOptions},
    train::{
        act::RecordedAct,
        run_dir::{Place, RunDir},
        run_info::RunInfo,
    },
};

use crate::{
    args, compute,
    failure::{Failure, Result},
    json::Lines,
    loading,
    terminal::Screen,
    training::{Done, Training},
};

/// What a new run is of.
pub(crate) struct NewRun<'a> {
    /// A folder, or `demo:NAME`.
    pub(crate) source: &'a str,
    /// Validation part, where it lies elsewhere.
    pub(crate) val: Option<PathBuf>,
    /// Test part, likewise.
    pub(crate) test: Option<PathBuf>,
    /// Unreadable pictures are errors.
    pub(crate) strict: bool,
    /// The preset that its settings began with.
    pub(crate) preset: Preset,
    /// Whether it is shown in the browser.
    pub(crate) page: &'a args::Page,
    /// What people did in the run that it repeats.
    pub(crate) replay: Vec<RecordedAct>,
    /// Where people read.
    pub(crate) screen: Screen,
}

impl NewRun<'_> {
    /// Makes the run and trains it. `data` is what a run before this one opened, if its settings of
    /// data are the same; it is handed on.
    ///
    /// # Errors
    /// When the folder is taken, the data cannot be used or training fails. A folder in which
    /// nothing was trained is taken away again.
    pub(crate) fn train(
        &self,
        config: &Config,
        place: Place<'_>,
        data: Option<Dataset>,
        lines: Option<&mut Lines>,
    ) -> Result<(Done, Dataset)> {
        let backend = compute::device(config)?;
        let threads = config.train.threads;
        let (val, test, strict) = (self.val.clone(), self.test.clone(), self.strict);
        let options =
            OpenOptions { val, test, strict, threads, ..OpenOptions::new(config.data.clone()) };
        let info = self.describe(&options)?;
        let run = RunDir::create(place, config, &info)?;
        let trained = self.train_in(&run, config, &info, &options, backend.as_ref(), data, lines);
        if trained.is_err()
            && matches!(run.progress(), Ok(None))
            && let Ok(_ours) = run.lock()
        {
            // Best effort: what counts is why it failed.
            let _ = fs_err::remove_dir_all(run.path());
        }
        trained
    }

    fn train_in(
        &self,
        run: &RunDir,
        config: &Config,
        info: &RunInfo,
        options: &OpenOptions,
        backend: &dyn Backend,
        data: Option<Dataset>,
        lines: Option<&mut Lines>,
    ) -> Result<(Done, Dataset)> {
        let screen = self.screen;
        let data = match data {
            Some(data) => data,
            None => loading::open(self.source, options, screen)?,
        };
        let page = self.page;
        let training = Training { run, config, info, data: &data, page, screen, lines };
        let done = training.train(backend)?;
        Ok((done, data))
    }

    fn describe(&self, options: &OpenOptions) -> Result<RunInfo> {
        let part = |path: &Option<PathBuf>| path.as_deref().map(absolute).transpose();
        let fingerprint: Fingerprint = data::fingerprint(self.source, options)?;
        Ok(RunInfo {
            klubok: env!("CARGO_PKG_VERSION").to_owned(),
            data: whole_path(self.source)?,
            val: part(&options.val)?,
            test: part(&options.test)?,
            preset: Some(self.preset.name().to_owned()),
            replay: self.replay.clone(),
            fingerprint: toml::Table::try_from(&fingerprint).map_err(Failure::failed)?,
        })
    }
}

/// Data as a run remembers it, wherever it is looked at from.
///
/// # Errors
/// When it is not there.
pub(crate) fn whole_path(source: &str) -> Result<String> {
    if source.starts_with("demo:") { Ok(source.to_owned()) } else { absolute(source.as_ref()) }
}

/// The same for a folder or file.
///
/// # Errors
/// When it is not there.
pub(crate) fn absolute(path: &Path) -> Result<String> {
    Ok(fs_err::canonicalize(path)?.to_string_lossy().into_owned())
}
