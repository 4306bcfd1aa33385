//! The decision map: what a network of two inputs answers, everywhere on the plane of the two.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use klubok::{
    inspect::plane::Plane,
    rows::{MemoryRows, Rows},
};
use serde_json::json;

use super::{answer::Answer, fixed_sample::spread, hub::Hub, logits::sure};

/// Columns and rows of the map.
const SIDE: usize = 72;
/// Points that are shown of a part.
const POINTS: usize = 300;

impl Hub {
    /// The map at the moment of a snapshot or now, with the points of both parts.
    pub(super) fn look_at_map(&self, moment: Option<u64>) -> Answer {
        let data = self.data.as_ref().ok_or("the data of this run is not at hand")?;
        if self.start()?.model.network.inputs != 2 {
            return Err("only a network of two inputs has a map".to_owned());
        }
        let (step, view) = self.weights_at(moment)?;
        let parts = [&data.parts.train, &data.parts.val].map(|part| spread(part, POINTS));
        let stored = [self.stored(&parts[0])?, self.stored(&parts[1])?];
        let plane = Plane::around(&stored.concat(), SIDE);
        let squares: Arc<dyn Rows> =
            Arc::new(MemoryRows::numbers(&plane.centres(), 2, &vec![0; SIDE * SIDE]));
        let which: Vec<u32> = (0..squares.len() as u32).collect();
        let logits = view.infer(&squares, &which, &[view.plan().output]);
        let logits = logits.map_err(|error| error.to_string())?.swap_remove(0);
        let (mut classes, mut shades) = (Vec::new(), Vec::new());
        for z in logits.chunks_exact(data.classes.len()) {
            let (said, confidence) = sure(z, view.model.calibration);
            classes.push(said);
            shades.push((255.0 * confidence).round() as u8);
        }
        let points = |part: usize| {
            let at = stored[part].as_chunks::<2>().0.iter();
            let of =
                |(at, &row): (&[f64; 2], &u32)| json!([at[0], at[1], data.targets[row as usize]]);
            at.zip(&parts[part]).map(of).collect::<Vec<_>>()
        };
        Ok(json!({
            "step": step,
            "wholes": self.wholes(),
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
