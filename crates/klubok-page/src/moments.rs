//! The network of a moment, now or earlier, and what it is asked: moments are kept from the first
//! look on, and so are answers.

use std::{sync::Arc, time::Instant};

use klubok::inspect::ModelView;
use serde_json::json;

use super::{
    answer::Answer,
    cache::AnswerCache,
    fixed_sample::Seen,
    hub::{Copy, Hub},
    lock::lock,
    snapshots::Moment,
};

impl Hub {
    /// Keeps the start and this moment; from the first time on, further moments are kept as they
    /// come.
    pub(super) fn remember(&self) -> Result<(), String> {
        let (now, start) = (self.weights()?, self.start()?);
        self.keep_moment(0, &start, &start);
        self.keep_moment(now.step, &now.view, &start);
        Ok(())
    }

    /// Keeps a moment, with what its network makes of the fixed sample.
    pub(super) fn keep_moment(&self, step: u64, now: &Arc<ModelView>, start: &ModelView) {
        let is_kept = lock(&self.snapshots).has(step);
        if !is_kept {
            // The training asks for the lock too: what takes time comes before it.
            let moment = Moment::new(step, now, start, self.see(now));
            lock(&self.snapshots).add(moment);
        }
    }

    /// The whole network at the last moment that is kept and not after a step, or now.
    pub(super) fn weights_at(&self, step: Option<u64>) -> Result<(u64, Arc<ModelView>), String> {
        self.begin()?;
        let kept = step.and_then(|step| lock(&self.snapshots).whole(step));
        kept.map_or_else(|| self.weights().map(|Copy { step, view, .. }| (step, view)), Ok)
    }

    /// The answer to `what` of the moments that are kept, at one of them or at this one, which is
    /// kept, too.
    pub(super) fn of_moments(
        &self,
        moment: Option<u64>,
        what: &str,
        make: impl Fn() -> Answer,
    ) -> Answer {
        if moment.is_some() {
            self.begin()?;
            return make();
        }
        self.said(&self.frequent, None, what, |_| self.remember().and_then(|()| make()))
    }

    /// Keeps the start and this moment, if nothing was kept yet.
    pub(super) fn begin(&self) -> Result<(), String> {
        if lock(&self.snapshots).last().is_none() {
            self.remember()?;
        }
        Ok(())
    }

    /// The steps of which the whole network is kept.
    pub(super) fn wholes(&self) -> Vec<u64> {
        lock(&self.snapshots).wholes()
    }

    /// Looks at the fixed sample, if there is time for it.
    fn see(&self, view: &ModelView) -> Option<Seen> {
        if !self.allows(&self.frequent) {
            return None;
        }
        Seen::new(self.data.as_ref()?, view)
    }

    /// Whether time may be spent on such answers: a training of this process is to notice nothing.
    pub(super) fn allows(&self, answers: &AnswerCache) -> bool {
        !self.goes_on() || answers.allows()
    }

    /// Time was spent since `begun`. At rest it costs nobody anything.
    pub(super) fn spend(&self, answers: &AnswerCache, begun: Instant) {
        if self.goes_on() {
            answers.spend(begun);
        }
    }

    /// What a network says to `what`: the whole one that was kept last before a moment has passed,
    /// or the one of now. A kept answer, if it is of the same step or there is no time for a new
    /// one; `later`, if it has to wait for that. Whoever else asks for such an answer waits, and
    /// finds it.
    pub(super) fn said(
        &self,
        answers: &AnswerCache,
        moment: Option<u64>,
        what: &str,
        make: impl FnOnce(&ModelView) -> Answer,
    ) -> Answer {
        self.begin()?;
        let mut kept = answers.kept();
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
            let (of, step, view) = if let Some((step, view)) = past {
                (done, step, view)
            } else {
                let Copy { asked, step, view, .. } = self.weights()?;
                (asked, step, view)
            };
            let begun = Instant::now();
            let made = make(&view);
            // What was waited for in vain took its time, too.
            self.spend(answers, begun);
            let mut answer = made?;
            if answer["step"].is_null() {
                answer["step"] = step.into();
            }
            kept.keep(what, of, answer.clone());
            answer
        };
        answer["wholes"] = self.wholes().into();
        Ok(answer)
    }
}
