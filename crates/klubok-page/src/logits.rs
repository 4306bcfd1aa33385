//! Logits: the predicted class and its confidence.

use klubok::nn::{calibration::Calibration, loss::predicted_class};

/// Widens logits to f64, as the loss reads them.
pub(super) fn to_f64(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&value| f64::from(value)).collect()
}

/// Returns the predicted class and its calibrated confidence.
pub(super) fn predict(z: &[f32], calibration: Calibration) -> (usize, f64) {
    let mut z = to_f64(z);
    let class = predicted_class(&z);
    calibration.confidences(&mut z);
    (class, z[class])
}
