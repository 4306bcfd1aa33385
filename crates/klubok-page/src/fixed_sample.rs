//! A fixed sample of the data, and what a network makes of it at a moment: where validation samples
//! lie before the last layer, and what training samples cost. Little enough to be kept for every
//! moment.

use klubok::{
    data::Dataset,
    inspect::ModelView,
    nn::loss::{log_sum_exp, predicted_class},
};

use super::logits::wide;

/// Validation samples whose place is followed.
const PLACED: usize = 240;
/// Training samples whose loss is followed.
const FOLLOWED: usize = 1500;

/// What a network makes of a fixed sample at a moment.
pub(super) struct Seen {
    /// What the last layer reads, of the validation samples: `[samples, width]`.
    pub(super) hidden: Vec<f32>,
    /// What it answers.
    pub(super) said: Vec<usize>,
    /// The loss of the training samples.
    pub(super) losses: Vec<f32>,
}

impl Seen {
    /// What a network makes of the fixed sample; none where it has no hidden layer, or the sample
    /// cannot be asked.
    pub(super) fn new(data: &Dataset, view: &ModelView) -> Option<Self> {
        let output = view.plan().output;
        let last = view.layers().len().checked_sub(2)?;
        let val = placed(data);
        let mut of_val = view.infer(&data.rows, &val, &[view.layer_output(last), output]).ok()?;
        let train = followed(data);
        let of_train = view.infer(&data.rows, &train, &[output]).ok()?;
        let classes = data.classes.len();
        let said = of_val[1].chunks_exact(classes).map(|z| predicted_class(&wide(z))).collect();
        let loss = |(z, &row): (&[f32], &u32)| {
            let z = wide(z);
            (log_sum_exp(&z) - z[data.targets[row as usize] as usize]) as f32
        };
        let losses = of_train[0].chunks_exact(classes).zip(&train).map(loss).collect();
        Some(Self { hidden: of_val.swap_remove(0), said, losses })
    }
}

/// The validation samples whose place is followed.
pub(super) fn placed(data: &Dataset) -> Vec<u32> {
    spread(&data.parts.val, PLACED)
}

/// The training samples whose loss is followed.
pub(super) fn followed(data: &Dataset) -> Vec<u32> {
    spread(&data.parts.train, FOLLOWED)
}

/// At most so many of these rows, evenly spread: the same ones whenever somebody looks.
pub(super) fn spread(rows: &[u32], most: usize) -> Vec<u32> {
    rows.iter().copied().step_by(rows.len().div_ceil(most).max(1)).collect()
}
