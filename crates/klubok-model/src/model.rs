//! Reads and writes `model.safetensors`: a trained network with everything needed to use it, in one
//! file.
//!
//! Tensors have the names of the plan's parameters and running statistics (`hidden1.weight`, ...),
//! weights are `[out, in]`, all are `f32`. The statistics of typical training samples follow
//! (`typical.*`). The one metadata key, `klubok`, is a JSON object with sorted keys: `card` (how
//! far to trust the model), `checksum` (XXH3, 128 bits, of the object without it and of the values
//! in this order), `classes`, `constants` (the constants of the layers' formulas), `format`,
//! `network`, `preprocessing`, `temperature` and `uniform` (from logits to confidences). Nothing
//! depends on time, host, threads, paths or the run's name: the same model gives the same bytes.

use std::{borrow::Cow, collections::BTreeSet, io::Read, path::Path};

use klubok_files::{atomic::stream_atomically, bounded, limits};
use klubok_nn::{
    calibration::Calibration,
    layers::{
        activation::{self, sigmoid},
        batch_norm,
    },
    network::{MAX_HIDDEN_LAYERS, Network, OutputKind},
    plan::Picture,
    state::{Numbers, Weights},
};
use safetensors::{
    Dtype, SafeTensors,
    tensor::{Metadata as Header, SafeTensorError},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use twox_hash::xxhash3_128::Hasher;

use super::{
    Card, FORMAT, FORMAT_WITHOUT_TARGET, Flaw, Input, ModelError, Preprocessing, card,
    tensors::{self, Tensor},
};

pub(super) const KEY: &str = "klubok";

/// A trained network with everything needed to use it.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// The network.
    pub network: Network,
    /// Conversion of stored rows to its input.
    pub preprocessing: Preprocessing,
    /// Names of the outputs: classes, labels or numbers.
    pub outputs: Vec<String>,
    /// Conversion of logits to confidences.
    pub calibration: Calibration,
    /// Model card. None if the training set is unknown.
    pub card: Option<Card>,
    /// Weights, in the order of the plan's parameters and running statistics.
    pub weights: Weights,
}

/// The metadata without the checksum, keys in alphabetical order.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    /// None before format 3.
    card: Option<card::CardMetadata>,
    classes: Vec<String>,
    /// None in format 1.
    constants: Option<Constants>,
    format: u64,
    network: Network,
    preprocessing: Preprocessing,
    /// None in format 1.
    temperature: Option<f64>,
    /// None in format 1.
    uniform: Option<f64>,
}

/// Constants in the formulas of the layers.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Constants {
    /// Added to the variance under the square root.
    batch_norm_epsilon: f64,
    /// Slope for negative inputs.
    leaky_relu_slope: f64,
    selu_alpha: f64,
    selu_scale: f64,
}

impl Constants {
    /// The constants of [`klubok_nn::layers`].
    const OWN: Self = Self {
        batch_norm_epsilon: batch_norm::EPSILON,
        leaky_relu_slope: activation::LEAK,
        selu_alpha: activation::SELU_ALPHA,
        selu_scale: activation::SELU_SCALE,
    };
}

impl Model {
    /// Writes the model. Replaces an existing file completely or not at all.
    ///
    /// # Errors
    /// When the model is inconsistent ([`ModelError::Unfit`]) or the file cannot be written.
    pub fn save(&self, path: &Path) -> crate::Result<()> {
        let (metadata, tensors) = self.to_metadata_and_tensors()?;
        let values = |i| Ok(self.values(i));
        Ok(stream_atomically(path, |file| tensors::write(file, (KEY, metadata), &tensors, values))?)
    }

    /// Reads a model.
    ///
    /// # Errors
    /// When the file is missing, is not a model, is damaged, or has a later format.
    pub fn load(path: &Path) -> crate::Result<Self> {
        let not = |what| ModelError::NotAModel { path: path.display().to_string(), what };
        let kind = bounded::kind(path)?;
        if kind.is_dir() {
            return Err(not("a folder"));
        }
        if !kind.is_file() {
            return Err(not("not a regular file"));
        }
        // Checks the magic bytes before reading a possibly huge file of any kind.
        let mut magic = Vec::new();
        bounded::open(path)?.take(9).read_to_end(&mut magic)?;
        if !is_safetensors(&magic) {
            return Err(not("not a safetensors file"));
        }
        let bytes = bounded::read(path, limits::max_tensor_file_bytes())?;
        Self::parse(&bytes, &path.display().to_string())
    }

