//! Elementary functions of f32 that vectorise: no branch, no table, no fused operation. Relative
//! errors are about 10⁻⁷. Every function propagates NaN.

/// 1.5 · 2²³: adding it moves the integer part of a number into the low bits of the mantissa.
const SHIFT: f32 = 12_582_912.0;
/// Upper part of ln 2, whose products with `n` are exact (Cody and Waite 1980).
const LN_2_HIGH: f32 = 355.0 / 512.0;
/// Lower part of ln 2.
const LN_2_LOW: f32 = -2.121_944_4e-4;

/// Returns `(2ⁿ, q)` with `eˣ = 2ⁿ + 2ⁿ q` and `|q| < 0.42`. The polynomial is that of the Cephes
/// library.
///
/// Clamps `x` to [-87, 88], so that the result is neither 0 nor infinite.
#[inline(always)]
fn exp_parts(x: f32) -> (f32, f32) {
    // Unlike `min` and `max`, these comparisons keep NaN.
    let x = if x < -87.0 { -87.0 } else { x };
    let x = if x > 88.0 { 88.0 } else { x };
    let shifted = x * std::f32::consts::LOG2_E + SHIFT;
    let n = shifted - SHIFT;
    let r = x - n * LN_2_HIGH - n * LN_2_LOW;
    let mut p = 1.987_569_1e-4;
    p = p * r + 1.398_2e-3;
    p = p * r + 8.333_452e-3;
    p = p * r + 4.166_579_6e-2;
    p = p * r + 1.666_666_5e-1;
    p = p * r + 0.5;
    let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(1.0f32.to_bits()));
    (power, p * (r * r) + r)
}

/// `eˣ`.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    let (power, q) = exp_parts(x);
    power + power * q
}

/// Returns `(eˣ, eˣ - 1)`, the latter without cancellation near 0.
#[inline(always)]
pub(crate) fn exp_and_exp_m1(x: f32) -> (f32, f32) {
    let (power, q) = exp_parts(x);
    (power + power * q, (power - 1.0) + power * q)
}

/// `ln(1 + u)` for `u` in [0, 1], as `2 artanh(u / (2 + u))`.
#[inline(always)]
pub(crate) fn ln_1p_unit(u: f32) -> f32 {
    let s = u / (2.0 + u);
    let q = s * s;
    let mut p = 0.140_893_82;
    p = p * q + 0.139_802_6;
    p = p * q + 0.200_124_58;
    p = p * q + 0.333_331_6;
    2.0 * (s + s * (q * p))
}

/// Returns `(σ(x), σ(-x))`, both accurate where they are small.
#[inline(always)]
pub(crate) fn sigmoid_pair(x: f32) -> (f32, f32) {
    let e = exp(-x.abs());
    let (large, small) = (1.0 / (1.0 + e), e / (1.0 + e));
    if x < 0.0 { (small, large) } else { (large, small) }
}

/// Returns `(Φ(x), φ(x))`, distribution function and density of the standard normal.
///
/// `Φ(-a) = e^(-a²/2) h(a)`, where `h` is a polynomial in `t = 1 / (1 + 0.3 a)`, fitted to a
/// relative error of 4e-9 for `a` up to 14.5. Beyond that, `Φ(-a)` underflows in f32.
#[inline(always)]
pub(crate) fn normal_cdf_pdf(x: f32) -> (f32, f32) {
    let a = x.abs();
    let t = 1.0 / (1.0 + 0.3 * a);
    let mut h = -0.020_623_47;
    h = h * t + 0.112_435_62;
    h = h * t - 0.228_213_61;
    h = h * t + 0.191_784_55;
    h = h * t - 0.079_423_495;
    h = h * t + 0.096_156_836;
    h = h * t + 0.078_389_65;
    h = h * t + 0.110_235_42;
    h = h * t + 0.119_571_81;
    h = h * t + 0.119_686_69;
    let e = exp(-0.5 * (a * a));
    let tail = e * (h * t);
    (if x < 0.0 { tail } else { 1.0 - tail }, e * 0.398_942_3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, from: f64, to: f64, f: impl Fn(f32) -> f32, exact: impl Fn(f64) -> f64) {
        for i in 0..=100_000 {
            let x = (from + (to - from) * f64::from(i) / 1e5) as f32;
            let (got, expected) = (f64::from(f(x)), exact(f64::from(x)));
            let error = (got - expected).abs() / expected.abs().max(1e-37);
            assert!(error < 3e-7, "{name}({x}) = {got}, not {expected}: {error:.1e}");
        }
    }

    #[test]
    fn errors_are_a_few_ulps() {
        check("exp", -86.9, 88.0, exp, f64::exp);
        check("exp - 1", -86.9, 20.0, |x| exp_and_exp_m1(x).1, f64::exp_m1);
        check("exp - 1", -1e-3, 1e-3, |x| exp_and_exp_m1(x).1, f64::exp_m1);
        check("ln(1 + u)", 0.0, 1.0, ln_1p_unit, f64::ln_1p);
        let sigmoid =
            |x: f64| if x < 0.0 { x.exp() / (1.0 + x.exp()) } else { 1.0 / (1.0 + (-x).exp()) };
        check("σ", -86.9, 86.9, |x| sigmoid_pair(x).0, sigmoid);
        check("σ(-x)", -86.9, 86.9, |x| sigmoid_pair(x).1, |x| sigmoid(-x));
    }

    #[test]
    fn the_normal_distribution_is_accurate_in_its_tails() {
        for i in 0..=12_000 {
            let a = (i as f32 / 1000.0).min(12.0);
            let x = f64::from(a);
            let tail = 0.5 * libm::erfc(x / std::f64::consts::SQRT_2);
            let pdf = (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt();
            // The rounding error of the exponent a²/2 grows with the exponent.
            let bound = 4e-7 + f64::from(f32::EPSILON) / 2.0 * x * x / 2.0;
            let (got_cdf, got_pdf) = normal_cdf_pdf(-a);
            assert!((f64::from(got_cdf) / tail - 1.0).abs() < bound, "Φ({}) = {got_cdf}", -a);
            assert!((f64::from(got_pdf) / pdf - 1.0).abs() < bound, "φ({a}) = {got_pdf}");
            let above = f64::from(normal_cdf_pdf(a).0);
            assert!((above / (1.0 - tail) - 1.0).abs() < bound, "Φ({a}) = {above}");
        }
    }

    #[test]
    fn nan_propagates_and_large_inputs_stay_finite() {
        assert!(exp(f32::NAN).is_nan() && exp_and_exp_m1(f32::NAN).1.is_nan());
        assert!(sigmoid_pair(f32::NAN).0.is_nan() && normal_cdf_pdf(f32::NAN).0.is_nan());
        for x in [f32::NEG_INFINITY, -1e30, -100.0, 100.0, 1e30, f32::INFINITY] {
            assert!(exp(x).is_finite() && exp(x) > 0.0, "exp({x}) = {}", exp(x));
            assert!(normal_cdf_pdf(x).0.is_finite() && sigmoid_pair(x).0.is_finite());
        }
    }
}
