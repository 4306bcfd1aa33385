//! Evaluates the layers on many samples at once, on the training backend.

use std::sync::Arc;

use klubok_nn::{
    Result,
    backend::{DataId, Outputs},
    plan::Value,
    rows::Rows,
    state::State,
};

use super::ModelView;

/// Batch size.
const BLOCK: usize = 256;

impl ModelView {
    /// Returns the value that a layer passes to the next one, or the logits: a value for
    /// [`ModelView::infer`].
    ///
    /// # Panics
    /// When there is no such layer.
    pub fn layer_output(&self, layer: usize) -> Value {
        assert!(layer < self.layers.len(), "layer {layer} of {}", self.layers.len());
        // Dropout lies between a layer's output and the next layer, and changes nothing here.
        self.layers.get(layer + 1).map_or(self.plan.output, |next| next.x)
    }

    /// Computes values of the plan for these rows, `[rows, width]` each, on the backend's threads.
    /// Beside a training, one thread is enough.
    ///
    /// # Errors
    /// When the network does not fit into memory, or a value is not a layer's output.
    pub fn infer(
        &self,
        rows: &Arc<dyn Rows>,
        which: &[u32],
        values: &[Value],
    ) -> Result<Vec<Vec<f32>>> {
        let all = std::slice::from_ref(rows);
        let mut program = self.backend.compile(&self.plan, BLOCK, all)?;
        program.load(&State::from(self.model.weights.clone()))?;
        let mut outputs = Outputs::default();
        program.infer(DataId(0), which, values, &mut outputs)?;
        Ok(outputs.values)
    }
}

#[cfg(test)]
mod tests {
    use klubok_nn::rows::MemoryRows;

    use super::*;
    use crate::tests::view;

    #[test]
    fn a_batch_agrees_with_single_samples() {
        let view = view();
        let pixels = vec![1, 200, 30, 99, 0, 255];
        let stored: Vec<f64> = pixels.iter().map(|&pixel| f64::from(pixel)).collect();
        let rows: Arc<dyn Rows> = Arc::new(MemoryRows::pictures(pixels, 3, &[0, 1]));
        let values: Vec<Value> = (0..3).map(|layer| view.layer_output(layer)).collect();
        let batch = view.infer(&rows, &[1, 0], &values).unwrap();
        for (position, row) in [1, 0].into_iter().enumerate() {
            let pass = view.forward(&stored[row * 3..][..3]);
            for ((layer, value), batch) in view.layers().iter().zip(&values).zip(&batch) {
                let units = view.units(layer);
                for (single, batched) in pass.value(*value).iter().zip(&batch[position * units..]) {
                    // Single precision against double.
                    let difference = (single - f64::from(*batched)).abs();
                    assert!(difference < 1e-6 * (1.0 + single.abs()), "{single} {batched}");
                }
            }
        }
    }
}
