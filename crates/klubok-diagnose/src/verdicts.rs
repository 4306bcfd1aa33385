//! The verdicts on a training from its history alone, each with its remedy.
//!
//! Sources: Prechelt 1998 for overfitting; Guo et al. 2017 for over-confidence; `AutoTrainer`
//! (Zhang et al. 2021) for oscillating loss and slow convergence; Google's tuning playbook for
//! learning rates.

use klubok_train::event::{Evidence, Severity, Verdict, VerdictName};

use super::{
    evidence::evidence,
    meaning::verdict,
    plateau::is_good,
    remedy::{advise_by_cause, advise_one_rate},
    series::{mean, mean_jitter, robust_jitter},
    steady_decrease::barely_decreases,
    tracker::{Explosion, Tracker},
    val_loss_increase::ValLossIncrease,
};

/// Fewest epochs for a verdict on the whole curve.
const MIN_EPOCHS: usize = 8;
/// The loss oscillates if its relative jitter from epoch to epoch exceeds this.
const OSCILLATION_JITTER: f64 = 0.08;
/// Oscillation does not matter for a loss below this share of the first one.
const LOW_LOSS_SHARE: f64 = 0.05;
/// Training was too short if the loss decreased by more than this share of it in the last fifth.
const STILL_DECREASING: f64 = 0.05;

impl Tracker {
    /// The verdicts, the most severe first. Some need a training that has `ended`.
    pub fn verdicts(&self, ended: bool) -> Vec<Verdict> {
        // Data first: among verdicts of equal severity it is the cause.
        let mut verdicts = self.data_verdicts.clone();
        let barely_started = self.barely_started();
        if let Some(explosion) = self.explosion {
            verdicts.extend(self.exploded(explosion));
        } else {
            let name = self.choice.and_then(|choice| choice.name(ended));
            let memorising = self.memorising().zip(name);
            verdicts.extend(memorising.map(|(increase, name)| self.memorises(increase, name)));
            verdicts.extend(self.stays_high(barely_started.clone(), ended));
            verdicts.extend(self.non_finite.since().map(|(since, other, now)| {
                self.verdict(VerdictName::LossNotANumber, since, evidence(&[(other, now)]))
            }));
            verdicts.extend(self.oscillates());
            if ended && barely_started.is_none() {
                verdicts.extend(self.too_slow());
            }
        }
        let decreases = barely_started.is_some() || self.steady_decrease.is_some();
        let findings = self.layers.findings(self.explosion.is_some(), decreases);
        verdicts.extend(
            findings.into_iter().map(|(name, since, evidence)| self.verdict(name, since, evidence)),
        );
        advise_by_cause(&mut verdicts);
        verdicts.sort_by_key(|verdict| std::cmp::Reverse(verdict.severity));
        advise_one_rate(&mut verdicts);
        verdicts
    }

    pub(super) fn verdict(&self, name: VerdictName, since: f64, evidence: Evidence) -> Verdict {
        let verdict = verdict(name, since, evidence, self.remedy(name));
        // Saturated units no longer learn, which does no harm to a network with good accuracy.
        let accuracy = self.points.last().and_then(|row| row.train_accuracy);
        if name == VerdictName::SaturatedUnits && is_good(accuracy) {
            return Verdict { severity: Severity::Info, ..verdict };
        }
        // With few samples the labels need not be at fault.
        if name == VerdictName::LabelsLookShuffled && verdict.more_samples {
            return Verdict { severity: Severity::Warning, ..verdict };
        }
        verdict
    }

    fn exploded(&self, explosion: Explosion) -> Vec<Verdict> {
        let since = self.not_before_training(explosion.since);
        let verdict = |name| self.verdict(name, since, explosion.evidence());
        let mut verdicts = vec![verdict(VerdictName::Diverging)];
        if explosion.grew {
            verdicts.push(verdict(VerdictName::LearningRateTooHigh));
        }
        verdicts
    }

    fn memorises(&self, increase: ValLossIncrease, name: VerdictName) -> Verdict {
        let lowest = self.curves.epochs[increase.at];
        // The next validated epoch, or simply the next epoch if a point averages several.
        let next = self.curves.epochs.get(increase.at + 1);
        let next = next.map_or(lowest, |&next| if self.stride == 1 { next } else { lowest + 1.0 });
        self.verdict(name, next, increase.evidence())
    }

