//! A trained model, from a run or a file: shared by `eval`, `predict` and `demo`.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use klubok::{
    config::DataConfig,
    data::{self, DataError, Dataset, Part, settings::is_run},
    limits,
    model::{Card, Input, Model, Training},
    plan::Picture,
    predictor::{BATCH_ROWS, Predictor},
    rows::{Kind, MemoryRows, Rows},
    train::run_dir::{MODEL, RunDir, SPLIT},
};
use klubok_text::{shell, text};

use crate::{
    failure::{Failure, Result},
    files::InputPicture,
    flags::ColumnFlags,
    loading,
    run_lookup::find_run,
    settings,
    terminal::Screen,
};

/// Largest number of bytes of a batch, unless one row is larger.
const MAX_BATCH_BYTES: usize = 64 << 20;

/// A model and, if it lies in a run folder, its run.
pub(crate) struct LoadedModel {
    predictor: Predictor,
    run: Option<RunDir>,
    threads: usize,
}

impl LoadedModel {
    /// Opens the model of a run, of the latest run, or in a file.
    ///
    /// # Errors
    /// When there is none, or its file is damaged.
    pub(crate) fn open(name: &str, threads: usize) -> Result<Self> {
        let path = Path::new(name);
        let (run, path) = if path.is_file() {
            let folder = path.parent().filter(|p| *p != Path::new("")).unwrap_or(Path::new("."));
            // Other programs write a `config.toml` too.
            let run = RunDir::open(folder).ok().filter(|run| is_run(run.path()));
            (run, path.to_owned())
        } else {
            let run = find_run(name)?;
            let path = run.file(MODEL);
            (Some(run), path)
        };
        if !path.exists() {
            let sentence =
                format!("the run `{name}` has no model yet: it was stopped before its first epoch");
            return Err(
                Failure::failed(sentence).hint(text!("hint.no_model", run = shell::quoted(name)))
            );
        }
        let threads = settings::thread_count(threads);
        Ok(Self { predictor: Predictor::new(Model::load(&path)?, threads), run, threads })
    }

    /// The model.
    pub(crate) fn model(&self) -> &Model {
        &self.predictor.model
    }

    /// The run that the model lies in.
    pub(crate) fn run(&self) -> Option<&RunDir> {
        self.run.as_ref()
    }

    /// Number of threads.
    pub(crate) fn threads(&self) -> usize {
        self.threads
    }

    /// Evaluates the model on rows of a data set.
    pub(crate) fn predictor(&self) -> &Predictor {
        &self.predictor
    }

    /// The model card, if the file has one.
    pub(crate) fn card(&self) -> Option<&Card> {
        self.model().card.as_ref()
    }

    /// Whether the pixels of [`LoadedModel::read`] are unlike all training pictures; none if the
    /// model cannot tell.
    pub(crate) fn is_far(&self, pixels: &[u8]) -> Option<bool> {
        let typical = self.card()?.typical.as_ref()?;
        Some(typical.is_far(&self.model().preprocessing.apply(Kind::Pixels, pixels)))
    }

    /// Returns the options to open data for this model, with the run's own validation split. Flags
    /// may name other columns.
    pub(crate) fn data_options(
        &self,
        strict: bool,
        columns: &ColumnFlags,
    ) -> Result<data::OpenOptions> {
        let mut data = match (&self.run, self.card()) {
            // A model trained with `--limit` is evaluated on all of the data.
            (Some(run), _) => DataConfig { limit: 0, ..run.settings()?.0.data },
            (None, Some(Card { training, .. })) => {
                let Training { split_seed, val_fraction, .. } = *training;
                DataConfig { split_seed, val_fraction, ..default_data()? }
            }
            (None, None) => default_data()?,
        };
        let target = &self.model().preprocessing.target;
        if let (true, Some(target)) = (data.target.is_empty(), target) {
            data.target.clone_from(&target.columns);
        }
        columns.apply_to(&mut data);
        let known = self.known();
        let threads = self.threads;
        Ok(data::OpenOptions {
            strict,
            threads,
            known: Some(known),
            ..data::OpenOptions::new(data)
        })
    }

