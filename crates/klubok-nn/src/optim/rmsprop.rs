//! RMSProp (Tieleman and Hinton 2012, in PyTorch's form): the gradient over the root of its running
//! mean square.
//!
//! - `s ← decay · s + (1 - decay) g²`
//! - `u = g / (√s + ε)`
//! - `w ← w - learning_rate · u`, or with momentum `v ← momentum · v + u`,
//!   `w ← w - learning_rate · v`

/// Updates `w`, the mean square `s` and the velocity `v`, which both start at zero. Without
/// momentum `v` is empty.
pub fn update(
    w: &mut [f64],
    s: &mut [f64],
    v: &mut [f64],
    g: &[f64],
    learning_rate: f64,
    decay: f64,
    epsilon: f64,
    momentum: f64,
) {
    for i in 0..w.len() {
        s[i] = decay * s[i] + (1.0 - decay) * g[i] * g[i];
        let mut direction = g[i] / (s[i].sqrt() + epsilon);
        if let Some(v) = v.get_mut(i) {
            *v = momentum * *v + direction;
            direction = *v;
        }
        w[i] -= learning_rate * direction;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_step_by_hand() {
        let (mut w, mut s) = ([1.0], [0.0]);
        update(&mut w, &mut s, &mut [], &[2.0], 0.5, 0.75, 0.0, 0.0);
        // s = 0.25 · 4 = 1, so the step is 0.5 · 2 / 1.
        assert_eq!((w, s), ([0.0], [1.0]));
    }
}
