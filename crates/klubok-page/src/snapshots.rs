//! Snapshots of a training, for the page's slider: the change of the first layer's weights since
//! initialisation, and in complete snapshots the whole network.
//!
//! The change is quantised to signed bytes, at most a million weights a snapshot; a larger layer
//! keeps evenly spaced units. Candidates are the records of `steps.jsonl` and of epochs, ever more
//! rarely. Of a large network fewer snapshots are complete.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use klubok::inspect::{Layer, ModelView};
use serde_json::{Value, json};

use super::{
    encoding::{max_abs, signed_bytes},
    fixed_sample::SampleOutputs,
};

/// First-layer weights in a snapshot, at most.
const MAX_WEIGHTS: usize = 1 << 20;
/// Bytes of whole networks, the initial one not counted, at most.
const MAX_NETWORK_BYTES: usize = 256 << 20;
/// Snapshots in memory, at most. Past this, [`Snapshots::add`] drops the one closest to its
/// neighbours.
const MAX_SNAPSHOTS: usize = 48;

/// The snapshots in memory, by step.
#[derive(Default)]
pub(super) struct Snapshots {
    snapshots: Vec<Snapshot>,
}

/// A network at a step.
pub(super) struct Snapshot {
    step: u64,
    units: Vec<WeightChange>,
    /// The whole network, while there is room.
    view: Option<Arc<ModelView>>,
    /// Its outputs on the fixed sample, if there was time to compute them.
    outputs: Option<Arc<SampleOutputs>>,
}

impl Snapshot {
    pub(super) fn new(
        step: u64,
        now: &Arc<ModelView>,
        start: &ModelView,
        outputs: Option<SampleOutputs>,
    ) -> Self {
        let change = |layer: &Layer, unit| {
            let (now, start) = (now.unit(layer, unit), start.unit(layer, unit));
            let added: Vec<f64> = now.iter().zip(&start).map(|(now, start)| now - start).collect();
            let norm = added.iter().map(|w| w * w).sum::<f64>().sqrt();
            let scale = max_abs(&added);
            WeightChange { unit, bytes: signed_bytes(&added, scale), scale, norm }
        };
        let first = now.layers().first();
        let units = first.map_or_else(Vec::new, |layer| {
            let units = now.units(layer);
            let apart = (units * now.inputs(layer)).div_ceil(MAX_WEIGHTS).max(1);
            (0..units).step_by(apart).map(|unit| change(layer, unit)).collect()
        });
        Self { step, units, view: Some(now.clone()), outputs: outputs.map(Arc::new) }
    }

    /// Returns the indices of the units with the largest change, the largest first.
    fn most_changed(&self, max_count: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.units.len()).collect();
        order.sort_by(|&a, &b| self.units[b].norm.total_cmp(&self.units[a].norm));
        order.truncate(max_count);
        order
    }
}

/// The change of a unit's weights since initialisation.
struct WeightChange {
    unit: usize,
    /// `w - w₀` as signed bytes; 127 stands for `scale`.
    bytes: Vec<u8>,
    scale: f64,
    norm: f64,
}

impl WeightChange {
    fn weights(&self) -> Vec<f64> {
        self.bytes.iter().map(|&byte| f64::from(byte as i8) * self.scale / 127.0).collect()
    }
}

/// Returns the index of the inner step whose neighbours are closest to each other, relative to the
/// later one. Takes at least three steps in order.
pub(super) fn most_crowded(steps: &[u64]) -> usize {
    let gap = |i: usize| (steps[i + 1] - steps[i - 1]) as f64 / steps[i + 1] as f64;
    (1..steps.len() - 1).min_by(|&a, &b| gap(a).total_cmp(&gap(b))).unwrap_or(0)
}

impl Snapshots {
    /// Keeps a snapshot, unless there is one of its step.
    pub(super) fn add(&mut self, snapshot: Snapshot) {
        let index = self.snapshots.partition_point(|other| other.step < snapshot.step);
        if self.snapshots.get(index).is_some_and(|other| other.step == snapshot.step) {
            return;
        }
        self.snapshots.insert(index, snapshot);
        if self.snapshots.len() > MAX_SNAPSHOTS {
            self.snapshots.remove(most_crowded(&self.steps()));
        }
        self.drop_networks();
    }

    /// Whether there is a snapshot of a step.
    pub(super) fn has(&self, step: u64) -> bool {
        self.snapshots.iter().any(|snapshot| snapshot.step == step)
    }

    /// Drops whole networks that take too much room: those closest to their neighbours, relative to
    /// the step. The first and the last one stay.
    fn drop_networks(&mut self) {
        let bytes = |view: &Arc<ModelView>| size_of::<f32>() * view.model.network.parameters();
        let each = self.snapshots.iter().find_map(|snapshot| snapshot.view.as_ref());
        let max_count = (MAX_NETWORK_BYTES / each.map_or(1, bytes).max(1)).max(1);
        loop {
            let complete: Vec<usize> =
                (0..self.snapshots.len()).filter(|&i| self.snapshots[i].view.is_some()).collect();
            if complete.len() <= 1 + max_count {
                return;
            }
            let steps: Vec<u64> = complete.iter().map(|&i| self.snapshots[i].step).collect();
            self.snapshots[complete[most_crowded(&steps)]].view = None;
        }
    }

