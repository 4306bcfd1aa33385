//! Progress of a training: everything that a resumed run needs besides weights and moments.

use klubok_nn::{
    backend::{ParamFigures, StepFigures},
    calibration::Calibration,
    optim::schedule::{LearningRate, Plateau},
};
use serde::{Deserialize, Serialize};

use crate::{
    best::{BestEpoch, RecentLosses},
    event::Stopped,
    meter::Meter,
};

/// Position, running figures and trackers of a training.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    /// Updates done.
    pub step: u64,
    /// Epochs done.
    pub epoch: u64,
    /// Batches done in the current epoch.
    pub position: u64,
    /// Batches in an epoch.
    pub steps_per_epoch: u64,
    /// The best epoch so far; `None` before the measurement of epoch 0.
    pub best: Option<BestEpoch>,
    /// Losses of the last complete epochs.
    #[serde(skip_serializing_if = "RecentLosses::is_empty", default)]
    pub recent: RecentLosses,
    /// Reduction of the learning rate on a plateau.
    pub plateau: Plateau,
    /// Number of weight-changing acts of people at this step.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub acts: u64,
    /// Factor on the scheduled learning rate, set by a person.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rate_factor: Option<f64>,
    /// Number of epochs set by a person instead of that of the settings.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub extended: Option<Extension>,
    /// Figures since the last epoch.
    pub epoch_meter: Meter,
    /// Figures since the last chosen step.
    pub step_meter: Meter,
    /// Seconds of the run, without interruptions.
    pub elapsed_seconds: f64,
    /// Seconds of the current epoch.
    pub epoch_seconds: f64,
    /// Seconds of the current epoch spent on updates.
    pub update_seconds: f64,
    /// Why the training ended, if it has: an interruption is not an end.
    pub stopped: Option<Stopped>,
    /// The divergence that ended the training, if any.
    pub divergence: Option<Divergence>,
    /// Number of validation samples.
    pub val_samples: u64,
}

impl Progress {
    /// Describes an inconsistency that no training can produce, if there is one. `layers` is their
    /// number in the plan, where known, and `epochs` the number in the settings.
    pub fn inconsistency(&self, layers: Option<usize>, epochs: u64) -> Option<String> {
        let Self { step, epoch, position, steps_per_epoch, best, .. } = self;
        let expected = epoch.checked_mul(*steps_per_epoch).and_then(|n| n.checked_add(*position));
        if expected != Some(*step) || (position > &0 && position >= steps_per_epoch) {
            return Some(format!(
                "it is {step} updates far, but {epoch} epochs of {steps_per_epoch} and {position} more"
            ));
        }
        if best.is_none() && (*step > 0 || *epoch > 0) {
            return Some(format!("it is {step} updates far and was never measured"));
        }
        let epochs = self.last_epoch(epochs);
        if *epoch > epochs || best.is_some_and(|best| best.epoch > *epoch) {
            let best = best.map_or(0, |best| best.epoch);
            return Some(format!(
                "it is {epoch} epochs far of {epochs}, the best is number {best}"
            ));
        }
        let seconds = [self.elapsed_seconds, self.epoch_seconds, self.update_seconds];
        if seconds.iter().any(|seconds| !(0.0..1e12).contains(seconds)) {
            return Some(format!("it has taken {} seconds", self.elapsed_seconds));
        }
        let (plateau, person) = (self.plateau.factor, self.rate_factor());
        let is_valid_rate = (0.0..=1.0).contains(&plateau) && person > 0.0 && person.is_finite();
        if !is_valid_rate {
            return Some(format!("its learning rate is multiplied by {plateau} and {person}"));
        }
        let meters = [&self.epoch_meter, &self.step_meter];
        let layers = layers.filter(|layers| !meters.iter().all(|meter| meter.fits(*layers)));
        layers
            .filter(|_| best.is_some())
            .map(|layers| format!("it has figures of other than {layers} layers"))
    }

