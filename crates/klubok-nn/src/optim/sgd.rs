//! Stochastic gradient descent: `w ← w - learning_rate · g` (Robbins and Monro 1951).
//!
//! With momentum (Polyak 1964; Sutskever et al. 2013, in PyTorch's form):
//!
//! - `v ← momentum · v + g`
//! - `w ← w - learning_rate · v`, or with Nesterov `w ← w - learning_rate · (g + momentum · v)`

/// Updates `w` along the negative gradient `g`.
pub fn plain(w: &mut [f64], g: &[f64], learning_rate: f64) {
    for (w, g) in w.iter_mut().zip(g) {
        *w -= learning_rate * g;
    }
}

/// Updates `w` and the velocity `v`, which starts at zero.
pub fn with_momentum(
    w: &mut [f64],
    v: &mut [f64],
    g: &[f64],
    learning_rate: f64,
    momentum: f64,
    nesterov: bool,
) {
    for ((w, v), g) in w.iter_mut().zip(v).zip(g) {
        *v = momentum * *v + g;
        *w -= learning_rate * if nesterov { g + momentum * *v } else { *v };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_steps_by_hand() {
        let (mut w, mut v) = ([1.0], [0.0]);
        with_momentum(&mut w, &mut v, &[2.0], 0.25, 0.5, false);
        assert_eq!((w, v), ([0.5], [2.0]));
        with_momentum(&mut w, &mut v, &[2.0], 0.25, 0.5, false);
        assert_eq!((w, v), ([-0.25], [3.0]));
    }

    #[test]
    fn a_nesterov_step_by_hand() {
        let (mut w, mut v) = ([1.0], [0.0]);
        with_momentum(&mut w, &mut v, &[2.0], 0.25, 0.5, true);
        assert_eq!((w, v), ([0.25], [2.0]));
    }
}
