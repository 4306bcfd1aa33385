//! The result on the validation set, for the card of a model.

use klubok_data::Dataset;
use klubok_model::{Card, Errors, Validation};

use crate::{
    config::{Config, Monitor},
    evaluate::{chance, wilson},
    progress::Progress,
};

/// Facts about the validation that are the same for every epoch.
pub struct ValidationContext {
    chance: f64,
    chose_epoch: bool,
}

impl ValidationContext {
    /// Takes the facts from settings and data.
    pub fn new(config: &Config, data: &Dataset) -> Self {
        Self { chance: chance(data), chose_epoch: config.train.monitor != Monitor::Last }
    }

    /// Adds the result of the best epoch to a card: its accuracy, or its errors; nothing without a
    /// validation set.
    pub fn complete(&self, card: &mut Card, progress: &Progress) {
        let Self { chance, chose_epoch } = *self;
        let (best, samples) = (progress.best.unwrap_or_default(), progress.val_samples);
        card.validation = best.val_accuracy.map(|accuracy| {
            let accuracy_interval = wilson(accuracy, samples as usize);
            Validation { accuracy, accuracy_interval, chance, chose_epoch, samples }
        });
        let errors = best.val_rmse.zip(best.val_r2);
        card.errors = errors.map(|(rmse, r2)| Errors { rmse, r2, chose_epoch, samples });
    }
}
