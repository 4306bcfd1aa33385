//! What is wrong with a training, judged from its history alone, and what to try.
//!
//! Sources: Prechelt 1998 for over-fitting; Guo et al. 2017 for over-confidence; `AutoTrainer`
//! (Zhang et al. 2021) for oscillating loss and slow convergence; Google's tuning playbook for
//! learning rates.

use klubok_train::event::{Evidence, Severity, Verdict, VerdictName};

use super::{
    evidence::evidence,
    fall::creeps,
    flat::is_good,
    meaning::verdict,
    remedy::{advise_by_cause, advise_one_rate},
    rise::Rise,
    series::{jitter, mean, noise},
    tracker::{Explosion, Tracker},
};

/// Epochs that a judgement of the whole course needs.
const ENOUGH: usize = 8;
/// Jitter from epoch to epoch, as a share of the loss, that is called oscillation.
const OSCILLATION: f64 = 0.08;
/// A loss below this share of the first one may jitter as it likes.
const DONE: f64 = 0.05;
/// Fall of the loss within the last fifth, as a share of it, after which training was too short.
const STILL_FALLING: f64 = 0.05;

impl Tracker {
    /// What is wrong, the worst first. Some can only be said of a training that has `ended`.
    pub fn verdicts(&self, ended: bool) -> Vec<Verdict> {
        // Data first: among equally bad ones it is the cause.
        let mut verdicts = self.found_before.clone();
        let crept = self.crept();
        if let Some(explosion) = self.explosion {
            verdicts.extend(self.exploded(explosion));
        } else {
            let name = self.naming.and_then(|naming| naming.name(ended));
            let memorises = self.memorises().zip(name);
            verdicts.extend(memorises.map(|(rise, name)| self.over_fits(rise, name)));
            verdicts.extend(self.rests_high(crept.clone(), ended));
            verdicts.extend(self.blind.since().map(|(since, other, now)| {
                self.verdict(VerdictName::LossNotANumber, since, evidence(&[(other, now)]))
            }));
            verdicts.extend(self.oscillates());
            if ended && crept.is_none() {
                verdicts.extend(self.too_slow());
            }
        }
        let falls = crept.is_some() || self.even_fall.is_some();
        let findings = self.layers.findings(self.explosion.is_some(), falls);
        verdicts
            .extend(findings.into_iter().map(|(name, since, of)| self.verdict(name, since, of)));
        advise_by_cause(&mut verdicts);
        verdicts.sort_by_key(|verdict| std::cmp::Reverse(verdict.severity));
        advise_one_rate(&mut verdicts);
        verdicts
    }

    pub(super) fn verdict(&self, name: VerdictName, since: f64, evidence: Evidence) -> Verdict {
        let verdict = verdict(name, since, evidence, self.remedy(name));
        // Units at the edge of their range learn no more; a network that is good with them need
        // not.
        let accuracy = self.points.last().and_then(|row| row.train_accuracy);
        if name == VerdictName::SaturatedUnits && is_good(accuracy) {
            return Verdict { severity: Severity::Info, ..verdict };
        }
        // What so few samples explain too is not yet a fault of their labels.
        if name == VerdictName::LabelsLookShuffled && verdict.more_samples {
            return Verdict { severity: Severity::Warning, ..verdict };
        }
        verdict
    }

    fn exploded(&self, explosion: Explosion) -> Vec<Verdict> {
        let since = self.not_before_training(explosion.since);
        let of = |name| self.verdict(name, since, explosion.evidence());
        let mut verdicts = vec![of(VerdictName::Diverging)];
        if explosion.grew {
            verdicts.push(of(VerdictName::LearningRateTooHigh));
        }
        verdicts
    }

    fn over_fits(&self, rise: Rise, name: VerdictName) -> Verdict {
        let lowest = self.course.epochs[rise.at];
        // The next epoch that was validated; where a point stands for several, the next one.
        let next = self.course.epochs.get(rise.at + 1);
        let next = next.map_or(lowest, |&next| if self.stride == 1 { next } else { lowest + 1.0 });
        self.verdict(name, next, rise.evidence())
    }

