//! Activation functions: `y = f(z + bias)` in place, and the slope `f'(z + bias)` for the backward
//! pass.

use crate::{
    isa::kernel,
    math::{exp_and_exp_m1, normal_cdf_pdf, sigmoid_pair},
};

/// Slope of leaky ReLU for x < 0 (Maas et al. 2013).
const LEAK: f32 = 0.01;
/// `λ` of SELU (Klambauer et al. 2017).
const SELU_SCALE: f32 = 1.050_701;
/// `α` of SELU.
const SELU_ALPHA: f32 = 1.673_263_2;

/// Activation functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Function {
    /// `max(0, x)`.
    Relu,
    /// `x` if positive, else `0.01 x`.
    LeakyRelu,
    /// `x Φ(x)`.
    Gelu,
    /// `x σ(x)`.
    Silu,
    /// `λ x` if positive, else `λ α (eˣ - 1)`.
    Selu,
    /// `x tanh(ln(1 + eˣ))`.
    Mish,
    /// Hyperbolic tangent.
    Tanh,
    /// `1 / (1 + e⁻ˣ)`.
    Sigmoid,
    /// `x`.
    Identity,
}

kernel! {
    /// Replaces `z` by `f(z + bias)` in the first `samples` of every row. Writes `f'(z + bias)` to
    /// `slope` unless it is empty. Rows are `stride` apart. `bias` has one value per row or is
    /// empty.
    ///
    /// # Panics
    /// When `slope` is neither empty nor as long as `z`, or `samples` exceeds `stride`.
    pub fn forward(f: Function, z: &mut [f32], stride: usize, samples: usize, bias: &[f32], slope: &mut [f32]) {
        let rows = Rows { stride, samples, bias };
        match f {
            Function::Relu => each(z, rows, slope, relu),
            Function::LeakyRelu => each(z, rows, slope, leaky_relu),
            Function::Gelu => each(z, rows, slope, gelu),
            Function::Silu => each(z, rows, slope, silu),
            Function::Selu => each(z, rows, slope, selu),
            Function::Mish => each(z, rows, slope, mish),
            Function::Tanh => each(z, rows, slope, tanh),
            Function::Sigmoid => each(z, rows, slope, sigmoid),
            Function::Identity => each(z, rows, slope, |x| (x, 1.0)),
        }
    }
}

kernel! {
    /// Backward pass of ReLU, and of a dropout with scale `factor`, from the output alone:
    /// multiplies `dy` by `factor` where `y` is positive and sets it to 0 elsewhere.
    pub fn relu_backward(dy: &mut [f32], y: &[f32], factor: f32) {
        for (dy, y) in dy.iter_mut().zip(y) {
            *dy = if *y > 0.0 { *dy * factor } else { 0.0 };
        }
    }
}

kernel! {
    /// `x ← x · factors`.
    pub fn multiply(x: &mut [f32], factors: &[f32]) {
        for (x, factor) in x.iter_mut().zip(factors) {
            *x *= factor;
        }
    }
}

kernel! {
    /// `x ← x · factor + offset`.
    pub fn scale(x: &mut [f32], factor: f32, offset: f32) {
        for x in x {
            *x = *x * factor + offset;
        }
    }
}

/// Layout and biases of the rows.
#[derive(Clone, Copy)]
struct Rows<'a> {
    stride: usize,
    samples: usize,
    bias: &'a [f32],
}

/// Applies `f`, which returns value and slope, to every element. Without `slope` the compiler
/// removes the computation of slopes.
#[inline(always)]
fn each(z: &mut [f32], rows: Rows<'_>, slope: &mut [f32], f: impl Fn(f32) -> (f32, f32)) {
    let Rows { stride, samples, bias } = rows;
    let bias = |row: usize| bias.get(row).copied().unwrap_or(0.0);
    if slope.is_empty() {
        for (row, z) in z.chunks_exact_mut(stride).enumerate() {
            let bias = bias(row);
            for z in &mut z[..samples] {
                *z = f(*z + bias).0;
            }
        }
    } else {
        assert_eq!(z.len(), slope.len(), "a slope for each value");
        let slopes = slope.chunks_exact_mut(stride);
        for (row, (z, slope)) in z.chunks_exact_mut(stride).zip(slopes).enumerate() {
            let bias = bias(row);
            for (z, slope) in z[..samples].iter_mut().zip(&mut slope[..samples]) {
                (*z, *slope) = f(*z + bias);
            }
        }
    }
}

