//! Earlier moments of a training, so that the slider can go back to them: what it had added to the
//! first layer, and of some moments the whole network.
//!
//! The first layer is kept as signed bytes, of at most a million weights a moment: of a larger
//! layer, of units that are spread evenly over it. A moment is kept at lines of `steps.jsonl` and
//! of epochs, ever more rarely; of a large network fewer of them are whole.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use klubok::inspect::{Layer, ModelView};
use serde_json::{Value, json};

use super::{
    answer::{largest, signed_bytes},
    fixed_sample::Seen,
};

/// Weights that are kept of a moment.
const WEIGHTS: usize = 1 << 20;
/// Bytes of whole networks that are kept, besides the one at the start.
const WHOLE: usize = 256 << 20;
/// Moments that are kept; past this, the one that is closest to its neighbours is forgotten.
const MOMENTS: usize = 48;

/// What training had added, moment by moment.
#[derive(Default)]
pub(super) struct Snapshots {
    moments: Vec<Moment>,
}

/// What is kept of a moment.
pub(super) struct Moment {
    step: u64,
    units: Vec<Added>,
    /// The whole network, unless there was no room.
    view: Option<Arc<ModelView>>,
    /// What it made of a fixed sample, if there was time to look.
    seen: Option<Arc<Seen>>,
}

impl Moment {
    pub(super) fn new(
        step: u64,
        now: &Arc<ModelView>,
        start: &ModelView,
        seen: Option<Seen>,
    ) -> Self {
        let added = |layer: &Layer, unit| {
            let (now, start) = (now.unit(layer, unit), start.unit(layer, unit));
            let added: Vec<f64> = now.iter().zip(&start).map(|(now, start)| now - start).collect();
            let norm = added.iter().map(|w| w * w).sum::<f64>().sqrt();
            let scale = largest(&added);
            Added { unit, bytes: signed_bytes(&added, scale), scale, norm }
        };
        let first = now.layers().first();
        let units = first.map_or_else(Vec::new, |layer| {
            let units = now.units(layer);
            let apart = (units * now.inputs(layer)).div_ceil(WEIGHTS).max(1);
            (0..units).step_by(apart).map(|unit| added(layer, unit)).collect()
        });
        Self { step, units, view: Some(now.clone()), seen: seen.map(Arc::new) }
    }

    /// Places of the units to which most was added, those first.
    fn order(&self, many: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.units.len()).collect();
        order.sort_by(|&a, &b| self.units[b].norm.total_cmp(&self.units[a].norm));
        order.truncate(many);
        order
    }
}

/// What was added to a unit.
struct Added {
    unit: usize,
    /// `W - W₀` as signed bytes, of which 127 stands for `scale`.
    bytes: Vec<u8>,
    scale: f64,
    norm: f64,
}

impl Added {
    fn weights(&self) -> Vec<f64> {
        self.bytes.iter().map(|&byte| f64::from(byte as i8) * self.scale / 127.0).collect()
    }
}

/// The place of the step between two others that are closest to each other, as a share of the later
/// one. There are at least three, in order.
pub(super) fn most_crowded(steps: &[u64]) -> usize {
    let room = |i: usize| (steps[i + 1] - steps[i - 1]) as f64 / steps[i + 1] as f64;
    (1..steps.len() - 1).min_by(|&a, &b| room(a).total_cmp(&room(b))).unwrap_or(0)
}

impl Snapshots {
    /// Keeps a moment, unless it is kept.
    pub(super) fn add(&mut self, moment: Moment) {
        let at = self.moments.partition_point(|other| other.step < moment.step);
        if self.moments.get(at).is_some_and(|other| other.step == moment.step) {
            return;
        }
        self.moments.insert(at, moment);
        if self.moments.len() > MOMENTS {
            self.moments.remove(most_crowded(&self.steps()));
        }
        self.thin();
    }

    /// Whether the moment of a step is kept.
    pub(super) fn has(&self, step: u64) -> bool {
        self.moments.iter().any(|moment| moment.step == step)
    }

