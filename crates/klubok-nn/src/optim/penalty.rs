//! What holds weights small: L1, L2, decoupled decay, a largest norm per unit. All act on weights
//! only, not on biases or normalisation.

/// `l1 Σ|w| + l2/2 Σw²`: what L1 and L2 add to the loss.
pub fn value(w: &[f64], l1: f64, l2: f64) -> f64 {
    w.iter().map(|w| l1 * w.abs() + l2 / 2.0 * w * w).sum()
}

/// Adds its gradient `l1 sign(w) + l2 w` to `g`; at `w = 0` the slope of `|w|` is taken as 0.
pub fn gradient(g: &mut [f64], w: &[f64], l1: f64, l2: f64) {
    for (g, w) in g.iter_mut().zip(w) {
        let sign = if *w == 0.0 { 0.0 } else { w.signum() };
        *g += l1 * sign + l2 * w;
    }
}

/// Decoupled weight decay, before the rule: `w ← w (1 - learning_rate · decay)` (Loshchilov and
/// Hutter 2019).
pub fn decay(w: &mut [f64], learning_rate: f64, decay: f64) {
    w.iter_mut().for_each(|w| *w *= 1.0 - learning_rate * decay);
}

/// Scales each unit's incoming weights down to a norm of at most `largest` (Srivastava et al.
/// 2014).
pub fn max_norm(w: &mut [f64], inputs: usize, largest: f64) {
    for unit in w.chunks_exact_mut(inputs) {
        let norm = unit.iter().map(|w| w * w).sum::<f64>().sqrt();
        if norm > largest {
            unit.iter_mut().for_each(|w| *w *= largest / norm);
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
        let mut g = vec![0.0; 9];
        gradient(&mut g, &w, 0.3, 0.7);
        check_gradient("w", &w, &g, |w| value(w, 0.3, 0.7));
    }

    #[test]
    fn only_long_units_are_shortened() {
        let mut w = [3.0, 4.0, 0.3, 0.4];
        max_norm(&mut w, 2, 1.0);
        assert!((w[0] - 0.6).abs() < 1e-12 && (w[1] - 0.8).abs() < 1e-12);
        assert_eq!(w[2..], [0.3, 0.4]);
    }
}
