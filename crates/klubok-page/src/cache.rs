//! A cache of inspections, with a budget for the time of new ones. Several browsers then cost as
//! much as one. While a training goes on, new inspections take at most one per cent of the time
//! that passes.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard},
    time::{Duration, Instant},
};

use serde_json::Value;

use super::lock::lock;

/// Share of the time for expensive inspections.
const EXPENSIVE_SHARE: f64 = 0.006;
/// Share of the time for frequent inspections.
const FREQUENT_SHARE: f64 = 0.004;
/// Seconds in a new budget.
const CREDIT: f64 = 0.1;
/// Results in a cache, at most.
const MAX_ENTRIES: usize = 64;

/// A time budget for work beside a training.
struct Budget {
    share: f64,
    begun: Instant,
    spent: Duration,
}

impl Budget {
    /// Whether some time is left.
    fn has_time(&self) -> bool {
        self.spent.as_secs_f64() <= CREDIT + self.share * self.begun.elapsed().as_secs_f64()
    }
}

/// Results by key, each with the number of updates at its request.
#[derive(Default)]
pub(super) struct Entries(BTreeMap<String, (u64, Value)>);

impl Entries {
    /// Returns the result for `key`.
    pub(super) fn get(&self, key: &str) -> Option<&(u64, Value)> {
        self.0.get(key)
    }

    /// Inserts a result, and drops the oldest one past [`MAX_ENTRIES`].
    pub(super) fn insert(&mut self, key: String, updates: u64, result: Value) {
        self.0.insert(key, (updates, result));
        if self.0.len() > MAX_ENTRIES {
            let oldest = self.0.iter().min_by_key(|(_, (updates, _))| *updates);
            let oldest = oldest.map(|(key, _)| key.clone());
            oldest.iter().for_each(|key| drop(self.0.remove(key)));
        }
    }
}

/// Cached inspections of one cost class.
pub(super) struct InspectionCache {
    entries: Mutex<Entries>,
    budget: Mutex<Budget>,
    /// Whether even a first computation waits for the budget.
    pub(super) defers: bool,
}

impl InspectionCache {
    fn new(share: f64, defers: bool) -> Self {
        let budget = Budget { share, begun: Instant::now(), spent: Duration::ZERO };
        Self { entries: Mutex::default(), budget: Mutex::new(budget), defers }
    }

    /// An empty cache for expensive inspections.
    pub(super) fn expensive() -> Self {
        Self::new(EXPENSIVE_SHARE, true)
    }

    /// An empty cache for frequent inspections.
    pub(super) fn frequent() -> Self {
        Self::new(FREQUENT_SHARE, false)
    }

    /// Locks the entries: other requests wait until the guard is dropped.
    pub(super) fn entries(&self) -> MutexGuard<'_, Entries> {
        lock(&self.entries)
    }

    /// Whether the budget allows a computation beside a training.
    pub(super) fn has_time(&self) -> bool {
        lock(&self.budget).has_time()
    }

    /// Charges the time since `begun`.
    pub(super) fn charge(&self, begun: Instant) {
        lock(&self.budget).spent += begun.elapsed();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_grows_with_time() {
        let mut budget = Budget { share: 0.01, begun: Instant::now(), spent: Duration::ZERO };
        assert!(budget.has_time());
        budget.spent += Duration::from_secs(1);
        assert!(!budget.has_time());
        budget.begun -= Duration::from_secs(99);
        assert!(budget.has_time());
    }
}
