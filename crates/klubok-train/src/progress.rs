//! How far a training has come: everything that a resumed run needs beside weights and moments.

use klubok_nn::{
    backend::{ParamFigures, StepFigures},
    calibration::Calibration,
    optim::schedule::{LearningRate, Plateau},
};
use serde::{Deserialize, Serialize};

use crate::{
    best::{Best, Recent},
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
    /// Batches done of the epoch under way.
    pub position: u64,
    /// Batches in an epoch.
    pub steps_per_epoch: u64,
    /// The best epoch so far; none before epoch 0 was measured.
    pub best: Option<Best>,
    /// What the last epochs were like, the one under way left out.
    #[serde(skip_serializing_if = "Recent::is_empty", default)]
    pub recent: Recent,
    /// Reduction of the learning rate on a plateau.
    pub plateau: Plateau,
    /// What people did at this very step that changes what is computed.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub acts: u64,
    /// What a person made of the learning rate, against its schedule.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rate_factor: Option<f64>,
    /// What a person made of the number of epochs, against the settings.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub extended: Option<Extended>,
    /// Figures since the last epoch.
    pub epoch_meter: Meter,
    /// Figures since the last chosen step.
    pub step_meter: Meter,
    /// Seconds of the run, interruptions left out.
    pub elapsed_seconds: f64,
    /// Seconds of the epoch under way.
    pub epoch_seconds: f64,
    /// Those of them that went into updates.
    pub update_seconds: f64,
    /// Why the training ended, if it has: an interruption is no end.
    pub stopped: Option<Stopped>,
    /// What was no number, if that ended it.
    pub divergence: Option<Divergence>,
    /// Samples of the validation part.
    pub val_samples: u64,
}

impl Progress {
    /// What contradicts itself, in words, if anything: a training cannot have come to such a point.
    /// `layers` are those of the plan, where it is known, `epochs` those of the settings.
    pub fn flaw(&self, layers: Option<usize>, epochs: u64) -> Option<String> {
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
        let is_rate = (0.0..=1.0).contains(&plateau) && person > 0.0 && person.is_finite();
        if !is_rate {
            return Some(format!("its learning rate is multiplied by {plateau} and {person}"));
        }
        let meters = [&self.epoch_meter, &self.step_meter];
        let layers = layers.filter(|layers| !meters.iter().all(|meter| meter.fits(*layers)));
        layers
            .filter(|_| best.is_some())
            .map(|layers| format!("it has figures of other than {layers} layers"))
    }

    /// Epochs done, with the fraction of the one under way.
    pub fn epochs(&self) -> f64 {
        self.step as f64 / self.steps_per_epoch as f64
    }

    /// Epochs to be done in all, where the settings say so many.
    pub fn last_epoch(&self, of_settings: u64) -> u64 {
        self.extended.map_or(of_settings, |extended| extended.epochs)
    }

    /// Epochs since the best one, or since a person wanted more of them.
    pub fn epochs_without_better(&self) -> u64 {
        let best = self.best.map_or(0, |best| best.epoch);
        self.epoch.saturating_sub(best.max(self.extended.map_or(0, |extended| extended.since)))
    }

    /// The learning rate of an update, from 0, by this schedule and what was made of it.
    pub fn learning_rate(&self, schedule: &LearningRate, step: u64) -> f64 {
        schedule.at(step) * self.plateau.factor * self.rate_factor()
    }

    /// How confidences of the best epoch's weights come out right, as far as validation tells.
    pub fn calibration(&self) -> Calibration {
        let temperature = self.best.and_then(|best| best.temperature);
        temperature.map_or(Calibration::NONE, |t| Calibration::new(t, self.val_samples))
    }

    /// The learning rate over that of the schedule: 1 unless a person changed it.
    pub fn rate_factor(&self) -> f64 {
        self.rate_factor.unwrap_or(1.0)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// How many epochs a person wants instead of those of the settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extended {
    /// In all.
    pub epochs: u64,
    /// Epochs that were done then: early stopping counts from there.
    pub since: u64,
}

/// Something that should have been a number and was not.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[serde(deny_unknown_fields)]
#[error(
    "{quantity} was no longer a finite number at step {step} (epoch {epoch:.2}), with a learning rate of {learning_rate:?}: {}",
    self.advice()
)]
pub struct Divergence {
    /// What it was.
    pub quantity: Quantity,
    /// Updates done when it was measured.
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

/// What can stop being a number.
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

/// What of a step is not a finite number, if anything.
pub fn fault(step: &StepFigures, params: &[ParamFigures]) -> Option<Quantity> {
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

    fn best(epoch: u64) -> Best {
        Best { epoch, ..Best::default() }
    }

    #[test]
    fn a_point_that_no_training_comes_to_is_found() {
        let measured = Some(best(0));
        let good = Progress {
            step: 7,
            epoch: 2,
            position: 1,
            steps_per_epoch: 3,
            best: measured,
            ..Progress::default()
        };
        assert_eq!(good.flaw(Some(0), 9), None);
        assert!(good.flaw(Some(2), 9).is_some_and(|flaw| flaw.contains("other than 2 layers")));
        assert_eq!(Progress::default().flaw(Some(2), 9), None);
        let extended = Some(Extended { epochs: 2, since: 1 });
        assert_eq!(Progress { extended, ..good.clone() }.flaw(Some(0), 1), None);
        for (words, spoil) in [
            ("it is 8 updates far", (|p| p.step = 8) as fn(&mut Progress)),
            ("updates far", |p| p.epoch = u64::MAX),
            ("updates far", |p| (p.step, p.epoch, p.position) = (6, 1, 3)),
            ("it is 10 epochs far of 9", |p| (p.step, p.epoch) = (31, 10)),
            ("it is 2 epochs far of 1", |p| p.extended = Some(Extended { epochs: 1, since: 0 })),
            ("the best is number 3", |p| p.best = Some(best(3))),
            ("it has taken -1 seconds", |p| p.elapsed_seconds = -1.0),
            ("multiplied by 2 and 1", |p| p.plateau.factor = 2.0),
            ("multiplied by 1 and -1", |p| p.rate_factor = Some(-1.0)),
            ("was never measured", |p| p.best = None),
        ] {
            let mut progress = good.clone();
            spoil(&mut progress);
            let flaw = progress.flaw(None, 9).unwrap_or_default();
            assert!(flaw.contains(words), "{words}: {flaw}");
        }
    }

    #[test]
    fn faults_are_named() {
        let step = |loss_sum| StepFigures { loss_sum, weight_sum: 1.0, ..StepFigures::default() };
        let param = |g, u| ParamFigures { gradient_sq: g, update_sq: u, value_sq: 1.0 };
        assert_eq!(fault(&step(1.0), &[param(1.0, 1.0)]), None);
        assert_eq!(fault(&step(f64::NAN), &[param(1.0, 1.0)]), Some(Quantity::Loss));
        assert_eq!(fault(&step(1.0), &[param(f64::INFINITY, 1.0)]), Some(Quantity::GradNorm));
        assert_eq!(fault(&step(1.0), &[param(1.0, f64::NAN)]), Some(Quantity::Weights));
    }

    #[test]
    fn a_divergence_says_where_and_what_to_try() {
        let divergence =
            Divergence { quantity: Quantity::Loss, step: 37, epoch: 0.37, learning_rate: 0.5 };
        assert_eq!(
            divergence.to_string(),
            "the loss was no longer a finite number at step 37 (epoch 0.37), with a learning rate of 0.5: \
             try a lower learning rate, or `train.clip_norm = 1`"
        );
    }
}
