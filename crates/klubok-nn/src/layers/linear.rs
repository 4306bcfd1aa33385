//! Fully connected layer: `z = x Wᵀ + b`.
//!
//! Shapes: `x [batch, inputs]`, `w [outputs, inputs]`, `b [outputs]`, `z [batch, outputs]`.
//! Backward, with `dz = ∂L/∂z`: `dw = dzᵀ x`, `db = Σ_batch dz`, `dx = dz W`.

use crate::plan::{Op, ParamKind, Plan, Value};

/// Writes `z = x Wᵀ + b`, one row per sample. A layer without biases has an empty `b`.
pub fn forward(z: &mut [f64], x: &[f64], w: &[f64], b: &[f64], inputs: usize) {
    let outputs = w.len() / inputs;
    for (z, x) in z.chunks_exact_mut(outputs).zip(x.chunks_exact(inputs)) {
        for (o, (z, w)) in z.iter_mut().zip(w.chunks_exact(inputs)).enumerate() {
            let product: f64 = w.iter().zip(x).map(|(w, x)| w * x).sum();
            *z = b.get(o).copied().unwrap_or(0.0) + product;
        }
    }
}

/// Adds the gradients of one batch to `dx`, `dw` and `db`. A layer without biases has an empty
/// `db`.
pub fn backward(
    dx: &mut [f64],
    dw: &mut [f64],
    db: &mut [f64],
    dz: &[f64],
    x: &[f64],
    w: &[f64],
    inputs: usize,
) {
    backward_input(dx, dz, w, inputs);
    let outputs = w.len() / inputs;
    for (x, dz) in x.chunks_exact(inputs).zip(dz.chunks_exact(outputs)) {
        for (o, dz) in dz.iter().enumerate() {
            let unit = &mut dw[o * inputs..(o + 1) * inputs];
            unit.iter_mut().zip(x).for_each(|(dw, x)| *dw += dz * x);
            if let Some(db) = db.get_mut(o) {
                *db += dz;
            }
        }
    }
}

/// Adds only the gradient of the input, `dx = dz W`.
pub fn backward_input(dx: &mut [f64], dz: &[f64], w: &[f64], inputs: usize) {
    let outputs = w.len() / inputs;
    for (dx, dz) in dx.chunks_exact_mut(inputs).zip(dz.chunks_exact(outputs)) {
        for (w, dz) in w.chunks_exact(inputs).zip(dz) {
            dx.iter_mut().zip(w).for_each(|(dx, w)| *dx += dz * w);
        }
    }
}

/// Appends the layer to a plan and returns its output.
///
/// Its parameters are named `LAYER.weight` and `LAYER.bias`, as in PyTorch.
pub fn lower(plan: &mut Plan, x: Value, outputs: usize, bias: bool) -> Value {
    let inputs = plan.widths[x.0];
    let w = plan.add_param("weight", &[outputs, inputs], ParamKind::Weight);
    let b = bias.then(|| plan.add_param("bias", &[outputs], ParamKind::Bias));
    let y = plan.add_value(outputs);
    plan.ops.push(Op::Linear { y, x, w, b });
    y
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient::{check_gradient, numbers, weighted_sum};

    #[test]
    fn two_units_by_hand() {
        let mut z = [0.0; 2];
        forward(&mut z, &[1.0, 2.0, 3.0], &[1.0, 0.0, -1.0, 0.5, 0.5, 0.5], &[10.0, 0.0], 3);
        assert_eq!(z, [8.0, 3.0]);
    }

    #[test]
    fn identity_matrices_return_their_input() {
        let x = numbers(1, 6);
        let identity = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0];
        let (mut a, mut b) = ([0.0; 6], [0.0; 6]);
        forward(&mut a, &x, &identity, &[], 3);
        forward(&mut b, &a, &identity, &[], 3);
        assert_eq!(b.as_slice(), x);
    }

    #[test]
    fn gradients_match_finite_differences() {
        for (batch, inputs, outputs) in [(3, 4, 2), (1, 1, 1), (2, 7, 5)] {
            let (x, w, b) =
                (numbers(1, batch * inputs), numbers(2, inputs * outputs), numbers(3, outputs));
            let dz = numbers(4, batch * outputs);
            let loss = |x: &[f64], w: &[f64], b: &[f64]| {
                let mut z = vec![0.0; batch * outputs];
                forward(&mut z, x, w, b, inputs);
                weighted_sum(&dz, &z)
            };
            let (mut dx, mut dw, mut db) =
                (vec![0.0; x.len()], vec![0.0; w.len()], vec![0.0; b.len()]);
            backward(&mut dx, &mut dw, &mut db, &dz, &x, &w, inputs);
            check_gradient("x", &x, &dx, |x| loss(x, &w, &b));
            check_gradient("w", &w, &dw, |w| loss(&x, w, &b));
            check_gradient("b", &b, &db, |b| loss(&x, &w, b));
        }
    }
}
