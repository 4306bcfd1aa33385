//! The run that a page shows: its folder, settings, data and network. It does not change while the
//! page shows it.

use std::{collections::BTreeMap, path::Path};

use klubok::{
    bounded,
    config::Config,
    data::{Dataset, Part, read_split},
    diagnose::setup::Setup,
    model::{Input, Model},
    nn::network::Network,
    plan::Picture,
    rows::Field,
    train::{
        evaluate::chance_accuracy,
        run_dir::{CONFIG, MODEL, RunDir, SPLIT},
        run_info::RunInfo,
        trainer::STEP_SAMPLE,
    },
};
use klubok_text::shell;
use serde_json::{Value, json};

use crate::error::{Error, Result};

/// The run that a page shows.
pub(crate) struct RunDescription {
    pub(super) dir: RunDir,
    pub(super) config: Config,
    info: RunInfo,
    network: Network,
    pub(super) input: Input,
    pub(super) classes: Vec<String>,
    /// Training samples of each class.
    pub(super) train_classes: Vec<u64>,
    /// Validation samples of each class.
    pub(super) val_classes: Vec<u64>,
}

impl RunDescription {
    /// Describes a run from its open data.
    pub(super) fn new(run: &RunDir, config: &Config, info: &RunInfo, data: &Dataset) -> Self {
        let inputs = data.rows.fields()[Field::X.0].width;
        Self {
            dir: run.clone(),
            config: config.clone(),
            info: info.clone(),
            network: config.network(inputs, data.classes.len()),
            input: data.input.clone(),
            classes: data.classes.clone(),
            train_classes: data.class_counts(&data.parts.train),
            val_classes: data.class_counts(&data.parts.val),
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
        let indices: BTreeMap<&String, usize> = model.classes.iter().zip(0..).collect();
        let mut counts = [vec![0; model.classes.len()], vec![0; model.classes.len()]];
        for row in read_split(&run.file(SPLIT))? {
            let row = row?;
            let part = match row.part {
                Part::Train => 0,
                Part::Val => 1,
                Part::Test => continue,
            };
            if let Some(class) = indices.get(&row.class) {
                counts[part][*class] += 1;
            }
        }
        let [train_classes, val_classes] = counts;
        let (network, classes) = (model.network, model.classes);
        let (dir, input) = (run.clone(), model.preprocessing.input);
        Ok(Self { dir, config, info, network, input, classes, train_classes, val_classes })
    }

    /// Returns the setup that the diagnosis' advice starts from.
    pub(super) fn setup(&self) -> Setup {
        Setup { config: self.config.clone(), train_classes: self.train_classes.clone() }
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
        let val_samples: u64 = self.val_classes.iter().sum();
        json!({
            "name": self.name(),
            "path": path,
            "can_act": can_act,
            "takes_pictures": takes_pictures,
            "live": live,
            "config_text": text.unwrap_or_default(),
            "command": format!("klubok train {source} -c {}", shell::quoted(&format!("{path}/config.toml"))),
            "data": self.data_json(),
            "network": self.network_json(),
            "val_samples": val_samples,
            // Validation samples of a measurement within an epoch.
            "step_samples": val_samples.min(STEP_SAMPLE as u64),
            "chance": chance_accuracy(&self.val_classes),
            "loss_of_guessing": (self.classes.len() as f64).ln(),
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
            "classes": self.classes,
            "train": self.train_classes,
            "val": self.val_classes,
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
            "activation": "softmax",
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
