//! Activation functions: `y = f(x)` for each element.
//!
//! Shapes: `x`, `y` and their gradients `[batch, features]`. Backward: `dx = dy f'(x)`.
//!
//! `σ` is the sigmoid, `Φ` and `φ` are the distribution function and the density of the standard
//! normal. In the row of Mish, `t = tanh(ln(1 + eˣ))`.
//!
//! | name | f(x) | f'(x) | source |
//! | --- | --- | --- | --- |
//! | ReLU | max(0, x) | 1 if x > 0, else 0 | Nair and Hinton 2010 |
//! | leaky ReLU | x if x > 0, else 0.01 x | 1 if x > 0, else 0.01 | Maas et al. 2013 |
//! | GELU | x Φ(x) | Φ(x) + x φ(x) | Hendrycks and Gimpel 2016 |
//! | SiLU | x σ(x) | σ (1 + x (1 - σ)) | Elfwing et al. 2017 |
//! | SELU | λ x if x > 0, else λ α (eˣ - 1) | λ if x > 0, else λ α eˣ | Klambauer et al. 2017 |
//! | Mish | x tanh(ln(1 + eˣ)) | t + x σ (1 - t²) | Misra 2019 |
//! | tanh | tanh x | 1 - tanh² x | |
//! | sigmoid | σ(x) = 1 / (1 + e⁻ˣ) | σ (1 - σ) | |
//! | identity | x | 1 | |

use std::f64::consts::{FRAC_1_SQRT_2, TAU};

use klubok_kernels::activation::Function;

use crate::plan::{Activation, Op, Plan, Value};

/// Slope of leaky ReLU for x < 0.
pub const LEAK: f64 = 0.01;
/// SELU's λ.
pub const SELU_SCALE: f64 = 1.050_700_987_355_480_5;
/// SELU's α.
pub const SELU_ALPHA: f64 = 1.673_263_242_354_377_2;

/// `f(x)` for one number.
pub fn value(f: Activation, x: f64) -> f64 {
    match f {
        Activation::Relu => x.max(0.0),
        Activation::LeakyRelu => x * if x > 0.0 { 1.0 } else { LEAK },
        Activation::Gelu => x * normal_distribution(x),
        Activation::Silu => x * sigmoid(x),
        Activation::Selu if x > 0.0 => SELU_SCALE * x,
        Activation::Selu => SELU_SCALE * SELU_ALPHA * x.exp_m1(),
        Activation::Mish => x * softplus(x).tanh(),
        Activation::Tanh => x.tanh(),
        Activation::Sigmoid => sigmoid(x),
        Activation::Identity => x,
    }
}

/// `f'(x)` for one number. ReLU has slope 0 at x = 0, as in PyTorch.
pub fn slope(f: Activation, x: f64) -> f64 {
    match f {
        Activation::Relu => f64::from(x > 0.0),
        Activation::LeakyRelu => {
            if x > 0.0 {
                1.0
            } else {
                LEAK
            }
        }
        Activation::Gelu => normal_distribution(x) + x * (-0.5 * x * x).exp() / TAU.sqrt(),
        Activation::Silu => sigmoid(x) * (1.0 + x * (1.0 - sigmoid(x))),
        Activation::Selu if x > 0.0 => SELU_SCALE,
        Activation::Selu => SELU_SCALE * SELU_ALPHA * x.exp(),
        Activation::Mish => {
            let t = softplus(x).tanh();
            t + x * sigmoid(x) * (1.0 - t * t)
        }
        Activation::Tanh => 1.0 - x.tanh().powi(2),
        Activation::Sigmoid => sigmoid(x) * (1.0 - sigmoid(x)),
        Activation::Identity => 1.0,
    }
}

/// Writes `y = f(x)`.
pub fn forward(y: &mut [f64], x: &[f64], f: Activation) {
    for (y, x) in y.iter_mut().zip(x) {
        *y = value(f, *x);
    }
}

/// Adds `dy f'(x)` to `dx`.
pub fn backward(dx: &mut [f64], dy: &[f64], x: &[f64], f: Activation) {
    for ((dx, dy), x) in dx.iter_mut().zip(dy).zip(x) {
        *dx += dy * slope(f, *x);
    }
}

/// Appends the activation to a plan and returns its output.
pub fn lower(plan: &mut Plan, x: Value, f: Activation) -> Value {
    let y = plan.add_value(plan.widths[x.0]);
    plan.ops.push(Op::Activate { y, x, f });
    y
}

/// The kernel of a function.
impl From<Activation> for Function {
    fn from(f: Activation) -> Self {
        match f {
            Activation::Relu => Function::Relu,
            Activation::LeakyRelu => Function::LeakyRelu,
            Activation::Gelu => Function::Gelu,
            Activation::Silu => Function::Silu,
            Activation::Selu => Function::Selu,
            Activation::Mish => Function::Mish,
            Activation::Tanh => Function::Tanh,
            Activation::Sigmoid => Function::Sigmoid,
            Activation::Identity => Function::Identity,
        }
    }
}

/// `1 / (1 + e⁻ˣ)`.
pub fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// `ln(1 + eˣ)` without overflow.
pub fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// `Φ(x)`, the distribution function of the standard normal.
fn normal_distribution(x: f64) -> f64 {
    0.5 * (1.0 + libm::erf(x * FRAC_1_SQRT_2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient::{check_gradient, numbers};

    #[test]
    fn relu_by_hand() {
        let mut y = [0.0; 3];
        forward(&mut y, &[-2.0, 0.0, 3.0], Activation::Relu);
        assert_eq!(y, [0.0, 0.0, 3.0]);
        let mut dx = [0.0; 3];
        backward(&mut dx, &[5.0; 3], &[-2.0, 0.0, 3.0], Activation::Relu);
        assert_eq!(dx, [0.0, 0.0, 5.0]);
    }

    #[test]
    fn gradients_match_finite_differences() {
        for f in Activation::ALL {
            // Finite differences fail at ReLU's kink, x = 0.
            let x: Vec<f64> =
                numbers(3, 40).iter().map(|x| 6.0 * x).filter(|x| x.abs() > 0.1).collect();
            let mut dx = vec![0.0; x.len()];
            backward(&mut dx, &vec![1.0; x.len()], &x, f);
            check_gradient(&format!("x of {f:?}"), &x, &dx, |x| {
                x.iter().map(|&x| value(f, x)).sum()
            });
        }
    }

    #[test]
    fn large_inputs_stay_finite() {
        for f in Activation::ALL {
            for x in [-1e3, -50.0, 50.0, 1e3] {
                assert!(value(f, x).is_finite() && slope(f, x).is_finite(), "{f:?} at {x}");
            }
        }
    }
}
