//! Masks of inverted dropout: each element is 0 or the scale, decided by 16 random bits.
//!
//! One Philox block yields the bits of 8 features of one sample. Its counter is (step, position of
//! the sample in the global batch, index of the 8 features). The low half of each word comes first.
//! An element is dropped if its bits are below the threshold.

use crate::{
    isa::kernel,
    philox::{Key, philox},
};

/// Features that share one Philox block.
pub const FEATURES: usize = 8;

/// Parameters of a dropout mask.
#[derive(Debug, Clone, Copy)]
pub struct MaskSpec {
    /// Key of the layer's stream.
    pub key: Key,
    /// Index of the step.
    pub step: u64,
    /// Position of the first sample in the global batch.
    pub position: u32,
    /// Random bits below the threshold drop an element.
    pub threshold: u32,
    /// Value of the mask for kept elements.
    pub scale: f32,
}

/// Samples drawn at once.
const LANES: usize = 16;

kernel! {
    /// Draws the mask of one block of features: 8 rows of `samples` values, one row per feature.
    ///
    /// # Panics
    /// When `mask` is not 8 rows.
    pub fn mask(mask: &mut [f32], samples: usize, spec: MaskSpec, block: u32) {
        assert_eq!(mask.len(), FEATURES * samples, "8 rows");
        for from in (0..samples).step_by(LANES) {
            let mut words = [[0u32; LANES]; 4];
            for lane in 0..LANES {
                let position = spec.position.wrapping_add((from + lane) as u32);
                let drawn = philox(spec.key, [spec.step as u32, (spec.step >> 32) as u32, position, block]);
                for (words, drawn) in words.iter_mut().zip(drawn) {
                    words[lane] = drawn;
                }
            }
            let count = LANES.min(samples - from);
            for (feature, row) in mask.chunks_exact_mut(samples).enumerate() {
                let words = &words[feature / 2];
                for (factor, word) in row[from..from + count].iter_mut().zip(words) {
                    let bits = word >> (16 * (feature % 2)) & 0xFFFF;
                    *factor = if bits < spec.threshold { 0.0 } else { spec.scale };
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
    fn each_element_has_bits_of_its_own() {
        let spec = MaskSpec {
            key: Key::new(3, 4),
            step: 1 << 33 | 5,
            position: 7,
            threshold: 20_000,
            scale: 1.5,
        };
        for samples in [1, 15, 16, 17, 50] {
            for isa in Isa::available() {
                let mut drawn = vec![9.0; 8 * samples];
                mask(isa, &mut drawn, samples, spec, 2);
                for (feature, row) in drawn.chunks_exact(samples).enumerate() {
                    for (sample, &factor) in row.iter().enumerate() {
                        let words = philox(spec.key, [5, 2, 7 + sample as u32, 2]);
                        let bits = words[feature / 2] >> (16 * (feature % 2)) & 0xFFFF;
                        let expected = if bits >= 20_000 { 1.5 } else { 0.0 };
                        assert_eq!(factor, expected, "feature {feature} sample {sample}");
                    }
                }
            }
        }
    }
}
