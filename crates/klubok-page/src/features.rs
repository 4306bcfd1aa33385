//! The features panel: the change of the first layer's weights since initialisation, of the units
//! that changed most.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use klubok::inspect::{Layer, ModelView};
use serde_json::{Value, json};

use super::{
    encoding::{extend, max_abs, shape_json, signed_bytes},
    hub::Hub,
    inspection::InspectionResult,
    moment::At,
};

/// Units in the panel.
const MAX_UNITS: usize = 24;

impl Hub {
    /// Describes how the first layer's weights have changed by the last known network up to a step,
    /// or now. The units are those that have changed most by now.
    pub(super) fn inspect_features(&self, layer: &str, at: At) -> InspectionResult {
        let shape = self.run.shape().ok_or("this network does not look at pictures")?;
        let start = self.initial_network()?;
        let own = start.layers().first().filter(|first| first.name == layer).cloned();
        let own = own.ok_or("only the first layer reads pixels")?;
        self.get_or_compute(&self.frequent, at, "features", |view| {
            let (_, now) = self.network_at(At { step: None, ..at })?;
            let change = |view: &ModelView, unit| difference(view, &start, &own, unit);
            let norm = |unit| change(&now, unit).iter().map(|w| w * w).sum::<f64>().sqrt();
            let norms: Vec<f64> = (0..start.units(&own)).map(norm).collect();
            let mut order: Vec<usize> = (0..norms.len()).collect();
            order.sort_by(|&a, &b| norms[b].total_cmp(&norms[a]));
            order.truncate(MAX_UNITS);
            let largest = |of: &dyn Fn(usize) -> Vec<f64>| {
                order.iter().fold(0.0f64, |max, &unit| max.max(max_abs(&of(unit))))
            };
            // One scale for all steps: a darker picture shows a larger change.
            let (scale_start, scale_added) =
                (largest(&|unit| start.unit(&own, unit)), largest(&|unit| change(&now, unit)));
            let unit = |&unit: &usize| {
                let added = change(view, unit);
                json!({
                    "unit": unit,
                    "start": STANDARD.encode(signed_bytes(&start.unit(&own, unit), scale_start)),
                    "added": STANDARD.encode(signed_bytes(&added, scale_added)),
                    "norm_added": added.iter().map(|w| w * w).sum::<f64>().sqrt(),
                })
            };
            let mut json = shape_json(shape);
            let more = json!({
                "of": start.units(&own),
                "moments": self.network_steps(),
                "scale_start": scale_start,
                "scale_added": scale_added,
                "units": order.iter().map(unit).collect::<Vec<_>>(),
            });
            extend(&mut json, more);
            Ok(Value::Object(json))
        })
    }
}

fn difference(view: &ModelView, start: &ModelView, layer: &Layer, unit: usize) -> Vec<f64> {
    let (now, start) = (view.unit(layer, unit), start.unit(layer, unit));
    now.iter().zip(&start).map(|(now, start)| now - start).collect()
}