    /// Turns the logits of one sample into its prediction: calibrated confidences in the classes,
    /// the sigmoid of each logit for labels, or numbers in their own units.
    pub fn to_prediction(&self, outputs: &mut [f64]) {
        match (self.network.answer, &self.preprocessing.target) {
            (OutputKind::Classes, _) => self.calibration.confidences(outputs),
            (OutputKind::Labels, _) => outputs.iter_mut().for_each(|z| *z = sigmoid(*z)),
            (OutputKind::Numbers, Some(target)) => target.unscale(outputs),
            (OutputKind::Numbers, None) => {}
        }
    }

    /// Returns the file's content. The same model gives the same bytes.
    ///
    /// # Errors
    /// When the model's fields are inconsistent, or a weight is not a finite number.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ModelError> {
        let (metadata, tensors) = self.to_metadata_and_tensors()?;
        let mut bytes = Vec::new();
        tensors::write(&mut bytes, (KEY, metadata), &tensors, |i| Ok(self.values(i))).map_err(
            |error| ModelError::Unfit { flaw: Flaw::Header { reason: error.to_string() } },
        )?;
        Ok(bytes)
    }

    /// Returns the metadata and the tensors.
    fn to_metadata_and_tensors(&self) -> Result<(String, Vec<Tensor>), ModelError> {
        let unfit = |flaw| ModelError::Unfit { flaw };
        self.check().map_err(unfit)?;
        let mut shapes = shapes(&self.network);
        shapes.extend(self.card.iter().flat_map(|card| card.shapes(self.network.inputs)));
        let bytes = |i| -> Vec<u8> {
            self.values(i).to_f32().iter().flat_map(|v| v.to_le_bytes()).collect()
        };
        let metadata = self.metadata((0..shapes.len()).map(bytes));
        let metadata = metadata.map_err(|error| unfit(description(&error)))?;
        let tensor = |(name, shape)| Tensor { name, shape, dtype: Dtype::F32 };
        Ok((metadata, shapes.into_iter().map(tensor).collect()))
    }

    /// Returns the values of tensor `i` in f32: parameters, running statistics, then those of the
    /// card.
    fn values(&self, i: usize) -> Cow<'_, Numbers> {
        let Weights { params, running } = &self.weights;
        let rest = i.saturating_sub(params.len());
        let Some(values) = params.get(i).or_else(|| running.get(rest)) else {
            let card = self.card.as_ref().map(|card| card.values(rest - running.len()));
            return card.unwrap_or_else(|| Cow::Owned(Numbers::F32(Vec::new())));
        };
        match values {
            wide @ Numbers::F64(_) => Cow::Owned(Numbers::F32(wide.to_f32())),
            values @ Numbers::F32(_) => Cow::Borrowed(values),
        }
    }

    /// Parses a file's content. Errors call it `the model`.
    ///
    /// # Errors
    /// When it is not a model, is damaged, or has a later format.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ModelError> {
        Self::parse(bytes, "the model")
    }

    /// Parses the content of the file that errors call `path`.
    fn parse(bytes: &[u8], path: &str) -> Result<Self, ModelError> {
        let not = |what| ModelError::NotAModel { path: path.into(), what };
        let damaged = |flaw| ModelError::Damaged { path: path.into(), flaw };
        if !is_safetensors(bytes) {
            return Err(not("not a safetensors file"));
        }
        tensors::check_header(bytes)
            .map_err(|flaw| damaged(Flaw::Header { reason: flaw.into() }))?;
        let (header, tensors) =
            SafeTensors::read_metadata(bytes).map_err(|error| damaged(flaw(&error)))?;
        let text = tensors.metadata().as_ref().and_then(|metadata| metadata.get(KEY));
        let text = text.ok_or_else(|| not("a safetensors file of something else"))?;
        let mut json: Value =
            serde_json::from_str(text).map_err(|error| damaged(description(&error)))?;
        if let Some(version) = json["format"].as_u64().filter(|version| *version > FORMAT) {
            return Err(ModelError::LaterVersion { path: path.into(), version });
        }
        // The checksum covers parsed values. This comparison catches changed digits that round to
        // the same value.
        let canonical = json.to_string();
        if canonical != *text {
            return Err(damaged(Flaw::Checksum));
        }
        let checksum = json.as_object_mut().and_then(|json| json.shift_remove("checksum"));
        let data = &bytes[header + 8..];
        let model = Self::read(&json, &tensors, data, checksum.as_ref()).map_err(damaged)?;
        model.check().map_err(damaged)?;
        Ok(model)
    }

    fn read(
        json: &Value,
        tensors: &Header,
        data: &[u8],
        checksum: Option<&Value>,
    ) -> Result<Self, Flaw> {
        let Metadata {
            card: card_metadata,
            classes,
            constants,
            format,
            network,
            preprocessing,
            temperature,
            uniform,
        } = serde_json::from_str(&json.to_string()).map_err(|error| description(&error))?;
        let calibration = match (temperature, uniform) {
            (None, None) if format == 1 => Calibration::NONE,
            (Some(temperature), Some(uniform)) => Calibration { temperature, uniform },
            _ => return Err(Flaw::Description { reason: "it has no temperature".into() }),
        };
        if (format > 1 || constants.is_some()) && constants != Some(Constants::OWN) {
            return Err(Flaw::Constants);
        }
        let mut shapes = shapes(&network);
        let weights = shapes.len();
        let shape = |name: &str| tensors.info(name).map(|info| info.shape.as_slice());
        shapes.extend(card_metadata.iter().flat_map(|card| card.shapes(network.inputs, shape)));
        let mut blocks = Vec::with_capacity(shapes.len());
        for (name, shape) in &shapes {
            let tensor =
                tensors.info(name).ok_or_else(|| Flaw::Missing { tensor: name.clone() })?;
            if tensor.dtype != Dtype::F32 || tensor.shape != *shape {
                let got = format!("{:?} {:?}", tensor.dtype, tensor.shape);
                let expected = format!("F32 {shape:?}");
                return Err(Flaw::Shape { tensor: name.clone(), expected, got });
            }
            blocks.push(&data[tensor.data_offsets.0..tensor.data_offsets.1]);
        }
        let known: BTreeSet<&str> = shapes.iter().map(|(name, _)| name.as_str()).collect();
        let mut names = tensors.offset_keys().into_iter();
        if let Some(tensor) = names.find(|name| !known.contains(name.as_str())) {
            return Err(Flaw::Extra { tensor });
        }
        if checksum.and_then(Value::as_str) != Some(&checksum_of(json, blocks.iter().copied())) {
            return Err(Flaw::Checksum);
        }
        let mut params: Vec<Numbers> = blocks.into_iter().map(numbers).collect();
        let of_card = params.split_off(weights);
        let running = params.split_off(network.tensors().0.len());
        let (card, weights) =
            (card_metadata.map(|card| card.with_tensors(of_card)), Weights { params, running });
        Ok(Self { network, preprocessing, outputs: classes, calibration, card, weights })
    }

    /// Returns the metadata with its checksum.
    pub(super) fn metadata(
        &self,
        blocks: impl IntoIterator<Item = Vec<u8>>,
    ) -> serde_json::Result<String> {
        let metadata = Metadata {
            card: self.card.as_ref().map(Card::metadata),
            classes: self.outputs.clone(),
            constants: Some(Constants::OWN),
            format: match self.preprocessing.target {
                Some(_) => FORMAT,
                None => FORMAT_WITHOUT_TARGET,
            },
            network: self.network.clone(),
            preprocessing: self.preprocessing.clone(),
            temperature: Some(self.calibration.temperature),
            uniform: Some(self.calibration.uniform),
        };
        // Goes through text, which keeps the short form of an f32: 0.3, not 0.30000001192092896.
        let mut metadata: Value = serde_json::from_str(&serde_json::to_string(&metadata)?)?;
        metadata.sort_all_objects();
        let checksum = checksum_of(&metadata, blocks);
        metadata["checksum"] = checksum.into();
        metadata.sort_all_objects();
        Ok(metadata.to_string())
    }

    /// Checks that the fields are consistent.
    pub(super) fn check(&self) -> Result<(), Flaw> {
        let Self { network, preprocessing, outputs: names, calibration, card, weights } = self;
        let (inputs, outputs) = (network.inputs, network.outputs);
        if inputs == 0 || outputs == 0 || network.hidden.iter().any(|layer| layer.units == 0) {
            return Err(Flaw::Empty);
        }
        if network.hidden.len() > MAX_HIDDEN_LAYERS {
            return Err(Flaw::Deep { layers: network.hidden.len() });
        }
        if names.len() != outputs {
            return Err(Flaw::Classes { classes: names.len(), outputs });
        }
        if network.answer == OutputKind::Classes && outputs == 1 {
            return Err(Flaw::OneClass);
        }
        let mut known = BTreeSet::new();
        if let Some(class) = names.iter().find(|class| !known.insert(*class)) {
            return Err(Flaw::SameName { class: class.clone() });
        }
        let dropout = network.hidden.iter().map(|layer| layer.dropout);
        let mut dropout = dropout.chain([network.input_dropout]);
        if let Some(chance) = dropout.find(|chance| !(0.0..1.0).contains(chance)) {
            return Err(Flaw::Dropout { chance });
        }
        if !calibration.is_sound() {
            let Calibration { temperature, uniform } = *calibration;
            return Err(Flaw::Calibration { temperature, uniform });
        }
        if let Input::Pictures(Picture { channels, .. }) = preprocessing.input
            && ![1, 3].contains(&channels)
        {
            return Err(Flaw::Channels { channels });
        }
        if !preprocessing.target_fits(outputs, network.answer) {
            return Err(Flaw::Target { outputs });
        }
        if !fits(preprocessing, inputs) {
            return Err(Flaw::Preprocessing { inputs });
        }
        if card.as_ref().is_some_and(|card| !card.is_sound(inputs, outputs)) {
            return Err(Flaw::Card);
        }
        let shapes = shapes(network);
        let (of_params, of_running) = shapes.split_at(network.tensors().0.len());
        for (values, shapes) in [(&weights.params, of_params), (&weights.running, of_running)] {
            if let Some((tensor, _)) = shapes.get(values.len()) {
                return Err(Flaw::Missing { tensor: tensor.clone() });
            }
            if values.len() > shapes.len() {
                return Err(Flaw::Extra { tensor: format!("number {}", values.len()) });
            }
        }
        let values = weights.params.iter().chain(&weights.running);
        for ((tensor, shape), values) in shapes.into_iter().zip(values) {
            let expected = shape.iter().try_fold(1, |all: usize, n| all.checked_mul(*n));
            if expected != Some(values.len()) {
                let (got, expected) = (format!("{} values", values.len()), format!("{shape:?}"));
                return Err(Flaw::Shape { tensor, expected, got });
            }
            let values = values.to_f32();
            if !values.iter().all(|v| v.is_finite()) {
                return Err(Flaw::NotFinite { tensor });
            }
            if tensor.ends_with(".running_var") && values.iter().any(|v| *v < 0.0) {
                return Err(Flaw::Variance { tensor });
            }
        }
        Ok(())
    }
}

