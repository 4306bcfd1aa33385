//! Gradient clipping by the global norm (Pascanu et al. 2013): limits the length of the gradient of
//! all parameters together and keeps its direction.
//!
//! `g ← factor · g` with `factor = min(1, max_norm / (norm + 10⁻⁶))`, as PyTorch's
//! `clip_grad_norm_`.

/// Factor for every gradient, given the global norm.
pub fn factor(norm: f64, max_norm: f64) -> f64 {
    (max_norm / (norm + 1e-6)).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clips_long_gradients_only() {
        assert_eq!(factor(0.5, 1.0), 1.0);
        assert!((factor(4.0, 1.0) - 0.25).abs() < 1e-6);
        assert_eq!(factor(0.0, 1.0), 1.0);
    }
}
