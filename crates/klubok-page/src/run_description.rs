//! The run that a page shows: its folder, settings, data and network. It does not change while the
//! page shows it.

use std::{collections::BTreeMap, path::Path};

use klubok::{
    bounded,
    config::{Config, TargetKind},
    data::{Dataset, Part, read_split},
    diagnose::setup::Setup,
    evaluation::loss_of_guessing,
    model::{Input, Model},
    nn::network::{Network, OutputKind},
    plan::Picture,
    rows::Field,
    train::{
        evaluate::{chance, chance_of},
        run_dir::{CONFIG, MODEL, RunDir, SPLIT},
        run_info::RunInfo,
        trainer::STEP_SAMPLE,
    },
};
use klubok_text::shell;
use serde_json::{Value, json};

use crate::{
    error::{Error, Result},
    panels::{Subject, panels_of},
};

/// The run that a page shows.
pub(crate) struct RunDescription {
    pub(super) dir: RunDir,
    pub(super) config: Config,
    info: RunInfo,
    pub(super) network: Network,
    pub(super) input: Input,
    /// Names of the outputs: classes, labels or numbers.
    pub(super) outputs: Vec<String>,
    /// Training samples of each class, or with each label; empty for numbers.
    pub(super) train_counts: Vec<u64>,
    /// Validation samples of each class, or with each label; empty for numbers.
    val_counts: Vec<u64>,
    /// Number of training samples.
    pub(super) train_samples: u64,
    /// Number of validation samples.
    pub(super) val_samples: u64,
    /// Chance accuracy on the validation samples; 0 for numbers.
    pub(super) chance: f64,
}

impl RunDescription {
    /// Describes a run from its open data.
    pub(super) fn new(run: &RunDir, config: &Config, info: &RunInfo, data: &Dataset) -> Self {
        let inputs = data.rows.fields()[Field::X.0].width;
        let counts = |part: &[u32]| match config.data.task {
            TargetKind::Class | TargetKind::Label => data.output_counts(part),
            TargetKind::Number => Vec::new(),
        };
        Self {
            dir: run.clone(),
            config: config.clone(),
            info: info.clone(),
            network: config.network(inputs, data.outputs.len()),
            input: data.input.clone(),
            outputs: data.outputs.clone(),
            train_counts: counts(&data.parts.train),
            val_counts: counts(&data.parts.val),
            train_samples: data.parts.train.len() as u64,
            val_samples: data.parts.val.len() as u64,
            chance: chance(data),
        }
    }

    /// Describes a run from its files alone: its model and its record of the split.
    ///
    /// # Errors
    /// When the run has no model yet, or a file is damaged.
    pub(super) fn from_files(run: &RunDir) -> Result<Self> {
        let path = run.file(MODEL);
        if !path.exists() {
            let name = run.path().display();
            return Err(Error::NoModel { run: name.to_string() });
        }
        Ok(Self::read(run, &path)?)
    }

    fn read(run: &RunDir, model: &Path) -> klubok::Result<Self> {
        let (config, info) = run.settings()?;
        let model = Model::load(model)?;
        let indices: BTreeMap<&String, usize> = model.outputs.iter().zip(0..).collect();
        let mut counts = [vec![0; model.outputs.len()], vec![0; model.outputs.len()]];
        let mut samples = [0, 0];
        for row in read_split(&run.file(SPLIT))? {
            let row = row?;
            let part = match row.part {
                Part::Train => 0,
                Part::Val => 1,
                Part::Test => continue,
            };
            samples[part] += 1;
            // Several labels are joined.
            let separator = if config.data.task == TargetKind::Label { '+' } else { '\n' };
            for name in row.class.split(separator) {
                if let Some(class) = indices.get(&name.to_owned()) {
                    counts[part][*class] += 1;
                }
            }
        }
        let val_counts: Vec<f64> = counts[1].iter().map(|&n| n as f64).collect();
        let chance = chance_of(config.data.task, &val_counts, samples[1] as f64);
        if config.data.task == TargetKind::Number {
            counts = [Vec::new(), Vec::new()];
        }
        let [train_counts, val_counts] = counts;
        Ok(Self {
            dir: run.clone(),
            config,
            info,
            network: model.network,
            input: model.preprocessing.input,
            outputs: model.outputs,
            train_counts,
            val_counts,
            train_samples: samples[0],
            val_samples: samples[1],
            chance,
        })
    }

