//! Linear probes of each layer's outputs, their invariance, and ablation of units.

use std::sync::Arc;

use klubok::{
    data::subsample,
    inspect::{
        ModelView,
        probe::{Labelled, linear_probe, similarity},
    },
    nn::{
        layers::input::{Transform, move_pixels},
        loss::predicted_class,
    },
    plan::{Picture, Value},
    rows::{MemoryRows, Rows},
};
use serde_json::json;

use super::{hub::Hub, inspection::InspectionResult, moment::At};

/// Training samples of a probe, and its test samples, at most.
const MAX_PROBE_SAMPLES: usize = 300;
/// Test samples of an ablated network, at most.
const MAX_ABLATION_SAMPLES: usize = 500;
/// Shares of the units that ablation switches off.
const ABLATED_SHARES: [f64; 7] = [0.0, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9];
/// Random draws of the units for each share.
const DRAWS: u64 = 3;

impl Hub {
    /// Measures layer by layer the accuracy of a linear probe, and the similarity of a picture's
    /// activations to those of its mirror image and of its shifted copy.
    pub(super) fn inspect_layers(&self, at: At) -> InspectionResult {
        let data = self.class_data()?;
        self.get_or_compute(&self.expensive, at, "layers", |view| {
            let (train, test) = (
                subsample(&data.parts.train, MAX_PROBE_SAMPLES),
                subsample(&data.parts.val, MAX_PROBE_SAMPLES),
            );
            let hidden = view.layers().len() - 1;
            // The input of the first layer, then the output of each hidden layer.
            let values: Vec<Value> = std::iter::once(view.layers()[0].x)
                .chain((0..hidden).map(|layer| view.layer_output(layer)))
                .collect();
            let train_values = evaluate(view, &data.rows, &train, &values)?;
            let with_logits = [&values[..], &[view.plan().output]].concat();
            let mut test_values = evaluate(view, &data.rows, &test, &with_logits)?;
            let logits = test_values.pop().unwrap_or_default();
            let (train_classes, test_classes) = (data.classes_of(&train), data.classes_of(&test));
            let changed = match self.run.shape() {
                Some(shape) => {
                    // A sixteenth of the width: a person does not notice it.
                    let by = (shape.width / 16).max(1) as i32;
                    let flip = Transform { flip: true, ..Transform::default() };
                    let shift = Transform { right: by, ..Transform::default() };
                    let of = |change| {
                        let moved = self.moved(&test, shape, change)?;
                        let indices: Vec<u32> = (0..test.len() as u32).collect();
                        evaluate(view, &moved, &indices, &values)
                    };
                    Some((of(flip)?, of(shift)?, by))
                }
                None => None,
            };
            let layer = |i: usize| {
                let width = view.plan().widths[values[i].0];
                let (train, test) = (
                    Labelled { values: &train_values[i], classes: &train_classes },
                    Labelled { values: &test_values[i], classes: &test_classes },
                );
                json!({
                    "name": i.checked_sub(1).map_or("input", |i| &view.layers()[i].name),
                    "width": width,
                    "probe": linear_probe(train, test, data.outputs.len()),
                    "flip": changed.as_ref().and_then(|c| similarity(&test_values[i], &c.0[i], width)),
                    "shift": changed.as_ref().and_then(|c| similarity(&test_values[i], &c.1[i], width)),
                })
            };
            Ok(json!({
                "layers": (0..values.len()).map(layer).collect::<Vec<_>>(),
                "network": accuracy(view, &logits, &test_classes),
                "learnt_from": train.len(),
                "samples": test.len(),
                "pixels": changed.as_ref().map(|(_, _, by)| by),
            }))
        })
    }

    /// Returns the pictures of these rows, each with the same flip or shift.
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

    /// Measures the accuracy with a random share of the hidden units ablated, over several draws.
    pub(super) fn inspect_ablation(&self, at: At) -> InspectionResult {
        let data = self.class_data()?;
        self.get_or_compute(&self.expensive, at, "lesions", |view| {
            let rows = subsample(&data.parts.val, MAX_ABLATION_SAMPLES);
            // The first layer's activations are the same for every share and draw.
            let first = view.layers().len() > 1;
            let first = first.then(|| view.infer(&data.rows, &rows, &[view.layer_output(0)]));
            let first = first.transpose().map_err(|error| error.to_string())?;
            let first: Option<Arc<dyn Rows>> = first.map(|mut values| {
                let (values, width) = (values.swap_remove(0), view.units(&view.layers()[0]));
                Arc::new(MemoryRows::numbers(&values, width, &vec![0; rows.len()])) as _
            });
            let (targets, positions) = (data.classes_of(&rows), 0..rows.len() as u32);
            let positions: Vec<u32> = positions.collect();
            let ablated = |share, draw| match (&first, view.ablated_after_first(share, draw)) {
                (Some(first), Some(rest)) => accuracy_on(&rest, first, &positions, &targets),
                // Without a hidden layer there is no unit to ablate.
                _ => accuracy_on(view, &data.rows, &rows, &targets),
            };
            let mut shares = Vec::new();
            for share in ABLATED_SHARES {
                // Share 0 leaves nothing to draw.
                let draws = if share > 0.0 { DRAWS } else { 1 };
                let accuracies: Result<Vec<f64>, String> =
                    (0..draws).map(|draw| ablated(share, draw)).collect();
                let accuracies = accuracies?;
                let min = accuracies.iter().fold(f64::INFINITY, |min, &of| min.min(of));
                let max = accuracies.iter().fold(0.0f64, |max, &of| max.max(of));
                let mean = accuracies.iter().sum::<f64>() / accuracies.len() as f64;
                shares.push(json!({ "off": share, "mean": mean, "least": min, "most": max }));
            }
            Ok(json!({ "samples": rows.len(), "draws": DRAWS, "shares": shares }))
        })
    }
}

/// Evaluates values of the plan for rows, each block as f64.
fn evaluate(
    view: &ModelView,
    rows: &Arc<dyn Rows>,
    indices: &[u32],
    values: &[Value],
) -> Result<Vec<Vec<f64>>, String> {
    let values = view.infer(rows, indices, values).map_err(|error| error.to_string())?;
    Ok(values.into_iter().map(|of| of.into_iter().map(f64::from).collect()).collect())
}

/// Returns the accuracy on rows with these targets.
fn accuracy_on(
    view: &ModelView,
    rows: &Arc<dyn Rows>,
    indices: &[u32],
    targets: &[u32],
) -> Result<f64, String> {
    let logits = evaluate(view, rows, indices, &[view.plan().output])?.swap_remove(0);
    Ok(accuracy(view, &logits, targets))
}

/// Returns the accuracy of predictions from these logits.
fn accuracy(view: &ModelView, logits: &[f64], targets: &[u32]) -> f64 {
    let samples = logits.chunks_exact(view.model.outputs.len()).zip(targets);
    let right = samples.filter(|(z, target)| predicted_class(z) == **target as usize);
    right.count() as f64 / targets.len().max(1) as f64
}
