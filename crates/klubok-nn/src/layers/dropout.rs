//! Inverted dropout (Srivastava et al. 2014): in training an element is set to 0 with chance `p`
//! and scaled up otherwise, so that its expectation stays; in evaluation nothing happens.
//!
//! 16 random bits an element: kept where `bits >= round(p · 65536)`, scaled by exactly `65536 /
//! (65536 - round(p · 65536))`. One Philox block serves 8 features, counted by (step, the sample's
//! place in the global batch, block of features).

use klubok_kernels::philox::{Key, philox};

use crate::plan::{Op, Plan, Value};

/// `round(p · 65536)`: bits below it drop an element.
pub fn threshold(p: f32) -> u32 {
    ((f64::from(p) * 65536.0).round() as u32).min(65535)
}

/// Writes the factor of every element of one row: 0 or the scale.
///
/// `place` is the sample's place in the global batch, `key` that of the layer's stream.
pub fn factors(factors: &mut [f64], p: f32, key: Key, step: u64, place: u32) {
    let threshold = threshold(p);
    let scale = 65536.0 / (65536.0 - f64::from(threshold));
    for (block, factors) in factors.chunks_mut(8).enumerate() {
        let words = philox(key, [step as u32, (step >> 32) as u32, place, block as u32]);
        for (i, factor) in factors.iter_mut().enumerate() {
            let bits = words[i / 2] >> (16 * (i % 2)) & 0xFFFF;
            *factor = if bits >= threshold { scale } else { 0.0 };
        }
    }
}

/// Writes `y = x · factors`.
pub fn forward(y: &mut [f64], x: &[f64], factors: &[f64]) {
    for ((y, x), factor) in y.iter_mut().zip(x).zip(factors) {
        *y = x * factor;
    }
}

/// Adds `dy · factors` to `dx`.
pub fn backward(dx: &mut [f64], dy: &[f64], factors: &[f64]) {
    for ((dx, dy), factor) in dx.iter_mut().zip(dy).zip(factors) {
        *dx += dy * factor;
    }
}

/// Appends dropout to the plan, or nothing when `p` is 0.
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

    fn drawn(p: f32, step: u64, place: u32, len: usize) -> Vec<f64> {
        let mut out = vec![0.0; len];
        factors(&mut out, p, key(1, Purpose::Dropout, 1), step, place);
        out
    }

    #[test]
    fn a_quarter_is_dropped_and_the_rest_scaled() {
        let factors = drawn(0.25, 0, 0, 100_000);
        assert!(factors.iter().all(|&f| f == 0.0 || f == 4.0 / 3.0));
        let dropped = factors.iter().filter(|&&f| f == 0.0).count();
        assert!((24_500..25_500).contains(&dropped), "{dropped}");
    }

    #[test]
    fn every_step_and_sample_has_its_own() {
        assert_ne!(drawn(0.5, 0, 0, 64), drawn(0.5, 1, 0, 64));
        assert_ne!(drawn(0.5, 0, 0, 64), drawn(0.5, 0, 1, 64));
        assert_eq!(drawn(0.5, 3, 7, 64)[..13], drawn(0.5, 3, 7, 13));
    }

    #[test]
    fn gradient_matches_finite_differences() {
        let (x, dy, factors) = (numbers(1, 20), numbers(2, 20), drawn(0.5, 0, 0, 20));
        let mut dx = vec![0.0; 20];
        backward(&mut dx, &dy, &factors);
        check_gradient("x", &x, &dx, |x| {
            let mut y = vec![0.0; 20];
            forward(&mut y, x, &factors);
            weighted_sum(&dy, &y)
        });
    }
}
