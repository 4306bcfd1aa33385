//! The network at the current or an earlier step, and cached inspections of it. The hub keeps
//! snapshots from the first inspection on.

use std::{sync::Arc, time::Instant};

use klubok::inspect::ModelView;
use serde_json::json;

use super::{
    cache::InspectionCache,
    fixed_sample::SampleOutputs,
    hub::{CopiedNetwork, Hub},
    inspection::InspectionResult,
    lock::lock,
    snapshots::Snapshot,
};

impl Hub {
    /// Keeps snapshots of the initial and the current network. After the first call, a live
    /// training adds further snapshots.
    pub(super) fn keep_snapshots(&self) -> Result<(), String> {
        let (now, start) = (self.current_network()?, self.initial_network()?);
        self.keep_snapshot(0, &start, &start);
        self.keep_snapshot(now.step, &now.view, &start);
        Ok(())
    }

    /// Keeps a snapshot, with the network's outputs on the fixed sample.
    pub(super) fn keep_snapshot(&self, step: u64, now: &Arc<ModelView>, start: &ModelView) {
        let is_kept = lock(&self.snapshots).has(step);
        if !is_kept {
            // The training takes this lock too: do the slow work before it.
            let snapshot = Snapshot::new(step, now, start, self.sample_outputs(now));
            lock(&self.snapshots).add(snapshot);
        }
    }

    /// Returns the network of the last complete snapshot up to a step, with its own step; the
    /// current network without a step or a snapshot.
    pub(super) fn network_at(&self, step: Option<u64>) -> Result<(u64, Arc<ModelView>), String> {
        self.ensure_snapshots()?;
        let kept = step.and_then(|step| lock(&self.snapshots).network(step));
        let current = || {
            let CopiedNetwork { step, view, .. } = self.current_network()?;
            Ok((step, view))
        };
        kept.map_or_else(current, Ok)
    }

    /// Computes a result from the snapshots. Without a step, keeps a snapshot of the current
    /// network first, and caches the result under `key`.
    pub(super) fn compute_from_snapshots(
        &self,
        step: Option<u64>,
        key: &str,
        compute: impl Fn() -> InspectionResult,
    ) -> InspectionResult {
        if step.is_some() {
            self.ensure_snapshots()?;
            return compute();
        }
        self.get_or_compute(&self.frequent, None, key, |_| {
            self.keep_snapshots().and_then(|()| compute())
        })
    }

    /// Keeps the first snapshots, unless there are some.
    fn ensure_snapshots(&self) -> Result<(), String> {
        if lock(&self.snapshots).last_step().is_none() {
            self.keep_snapshots()?;
        }
        Ok(())
    }

    /// Returns the steps of the complete snapshots.
    pub(super) fn network_steps(&self) -> Vec<u64> {
        lock(&self.snapshots).network_steps()
    }

    /// Evaluates the fixed sample, if the time budget allows.
    fn sample_outputs(&self, view: &ModelView) -> Option<SampleOutputs> {
        if !self.has_time(&self.frequent) {
            return None;
        }
        SampleOutputs::new(self.data.as_ref()?, view)
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

    /// Returns the cached result for `key`, or computes it from the current network, or from that
    /// of the last complete snapshot up to `step`.
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
        self.ensure_snapshots()?;
        let mut entries = cache.entries();
        let current_step = self.status().step;
        let snapshot = step.and_then(|step| lock(&self.snapshots).network(step));
        // Results of a snapshot stay valid.
        let is_snapshot = snapshot.is_some();
        let at = snapshot.as_ref().map(|(step, _)| format!(" at {step}"));
        let key = key.to_owned() + &at.unwrap_or_default();
        let has_time = self.has_time(cache);
        let cached = entries
            .get(&key)
            .filter(|(updates, _)| is_snapshot || *updates == current_step || !has_time);
        let mut json = if let Some((_, json)) = cached {
            json.clone()
        } else if cache.defers && !has_time {
            return Ok(json!({ "later": true }));
        } else {
            let (updates, step, view) = if let Some((step, view)) = snapshot {
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