    /// Returns the steps of all snapshots.
    fn steps(&self) -> Vec<u64> {
        self.snapshots.iter().map(|snapshot| snapshot.step).collect()
    }

    /// Returns the step of the last snapshot, if there is one.
    pub(super) fn last_step(&self) -> Option<u64> {
        self.snapshots.last().map(|snapshot| snapshot.step)
    }

    /// Returns the last snapshot up to a step; without a step, the last one.
    fn at(&self, step: Option<u64>) -> Option<&Snapshot> {
        let after = step.map_or(self.snapshots.len(), |step| {
            self.snapshots.partition_point(|snapshot| snapshot.step <= step)
        });
        self.snapshots.get(after.saturating_sub(1))
    }

    /// Returns the networks of the complete snapshots, by step.
    pub(super) fn networks(&self) -> Vec<(u64, Arc<ModelView>)> {
        let network = |snapshot: &Snapshot| Some((snapshot.step, snapshot.view.clone()?));
        self.snapshots.iter().filter_map(network).collect()
    }

    /// Returns the steps of the complete snapshots.
    pub(super) fn network_steps(&self) -> Vec<u64> {
        let complete = self.snapshots.iter().filter(|snapshot| snapshot.view.is_some());
        complete.map(|snapshot| snapshot.step).collect()
    }

    /// Returns the network of the last complete snapshot up to a step, with its own step.
    pub(super) fn network(&self, step: u64) -> Option<(u64, Arc<ModelView>)> {
        let mut before = self.snapshots.iter().rev().filter(|snapshot| snapshot.step <= step);
        before.find_map(|snapshot| Some((snapshot.step, snapshot.view.clone()?)))
    }

    /// Returns the outputs on the fixed sample, with their steps.
    pub(super) fn sample_outputs(&self) -> Vec<(Arc<SampleOutputs>, u64)> {
        let outputs = |snapshot: &Snapshot| Some((snapshot.outputs.clone()?, snapshot.step));
        self.snapshots.iter().filter_map(outputs).collect()
    }

    /// Returns the change of the units that have changed most by the last snapshot:
    /// `[snapshots][units][weights]`.
    pub(super) fn weight_changes(&self, max_units: usize) -> Vec<Vec<Vec<f64>>> {
        let order =
            self.snapshots.last().map_or_else(Vec::new, |last| last.most_changed(max_units));
        let changes = |snapshot: &Snapshot| {
            order.iter().map(|&index| snapshot.units[index].weights()).collect()
        };
        self.snapshots.iter().map(changes).collect()
    }

    /// Describes the units that have changed most by the last snapshot, as they are in the last
    /// snapshot up to `step`.
    pub(super) fn to_json(&self, step: Option<u64>, start: &ModelView, max_units: usize) -> Value {
        let steps = self.steps();
        let (Some(last), Some(shown), Some(layer)) =
            (self.snapshots.last(), self.at(step), start.layers().first())
        else {
            return json!({ "units": [], "moments": steps });
        };
        let order = last.most_changed(max_units);
        let starts: Vec<Vec<f64>> =
            order.iter().map(|&index| start.unit(layer, shown.units[index].unit)).collect();
        let scale_start = starts.iter().fold(0.0f64, |max, w| max.max(max_abs(w)));
        // One scale for all snapshots: a darker picture shows a larger change.
        let scale_added = order.iter().fold(0.0f64, |max, &at| max.max(last.units[at].scale));
        let unit = |(&index, from): (&usize, &Vec<f64>)| {
            let change = &shown.units[index];
            json!({
                "unit": change.unit,
                "start": STANDARD.encode(signed_bytes(from, scale_start)),
                "added": STANDARD.encode(signed_bytes(&change.weights(), scale_added)),
                "norm_added": change.norm,
            })
        };
        json!({
            "step": shown.step,
            "of": start.units(layer),
            "moments": steps,
            "scale_start": scale_start,
            "scale_added": scale_added,
            "units": order.iter().zip(&starts).map(unit).collect::<Vec<_>>(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinned_steps_lie_ever_farther_apart() {
        let mut steps: Vec<u64> = vec![0];
        for step in 1..=10_000 {
            steps.push(step);
            if steps.len() > 14 {
                steps.remove(most_crowded(&steps));
            }
        }
        assert_eq!((steps[0], steps[13]), (0, 10_000));
        let early = steps.iter().filter(|&&step| step > 0 && step < 1000).count();
        assert!(early >= 3, "{steps:?}");
        let apart: Vec<u64> = steps.windows(2).map(|two| two[1] - two[0]).collect();
        assert!(apart[12] < 4000, "{steps:?}");
    }
}
