//! The loss of a batch and the gradient of the output, 16 samples per tile.

use klubok_kernels::{
    buffer::{Buffer, NoMemory},
    isa::Isa,
    loss::{Logits, Outcome, Pointwise, cross_entropy, pointwise},
    parts::{Chunks, Columns},
    pool::Pool,
};
use klubok_nn::{
    backend::{Step, StepFigures},
    error::{PlanError, Result},
    plan::{LossKind, LossSpec},
    rows::{Field, Kind, Rows},
};

use super::{
    check_field,
    memory::filled,
    values::{GROUP, Values},
};

/// Cost of the loss per logit, in multiply-adds of a product.
const PER_LOGIT: usize = 64;

/// Targets, weights and outcomes of a batch.
pub(super) struct Targets {
    kind: LossKind,
    smoothing: f32,
    class_weights: Vec<f64>,
    outputs: usize,
    stride: usize,
    /// A field as it is stored in the rows.
    stored: Vec<u8>,
    /// Classes, for cross-entropy; 0 beyond the batch.
    labels: Vec<u32>,
    /// Target values `[outputs][samples]`, for all other losses.
    values: Buffer,
    /// Weight of each sample; 0 beyond the batch.
    weights: Vec<f64>,
    /// Weight of each sample over the sum of weights of the global batch.
    shares: Vec<f32>,
    outcomes: Vec<Outcome>,
}

impl Targets {
    /// Allocates targets for up to `max_batch` samples. Rows of the output are `stride` apart.
    ///
    /// # Errors
    /// When the memory does not suffice.
    pub(super) fn new(
        spec: &LossSpec,
        outputs: usize,
        max_batch: usize,
        stride: usize,
    ) -> std::result::Result<Self, NoMemory> {
        let classes = spec.kind == LossKind::CrossEntropy;
        Ok(Self {
            kind: spec.kind,
            smoothing: spec.label_smoothing as f32,
            class_weights: spec.class_weights.clone(),
            outputs,
            stride,
            stored: filled(4 * max_batch * if classes { 1 } else { outputs }, 0)?,
            labels: filled(stride, 0)?,
            values: Buffer::new(if classes { 0 } else { outputs * stride })?,
            weights: filled(stride, 0.0)?,
            shares: filled(stride, 0.0)?,
            outcomes: filled(stride, Outcome::default())?,
        })
    }

    /// Reads targets and weights of a step.
    ///
    /// # Errors
    /// When a label is not below the number of outputs, a field does not suit the loss, or reading
    /// rows fails.
    pub(super) fn gather(&mut self, data: &dyn Rows, step: &Step<'_>) -> Result<()> {
        let batch = step.rows.len();
        self.weights.fill(0.0);
        self.weights[..batch].fill(1.0);
        if data.fields().len() > Field::WEIGHT.0 {
            check_field(data, Field::WEIGHT, "weights of a row", 1, |kind| kind == Kind::Numbers)?;
            let stored = &mut self.stored[..4 * batch];
            data.gather(Field::WEIGHT, step.rows, stored)?;
            for (weight, stored) in self.weights.iter_mut().zip(stored.as_chunks().0) {
                *weight = f64::from(f32::from_ne_bytes(*stored));
            }
        }
        if self.kind == LossKind::CrossEntropy {
            self.gather_labels(data, step.rows)?;
        } else {
            self.gather_values(data, step.rows)?;
        }
        for (share, weight) in self.shares.iter_mut().zip(&self.weights) {
            *share = (weight / step.weight_sum) as f32;
        }
        Ok(())
    }

    fn gather_labels(&mut self, data: &dyn Rows, rows: &[u32]) -> Result<()> {
        check_field(data, Field::Y, "labels of a row", 1, |kind| kind == Kind::Class)?;
        let stored = &mut self.stored[..4 * rows.len()];
        data.gather(Field::Y, rows, stored)?;
        self.labels.fill(0);
        let labels = self.labels.iter_mut().zip(&mut self.weights);
        for ((&row, stored), (label, weight)) in rows.iter().zip(stored.as_chunks().0).zip(labels) {
            *label = u32::from_ne_bytes(*stored);
            let class = *label as usize;
            if class >= self.outputs {
                let (label, last) = (*label, self.outputs - 1);
                return Err(PlanError::Label { row, label, last });
            }
            *weight *= self.class_weights.get(class).copied().unwrap_or(1.0);
        }
        Ok(())
    }

    fn gather_values(&mut self, data: &dyn Rows, rows: &[u32]) -> Result<()> {
        let numbers = |kind| kind == Kind::Numbers;
        check_field(data, Field::Y, "targets of a row", self.outputs, numbers)?;
        let stored = &mut self.stored[..4 * self.outputs * rows.len()];
        data.gather(Field::Y, rows, stored)?;
        let stored = stored.as_chunks().0;
        for (output, row) in self.values.chunks_exact_mut(self.stride).enumerate() {
            let column = stored.iter().skip(output).step_by(self.outputs);
            row.iter_mut().zip(column).for_each(|(y, stored)| *y = f32::from_ne_bytes(*stored));
        }
        Ok(())
    }

    /// Writes the gradient of the output `y` into `delta`, and adds loss and accuracy to the
    /// figures of the step.
    pub(super) fn loss(
        &mut self,
        isa: Isa,
        pool: &mut Pool,
        y: &Values,
        delta: &mut [f32],
        step: &Step<'_>,
        figures: &mut StepFigures,
    ) {
        let (batch, stride, smoothing) = (step.rows.len(), self.stride, self.smoothing);
        let Self { labels, values, shares, outcomes, .. } = self;
        let kind = match self.kind {
            LossKind::CrossEntropy => None,
            LossKind::BinaryCrossEntropy => Some(Pointwise::BinaryCrossEntropy),
            LossKind::MeanSquared => Some(Pointwise::MeanSquared),
            LossKind::Huber { delta } => Some(Pointwise::Huber { delta: delta as f32 }),
        };
        let parts = (Columns::new(delta, stride, GROUP), Chunks::new(outcomes, GROUP));
        let work = GROUP * self.outputs * PER_LOGIT;
        pool.run(batch.div_ceil(GROUP), work, parts, |i, (mut dz, outcomes), _| {
            let from = i * GROUP;
            let z = Logits { values: &y.rows, stride, from, outputs: y.width };
            let (labels, _) = labels[from..].as_chunks();
            let (shares, _) = shares[from..].as_chunks();
            match kind {
                None => {
                    cross_entropy(isa, &mut dz, z, &labels[0], &shares[0], smoothing, outcomes);
                }
                Some(kind) => pointwise(isa, kind, &mut dz, z, values, &shares[0], outcomes),
            }
        });
        figures.samples += batch as u32;
        for (outcome, weight) in outcomes[..batch].iter().zip(&self.weights) {
            figures.loss_sum += weight * f64::from(outcome.loss);
            figures.weight_sum += weight;
            figures.correct += u32::from(outcome.correct);
        }
    }
}
