//! Many samples at once: what the layers make of each, through the backend that trains.

use std::sync::Arc;

use klubok_nn::{
    Result,
    backend::{DataId, Outputs},
    plan::Value,
    rows::Rows,
    state::State,
};

use super::ModelView;

/// Rows that go through the network together.
const BLOCK: usize = 256;

impl ModelView {
    /// What a layer hands on to the next one, or the logits: a value that [`ModelView::ask`] can be
    /// asked for.
    ///
    /// # Panics
    /// When there are not so many layers.
    pub fn handed_on(&self, layer: usize) -> Value {
        assert!(layer < self.layers.len(), "layer {layer} of {}", self.layers.len());
        // What is dropped in training stands between a layer's output and the next layer, and
        // changes nothing here.
        self.layers.get(layer + 1).map_or(self.plan.output, |next| next.x)
    }

    /// Values of the plan for these rows, `[rows, width]` each, on the threads of the backend:
    /// beside a training one is enough.
    ///
    /// # Errors
    /// When the network does not fit into memory, or a value is not one that a layer hands on.
    pub fn ask(
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
    fn many_samples_get_what_each_gets_alone() {
        let view = view();
        let pixels = vec![1, 200, 30, 99, 0, 255];
        let stored: Vec<f64> = pixels.iter().map(|&pixel| f64::from(pixel)).collect();
        let rows: Arc<dyn Rows> = Arc::new(MemoryRows::pictures(pixels, 3, &[0, 1]));
        let values: Vec<Value> = (0..3).map(|layer| view.handed_on(layer)).collect();
        let many = view.ask(&rows, &[1, 0], &values).unwrap();
        for (place, row) in [1, 0].into_iter().enumerate() {
            let pass = view.pass(&stored[row * 3..][..3]);
            for ((layer, value), many) in view.layers().iter().zip(&values).zip(&many) {
                let units = view.units(layer);
                for (alone, among) in pass.value(*value).iter().zip(&many[place * units..]) {
                    // Single precision against double.
                    let apart = (alone - f64::from(*among)).abs();
                    assert!(apart < 1e-6 * (1.0 + alone.abs()), "{alone} {among}");
                }
            }
        }
    }
}
