//! What is wrong with a training, judged from its history alone, and what to try.
//!
//! Sources: Prechelt 1998 for over-fitting; Guo et al. 2017 for over-confidence; `AutoTrainer` (Zhang et al. 2021) for
//! oscillating loss and slow convergence; Google's tuning playbook for learning rates.

use super::{
    flat::is_good,
    history::Row,
    meaning::verdict,
    rise::Rise,
    series::{mean, noise, slope},
    tracker::{Explosion, Tracker, evidence},
};
use crate::train::event::{Evidence, Severity, Verdict, VerdictName};

/// Epochs that a judgement of the whole course needs.
const ENOUGH: usize = 8;
/// Jitter from epoch to epoch, as a share of the loss, that is called oscillation; and how often it must turn.
const OSCILLATION: (f64, f64) = (0.08, 0.5);
/// A loss below this share of the first one may jitter as it likes.
const DONE: f64 = 0.05;
/// Pace of the last third over that of the first third from which the slope is called constant.
const CONSTANT: f64 = 0.6;
/// Fall of the loss within the last fifth, as a share of it, after which training was too short.
const STILL_FALLING: f64 = 0.05;
/// Where the learning rate is not known.
const SMALL_RATE: f64 = 1e-4;

impl Tracker {
    /// What is wrong, the worst first. Some can only be said of a training that has `ended`.
    pub fn verdicts(&self, ended: bool) -> Vec<Verdict> {
        let mut verdicts = Vec::new();
        if let Some(explosion) = self.explosion {
            verdicts.extend(self.exploded(explosion));
        } else {
            verdicts.extend(self.rise.map(|rise| self.over_fits(rise)));
            verdicts.extend(self.flat.filter(|flat| flat.high).map(|flat| {
                let evidence = flat.evidence();
                self.verdict(VerdictName::UnderFitting, flat.since, evidence)
            }));
            verdicts.extend(self.oscillates());
            if ended {
                verdicts.extend(self.too_slow());
            }
        }
        let findings = self.layers.findings(self.explosion.is_some());
        verdicts
            .extend(findings.into_iter().map(|(name, since, of)| self.verdict(name, since, of)));
        verdicts.sort_by_key(|verdict| std::cmp::Reverse(verdict.severity));
        verdicts
    }

    fn verdict(&self, name: VerdictName, since: f64, evidence: Evidence) -> Verdict {
        let verdict = verdict(name, since, evidence, self.remedy(name));
        // Units at the edge of their range learn no more; a network that is good with them need not.
        let accuracy = self.points.last().and_then(|row| row.train_accuracy);
        if name == VerdictName::SaturatedUnits && is_good(accuracy) {
            return Verdict { severity: Severity::Info, ..verdict };
        }
        verdict
    }

    fn exploded(&self, explosion: Explosion) -> Vec<Verdict> {
        let of = |name| self.verdict(name, explosion.since, explosion.evidence());
        let mut verdicts = vec![of(VerdictName::Diverging)];
        if explosion.grew {
            verdicts.push(of(VerdictName::LearningRateTooHigh));
        }
        verdicts
    }