    /// Lets go of whole networks where they take too much room: of those that have others close by,
    /// as a share of the steps so far. The first and the last one stay.
    fn thin(&mut self) {
        let bytes = |view: &Arc<ModelView>| size_of::<f32>() * view.model.network.parameters();
        let each = self.moments.iter().find_map(|moment| moment.view.as_ref()).map_or(1, bytes);
        let most = (WHOLE / each.max(1)).max(1);
        loop {
            let wholes: Vec<usize> =
                (0..self.moments.len()).filter(|&i| self.moments[i].view.is_some()).collect();
            if wholes.len() <= 1 + most {
                return;
            }
            let steps: Vec<u64> = wholes.iter().map(|&i| self.moments[i].step).collect();
            self.moments[wholes[most_crowded(&steps)]].view = None;
        }
    }

    /// The steps of the moments that are kept.
    fn steps(&self) -> Vec<u64> {
        self.moments.iter().map(|moment| moment.step).collect()
    }

    /// The step of the last moment; none where nothing was kept yet.
    pub(super) fn last(&self) -> Option<u64> {
        self.moments.last().map(|moment| moment.step)
    }

    /// The last moment that is not after a step, or the last one of all.
    fn at(&self, step: Option<u64>) -> Option<&Moment> {
        let after = step.map_or(self.moments.len(), |step| {
            self.moments.partition_point(|moment| moment.step <= step)
        });
        self.moments.get(after.saturating_sub(1))
    }

    /// The whole networks that are kept, by step.
    pub(super) fn networks(&self) -> Vec<(u64, Arc<ModelView>)> {
        let of = |moment: &Moment| Some((moment.step, moment.view.clone()?));
        self.moments.iter().filter_map(of).collect()
    }

    /// Their steps.
    pub(super) fn wholes(&self) -> Vec<u64> {
        let whole = self.moments.iter().filter(|moment| moment.view.is_some());
        whole.map(|moment| moment.step).collect()
    }

    /// The last whole network that is kept and not after a step, and its own step.
    pub(super) fn whole(&self, step: u64) -> Option<(u64, Arc<ModelView>)> {
        let mut before = self.moments.iter().rev().filter(|moment| moment.step <= step);
        before.find_map(|moment| Some((moment.step, moment.view.clone()?)))
    }

    /// What was seen of the fixed sample, with the steps.
    pub(super) fn seen(&self) -> Vec<(Arc<Seen>, u64)> {
        let of = |moment: &Moment| Some((moment.seen.clone()?, moment.step));
        self.moments.iter().filter_map(of).collect()
    }

    /// What was added by every moment to the units to which most was added by now: moment, unit,
    /// weight.
    pub(super) fn added(&self, many: usize) -> Vec<Vec<Vec<f64>>> {
        let order = self.moments.last().map_or_else(Vec::new, |last| last.order(many));
        let of = |moment: &Moment| order.iter().map(|&at| moment.units[at].weights()).collect();
        self.moments.iter().map(of).collect()
    }

    /// The units to which most was added by now, at the moment of a step or at the last one.
    pub(super) fn told(&self, step: Option<u64>, start: &ModelView, many: usize) -> Value {
        let moments = self.steps();
        let (Some(last), Some(shown), Some(layer)) =
            (self.moments.last(), self.at(step), start.layers().first())
        else {
            return json!({ "units": [], "moments": moments });
        };
        let order = last.order(many);
        let starts: Vec<Vec<f64>> =
            order.iter().map(|&at| start.unit(layer, shown.units[at].unit)).collect();
        let scale_start = starts.iter().fold(0.0f64, |most, w| most.max(largest(w)));
        // One scale for all moments: a picture that grows darker has learnt more.
        let scale_added = order.iter().fold(0.0f64, |most, &at| most.max(last.units[at].scale));
        let unit = |(&at, from): (&usize, &Vec<f64>)| {
            let added = &shown.units[at];
            json!({
                "unit": added.unit,
                "start": STANDARD.encode(signed_bytes(from, scale_start)),
                "added": STANDARD.encode(signed_bytes(&added.weights(), scale_added)),
                "norm_added": added.norm,
            })
        };
        json!({
            "step": shown.step,
            "of": start.units(layer),
            "moments": moments,
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
    fn what_is_kept_of_a_long_training_lies_ever_farther_apart() {
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
