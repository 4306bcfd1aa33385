//! Logits: which class they answer, and how sure they are.

use klubok::nn::{calibration::Calibration, loss::predicted_class};

/// Logits as the loss reads them.
pub(super) fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&value| f64::from(value)).collect()
}

/// How sure logits are of an answer, and which.
pub(super) fn sure(z: &[f32], calibration: Calibration) -> (usize, f64) {
    let mut z = wide(z);
    let said = predicted_class(&z);
    calibration.confidences(&mut z);
    (said, z[said])
}
