//! The network panel: a forward and a backward pass of a sample, as far as a drawing shows them. Of
//! each layer it shows some units, and the edges that carry most to each.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use klubok::{
    inspect::{
        Layer, ModelView,
        edges::Edge,
        pass::{BackwardPass, ForwardPass},
    },
    plan::Activation,
};
use serde_json::{Map, Value, json};

use super::{
    encoding::{base64_f32, extend, max_abs, signed_bytes},
    hub::Hub,
    inspection::InspectionResult,
    moment::At,
    sample::SampleQuery,
};

/// Units of a layer in the drawing, at most.
const MAX_UNITS: usize = 12;
/// Units with a shut gate among them, at most, while there are enough others.
const MAX_SHUT: usize = 4;
/// Edges to a unit in the drawing, at most.
const MAX_EDGES: usize = 3;
/// Weights of a layer in the list of the largest gradients, at most.
const MAX_STEEPEST: usize = 4;

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
        let drawing = Drawing::new(view, &pass, sample.label, self.run.shape().is_some());
        let mut json = self.sample_json(&sample.stored);
        let more = json!({
            "name": sample.name,
            "label": sample.label,
            "targets": sample.targets,
            "beside": sample.neighbours,
            "inputs": values_of(&drawing.inputs, pass.value(view.layers()[0].x)),
            "layers": drawing.forward(),
            "activations": self.film_activations(view, &pass),
            "probabilities": pass.probabilities,
            "confidences": view.confidences(&pass),
            "start_confidences": start,
            "loss": sample.label.map(|label| pass.loss(label)),
            "backward": drawing.backward(),
            "far": query.picture.and_then(|number| self.is_far(&self.picture(number)?)),
        });
        extend(&mut json, more);
        Ok(Value::Object(json))
    }

    /// Returns the outputs of those units of each hidden layer that the film shows.
    fn film_activations(&self, view: &ModelView, pass: &ForwardPass) -> Map<String, Value> {
        let Ok(scene) = self.scene() else { return Map::new() };
        let of_layer = |(layer, units): (&Layer, &Vec<usize>)| {
            let y = pass.value(layer.y);
            let shown: Vec<f64> = units.iter().map(|&unit| y[unit]).collect();
            (layer.name.clone(), base64_f32(&shown).into())
        };
        let hidden = view.layers().len() - 1;
        view.layers()[..hidden].iter().zip(&scene.units).map(of_layer).collect()
    }
}

/// A pass with the units that a drawing of it shows.
struct Drawing<'a> {
    view: &'a ModelView,
    pass: &'a ForwardPass,
    /// The class, with the backward pass of its loss.
    back: Option<(usize, BackwardPass)>,
    /// Columns of the input; none for pictures, which are drawn whole.
    inputs: Vec<usize>,
    /// Units of each layer.
    units: Vec<Vec<usize>>,
}

impl<'a> Drawing<'a> {
    fn new(
        view: &'a ModelView,
        pass: &'a ForwardPass,
        class: Option<usize>,
        is_picture: bool,
    ) -> Self {
        let back = class.map(|class| (class, view.backward(pass, class)));
        let (hidden, last) = view.layers().split_at(view.layers().len() - 1);
        let units = hidden.iter().map(|layer| {
            let arriving = back.as_ref().map(|(_, back)| back.gradient(layer.y));
            shown_units(pass, layer, arriving)
        });
        let outputs = last.iter().map(|_| shown_outputs(&pass.probabilities, class));
        let units = units.chain(outputs).collect();
        let x = pass.value(view.layers()[0].x);
        let inputs = if is_picture { Vec::new() } else { in_order(largest(x, MAX_UNITS)) };
        Self { view, pass, back, inputs, units }
    }

