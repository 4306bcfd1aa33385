//! The picture panel: a forward and a backward pass of a sample, predictions for an uploaded
//! picture, and how far to trust them.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use klubok::{
    config::{Monitor, TargetKind},
    data::{picture_from_bytes, typical},
    inspect::{Layer, ModelView, pass::ForwardPass},
    model::Validation,
    rows::Kind,
    train::evaluate::wilson,
};
use klubok_text::{Bilingual, bilingual, trust};
use serde_json::{Value, json};

use super::{
    encoding::{extend, max_abs, signed_bytes},
    hub::{CopiedNetwork, Hub},
    inspection::InspectionResult,
    moment::At,
    sample::SampleQuery,
    timeline::Mode,
};

/// Units of a layer in the list of the strongest ones, at most.
const MAX_STRONGEST: usize = 24;
/// Weights of a layer in the list of the largest gradients, at most.
const MAX_STEEPEST: usize = 4;
/// Units of a layer in the strip of all outputs, at most.
const MAX_STRIP: usize = 4096;

impl Hub {
    /// Describes the forward and the backward pass of a sample.
    pub(super) fn inspect_pass(&self, query: SampleQuery, at: At) -> InspectionResult {
        let key = format!("pass {query:?}");
        let mut json =
            self.get_or_compute(&self.frequent, at, &key, |view| self.pass(query, view))?;
        // Not cached: validation goes on.
        if let (Some(_), Some(step)) = (query.picture, json["step"].as_u64()) {
            json["trust"] = json!(self.trust(step));
        }
        Ok(json)
    }

    fn pass(&self, query: SampleQuery, view: &ModelView) -> InspectionResult {
        let sample = self.sample(query)?;
        let pass = view.forward(&sample.stored);
        let start = self.start_confidences(&sample.stored);
        let layers: Vec<Value> =
            view.layers().iter().map(|layer| forward(view, &pass, layer)).collect();
        let mut json = self.sample_json(&sample.stored);
        let more = json!({
            "name": sample.name,
            "label": sample.label,
            "targets": sample.targets,
            "beside": sample.neighbours,
            "layers": layers,
            "probabilities": pass.probabilities,
            "confidences": view.confidences(&pass),
            "start_confidences": start,
            "loss": sample.label.map(|label| pass.loss(label)),
            "backward": sample.label.map(|label| backward(view, &pass, label)),
            "far": query.picture.and_then(|number| self.is_far(&self.picture(number)?)),
        });
        extend(&mut json, more);
        Ok(Value::Object(json))
    }

    /// Returns the network's confidences before the first step.
    fn start_confidences(&self, stored: &[f64]) -> Option<Vec<f64>> {
        let start = self.initial_network().ok()?;
        Some(start.confidences(&start.forward(stored)))
    }

    /// Decodes an uploaded picture at the network's input size, keeps it in memory, and predicts
    /// its class.
    pub(super) fn inspect_picture(&self, bytes: &[u8]) -> InspectionResult {
        let shape = self.run.shape().ok_or("this network does not look at pictures")?;
        let fit = self.run.config.data.fit;
        let pixels = picture_from_bytes("the picture", bytes, shape, fit)
            .map_err(|error| error.to_string())?;
        let stored: Vec<f64> = pixels.iter().map(|&byte| f64::from(byte)).collect();
        let CopiedNetwork { step, view, .. } = self.current_network(true)?;
        let start = self.start_confidences(&stored);
        let (mut json, pass) = (self.sample_json(&stored), view.forward(&stored));
        let more = json!({
            "step": step,
            "trust": self.trust(step),
            "far": self.is_far(&pixels),
            "picture": self.keep_picture(pixels),
            "probabilities": pass.probabilities,
            "confidences": view.confidences(&pass),
            "start_confidences": start,
        });
        extend(&mut json, more);
        Ok(Value::Object(json))
    }

    /// Describes in words how far to trust the network of this step; none for numbers, which have
    /// no accuracy.
    fn trust(&self, step: u64) -> Option<Bilingual> {
        if self.run.target() == TargetKind::Number {
            return None;
        }
        let learned = self.run.train_samples;
        let is_model = !self.is_live() || self.status().mode == Mode::Ended;
        let is_model = is_model && self.best_step() == Some(step);
        let validated = self.timeline().last_validation(step);
        let measured = |accuracy| {
            let samples = self.run.val_samples;
            Validation {
                accuracy,
                accuracy_interval: wilson(accuracy, samples as usize),
                chance: self.run.chance,
                chose_epoch: self.run.config.train.monitor != Monitor::Last,
                samples,
            }
        };
        Some(bilingual(|| match validated {
            Some((epoch, accuracy)) if !is_model => {
                trust::in_training(learned, epoch, measured(accuracy))
            }
            _ => trust::of_model(learned, validated.map(|(_, accuracy)| measured(accuracy))),
        }))
    }

