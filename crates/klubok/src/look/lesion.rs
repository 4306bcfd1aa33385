//! Units that are switched off: how much of the answer hangs on each.

use super::Glass;
use crate::{
    rng::{Purpose, Stream},
    state::Numbers,
};

impl Glass {
    /// The same network with this share of the units of every hidden layer switched off, others for
    /// every `draw`.
    #[must_use]
    pub fn without(&self, share: f64, draw: u64) -> Self {
        let mut glass = self.clone();
        for (i, pair) in self.layers.windows(2).enumerate() {
            let units = self.units(&pair[0]);
            let mut off: Vec<usize> = (0..units).collect();
            Stream::new(draw, Purpose::Look, i as u32, 0).shuffle(&mut off);
            off.truncate((share * units as f64).round() as usize);
            // A unit that nobody reads is off.
            let read = &mut glass.model.weights.params[pair[1].w.0];
            let mut weights = read.to_f32();
            for row in weights.chunks_exact_mut(self.inputs(&pair[1])) {
                off.iter().for_each(|&unit| row[unit] = 0.0);
            }
            *read = Numbers::F32(weights);
        }
        glass
    }
}

#[cfg(test)]
mod tests {
    use crate::look::tests::glass;

    const STORED: [f64; 3] = [10.0, 200.0, 30.0];

    /// Units of a hidden layer that the next one does not read.
    fn off(glass: &crate::look::Glass, layer: usize) -> usize {
        let [own, next] = [&glass.layers()[layer], &glass.layers()[layer + 1]];
        let read = |unit| (0..glass.units(next)).any(|i| glass.unit(next, i)[unit] != 0.0);
        (0..glass.units(own)).filter(|&unit| !read(unit)).count()
    }

    #[test]
    fn a_share_of_every_layer_is_off() {
        let glass = glass();
        let before = glass.pass(&STORED).probabilities;
        assert_eq!(glass.without(0.0, 1).pass(&STORED).probabilities, before);
        let half = glass.without(0.5, 1);
        assert_eq!([off(&half, 0), off(&half, 1)], [2, 3]);
        let others = (0..20).any(|draw| {
            glass.without(0.5, draw).pass(&STORED).probabilities != half.pass(&STORED).probabilities
        });
        assert!(others, "every draw switches off the same units");
        // With nothing to read, nothing of the sample arrives.
        let none = glass.without(1.0, 1);
        let other = none.pass(&[1.0, 2.0, 3.0]);
        assert_eq!(none.pass(&STORED).probabilities, other.probabilities);
    }
}
