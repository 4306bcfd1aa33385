//! Checks backpropagation against a central difference of the loss along one weight.

use klubok_nn::state::Numbers;

use super::ModelView;

/// Step of the difference.
const EPSILON: f64 = 1e-4;

/// The numeric and the analytic derivative of the loss along one weight.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GradientCheck {
    /// Value of the weight.
    pub weight: f64,
    /// Step to each side.
    pub epsilon: f64,
    /// The loss at this weight.
    pub loss: f64,
    /// The loss at the smaller and at the larger weight.
    pub moved: [f64; 2],
    /// Central difference: the difference of the two losses over their distance.
    pub numeric: f64,
    /// Backpropagated derivative: the gradient at the unit's sum times the input.
    pub analytic: f64,
}

impl ModelView {
    /// Computes both derivatives of a stored sample's loss with the label `class`, along a unit's
    /// weight for one input.
    ///
    /// # Panics
    /// When there is no such layer, unit, input or class.
    pub fn check_gradient(
        &self,
        stored: &[f64],
        class: usize,
        layer: usize,
        unit: usize,
        input: usize,
    ) -> GradientCheck {
        let own = &self.layers[layer];
        assert!(unit < self.units(own) && input < self.inputs(own), "weight {unit}, {input}");
        let pass = self.forward(stored);
        let back = self.backward(&pass, class);
        let at = unit * self.inputs(own) + input;
        let mut weights = self.model.weights.params[own.w.0].to_f64();
        let weight = weights[at];
        let mut moved = self.clone();
        let mut loss = |by: f64| {
            weights[at] = weight + by;
            moved.model.weights.params[own.w.0] = Numbers::F64(weights.clone());
            moved.forward(stored).loss(class)
        };
        let both = [loss(-EPSILON), loss(EPSILON)];
        GradientCheck {
            weight,
            epsilon: EPSILON,
            loss: pass.loss(class),
            moved: both,
            numeric: (both[1] - both[0]) / (2.0 * EPSILON),
            analytic: back.gradient(own.sum)[unit] * pass.value(own.x)[input],
        }
    }

    /// Returns the unit and the input of the layer's weight with the largest absolute derivative of
    /// this sample's loss.
    ///
    /// # Panics
    /// When there is no such layer or class.
    pub fn steepest_weight(&self, stored: &[f64], class: usize, layer: usize) -> (usize, usize) {
        let own = &self.layers[layer];
        let pass = self.forward(stored);
        let back = self.backward(&pass, class);
        // The derivative is a product, so its largest factors determine it.
        (largest(back.gradient(own.sum)), largest(pass.value(own.x)))
    }
}

/// Returns the index of the largest absolute value.
fn largest(values: &[f64]) -> usize {
    let indices = 0..values.len();
    indices.max_by(|&a, &b| values[a].abs().total_cmp(&values[b].abs())).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use crate::tests::view;

    #[test]
    fn backpropagation_matches_central_differences() {
        let view = view();
        let stored = [10.0, 200.0, 30.0];
        for (layer, own) in view.layers().iter().enumerate() {
            let mut steepest = 0.0f64;
            for unit in 0..view.units(own) {
                for input in 0..view.inputs(own) {
                    let check = view.check_gradient(&stored, 1, layer, unit, input);
                    let difference = (check.numeric - check.analytic).abs();
                    assert!(difference < 1e-6 * (1.0 + check.analytic.abs()), "{layer}: {check:?}");
                    steepest = steepest.max(check.analytic.abs());
                }
            }
            let (unit, input) = view.steepest_weight(&stored, 1, layer);
            let found = view.check_gradient(&stored, 1, layer, unit, input).analytic.abs();
            assert!(found == steepest && found > 0.0, "{layer}: {found} {steepest}");
        }
    }
}
