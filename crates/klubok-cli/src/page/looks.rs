//! What panels ask to see: a sample on its way through the network, a neuron, what a layer has
//! learnt, a picture of one's own.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use klubok::{
    config::Monitor,
    data::{picture_from_bytes, typical::Typical},
    inspect::{Glass, Layer, pass::Pass},
    model::Validation,
    plan::Picture,
    rows::{Field, Kind},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    hub::{Copy, Hub, lock},
    story::Mode,
};
use crate::{
    measures::{chance, wilson},
    text::{Both, both},
    trust,
};

/// Units that a panel shows of a layer.
const STRONGEST: usize = 24;
/// Weights of a layer that are shown by how much they move.
const STEEPEST: usize = 4;
/// Units whose outputs are shown as a row of points.
const ALL: usize = 4096;

/// Why a look cannot be answered, in a sentence.
pub(super) type Answer = Result<Value, String>;

/// Which sample to look at: a picture that was handed in, a row of the data, or the first of the
/// validation part.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default)]
pub(super) struct Which {
    pub(super) picture: Option<u64>,
    pub(super) row: Option<u32>,
    /// What a person says a picture of theirs shows.
    pub(super) label: Option<usize>,
}

/// A sample as it is stored.
struct Sample {
    stored: Vec<f64>,
    label: Option<usize>,
    name: String,
    /// Rows of the validation part before and after it; the part is a ring.
    beside: Option<[u32; 2]>,
}

impl Hub {
    /// A sample forward through all layers and back from its error.
    pub(super) fn look_at_pass(&self, which: Which, moment: Option<u64>) -> Answer {
        let mut told = self.said(&self.frequent, moment, &format!("pass {which:?}"), |glass| {
            self.passed(which, glass)
        })?;
        // What is kept of an answer may be older than the last validation.
        if let (Some(_), Some(step)) = (which.picture, told["step"].as_u64()) {
            told["trust"] = json!(self.trust(step));
        }
        Ok(told)
    }

    fn passed(&self, which: Which, glass: &Glass) -> Answer {
        let sample = self.sample(which)?;
        let pass = glass.pass(&sample.stored);
        let start = self.start().ok().map(|start| start.pass(&sample.stored).probabilities);
        let layers: Vec<Value> =
            glass.layers().iter().map(|layer| forward(glass, &pass, layer)).collect();
        let mut answer = self.shown(&sample.stored);
        let more = json!({
            "name": sample.name,
            "label": sample.label,
            "beside": sample.beside,
            "layers": layers,
            "probabilities": pass.probabilities,
            "confidences": glass.confidences(&pass),
            "start_probabilities": start,
            "loss": sample.label.map(|label| pass.loss(label)),
            "backward": sample.label.map(|label| backward(glass, &pass, label)),
            "far": which.picture.and_then(|number| self.is_far(&self.picture(number)?)),
        });
        extend(&mut answer, more);
        Ok(Value::Object(answer))
    }

    /// One neuron: what it reads, what it weighs it with, what it makes of that.
    pub(super) fn look_at_neuron(
        &self,
        layer: &str,
        unit: usize,
        which: Which,
        moment: Option<u64>,
    ) -> Answer {
        self.said(&self.frequent, moment, &format!("neuron {layer} {unit} {which:?}"), |glass| {
            self.neuron(layer, unit, which, glass)
        })
    }

    fn neuron(&self, layer: &str, unit: usize, which: Which, glass: &Glass) -> Answer {
        let sample = self.sample(which)?;
        let at = place_of(glass, layer)?;
        let own = &glass.layers()[at];
        if unit >= glass.units(own) {
            return Err("the layer has no such unit".to_owned());
        }
        let pass = glass.pass(&sample.stored);
        let from = at.checked_sub(1).map_or("input", |before| &glass.layers()[before].name);
        let bias = own.b.map_or(0.0, |b| glass.model.weights.params[b.0].range(unit..unit + 1)[0]);
        let mut answer = match (at, self.about.shape()) {
            (0, Some(shape)) => sizes(shape),
            _ => Map::new(),
        };
        let more = json!({
            "layer": layer,
            "unit": unit,
            "inputs": glass.inputs(own),
            "x": floats(pass.value(own.x)),
            "w": floats(&glass.unit(own, unit)),
            "b": bias,
            "sum": pass.value(own.sum)[unit],
            "z": pass.value(own.z)[unit],
            "a": pass.value(own.y)[unit],
            "activation": own.f,
            "normalised": own.sum != own.z,
            "from": from,
        });
        extend(&mut answer, more);
        Ok(Value::Object(answer))
    }

