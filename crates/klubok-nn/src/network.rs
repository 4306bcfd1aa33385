//! A multilayer perceptron as a list of layers, its lowering to a plan, its initial state, and the
//! folding of batch normalisation.

use serde::{Deserialize, Serialize};

use crate::{
    init::{self, Init},
    layers::{activation, batch_norm, dropout, input, linear},
    optim::UpdateSpec,
    plan::{Activation, Augment, InputSpec, LossSpec, ParamSpec, Plan, RunningSpec},
    state::{Numbers, State, Weights},
};

/// Limit of hidden layers, in settings and files.
pub const MAX_HIDDEN_LAYERS: usize = 1000;

/// A multilayer perceptron. Model files store it as their specification.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// Number of input features.
    pub inputs: usize,
    /// Dropout probability of an input feature.
    pub input_dropout: f32,
    /// Hidden layers, in order from the input.
    pub hidden: Vec<Hidden>,
    /// Number of outputs: one per class, label or predicted number.
    pub outputs: usize,
    /// Meaning of the outputs.
    pub answer: OutputKind,
}

/// One hidden layer: linear, then batch normalisation, activation and dropout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hidden {
    /// Number of units.
    pub units: usize,
    /// Activation function.
    pub activation: Activation,
    /// Batch normalisation between linear layer and activation; the linear layer then has no bias.
    pub batch_norm: bool,
    /// Dropout probability of a unit.
    pub dropout: f32,
}

/// Meaning of the outputs: how logits become a prediction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputKind {
    /// Mutually exclusive classes: softmax turns logits into confidences.
    Classes,
    /// Independent labels: a sigmoid turns each logit into a confidence.
    Labels,
    /// Regression: the outputs are the predicted numbers.
    Numbers,
}

/// Initialisation of a network.
#[derive(Debug, Clone, PartialEq)]
pub struct Start {
    /// Distribution of the weights of hidden layers.
    pub hidden: Init,
    /// Distribution of the weights of the output layer.
    pub output: Init,
    /// Biases of the output layer, or empty for zeros.
    pub output_bias: Vec<f32>,
}

impl Network {
    /// Number of trained parameters.
    pub fn parameters(&self) -> usize {
        let mut inputs = self.inputs;
        let mut count = 0;
        for layer in &self.hidden {
            // Each unit has a bias, or a gain and a shift.
            count += layer.units * (inputs + if layer.batch_norm { 2 } else { 1 });
            inputs = layer.units;
        }
        count + self.outputs * (inputs + 1)
    }

    /// Lowers the network to a plan for inference. Its loss and update rule are placeholders.
    pub fn lower_for_inference(&self, prepare: InputSpec) -> Plan {
        self.lower(prepare, LossSpec::CROSS_ENTROPY, UpdateSpec::SGD, 0)
    }

    /// Lowers the network to a plan.
    pub fn lower(&self, prepare: InputSpec, loss: LossSpec, update: UpdateSpec, seed: u64) -> Plan {
        let mut plan = Plan::new(loss, update, seed);
        let mut x = input::lower(&mut plan, self.inputs, prepare);
        x = dropout::lower(&mut plan, x, self.input_dropout, 0);
        for (i, layer) in self.hidden.iter().enumerate() {
            plan.layers.push(format!("hidden{}", i + 1));
            x = linear::lower(&mut plan, x, layer.units, !layer.batch_norm);
            if layer.batch_norm {
                x = batch_norm::lower(&mut plan, x);
            }
            x = activation::lower(&mut plan, x, layer.activation);
            x = dropout::lower(&mut plan, x, layer.dropout, i as u32 + 1);
        }
        plan.layers.push("output".into());
        plan.output = linear::lower(&mut plan, x, self.outputs, true);
        plan
    }

    /// The trained parameters and the running statistics, in the order of the plan and of files.
    pub fn tensors(&self) -> (Vec<ParamSpec>, Vec<RunningSpec>) {
        let plan = self.bare_plan();
        (plan.params, plan.running)
    }

    /// A plan for names and shapes, which depend neither on the input nor on the training.
    fn bare_plan(&self) -> Plan {
        let (factor, offset, augment) = (vec![], vec![], Augment::default());
        self.lower_for_inference(InputSpec { factor, offset, picture: None, augment })
    }

