//! The network at the current or an earlier step, and cached inspections of it.
//!
//! Whole networks are known at the start, at the best epoch and now; of a small network, the film
//! has all of them.

use std::{sync::Arc, time::Instant};

use klubok::{inspect::ModelView, train::film::Scene};
use serde_json::{Value, json};

use super::{
    cache::InspectionCache,
    hub::{CopiedNetwork, Hub},
    inspection::InspectionResult,
    lock::lock,
    moment::At,
};

/// Networks of earlier steps in memory, at most.
const MAX_WHOLES: usize = 8;

impl Hub {
    /// Returns the steps before the current one at which the whole network is known.
    pub(super) fn network_steps(&self) -> Vec<u64> {
        let is_small = Scene::holds(&self.run.network);
        self.network_steps_among(&if is_small { self.film_steps() } else { Vec::new() })
    }

    /// As [`Self::network_steps`], where the steps of the film are known.
    pub(super) fn network_steps_among(&self, film: &[u64]) -> Vec<u64> {
        let mut steps = vec![0];
        if Scene::holds(&self.run.network) {
            steps.extend(film);
        }
        steps.extend(self.saved_best());
        steps.sort_unstable();
        steps.dedup();
        steps
    }

    /// Returns the last known network up to a step, with its own step; the current network without
    /// a step.
    pub(super) fn network_at(&self, at: At) -> Result<(u64, Arc<ModelView>), String> {
        let now = self.status().step;
        let Some(step) = at.step.filter(|step| *step < now) else {
            let CopiedNetwork { step, view, .. } = self.current_network(at.asked)?;
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
        at: At,
        count: usize,
    ) -> Result<Vec<(u64, Arc<ModelView>)>, String> {
        let mut steps = self.network_steps();
        steps.retain(|own| at.step.is_none_or(|step| *own <= step));
        let chosen = Scene::evenly(steps.len(), count.saturating_sub(1));
        let mut networks = Vec::new();
        for step in chosen.into_iter().map(|i| Some(steps[i])).chain([at.step]) {
            let (own, view) = self.network_at(At { step, ..at })?;
            if networks.last().is_none_or(|(last, _)| *last < own) {
                networks.push((own, view));
            }
        }
        Ok(networks)
    }

    /// Returns the cached result for `key`, or computes it from the network at this moment.
    ///
    /// A cached result counts while it is of the same step, or the budget is spent. Without one, a
    /// deferring cache with a spent budget returns `later`. The budget is for the page's own
    /// refreshing beside a training: what a person asked for neither waits for it nor uses it.
    pub(super) fn get_or_compute(
        &self,
        cache: &InspectionCache,
        at: At,
        key: &str,
        compute: impl FnOnce(&ModelView) -> InspectionResult,
    ) -> InspectionResult {
        let updates = self.status().step;
        let earlier = match at.step.filter(|step| *step < updates) {
            Some(_) => Some(self.network_at(at)?),
            None => None,
        };
        let suffix = earlier.as_ref().map(|(step, _)| format!(" at {step}"));
        let key = key.to_owned() + &suffix.unwrap_or_default();
        let slot = cache.slot(&key);
        let is_limited = self.is_training() && !at.asked;
        let has_time = !is_limited || cache.has_time();
        // Results of an earlier network stay valid.
        let is_earlier = earlier.is_some();
        let known = |kept: &Option<(u64, Value)>| {
            let valid = kept.as_ref().filter(|(of, _)| is_earlier || *of == updates || !has_time);
            valid.map(|(_, json)| json.clone())
        };
        if let Some(json) = known(&lock(&slot)) {
            return Ok(json);
        }
        if cache.defers && !has_time {
            return Ok(json!({ "later": true }));
        }
        let (updates, step, view) = if let Some((step, view)) = earlier {
            (updates, step, view)
        } else {
            let CopiedNetwork { requested_at, step, view, .. } = self.current_network(at.asked)?;
            (requested_at, step, view)
        };
        let mut kept = lock(&slot);
        // Another request may have computed it meanwhile.
        if let Some(json) = known(&kept) {
            return Ok(json);
        }
        let begun = Instant::now();
        let result = compute(&view);
        // A computation that failed took its time, too.
        if is_limited {
            cache.charge(begun);
        }
        let mut json = result.inspect_err(|_| cache.forget(&key))?;
        if json["step"].is_null() {
            json["step"] = step.into();
        }
        *kept = Some((updates, json.clone()));
        Ok(json)
    }
}

#[cfg(test)]
mod tests {
    use klubok::train::control::Control;

    use super::*;
    use crate::{fuzz::run, timeline::Mode};

    /// More than a budget allows at its beginning.
    const LONG: std::time::Duration = std::time::Duration::from_secs(5);

    #[test]
    fn what_a_person_asked_for_waits_for_no_budget() {
        static CONTROL: Control = Control::new();
        let folder = tempfile::tempdir().unwrap();
        let hub = run(&folder).hub(&CONTROL);
        hub.timeline().set_mode(Mode::Training);
        // A copy of the network that is as new as the step.
        hub.set_current(hub.initial_network().unwrap());
        hub.expensive.charge(Instant::now().checked_sub(LONG).unwrap());
        let look = |asked| {
            let at = At { step: None, asked };
            let compute = |_: &ModelView| Ok(json!({ "seen": true }));
            hub.get_or_compute(&hub.expensive, at, "layers", compute).unwrap()
        };
        assert_eq!(look(false)["later"], true);
        assert_eq!(look(true)["seen"], true);
        // From then on everybody sees it.
        assert_eq!(look(false)["seen"], true);
    }
}