    /// Proof of backpropagation on one weight: the one that is asked for, or the steepest one of
    /// its layer.
    pub(super) fn look_at_slope(
        &self,
        layer: &str,
        weight: Option<(usize, usize)>,
        which: Which,
        moment: Option<u64>,
    ) -> Answer {
        let sample = self.sample(which)?;
        let label = sample.label.ok_or("nobody said what the picture shows")?;
        let (step, glass) = self.weights_at(moment)?;
        let at = place_of(&glass, layer)?;
        let own = &glass.layers()[at];
        let (unit, input) = weight.unwrap_or_else(|| glass.steepest(&sample.stored, label, at));
        if unit >= glass.units(own) || input >= glass.inputs(own) {
            return Err("the layer has no such weight".to_owned());
        }
        let slope = glass.slope(&sample.stored, label, at, unit, input);
        Ok(json!({
            "step": step,
            "layer": layer,
            "unit": unit,
            "input": input,
            "weight": slope.weight,
            "epsilon": slope.epsilon,
            "loss": slope.loss,
            "moved": slope.moved,
            "measured": slope.measured,
            "told": slope.told,
        }))
    }

    /// What the first layer has learnt, at the moment of a snapshot or now.
    pub(super) fn look_at_features(&self, layer: &str, moment: Option<u64>) -> Answer {
        let shape = self.about.shape().ok_or("this network does not look at pictures")?;
        let start = self.start()?;
        if start.layers().first().is_none_or(|first| first.name != layer) {
            return Err("only the first layer reads pixels".to_owned());
        }
        self.of_moments(moment, "features", || {
            let mut answer = sizes(shape);
            extend(&mut answer, lock(&self.snapshots).told(moment, &start, STRONGEST));
            Ok(Value::Object(answer))
        })
    }

    /// Reads a picture as the network sees it, keeps it in memory, and says what the network makes
    /// of it.
    pub(super) fn look_at_own(&self, bytes: &[u8]) -> Answer {
        let shape = self.about.shape().ok_or("this network does not look at pictures")?;
        let fit = self.about.config.data.fit;
        let pixels = picture_from_bytes("the picture", bytes, shape, fit)
            .map_err(|error| error.to_string())?;
        let stored: Vec<f64> = pixels.iter().map(|&byte| f64::from(byte)).collect();
        let Copy { step, glass, .. } = self.weights()?;
        let start = self.start().ok().map(|start| start.pass(&stored).probabilities);
        let (mut answer, pass) = (self.shown(&stored), glass.pass(&stored));
        let more = json!({
            "step": step,
            "trust": self.trust(step),
            "far": self.is_far(&pixels),
            "picture": self.keep(pixels),
            "probabilities": pass.probabilities,
            "confidences": glass.confidences(&pass),
            "start_probabilities": start,
        });
        extend(&mut answer, more);
        Ok(Value::Object(answer))
    }

    /// How far the network of this step can be trusted.
    fn trust(&self, step: u64) -> Both {
        let learned = self.about.train.iter().sum();
        let is_model = !self.is_live() || self.now().mode == Mode::Ended;
        let is_model = is_model && self.best_step() == Some(step);
        let validated = self.story().validated(step);
        let measured = |accuracy| {
            let samples: u64 = self.about.val.iter().sum();
            Validation {
                accuracy,
                accuracy_interval: wilson(accuracy, samples as usize),
                chance: chance(&self.about.val),
                chose_epoch: self.about.config.train.monitor != Monitor::Last,
                samples,
            }
        };
        both(|| match validated {
            Some((epoch, accuracy)) if !is_model => {
                trust::in_training(learned, epoch, measured(accuracy))
            }
            _ => trust::of_model(learned, validated.map(|(_, accuracy)| measured(accuracy))),
        })
    }

