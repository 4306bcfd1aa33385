//! The terrain of a training: its loss on the plane through the start, the best weights and the
//! last ones, and the way that it took there.

use std::sync::{Arc, TryLockError};

use klubok::{
    data::Dataset,
    inspect::{ModelView, landscape::WeightPlane, plane::Plane},
    nn::loss::log_sum_exp,
    state::Weights,
    train::task::Task,
};
use serde_json::{Value, json};

use super::{answer::Answer, fixed_sample::spread, hub::Hub, lock::lock, logits::wide};

/// Columns and rows of the terrain.
const SIDE: usize = 13;
/// Training samples whose loss it is.
const SAMPLES: usize = 200;

impl Hub {
    /// The terrain as it is known now. Whoever wants it asks for it: it takes seconds.
    pub(super) fn look_at_terrain(&self) -> Answer {
        let data = self.data.as_ref().ok_or("the data of this run is not at hand")?;
        let mut kept = match self.terrain.try_lock() {
            Ok(kept) => kept,
            Err(TryLockError::Poisoned(kept)) => kept.into_inner(),
            Err(TryLockError::WouldBlock) => {
                return Err("the terrain is being measured already".to_owned());
            }
        };
        let done = self.now().step;
        if let Some((of, told)) = &*kept
            && *of == done
        {
            return Ok(told.clone());
        }
        let way = self.way(data)?;
        let best = self.best_step();
        let told = told(data, &way, best)?;
        *kept = Some((done, told.clone()));
        Ok(told)
    }

    /// The moments of which the whole network is at hand, by step: those that are kept, the model,
    /// the last weights.
    fn way(&self, data: &Dataset) -> Result<Vec<(u64, Arc<ModelView>)>, String> {
        self.remember()?;
        let mut way = lock(&self.snapshots).networks();
        let best = self.best_step();
        let mut add = |step, weights: Weights| {
            if let Err(at) = way.binary_search_by_key(&step, |(step, _)| *step) {
                let mut view = ModelView::clone(&way[0].1);
                view.set_weights(weights);
                way.insert(at, (step, Arc::new(view)));
            }
        };
        if let (Some(best), Ok(model)) = (best, self.model()) {
            add(best, model.weights);
        }
        // A run that is not trained now, or whose training has ended, has its last weights in its
        // checkpoint.
        if let Ok(task) = Task::new(&self.about.config, data)
            && let Ok(Some(last)) = self.about.run.snapshot(&task.plan)
        {
            let (params, running) = (last.state.params, last.state.running);
            add(last.progress.step, Weights { params, running });
        }
        Ok(way)
    }
}

/// The loss on the plane and along the way.
fn told(data: &Dataset, way: &[(u64, Arc<ModelView>)], best: Option<u64>) -> Answer {
    let [(_, start), between @ .., (step, last)] = way else {
        return Err("nothing was trained yet".to_owned());
    };
    // The best weights, or else those in the middle of the way, or any that do not lie straight
    // between its ends.
    let mut thirds: Vec<&(u64, Arc<ModelView>)> = between.iter().collect();
    thirds.sort_by_key(|(at, _)| (Some(*at) != best, at.abs_diff(step / 2)));
    let (third, terrain) = thirds
        .into_iter()
        .find_map(|(at, third)| {
            let [start, last, third] = [start, last, third].map(|view| &view.model.weights);
            Some((at, WeightPlane::through(start, last, third)?))
        })
        .ok_or("a plane takes three moments: the start, the last one, and one between them")?;
    let rows = spread(&data.parts.train, SAMPLES);
    let mut spots: Vec<Value> = Vec::new();
    let mut places: Vec<f64> = Vec::new();
    for (step, view) in way {
        let spot = terrain.project(&view.model.weights);
        places.extend(spot.at);
        spots.push(json!({
            "step": step,
            "at": spot.at,
            "off": spot.distance,
            "loss": mean_loss(view, data, &rows)?,
        }));
    }
    let plane = Plane::around(&places, SIDE);
    let mut moved = ModelView::clone(start);
    let mut losses: Vec<f64> = Vec::new();
    for at in plane.centres().as_chunks::<2>().0 {
        moved.set_weights(terrain.weights_at(at.map(f64::from)));
        losses.push(mean_loss(&moved, data, &rows)?);
    }
    Ok(json!({
        "step": step,
        "best": best,
        "third": third,
        "samples": rows.len(),
        "side": SIDE,
        "low": plane.low,
        "high": plane.high,
        "losses": losses,
        "spots": spots,
    }))
}

/// The mean loss of rows; none where it is no number.
fn mean_loss(view: &ModelView, data: &Dataset, rows: &[u32]) -> Result<f64, String> {
    let logits = view.infer(&data.rows, rows, &[view.plan().output]);
    let logits = logits.map_err(|error| error.to_string())?.swap_remove(0);
    let loss = |(z, &row): (&[f32], &u32)| {
        let z = wide(z);
        log_sum_exp(&z) - z[data.targets[row as usize] as usize]
    };
    let sum: f64 = logits.chunks_exact(data.classes.len()).zip(rows).map(loss).sum();
    Ok(sum / rows.len().max(1) as f64)
}