fn fits(preprocessing: &Preprocessing, inputs: usize) -> bool {
    let Preprocessing { mean, std, .. } = preprocessing;
    has_sizes(preprocessing, inputs)
        && std.iter().all(|v| v.is_finite() && *v > 0.0)
        // Training uses 1 / std and mean / std.
        && std.iter().zip(mean).all(|(std, mean)| (1.0 / std).is_finite() && (mean / std).is_finite())
}

/// Returns true if rows have `inputs` values, with a mean and a standard deviation for each column
/// or channel.
pub(super) fn has_sizes(preprocessing: &Preprocessing, inputs: usize) -> bool {
    let Preprocessing { input, mean, std, .. } = preprocessing;
    let (values, each) = match input {
        Input::Pictures(picture) => {
            let pixels = picture.width.checked_mul(picture.height);
            let values = pixels.and_then(|pixels| pixels.checked_mul(picture.channels));
            (values, picture.channels)
        }
        Input::Columns(names) => (Some(names.len()), names.len()),
    };
    values == Some(inputs) && mean.len() == each && std.len() == each
}

/// Returns names and shapes of the network's tensors: parameters, then running statistics.
pub(super) fn shapes(network: &Network) -> Vec<(String, Vec<usize>)> {
    let (params, running) = network.tensors();
    let params = params.into_iter().map(|param| (param.name, param.shape));
    params.chain(running.into_iter().map(|r| (r.name, vec![r.len]))).collect()
}

/// Returns true for eight bytes of size followed by a JSON object.
fn is_safetensors(bytes: &[u8]) -> bool {
    bytes.get(8) == Some(&b'{')
}

fn flaw(error: &SafeTensorError) -> Flaw {
    match error {
        SafeTensorError::InvalidHeaderLength | SafeTensorError::MetadataIncompleteBuffer => {
            Flaw::Size
        }
        error => Flaw::Header { reason: error.to_string() },
    }
}

fn description(error: &serde_json::Error) -> Flaw {
    Flaw::Description { reason: error.to_string() }
}

pub(super) fn checksum_of(
    json: &Value,
    blocks: impl IntoIterator<Item = impl AsRef<[u8]>>,
) -> String {
    let mut hasher = Hasher::new();
    hasher.write(json.to_string().as_bytes());
    blocks.into_iter().for_each(|block| hasher.write(block.as_ref()));
    format!("{:032x}", hasher.finish_128())
}

fn numbers(block: &[u8]) -> Numbers {
    let values = block.as_chunks().0.iter();
    Numbers::F32(values.map(|bytes| f32::from_le_bytes(*bytes)).collect())
}