    /// The loss jumps up and down by more than a good share of itself, time and again.
    fn oscillates(&self) -> Option<Verdict> {
        let (epochs, losses) = self.losses();
        let n = losses.len();
        if n < ENOUGH {
            return None;
        }
        let from = n - ENOUGH.max(n / 2);
        let last = &losses[from..];
        let level = mean(last);
        let steps: Vec<f64> = last.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let turns = steps.windows(2).filter(|pair| pair[0] * pair[1] < 0.0).count();
        let jitter = jitter(last) / level;
        let matters = level > DONE * losses[0];
        let oscillates = matters && jitter > OSCILLATION && turns as f64 > least_turns(last.len());
        let turning = turns as f64 / (steps.len() - 1) as f64;
        oscillates.then(|| {
            let numbers = [("jitter", jitter), ("turning", turning), ("loss_mean", level)];
            let since = self.not_before_training(epochs[from]);
            self.verdict(VerdictName::OscillatingLoss, since, evidence(&numbers))
        })
    }

    /// What a loss rests on that has come to rest hardly lower than it began: the rate where the
    /// network has hardly moved, and else what nobody knows.
    fn rests_high(&self, crept: Option<Evidence>, ended: bool) -> Option<Verdict> {
        let flat = self.flat.filter(|flat| flat.high);
        let Some(crept) = crept else {
            let flat = flat?;
            let since = self.not_before_training(flat.since);
            return Some(self.verdict(VerdictName::UnderFitting, since, flat.evidence()));
        };
        // What is said of the steps need not be said of the rate.
        let said = (ended || flat.is_some()) && !self.layers.judge_updates();
        let since = self.not_before_training(self.first?.epoch);
        said.then(|| self.verdict(VerdictName::LearningRateTooLow, since, crept))
    }

    /// What holds before any update holds from the first epoch on.
    fn not_before_training(&self, since: f64) -> f64 {
        let untrained = self.first.is_some_and(|first| first.untrained && first.epoch == since);
        if untrained { since.max(1.0) } else { since }
    }

    /// The training has hardly begun: its steps were too small, or its loss crept.
    pub(super) fn crept(&self) -> Option<Evidence> {
        if self.explosion.is_some() {
            return None;
        }
        let (_, losses) = self.losses();
        let creeps = !self.layers.know_updates() && creeps(&losses);
        let of_course = creeps.then(|| {
            evidence(&[("loss_first", losses[0]), ("loss_now", losses[losses.len() - 1])])
        });
        self.layers.hardly_moved().or(of_course)
    }

    /// At the end the loss still falls: as evenly as at the beginning, or at least by a good share.
    fn too_slow(&self) -> Option<Verdict> {
        if self.rise.is_some() || self.flat.is_some() {
            return None;
        }
        let (epochs, losses) = self.losses();
        let n = losses.len();
        if n < ENOUGH {
            return None;
        }
        if let Some(fall) = self.even_fall {
            let numbers =
                [("fall_per_epoch_first", fall.early), ("fall_per_epoch_last", fall.late)];
            let numbers = evidence(&numbers);
            return Some(self.verdict(VerdictName::LearningRateTooLow, fall.since, numbers));
        }
        if self.waited() {
            return None;
        }
        let val = &self.course.val;
        let (epochs, losses) = if val.len() == n {
            (self.course.epochs.clone(), val.clone())
        } else {
            (epochs, losses)
        };
        let fifth = (n / 5).max(3);
        let (before, now) = (mean(&losses[n - fifth - 1..=n - fifth]), mean(&losses[n - 2..]));
        let share = (before - now) / before.abs();
        let falls = share > STILL_FALLING && before - now > 3.0 * noise(&losses, 0.0);
        falls.then(|| {
            let numbers = [("loss_before", before), ("loss_now", now), ("fall", share)];
            let since = epochs[n - fifth];
            self.verdict(VerdictName::SlowConvergence, since, evidence(&numbers))
        })
    }
}

/// Turns that a course of so many independent values has in 99 of 100 cases at least: a course that
/// only falls, however unevenly, has fewer (Wallis and Moore 1941: `2 (n - 2) / 3` on average, with
/// a variance of `(16 n - 29) / 90`).
fn least_turns(values: usize) -> f64 {
    let n = values as f64;
    2.0 * (n - 2.0) / 3.0 - 2.326 * ((16.0 * n - 29.0) / 90.0).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_by_hand() {
        // Of 20 values: 12 on average, with a deviation of sqrt(291 / 90).
        assert!((least_turns(20) - (12.0 - 2.326 * 1.798_147)).abs() < 1e-5);
    }
}