/// NaN stays NaN, so that a diverged network does not look healthy.
#[inline(always)]
fn relu(x: f32) -> (f32, f32) {
    if x <= 0.0 { (0.0, 0.0) } else { (x, 1.0) }
}

#[inline(always)]
fn leaky_relu(x: f32) -> (f32, f32) {
    let slope = if x > 0.0 { 1.0 } else { LEAK };
    (x * slope, slope)
}

#[inline(always)]
fn gelu(x: f32) -> (f32, f32) {
    let (cdf, pdf) = normal_cdf_pdf(x);
    (x * cdf, cdf + x * pdf)
}

#[inline(always)]
fn silu(x: f32) -> (f32, f32) {
    let (s, complement) = sigmoid_pair(x);
    (x * s, s * (1.0 + x * complement))
}

#[inline(always)]
fn selu(x: f32) -> (f32, f32) {
    let (e, exp_m1) = exp_and_exp_m1(x);
    if x > 0.0 {
        (SELU_SCALE * x, SELU_SCALE)
    } else {
        (SELU_SCALE * SELU_ALPHA * exp_m1, SELU_SCALE * SELU_ALPHA * e)
    }
}

/// With `e = eˣ` and `n = e² + 2e`: `t = tanh(ln(1 + e)) = n / (n + 2)` and
/// `1 - t² = 4 (e + 1)² / (n + 2)²`.
#[inline(always)]
fn mish(x: f32) -> (f32, f32) {
    // Above 20, t is 1 in f32. The clamp keeps e⁴ finite.
    let (e, _) = exp_and_exp_m1(if x > 20.0 { 20.0 } else { x });
    let n = e * (e + 2.0);
    let t = n / (n + 2.0);
    (x * t, t + x * (4.0 * e * (e + 1.0) / ((n + 2.0) * (n + 2.0))))
}

/// With `e = e^(-2|x|)`: `|tanh x| = (1 - e) / (1 + e)`, slope `4 e / (1 + e)²`.
#[inline(always)]
fn tanh(x: f32) -> (f32, f32) {
    let (e, exp_m1) = exp_and_exp_m1(-2.0 * x.abs());
    let size = -exp_m1 / (1.0 + e);
    (if x < 0.0 { -size } else { size }, 4.0 * e / ((1.0 + e) * (1.0 + e)))
}

