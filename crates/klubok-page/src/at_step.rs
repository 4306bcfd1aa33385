//! The network at the current or an earlier step, and cached inspections of it.
//!
//! Whole networks are known at the start, at the best epoch and now; of a small network, the film
//! has all of them.

use std::{sync::Arc, time::Instant};

use klubok::{inspect::ModelView, train::film::Scene};
use serde_json::json;

use super::{
    cache::InspectionCache,
    hub::{CopiedNetwork, Hub},
    inspection::InspectionResult,
    lock::lock,
};

/// Networks of earlier steps in memory, at most.
const MAX_WHOLES: usize = 8;

impl Hub {
    /// Returns the steps before the current one at which the whole network is known.
    pub(super) fn network_steps(&self) -> Vec<u64> {
        let mut steps = vec![0];
        if Scene::holds(&self.run.network) {
            steps.extend(self.film_steps());
        }
        steps.extend(self.saved_best());
        steps.sort_unstable();
        steps.dedup();
        steps
    }

    /// Returns the last known network up to a step, with its own step; the current network without
    /// a step.
    pub(super) fn network_at(&self, step: Option<u64>) -> Result<(u64, Arc<ModelView>), String> {
        let now = self.status().step;
        let Some(step) = step.filter(|step| *step < now) else {
            let CopiedNetwork { step, view, .. } = self.current_network()?;
            return Ok((step, view));
        };
        let known = self.network_steps();
        let own = known[..known.partition_point(|known| *known <= step)].last().copied();
        let own = own.unwrap_or(0);
        if own == 0 {
            return Ok((0, self.initial_network()?));
        }
        let kept = lock(&self.wholes).get(&own).cloned();
        if let Some(view) = kept {
            return Ok((own, view));
        }
        let weights = if self.saved_best() == Some(own) {
            self.load_model()?.weights
        } else {
            self.snapshot(Some(own))?.weights.clone().ok_or("this snapshot has no network")?
        };
        let view = Arc::new(self.network_with(own, weights)?);
        let mut wholes = lock(&self.wholes);
        wholes.insert(own, view.clone());
        if wholes.len() > MAX_WHOLES {
            wholes.pop_first();
        }
        Ok((own, view))
    }

    /// Returns the known networks up to a step in order, the current one included without a step;
    /// at most `count`, the last one among them.
    pub(super) fn networks(
        &self,
        step: Option<u64>,
        count: usize,
    ) -> Result<Vec<(u64, Arc<ModelView>)>, String> {
        let mut steps = self.network_steps();
        steps.retain(|own| step.is_none_or(|step| *own <= step));
        let chosen = Scene::evenly(steps.len(), count.saturating_sub(1));
        let mut networks = Vec::new();
        for step in chosen.into_iter().map(|i| Some(steps[i])).chain([step]) {
            let (own, view) = self.network_at(step)?;
            if networks.last().is_none_or(|(last, _)| *last < own) {
                networks.push((own, view));
            }
        }
        Ok(networks)
    }

    /// Whether the cache's time budget allows a computation. Only a training under way sets a
    /// limit: inspections must not slow it down.
    pub(super) fn has_time(&self, cache: &InspectionCache) -> bool {
        !self.is_training() || cache.has_time()
    }

    /// Charges the time since `begun` to the cache's budget, while a training is under way.
    pub(super) fn charge(&self, cache: &InspectionCache, begun: Instant) {
        if self.is_training() {
            cache.charge(begun);
        }
    }

    /// Returns the cached result for `key`, or computes it from the current network, or from the
    /// last known one up to `step`.
    ///
    /// A cached result counts while it is of the same step, or the budget is spent. Without one, a
    /// deferring cache with a spent budget returns `later`. The cache stays locked meanwhile, so
    /// that a second request for the same result waits and finds it.
    pub(super) fn get_or_compute(
        &self,
        cache: &InspectionCache,
        step: Option<u64>,
        key: &str,
        compute: impl FnOnce(&ModelView) -> InspectionResult,
    ) -> InspectionResult {
        let mut entries = cache.entries();
        let current_step = self.status().step;
        let earlier = match step.filter(|step| *step < current_step) {
            Some(step) => Some(self.network_at(Some(step))?),
            None => None,
        };
        // Results of an earlier network stay valid.
        let is_earlier = earlier.is_some();
        let at = earlier.as_ref().map(|(step, _)| format!(" at {step}"));
        let key = key.to_owned() + &at.unwrap_or_default();
        let has_time = self.has_time(cache);
        let cached = entries
            .get(&key)
            .filter(|(updates, _)| is_earlier || *updates == current_step || !has_time);
        let mut json = if let Some((_, json)) = cached {
            json.clone()
        } else if cache.defers && !has_time {
            return Ok(json!({ "later": true }));
        } else {
            let (updates, step, view) = if let Some((step, view)) = earlier {
                (current_step, step, view)
            } else {
                let CopiedNetwork { requested_at, step, view, .. } = self.current_network()?;
                (requested_at, step, view)
            };
            let begun = Instant::now();
            let result = compute(&view);
            // A computation that failed took its time, too.
            self.charge(cache, begun);
            let mut json = result?;
            if json["step"].is_null() {
                json["step"] = step.into();
            }
            entries.insert(key, updates, json.clone());
            json
        };
        json["wholes"] = self.network_steps().into();
        Ok(json)
    }
}
