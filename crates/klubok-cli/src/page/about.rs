//! What a page is of: the run, its settings, its data and its network. It does not change while a
//! run is shown.

use std::{collections::BTreeMap, path::Path};

use klubok::{
    bounded,
    config::Config,
    data::{Dataset, Input, Part, read_split},
    diagnose::setup::Setup,
    model::Model,
    nn::network::Network,
    plan::Picture,
    rows::Field,
    train::{
        run_dir::{CONFIG, MODEL, RunDir, SPLIT},
        run_info::RunInfo,
        trainer::STEP_SAMPLE,
    },
};
use serde_json::{Value, json};

use crate::{
    failure::{Failure, Result},
    files,
    measures::chance_accuracy,
};

/// What a page is of.
pub(crate) struct About {
    pub(super) run: RunDir,
    pub(super) config: Config,
    info: RunInfo,
    network: Network,
    pub(super) input: Input,
    pub(super) classes: Vec<String>,
    /// Samples of each class, in training and in validation.
    pub(super) train: Vec<u64>,
    pub(super) val: Vec<u64>,
}

impl About {
    /// A run whose data is at hand.
    pub(super) fn new(run: &RunDir, config: &Config, info: &RunInfo, data: &Dataset) -> Self {
        let inputs = data.rows.fields()[Field::X.0].width;
        Self {
            run: run.clone(),
            config: config.clone(),
            info: info.clone(),
            network: config.network(inputs, data.classes.len()),
            input: data.input.clone(),
            classes: data.classes.clone(),
            train: data.class_counts(&data.parts.train),
            val: data.class_counts(&data.parts.val),
        }
    }

    /// A run by its files alone: its model and its record of the split.
    ///
    /// # Errors
    /// When it has no model yet, or a file is damaged.
    pub(super) fn of_files(run: &RunDir) -> Result<Self> {
        let (config, info) = run.settings()?;
        let path = run.file(MODEL);
        if !path.exists() {
            let name = run.path().display();
            return Err(Failure::failed(format!("the run `{name}` has no model yet")));
        }
        let model = Model::load(&path)?;
        let places: BTreeMap<&String, usize> = model.classes.iter().zip(0..).collect();
        let mut counts = [vec![0; model.classes.len()], vec![0; model.classes.len()]];
        for row in read_split(&run.file(SPLIT))? {
            let row = row?;
            let part = match row.part {
                Part::Train => 0,
                Part::Val => 1,
                Part::Test => continue,
            };
            if let Some(class) = places.get(&row.class) {
                counts[part][*class] += 1;
            }
        }
        let [train, val] = counts;
        let (network, classes) = (model.network, model.classes);
        let (run, input) = (run.clone(), model.preprocessing.input);
        Ok(Self { run, config, info, network, input, classes, train, val })
    }

    /// What advice starts from.
    pub(super) fn setup(&self) -> Setup {
        Setup { config: self.config.clone(), train_classes: self.train.clone() }
    }

    /// The shape of its pictures, if it is of pictures.
    pub(super) fn shape(&self) -> Option<Picture> {
        match &self.input {
            Input::Pictures(shape) => Some(*shape),
            Input::Columns(_) => None,
        }
    }

    /// The folder of the runs beside this one.
    pub(super) fn runs(&self) -> &Path {
        self.run.path().parent().filter(|p| *p != Path::new("")).unwrap_or(Path::new("."))
    }

    /// What its folder is called.
    pub(super) fn name(&self) -> String {
        let path = self.run.path();
        path.file_name()
            .map_or_else(|| "run".to_owned(), |name| name.to_string_lossy().into_owned())
    }

    /// The answer to `/api/run`.
    pub(super) fn told(&self, can_act: bool, takes_pictures: bool, live: bool) -> Value {
        let path = self.run.path().display().to_string();
        let text = bounded::read_to_string(&self.run.file(CONFIG), bounded::SETTINGS);
        let source = files::quoted(&files::shown(&self.info.data));
        let val: u64 = self.val.iter().sum();
        json!({
            "name": self.name(),
            "path": path,
            "can_act": can_act,
            "takes_pictures": takes_pictures,
            "live": live,
            "config_text": text.unwrap_or_default(),
            "command": format!("klubok train {source} -c {}", files::quoted(&format!("{path}/config.toml"))),
            "data": self.data(),
            "network": self.layers(),
            "val_samples": val,
            // A moment within an epoch is measured on so many of them.
            "step_samples": val.min(STEP_SAMPLE as u64),
            "chance": chance_accuracy(&self.val),
            "loss_of_guessing": (self.classes.len() as f64).ln(),
        })
    }

    fn data(&self) -> Value {
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
            "train": self.train,
            "val": self.val,
        })
    }

    fn layers(&self) -> Value {
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
