//! What each layer's outputs are good for, and how much hangs on single units.

use std::sync::Arc;

use klubok::{
    data::Dataset,
    inspect::{
        ModelView,
        probe::{Labelled, linear_probe, similarity},
    },
    nn::layers::input::{Transform, move_pixels},
    plan::{Picture, Value},
    rows::{MemoryRows, Rows},
};
use serde_json::json;

use super::{answer::Answer, fixed_sample::spread, hub::Hub, logits::sure};

/// Samples from which a probe learns, and on which it is tested.
const PROBED: usize = 300;
/// Samples on which a network with fewer units is tested.
const TESTED: usize = 500;
/// Shares of the units that are switched off, and how often each is drawn.
const OFF: [f64; 7] = [0.0, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9];
const DRAWS: u64 = 3;

impl Hub {
    /// Layer by layer: the accuracy of a linear probe, and how alike a picture's values stay to
    /// those of its mirror image and of itself, shifted.
    pub(super) fn look_at_layers(&self, moment: Option<u64>) -> Answer {
        let data = self.data.as_ref().ok_or("the data of this run is not at hand")?;
        self.said(&self.expensive, moment, "layers", |view| {
            let (learn, test) =
                (spread(&data.parts.train, PROBED), spread(&data.parts.val, PROBED));
            let hidden = view.layers().len() - 1;
            // What the first layer reads, then what each hidden layer hands on.
            let values: Vec<Value> = std::iter::once(view.layers()[0].x)
                .chain((0..hidden).map(|layer| view.layer_output(layer)))
                .collect();
            let learnt = wide(view, &data.rows, &learn, &values)?;
            let tested = wide(view, &data.rows, &test, &values)?;
            let classes = |rows: &[u32]| {
                rows.iter().map(|&row| data.targets[row as usize]).collect::<Vec<u32>>()
            };
            let (of_learnt, of_tested) = (classes(&learn), classes(&test));
            let changed = match self.about.shape() {
                Some(shape) => {
                    // A sixteenth of the width: an eye does not notice.
                    let by = (shape.width / 16).max(1) as i32;
                    let flip = Transform { flip: true, ..Transform::default() };
                    let shift = Transform { right: by, ..Transform::default() };
                    let of = |change| {
                        let moved = self.moved(&test, shape, change)?;
                        let which: Vec<u32> = (0..test.len() as u32).collect();
                        wide(view, &moved, &which, &values)
                    };
                    Some((of(flip)?, of(shift)?, by))
                }
                None => None,
            };
            let layer = |i: usize| {
                let width = view.plan().widths[values[i].0];
                let (learn, test) = (
                    Labelled { values: &learnt[i], classes: &of_learnt },
                    Labelled { values: &tested[i], classes: &of_tested },
                );
                json!({
                    "name": i.checked_sub(1).map_or("input", |i| &view.layers()[i].name),
                    "width": width,
                    "probe": linear_probe(learn, test, data.classes.len()),
                    "flip": changed.as_ref().and_then(|c| similarity(&tested[i], &c.0[i], width)),
                    "shift": changed.as_ref().and_then(|c| similarity(&tested[i], &c.1[i], width)),
                })
            };
            Ok(json!({
                "layers": (0..values.len()).map(layer).collect::<Vec<_>>(),
                "network": right(view, &data.rows, &test, &targets(data, &test))?,
                "learnt_from": learn.len(),
                "samples": test.len(),
                "pixels": changed.as_ref().map(|(_, _, by)| by),
            }))
        })
    }

    /// Pictures of these rows, each changed in the same way.
    fn moved(
        &self,
        rows: &[u32],
        shape: Picture,
        change: Transform,
    ) -> Result<Arc<dyn Rows>, String> {
        let stored: Vec<u8> = self.stored(rows)?.into_iter().map(|x| x as u8).collect();
        let mut moved = vec![0; stored.len()];
        let width = shape.values();
        for (moved, stored) in moved.chunks_exact_mut(width).zip(stored.chunks_exact(width)) {
            move_pixels(moved, stored, shape, change);
        }
        Ok(Arc::new(MemoryRows::pictures(moved, width, &vec![0; rows.len()])))
    }

    /// The accuracy that is left with a share of the units switched off, over several draws of
    /// them.
    pub(super) fn look_at_lesions(&self, moment: Option<u64>) -> Answer {
        let data = self.data.as_ref().ok_or("the data of this run is not at hand")?;
        self.said(&self.expensive, moment, "lesions", |view| {
            let rows = spread(&data.parts.val, TESTED);
            // What the first layer hands on is the same whatever is off.
            let first = view.layers().len() > 1;
            let first = first.then(|| view.infer(&data.rows, &rows, &[view.layer_output(0)]));
            let first = first.transpose().map_err(|error| error.to_string())?;
            let first: Option<Arc<dyn Rows>> = first.map(|mut values| {
                let (values, width) = (values.swap_remove(0), view.units(&view.layers()[0]));
                Arc::new(MemoryRows::numbers(&values, width, &vec![0; rows.len()])) as _
            });
            let (targets, places) = (targets(data, &rows), 0..rows.len() as u32);
            let places: Vec<u32> = places.collect();
            let left_without = |share, draw| match (&first, view.ablated_after_first(share, draw)) {
                (Some(first), Some(rest)) => right(&rest, first, &places, &targets),
                // No hidden layer, no unit to switch off.
                _ => right(view, &data.rows, &rows, &targets),
            };
            let mut told = Vec::new();
            for share in OFF {
                // With all units there is nothing to draw.
                let draws = if share > 0.0 { DRAWS } else { 1 };
                let left: Result<Vec<f64>, String> =
                    (0..draws).map(|draw| left_without(share, draw)).collect();
                let left = left?;
                let least = left.iter().fold(f64::INFINITY, |least, &of| least.min(of));
                let most = left.iter().fold(0.0f64, |most, &of| most.max(of));
                let mean = left.iter().sum::<f64>() / left.len() as f64;
                told.push(json!({ "off": share, "mean": mean, "least": least, "most": most }));
            }
            Ok(json!({ "samples": rows.len(), "draws": DRAWS, "shares": told }))
        })
    }
}

/// Values for rows, each block as f64.
fn wide(
    view: &ModelView,
    rows: &Arc<dyn Rows>,
    which: &[u32],
    values: &[Value],
) -> Result<Vec<Vec<f64>>, String> {
    let values = view.infer(rows, which, values).map_err(|error| error.to_string())?;
    Ok(values.into_iter().map(|of| of.into_iter().map(f64::from).collect()).collect())
}

/// Share of right answers for rows with these targets.
fn right(
    view: &ModelView,
    rows: &Arc<dyn Rows>,
    which: &[u32],
    targets: &[u32],
) -> Result<f64, String> {
    let logits = view.infer(rows, which, &[view.plan().output]);
    let logits = logits.map_err(|error| error.to_string())?.swap_remove(0);
    let answers = logits.chunks_exact(view.model.classes.len()).zip(targets);
    let said = |z: &[f32]| sure(z, view.model.calibration).0;
    let right = answers.filter(|(z, target)| said(z) == **target as usize);
    Ok(right.count() as f64 / targets.len().max(1) as f64)
}

/// The classes of rows.
fn targets(data: &Dataset, rows: &[u32]) -> Vec<u32> {
    rows.iter().map(|&row| data.targets[row as usize]).collect()
}
