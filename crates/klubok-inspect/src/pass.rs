//! One sample on its way through a network, forward to the answer and back from the error, every
//! value kept.

use std::borrow::Cow;

use klubok_nn::{
    layers::{
        activation,
        batch_norm::{self, EPSILON, Statistics},
        input, linear,
    },
    loss::{log_sum_exp, softmax},
    plan::{Op, Value},
    state::Numbers,
};

use super::{Layer, ModelView};

/// What a network makes of one sample.
#[derive(Debug, Clone)]
pub struct Pass {
    /// Every value of the plan, by its number.
    values: Vec<Vec<f64>>,
    /// Probabilities of the classes, as the network has them: `softmax(logits)`.
    pub probabilities: Vec<f64>,
    logits: Vec<f64>,
}

/// The way back from a loss.
#[derive(Debug, Clone)]
pub struct Back {
    /// The gradient of the loss at every value of the plan, by its number.
    gradients: Vec<Vec<f64>>,
}

impl Pass {
    /// A value of the plan.
    pub fn value(&self, value: Value) -> &[f64] {
        &self.values[value.0]
    }

    /// The cross-entropy where this class is right: `-log p`.
    ///
    /// # Panics
    /// When there is no such class.
    pub fn loss(&self, class: usize) -> f64 {
        log_sum_exp(&self.logits) - self.logits[class]
    }
}

impl Back {
    /// The gradient of the loss at a value of the plan.
    pub fn gradient(&self, value: Value) -> &[f64] {
        &self.gradients[value.0]
    }
}

impl ModelView {
    /// The way of a sample as it is stored: bytes of pixels or numbers of columns.
    ///
    /// # Panics
    /// When it does not have the network's width.
    pub fn pass(&self, stored: &[f64]) -> Pass {
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
        Pass { probabilities: softmax(&logits), logits, values }
    }

    /// How sure it may be of each class: what validation has made of its probabilities.
    pub fn confidences(&self, pass: &Pass) -> Vec<f64> {
        let mut confidences = pass.logits.clone();
        self.model.calibration.confidences(&mut confidences);
        confidences
    }

    /// The way back of the cross-entropy where `class` is right: at the logits it is `p - y`, and
    /// from there on the chain rule.
    ///
    /// # Panics
    /// When there is no such class.
    pub fn back(&self, pass: &Pass, class: usize) -> Back {
        let mut error = pass.probabilities.clone();
        error[class] -= 1.0;
        self.back_from(pass, self.plan.output, &error)
    }

    /// The way back from any value of the plan, whose gradient is given.
    ///
    /// # Panics
    /// When the gradient does not have the value's width.
    pub fn back_from(&self, pass: &Pass, value: Value, gradient: &[f64]) -> Back {
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
                    // Statistics are fixed where nothing is trained: what is left is a factor.
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
        Back { gradients }
    }

    /// Share of the units of a layer whose gate is open for this sample: through which a gradient
    /// flows back.
    pub fn open(&self, pass: &Pass, layer: &Layer) -> f64 {
        let z = pass.value(layer.z);
        let open = z.iter().filter(|&&z| activation::slope(layer.f, z) != 0.0).count();
        open as f64 / z.len().max(1) as f64
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
    fn the_loss_is_that_of_the_confidence() {
        let view = view();
        let pass = view.pass(&[1.0, 200.0, 30.0]);
        let total: f64 = pass.probabilities.iter().sum();
        assert!((total - 1.0).abs() < 1e-12);
        assert!((pass.loss(1) + pass.probabilities[1].ln()).abs() < 1e-12);
    }

    #[test]
    fn the_way_back_is_the_slope_of_the_loss() {
        let view = view();
        let stored = [10.0, 200.0, 30.0];
        let pass = view.pass(&stored);
        let back = view.back(&pass, 1);
        // At the network's input a step of one byte is as large as the preprocessing makes it.
        let factor = f64::from(view.model.preprocessing.prepare(Augment::default()).factor[0]);
        for i in 0..stored.len() {
            let at = |by: f64| {
                let mut moved = stored;
                moved[i] += by;
                view.pass(&moved).loss(1)
            };
            let slope = (at(1e-4) - at(-1e-4)) / 2e-4;
            let got = back.gradient(view.layers()[0].x)[i] * factor;
            assert!((slope - got).abs() < 1e-7 * (1.0 + slope.abs()), "{i}: {slope} {got}");
        }
    }

    #[test]
    fn gates_are_open_where_a_unit_speaks() {
        let view = view();
        let pass = view.pass(&[10.0, 200.0, 30.0]);
        let layer = &view.layers()[0];
        let speaking = pass.value(layer.y).iter().filter(|&&y| y > 0.0).count();
        assert_eq!(view.open(&pass, layer), speaking as f64 / 4.0);
    }
}
