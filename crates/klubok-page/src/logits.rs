//! Logits: the predicted class and its confidence, and the loss of a sample.

use std::borrow::Cow;

use klubok::{
    data::{Dataset, Targets},
    model::Model,
    nn::{
        calibration::Calibration,
        loss::{self, Target, predicted_class},
    },
    plan::{LossKind, LossSpec},
};

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

/// The losses of samples, without weights and label smoothing; of numbers the squared error in the
/// network's units.
pub(super) struct Losses<'a> {
    targets: Cow<'a, Targets>,
    spec: LossSpec,
}

impl<'a> Losses<'a> {
    /// Takes the targets of the data as the model learns them.
    pub(super) fn new(data: &'a Dataset, model: &Model) -> Self {
        let (kind, targets) = match &data.targets {
            classes @ Targets::Classes(_) => (LossKind::CrossEntropy, Cow::Borrowed(classes)),
            labels @ Targets::Labels(_) => (LossKind::BinaryCrossEntropy, Cow::Borrowed(labels)),
            numbers @ Targets::Numbers(_) => {
                let scaled = numbers.clone().scaled(&model.preprocessing);
                (LossKind::MeanSquared, Cow::Owned(scaled))
            }
        };
        Self { targets, spec: LossSpec { kind, ..LossSpec::CROSS_ENTROPY } }
    }

    /// Returns the loss of a row with these logits.
    pub(super) fn of(&self, row: u32, z: &[f64]) -> f64 {
        let mut dz = vec![0.0; z.len()];
        let values: Vec<f64>;
        let target = match &*self.targets {
            Targets::Classes(classes) => Target::Class(classes[row as usize]),
            Targets::Labels(all) | Targets::Numbers(all) => {
                let own = &all[row as usize * z.len()..][..z.len()];
                values = to_f64(own);
                Target::Values(&values)
            }
        };
        loss::sample(&mut dz, z, target, &self.spec)
    }
}