    /// Whether a picture is unlike all training pictures; none where that cannot be told.
    fn is_far(&self, pixels: &[u8]) -> Option<bool> {
        let start = self.start().ok()?;
        let preprocessing = &start.model.preprocessing;
        let typical = self.typical.get_or_init(|| {
            // Measured already, where the run has a model.
            let kept = self.model().ok().and_then(|model| model.card?.typical);
            let measure = || {
                let data = self.data.as_ref()?;
                Typical::measure(&*data.rows, preprocessing, &data.parts.train).ok()?
            };
            kept.or_else(measure)
        });
        Some(typical.as_ref()?.is_far(&preprocessing.apply(Kind::Pixels, pixels)))
    }

    fn sample(&self, which: Which) -> Result<Sample, String> {
        if let Some(number) = which.picture {
            let pixels = self.picture(number).ok_or("this picture is no longer kept")?;
            let stored = pixels.iter().map(|&byte| f64::from(byte)).collect();
            let label = which.label.filter(|&label| label < self.about.classes.len());
            return Ok(Sample { stored, label, name: String::new(), beside: None });
        }
        let data = self.data.as_ref().ok_or("the data of this run is not at hand")?;
        let first = data.parts.val.first().or(data.parts.train.first()).copied();
        let row = which.row.or(first).ok_or("there is no sample")?;
        if row as usize >= data.rows.len() {
            return Err("there is no such sample".to_owned());
        }
        Ok(Sample {
            stored: self.stored(&[row])?,
            label: Some(data.targets[row as usize] as usize),
            name: data.names[row as usize].clone(),
            beside: beside(&data.parts.val, row),
        })
    }

    /// Rows of the data as they are stored, `[rows, inputs]`.
    pub(super) fn stored(&self, rows: &[u32]) -> Result<Vec<f64>, String> {
        let data = self.data.as_ref().ok_or("the data of this run is not at hand")?;
        let field = &data.rows.fields()[Field::X.0];
        let mut bytes = vec![0; rows.len() * field.bytes()];
        data.rows.gather(Field::X, rows, &mut bytes).map_err(|error| error.to_string())?;
        let stored = bytes.chunks_exact(field.kind.bytes()).map(|value| field.kind.number(value));
        Ok(stored.collect())
    }

    /// A sample for the eye: pixels with their size, or values.
    pub(super) fn shown(&self, stored: &[f64]) -> Map<String, Value> {
        let Some(shape) = self.about.shape() else {
            return Map::from_iter([("values".to_owned(), json!(stored))]);
        };
        let mut shown = sizes(shape);
        let pixels: Vec<u8> = stored.iter().map(|&value| value as u8).collect();
        shown.insert("pixels".to_owned(), STANDARD.encode(pixels).into());
        shown
    }
}

/// At most so many of these rows, evenly spread: the same ones whenever somebody looks.
pub(super) fn spread(rows: &[u32], most: usize) -> Vec<u32> {
    rows.iter().copied().step_by(rows.len().div_ceil(most).max(1)).collect()
}

/// The place of a layer, by its name.
pub(super) fn place_of(glass: &Glass, layer: &str) -> Result<usize, String> {
    let at = glass.layers().iter().position(|own| own.name == layer);
    at.ok_or_else(|| "there is no such layer".to_owned())
}

/// The rows before and after a row in a part, which need not have it; none where the part is empty.
fn beside(part: &[u32], row: u32) -> Option<[u32; 2]> {
    let before = part.iter().rev().find(|&&other| other < row).or(part.last())?;
    let after = part.iter().find(|&&other| other > row).or(part.first())?;
    Some([*before, *after])
}

