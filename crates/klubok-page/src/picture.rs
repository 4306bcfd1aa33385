//! What the panel of a picture asks: a sample on its way through the network and back, a picture of
//! one's own, and how far the answer to it can be trusted.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use klubok::{
    config::Monitor,
    data::{picture_from_bytes, typical::Typical},
    inspect::{Layer, ModelView, pass::Pass},
    model::Validation,
    rows::Kind,
    train::evaluate::{chance, wilson},
};
use klubok_text::{Bilingual, bilingual, trust};
use serde_json::{Value, json};

use super::{
    answer::{Answer, extend, largest, signed_bytes},
    hub::{Copy, Hub},
    sample::Which,
    story::Mode,
};

/// Units that are shown of a layer.
const STRONGEST: usize = 24;
/// Weights of a layer that are shown by how much they move.
const STEEPEST: usize = 4;
/// Units whose outputs are shown as a row of points.
const ALL: usize = 4096;

impl Hub {
    /// A sample forward through all layers and back from its error.
    pub(super) fn look_at_pass(&self, which: Which, moment: Option<u64>) -> Answer {
        let mut told = self.said(&self.frequent, moment, &format!("pass {which:?}"), |view| {
            self.passed(which, view)
        })?;
        // What is kept of an answer may be older than the last validation.
        if let (Some(_), Some(step)) = (which.picture, told["step"].as_u64()) {
            told["trust"] = json!(self.trust(step));
        }
        Ok(told)
    }

    fn passed(&self, which: Which, view: &ModelView) -> Answer {
        let sample = self.sample(which)?;
        let pass = view.pass(&sample.stored);
        let start = self.start().ok().map(|start| start.pass(&sample.stored).probabilities);
        let layers: Vec<Value> =
            view.layers().iter().map(|layer| forward(view, &pass, layer)).collect();
        let mut answer = self.shown(&sample.stored);
        let more = json!({
            "name": sample.name,
            "label": sample.label,
            "beside": sample.beside,
            "layers": layers,
            "probabilities": pass.probabilities,
            "confidences": view.confidences(&pass),
            "start_probabilities": start,
            "loss": sample.label.map(|label| pass.loss(label)),
            "backward": sample.label.map(|label| backward(view, &pass, label)),
            "far": which.picture.and_then(|number| self.is_far(&self.picture(number)?)),
        });
        extend(&mut answer, more);
        Ok(Value::Object(answer))
    }

    /// Reads a picture as the network sees it, keeps it in memory, and says what the network makes
    /// of it.
    pub(super) fn look_at_own(&self, bytes: &[u8]) -> Answer {
        let shape = self.about.shape().ok_or("this network does not look at pictures")?;
        let fit = self.about.config.data.fit;
        let pixels = picture_from_bytes("the picture", bytes, shape, fit)
            .map_err(|error| error.to_string())?;
        let stored: Vec<f64> = pixels.iter().map(|&byte| f64::from(byte)).collect();
        let Copy { step, view, .. } = self.weights()?;
        let start = self.start().ok().map(|start| start.pass(&stored).probabilities);
        let (mut answer, pass) = (self.shown(&stored), view.pass(&stored));
        let more = json!({
            "step": step,
            "trust": self.trust(step),
            "far": self.is_far(&pixels),
            "picture": self.keep(pixels),
            "probabilities": pass.probabilities,
            "confidences": view.confidences(&pass),
            "start_probabilities": start,
        });
        extend(&mut answer, more);
        Ok(Value::Object(answer))
    }

    /// How far the network of this step can be trusted.
    fn trust(&self, step: u64) -> Bilingual {
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
        bilingual(|| match validated {
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
}

/// What a layer hands on.
fn forward(view: &ModelView, pass: &Pass, layer: &Layer) -> Value {
    let y = pass.value(layer.y);
    let most = largest(y).max(f64::MIN_POSITIVE);
    let shade = |y: &f64| (255.0 * y.max(0.0) / most).round() as u8;
    let all: Vec<u8> = y.iter().take(ALL).map(shade).collect();
    let active = y.iter().filter(|&&y| y > 0.0).count() as f64 / y.len() as f64;
    json!({
        "name": layer.name,
        "units": view.units(layer),
        "active": active,
        "strongest": strongest(y),
        "all": STANDARD.encode(all),
    })
}

/// The error at the answer, and what of it arrives where.
fn backward(view: &ModelView, pass: &Pass, class: usize) -> Value {
    let back = view.back(pass, class);
    let (Some(first), Some(last)) = (view.layers().first(), view.layers().last()) else {
        return Value::Null;
    };
    let layer = |layer: &Layer| {
        let dz = back.gradient(layer.z);
        json!({
            "name": layer.name,
            "open": view.open(pass, layer),
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
        "layers": view.layers().iter().map(layer).collect::<Vec<_>>(),
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
