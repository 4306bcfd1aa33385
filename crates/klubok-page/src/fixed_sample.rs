//! A fixed sample of the data, and the network's outputs on it at a step: the last hidden layer's
//! activations of validation samples, and the losses of training samples. Small enough to keep with
//! every snapshot.

use klubok::{data::Dataset, inspect::ModelView, nn::loss::predicted_class};

use super::logits::{Losses, to_f64};

/// Validation samples in the fixed sample, at most.
const MAX_VAL_SAMPLES: usize = 240;
/// Training samples in the fixed sample, at most.
const MAX_TRAIN_SAMPLES: usize = 1500;

/// Outputs of a network on the fixed sample.
pub(super) struct SampleOutputs {
    /// Inputs of the last layer on the validation samples: `[samples, width]`.
    pub(super) hidden: Vec<f32>,
    /// Predicted classes of the validation samples.
    pub(super) predicted: Vec<usize>,
    /// Losses of the training samples.
    pub(super) losses: Vec<f32>,
}

impl SampleOutputs {
    /// Evaluates a network on the fixed sample; none where it has no hidden layer, or the data
    /// cannot be read.
    pub(super) fn new(data: &Dataset, view: &ModelView) -> Option<Self> {
        let output = view.plan().output;
        let last = view.layers().len().checked_sub(2)?;
        let val = val_sample(data);
        let mut of_val = view.infer(&data.rows, &val, &[view.layer_output(last), output]).ok()?;
        let train = train_sample(data);
        let of_train = view.infer(&data.rows, &train, &[output]).ok()?;
        let classes = data.outputs.len();
        let predicted =
            of_val[1].chunks_exact(classes).map(|z| predicted_class(&to_f64(z))).collect();
        let losses = Losses::new(data, &view.model);
        let loss = |(z, &row): (&[f32], &u32)| losses.of(row, &to_f64(z)) as f32;
        let losses = of_train[0].chunks_exact(classes).zip(&train).map(loss).collect();
        Some(Self { hidden: of_val.swap_remove(0), predicted, losses })
    }
}

/// Returns the validation rows of the fixed sample.
pub(super) fn val_sample(data: &Dataset) -> Vec<u32> {
    subsample(&data.parts.val, MAX_VAL_SAMPLES)
}

/// Returns the training rows of the fixed sample.
pub(super) fn train_sample(data: &Dataset) -> Vec<u32> {
    subsample(&data.parts.train, MAX_TRAIN_SAMPLES)
}

/// Returns at most `max_count` of these rows, evenly spaced: the same ones on every call.
pub(super) fn subsample(rows: &[u32], max_count: usize) -> Vec<u32> {
    rows.iter().copied().step_by(rows.len().div_ceil(max_count).max(1)).collect()
}
