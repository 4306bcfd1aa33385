//! Forward and backward pass of one sample, keeping every value.

use std::borrow::Cow;

use klubok_nn::{
    layers::{
        activation,
        batch_norm::{self, EPSILON, Statistics},
        input, linear,
    },
    loss::{log_sum_exp, softmax},
    network::OutputKind,
    plan::{Op, Value},
    state::Numbers,
};

use super::{Layer, ModelView};

/// The forward pass of one sample.
#[derive(Debug, Clone)]
pub struct ForwardPass {
    /// Every value of the plan, by index.
    values: Vec<Vec<f64>>,
    /// The prediction, uncalibrated: `softmax(logits)` for classes, the sigmoid of each logit for
    /// labels, the numbers in the network's units.
    pub probabilities: Vec<f64>,
    logits: Vec<f64>,
}

/// The backward pass from a loss.
#[derive(Debug, Clone)]
pub struct BackwardPass {
    /// The gradient of the loss at every value of the plan, by index.
    gradients: Vec<Vec<f64>>,
}

impl ForwardPass {
    /// Returns a value of the plan.
    pub fn value(&self, value: Value) -> &[f64] {
        &self.values[value.0]
    }

    /// Returns the cross-entropy for this label: `-log p`.
    ///
    /// # Panics
    /// When there is no such class.
    pub fn loss(&self, class: usize) -> f64 {
        log_sum_exp(&self.logits) - self.logits[class]
    }
}

impl BackwardPass {
    /// Returns the gradient of the loss at a value of the plan.
    pub fn gradient(&self, value: Value) -> &[f64] {
        &self.gradients[value.0]
    }
}

impl ModelView {
    /// Runs the forward pass of a stored sample: bytes of pixels or numbers of columns.
    ///
    /// # Panics
    /// When it does not have the network's input size.
    pub fn forward(&self, stored: &[f64]) -> ForwardPass {
        assert_eq!(stored.len(), self.model.network.inputs, "values of a sample");
        let mut values: Vec<Vec<f64>> = self.plan.widths.iter().map(|&n| vec![0.0; n]).collect();
        for op in &self.plan.ops {
            let mut out = std::mem::take(&mut values[op.writes().0]);
            match op {
                Op::Input { prepare, .. } => input::forward(&mut out, stored, prepare),
                Op::Linear { x, w, b, .. } => {
                    let (x, w) = (&values[x.0], &self.model.weights.params[w.0]);
                    let b = b.map_or_else(Cow::default, |b| self.param(b.0));
                    for (i, w) in w.chunks(x.len()).enumerate() {
                        let b = b.get(i..=i).unwrap_or_default();
                        linear::forward(&mut out[i..=i], x, &w, b, x.len());
                    }
                }
                Op::Norm { x, gain, shift, mean, variance, .. } => {
                    let of = self.statistics(mean.0, variance.0);
                    let (gain, shift) = (self.param(gain.0), self.param(shift.0));
                    batch_norm::forward(&mut out, &values[x.0], &gain, &shift, &of);
                }
                Op::Activate { x, f, .. } => activation::forward(&mut out, &values[x.0], *f),
                Op::Dropout { x, .. } => out.copy_from_slice(&values[x.0]),
            }
            values[op.writes().0] = out;
        }
        let logits = values[self.plan.output.0].clone();
        let probabilities = match self.model.network.answer {
            OutputKind::Classes => softmax(&logits),
            OutputKind::Labels => logits.iter().map(|&z| activation::sigmoid(z)).collect(),
            OutputKind::Numbers => logits.clone(),
        };
        ForwardPass { values, probabilities, logits }
    }

    /// Returns the prediction as people see it: calibrated confidences in the classes, those in the
    /// labels, or numbers in their own units.
    pub fn confidences(&self, pass: &ForwardPass) -> Vec<f64> {
        let mut outputs = pass.logits.clone();
        self.model.to_prediction(&mut outputs);
        outputs
    }

    /// Runs the backward pass of the cross-entropy with the label `class`: at the logits its
    /// gradient is `p - y`, and from there on the chain rule.
    ///
    /// # Panics
    /// When there is no such class.
    pub fn backward(&self, pass: &ForwardPass, class: usize) -> BackwardPass {
        let mut error = pass.probabilities.clone();
        error[class] -= 1.0;
        self.backward_from(pass, self.plan.output, &error)
    }

