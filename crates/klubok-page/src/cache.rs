//! A cache of inspections, with a budget for the time of new ones. Several browsers then cost as
//! much as one. While a training goes on, what pages refresh on their own takes at most one per
//! cent of the time that passes.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
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
/// Slots in a cache, at most.
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

/// A result with the number of updates at its request; none until it is there.
pub(super) type Slot = Arc<Mutex<Option<(u64, Value)>>>;

/// Slots by key, each with the number of the last request for it.
#[derive(Default)]
struct Slots {
    requests: u64,
    by_key: BTreeMap<String, (u64, Slot)>,
}

/// Cached inspections of one cost class.
pub(super) struct InspectionCache {
    slots: Mutex<Slots>,
    budget: Mutex<Budget>,
    /// Whether even a first computation waits for the budget.
    pub(super) defers: bool,
}

impl InspectionCache {
    fn new(share: f64, defers: bool) -> Self {
        let budget = Budget { share, begun: Instant::now(), spent: Duration::ZERO };
        Self { slots: Mutex::default(), budget: Mutex::new(budget), defers }
    }

    /// An empty cache for expensive inspections.
    pub(super) fn expensive() -> Self {
        Self::new(EXPENSIVE_SHARE, true)
    }

    /// An empty cache for frequent inspections.
    pub(super) fn frequent() -> Self {
        Self::new(FREQUENT_SHARE, false)
    }

    /// Returns the slot for `key`. Whoever computes its result keeps it locked, so that a second
    /// request for the same result waits and finds it, and others go on. Past [`MAX_ENTRIES`],
    /// drops the slot that was asked for longest ago.
    pub(super) fn slot(&self, key: &str) -> Slot {
        let mut slots = lock(&self.slots);
        slots.requests += 1;
        let request = slots.requests;
        let entry = slots.by_key.entry(key.to_owned()).or_default();
        entry.0 = request;
        let slot = entry.1.clone();
        if slots.by_key.len() > MAX_ENTRIES {
            let oldest = slots.by_key.iter().min_by_key(|(_, (request, _))| *request);
            let oldest = oldest.map(|(key, _)| key.clone());
            oldest.iter().for_each(|oldest| drop(slots.by_key.remove(oldest)));
        }
        slot
    }

    /// Drops the slot of a result that cannot be computed, so that it takes no other one's place.
    pub(super) fn forget(&self, key: &str) {
        lock(&self.slots).by_key.remove(key);
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
    fn a_slot_is_shared_and_the_oldest_one_is_dropped() {
        let cache = InspectionCache::frequent();
        let is_kept = |key: &str| lock(&cache.slot(key)).is_some();
        *lock(&cache.slot("first")) = Some((1, Value::Null));
        for i in 1..MAX_ENTRIES {
            cache.slot(&i.to_string());
        }
        assert!(is_kept("first"));
        cache.slot("one more");
        assert!(is_kept("first"), "another one was asked for longer ago");
        for i in 0..MAX_ENTRIES {
            cache.slot(&i.to_string());
        }
        assert!(!is_kept("first"));
        *lock(&cache.slot("first")) = Some((1, Value::Null));
        cache.forget("first");
        assert!(!is_kept("first"));
    }

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
