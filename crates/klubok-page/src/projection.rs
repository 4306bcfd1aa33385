//! The cloud panel: the last hidden layer's activations of the film's samples, projected on two
//! principal components.

use std::sync::Arc;

use klubok::{components::Components, nn::loss::predicted_class};
use serde_json::json;

use super::{hub::Hub, inspection::InspectionResult, lock::lock, logits::to_f64};

impl Hub {
    /// Projects the inputs of the last layer in a snapshot, or now. The components are those of the
    /// film's last snapshot, so that all steps share their axes.
    pub(super) fn inspect_projection(&self, step: Option<u64>) -> InspectionResult {
        let data = self.class_data()?;
        let scene = self.scene()?;
        let (shown, steps) = (self.snapshot(step)?, self.film_steps());
        let last = self.snapshot(steps.last().copied())?;
        let values = |of: &klubok::train::film::Snapshot| -> Option<Vec<f64>> {
            Some(of.hidden.as_ref()?.values().map(f64::from).collect())
        };
        let both = values(&shown).zip(values(&last));
        let (shown_values, last_values) = both.ok_or("this network has no hidden layer")?;
        let (axes, samples) = (scene.axes, scene.answered);
        let is_whole = |values: &[f64]| axes > 0 && values.len() >= samples * axes;
        if samples == 0 || !is_whole(&shown_values) || !is_whole(&last_values) {
            return Err("this run has no samples to show".to_owned());
        }
        let mut known = lock(&self.film.axes);
        let space = match &*known {
            Some((step, space)) if *step == last.step => space.clone(),
            _ => {
                let space = Arc::new(Components::of(&last_values, axes, 2));
                *known = Some((last.step, space.clone()));
                space
            }
        };
        drop(known);
        let point = |i: usize| {
            let both = space.coordinates(&shown_values[i * axes..][..axes]);
            let at = [0, 1].map(|axis: usize| both.get(axis).copied().unwrap_or(0.0));
            let z = shown.outputs.rows().nth(i).map(to_f64).unwrap_or_default();
            // A hundredth of a deviation is a pixel.
            let at = at.map(|x| (100.0 * x).round() / 100.0);
            json!([at[0], at[1], data.targets.class(scene.rows[i]), predicted_class(&z)])
        };
        let width = self.run.network.hidden.last().map_or(0, |layer| layer.units);
        Ok(json!({
            "step": shown.step,
            "moments": steps,
            "width": width,
            "points": (0..samples).map(point).collect::<Vec<_>>(),
        }))
    }
}
