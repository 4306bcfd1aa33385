//! The loss before any update: an untrained network should know nothing.
//!
//! "Verify loss @ init" (Karpathy 2019, "A recipe for training neural networks"): a network whose
//! logits are 0 has the loss `ln(classes)`, `ln 2` for labels, and for numbers that of predicting
//! their mean.

use klubok_nn::loss::{self, Target};
use klubok_train::Result;
use serde::Serialize;

use super::{
    Lab,
    trial::{Trial, loss},
};

/// Size of the batch, at most.
const MAX_SAMPLES: usize = 512;

/// The initial loss beside that of a network that knows nothing.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct InitialLoss {
    /// Mean loss of a batch in training mode before any update; not finite if it overflows.
    pub loss: f64,
    /// The loss with logits of 0: `ln(classes)` for classes.
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
            expected: expected(lab),
            samples: figures.samples as usize,
        })
    }
}

/// Returns the mean loss over the training set with logits of 0.
fn expected(lab: &Lab<'_>) -> f64 {
    let (samples, spec) = (&lab.task.samples, &lab.task.plan.loss);
    let (z, mut dz) = (vec![0.0; samples.outputs], vec![0.0; samples.outputs]);
    if samples.targets.classes().is_some() {
        return (samples.outputs as f64).ln();
    }
    let train = &samples.parts.train;
    let of_row = |&row: &u32| {
        let values = &samples.targets.values()[row as usize * z.len()..][..z.len()];
        let y: Vec<f64> = values.iter().map(|&y| f64::from(y)).collect();
        loss::sample(&mut dz, &z, Target::Values(&y), spec)
    };
    train.iter().map(of_row).sum::<f64>() / train.len() as f64
}
