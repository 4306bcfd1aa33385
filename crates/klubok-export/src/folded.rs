//! A network reduced to what a prediction computes.

use klubok_model::{Card, Errors, Fit, Input, Model};
use klubok_nn::{network::OutputKind, plan::Activation, state::Numbers};

/// A trained network as sums and activations alone.
///
/// `x = (stored - mean) / std`, then each layer in order, then the [`Answer`].
#[derive(Debug, Clone, PartialEq)]
pub struct Folded {
    /// What a row is.
    pub input: Input,
    /// How a picture of another shape becomes a row.
    pub fit: Fit,
    /// Means of stored values, per channel or column: they repeat over the row.
    pub mean: Vec<f32>,
    /// Standard deviations, likewise.
    pub std: Vec<f32>,
    /// The layers, the output layer last.
    pub layers: Vec<Dense>,
    /// From the last sums to the prediction.
    pub answer: Answer,
    /// Names of the outputs.
    pub outputs: Vec<String>,
    /// How good the trained network is, in a sentence, if its card says it.
    pub quality: Option<String>,
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
        let preprocessing = model.preprocessing.clone();
        Self {
            input: preprocessing.input,
            fit: preprocessing.fit,
            mean: preprocessing.mean,
            std: preprocessing.std,
            layers,
            answer,
            outputs: model.outputs.clone(),
            quality: model.card.as_ref().and_then(quality),
        }
    }

    /// Number of stored values in a row.
    pub fn inputs(&self) -> usize {
        self.layers[0].inputs
    }

    /// The activations that occur, each once.
    pub(crate) fn activations(&self) -> Vec<Activation> {
        let occurs = |f: &Activation| self.layers.iter().any(|layer| layer.activation == *f);
        Activation::ALL.into_iter().filter(occurs).collect()
    }

    /// Whether a prediction needs the exponential.
    pub(crate) fn needs_exponential(&self) -> bool {
        let rational = [Activation::Relu, Activation::LeakyRelu, Activation::Identity];
        self.answer != Answer::Numbers || self.activations().iter().any(|f| !rational.contains(f))
    }

    /// The sizes of two buffers, of which layers read one and write the other in turns. The first
    /// layer reads the first.
    pub(crate) fn buffers(&self) -> (usize, usize) {
        let widest = |from: usize| {
            let widths = self.layers.iter().skip(from).step_by(2).map(|layer| layer.bias.len());
            widths.max().unwrap_or(1)
        };
        (self.inputs().max(widest(1)), widest(0))
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

/// How good the trained network is, from its card.
fn quality(card: &Card) -> Option<String> {
    if let Some(of) = card.validation {
        let [low, high] = of.accuracy_interval.map(|share| 100.0 * share);
        return Some(format!(
            "Accuracy of the trained network on {} validation samples: {:.1} % (95 % interval {low:.1} to {high:.1}), guessing {:.1} %.",
            of.samples,
            100.0 * of.accuracy,
            100.0 * of.chance
        ));
    }
    let Errors { rmse, r2, samples, .. } = card.errors?;
    Some(format!(
        "Errors of the trained network on {samples} validation samples: RMSE {rmse:.4e}, R2 {r2:.3}."
    ))
}

fn to_f32(values: &[f64]) -> Vec<f32> {
    values.iter().map(|value| *value as f32).collect()
}