    fn over_fits(&self, rise: Rise) -> Verdict {
        let name = if rise.accuracy_rises {
            VerdictName::OverConfidence
        } else {
            VerdictName::OverFitting
        };
        let lowest = self.course.epochs[rise.at];
        let next = self.course.epochs.get(rise.at + 1).map_or(lowest, |_| lowest + 1.0);
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
        let turning = turns as f64 / (steps.len() - 1) as f64;
        let jitter = noise(last, 0.0) / level;
        let matters = level > DONE * losses[0];
        let oscillates = matters && jitter > OSCILLATION.0 && turning > OSCILLATION.1;
        oscillates.then(|| {
            let numbers = [("jitter", jitter), ("turning", turning), ("loss_mean", level)];
            self.verdict(VerdictName::OscillatingLoss, epochs[from], evidence(&numbers))
        })
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
        let jitter = noise(&losses, 0.0);
        let third = n / 3;
        let early = -slope(&epochs[..=third], &losses[..=third]);
        let late = -slope(&epochs[n - third - 1..], &losses[n - third - 1..]);
        let fell = losses[0] - losses[n - 1];
        let even = late > CONSTANT * early && early > 0.0 && fell > 5.0 * jitter;
        if even && fell < 0.5 * losses[0] && !self.rate_decayed() {
            let numbers = [("fall_per_epoch_first", early), ("fall_per_epoch_last", late)];
            let since = epochs[0];
            return Some(self.verdict(VerdictName::LearningRateTooLow, since, evidence(&numbers)));
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

    fn highest_rate(&self) -> Option<f64> {
        let rows = self.early.iter().chain(&self.points);
        let rates = rows.filter_map(|row| row.learning_rate);
        rates.filter(|rate| *rate > 0.0 && rate.is_finite()).reduce(f64::max)
    }

    fn rate_decayed(&self) -> bool {
        let last = self.points.last().and_then(|row: &Row| row.learning_rate);
        last.zip(self.highest_rate()).is_some_and(|(last, highest)| last < 0.5 * highest)
    }

    /// What to try, as arguments of `klubok train`.
    fn remedy(&self, name: VerdictName) -> String {
        let rate = |factor: f64| {
            let rate = self.highest_rate().map_or(SMALL_RATE, |rate| rate * factor);
            format!("--set train.learning_rate={}", two_digits(rate))
        };
        match name {
            VerdictName::Diverging | VerdictName::ExplodingGradients => {
                "--set train.clip_norm=1".to_owned()
            }
            VerdictName::LearningRateTooHigh | VerdictName::LearningRateKillsNetwork => rate(0.1),
            VerdictName::UpdateRatio => rate(self.layers.rate_factor()),
            VerdictName::DeadUnits => "--set model.activation=leaky_relu".to_owned(),
            VerdictName::VanishingGradients if self.layers.can_saturate() => {
                "--set model.activation=relu".to_owned()
            }
            VerdictName::PredictionsIgnoreInput if self.layers.began_at_zero() => {
                "--set model.init=he".to_owned()
            }
            VerdictName::PredictionsIgnoreInput if self.layers.weights_collapsed() => {
                let penalties = ["l1", "l2", "weight_decay"];
                penalties.map(|penalty| format!("--set regularization.{penalty}=0")).join(" ")
            }
            VerdictName::SaturatedUnits
            | VerdictName::VanishingGradients
            | VerdictName::PredictionsIgnoreInput => "--set model.batch_norm=true".to_owned(),
            // No setting mends labels; another cut shows whether it was the cut.
            VerdictName::LabelsLookShuffled => "--set data.split_seed=1".to_owned(),
            // What is found before training brings its own advice.
            VerdictName::ClassImbalance
            | VerdictName::ConstantInputs
            | VerdictName::DuplicatesAcrossParts
            | VerdictName::ContradictingLabels
            | VerdictName::NetworkTooSmall
            | VerdictName::InputNotNormalised
            | VerdictName::InitialLoss => String::new(),
            VerdictName::OverFitting => "--set model.dropout=0.3".to_owned(),
            VerdictName::OverConfidence => "--set regularization.label_smoothing=0.1".to_owned(),
            VerdictName::UnderFitting => "--set model.hidden=1024,512,256".to_owned(),
            VerdictName::OscillatingLoss => rate(0.3),
            VerdictName::LearningRateTooLow => match self.highest_rate() {
                Some(_) => rate(10.0),
                None => "--set train.learning_rate=0.01".to_owned(),
            },
            VerdictName::SlowConvergence => {
                let epochs = (2.0 * self.last).clamp(2.0, 1e9);
                format!("--set train.epochs={}", epochs.round())
            }
        }
    }
}

/// `0.0003`: a number with two digits that count.
fn two_digits(number: f64) -> f64 {
    let scale = 10f64.powi(1 - number.log10().floor() as i32);
    if !scale.is_finite() || scale == 0.0 {
        return number;
    }
    let rounded = (number * scale).round() / scale;
    // Division by a power of ten may leave a tail of digits: this form has none.
    format!("{rounded:.1e}").parse().unwrap_or(rounded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_short() {
        assert_eq!(format!("{}", two_digits(0.003 * 0.1)), "0.0003");
        assert_eq!(format!("{}", two_digits(0.01 * 0.3)), "0.003");
        assert_eq!(format!("{}", two_digits(12.345)), "12");
    }
}
