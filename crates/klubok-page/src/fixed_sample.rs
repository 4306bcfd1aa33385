//! Fixed samples of the data: the same ones on every call.

use klubok::data::{Dataset, subsample};

/// Training samples in the fixed sample, at most.
const MAX_TRAIN_SAMPLES: usize = 1500;

/// Returns the training rows of the fixed sample.
pub(super) fn train_sample(data: &Dataset) -> Vec<u32> {
    subsample(&data.parts.train, MAX_TRAIN_SAMPLES)
}
