//! Clipping by the norm of the whole gradient (Pascanu et al. 2013): its direction stays, its
//! length is limited.
//!
//! `factor = min(1, largest / (norm + 10⁻⁶))`, in PyTorch's form.

/// Factor for every gradient so that their joint norm is at most `largest`; 1 when it already is.
pub fn factor(norm: f64, largest: f64) -> f64 {
    (largest / (norm + 1e-6)).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_long_gradients_are_clipped() {
        assert_eq!(factor(0.5, 1.0), 1.0);
        assert!((factor(4.0, 1.0) - 0.25).abs() < 1e-6);
        assert_eq!(factor(0.0, 1.0), 1.0);
    }
}
