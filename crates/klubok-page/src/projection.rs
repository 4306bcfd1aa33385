//! The cloud panel: the last hidden layer's activations of validation samples, projected on two
//! principal components.

use klubok::{components::Components, data::Dataset};
use serde_json::json;

use super::{
    fixed_sample::val_sample, hub::Hub, inspection::InspectionResult, lock::lock, logits::to_f64,
};

impl Hub {
    /// Projects the inputs of the last layer at a snapshot's step, or now. The components are those
    /// of the latest snapshot, so that all steps share their axes.
    pub(super) fn inspect_projection(&self, step: Option<u64>) -> InspectionResult {
        let data = self.class_data()?;
        self.compute_from_snapshots(step, "cloud", || self.projection(data, step))
    }

    fn projection(&self, data: &Dataset, step: Option<u64>) -> InspectionResult {
        let outputs = lock(&self.snapshots).sample_outputs();
        let (last, _) = outputs.last().ok_or("this network has no hidden layer")?;
        let rows = val_sample(data);
        let width = last.hidden.len() / rows.len().max(1);
        if width == 0 {
            return Err("this run has no validation part".to_owned());
        }
        let space = Components::of(&to_f64(&last.hidden), width, 2);
        let after = step.map_or(outputs.len(), |step| {
            outputs.partition_point(|(_, kept_step)| *kept_step <= step)
        });
        let (shown, step) = &outputs[after.saturating_sub(1)];
        let point = |(i, &row): (usize, &u32)| {
            let mut at = space.coordinates(&to_f64(&shown.hidden[i * width..][..width]));
            at.resize(2, 0.0);
            json!([at[0], at[1], data.targets.class(row), shown.predicted[i]])
        };
        Ok(json!({
            "step": step,
            "moments": outputs.iter().map(|(_, step)| step).collect::<Vec<_>>(),
            "width": width,
            "points": rows.iter().enumerate().map(point).collect::<Vec<_>>(),
        }))
    }
}