    /// Returns the setup that the diagnosis' advice starts from.
    pub(super) fn setup(&self) -> Setup {
        let train_classes = match self.config.data.task {
            TargetKind::Class => self.train_counts.clone(),
            TargetKind::Number | TargetKind::Label => vec![self.train_samples],
        };
        Setup { config: self.config.clone(), train_classes }
    }

    /// Returns the validation samples of each class; empty for other targets.
    pub(super) fn val_classes(&self) -> &[u64] {
        if self.target() == TargetKind::Class { &self.val_counts } else { &[] }
    }

    /// Returns what the run predicts.
    pub(super) fn target(&self) -> TargetKind {
        self.config.data.task
    }

    /// Returns what the outputs of the network are.
    pub(super) fn outputs_kind(&self) -> OutputKind {
        self.network.answer
    }

    /// Returns the shape of the input pictures; none for columns.
    pub(super) fn shape(&self) -> Option<Picture> {
        match &self.input {
            Input::Pictures(shape) => Some(*shape),
            Input::Columns(_) => None,
        }
    }

    /// Returns the folder that holds this run and its siblings.
    pub(super) fn runs_folder(&self) -> &Path {
        self.dir.path().parent().filter(|p| *p != Path::new("")).unwrap_or(Path::new("."))
    }

    /// Returns the name of the run's folder.
    pub(super) fn name(&self) -> String {
        let path = self.dir.path();
        path.file_name()
            .map_or_else(|| "run".to_owned(), |name| name.to_string_lossy().into_owned())
    }

    /// Describes the run for `/api/run`.
    pub(super) fn to_json(&self, can_act: bool, takes_pictures: bool, live: bool) -> Value {
        let path = self.dir.path().display().to_string();
        let text = bounded::read_to_string(&self.dir.file(CONFIG), bounded::MAX_SETTINGS_BYTES);
        let source = shell::quoted(&shell::shown(&self.info.data));
        let subject = Subject { target: self.target(), has_pictures: self.shape().is_some() };
        json!({
            "name": self.name(),
            "path": path,
            "can_act": can_act,
            "takes_pictures": takes_pictures,
            "live": live,
            "panels": panels_of(subject),
            "config_text": text.unwrap_or_default(),
            "command": format!("klubok train {source} -c {}", shell::quoted(&format!("{path}/config.toml"))),
            // `path` as an argument.
            "quoted_path": shell::quoted(&path),
            "data": self.data_json(),
            "network": self.network_json(),
            "train_samples": self.train_samples,
            "val_samples": self.val_samples,
            // Validation samples of a measurement within an epoch.
            "step_samples": self.val_samples.min(STEP_SAMPLE as u64),
            "chance": self.chance,
            "loss_of_guessing":
                loss_of_guessing(self.config.data.task, self.outputs.len(), self.config.train.loss),
        })
    }

    fn data_json(&self) -> Value {
        let (kind, shape, columns) = match &self.input {
            Input::Pictures(shape) => ("pictures", Some(shape), None),
            Input::Columns(names) => ("columns", None, Some(names)),
        };
        json!({
            "source": self.info.data,
            "kind": kind,
            "width": shape.map(|shape| shape.width),
            "height": shape.map(|shape| shape.height),
            "channels": shape.map(|shape| shape.channels),
            "columns": columns,
            "target": self.config.data.task,
            "classes": self.outputs,
            "train": self.train_counts,
            "val": self.val_counts,
        })
    }

    fn network_json(&self) -> Value {
        let mut inputs = self.network.inputs;
        let mut layers: Vec<Value> = Vec::new();
        for (i, layer) in self.network.hidden.iter().enumerate() {
            layers.push(json!({
                "name": format!("hidden{}", i + 1),
                "units": layer.units,
                "parameters": layer.units * (inputs + if layer.batch_norm { 2 } else { 1 }),
                "activation": layer.activation,
                "batch_norm": layer.batch_norm,
                "dropout": layer.dropout,
            }));
            inputs = layer.units;
        }
        let outputs = self.network.outputs;
        layers.push(json!({
            "name": "output",
            "units": outputs,
            "parameters": outputs * (inputs + 1),
            "activation": match self.config.data.task {
                TargetKind::Class => "softmax",
                TargetKind::Label => "sigmoid",
                TargetKind::Number => "identity",
            },
            "batch_norm": false,
            "dropout": 0.0,
        }));
        json!({
            "inputs": self.network.inputs,
            "parameters": self.network.parameters(),
            "layers": layers,
        })
    }
}
