//! What training had added to the first layer at earlier moments, so that the slider can go back to them.
//!
//! Kept in memory as signed bytes, of at most a million weights a moment: of a larger layer, of units that are spread
//! evenly over it. A moment is kept at each line of `steps.jsonl` and of the first epochs, then ever more rarely.

use std::sync::{Arc, Weak};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use klubok::{look::Glass, state::Weights, train::control::Control};
use serde_json::{Value, json};

use super::{
    hub::{Hub, lock},
    looks::{largest, signed_bytes},
};

/// Weights that are kept of a moment.
const WEIGHTS: usize = 1 << 20;
/// Moments that are kept; past this, every other one is forgotten.
const MOMENTS: usize = 48;

/// What training had added, moment by moment.
#[derive(Default)]
pub(super) struct Snapshots {
    moments: Vec<Moment>,
}

struct Moment {
    step: u64,
    units: Vec<Added>,
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

impl Snapshots {
    /// Has a moment of the training kept, if somebody has ever looked at features.
    pub(super) fn ask(hub: &Arc<Hub>, control: &Control) {
        if lock(&hub.snapshots).moments.is_empty() {
            return;
        }
        let hub: Weak<Hub> = Arc::downgrade(hub);
        control.look(Box::new(move |program, progress| {
            let (step, mut weights) = (progress.step, Weights::default());
            let Some(hub) = hub.upgrade() else { return };
            if program.store_weights(&mut weights).is_err() {
                return;
            }
            // The training goes on meanwhile.
            std::thread::spawn(move || {
                let Ok(start) = hub.start() else { return };
                let mut glass = Glass::clone(&start);
                glass.set_weights(weights);
                lock(&hub.snapshots).add(step, &glass, &start);
            });
        }));
    }

    /// Keeps a moment, unless it is kept.
    pub(super) fn add(&mut self, step: u64, now: &Glass, start: &Glass) {
        let at = self.moments.partition_point(|moment| moment.step < step);
        if self.moments.get(at).is_some_and(|moment| moment.step == step) {
            return;
        }
        let Some(layer) = now.layers().first() else { return };
        let (units, inputs) = (now.units(layer), now.inputs(layer));
        let apart = (units * inputs).div_ceil(WEIGHTS).max(1);
        let added = |unit| {
            let (now, start) = (now.unit(layer, unit), start.unit(layer, unit));
            let added: Vec<f64> = now.iter().zip(&start).map(|(now, start)| now - start).collect();
            let norm = added.iter().map(|w| w * w).sum::<f64>().sqrt();
            let scale = largest(&added);
            Added { unit, bytes: signed_bytes(&added, scale), scale, norm }
        };
        let units = (0..units).step_by(apart).map(added).collect();
        self.moments.insert(at, Moment { step, units });
        if self.moments.len() > MOMENTS {
            // The first and the last ones stay.
            let mut place = 0;
            self.moments.retain(|_| {
                place += 1;
                place % 2 == 1 || place > MOMENTS
            });
        }
    }

    /// The units to which most was added by now, at the moment of a step or at the last one.
    pub(super) fn told(&self, step: Option<u64>, start: &Glass, many: usize) -> Value {
        let moments: Vec<u64> = self.moments.iter().map(|moment| moment.step).collect();
        let (Some(last), Some(layer)) = (self.moments.last(), start.layers().first()) else {
            return json!({ "units": [], "moments": moments });
        };
        let shown = step.map_or(last, |step| {
            let after = self.moments.partition_point(|moment| moment.step <= step);
            &self.moments[after.saturating_sub(1)]
        });
        let mut order: Vec<usize> = (0..last.units.len()).collect();
        order.sort_by(|&a, &b| last.units[b].norm.total_cmp(&last.units[a].norm));
        order.truncate(many);
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
