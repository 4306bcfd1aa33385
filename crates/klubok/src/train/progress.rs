//! How far a training has come: everything that a resumed run needs beside weights and moments.

use serde::{Deserialize, Serialize};

use crate::{
    backend::{ParamFigures, StepFigures},
    config::Monitor,
    nn::calibration::Calibration,
    optim::schedule::{LearningRate, Plateau},
    train::{
        event::{Metrics, Stopped},
        meter::Meter,
    },
};

/// `Monitor::Auto` goes by the mean over so many epochs, as one epoch alone is lucky too often, and
/// with fewer wrong answers than this by how many there are. Both are chosen in
/// `docs/best-epoch.md`.
const EPOCHS: usize = 3;
const FEW_ERRORS: u64 = 3;

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
        temperature.map_or(Calibration::NONE, |t| Calibration::of(t, self.val_samples))
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

/// Losses of the last [`EPOCHS`] epochs after the best temperature.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Recent(Vec<f64>);

impl Recent {
    /// The mean with one more epoch; none without a loss.
    fn mean_with(&mut self, loss: Option<f64>) -> Option<f64> {
        self.0.push(loss?);
        let before = self.0.len().saturating_sub(EPOCHS);
        self.0.drain(..before);
        Some(self.0.iter().sum::<f64>() / self.0.len() as f64)
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
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

/// The best epoch and its figures.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Best {
    /// The epoch; 0 is before any update.
    pub epoch: u64,
    /// Loss on the fixed sample of the training part, in evaluation mode.
    pub train_loss: Option<f64>,
    /// Share of right answers on it.
    pub train_accuracy: Option<f64>,
    /// Loss on the validation part.
    pub val_loss: Option<f64>,
    /// The same after the best temperature; none in checkpoints from before it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub val_loss_calibrated: Option<f64>,
    /// Its mean over the last epochs.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub mean_loss_calibrated: Option<f64>,
    /// That temperature.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub temperature: Option<f64>,
    /// Share of right answers on it.
    pub val_accuracy: Option<f64>,
}

impl Best {
    /// The figures of an epoch, which follows on `recent` ones and is added to them.
    pub fn new(epoch: u64, metrics: &Metrics, recent: &mut Recent) -> Self {
        Self {
            epoch,
            train_loss: metrics.train_eval_loss,
            train_accuracy: metrics.train_accuracy,
            val_loss: metrics.val_loss,
            val_loss_calibrated: metrics.val_loss_calibrated,
            mean_loss_calibrated: recent.mean_with(metrics.val_loss_calibrated),
            temperature: metrics.temperature,
            val_accuracy: metrics.val_accuracy,
        }
    }

    /// True when this epoch is better than an earlier one, by a validation part of so many samples.
    /// Without one the fixed sample of the training part decides.
    pub fn beats(&self, earlier: &Best, monitor: Monitor, val_samples: u64) -> bool {
        let accuracy = |best: &Best| best.val_accuracy.or(best.train_accuracy);
        let errors = |best: &Best| {
            best.val_accuracy.map(|share| ((1.0 - share) * val_samples as f64).round() as u64)
        };
        let is_more_right = accuracy(self) > accuracy(earlier);
        let has_lower_loss = self.loss() < earlier.loss();
        match monitor {
            Monitor::Auto if errors(self).min(errors(earlier)).is_some_and(|n| n < FEW_ERRORS) => {
                is_more_right || (accuracy(self) == accuracy(earlier) && has_lower_loss)
            }
            Monitor::Auto | Monitor::ValLossCalibrated | Monitor::ValLoss => {
                self.watched_loss(monitor) < earlier.watched_loss(monitor)
            }
            Monitor::ValAccuracy => is_more_right,
            Monitor::Last => true,
        }
    }

    /// The loss that the choice of an epoch, and a reduction of the learning rate on a plateau, go
    /// by.
    pub fn watched_loss(&self, monitor: Monitor) -> Option<f64> {
        match monitor {
            Monitor::Auto => self.mean_loss_calibrated.or(self.calibrated_loss()),
            Monitor::ValLossCalibrated => self.calibrated_loss(),
            Monitor::ValLoss | Monitor::ValAccuracy | Monitor::Last => self.loss(),
        }
    }

    /// Validation loss, or without a validation part that of the fixed sample of the training part.
    fn loss(&self) -> Option<f64> {
        self.val_loss.or(self.train_loss)
    }

