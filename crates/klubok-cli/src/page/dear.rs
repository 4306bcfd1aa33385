//! What a network says, and what that may cost. Answers are kept, so that several browsers cost as
//! one, and while a training goes on they are made anew, together with what is kept of earlier
//! moments, only within a hundredth of the time that passes.

use std::{
    collections::BTreeMap,
    sync::Mutex,
    time::{Duration, Instant},
};

use klubok::inspect::Glass;
use serde_json::{Value, json};

use super::{
    hub::{Copy, Hub, lock},
    looks::Answer,
};

/// The shares of the time that passes which may be spent on what takes long and on what is asked
/// for often,
const DEAR: f64 = 0.006;
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

/// Answers of a kind.
pub(super) struct Answers {
    /// By what was asked, each with the updates done by then.
    kept: Mutex<BTreeMap<String, (u64, Value)>>,
    budget: Mutex<Budget>,
    /// What was never asked waits, too, until it may be spent on.
    patient: bool,
}

impl Answers {
    fn new(share: f64, patient: bool) -> Self {
        let budget = Budget { share, begun: Instant::now(), spent: Duration::ZERO };
        Self { kept: Mutex::default(), budget: Mutex::new(budget), patient }
    }

    /// No answers to what takes long.
    pub(super) fn dear() -> Self {
        Self::new(DEAR, true)
    }

    /// No answers to what is asked for often.
    pub(super) fn frequent() -> Self {
        Self::new(FREQUENT, false)
    }
}

impl Hub {
    /// Whether time may be spent on such answers: a training of this process is to notice nothing.
    pub(super) fn allows(&self, answers: &Answers) -> bool {
        !self.goes_on() || lock(&answers.budget).allows()
    }

    /// Time was spent since `begun`. At rest it costs nobody anything.
    pub(super) fn spend(&self, answers: &Answers, begun: Instant) {
        if self.goes_on() {
            lock(&answers.budget).spent += begun.elapsed();
        }
    }

    /// What a network says to `what`: the whole one that was kept last before a moment has passed,
    /// or the one of now. A kept answer, if it is of the same step or there is no time for a new
    /// one; `later`, if it has to wait for that. Whoever else asks for such an answer waits, and
    /// finds it.
    pub(super) fn said(
        &self,
        answers: &Answers,
        moment: Option<u64>,
        what: &str,
        make: impl FnOnce(&Glass) -> Answer,
    ) -> Answer {
        self.begin()?;
        let mut kept = lock(&answers.kept);
        let done = self.now().step;
        let past = moment.and_then(|step| lock(&self.snapshots).whole(step));
        // What was told of an earlier moment stays true.
        let stays = past.is_some();
        let at = past.as_ref().map(|(step, _)| format!(" at {step}"));
        let what = what.to_owned() + &at.unwrap_or_default();
        let allows = self.allows(answers);
        let known = kept.get(&what).filter(|(of, _)| stays || *of == done || !allows);
        let mut answer = if let Some((_, answer)) = known {
            answer.clone()
        } else if answers.patient && !allows {
            return Ok(json!({ "later": true }));
        } else {
            let (of, step, glass) = if let Some((step, glass)) = past {
                (done, step, glass)
            } else {
                let Copy { asked, step, glass, .. } = self.weights()?;
                (asked, step, glass)
            };
            let begun = Instant::now();
            let made = make(&glass);
            // What was waited for in vain took its time, too.
            self.spend(answers, begun);
            let mut answer = made?;
            if answer["step"].is_null() {
                answer["step"] = step.into();
            }
            keep(&mut kept, what, of, answer.clone());
            answer
        };
        answer["wholes"] = self.wholes().into();
        Ok(answer)
    }
}

fn keep(kept: &mut BTreeMap<String, (u64, Value)>, what: String, of: u64, answer: Value) {
    kept.insert(what, (of, answer));
    if kept.len() > KEPT {
        let oldest = kept.iter().min_by_key(|(_, (of, _))| *of).map(|(what, _)| what.clone());
        oldest.iter().for_each(|what| drop(kept.remove(what)));
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
