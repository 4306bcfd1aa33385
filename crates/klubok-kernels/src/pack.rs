//! Rounding to bf16 and packing into pairs.
//!
//! bf16 is the upper half of an f32, rounded to nearest, ties to even. A **pair** holds two
//! neighbouring terms of a sum in one `u32`, the first term in the lower half. Some processors
//! multiply and add both terms of a pair with one instruction ([`crate::product`]).

use crate::isa::kernel;

/// Two bf16, the first one in the lower half.
pub type Pair = u32;

/// Bits whose upper half is `x` rounded to bf16. NaN stays NaN.
#[inline(always)]
fn rounded(x: f32) -> u32 {
    let bits = x.to_bits();
    let up = bits.wrapping_add(0x7FFF + (bits >> 16 & 1));
    if x.is_nan() { bits | 0x0040_0000 } else { up }
}

#[inline(always)]
fn pair(first: f32, second: f32) -> Pair {
    rounded(second) & 0xFFFF_0000 | rounded(first) >> 16
}

/// Rounds `x` to bf16.
pub fn round(x: f32) -> f32 {
    f32::from_bits(rounded(x) & 0xFFFF_0000)
}

/// Reinterprets memory for numbers as memory for pairs.
pub fn as_pairs(numbers: &mut [f32]) -> &mut [Pair] {
    let (start, len) = (numbers.as_mut_ptr().cast(), numbers.len());
    // SAFETY: both types have 32 bits, the same alignment and no invalid values.
    unsafe { std::slice::from_raw_parts_mut(start, len) }
}

/// Reinterprets pairs as single numbers, in the order of memory.
#[inline(always)]
fn halves(pairs: &mut [Pair]) -> &mut [u16] {
    let (start, len) = (pairs.as_mut_ptr().cast(), 2 * pairs.len());
    // SAFETY: a pair is two numbers of 16 bits without invalid values, and its alignment suffices.
    unsafe { std::slice::from_raw_parts_mut(start, len) }
}

kernel! {
    /// `out[i] = (x[i], y[i])`, or `(x[i], 0)` without `y`. Stops at the end of the shortest slice.
    pub fn pair_rows(out: &mut [Pair], x: &[f32], y: Option<&[f32]>) {
        match y {
            Some(y) => {
                for (out, (x, y)) in out.iter_mut().zip(x.iter().zip(y)) {
                    *out = pair(*x, *y);
                }
            }
            None => {
                for (out, x) in out.iter_mut().zip(x) {
                    *out = pair(*x, 0.0);
                }
            }
        }
    }
}

kernel! {
    /// `out[i] = (x[2 i], x[2 i + 1])`. If the length of `x` is odd, the last pair ends with 0.
    ///
    /// # Panics
    /// When `out` is too short.
    pub fn pair_neighbours(out: &mut [Pair], x: &[f32]) {
        let out = &mut out[..x.len().div_ceil(2)];
        if let Some(last) = out.last_mut() {
            *last = 0;
        }
        // Compilers vectorise this loop over single numbers better than a loop over pairs.
        for (half, x) in halves(out).iter_mut().zip(x) {
            *half = (rounded(*x) >> 16) as u16;
        }
        if cfg!(target_endian = "big") {
            out.iter_mut().for_each(|pair| *pair = pair.rotate_left(16));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::Isa;

    #[test]
    fn rounds_to_nearest_even() {
        let ulp = 2f32.powi(-7);
        let cases = [
            (1.0, 1.0),
            (1.0 + 0.49 * ulp, 1.0),
            (1.0 + 0.5 * ulp, 1.0),
            (1.0 + 0.51 * ulp, 1.0 + ulp),
            (1.0 + 1.5 * ulp, 1.0 + 2.0 * ulp),
            (-1.0 - 0.75 * ulp, -1.0 - ulp),
            (f32::MAX, f32::INFINITY),
            (f32::NEG_INFINITY, f32::NEG_INFINITY),
            (1e-40, f32::from_bits(1 << 16)),
        ];
        for (x, expected) in cases {
            assert_eq!(round(x), expected, "{x}");
        }
        // The second NaN has its payload in the lower half only; the third has all payload bits
        // set.
        for nan in [f32::NAN, f32::from_bits(0x7F80_0001), f32::from_bits(0x7FFF_FFFF)] {
            assert!(round(nan).is_nan());
        }
    }

    #[test]
    fn pairs_hold_two_rounded_numbers() {
        let x: Vec<f32> = (0..37).map(|i| (i as f32).sin()).collect();
        let halves = |p: Pair| [f32::from_bits(p << 16), f32::from_bits(p & 0xFFFF_0000)];
        for isa in Isa::available() {
            let mut out = [7; 20];
            pair_neighbours(isa, &mut out, &x);
            for (i, pair) in out[..18].iter().enumerate() {
                assert_eq!(halves(*pair), [round(x[2 * i]), round(x[2 * i + 1])]);
            }
            assert_eq!((halves(out[18]), out[19]), ([round(x[36]), 0.0], 7));
            pair_rows(isa, &mut out, &x, Some(&x[17..]));
            assert!((0..20).all(|i| halves(out[i]) == [round(x[i]), round(x[17 + i])]));
            pair_rows(isa, &mut out, &x, None);
            assert!((0..20).all(|i| halves(out[i]) == [round(x[i]), 0.0]));
            assert_eq!(as_pairs(&mut [1.0]), [1.0f32.to_bits()]);
        }
    }
}
