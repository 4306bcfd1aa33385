//! Answers that cost much. They are kept, so that several browsers cost as one, and together with what is kept of earlier moments
//! they are made anew only within a hundredth of the time that passes.

use std::{
    collections::BTreeMap,
    sync::Mutex,
    time::{Duration, Instant},
};

use klubok::look::Glass;
use serde_json::Value;

use super::{
    hub::{Copy, Hub, lock},
    looks::Answer,
};

/// The share of the time that passes which may be spent,
const SHARE: f64 = 0.01;
/// beside so many seconds.
const CREDIT: f64 = 0.3;

/// Time that was spent beside a training.
pub(super) struct Budget {
    begun: Instant,
    spent: Duration,
}

impl Default for Budget {
    fn default() -> Self {
        Self { begun: Instant::now(), spent: Duration::ZERO }
    }
}

impl Budget {
    /// Whether more may be spent.
    fn allows(&self) -> bool {
        self.spent.as_secs_f64() <= CREDIT + SHARE * self.begun.elapsed().as_secs_f64()
    }

    /// Something was done that took so long.
    fn spend(&mut self, time: Duration) {
        self.spent += time;
    }
}

/// Answers that are kept of a kind.
const KEPT: usize = 64;

/// Answers by what was asked, each with the updates done by then.
pub(super) type Dear = BTreeMap<String, (u64, Value)>;

impl Hub {
    /// Whether something may be done that nobody waits for: a training of this process is to notice nothing.
    pub(super) fn may_spend(&self) -> bool {
        !self.goes_on() || lock(&self.budget).allows()
    }

    /// Something was done since `begun`. At rest it costs nobody anything.
    pub(super) fn spend(&self, begun: Instant) {
        if self.goes_on() {
            lock(&self.budget).spend(begun.elapsed());
        }
    }

    /// What a network says to `what` that takes long: whoever else asks for such a thing waits.
    pub(super) fn dear(
        &self,
        moment: Option<u64>,
        what: &str,
        make: impl FnOnce(&Glass) -> Answer,
    ) -> Answer {
        self.kept(&self.dear, moment, what, make)
    }

    /// What a network says to `what` that takes little, but is asked for often.
    pub(super) fn frequent(
        &self,
        moment: Option<u64>,
        what: &str,
        make: impl FnOnce(&Glass) -> Answer,
    ) -> Answer {
        self.kept(&self.frequent, moment, what, make)
    }

    /// The answer of the whole network that was kept last before a moment has passed, or of the one of now: a kept answer, if
    /// it is of the same step or there is no time for a new one. What was never asked is always answered.
    fn kept(
        &self,
        answers: &Mutex<Dear>,
        moment: Option<u64>,
        what: &str,
        make: impl FnOnce(&Glass) -> Answer,
    ) -> Answer {
        self.begin()?;
        // Whoever else asks waits here, and finds the answer.
        let mut answers = lock(answers);
        let done = self.now().step;
        let past = moment.and_then(|step| lock(&self.snapshots).whole(step));
        // What was told of an earlier moment stays true.
        let stays = past.is_some();
        let at = past.as_ref().map(|(step, _)| format!(" at {step}"));
        let what = what.to_owned() + &at.unwrap_or_default();
        let known = answers.get(&what).filter(|(of, _)| stays || *of == done || !self.may_spend());
        let mut answer = if let Some((_, answer)) = known {
            answer.clone()
        } else {
            let (of, step, glass) = if let Some((step, glass)) = past {
                (done, step, glass)
            } else {
                let Copy { asked, step, glass, .. } = self.weights()?;
                (asked, step, glass)
            };
            let begun = Instant::now();
            let mut answer = make(&glass)?;
            self.spend(begun);
            if answer["step"].is_null() {
                answer["step"] = step.into();
            }
            keep(&mut answers, what, of, answer.clone());
            answer
        };
        answer["wholes"] = self.wholes().into();
        Ok(answer)
    }
}

fn keep(answers: &mut Dear, what: String, of: u64, answer: Value) {
    answers.insert(what, (of, answer));
    if answers.len() > KEPT {
        let oldest = answers.iter().min_by_key(|(_, (of, _))| *of).map(|(what, _)| what.clone());
        oldest.iter().for_each(|what| drop(answers.remove(what)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_a_share_of_the_time() {
        let mut budget = Budget::default();
        assert!(budget.allows());
        budget.spend(Duration::from_secs(1));
        assert!(!budget.allows());
        budget.begun -= Duration::from_secs(99);
        assert!(budget.allows());
    }
}
