//! The loss before any update: an untrained network should have no confidence in any class.
//!
//! A uniform distribution has a loss of `ln(classes)`: "verify loss @ init" (Karpathy 2019, "A
//! recipe for training neural networks").

use klubok_train::Result;
use serde::Serialize;

use super::{
    Lab,
    trial::{Trial, loss},
};

/// Size of the batch, at most.
const MAX_SAMPLES: usize = 512;

/// The initial loss beside that of a uniform distribution.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct InitialLoss {
    /// Mean loss of a batch in training mode before any update; not finite if it overflows.
    pub loss: f64,
    /// `ln(classes)`.
    pub expected: f64,
    /// Samples in the batch.
    pub samples: usize,
}

impl InitialLoss {
    /// Measures the loss of one large batch.
    ///
    /// # Errors
    /// When the device fails.
    pub fn measure(lab: &Lab<'_>) -> Result<Self> {
        let mut config = lab.config.clone();
        config.train.batch_size = MAX_SAMPLES;
        let rows = &lab.data.parts.train;
        let mut trial = Trial::new(lab, &config, &lab.task.preprocessing, rows, 0)?;
        let figures = trial.train(0.0)?;
        Ok(Self {
            loss: loss(&figures),
            expected: (lab.data.classes.len() as f64).ln(),
            samples: figures.samples as usize,
        })
    }
}
