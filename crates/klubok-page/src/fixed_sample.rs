//! Fixed samples of the data: the same ones on every call.

use klubok::data::Dataset;

/// Training samples in the fixed sample, at most.
const MAX_TRAIN_SAMPLES: usize = 1500;

/// Returns the training rows of the fixed sample.
pub(super) fn train_sample(data: &Dataset) -> Vec<u32> {
    subsample(&data.parts.train, MAX_TRAIN_SAMPLES)
}

/// Returns at most `max_count` of these rows, evenly spaced.
pub(super) fn subsample(rows: &[u32], max_count: usize) -> Vec<u32> {
    rows.iter().copied().step_by(rows.len().div_ceil(max_count).max(1)).collect()
}
