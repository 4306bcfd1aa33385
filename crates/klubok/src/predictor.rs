//! Predictions of a model for many rows at once, on a device.
//!
//! ```
//! use klubok::{Arrays, Dataset, Predictor, Settings};
//!
//! let x: Vec<f32> = (0..40).map(|i| i as f32 / 40.0).collect();
//! let y: Vec<f32> = x.iter().map(|x| 3.0 - 2.0 * x).collect();
//! let data = Dataset::split(Arrays::columns(&x, 1)?.numbers(&y, 1)?, 0.2, 0)?;
//! let settings = Settings::new().hidden(&[16]).epochs(60).batch_size(8).learning_rate(0.02);
//! let predictor = Predictor::new(klubok::train(&data, &settings)?.model, 1);
//! let predicted = predictor.predict(&data.rows, &data.parts.val)?;
//! assert_eq!(predicted.len(), data.parts.val.len());
//! assert!(predicted.iter().all(|y| (0.8..3.2).contains(y)));
//! # Ok::<(), klubok::Error>(())
//! ```

use std::sync::Arc;

use klubok_data::{DataError, Dataset, settings::TargetKind};
use klubok_model::Model;
use klubok_nn::{
    backend::{Backend, DataId, Outputs},
    network::Network,
    plan::Augment,
    rows::Rows,
    state::State,
};

use crate::{Result, device, evaluation::Evaluation};

/// Rows of a batch.
pub const BATCH_ROWS: usize = 256;

/// A model with a device that predicts batches. For one sample at a time,
/// [`Model::predict`](klubok_model::Model::predict) needs no device.
pub struct Predictor {
    /// The model.
    pub model: Model,
    backend: Box<dyn Backend>,
}

impl Predictor {
    /// Takes a model, and the CPU with this many threads.
    pub fn new(model: Model, threads: usize) -> Self {
        Self { model, backend: device::cpu(threads) }
    }

    /// Computes the logits of rows, `[rows, outputs]`.
    ///
    /// # Errors
    /// When the rows have another width than the network's input, or it does not fit into memory.
    pub fn logits(&self, rows: &Arc<dyn Rows>, which: &[u32]) -> Result<Vec<f32>> {
        let prepare = self.model.preprocessing.prepare(Augment::default());
        let plan = self.model.network.lower_for_inference(prepare);
        let mut program = self.backend.compile(&plan, BATCH_ROWS, std::slice::from_ref(rows))?;
        program.load(&State::from(self.model.weights.clone()))?;
        let (mut logits, mut outputs) = (Vec::new(), Outputs::default());
        for block in which.chunks(BATCH_ROWS) {
            program.infer(DataId(0), block, &[plan.output], &mut outputs)?;
            logits.extend_from_slice(&outputs.values[0]);
        }
        Ok(logits)
    }

    /// Predicts rows, `[rows, outputs]`: calibrated confidences in classes, those in labels, or
    /// numbers in their own units.
    ///
    /// # Errors
    /// As [`Predictor::logits`].
    pub fn predict(&self, rows: &Arc<dyn Rows>, which: &[u32]) -> Result<Vec<f64>> {
        let logits = self.logits(rows, which)?;
        let mut predictions: Vec<f64> = logits.iter().map(|&z| f64::from(z)).collect();
        let outputs = self.model.network.outputs;
        predictions.chunks_mut(outputs).for_each(|of| self.model.to_prediction(of));
        Ok(predictions)
    }

    /// Evaluates the model on some rows of a data set.
    ///
    /// # Errors
    /// As [`Predictor::logits`]; when the model does not predict the targets of the data.
    pub fn evaluate(&self, data: &Dataset, rows: &[u32]) -> Result<Evaluation> {
        let Network { answer, outputs, .. } = self.model.network;
        if answer != data.targets.kind() || outputs != data.outputs.len() {
            let describe = |outputs: usize, kind| {
                let kind = TargetKind::from(kind).name();
                format!("{outputs} targets of the kind `{kind}`")
            };
            let expected = describe(outputs, answer);
            let got = describe(data.outputs.len(), data.targets.kind());
            return Err(DataError::PartMismatch { expected, got }.into());
        }
        let logits = self.logits(&data.rows, rows)?;
        Ok(Evaluation::new(&self.model, data, rows, &logits))
    }
}