    /// Maps the hashes of the run's samples to their parts; none if neither the run nor the card
    /// knows them.
    ///
    /// # Errors
    /// When the run's record of them is damaged.
    pub(crate) fn known_parts(&self, data: &Dataset) -> Result<Option<BTreeMap<u128, Part>>> {
        let path: Option<PathBuf> = self.run.as_ref().map(|run| run.file(SPLIT));
        let mut known = BTreeMap::new();
        // A sample in two parts counts as training sample.
        let mut add = |part, hash| match part {
            Part::Train => *known.entry(hash).or_insert(part) = part,
            Part::Val => _ = known.entry(hash).or_insert(part),
            Part::Test => {}
        };
        if let Some(path) = path.filter(|path| path.exists()) {
            for row in data::read_split(&path)? {
                let row = row?;
                add(row.part, row.hash);
            }
            return Ok(Some(known));
        }
        let hashes = |rows: &[u32]| -> Vec<u128> {
            rows.iter().map(|&row| data.hashes[row as usize]).collect()
        };
        let train = hashes(&data.parts.train);
        if self.card().is_none_or(|card| card.training.identity != data::identity(train.clone())) {
            return Ok(None);
        }
        train.into_iter().for_each(|hash| add(Part::Train, hash));
        hashes(&data.parts.val).into_iter().for_each(|hash| add(Part::Val, hash));
        Ok(Some(known))
    }

    /// Number of pictures to read at a time: [`BATCH_ROWS`], or fewer large ones.
    ///
    /// # Errors
    /// When the model was not trained on pictures.
    pub(crate) fn pictures_per_batch(&self) -> Result<usize> {
        Ok((MAX_BATCH_BYTES / self.shape()?.values().max(1)).clamp(1, BATCH_ROWS))
    }

    /// Reads and resizes pictures for the network; an error message for each unreadable one.
    ///
    /// # Errors
    /// When the model was not trained on pictures.
    pub(crate) fn read(
        &self,
        block: &[InputPicture],
    ) -> Result<Vec<std::result::Result<Vec<u8>, String>>> {
        let shape = self.shape()?;
        let fit = self.model().preprocessing.fit;
        let read = |found: &InputPicture| {
            data::read_picture(&found.path, shape, fit).map_err(|error| match error {
                // The entry names the file already.
                DataError::Unreadable { reason, .. } => reason,
                error => error.to_string(),
            })
        };
        let mut pictures: Vec<_> = block.iter().map(|_| Ok(Vec::new())).collect();
        let todo = Mutex::new(block.iter().zip(&mut pictures));
        let next = || todo.lock().unwrap_or_else(PoisonError::into_inner).next();
        limits::run_on_threads(self.threads, || {
            while let Some((found, picture)) = next() {
                *picture = read(found);
            }
        });
        Ok(pictures)
    }

    /// Predicts pictures from [`LoadedModel::read`], `[pictures, outputs]`.
    ///
    /// # Errors
    /// When the network does not fit into memory.
    pub(crate) fn predict_pictures(&self, pictures: &[&[u8]]) -> Result<Vec<f64>> {
        let classes = vec![0; pictures.len()];
        let rows = MemoryRows::pictures(pictures.concat(), self.shape()?.values(), &classes);
        let which: Vec<u32> = (0..pictures.len() as u32).collect();
        let rows: Arc<dyn Rows> = Arc::new(rows);
        Ok(self.predictor.predict(&rows, &which)?)
    }

    /// Predicts the rows of a table, `[rows, outputs]`.
    ///
    /// # Errors
    /// When the table cannot be read or lacks a column of the model.
    pub(crate) fn predict_table(&self, path: &Path, screen: Screen) -> Result<Vec<f64>> {
        let known = self.known();
        let read = |progress: data::Progress<'_>| data::table_inputs(path, &known, progress);
        let rows: Arc<dyn Rows> = Arc::new(loading::with_bar(screen, read)?);
        let which: Vec<u32> = (0..rows.len() as u32).collect();
        Ok(self.predictor.predict(&rows, &which)?)
    }

    /// The model's outputs and input, for reading data for it.
    fn known(&self) -> data::KnownModel {
        data::KnownModel {
            outputs: self.model().outputs.clone(),
            kind: self.model().network.answer,
            preprocessing: self.model().preprocessing.clone(),
        }
    }

    fn shape(&self) -> Result<Picture> {
        match &self.model().preprocessing.input {
            Input::Pictures(shape) => Ok(*shape),
            Input::Columns(_) => Err(Failure::failed(
                "this model was trained on columns of numbers, not on pictures",
            )),
        }
    }
}

/// Default data settings, for a model without its run. Size and colours come from the model.
fn default_data() -> Result<DataConfig> {
    use klubok::config::{ConfigBuilder, DataKind, Machine, Preset};
    Ok(ConfigBuilder::new(Preset::Plain, DataKind::Pictures)
        .resolve(&Machine::plain(1))?
        .config
        .data)
}
