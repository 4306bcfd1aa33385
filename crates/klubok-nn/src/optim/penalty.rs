//! Regularisation of weights: L1, L2, decoupled weight decay and max-norm. None of them acts on
//! biases, gains or shifts.

/// The penalty `l1 Σ|w| + l2/2 Σw²`, which adds to the loss.
pub fn value(w: &[f64], l1: f64, l2: f64) -> f64 {
    w.iter().map(|w| l1 * w.abs() + l2 / 2.0 * w * w).sum()
}

/// Adds the gradient of the penalty, `l1 sign(w) + l2 w`, to `dw`; `sign(0) = 0`.
pub fn gradient(dw: &mut [f64], w: &[f64], l1: f64, l2: f64) {
    for (dw, w) in dw.iter_mut().zip(w) {
        let sign = if *w == 0.0 { 0.0 } else { w.signum() };
        *dw += l1 * sign + l2 * w;
    }
}

/// Applies decoupled weight decay: `w ← w (1 - learning_rate · decay)` (Loshchilov and Hutter
/// 2019).
pub fn decay(w: &mut [f64], learning_rate: f64, decay: f64) {
    w.iter_mut().for_each(|w| *w *= 1.0 - learning_rate * decay);
}

/// Scales the incoming weights of each unit, a row of `w [outputs, inputs]`, down to a norm of at
/// most `max_norm` (Srivastava et al. 2014).
pub fn max_norm(w: &mut [f64], inputs: usize, max_norm: f64) {
    for unit in w.chunks_exact_mut(inputs) {
        let norm = unit.iter().map(|w| w * w).sum::<f64>().sqrt();
        if norm > max_norm {
            unit.iter_mut().for_each(|w| *w *= max_norm / norm);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient::{check_gradient, numbers};

    #[test]
    fn gradient_matches_finite_differences() {
        let w: Vec<f64> = numbers(1, 9).iter().map(|w| w + 0.1 * w.signum()).collect();
        let mut dw = vec![0.0; 9];
        gradient(&mut dw, &w, 0.3, 0.7);
        check_gradient("w", &w, &dw, |w| value(w, 0.3, 0.7));
    }

    #[test]
    fn max_norm_scales_long_units_only() {
        let mut w = [3.0, 4.0, 0.3, 0.4];
        max_norm(&mut w, 2, 1.0);
        assert!((w[0] - 0.6).abs() < 1e-12 && (w[1] - 0.8).abs() < 1e-12);
        assert_eq!(w[2..], [0.3, 0.4]);
    }
}