    /// The initial state: f32 values, no moments. The same seed gives the same bits.
    ///
    /// Weights follow `start`. Biases and shifts are 0, gains 1, running means 0 and running
    /// variances 1.
    pub fn start(&self, start: &Start, seed: u64) -> State {
        let mut state = State::default();
        for layer in 0..=self.hidden.len() {
            let hidden = self.hidden.get(layer);
            let outputs = hidden.map_or(self.outputs, |hidden| hidden.units);
            state.params.push(Numbers::F32(self.start_weights(layer, start, seed)));
            if hidden.is_some_and(|hidden| hidden.batch_norm) {
                state.params.push(Numbers::F32(vec![1.0; outputs]));
                state.running.push(Numbers::F32(vec![0.0; outputs]));
                state.running.push(Numbers::F32(vec![1.0; outputs]));
            }
            state.params.push(Numbers::F32(vec![0.0; outputs]));
        }
        if let (Some(Numbers::F32(bias)), false) =
            (state.params.last_mut(), start.output_bias.is_empty())
        {
            bias.copy_from_slice(&start.output_bias);
        }
        state
    }

    /// Initial weights of one layer, `[out, in]`. Index 0 is the first hidden layer, the last index
    /// is the output layer.
    ///
    /// # Panics
    /// When there is no such layer.
    pub fn start_weights(&self, layer: usize, start: &Start, seed: u64) -> Vec<f32> {
        let units = |layer: usize| self.hidden[layer].units;
        let inputs = layer.checked_sub(1).map_or(self.inputs, units);
        let (outputs, init) = if layer < self.hidden.len() {
            (units(layer), start.hidden)
        } else {
            (self.outputs, start.output)
        };
        init::weights(init, outputs, inputs, seed, layer as u32 + 1)
    }

    /// Folds batch normalisation with its running statistics into weights and biases. The network
    /// stays the same function.
    ///
    /// `w' = w gain / √(variance + ε)`, `b' = shift - mean gain / √(variance + ε)`.
    pub fn fold(&self, weights: &Weights) -> (Network, Weights) {
        let mut folded = self.clone();
        let mut params = weights.params.iter().map(Numbers::to_f64);
        let mut running = weights.running.iter().map(Numbers::to_f64);
        let mut next = move || params.next().unwrap_or_default();
        let mut next_running = move || running.next().unwrap_or_default();
        let mut out = Weights::default();
        for layer in &mut folded.hidden {
            let mut w = next();
            if !std::mem::take(&mut layer.batch_norm) {
                out.params.extend([w, next()].map(round));
                continue;
            }
            let (gain, shift) = (next(), next());
            let (mean, variance) = (next_running(), next_running());
            let inputs = w.len() / gain.len();
            let mut b = shift;
            for (unit, w) in w.chunks_exact_mut(inputs).enumerate() {
                let factor = gain[unit] / (variance[unit] + batch_norm::EPSILON).sqrt();
                w.iter_mut().for_each(|w| *w *= factor);
                b[unit] -= mean[unit] * factor;
            }
            out.params.extend([w, b].map(round));
        }
        out.params.extend([next(), next()].map(round));
        (folded, out)
    }
}

fn round(values: Vec<f64>) -> Numbers {
    Numbers::F32(values.into_iter().map(|v| v as f32).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network() -> Network {
        let layer = |units, batch_norm| Hidden {
            units,
            activation: Activation::Relu,
            batch_norm,
            dropout: 0.5,
        };
        let hidden = vec![layer(7, true), layer(5, false)];
        Network { inputs: 4, input_dropout: 0.1, hidden, outputs: 3, answer: OutputKind::Classes }
    }

    #[test]
    fn a_plan_names_and_counts_its_parameters() {
        let plan = network().bare_plan();
        let names: Vec<&str> = plan.params.iter().map(|p| p.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "hidden1.weight",
                "hidden1.norm.weight",
                "hidden1.norm.bias",
                "hidden2.weight",
                "hidden2.bias",
                "output.weight",
                "output.bias"
            ]
        );
        assert_eq!(plan.parameters(), network().parameters());
        assert_eq!(plan.layers, ["hidden1", "hidden2", "output"]);
    }

    #[test]
    fn the_initial_state_fits_the_plan() {
        let start =
            Start { hidden: Init::He, output: Init::Zeros, output_bias: vec![1.0, 2.0, 3.0] };
        let (plan, state) = (network().bare_plan(), network().start(&start, 3));
        let sizes: Vec<usize> = state.params.iter().map(Numbers::len).collect();
        assert_eq!(sizes, plan.params.iter().map(crate::plan::ParamSpec::len).collect::<Vec<_>>());
        let sizes: Vec<usize> = state.running.iter().map(Numbers::len).collect();
        assert_eq!(sizes, plan.running.iter().map(|r| r.len).collect::<Vec<_>>());
        assert_eq!(state.params[6], Numbers::F32(vec![1.0, 2.0, 3.0]));
        assert_eq!(state.params[5], Numbers::F32(vec![0.0; 15]));
    }
}
