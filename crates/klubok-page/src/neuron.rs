//! What the panels of a neuron ask: what it reads and makes of that, and the proof of
//! backpropagation on one of its weights.

use klubok::inspect::ModelView;
use serde_json::{Map, Value, json};

use super::{
    answer::{Answer, extend, floats, sizes},
    hub::Hub,
    sample::Which,
};

impl Hub {
    /// One neuron: what it reads, what it weighs it with, what it makes of that.
    pub(super) fn look_at_neuron(
        &self,
        layer: &str,
        unit: usize,
        which: Which,
        moment: Option<u64>,
    ) -> Answer {
        self.said(&self.frequent, moment, &format!("neuron {layer} {unit} {which:?}"), |view| {
            self.neuron(layer, unit, which, view)
        })
    }

    fn neuron(&self, layer: &str, unit: usize, which: Which, view: &ModelView) -> Answer {
        let sample = self.sample(which)?;
        let at = place_of(view, layer)?;
        let own = &view.layers()[at];
        if unit >= view.units(own) {
            return Err("the layer has no such unit".to_owned());
        }
        let pass = view.forward(&sample.stored);
        let from = at.checked_sub(1).map_or("input", |before| &view.layers()[before].name);
        let bias = own.b.map_or(0.0, |b| view.model.weights.params[b.0].range(unit..unit + 1)[0]);
        let mut answer = match (at, self.about.shape()) {
            (0, Some(shape)) => sizes(shape),
            _ => Map::new(),
        };
        let more = json!({
            "layer": layer,
            "unit": unit,
            "inputs": view.inputs(own),
            "x": floats(pass.value(own.x)),
            "w": floats(&view.unit(own, unit)),
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
        let (step, view) = self.weights_at(moment)?;
        let at = place_of(&view, layer)?;
        let own = &view.layers()[at];
        let (unit, input) =
            weight.unwrap_or_else(|| view.steepest_weight(&sample.stored, label, at));
        if unit >= view.units(own) || input >= view.inputs(own) {
            return Err("the layer has no such weight".to_owned());
        }
        let slope = view.check_gradient(&sample.stored, label, at, unit, input);
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

/// The place of a layer, by its name.
pub(super) fn place_of(view: &ModelView, layer: &str) -> Result<usize, String> {
    let at = view.layers().iter().position(|own| own.name == layer);
    at.ok_or_else(|| "there is no such layer".to_owned())
}
