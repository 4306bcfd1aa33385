//! A multilayer perceptron as people describe it, and its lowering to a plan.

use serde::{Deserialize, Serialize};

use crate::{
    init::{self, Init},
    layers::{activation, batch_norm, dropout, input, linear},
    optim::UpdateSpec,
    plan::{Activation, Augment, LossSpec, ParamSpec, Plan, Prepare, RunningSpec},
    state::{Numbers, State, Weights},
};

/// Most hidden layers of a network, in settings and files.
pub const MOST_HIDDEN: usize = 1000;

/// A multilayer perceptron: what a model file calls its specification.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// Input values.
    pub inputs: usize,
    /// Chance to drop an input value in training.
    pub input_dropout: f32,
    /// Hidden layers, from the input on.
    pub hidden: Vec<Hidden>,
    /// Output values: one a class, a label or a number to predict.
    pub outputs: usize,
    /// How the last linear values become an answer.
    pub answer: OutputKind,
}

/// One hidden layer: linear, then batch normalisation, activation and dropout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hidden {
    /// Number of units.
    pub units: usize,
    /// What follows the linear part.
    pub activation: Activation,
    /// Normalise over the batch between the two (there is then no bias).
    pub batch_norm: bool,
    /// Chance to drop a unit in training.
    pub dropout: f32,
}

/// How the last linear values ("logits") become an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputKind {
    /// Softmax: confidences of classes that exclude each other.
    Classes,
    /// Sigmoid: a confidence for each label by itself.
    Labels,
    /// As they are: numbers.
    Numbers,
}

/// How a network starts.
#[derive(Debug, Clone, PartialEq)]
pub struct Start {
    /// Weights of hidden layers.
    pub hidden: Init,
    /// Weights of the output layer.
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
            // A bias, or the normalisation's gain and shift.
            count += layer.units * (inputs + if layer.batch_norm { 2 } else { 1 });
            inputs = layer.units;
        }
        count + self.outputs * (inputs + 1)
    }

    /// The plan of this network for whoever only asks it: loss and update rule do not matter there.
    pub fn lower_to_ask(&self, prepare: Prepare) -> Plan {
        self.lower(prepare, LossSpec::CROSS_ENTROPY, UpdateSpec::SGD, 0)
    }

    /// The plan of this network.
    pub fn lower(&self, prepare: Prepare, loss: LossSpec, update: UpdateSpec, seed: u64) -> Plan {
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

    /// The trained parameters and the running statistics, in the order of the plan: what files
    /// hold.
    pub fn tensors(&self) -> (Vec<ParamSpec>, Vec<RunningSpec>) {
        let plan = self.bare_plan();
        (plan.params, plan.running)
    }

    /// A plan for names and shapes, which do not depend on how the network is fed and trained.
    fn bare_plan(&self) -> Plan {
        let (factor, offset, augment) = (vec![], vec![], Augment::default());
        self.lower_to_ask(Prepare { factor, offset, picture: None, augment })
    }

    /// The state before training: f32 values, no moments. The same seed gives the same bits.
    ///
    /// Weights as `start` says, biases and shifts 0, gains 1, running means 0 and variances 1.
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

    /// The weights of one layer before the first step, `[out, in]`; the hidden layers count from 0,
    /// then comes the output.
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

    /// The same function without batch normalisation: running statistics folded into weights and
    /// biases.
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
    fn parameters_are_named_and_counted() {
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
    fn the_start_fits_the_plan() {
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
