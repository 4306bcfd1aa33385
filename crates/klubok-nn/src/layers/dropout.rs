//! Inverted dropout (Srivastava et al. 2014): `y = x · mask`.
//!
//! In training an element of the mask is 0 with probability `p` and `1 / (1 - p)` otherwise, so
//! that the expectation of `y` is `x`. In evaluation `y = x`. Backward: `dx = dy · mask`.
//!
//! Each element takes 16 random bits: it is kept if `bits >= t` with `t = round(p · 65536)`, and
//! its scale is exactly `65536 / (65536 - t)`. One Philox block yields the bits of 8 features; its
//! counter is (step, position of the sample in the global batch, index of the 8 features).
//!
//! Shapes: `x`, `y`, their gradients and the mask `[batch, features]`.

use klubok_kernels::philox::{Key, philox};

use crate::plan::{Op, Plan, Value};

/// `round(p · 65536)`, at most 65535: smaller random bits drop the element.
pub fn threshold(p: f32) -> u32 {
    ((f64::from(p) * 65536.0).round() as u32).min(65535)
}

/// Draws the mask of one sample: 0 or the scale for each feature.
///
/// `position` is the sample's position in the global batch, `key` the key of the layer's stream.
pub fn mask(mask: &mut [f64], p: f32, key: Key, step: u64, position: u32) {
    let threshold = threshold(p);
    let scale = 65536.0 / (65536.0 - f64::from(threshold));
    for (block, mask) in mask.chunks_mut(8).enumerate() {
        let words = philox(key, [step as u32, (step >> 32) as u32, position, block as u32]);
        for (i, factor) in mask.iter_mut().enumerate() {
            let bits = words[i / 2] >> (16 * (i % 2)) & 0xFFFF;
            *factor = if bits >= threshold { scale } else { 0.0 };
        }
    }
}

/// Writes `y = x · mask`.
pub fn forward(y: &mut [f64], x: &[f64], mask: &[f64]) {
    for ((y, x), factor) in y.iter_mut().zip(x).zip(mask) {
        *y = x * factor;
    }
}

/// Adds `dy · mask` to `dx`.
pub fn backward(dx: &mut [f64], dy: &[f64], mask: &[f64]) {
    for ((dx, dy), factor) in dx.iter_mut().zip(dy).zip(mask) {
        *dx += dy * factor;
    }
}

/// Appends dropout to a plan and returns its output; appends nothing if `p` is 0.
pub fn lower(plan: &mut Plan, x: Value, p: f32, stream: u32) -> Value {
    if p == 0.0 {
        return x;
    }
    let y = plan.add_value(plan.widths[x.0]);
    plan.ops.push(Op::Dropout { y, x, p, stream });
    y
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        gradient::{check_gradient, numbers, weighted_sum},
        rng::{Purpose, key},
    };

    fn drawn(p: f32, step: u64, position: u32, len: usize) -> Vec<f64> {
        let mut out = vec![0.0; len];
        mask(&mut out, p, key(1, Purpose::Dropout, 1), step, position);
        out
    }

    #[test]
    fn p_of_a_quarter_drops_a_quarter_and_scales_the_rest() {
        let mask = drawn(0.25, 0, 0, 100_000);
        assert!(mask.iter().all(|&f| f == 0.0 || f == 4.0 / 3.0));
        let dropped = mask.iter().filter(|&&f| f == 0.0).count();
        assert!((24_500..25_500).contains(&dropped), "{dropped}");
    }

    #[test]
    fn steps_and_samples_have_masks_of_their_own() {
        assert_ne!(drawn(0.5, 0, 0, 64), drawn(0.5, 1, 0, 64));
        assert_ne!(drawn(0.5, 0, 0, 64), drawn(0.5, 0, 1, 64));
        assert_eq!(drawn(0.5, 3, 7, 64)[..13], drawn(0.5, 3, 7, 13));
    }

    #[test]
    fn gradient_matches_finite_differences() {
        let (x, dy, mask) = (numbers(1, 20), numbers(2, 20), drawn(0.5, 0, 0, 20));
        let mut dx = vec![0.0; 20];
        backward(&mut dx, &dy, &mask);
        check_gradient("x", &x, &dx, |x| {
            let mut y = vec![0.0; 20];
            forward(&mut y, x, &mask);
            weighted_sum(&dy, &y)
        });
    }
}
