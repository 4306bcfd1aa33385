//! Weights in 8 bits: `w = scale q` with whole `q` from -127 to 127 and one scale for each unit.
//!
//! A unit's largest weight has `|q| = 127`. So a second quantisation, also of weights that were
//! multiplied unit by unit since, finds the same `q`.

use klubok_model::Model;
use klubok_nn::state::Numbers;

use super::Dense;

/// Largest `|q|`.
const MAX: f32 = 127.0;

/// Returns the model with weights that 8 bits hold, for measuring what they cost. Batch
/// normalisation is folded into the weights.
pub fn int8(model: &Model) -> Model {
    let (network, mut weights) = model.network.fold(&model.weights);
    let widths = network.hidden.iter().map(|layer| layer.units);
    let inputs = std::iter::once(network.inputs).chain(widths);
    for (w, inputs) in weights.params.iter_mut().step_by(2).zip(inputs) {
        let mut values = w.to_f32();
        for row in values.chunks_exact_mut(inputs) {
            let (scale, q) = quantise(row);
            row.iter_mut().zip(q).for_each(|(w, q)| *w = scale * f32::from(q));
        }
        *w = Numbers::F32(values);
    }
    Model { network, weights, ..model.clone() }
}

impl Dense {
    /// Returns the scale of each unit and the weights in 8 bits, `[out, in]`.
    pub(crate) fn to_int8(&self) -> (Vec<f32>, Vec<i8>) {
        let rows = self.weights.chunks_exact(self.inputs).map(quantise);
        let (scales, rows): (Vec<f32>, Vec<Vec<i8>>) = rows.unzip();
        (scales, rows.concat())
    }
}

/// Returns the scale of a unit's weights, and the weights divided by it.
fn quantise(row: &[f32]) -> (f32, Vec<i8>) {
    let largest = row.iter().fold(0.0f32, |most, w| most.max(w.abs()));
    // Tiny weights, whose scale would underflow, are 0.
    let scale = if largest / MAX < f32::MIN_POSITIVE { 1.0 } else { largest / MAX };
    (scale, row.iter().map(|w| (w / scale).round().clamp(-MAX, MAX) as i8).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_is_half_a_step_and_a_second_time_changes_nothing() {
        let row: Vec<f32> = (0..100).map(|i| (i as f32 * 0.7).sin() * 0.3).collect();
        let (scale, q) = quantise(&row);
        let back: Vec<f32> = q.iter().map(|q| scale * f32::from(*q)).collect();
        assert!(row.iter().zip(&back).all(|(w, b)| (w - b).abs() <= 0.5001 * scale));
        let tripled: Vec<f32> = back.iter().map(|w| 3.3 * w).collect();
        assert_eq!(quantise(&tripled).1, q);
        assert_eq!(quantise(&[0.0, 1e-44]), (1.0, vec![0, 0]));
    }
}
