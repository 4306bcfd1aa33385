//! Proof that backpropagation tells the truth: one weight is moved a little to both sides, and the
//! loss is measured.

use klubok_nn::state::Numbers;

use super::ModelView;

/// How far a weight is moved.
const EPSILON: f64 = 1e-4;

/// The slope of the loss along one weight, twice.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slope {
    /// The weight.
    pub weight: f64,
    /// How far it was moved to each side.
    pub epsilon: f64,
    /// The loss with the weight as it is.
    pub loss: f64,
    /// The loss with the smaller and with the larger weight.
    pub moved: [f64; 2],
    /// What was measured: the difference of the two by their distance.
    pub measured: f64,
    /// What backpropagation says: the error at the unit's sum times the input.
    pub told: f64,
}

impl ModelView {
    /// The slope of a stored sample's loss, where `class` is right, along the weight with which a
    /// unit reads an input.
    ///
    /// # Panics
    /// When there is no such layer, unit, input or class.
    pub fn slope(
        &self,
        stored: &[f64],
        class: usize,
        layer: usize,
        unit: usize,
        input: usize,
    ) -> Slope {
        let own = &self.layers[layer];
        assert!(unit < self.units(own) && input < self.inputs(own), "weight {unit}, {input}");
        let pass = self.pass(stored);
        let back = self.back(&pass, class);
        let at = unit * self.inputs(own) + input;
        let mut weights = self.model.weights.params[own.w.0].to_f64();
        let weight = weights[at];
        let mut moved = self.clone();
        let mut loss = |by: f64| {
            weights[at] = weight + by;
            moved.model.weights.params[own.w.0] = Numbers::F64(weights.clone());
            moved.pass(stored).loss(class)
        };
        let both = [loss(-EPSILON), loss(EPSILON)];
        Slope {
            weight,
            epsilon: EPSILON,
            loss: pass.loss(class),
            moved: both,
            measured: (both[1] - both[0]) / (2.0 * EPSILON),
            told: back.gradient(own.sum)[unit] * pass.value(own.x)[input],
        }
    }

    /// The weight of a layer along which this sample's loss is steepest: its unit and its input.
    ///
    /// # Panics
    /// When there is no such layer or class.
    pub fn steepest(&self, stored: &[f64], class: usize, layer: usize) -> (usize, usize) {
        let own = &self.layers[layer];
        let pass = self.pass(stored);
        let back = self.back(&pass, class);
        // The slope is a product, so it is largest where both factors are.
        (farthest(back.gradient(own.sum)), farthest(pass.value(own.x)))
    }
}

/// The place of the value that is farthest from 0.
fn farthest(values: &[f64]) -> usize {
    let places = 0..values.len();
    places.max_by(|&a, &b| values[a].abs().total_cmp(&values[b].abs())).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use crate::tests::view;

    #[test]
    fn what_is_measured_is_what_backpropagation_says() {
        let view = view();
        let stored = [10.0, 200.0, 30.0];
        for (layer, own) in view.layers().iter().enumerate() {
            let mut steepest = 0.0f64;
            for unit in 0..view.units(own) {
                for input in 0..view.inputs(own) {
                    let slope = view.slope(&stored, 1, layer, unit, input);
                    let apart = (slope.measured - slope.told).abs();
                    assert!(apart < 1e-6 * (1.0 + slope.told.abs()), "{layer}: {slope:?}");
                    steepest = steepest.max(slope.told.abs());
                }
            }
            let (unit, input) = view.steepest(&stored, 1, layer);
            let found = view.slope(&stored, 1, layer, unit, input).told.abs();
            assert!(found == steepest && found > 0.0, "{layer}: {found} {steepest}");
        }
    }
}