    /// Whether a picture is out of distribution, unlike all training pictures; none where their
    /// statistics are unknown.
    fn is_far(&self, pixels: &[u8]) -> Option<bool> {
        let start = self.initial_network().ok()?;
        let preprocessing = &start.model.preprocessing;
        let typical = self.typical.get_or_init(|| {
            // The run's model holds the statistics, once there is one.
            let kept = self.load_model().ok().and_then(|model| model.card?.typical);
            let measure = || {
                let data = self.data.as_ref()?;
                typical::measure(&*data.rows, preprocessing, &data.parts.train).ok()?
            };
            kept.or_else(measure)
        });
        Some(typical.as_ref()?.is_far(&preprocessing.apply(Kind::Pixels, pixels)))
    }
}

/// Describes the outputs of a layer.
fn forward(view: &ModelView, pass: &ForwardPass, layer: &Layer) -> Value {
    let y = pass.value(layer.y);
    let max = max_abs(y).max(f64::MIN_POSITIVE);
    let shade = |y: &f64| (255.0 * y.max(0.0) / max).round() as u8;
    let all: Vec<u8> = y.iter().take(MAX_STRIP).map(shade).collect();
    let active = y.iter().filter(|&&y| y > 0.0).count() as f64 / y.len() as f64;
    json!({
        "name": layer.name,
        "units": view.units(layer),
        "active": active,
        "strongest": strongest(y),
        "all": STANDARD.encode(all),
    })
}

/// Describes the gradients of the loss, layer by layer.
fn backward(view: &ModelView, pass: &ForwardPass, class: usize) -> Value {
    let back = view.backward(pass, class);
    let (Some(first), Some(last)) = (view.layers().first(), view.layers().last()) else {
        return Value::Null;
    };
    let layer = |layer: &Layer| {
        let dz = back.gradient(layer.z);
        json!({
            "name": layer.name,
            "open": view.active_share(pass, layer),
            "norm": dz.iter().map(|dz| dz * dz).sum::<f64>().sqrt(),
            "strongest": strongest(dz),
            "steepest": steepest(back.gradient(layer.sum), pass.value(layer.x)),
        })
    };
    let input = back.gradient(first.x);
    let scale = max_abs(input);
    json!({
        "target": class,
        "output": back.gradient(last.sum),
        "layers": view.layers().iter().map(layer).collect::<Vec<_>>(),
        "input": STANDARD.encode(signed_bytes(input, scale)),
        "input_scale": scale,
    })
}

/// Lists the units with the largest absolute values, the largest first.
fn strongest(values: &[f64]) -> Vec<Value> {
    let units = largest(values, MAX_STRONGEST).into_iter();
    units.map(|unit| json!({ "unit": unit, "value": values[unit] })).collect()
}

/// Returns the indices of the largest absolute values, the largest first.
fn largest(values: &[f64], max_count: usize) -> Vec<usize> {
    let mut indices: Vec<usize> = (0..values.len()).collect();
    indices.sort_by(|&a, &b| values[b].abs().total_cmp(&values[a].abs()));
    indices.truncate(max_count);
    indices
}

/// Lists the weights with the largest gradients, the largest first. `dw = dz x`, so the factors of
/// each are among the largest of `dz` and of `x`.
fn steepest(dz: &[f64], x: &[f64]) -> Vec<Value> {
    let inputs = largest(x, MAX_STEEPEST);
    let mut all: Vec<(usize, usize, f64)> = largest(dz, MAX_STEEPEST)
        .into_iter()
        .flat_map(|unit| inputs.iter().map(move |&input| (unit, input, dz[unit] * x[input])))
        .collect();
    all.sort_by(|a, b| b.2.abs().total_cmp(&a.2.abs()));
    all.truncate(MAX_STEEPEST);
    all.into_iter()
        .map(|(unit, input, slope)| json!({ "unit": unit, "input": input, "slope": slope }))
        .collect()
}
