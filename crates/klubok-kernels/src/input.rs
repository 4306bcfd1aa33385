//! Converts stored values to the input of a network: `x = stored · factor + offset`.

use crate::isa::kernel;

kernel! {
    /// Converts bytes. Samples of `x` are `stride` apart; `stored` has as many values per sample as
    /// `factor`.
    pub fn from_bytes(x: &mut [f32], stride: usize, stored: &[u8], factor: &[f32], offset: &[f32]) {
        for (x, stored) in x.chunks_mut(stride).zip(stored.chunks_exact(factor.len())) {
            for ((x, stored), (factor, offset)) in x.iter_mut().zip(stored).zip(factor.iter().zip(offset)) {
                *x = f32::from(*stored) * factor + offset;
            }
        }
    }
}

kernel! {
    /// Converts f32 in native byte order. Samples of `x` are `stride` apart; `stored` has as many
    /// values per sample as `factor`.
    pub fn from_numbers(x: &mut [f32], stride: usize, stored: &[u8], factor: &[f32], offset: &[f32]) {
        let (stored, _) = stored.as_chunks::<4>();
        for (x, stored) in x.chunks_mut(stride).zip(stored.chunks_exact(factor.len())) {
            for ((x, stored), (factor, offset)) in x.iter_mut().zip(stored).zip(factor.iter().zip(offset)) {
                *x = f32::from_ne_bytes(*stored) * factor + offset;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::Isa;

    #[test]
    fn scales_stored_values_and_leaves_padding() {
        let (factor, offset) = ([0.5, 2.0, 1.0], [1.0, 0.0, -1.0]);
        let numbers = [4.0f32, 3.0, 2.5, 0.0, 1.0, 2.0];
        let numbers: Vec<u8> = numbers.iter().flat_map(|x| x.to_ne_bytes()).collect();
        for isa in Isa::available() {
            let mut x = [7.0; 9];
            from_bytes(isa, &mut x, 4, &[10, 20, 255, 0, 1, 2], &factor, &offset);
            assert_eq!(x, [6.0, 40.0, 254.0, 7.0, 1.0, 2.0, 1.0, 7.0, 7.0]);
            from_numbers(isa, &mut x, 4, &numbers, &factor, &offset);
            assert_eq!(x, [3.0, 6.0, 1.5, 7.0, 1.0, 2.0, 1.0, 7.0, 7.0]);
        }
    }
}
