//! Inverted dropout: factors that are 0 or the scale, from 16 random bits each.
//!
//! One Philox block serves 8 features of one sample; its counter is (step, the sample's place in
//! the global batch, block of features). Bits below the threshold drop, low half of each word
//! first.

use crate::{
    isa::kernel,
    philox::{Key, philox},
};

/// Features that share a block of random bits.
pub const FEATURES: usize = 8;

/// Which random numbers, and what becomes of them.
#[derive(Debug, Clone, Copy)]
pub struct Draw {
    /// Key of the layer's stream.
    pub key: Key,
    /// Number of the step.
    pub step: u64,
    /// Place of the first sample in the global batch.
    pub place: u32,
    /// Bits below it drop the element.
    pub threshold: u32,
    /// Factor of what is kept.
    pub scale: f32,
}

/// Samples drawn at a time.
const LANES: usize = 16;

kernel! {
    /// Writes the factors of one block: 8 rows of `samples` values, one row a feature.
    ///
    /// # Panics
    /// When `factors` is not 8 rows.
    pub fn factors(factors: &mut [f32], samples: usize, draw: Draw, block: u32) {
        assert_eq!(factors.len(), FEATURES * samples, "8 rows");
        for from in (0..samples).step_by(LANES) {
            let mut words = [[0u32; LANES]; 4];
            for lane in 0..LANES {
                let place = draw.place.wrapping_add((from + lane) as u32);
                let drawn = philox(draw.key, [draw.step as u32, (draw.step >> 32) as u32, place, block]);
                for (words, drawn) in words.iter_mut().zip(drawn) {
                    words[lane] = drawn;
                }
            }
            let many = LANES.min(samples - from);
            for (feature, row) in factors.chunks_exact_mut(samples).enumerate() {
                let words = &words[feature / 2];
                for (factor, word) in row[from..from + many].iter_mut().zip(words) {
                    let bits = word >> (16 * (feature % 2)) & 0xFFFF;
                    *factor = if bits < draw.threshold { 0.0 } else { draw.scale };
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::Isa;

    #[test]
    fn each_element_has_its_own_bits() {
        let draw = Draw {
            key: Key::new(3, 4),
            step: 1 << 33 | 5,
            place: 7,
            threshold: 20_000,
            scale: 1.5,
        };
        for samples in [1, 15, 16, 17, 50] {
            for isa in Isa::available() {
                let mut drawn = vec![9.0; 8 * samples];
                factors(isa, &mut drawn, samples, draw, 2);
                for (feature, row) in drawn.chunks_exact(samples).enumerate() {
                    for (sample, &factor) in row.iter().enumerate() {
                        let words = philox(draw.key, [5, 2, 7 + sample as u32, 2]);
                        let bits = words[feature / 2] >> (16 * (feature % 2)) & 0xFFFF;
                        let expected = if bits >= 20_000 { 1.5 } else { 0.0 };
                        assert_eq!(factor, expected, "feature {feature} sample {sample}");
                    }
                }
            }
        }
    }
}
