//! A network reduced to what a prediction computes.

use klubok_model::{Input, Model};
use klubok_nn::{network::OutputKind, plan::Activation, state::Numbers};

/// A trained network as sums and activations alone.
///
/// `x = stored * factor + offset`, then each layer in order, then the [`Answer`].
#[derive(Debug, Clone, PartialEq)]
pub struct Folded {
    /// What a row is.
    pub input: Input,
    /// Factors of stored values, per channel or column: they repeat over the row.
    pub factor: Vec<f32>,
    /// Offsets, likewise.
    pub offset: Vec<f32>,
    /// The layers, the output layer last.
    pub layers: Vec<Dense>,
    /// From the last sums to the prediction.
    pub answer: Answer,
    /// Names of the outputs.
    pub outputs: Vec<String>,
}

/// A layer: `y = f(Wx + b)`.
#[derive(Debug, Clone, PartialEq)]
pub struct Dense {
    /// Number of inputs.
    pub inputs: usize,
    /// `W`, `[out, in]`.
    pub weights: Vec<f32>,
    /// `b`, one of each unit.
    pub bias: Vec<f32>,
    /// `f`.
    pub activation: Activation,
}

/// From the sums of the output layer to a prediction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Answer {
    /// `p = (1 - u) softmax(z) + u / K` of `K` classes.
    Classes {
        /// `u`, the share of the uniform distribution.
        uniform: f32,
    },
    /// The sigmoid of each sum.
    Labels,
    /// The sums themselves.
    Numbers,
}

impl Folded {
    /// Folds a model that was loaded or trained, whose fields fit each other.
    pub fn new(model: &Model) -> Self {
        let (network, weights) = model.network.fold(&model.weights);
        let mut tensors = weights.params.iter().map(Numbers::to_f64);
        let mut inputs = network.inputs;
        let hidden = network.hidden.iter().map(|layer| layer.activation);
        let mut layers: Vec<Dense> = Vec::new();
        let (scale, shift) = last_scale(model);
        let last = network.hidden.len();
        for (i, activation) in hidden.chain([Activation::Identity]).enumerate() {
            let mut w = tensors.next().unwrap_or_default();
            let mut b = tensors.next().unwrap_or_default();
            if i == last {
                for (k, row) in w.chunks_exact_mut(inputs).enumerate() {
                    row.iter_mut().for_each(|w| *w *= scale[k]);
                    b[k] = b[k] * scale[k] + shift[k];
                }
            }
            let units = b.len();
            layers.push(Dense { inputs, weights: to_f32(&w), bias: to_f32(&b), activation });
            inputs = units;
        }
        let answer = match network.answer {
            OutputKind::Classes => Answer::Classes { uniform: model.calibration.uniform as f32 },
            OutputKind::Labels => Answer::Labels,
            OutputKind::Numbers => Answer::Numbers,
        };
        let preprocessing = &model.preprocessing;
        let scales = || preprocessing.mean.iter().zip(&preprocessing.std);
        let factor = scales().map(|(_, std)| (1.0 / f64::from(*std)) as f32).collect();
        let offset =
            scales().map(|(mean, std)| (-f64::from(*mean) / f64::from(*std)) as f32).collect();
        Self {
            input: preprocessing.input.clone(),
            factor,
            offset,
            layers,
            answer,
            outputs: model.outputs.clone(),
        }
    }

    /// Number of stored values in a row.
    pub fn inputs(&self) -> usize {
        self.layers[0].inputs
    }
}

/// What the last sums are multiplied by, and what is added then: the temperature of classes, the
/// scale of numbers.
fn last_scale(model: &Model) -> (Vec<f64>, Vec<f64>) {
    let outputs = model.network.outputs;
    match (model.network.answer, &model.preprocessing.target) {
        (OutputKind::Classes, _) => {
            (vec![1.0 / model.calibration.temperature; outputs], vec![0.0; outputs])
        }
        (OutputKind::Numbers, Some(target)) => {
            let wide = |values: &[f32]| values.iter().map(|v| f64::from(*v)).collect();
            (wide(&target.std), wide(&target.mean))
        }
        _ => (vec![1.0; outputs], vec![0.0; outputs]),
    }
}

fn to_f32(values: &[f64]) -> Vec<f32> {
    values.iter().map(|value| *value as f32).collect()
}