    /// The loss oscillates: large jitter and frequent turning points.
    fn oscillates(&self) -> Option<Verdict> {
        let (epochs, losses) = self.losses();
        let n = losses.len();
        if n < MIN_EPOCHS {
            return None;
        }
        let from = n - MIN_EPOCHS.max(n / 2);
        let last = &losses[from..];
        let level = mean(last);
        let steps: Vec<f64> = last.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let turns = steps.windows(2).filter(|pair| pair[0] * pair[1] < 0.0).count();
        let jitter = mean_jitter(last) / level;
        let matters = level > LOW_LOSS_SHARE * losses[0];
        let turns_often = turns as f64 > min_turning_points(last.len());
        let oscillates = matters && jitter > OSCILLATION_JITTER && turns_often;
        let turning = turns as f64 / (steps.len() - 1) as f64;
        oscillates.then(|| {
            let numbers = [("jitter", jitter), ("turning", turning), ("loss_mean", level)];
            let since = self.not_before_training(epochs[from]);
            self.verdict(VerdictName::OscillatingLoss, since, evidence(&numbers))
        })
    }

    /// The loss stays near its start: the learning rate is too low if the training has barely
    /// started, otherwise the cause is unknown and the network underfits.
    fn stays_high(&self, barely_started: Option<Evidence>, ended: bool) -> Option<Verdict> {
        let plateau = self.plateau.filter(|plateau| plateau.high);
        let Some(barely_started) = barely_started else {
            let plateau = plateau?;
            let since = self.not_before_training(plateau.since);
            return Some(self.verdict(VerdictName::UnderFitting, since, plateau.evidence()));
        };
        // A verdict on the update ratio already covers the learning rate.
        let raised = (ended || plateau.is_some()) && !self.layers.has_update_verdict();
        let since = self.not_before_training(self.first?.epoch);
        raised.then(|| self.verdict(VerdictName::LearningRateTooLow, since, barely_started))
    }

    /// Dates a verdict from before any update to the first epoch.
    fn not_before_training(&self, since: f64) -> f64 {
        let untrained = self.first.is_some_and(|first| first.untrained && first.epoch == since);
        if untrained { since.max(1.0) } else { since }
    }

    /// Evidence that the training has barely started: its steps were too small, or the loss barely
    /// decreases.
    pub(super) fn barely_started(&self) -> Option<Evidence> {
        if self.explosion.is_some() {
            return None;
        }
        let (_, losses) = self.losses();
        let barely_decreases = !self.layers.has_update_ratios() && barely_decreases(&losses);
        let of_losses = barely_decreases.then(|| {
            evidence(&[("loss_first", losses[0]), ("loss_now", losses[losses.len() - 1])])
        });
        self.layers.barely_moved().or(of_losses)
    }

    /// The loss still decreases at the end: at its first slope, or by a large share.
    fn too_slow(&self) -> Option<Verdict> {
        if self.increase.is_some() || self.plateau.is_some() {
            return None;
        }
        let (epochs, losses) = self.losses();
        let n = losses.len();
        if n < MIN_EPOCHS {
            return None;
        }
        if let Some(decrease) = self.steady_decrease {
            let numbers = evidence(&[
                ("fall_per_epoch_first", decrease.early),
                ("fall_per_epoch_last", decrease.late),
            ]);
            return Some(self.verdict(VerdictName::LearningRateTooLow, decrease.since, numbers));
        }
        if self.patience_ran_out() {
            return None;
        }
        let val = &self.curves.val;
        let (epochs, losses) = if val.len() == n {
            (self.curves.epochs.clone(), val.clone())
        } else {
            (epochs, losses)
        };
        let fifth = (n / 5).max(3);
        let (before, now) = (mean(&losses[n - fifth - 1..=n - fifth]), mean(&losses[n - 2..]));
        let share = (before - now) / before.abs();
        let decreases =
            share > STILL_DECREASING && before - now > 3.0 * robust_jitter(&losses, 0.0);
        decreases.then(|| {
            let numbers = [("loss_before", before), ("loss_now", now), ("fall", share)];
            let since = epochs[n - fifth];
            self.verdict(VerdictName::SlowConvergence, since, evidence(&numbers))
        })
    }
}

/// Number of turning points that `values` independent values exceed in 99 of 100 cases. A curve
/// that only decreases, however unevenly, has fewer (Wallis and Moore 1941: mean `2 (n - 2) / 3`,
/// variance `(16 n - 29) / 90`).
fn min_turning_points(values: usize) -> f64 {
    let n = values as f64;
    2.0 * (n - 2.0) / 3.0 - 2.326 * ((16.0 * n - 29.0) / 90.0).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turning_points_by_hand() {
        // Of 20 values: 12 on average, with a standard deviation of sqrt(291 / 90).
        assert!((min_turning_points(20) - (12.0 - 2.326 * 1.798_147)).abs() < 1e-5);
    }
}
