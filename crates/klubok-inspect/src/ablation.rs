//! Ablation: switches off units to measure how much the output depends on them.

use klubok_model::Model;
use klubok_nn::{
    rng::{Purpose, Stream},
    state::{Numbers, Weights},
};

use super::ModelView;

impl ModelView {
    /// Returns the network after its first hidden layer, which reads that layer's output, with this
    /// share of the units of every hidden layer switched off, drawn anew for each `draw`. The first
    /// layer's values, most of the work, stay the same and need only one evaluation. None if there
    /// is no hidden layer.
    pub fn ablated_after_first(&self, share: f64, draw: u64) -> Option<Self> {
        let [first, second, ..] = &self.layers[..] else { return None };
        let Model { network, weights, .. } = &self.model;
        let (params, running) = (second.w.0, 2 * usize::from(network.hidden[0].batch_norm));
        let mut weights = Weights {
            params: weights.params[params..].to_vec(),
            running: weights.running[running..].to_vec(),
        };
        for (i, pair) in self.layers.windows(2).enumerate() {
            let units = self.units(&pair[0]);
            let mut off: Vec<usize> = (0..units).collect();
            Stream::new(draw, Purpose::Inspect, i as u32, 0).shuffle(&mut off);
            off.truncate((share * units as f64).round() as usize);
            // A unit is off if the next layer's weights for it are 0.
            let read = &mut weights.params[pair[1].w.0 - params];
            let mut numbers = read.to_f32();
            for row in numbers.chunks_exact_mut(self.inputs(&pair[1])) {
                off.iter().for_each(|&unit| row[unit] = 0.0);
            }
            *read = Numbers::F32(numbers);
        }
        let mut network = network.clone();
        (network.inputs, network.input_dropout) = (self.units(first), 0.0);
        network.hidden.remove(0);
        let preprocessing = self.model.preprocessing.identity_columns(network.inputs);
        let (outputs, calibration) = (self.model.outputs.clone(), self.model.calibration);
        let model = Model { network, preprocessing, outputs, calibration, card: None, weights };
        Some(Self::new(model, self.backend.clone()))
    }
}

#[cfg(test)]
mod tests {
    use crate::{ModelView, tests::view};

    const STORED: [f64; 3] = [10.0, 200.0, 30.0];

    /// Probabilities of a sample through the rest of the network.
    fn probabilities(view: &ModelView, rest: &ModelView) -> Vec<f64> {
        rest.forward(view.forward(&STORED).value(view.layer_output(0))).probabilities
    }

    /// Counts the inputs that a layer of the rest does not read.
    fn off(rest: &ModelView, layer: usize) -> usize {
        let layer = &rest.layers()[layer];
        let read = |unit| (0..rest.units(layer)).any(|i| rest.unit(layer, i)[unit] != 0.0);
        (0..rest.inputs(layer)).filter(|&unit| !read(unit)).count()
    }

    #[test]
    fn switches_off_a_share_of_every_layer() {
        let view = view();
        let before = view.forward(&STORED).probabilities;
        let without = |share, draw| view.ablated_after_first(share, draw).unwrap();
        assert_eq!(probabilities(&view, &without(0.0, 1)), before);
        let half = without(0.5, 1);
        assert_eq!([off(&half, 0), off(&half, 1)], [2, 3]);
        let others = (0..20)
            .any(|draw| probabilities(&view, &without(0.5, draw)) != probabilities(&view, &half));
        assert!(others, "every draw switches off the same units");
        // Without inputs, nothing of the sample passes through.
        let none = without(1.0, 1);
        assert_eq!(none.forward(&[1.0; 4]).probabilities, none.forward(&[2.0; 4]).probabilities);
    }
}
