//! The loss before any update: a network that knows nothing should not be sure of anything.
//!
//! Even confidences cost `ln(classes)`: "verify loss @ init" (Karpathy 2019, "A recipe for training
//! neural networks").

use klubok_train::Result;
use serde::Serialize;

use super::{
    Lab,
    trial::{Trial, loss},
};

/// Samples that it is measured on, at most.
const SAMPLES: usize = 512;

/// The loss at the start beside that of even confidences.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct InitialLoss {
    /// Mean loss of a batch in training mode before any update; no number where it overflows.
    pub loss: f64,
    /// `ln(classes)`.
    pub expected: f64,
    /// Samples that it was measured on.
    pub samples: usize,
}

impl InitialLoss {
    /// Measures one large batch.
    ///
    /// # Errors
    /// When the device fails.
    pub fn of(lab: &Lab<'_>) -> Result<Self> {
        let mut config = lab.config.clone();
        config.train.batch_size = SAMPLES;
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
