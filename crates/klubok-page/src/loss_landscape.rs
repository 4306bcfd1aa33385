//! The loss landscape: the training loss on the plane through the initial, the best and the last
//! weights, and the path of the training on it.

use std::sync::{Arc, TryLockError};

use klubok::{
    data::{Dataset, grid::Grid, subsample},
    inspect::{ModelView, landscape::WeightPlane},
};
use serde_json::{Value, json};

use super::{
    hub::Hub,
    inspection::InspectionResult,
    logits::{Losses, to_f64},
    moment::At,
};

/// Columns and rows of the landscape.
const SIDE: usize = 13;
/// Networks on the path, at most.
const MAX_NETWORKS: usize = 64;
/// Training samples of the loss, at most.
const MAX_SAMPLES: usize = 200;
/// The reason where there is no network between the first and the last one.
const NO_THIRD: &str = "a plane takes three networks, and the run has no third one between its \
    first and its last weights: train for more epochs, until the best ones are not the last";
/// The reason where the networks lie on a line, or weights are no numbers.
const NO_PLANE: &str = "there is no plane through the weights of this run: they did not move, moved \
    on a line, or are no numbers";

impl Hub {
    /// Computes the landscape as known now, in some seconds: the page asks for it only when a
    /// person wants it.
    pub(super) fn inspect_loss_landscape(&self, at: At) -> InspectionResult {
        let data = self.data.as_ref().ok_or("the data of this run is not at hand")?;
        let mut kept = match self.loss_landscape.try_lock() {
            Ok(kept) => kept,
            Err(TryLockError::Poisoned(kept)) => kept.into_inner(),
            Err(TryLockError::WouldBlock) => {
                return Err("the terrain is being measured already".to_owned());
            }
        };
        let step = self.status().step;
        if let Some((kept_step, json)) = &*kept
            && *kept_step == step
        {
            return Ok(json.clone());
        }
        let path = self.networks(At { step: None, ..at }, MAX_NETWORKS)?;
        let best = self.best_step();
        let json = landscape_json(data, &path, best)?;
        *kept = Some((step, json.clone()));
        Ok(json)
    }
}

/// Computes the loss on the plane and along the path.
fn landscape_json(
    data: &Dataset,
    path: &[(u64, Arc<ModelView>)],
    best: Option<u64>,
) -> InspectionResult {
    let [(_, start), between @ .., (step, last)] = path else {
        return Err("nothing was trained yet".to_owned());
    };
    // The third point of the plane: the best weights, otherwise those nearest to half the steps.
    // Weights on the line from the first to the last ones span no plane.
    let mut candidates: Vec<&(u64, Arc<ModelView>)> = between.iter().collect();
    candidates.sort_by_key(|(at, _)| (Some(*at) != best, at.abs_diff(step / 2)));
    let (third, plane_of_weights) = candidates
        .into_iter()
        .find_map(|(at, third)| {
            let [start, last, third] = [start, last, third].map(|view| &view.model.weights);
            Some((at, WeightPlane::through(start, last, third)?))
        })
        .ok_or(if between.is_empty() { NO_THIRD } else { NO_PLANE })?;
    let rows = subsample(&data.parts.train, MAX_SAMPLES);
    let mut spots: Vec<Value> = Vec::new();
    let mut points: Vec<f64> = Vec::new();
    for (step, view) in path {
        let spot = plane_of_weights.project(&view.model.weights);
        points.extend(spot.at);
        spots.push(json!({
            "step": step,
            "at": spot.at,
            "off": spot.distance,
            "loss": mean_loss(view, data, &rows)?,
        }));
    }
    let grid = Grid::around(&points, 2, SIDE);
    let mut moved = ModelView::clone(start);
    let mut losses: Vec<f64> = Vec::new();
    for at in grid.centres().as_chunks::<2>().0 {
        moved.set_weights(plane_of_weights.weights_at(at.map(f64::from)));
        losses.push(mean_loss(&moved, data, &rows)?);
    }
    Ok(json!({
        "step": step,
        "best": best,
        "third": third,
        "samples": rows.len(),
        "side": SIDE,
        "low": grid.low,
        "high": grid.high,
        "losses": losses,
        "spots": spots,
    }))
}

/// Returns the mean loss of rows; it may be infinite or NaN.
fn mean_loss(view: &ModelView, data: &Dataset, rows: &[u32]) -> Result<f64, String> {
    let logits = view.infer(&data.rows, rows, &[view.plan().output]);
    let logits = logits.map_err(|error| error.to_string())?.swap_remove(0);
    let losses = Losses::new(data, &view.model);
    let loss = |(z, &row): (&[f32], &u32)| losses.of(row, &to_f64(z));
    let sum: f64 = logits.chunks_exact(data.outputs.len()).zip(rows).map(loss).sum();
    Ok(sum / rows.len().max(1) as f64)
}
