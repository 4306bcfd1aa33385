//! The decision map: the predictions of a network with two inputs, over the plane of the two.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use klubok::{
    inspect::plane::Plane,
    rows::{MemoryRows, Rows},
};
use serde_json::json;

use super::{fixed_sample::subsample, hub::Hub, inspection::InspectionResult, logits::predict};

/// Columns and rows of the map.
const SIDE: usize = 72;
/// Points of the training set, and of the validation set, at most.
const MAX_POINTS: usize = 300;

impl Hub {
    /// Draws the map at a snapshot's step or now, with training and validation points.
    pub(super) fn inspect_decision_map(&self, step: Option<u64>) -> InspectionResult {
        let data = self.class_data()?;
        if self.initial_network()?.model.network.inputs != 2 {
            return Err("only a network of two inputs has a map".to_owned());
        }
        let (step, view) = self.network_at(step)?;
        let parts = [&data.parts.train, &data.parts.val].map(|part| subsample(part, MAX_POINTS));
        let stored = [self.stored(&parts[0])?, self.stored(&parts[1])?];
        let plane = Plane::around(&stored.concat(), SIDE);
        let squares: Arc<dyn Rows> =
            Arc::new(MemoryRows::numbers(&plane.centres(), 2, &vec![0; SIDE * SIDE]));
        let indices: Vec<u32> = (0..squares.len() as u32).collect();
        let logits = view.infer(&squares, &indices, &[view.plan().output]);
        let logits = logits.map_err(|error| error.to_string())?.swap_remove(0);
        let (mut classes, mut shades) = (Vec::new(), Vec::new());
        for z in logits.chunks_exact(data.outputs.len()) {
            let (class, confidence) = predict(z, view.model.calibration);
            classes.push(class);
            shades.push((255.0 * confidence).round() as u8);
        }
        let points = |part: usize| {
            let points = stored[part].as_chunks::<2>().0.iter();
            let point =
                |(at, &row): (&[f64; 2], &u32)| json!([at[0], at[1], data.targets.class(row)]);
            points.zip(&parts[part]).map(point).collect::<Vec<_>>()
        };
        Ok(json!({
            "step": step,
            "wholes": self.network_steps(),
            "side": SIDE,
            "low": plane.low,
            "high": plane.high,
            "answers": classes,
            "confidences": STANDARD.encode(shades),
            "train": points(0),
            "val": points(1),
        }))
    }
}