/// What a layer hands on.
fn forward(glass: &Glass, pass: &Pass, layer: &Layer) -> Value {
    let y = pass.value(layer.y);
    let most = largest(y).max(f64::MIN_POSITIVE);
    let shade = |y: &f64| (255.0 * y.max(0.0) / most).round() as u8;
    let all: Vec<u8> = y.iter().take(ALL).map(shade).collect();
    let active = y.iter().filter(|&&y| y > 0.0).count() as f64 / y.len() as f64;
    json!({
        "name": layer.name,
        "units": glass.units(layer),
        "active": active,
        "strongest": strongest(y),
        "all": STANDARD.encode(all),
    })
}

/// The error at the answer, and what of it arrives where.
fn backward(glass: &Glass, pass: &Pass, class: usize) -> Value {
    let back = glass.back(pass, class);
    let (Some(first), Some(last)) = (glass.layers().first(), glass.layers().last()) else {
        return Value::Null;
    };
    let layer = |layer: &Layer| {
        let dz = back.gradient(layer.z);
        json!({
            "name": layer.name,
            "open": glass.open(pass, layer),
            "norm": dz.iter().map(|dz| dz * dz).sum::<f64>().sqrt(),
            "strongest": strongest(dz),
            "steepest": steepest(back.gradient(layer.sum), pass.value(layer.x)),
        })
    };
    let input = back.gradient(first.x);
    let scale = largest(input);
    json!({
        "target": class,
        "output": back.gradient(last.sum),
        "layers": glass.layers().iter().map(layer).collect::<Vec<_>>(),
        "input": STANDARD.encode(signed_bytes(input, scale)),
        "input_scale": scale,
    })
}

/// The units with the largest values, by size, the largest first.
fn strongest(values: &[f64]) -> Vec<Value> {
    let units = by_size(values, STRONGEST).into_iter();
    units.map(|unit| json!({ "unit": unit, "value": values[unit] })).collect()
}

/// The places of at most so many of the values that are farthest from 0, by size.
fn by_size(values: &[f64], most: usize) -> Vec<usize> {
    let mut places: Vec<usize> = (0..values.len()).collect();
    places.sort_by(|&a, &b| values[b].abs().total_cmp(&values[a].abs()));
    places.truncate(most);
    places
}

/// The weights along which the loss is steepest, the steepest first: their slopes are products of a
/// gradient and an input, so that each lies among the largest of both.
fn steepest(dz: &[f64], x: &[f64]) -> Vec<Value> {
    let inputs = by_size(x, STEEPEST);
    let mut all: Vec<(usize, usize, f64)> = by_size(dz, STEEPEST)
        .into_iter()
        .flat_map(|unit| inputs.iter().map(move |&input| (unit, input, dz[unit] * x[input])))
        .collect();
    all.sort_by(|a, b| b.2.abs().total_cmp(&a.2.abs()));
    all.truncate(STEEPEST);
    all.into_iter()
        .map(|(unit, input, slope)| json!({ "unit": unit, "input": input, "slope": slope }))
        .collect()
}

/// The largest absolute value.
pub(super) fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |most, value| most.max(value.abs()))
}

/// Numbers as signed bytes, of which 127 stands for `scale`.
pub(super) fn signed_bytes(values: &[f64], scale: f64) -> Vec<u8> {
    let by = if scale > 0.0 { 127.0 / scale } else { 0.0 };
    values.iter().map(|value| (value * by).round() as i8 as u8).collect()
}

fn floats(values: &[f64]) -> String {
    let bytes: Vec<u8> = values.iter().flat_map(|&value| (value as f32).to_le_bytes()).collect();
    STANDARD.encode(bytes)
}

pub(super) fn sizes(Picture { width, height, channels }: Picture) -> Map<String, Value> {
    Map::from_iter([
        ("width".to_owned(), width.into()),
        ("height".to_owned(), height.into()),
        ("channels".to_owned(), channels.into()),
    ])
}

pub(super) fn extend(answer: &mut Map<String, Value>, more: Value) {
    if let Value::Object(more) = more {
        answer.extend(more);
    }
}
