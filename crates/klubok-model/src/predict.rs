//! Predicts a single sample, for a program that answers requests.
//!
//! A prediction runs on the caller's thread, takes no lock, and allocates only to grow its
//! [`Scratch`]. It computes in `f32` what a backend computes in evaluation: preprocessing, layers,
//! batch normalisation by the running statistics, and no dropout. Sums have another order than in
//! `klubok-cpu`, so the last bits differ from those of an evaluation.
//!
//! Every field of a [`Model`] is public. So each prediction checks all sizes, and nothing derived
//! from the weights is kept: square roots of the variances cost little beside a layer's product.

use std::array;

use klubok_kernels::{activation, isa::Isa, product::dots};
use klubok_nn::{layers::batch_norm::EPSILON, plan::Picture, state::Numbers};

use super::{Flaw, Input, Model, ModelError, Preprocessing, model::has_sizes};

/// Values that are normalised at a time: whole pixels, of 1 channel or of 3.
const BLOCK: usize = 48;

/// Memory of predictions. The first prediction with a model may grow it. One scratch serves any
/// number of models in turn; each thread needs its own.
#[derive(Debug, Clone)]
pub struct Scratch {
    isa: Isa,
    /// Input of a layer; finally the logits.
    x: Vec<f32>,
    /// Output of a layer.
    z: Vec<f32>,
    /// Logits, then the prediction.
    prediction: Vec<f64>,
}

impl Default for Scratch {
    fn default() -> Self {
        Self { isa: Isa::best(), x: Vec::new(), z: Vec::new(), prediction: Vec::new() }
    }
}

impl Model {
    /// Predicts one sample, as [`Model::predict_into`] does, with new memory.
    ///
    /// # Errors
    /// As [`Model::predict_into`].
    pub fn predict(&self, sample: &[f32]) -> Result<Vec<f32>, ModelError> {
        let mut scratch = Scratch::default();
        self.forward(sample, &mut scratch)?;
        let mut out = vec![0.0; scratch.x.len()];
        self.answer(&mut out, &mut scratch);
        Ok(out)
    }

    /// Predicts one sample: writes a value for each output.
    ///
    /// `sample` is a row as stored, in its own units: pixels from 0 to 255, row by row with the
    /// channels of a pixel side by side, or the values of the columns. `out` becomes
    ///
    /// - calibrated confidences of the classes, whose sum is 1,
    /// - the confidence of each label, or
    /// - the predicted numbers, in their own units.
    ///
    /// The same machine always gives the same bits. A finite sample can be so large that `f32`
    /// overflows within the network; its prediction means nothing and may not be finite.
    ///
    /// # Errors
    /// When `sample` or `out` has the wrong size, a value of the sample is infinite or not a
    /// number, or the fields of the model do not fit each other ([`ModelError::Unusable`]).
    pub fn predict_into(
        &self,
        sample: &[f32],
        out: &mut [f32],
        scratch: &mut Scratch,
    ) -> Result<(), ModelError> {
        let (got, expected) = (out.len(), self.network.outputs);
        if got != expected {
            return Err(ModelError::PredictionSize { expected, got });
        }
        self.forward(sample, scratch)?;
        self.answer(out, scratch);
        Ok(())
    }

    /// Computes the logits, in `scratch.x`.
    fn forward(&self, sample: &[f32], scratch: &mut Scratch) -> Result<(), ModelError> {
        let (got, expected) = (sample.len(), self.network.inputs);
        if got != expected {
            return Err(ModelError::SampleSize { expected, got });
        }
        // Without an early exit the loop is vectorised.
        let is_finite = sample.iter().fold(true, |all, value| all & value.is_finite());
        if !is_finite && let Some(index) = sample.iter().position(|value| !value.is_finite()) {
            return Err(ModelError::NotFinite { index, value: sample[index] });
        }
        self.layers(sample, scratch).ok_or_else(|| {
            // `check` finds whatever `layers` found.
            let flaw = self.check().err().unwrap_or(Flaw::Empty);
            ModelError::Unusable { flaw }
        })
    }