    /// Runs the backward pass from any value of the plan with this gradient.
    ///
    /// # Panics
    /// When the gradient does not have the value's size.
    pub fn backward_from(
        &self,
        pass: &ForwardPass,
        value: Value,
        gradient: &[f64],
    ) -> BackwardPass {
        let mut gradients: Vec<Vec<f64>> = self.plan.widths.iter().map(|&n| vec![0.0; n]).collect();
        gradients[value.0].copy_from_slice(gradient);
        for op in self.plan.ops.iter().rev().skip_while(|op| op.writes() != value) {
            let dy = std::mem::take(&mut gradients[op.writes().0]);
            match op {
                Op::Input { .. } => {}
                Op::Linear { x, w, .. } => {
                    let (dx, w) = (&mut gradients[x.0], &self.model.weights.params[w.0]);
                    let inputs = dx.len();
                    for (w, dy) in w.chunks(inputs).zip(dy.chunks(1)) {
                        linear::backward_input(dx, dy, &w, inputs);
                    }
                }
                Op::Norm { x, gain, mean, variance, .. } => {
                    // Fixed statistics make normalisation a factor.
                    let of = self.statistics(mean.0, variance.0);
                    let gain = self.param(gain.0);
                    let factors = gain.iter().zip(of.variance);
                    let dx = gradients[x.0].iter_mut().zip(&dy).zip(factors);
                    dx.for_each(|((dx, dy), (gain, variance))| {
                        *dx += dy * gain / (variance + EPSILON).sqrt();
                    });
                }
                Op::Activate { x, f, .. } => {
                    activation::backward(&mut gradients[x.0], &dy, &pass.values[x.0], *f);
                }
                Op::Dropout { x, .. } => {
                    gradients[x.0].iter_mut().zip(&dy).for_each(|(dx, dy)| *dx += dy);
                }
            }
            gradients[op.writes().0] = dy;
        }
        BackwardPass { gradients }
    }

    /// Returns the share of a layer's units that pass a gradient back for this sample.
    pub fn active_share(&self, pass: &ForwardPass, layer: &Layer) -> f64 {
        let z = pass.value(layer.z);
        let active = z.iter().filter(|&&z| activation::slope(layer.f, z) != 0.0).count();
        active as f64 / z.len().max(1) as f64
    }

    fn param(&self, index: usize) -> Cow<'_, [f64]> {
        match &self.model.weights.params[index] {
            Numbers::F64(numbers) => Cow::Borrowed(numbers),
            numbers @ Numbers::F32(_) => Cow::Owned(numbers.to_f64()),
        }
    }

    fn statistics(&self, mean: usize, variance: usize) -> Statistics {
        let running = |of: usize| self.model.weights.running[of].to_f64();
        Statistics { mean: running(mean), variance: running(variance) }
    }
}

#[cfg(test)]
mod tests {
    use klubok_nn::plan::Augment;

    use crate::tests::view;

    #[test]
    fn the_loss_is_the_negative_log_probability() {
        let view = view();
        let pass = view.forward(&[1.0, 200.0, 30.0]);
        let total: f64 = pass.probabilities.iter().sum();
        assert!((total - 1.0).abs() < 1e-12);
        assert!((pass.loss(1) + pass.probabilities[1].ln()).abs() < 1e-12);
    }

    #[test]
    fn the_backward_pass_matches_finite_differences() {
        let view = view();
        let stored = [10.0, 200.0, 30.0];
        let pass = view.forward(&stored);
        let back = view.backward(&pass, 1);
        // Preprocessing scales a step of one byte by its factor.
        let factor = f64::from(view.model.preprocessing.prepare(Augment::default()).factor[0]);
        for i in 0..stored.len() {
            let at = |by: f64| {
                let mut moved = stored;
                moved[i] += by;
                view.forward(&moved).loss(1)
            };
            let slope = (at(1e-4) - at(-1e-4)) / 2e-4;
            let got = back.gradient(view.layers()[0].x)[i] * factor;
            assert!((slope - got).abs() < 1e-7 * (1.0 + slope.abs()), "{i}: {slope} {got}");
        }
    }

    #[test]
    fn units_with_an_output_pass_gradients() {
        let view = view();
        let pass = view.forward(&[10.0, 200.0, 30.0]);
        let layer = &view.layers()[0];
        let active = pass.value(layer.y).iter().filter(|&&y| y > 0.0).count();
        assert_eq!(view.active_share(&pass, layer), active as f64 / 4.0);
    }
}
