//! Figures of the weights themselves, outside of steps.

use klubok_nn::{
    plan::{ParamKind, ParamSpec},
    state::StateTensor,
};

use super::Trainer;
use crate::{Result, histogram::Histogram, metrics::LayerMetrics};

impl Trainer {
    /// Measures the norms of the weight matrices before the first step.
    pub(super) fn measure_weight_norms(&mut self) -> Result<()> {
        for (p, spec) in weight_matrices(&self.plan.params) {
            let weights = self.program.store_tensor(StateTensor::Param(p))?;
            let weight_sq = weights.to_f64().iter().map(|w| w * w).sum();
            self.progress.epoch_meter.set_weight_sq(spec.layer, weight_sq);
        }
        Ok(())
    }

    /// Measures the distances of the weights from their start and, with `train.tensorboard`, how
    /// they are spread.
    pub(super) fn measure_weights(&self, layers: &mut [LayerMetrics]) -> Result<()> {
        if self.distance.is_none() && !self.config.tensorboard {
            return Ok(());
        }
        for (p, spec) in weight_matrices(&self.plan.params) {
            let now = self.program.store_tensor(StateTensor::Param(p))?;
            let layer = &mut layers[spec.layer];
            let distance = self.distance.as_ref();
            layer.distance_from_start = distance.and_then(|of| of.of_layer(spec.layer, &now).0);
            let histogram = || Histogram::of(&now, spec.shape[1]).map(Box::new);
            layer.histogram = self.config.tensorboard.then(histogram).flatten();
        }
        Ok(())
    }
}

fn weight_matrices(params: &[ParamSpec]) -> impl Iterator<Item = (usize, &ParamSpec)> {
    params.iter().enumerate().filter(|(_, spec)| spec.kind == ParamKind::Weight)
}
