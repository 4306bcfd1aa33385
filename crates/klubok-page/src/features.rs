//! The features panel: the change of the first layer's weights since initialisation.

use serde_json::Value;

use super::{
    encoding::{extend, shape_json},
    hub::Hub,
    inspection::InspectionResult,
    lock::lock,
};

/// Units in the panel: those whose weights changed most.
const MAX_UNITS: usize = 24;

impl Hub {
    /// Describes how the first layer's weights have changed, at a snapshot's step or now.
    pub(super) fn inspect_features(&self, layer: &str, step: Option<u64>) -> InspectionResult {
        let shape = self.run.shape().ok_or("this network does not look at pictures")?;
        let start = self.initial_network()?;
        if start.layers().first().is_none_or(|first| first.name != layer) {
            return Err("only the first layer reads pixels".to_owned());
        }
        self.compute_from_snapshots(step, "features", || {
            let mut json = shape_json(shape);
            extend(&mut json, lock(&self.snapshots).to_json(step, &start, MAX_UNITS));
            Ok(Value::Object(json))
        })
    }
}
