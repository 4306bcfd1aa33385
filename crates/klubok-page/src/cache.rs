//! A cache of answers, and the time that new ones may take. Answers are kept, so that several
//! browsers cost as one, and while a training goes on they are made anew, together with what is
//! kept of earlier moments, only within a hundredth of the time that passes.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard},
    time::{Duration, Instant},
};

use serde_json::Value;

use super::lock::lock;

/// The shares of the time that passes which may be spent on what takes long and on what is asked
/// for often,
const EXPENSIVE: f64 = 0.006;
const FREQUENT: f64 = 0.004;
/// beside so many seconds of each.
const CREDIT: f64 = 0.1;
/// Answers that are kept of a kind.
const KEPT: usize = 64;

/// Time that was spent beside a training.
struct Budget {
    share: f64,
    begun: Instant,
    spent: Duration,
}

impl Budget {
    /// Whether more may be spent.
    fn allows(&self) -> bool {
        self.spent.as_secs_f64() <= CREDIT + self.share * self.begun.elapsed().as_secs_f64()
    }
}

/// Answers by what was asked, each with the updates done by then.
#[derive(Default)]
pub(super) struct Kept(BTreeMap<String, (u64, Value)>);

impl Kept {
    /// The answer to `what`.
    pub(super) fn get(&self, what: &str) -> Option<&(u64, Value)> {
        self.0.get(what)
    }

    /// Keeps an answer; past so many the oldest one is forgotten.
    pub(super) fn keep(&mut self, what: String, of: u64, answer: Value) {
        self.0.insert(what, (of, answer));
        if self.0.len() > KEPT {
            let oldest = self.0.iter().min_by_key(|(_, (of, _))| *of).map(|(what, _)| what.clone());
            oldest.iter().for_each(|what| drop(self.0.remove(what)));
        }
    }
}

/// Answers of a kind.
pub(super) struct AnswerCache {
    kept: Mutex<Kept>,
    budget: Mutex<Budget>,
    /// What was never asked waits, too, until it may be spent on.
    pub(super) patient: bool,
}

impl AnswerCache {
    fn new(share: f64, patient: bool) -> Self {
        let budget = Budget { share, begun: Instant::now(), spent: Duration::ZERO };
        Self { kept: Mutex::default(), budget: Mutex::new(budget), patient }
    }

    /// No answers to what takes long.
    pub(super) fn expensive() -> Self {
        Self::new(EXPENSIVE, true)
    }

    /// No answers to what is asked for often.
    pub(super) fn frequent() -> Self {
        Self::new(FREQUENT, false)
    }

    /// The answers; whoever else wants them waits until this is dropped.
    pub(super) fn kept(&self) -> MutexGuard<'_, Kept> {
        lock(&self.kept)
    }

    /// Whether more time may be spent beside a training.
    pub(super) fn allows(&self) -> bool {
        lock(&self.budget).allows()
    }

    /// Time was spent since `begun`, beside a training.
    pub(super) fn spend(&self, begun: Instant) {
        lock(&self.budget).spent += begun.elapsed();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_a_share_of_the_time() {
        let mut budget = Budget { share: 0.01, begun: Instant::now(), spent: Duration::ZERO };
        assert!(budget.allows());
        budget.spent += Duration::from_secs(1);
        assert!(!budget.allows());
        budget.begun -= Duration::from_secs(99);
        assert!(budget.allows());
    }
}