    /// Returns the epochs done, including the fraction of the current one.
    pub fn epochs(&self) -> f64 {
        self.step as f64 / self.steps_per_epoch as f64
    }

    /// Returns the position in steps and epochs; after a divergence, that of its detection.
    pub fn steps_and_epochs(&self) -> (u64, f64) {
        match self.divergence {
            Some(divergence) => (divergence.step, divergence.epoch),
            None => (self.step, self.epochs()),
        }
    }

    /// Moves to the start of the current epoch on other data, with so many steps an epoch. Weights
    /// and moments stay, the best epoch is chosen anew.
    pub fn move_to_other_data(&mut self, steps_per_epoch: u64) {
        let Self { epoch, plateau, rate_factor, extended, elapsed_seconds, .. } = self.clone();
        let step = epoch * steps_per_epoch;
        *self = Self {
            step,
            epoch,
            // The best loss was one of the other data.
            plateau: plateau.restarted(),
            rate_factor,
            extended,
            elapsed_seconds,
            ..Self::default()
        };
    }

    /// Returns the total number of epochs; `configured` is that of the settings.
    pub fn last_epoch(&self, configured: u64) -> u64 {
        self.extended.map_or(configured, |extended| extended.epochs)
    }

    /// Returns the number of epochs since the best one, or since a person extended the run.
    pub fn epochs_without_better(&self) -> u64 {
        let best = self.best.map_or(0, |best| best.epoch);
        self.epoch.saturating_sub(best.max(self.extended.map_or(0, |extended| extended.since)))
    }

    /// Returns the learning rate of update `step`, from 0: the schedule's rate times the factors of
    /// the plateau and of a person.
    pub fn learning_rate(&self, schedule: &LearningRate, step: u64) -> f64 {
        schedule.at(step) * self.plateau.factor * self.rate_factor()
    }

    /// Returns the calibration of the best epoch's weights, fitted on the validation set.
    pub fn calibration(&self) -> Calibration {
        let temperature = self.best.and_then(|best| best.temperature);
        temperature.map_or(Calibration::NONE, |t| Calibration::new(t, self.val_samples))
    }

    /// Returns the factor on the scheduled learning rate: 1 unless a person changed it.
    pub fn rate_factor(&self) -> f64 {
        self.rate_factor.unwrap_or(1.0)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde requires it")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// A number of epochs set by a person instead of that of the settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extension {
    /// Total number of epochs.
    pub epochs: u64,
    /// Epochs done at the extension: early stopping counts from there.
    pub since: u64,
}

/// A quantity that became NaN or infinite.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[serde(deny_unknown_fields)]
#[error(
    "{quantity} was no longer a finite number at step {step} (epoch {epoch:.2}), with a learning rate of {learning_rate:?}: {}",
    self.advice()
)]
pub struct Divergence {
    /// The quantity.
    pub quantity: Quantity,
    /// Updates done at its measurement.
    pub step: u64,
    /// The same in epochs.
    pub epoch: f64,
    /// Learning rate of the last update; 0 before the first.
    pub learning_rate: f64,
}

impl Divergence {
    fn advice(&self) -> &'static str {
        if self.step == 0 {
            "nothing was trained yet, so look for values in the data that are no numbers"
        } else {
            "try a lower learning rate, or `train.clip_norm = 1`"
        }
    }
}

/// Quantities that can become NaN or infinite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quantity {
    /// Loss of a batch.
    Loss,
    /// Norm of the gradient.
    GradNorm,
    /// Norm of a parameter, or of its change.
    Weights,
    /// Loss in evaluation mode.
    EvalLoss,
}

impl std::fmt::Display for Quantity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Quantity::Loss => "the loss",
            Quantity::GradNorm => "the norm of the gradient",
            Quantity::Weights => "the norm of the weights",
            Quantity::EvalLoss => "the loss in evaluation",
        })
    }
}