    /// Computes the logits of a finite sample, in `scratch.x`; `None` if a size does not fit.
    fn layers(&self, sample: &[f32], scratch: &mut Scratch) -> Option<()> {
        let Scratch { isa, x, z, .. } = scratch;
        let isa = *isa;
        normalise(x, sample, &self.preprocessing)?;
        let mut params = Tensors(&self.weights.params);
        let mut running = Tensors(&self.weights.running);
        for layer in &self.network.hidden {
            let units = layer.units;
            multiply(isa, z, x, params.next(units.checked_mul(x.len())?)?, units)?;
            if layer.batch_norm {
                let (gain, shift) = (params.next(units)?, params.next(units)?);
                let (mean, variance) = (running.next(units)?, running.next(units)?);
                each(z, mean, |z, mean| z - mean);
                each(z, variance, |z, variance| z / (variance + EPSILON as f32).sqrt());
                each(z, gain, |z, gain| z * gain);
                each(z, shift, |z, shift| z + shift);
            } else {
                each(z, params.next(units)?, |z, bias| z + bias);
            }
            activation::forward(isa, layer.activation.into(), z, units, units, &[], &mut []);
            std::mem::swap(x, z);
        }
        let outputs = self.network.outputs;
        multiply(isa, z, x, params.next(outputs.checked_mul(x.len())?)?, outputs)?;
        each(z, params.next(outputs)?, |z, bias| z + bias);
        std::mem::swap(x, z);
        // The vectors may have changed places: the next prediction shall not need to grow them.
        let capacity = x.capacity().max(z.capacity());
        for vector in [x, z] {
            vector.reserve_exact(capacity - vector.len());
        }
        (params.0.is_empty() && running.0.is_empty()).then_some(())
    }

    /// Turns the logits in `scratch.x` into a prediction.
    fn answer(&self, out: &mut [f32], scratch: &mut Scratch) {
        let Scratch { x: logits, prediction, .. } = scratch;
        prediction.clear();
        prediction.extend(logits.iter().map(|z| f64::from(*z)));
        self.to_prediction(prediction);
        out.iter_mut().zip(prediction).for_each(|(out, value)| *out = *value as f32);
    }
}

/// Tensors that are still unused.
struct Tensors<'a>(&'a [Numbers]);

impl<'a> Tensors<'a> {
    /// The next tensor, if it has `len` values.
    fn next(&mut self, len: usize) -> Option<&'a Numbers> {
        let (next, rest) = self.0.split_first()?;
        self.0 = rest;
        (next.len() == len).then_some(next)
    }
}

/// `x = (stored - mean) / std`; `None` if a size does not fit.
fn normalise(x: &mut Vec<f32>, stored: &[f32], preprocessing: &Preprocessing) -> Option<()> {
    if stored.is_empty() || !has_sizes(preprocessing, stored.len()) {
        return None;
    }
    let Preprocessing { input, mean, std, .. } = preprocessing;
    x.clear();
    x.extend_from_slice(stored);
    match input {
        Input::Pictures(Picture { channels: 1, .. }) => scale_pixels::<1>(x, mean, std),
        Input::Pictures(Picture { channels: 3, .. }) => scale_pixels::<3>(x, mean, std),
        Input::Pictures(_) => None,
        Input::Columns(_) => {
            scale(x, mean, std);
            Some(())
        }
    }
}

/// [`scale`] with the mean and standard deviation of each channel; `None` if there are not `C`.
fn scale_pixels<const C: usize>(x: &mut [f32], mean: &[f32], std: &[f32]) -> Option<()> {
    let [mean, std]: [&[f32; C]; 2] = [mean.try_into().ok()?, std.try_into().ok()?];
    let [mean, std]: [[f32; BLOCK]; 2] = [mean, std].map(|c| array::from_fn(|i| c[i % C]));
    let (blocks, rest) = x.as_chunks_mut::<BLOCK>();
    blocks.iter_mut().for_each(|x| scale(x, &mean, &std));
    scale(rest, &mean, &std);
    Some(())
}

/// `x = (x - mean) / std`, element by element.
fn scale(x: &mut [f32], mean: &[f32], std: &[f32]) {
    for (x, (mean, std)) in x.iter_mut().zip(mean.iter().zip(std)) {
        *x = (*x - mean) / std;
    }
}

/// `z = w x`; `None` without units. `w` has as many values as the product of both sizes.
fn multiply(isa: Isa, z: &mut Vec<f32>, x: &[f32], w: &Numbers, units: usize) -> Option<()> {
    z.resize(units, 0.0);
    match w {
        Numbers::F32(w) => dots(isa, z, w, x),
        // Weights of the reference backend.
        Numbers::F64(w) => {
            for (z, w) in z.iter_mut().zip(w.chunks_exact(x.len())) {
                *z = w.iter().zip(x).map(|(w, x)| w * f64::from(*x)).sum::<f64>() as f32;
            }
        }
    }
    (units > 0).then_some(())
}

/// `z = f(z, values)`, element by element.
fn each(z: &mut [f32], values: &Numbers, f: impl Fn(f32, f32) -> f32) {
    match values {
        Numbers::F32(values) => z.iter_mut().zip(values).for_each(|(z, v)| *z = f(*z, *v)),
        Numbers::F64(values) => z.iter_mut().zip(values).for_each(|(z, v)| *z = f(*z, *v as f32)),
    }
}

#[cfg(test)]
mod tests;