    fn calibrated_loss(&self) -> Option<f64> {
        self.val_loss_calibrated.or(self.loss())
    }
}

/// Something that should have been a number and was not.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[serde(deny_unknown_fields)]
#[error(
    "{quantity} was no longer a finite number at step {step} (epoch {epoch:.2}), with a learning rate of {learning_rate}: {}",
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
            "try a learning rate ten times lower, or `train.clip_norm = 1`"
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

    fn best(val_loss: Option<f64>, val_accuracy: Option<f64>, train_loss: f64) -> Best {
        let train_loss = Some(train_loss);
        let (val_loss_calibrated, mean_loss_calibrated, temperature) = (None, None, None);
        let train_accuracy = Some(0.5);
        Best {
            epoch: 0,
            train_loss,
            train_accuracy,
            val_loss,
            val_loss_calibrated,
            mean_loss_calibrated,
            temperature,
            val_accuracy,
        }
    }

    #[test]
    fn the_monitor_decides_and_ties_stay_with_the_earlier() {
        let a = best(Some(0.5), Some(0.8), 0.1);
        let b = best(Some(0.4), Some(0.8), 0.2);
        assert!(b.beats(&a, Monitor::ValLoss, 100) && !a.beats(&b, Monitor::ValLoss, 100));
        let accuracy = Monitor::ValAccuracy;
        assert!(!b.beats(&a, accuracy, 100) && !a.beats(&b, accuracy, 100));
        assert!(!a.beats(&a, Monitor::ValLoss, 100));
        assert!(a.beats(&b, Monitor::Last, 100));
    }

    #[test]
    fn the_loss_after_the_best_temperature_decides_unless_hardly_any_answer_is_wrong() {
        let with = |calibrated, loss, accuracy| Best {
            val_loss_calibrated: Some(calibrated),
            ..best(Some(loss), Some(accuracy), 0.1)
        };
        // Surer than it is right, and yet the better one.
        let (sure, modest) = (with(0.4, 0.9, 0.85), with(0.5, 0.5, 0.85));
        for monitor in [Monitor::Auto, Monitor::ValLossCalibrated] {
            assert!(sure.beats(&modest, monitor, 100) && !modest.beats(&sure, monitor, 100));
        }
        assert!(modest.beats(&sure, Monitor::ValLoss, 100));
        // Of 13 samples 2 are wrong: accuracy, then the loss as it is.
        assert!(modest.beats(&sure, Monitor::Auto, 13) && !sure.beats(&modest, Monitor::Auto, 13));
        assert!(with(0.9, 0.9, 0.93).beats(&modest, Monitor::Auto, 13));
    }

    #[test]
    fn one_lucky_epoch_is_not_the_best() {
        let mut recent = Recent::default();
        let metrics = [0.9, 0.6, 0.3, 0.6, 0.5, 0.35].map(|loss| Metrics {
            val_loss_calibrated: Some(loss),
            val_accuracy: Some(0.5),
            ..Metrics::default()
        });
        let epochs: Vec<Best> =
            (0..).zip(&metrics).map(|(i, m)| Best::new(i, m, &mut recent)).collect();
        let means = [0.9, 0.75, 0.6, 0.5, 1.4 / 3.0, 1.45 / 3.0];
        for (epoch, mean) in epochs.iter().zip(means) {
            assert!((epoch.mean_loss_calibrated.unwrap() - mean).abs() < 1e-12);
        }
        let best = |monitor| {
            let better =
                |best: Best, now: &Best| if now.beats(&best, monitor, 100) { *now } else { best };
            epochs.iter().fold(epochs[0], better).epoch
        };
        assert_eq!((best(Monitor::Auto), best(Monitor::ValLossCalibrated)), (4, 2));
    }

    #[test]
    fn without_validation_the_training_sample_decides() {
        let (a, b) = (best(None, None, 0.2), best(None, None, 0.1));
        assert!(b.beats(&a, Monitor::ValLoss, 0) && b.beats(&a, Monitor::Auto, 0));
    }

    #[test]
    fn a_point_that_no_training_comes_to_is_found() {
        let measured = Some(best(None, None, 0.0));
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
            ("the best is number 3", |p| p.best = Some(Best { epoch: 3, ..best(None, None, 0.0) })),
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
             try a learning rate ten times lower, or `train.clip_norm = 1`"
        );
    }
}
