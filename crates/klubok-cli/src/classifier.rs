//! A trained model at work: what `eval` and `predict` share.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use klubok::{
    backend::{Backend, DataId, Outputs},
    config::DataConfig,
    data::{self, DataError, Dataset, Input, Part, settings::is_run},
    device, limits,
    model::{Card, Model, Training},
    nn::{calibration::Calibration, network::OutputKind},
    plan::{Augment, Picture},
    rows::{Kind, MemoryRows, Rows},
    state::State,
    train::run_dir::{MODEL, RunDir, SPLIT},
};
use klubok_text::{shell, text};

use crate::{
    failure::{Failure, Result},
    files::Found,
    run_names::run_of,
    settings,
};

/// Rows that are inferred together.
pub(crate) const BLOCK: usize = 256;
/// and bytes of them, unless one is larger.
const BYTES: usize = 64 << 20;

/// A model, and the run it comes from if it lies in one.
pub(crate) struct Classifier {
    model: Model,
    run: Option<RunDir>,
    backend: Box<dyn Backend>,
    threads: usize,
}

impl Classifier {
    /// The model of a run, of the latest run, or in a file.
    ///
    /// # Errors
    /// When there is none, or its file is damaged.
    pub(crate) fn open(name: &str, threads: usize) -> Result<Self> {
        let path = Path::new(name);
        let (run, path) = if path.is_file() {
            let folder = path.parent().filter(|p| *p != Path::new("")).unwrap_or(Path::new("."));
            // Others have a `config.toml` too.
            let run = RunDir::open(folder).ok().filter(|run| is_run(run.path()));
            (run, path.to_owned())
        } else {
            let run = run_of(name)?;
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
        let threads = settings::threads(threads);
        let model = Model::load(&path)?;
        if model.network.answer != OutputKind::Classes {
            let sentence = format!("`{}` tells no classes apart", path.display());
            return Err(Failure::failed(sentence).hint(text!("hint.no_classes")));
        }
        Ok(Self { model, run, backend: device::cpu(threads), threads })
    }

    /// Names of its classes, in the order of its answers.
    pub(crate) fn classes(&self) -> &[String] {
        &self.model.classes
    }

    /// From its logits to confidences.
    pub(crate) fn calibration(&self) -> Calibration {
        self.model.calibration
    }

    /// How far it can be trusted, where its file says so.
    pub(crate) fn card(&self) -> Option<&Card> {
        self.model.card.as_ref()
    }

    /// Whether pixels as [`Classifier::read`] gives them are unlike all training pictures; none
    /// where the model cannot tell.
    pub(crate) fn is_far(&self, pixels: &[u8]) -> Option<bool> {
        let typical = self.card()?.typical.as_ref()?;
        Some(typical.is_far(&self.model.preprocessing.apply(Kind::Pixels, pixels)))
    }

    /// How data for this model is opened. Its own cut of the validation part is used again.
    pub(crate) fn options(&self, strict: bool) -> Result<data::OpenOptions> {
        let data = match (&self.run, self.card()) {
            // A trial on a little of the data is judged on all of it.
            (Some(run), _) => DataConfig { limit: 0, ..run.settings()?.0.data },
            (None, Some(Card { training, .. })) => {
                let Training { split_seed, val_fraction, .. } = *training;
                DataConfig { split_seed, val_fraction, ..default_data()? }
            }
            (None, None) => default_data()?,
        };
        let preprocessing = self.model.preprocessing.clone();
        let known = data::KnownModel { classes: self.model.classes.clone(), preprocessing };
        let threads = self.threads;
        Ok(data::OpenOptions {
            strict,
            threads,
            known: Some(known),
            ..data::OpenOptions::new(data)
        })
    }

    /// Hashes of the samples that the model was made with, and what each was for; none where
    /// neither its run nor its card, about this data, can tell.
    ///
    /// # Errors
    /// When the run's record of them is damaged.
    pub(crate) fn made_with(&self, data: &Dataset) -> Result<Option<BTreeMap<u128, Part>>> {
        let path: Option<PathBuf> = self.run.as_ref().map(|run| run.file(SPLIT));
        let mut known = BTreeMap::new();
        // What is in two parts was trained on.
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

    /// The logits of these rows: `[rows, classes]`.
    ///
    /// # Errors
    /// When the network does not fit into memory.
    pub(crate) fn logits(&self, rows: &Arc<dyn Rows>, which: &[u32]) -> Result<Vec<f32>> {
        let prepare = self.model.preprocessing.prepare(Augment::default());
        let plan = self.model.network.lower_for_inference(prepare);
        let mut program = self.backend.compile(&plan, BLOCK, std::slice::from_ref(rows))?;
        program.load(&State::from(self.model.weights.clone()))?;
        let (mut logits, mut outputs) = (Vec::new(), Outputs::default());
        for block in which.chunks(BLOCK) {
            program.infer(DataId(0), block, &[plan.output], &mut outputs)?;
            logits.extend_from_slice(&outputs.values[0]);
        }
        Ok(logits)
    }

    /// Pictures that are read together: as many as are asked together, of large ones fewer.
    ///
    /// # Errors
    /// When the model was not trained on pictures.
    pub(crate) fn block(&self) -> Result<usize> {
        Ok((BYTES / self.shape()?.values().max(1)).clamp(1, BLOCK))
    }

    /// Reads pictures as the network sees them, each or why it cannot be read.
    ///
    /// # Errors
    /// When the model was not trained on pictures.
    pub(crate) fn read(
        &self,
        block: &[Found],
    ) -> Result<Vec<std::result::Result<Vec<u8>, String>>> {
        let shape = self.shape()?;
        let fit = self.model.preprocessing.fit;
        let read = |found: &Found| {
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

    /// Confidences' logits of pictures that were read.
    ///
    /// # Errors
    /// As [`Classifier::logits`].
    pub(crate) fn logits_of(&self, pictures: &[&[u8]]) -> Result<Vec<f32>> {
        let classes = vec![0; pictures.len()];
        let rows = MemoryRows::pictures(pictures.concat(), self.shape()?.values(), &classes);
        let which: Vec<u32> = (0..pictures.len() as u32).collect();
        let rows: Arc<dyn Rows> = Arc::new(rows);
        self.logits(&rows, &which)
    }

    fn shape(&self) -> Result<Picture> {
        match &self.model.preprocessing.input {
            Input::Pictures(shape) => Ok(*shape),
            Input::Columns(_) => Err(Failure::failed(
                "this model was trained on columns of numbers, not on pictures",
            )),
        }
    }
}

/// Settings of data for a model without its run: the defaults; size and colours come from the
/// model.
fn default_data() -> Result<DataConfig> {
    use klubok::config::{ConfigBuilder, DataKind, Machine, Preset};
    Ok(ConfigBuilder::new(Preset::Plain, DataKind::Pictures)
        .resolve(&Machine::plain(1))?
        .config
        .data)
}
