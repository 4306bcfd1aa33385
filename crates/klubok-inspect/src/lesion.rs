//! Units that are switched off: how much of the answer hangs on each.

use klubok_model::Model;
use klubok_nn::{
    rng::{Purpose, Stream},
    state::{Numbers, Weights},
};

use super::ModelView;

impl ModelView {
    /// The network behind its first hidden layer, which reads what that hands on, with this share
    /// of the units of every hidden layer switched off, others for every `draw`. What the first
    /// layer makes of samples, most of the work, stays the same and need be asked only once. None
    /// where there is no hidden layer.
    pub fn behind_first_without(&self, share: f64, draw: u64) -> Option<Self> {
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
            // A unit that nobody reads is off.
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
        let preprocessing = self.model.preprocessing.of_columns(network.inputs);
        let (classes, calibration) = (self.model.classes.clone(), self.model.calibration);
        let model = Model { network, preprocessing, classes, calibration, card: None, weights };
        Some(Self::new(model, self.backend.clone()))
    }
}

#[cfg(test)]
mod tests {
    use crate::{ModelView, tests::view};

    const STORED: [f64; 3] = [10.0, 200.0, 30.0];

    /// What the rest of the network makes of a sample.
    fn said(view: &ModelView, rest: &ModelView) -> Vec<f64> {
        rest.pass(view.pass(&STORED).value(view.handed_on(0))).probabilities
    }

    /// Units of what a layer of the rest reads that it does not read.
    fn off(rest: &ModelView, layer: usize) -> usize {
        let layer = &rest.layers()[layer];
        let read = |unit| (0..rest.units(layer)).any(|i| rest.unit(layer, i)[unit] != 0.0);
        (0..rest.inputs(layer)).filter(|&unit| !read(unit)).count()
    }

    #[test]
    fn a_share_of_every_layer_is_off() {
        let view = view();
        let before = view.pass(&STORED).probabilities;
        let without = |share, draw| view.behind_first_without(share, draw).unwrap();
        assert_eq!(said(&view, &without(0.0, 1)), before);
        let half = without(0.5, 1);
        assert_eq!([off(&half, 0), off(&half, 1)], [2, 3]);
        let others = (0..20).any(|draw| said(&view, &without(0.5, draw)) != said(&view, &half));
        assert!(others, "every draw switches off the same units");
        // With nothing to read, nothing of the sample arrives.
        let none = without(1.0, 1);
        assert_eq!(none.pass(&[1.0; 4]).probabilities, none.pass(&[2.0; 4]).probabilities);
    }
}
