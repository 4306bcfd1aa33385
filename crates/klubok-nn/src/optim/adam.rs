//! Adam (Kingma and Ba 2015): the running mean of the gradient over the root of its running mean
//! square, both with bias correction for their start at zero.
//!
//! In step `t = 1, 2, ...` with gradient `g`:
//!
//! - `m ← β₁ m + (1 - β₁) g`
//! - `s ← β₂ s + (1 - β₂) g²`
//! - `w ← w - learning_rate · (m / (1 - β₁ᵗ)) / (√(s / (1 - β₂ᵗ)) + ε)`
//!
//! AdamW (Loshchilov and Hutter 2019) is Adam with decoupled weight decay, see [`super::penalty`].

/// Updates `w` and the moments `m` and `s`, which start at zero; `t` counts from 1.
pub fn update(
    w: &mut [f64],
    m: &mut [f64],
    s: &mut [f64],
    g: &[f64],
    learning_rate: f64,
    (beta1, beta2): (f64, f64),
    epsilon: f64,
    t: u64,
) {
    let (correction1, correction2) = (1.0 - beta1.powf(t as f64), 1.0 - beta2.powf(t as f64));
    for i in 0..w.len() {
        m[i] = beta1 * m[i] + (1.0 - beta1) * g[i];
        s[i] = beta2 * s[i] + (1.0 - beta2) * g[i] * g[i];
        w[i] -= learning_rate * (m[i] / correction1) / ((s[i] / correction2).sqrt() + epsilon);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_step_is_the_learning_rate_for_any_gradient() {
        for g in [1e-3, 1.0, 1e3] {
            let (mut w, mut m, mut s) = ([1.0], [0.0], [0.0]);
            update(&mut w, &mut m, &mut s, &[g], 0.1, (0.9, 0.999), 0.0, 1);
            assert!((w[0] - 0.9).abs() < 1e-12, "{w:?}");
        }
    }
}