    /// Describes the outputs of each layer, and what the edges add to the sums.
    fn forward(&self) -> Vec<Value> {
        let layer = |(i, layer): (usize, &Layer)| {
            let y = self.pass.value(layer.y);
            let inputs = match i.checked_sub(1) {
                Some(before) => self.units[before].clone(),
                None if self.inputs.is_empty() => (0..self.view.inputs(layer)).collect(),
                None => self.inputs.clone(),
            };
            let between = [&inputs[..], &self.units[i]];
            json!({
                "name": layer.name,
                "units": y.len(),
                "active": y.iter().filter(|&&y| y > 0.0).count() as f64 / y.len() as f64,
                "drawn": values_of(&self.units[i], y),
                "edges": edges(&self.view.forward_edges(self.pass, layer, between, MAX_EDGES)),
            })
        };
        self.view.layers().iter().enumerate().map(layer).collect()
    }

    /// Describes the gradients of the loss, and what of them the edges take back.
    fn backward(&self) -> Value {
        let Some((class, back)) = &self.back else { return Value::Null };
        let (view, layers) = (self.view, self.view.layers());
        let dx = back.gradient(layers[0].x);
        let reached =
            if self.inputs.is_empty() { largest(dx, MAX_UNITS) } else { self.inputs.clone() };
        let layer = |(i, layer): (usize, &Layer)| {
            let dz = back.gradient(layer.sum);
            let inputs = i.checked_sub(1).map_or(&reached, |before| &self.units[before]);
            let between = [&inputs[..], &self.units[i]];
            json!({
                "name": layer.name,
                "open": self.pass.value(layer.z).iter().filter(|&&z| is_open(layer, z)).count(),
                "arrives": norm(back.gradient(layer.y)),
                "norm": norm(dz),
                "deltas": self.units[i].iter().map(|&unit| dz[unit]).collect::<Vec<_>>(),
                "edges": edges(&view.backward_edges(back, layer, between, MAX_EDGES)),
                "steepest": steepest(dz, self.pass.value(layer.x)),
            })
        };
        let scale = max_abs(dx);
        json!({
            "target": class,
            "layers": layers.iter().enumerate().map(layer).collect::<Vec<_>>(),
            "inputs": values_of(&reached, dx),
            "input": STANDARD.encode(signed_bytes(dx, scale)),
            "input_scale": scale,
        })
    }
}

/// Whether a unit passes an error back. Only the gate of ReLU can be shut.
fn is_open(layer: &Layer, z: f64) -> bool {
    layer.f != Activation::Relu || z > 0.0
}

/// Chooses the units of a hidden layer that a drawing shows: those with the largest outputs, and
/// some with a shut gate, behind which most of the `arriving` error is held back. Without an error
/// such units only fill up.
fn shown_units(pass: &ForwardPass, layer: &Layer, arriving: Option<&[f64]>) -> Vec<usize> {
    let (y, z) = (pass.value(layer.y), pass.value(layer.z));
    let of = |values: &[f64], open| {
        let mut units = largest(values, y.len());
        units.retain(|&unit| is_open(layer, z[unit]) == open);
        units
    };
    let (mut open, mut shut) = (of(y, true), of(arriving.unwrap_or(y), false));
    let max_shut = if arriving.is_some() { MAX_SHUT } else { 0 };
    shut.truncate(max_shut.max(MAX_UNITS.saturating_sub(open.len())));
    open.truncate(MAX_UNITS - shut.len());
    open.extend(shut);
    in_order(open)
}

/// Chooses the outputs with the largest predictions, and the true class.
fn shown_outputs(probabilities: &[f64], class: Option<usize>) -> Vec<usize> {
    let mut shown = largest(probabilities, MAX_UNITS);
    if let Some(class) = class
        && !shown.contains(&class)
    {
        shown.pop();
        shown.push(class);
    }
    in_order(shown)
}

fn in_order(mut indices: Vec<usize>) -> Vec<usize> {
    indices.sort_unstable();
    indices
}

fn norm(values: &[f64]) -> f64 {
    values.iter().map(|value| value * value).sum::<f64>().sqrt()
}

fn values_of(units: &[usize], values: &[f64]) -> Vec<Value> {
    units.iter().map(|&unit| json!({ "unit": unit, "value": values[unit] })).collect()
}

/// Lists edges, `[input, unit, carried]`.
fn edges(edges: &[Edge]) -> Vec<(usize, usize, f32)> {
    edges.iter().map(|edge| (edge.input, edge.unit, edge.carried as f32)).collect()
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
