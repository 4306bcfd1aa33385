//! Inspects a network: each unit's value for a sample, the gradients of its loss, and the weights.
//!
//! For people: single samples in f64 with the plain functions of `nn`, and batches through a
//! backend. A view owns a copy of the weights, so it cannot change a training.

pub mod ablation;
pub mod batch;
pub mod edges;
pub mod gradient_check;
pub mod landscape;
pub mod maximise;
pub mod motion;
pub mod pass;
pub mod probe;

use std::sync::Arc;

use klubok_model::Model;
use klubok_nn::{
    backend::Backend,
    plan::{Activation, Augment, Op, Param, Plan, Value},
    state::{Numbers, Weights},
};

/// A trained network, layer by layer, ready for inspection.
#[derive(Clone)]
pub struct ModelView {
    /// Network, preprocessing, classes and weights.
    pub model: Model,
    /// Evaluates batches.
    backend: Arc<dyn Backend>,
    plan: Plan,
    layers: Vec<Layer>,
}

/// Where a layer's values are in the plan.
#[derive(Debug, Clone)]
pub struct Layer {
    /// `hidden1`, ..., `output`.
    pub name: String,
    /// Its weights, `[units, inputs]`.
    pub w: Param,
    /// Its biases; none before batch normalisation.
    pub b: Option<Param>,
    /// Its input.
    pub x: Value,
    /// `W x + b`.
    pub sum: Value,
    /// Input of the activation: the sum, or its normalised value.
    pub z: Value,
    /// Its output.
    pub y: Value,
    /// The activation; identity for the output.
    pub f: Activation,
}

impl ModelView {
    /// Creates a view of this model. `backend` evaluates batches.
    pub fn new(model: Model, backend: Arc<dyn Backend>) -> Self {
        let prepare = model.preprocessing.prepare(Augment::default());
        let plan = model.network.lower_for_inference(prepare);
        let layers = layers(&plan);
        Self { model, backend, plan, layers }
    }

    /// Returns the network as a list of operations.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Returns the layers, from the input on.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// Returns the same network with its weights in f64, which is faster for many single samples.
    #[must_use]
    pub fn in_f64(&self) -> Self {
        let mut view = self.clone();
        let weights = &mut view.model.weights;
        for numbers in weights.params.iter_mut().chain(&mut weights.running) {
            *numbers = Numbers::F64(numbers.to_f64());
        }
        view
    }

    /// Replaces the weights by others of the same network.
    pub fn set_weights(&mut self, weights: Weights) {
        self.model.weights = weights;
    }

    /// Returns the number of a layer's inputs.
    pub fn inputs(&self, layer: &Layer) -> usize {
        self.plan.widths[layer.x.0]
    }

    /// Returns the number of a layer's units.
    pub fn units(&self, layer: &Layer) -> usize {
        self.plan.widths[layer.y.0]
    }

    /// Returns the weights of a unit.
    ///
    /// # Panics
    /// When the layer has no such unit.
    pub fn unit(&self, layer: &Layer, unit: usize) -> Vec<f64> {
        let inputs = self.inputs(layer);
        self.model.weights.params[layer.w.0].range(unit * inputs..(unit + 1) * inputs)
    }
}

/// Extracts the layers of a plan, which is a chain.
fn layers(plan: &Plan) -> Vec<Layer> {
    let mut layers: Vec<Layer> = Vec::new();
    for op in &plan.ops {
        match *op {
            Op::Linear { y, x, w, b } => {
                let name = plan.layers[plan.params[w.0].layer].clone();
                let f = Activation::Identity;
                layers.push(Layer { name, w, b, x, sum: y, z: y, y, f });
            }
            Op::Norm { y, .. } => layers.iter_mut().last().into_iter().for_each(|layer| {
                (layer.z, layer.y) = (y, y);
            }),
            Op::Activate { y, f, .. } => layers.iter_mut().last().into_iter().for_each(|layer| {
                (layer.y, layer.f) = (y, f);
            }),
            // Inference drops nothing.
            Op::Dropout { .. } | Op::Input { .. } => {}
        }
    }
    layers
}

#[cfg(test)]
mod tests {
    use klubok_cpu::CpuBackend;
    use klubok_model::{Fit, Input, Preprocessing};
    use klubok_nn::{
        calibration::Calibration,
        init::Init,
        network::{Hidden, Network, OutputKind, Start},
        plan::Picture,
    };

    use super::*;

    /// A network with pictures of three pixels, four hidden units with batch normalisation, five
    /// without, and two classes.
    pub(super) fn view() -> ModelView {
        let hidden = |units, batch_norm| Hidden {
            units,
            activation: Activation::Relu,
            batch_norm,
            dropout: 0.5,
        };
        let network = Network {
            inputs: 3,
            input_dropout: 0.0,
            hidden: vec![hidden(4, true), hidden(5, false)],
            outputs: 2,
            answer: OutputKind::Classes,
        };
        let init = Init::He;
        let start = Start { hidden: init, output: init, output_bias: vec![] };
        let state = network.start(&start, 3);
        let preprocessing = Preprocessing {
            input: Input::Pictures(Picture { width: 3, height: 1, channels: 1 }),
            fit: Fit::Squash,
            mean: vec![0.4],
            std: vec![0.2],
            target: None,
        };
        let weights = Weights { params: state.params, running: state.running };
        let outputs = vec!["cat".to_owned(), "dog".to_owned()];
        let calibration = Calibration::NONE;
        let model = Model { network, preprocessing, outputs, calibration, card: None, weights };
        ModelView::new(model, Arc::new(CpuBackend::new(1)))
    }

    #[test]
    fn finds_the_layers_and_their_values() {
        let view = view();
        let names: Vec<&str> = view.layers().iter().map(|layer| layer.name.as_str()).collect();
        assert_eq!(names, ["hidden1", "hidden2", "output"]);
        let sizes: Vec<[usize; 2]> =
            view.layers().iter().map(|layer| [view.inputs(layer), view.units(layer)]).collect();
        assert_eq!(sizes, [[3, 4], [4, 5], [5, 2]]);
        let [first, second, _] = view.layers() else { unreachable!() };
        assert!(first.b.is_none() && first.sum != first.z && first.z != first.y);
        assert!(second.b.is_some() && second.sum == second.z);
    }
}