/// Returns the first quantity of a step that is NaN or infinite, if any.
pub fn non_finite_quantity(step: &StepFigures, params: &[ParamFigures]) -> Option<Quantity> {
    let finite =
        |figure: fn(&ParamFigures) -> f64| params.iter().map(figure).sum::<f64>().is_finite();
    if !(step.loss_sum + step.penalty).is_finite() {
        Some(Quantity::Loss)
    } else if !finite(|p| p.gradient_sq) {
        Some(Quantity::GradNorm)
    } else if !finite(|p| p.update_sq + p.value_sq) {
        Some(Quantity::Weights)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn best(epoch: u64) -> BestEpoch {
        BestEpoch { epoch, ..BestEpoch::default() }
    }

    #[test]
    fn detects_inconsistent_progress() {
        let measured = Some(best(0));
        let good = Progress {
            step: 7,
            epoch: 2,
            position: 1,
            steps_per_epoch: 3,
            best: measured,
            ..Progress::default()
        };
        assert_eq!(good.inconsistency(Some(0), 9), None);
        assert!(
            good.inconsistency(Some(2), 9)
                .is_some_and(|reason| reason.contains("other than 2 layers"))
        );
        assert_eq!(Progress::default().inconsistency(Some(2), 9), None);
        let extended = Some(Extension { epochs: 2, since: 1 });
        assert_eq!(Progress { extended, ..good.clone() }.inconsistency(Some(0), 1), None);
        for (words, spoil) in [
            ("it is 8 updates far", (|p| p.step = 8) as fn(&mut Progress)),
            ("updates far", |p| p.epoch = u64::MAX),
            ("updates far", |p| (p.step, p.epoch, p.position) = (6, 1, 3)),
            ("it is 10 epochs far of 9", |p| (p.step, p.epoch) = (31, 10)),
            ("it is 2 epochs far of 1", |p| p.extended = Some(Extension { epochs: 1, since: 0 })),
            ("the best is number 3", |p| p.best = Some(best(3))),
            ("it has taken -1 seconds", |p| p.elapsed_seconds = -1.0),
            ("multiplied by 2 and 1", |p| p.plateau.factor = 2.0),
            ("multiplied by 1 and -1", |p| p.rate_factor = Some(-1.0)),
            ("was never measured", |p| p.best = None),
        ] {
            let mut progress = good.clone();
            spoil(&mut progress);
            let reason = progress.inconsistency(None, 9).unwrap_or_default();
            assert!(reason.contains(words), "{words}: {reason}");
        }
    }

    #[test]
    fn names_the_quantity_that_is_not_finite() {
        let step = |loss_sum| StepFigures { loss_sum, weight_sum: 1.0, ..StepFigures::default() };
        let param = |g, u| ParamFigures { gradient_sq: g, update_sq: u, value_sq: 1.0 };
        assert_eq!(non_finite_quantity(&step(1.0), &[param(1.0, 1.0)]), None);
        assert_eq!(non_finite_quantity(&step(f64::NAN), &[param(1.0, 1.0)]), Some(Quantity::Loss));
        assert_eq!(
            non_finite_quantity(&step(1.0), &[param(f64::INFINITY, 1.0)]),
            Some(Quantity::GradNorm)
        );
        assert_eq!(
            non_finite_quantity(&step(1.0), &[param(1.0, f64::NAN)]),
            Some(Quantity::Weights)
        );
    }

    #[test]
    fn the_message_of_a_divergence_has_its_step_and_advice() {
        let divergence =
            Divergence { quantity: Quantity::Loss, step: 37, epoch: 0.37, learning_rate: 0.5 };
        assert_eq!(
            divergence.to_string(),
            "the loss was no longer a finite number at step 37 (epoch 0.37), with a learning rate of 0.5: \
             try a lower learning rate, or `train.clip_norm = 1`"
        );
    }
}