#[inline(always)]
fn sigmoid(x: f32) -> (f32, f32) {
    let (s, complement) = sigmoid_pair(x);
    (s, s * complement)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::Isa;

    const ALL: [Function; 9] = [
        Function::Relu,
        Function::LeakyRelu,
        Function::Gelu,
        Function::Silu,
        Function::Selu,
        Function::Mish,
        Function::Tanh,
        Function::Sigmoid,
        Function::Identity,
    ];

    /// Value and slope in f64, by definition.
    fn definition(f: Function, x: f64) -> (f64, f64) {
        let s = 1.0 / (1.0 + (-x).exp());
        let cdf = 0.5 * libm::erfc(-x / std::f64::consts::SQRT_2);
        let pdf = (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt();
        let (scale, alpha) = (1.050_700_987_355_480_5, 1.673_263_242_354_377_2);
        let t = x.exp().ln_1p().tanh();
        match f {
            Function::Relu => (x.max(0.0), f64::from(x > 0.0)),
            Function::LeakyRelu if x > 0.0 => (x, 1.0),
            Function::LeakyRelu => (0.01 * x, 0.01),
            Function::Gelu => (x * cdf, cdf + x * pdf),
            Function::Silu => (x * s, s * (1.0 + x * (1.0 - s))),
            Function::Selu if x > 0.0 => (scale * x, scale),
            Function::Selu => (scale * alpha * x.exp_m1(), scale * alpha * x.exp()),
            Function::Mish => (x * t, t + x * s * (1.0 - t * t)),
            Function::Tanh => (x.tanh(), 1.0 / x.cosh().powi(2)),
            Function::Sigmoid => (s, s * (1.0 / (1.0 + x.exp()))),
            Function::Identity => (x, 1.0),
        }
    }

    #[test]
    fn values_and_slopes_agree_with_f64() {
        let z: Vec<f32> = (-4000..=4000).map(|i| i as f32 / 400.0).collect();
        for f in ALL {
            let (mut y, mut slope) = (z.clone(), vec![0.0; z.len()]);
            let len = y.len();
            forward(Isa::best(), f, &mut y, len, len, &[0.25], &mut slope);
            for i in 0..z.len() {
                let (value, expected) = definition(f, f64::from(z[i] + 0.25));
                let error = (f64::from(y[i]) - value).abs();
                assert!(error <= 1e-6 * value.abs() + 1e-10, "{f:?}({}) = {}", z[i], y[i]);
                // Some slopes cross 0, so part of the bound is absolute.
                let error = (f64::from(slope[i]) - expected).abs();
                assert!(error <= 1e-6 * expected.abs() + 2e-7, "{f:?}'({}) = {}", z[i], slope[i]);
            }
        }
    }

    #[test]
    fn every_instruction_set_gives_the_same_bits_with_and_without_slope() {
        let z: Vec<f32> = (0..77).map(|i| (i as f32 * 0.37).sin() * 9.0).collect();
        for f in ALL {
            let expected = {
                let mut y = z.clone();
                forward(Isa::best(), f, &mut y, 77, 77, &[-0.5], &mut []);
                y
            };
            let mut slopes = vec![];
            for isa in Isa::available() {
                let (mut y, mut slope) = (z.clone(), vec![0.0; z.len()]);
                forward(isa, f, &mut y, 77, 77, &[-0.5], &mut slope);
                assert_eq!(y, expected, "{f:?} {}", isa.name());
                slopes.push(slope);
            }
            assert!(slopes.windows(2).all(|s| s[0] == s[1]), "{f:?}");
        }
    }

    #[test]
    fn nan_propagates_and_large_inputs_stay_finite() {
        for f in ALL {
            let mut y = [f32::NAN, -1e30, -200.0, 200.0, 1e30];
            let mut slope = [0.0; 5];
            forward(Isa::best(), f, &mut y, 5, 5, &[], &mut slope);
            assert!(y[0].is_nan(), "{f:?}");
            assert!(
                y[1..].iter().chain(&slope[1..]).all(|x| x.is_finite()),
                "{f:?} {y:?} {slope:?}"
            );
        }
    }

    #[test]
    fn rows_have_biases_and_padding_stays() {
        for isa in Isa::available() {
            let (mut z, mut slope) = ([1.0, -4.0, 9.0, 2.0, -1.0, 9.0], [7.0; 6]);
            forward(isa, Function::Relu, &mut z, 3, 2, &[1.0, -3.0], &mut slope);
            assert_eq!(
                (z, slope),
                ([2.0, 0.0, 9.0, 0.0, 0.0, 9.0], [1.0, 0.0, 7.0, 0.0, 0.0, 7.0])
            );
        }
    }

    #[test]
    fn relu_backward_reads_the_output() {
        let mut dy = [1.0, 2.0, 3.0];
        relu_backward(Isa::best(), &mut dy, &[0.0, 0.5, -0.0], 2.0);
        assert_eq!(dy, [0.0, 4.0, 0.0]);
    }
}
