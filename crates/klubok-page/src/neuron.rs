//! The panels of a neuron: its inputs, weights and output, and a gradient check of one weight.

use klubok::inspect::ModelView;
use serde_json::{Map, Value, json};

use super::{
    encoding::{base64_f32, extend, shape_json},
    hub::Hub,
    inspection::InspectionResult,
    moment::At,
    sample::SampleQuery,
};

impl Hub {
    /// Describes one neuron on a sample: inputs, weights, pre-activation and output.
    pub(super) fn inspect_neuron(
        &self,
        layer: &str,
        unit: usize,
        query: SampleQuery,
        at: At,
    ) -> InspectionResult {
        let key = format!("neuron {layer} {unit} {query:?}");
        self.get_or_compute(&self.frequent, at, &key, |view| self.neuron(layer, unit, query, view))
    }

    fn neuron(
        &self,
        layer: &str,
        unit: usize,
        query: SampleQuery,
        view: &ModelView,
    ) -> InspectionResult {
        let sample = self.sample(query)?;
        let index = layer_index(view, layer)?;
        let own = &view.layers()[index];
        if unit >= view.units(own) {
            return Err("the layer has no such unit".to_owned());
        }
        let pass = view.forward(&sample.stored);
        let from = index.checked_sub(1).map_or("input", |before| &view.layers()[before].name);
        let bias = own.b.map_or(0.0, |b| view.model.weights.params[b.0].range(unit..unit + 1)[0]);
        let mut json = match (index, self.run.shape()) {
            (0, Some(shape)) => shape_json(shape),
            _ => Map::new(),
        };
        let more = json!({
            "layer": layer,
            "unit": unit,
            "inputs": view.inputs(own),
            "x": base64_f32(pass.value(own.x)),
            "w": base64_f32(&view.unit(own, unit)),
            "b": bias,
            "sum": pass.value(own.sum)[unit],
            "z": pass.value(own.z)[unit],
            "a": pass.value(own.y)[unit],
            "activation": own.f,
            "normalised": own.sum != own.z,
            "from": from,
        });
        extend(&mut json, more);
        Ok(Value::Object(json))
    }

    /// Checks the gradient of one weight, `(unit, input)`, by central differences; by default the
    /// weight with the largest gradient of its layer.
    pub(super) fn inspect_gradient_check(
        &self,
        layer: &str,
        weight: Option<(usize, usize)>,
        query: SampleQuery,
        at: At,
    ) -> InspectionResult {
        let sample = self.sample(query)?;
        let label = sample.label.ok_or("nobody said what the picture shows")?;
        let (step, view) = self.network_at(at)?;
        let index = layer_index(&view, layer)?;
        let own = &view.layers()[index];
        let (unit, input) =
            weight.unwrap_or_else(|| view.steepest_weight(&sample.stored, label, index));
        if unit >= view.units(own) || input >= view.inputs(own) {
            return Err("the layer has no such weight".to_owned());
        }
        let slope = view.check_gradient(&sample.stored, label, index, unit, input);
        Ok(json!({
            "step": step,
            "layer": layer,
            "unit": unit,
            "input": input,
            "weight": slope.weight,
            "epsilon": slope.epsilon,
            "loss": slope.loss,
            "moved": slope.moved,
            "measured": slope.numeric,
            "told": slope.analytic,
        }))
    }
}

/// Returns the index of a layer by its name.
pub(super) fn layer_index(view: &ModelView, layer: &str) -> Result<usize, String> {
    let index = view.layers().iter().position(|own| own.name == layer);
    index.ok_or_else(|| "there is no such layer".to_owned())
}
