//! Adam (Kingma and Ba 2015): momentum and mean square together, both corrected for their start at
//! zero.
//!
//! `m ← β₁ m + (1 - β₁) g`, `s ← β₂ s + (1 - β₂) g²`, and in step `t` (from 1) `w ← w -
//! learning_rate · (m / (1 - β₁ᵗ)) / (√(s / (1 - β₂ᵗ)) + ε)`. AdamW (Loshchilov and Hutter 2019) is
//! the same rule with decoupled weight decay, see [`super::penalty`].

/// Moves `w`; the moments `m` and `s` start at zero, `t` counts from 1.
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
    let (c1, c2) = (1.0 - beta1.powf(t as f64), 1.0 - beta2.powf(t as f64));
    for i in 0..w.len() {
        m[i] = beta1 * m[i] + (1.0 - beta1) * g[i];
        s[i] = beta2 * s[i] + (1.0 - beta2) * g[i] * g[i];
        w[i] -= learning_rate * (m[i] / c1) / ((s[i] / c2).sqrt() + epsilon);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_step_is_the_learning_rate_whatever_the_gradient() {
        for g in [1e-3, 1.0, 1e3] {
            let (mut w, mut m, mut s) = ([1.0], [0.0], [0.0]);
            update(&mut w, &mut m, &mut s, &[g], 0.1, (0.9, 0.999), 0.0, 1);
            assert!((w[0] - 0.9).abs() < 1e-12, "{w:?}");
        }
    }
}
