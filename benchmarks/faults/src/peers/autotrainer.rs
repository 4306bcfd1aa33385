//! `AutoTrainer`: Zhang, Zhai, Ma and Shen, "AUTOTRAINER: An Automatic DNN Training Problem
//! Detection and Repair System", ICSE 2021. The rules and their defaults are those of
//! `AutoTrainer/utils/monitor.py` and `utils.py` of <https://github.com/shiningrain/AUTOTRAINER> at
//! 04f4033, the version of the paper: Theta = 0.7, beta 1 = 1e-3, beta 2 = 1e-4, beta 3 = 70, gamma
//! = 0.7, zeta = 0.03, eta = 0.2, delta = 0.01, a check every 3 epochs. The first check with a
//! finding ends the training.
//!
//! Differences, because klubok logs other figures:
//! - The paper's rules use the gradient of the first batch at the time of the check; the log has
//!   the mean norm over the epoch, of weights and biases together.
//! - The log lacks their share of gradients that are exactly 0. A weight's gradient is 0 if its
//!   unit or its input is dead, so the share follows from the logged shares of silent units.
//! - Their training accuracy is that of training mode; the log has that of evaluation mode on a
//!   sample.

use super::{Findings, Peer};
use crate::{
    fault::Fault,
    log::{Epoch, Layer},
    outcome::Outcome,
    settings::Settings,
};

const THETA: f64 = 0.7;
const BETA: (f64, f64, f64) = (1e-3, 1e-4, 70.0);
const GAMMA: f64 = 0.7;
const ZETA: f64 = 0.03;
const ETA: f64 = 0.2;
const DELTA: f64 = 0.01;
/// Epochs between two checks.
const CHECK_INTERVAL: usize = 3;
/// Accuracies count after this share of the epochs.
const ACCURACY_START_SHARE: f64 = 0.3;
/// A validation loss at or above this has exploded.
const EXPLODED_LOSS: f64 = 1e5;

pub(crate) const PEER: Peer = Peer {
    name: "AutoTrainer",
    evaluate: |outcome, settings| evaluate(outcome, settings, false),
    matches,
    limits: "its five problems are vanishing and exploding gradients, dying ReLU, oscillating loss, slow convergence; \
             it has no rule for data, overfitting, overconfidence or saturation",
};

/// With the repository's later rule on slow convergence: accuracy must be low too. The version of
/// the paper reports slow convergence in every training that learns all within its first epoch.
pub(crate) const LATER: Peer = Peer {
    name: "AutoTrainer with its later rule on slow convergence",
    evaluate: |outcome, settings| evaluate(outcome, settings, true),
    ..PEER
};

/// Findings so far; none is ever withdrawn.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a separate finding")]
struct Features {
    not_a_number: bool,
    not_converged: bool,
    no_gain: bool,
    unstable: bool,
    vanishes: bool,
    explodes: bool,
    dies: bool,
}

fn evaluate(outcome: &Outcome, settings: &Settings, later: bool) -> Findings {
    let epochs = outcome.log.trained();
    let planned = settings.get("epochs").and_then(|n| n.parse().ok()).unwrap_or(epochs.len());
    let mut features = Features::default();
    // The log of a diverged run lacks the epoch in which it diverged.
    let diverged = outcome.stopped == "diverged";
    for count in (1..=epochs.len()).step_by(CHECK_INTERVAL) {
        features.update(&epochs[..count], planned);
        let findings = features.findings(later);
        if !findings.is_empty() {
            return findings;
        }
    }
    if diverged { vec!["explode"] } else { Vec::new() }
}

impl Features {
    fn update(&mut self, epochs: &[Epoch], planned: usize) {
        let Some(last) = epochs.last() else { return };
        self.update_gradients(&last.layers);
        if epochs.iter().any(|epoch| !finite(epoch.train_loss) || !finite(epoch.val_loss))
            || last.val_loss.is_some_and(|loss| loss >= EXPLODED_LOSS)
        {
            self.not_a_number = true;
            return;
        }
        if (epochs.len() as f64) < ACCURACY_START_SHARE * planned as f64 {
            return;
        }
        let train: Vec<f64> = epochs.iter().filter_map(|epoch| epoch.train_accuracy).collect();
        let val: Vec<f64> = epochs.iter().filter_map(|epoch| epoch.val_accuracy).collect();
        self.unstable |= swings(&train) >= ETA * train.len() as f64;
        self.not_converged |= maximum(&train) < THETA || maximum(&val) < THETA;
        self.no_gain |= largest_gain(&train) < DELTA && largest_gain(&val) < DELTA;
    }

    fn update_gradients(&mut self, layers: &[Layer]) {
        let (Some(first), Some(last)) = (layers.first(), layers.last()) else { return };
        let (Some(first), Some(last)) = (first.grad_norm, last.grad_norm) else {
            self.not_a_number = true;
            return;
        };
        let ratio = first / last;
        self.vanishes |= ratio < BETA.0 && first < BETA.1;
        self.explodes |= ratio > BETA.2;
        self.dies |= zero_share(layers) >= GAMMA;
    }

    /// Reports the most specific explanation, in the authors' order.
    fn findings(&self, later: bool) -> Findings {
        if self.not_a_number {
            vec!["explode"]
        } else if self.not_converged || self.no_gain {
            let name = match self {
                Self { dies: true, .. } => "relu",
                Self { explodes: true, .. } => "explode",
                Self { vanishes: true, .. } => "vanish",
                Self { no_gain: true, not_converged, .. } if *not_converged || !later => {
                    "not_converge"
                }
                _ => return Vec::new(),
            };
            vec![name]
        } else if self.unstable {
            vec!["unstable"]
        } else {
            Vec::new()
        }
    }
}

fn finite(number: Option<f64>) -> bool {
    number.is_some_and(f64::is_finite)
}

fn maximum(numbers: &[f64]) -> f64 {
    numbers.iter().copied().fold(0.0, f64::max)
}

fn largest_gain(accuracy: &[f64]) -> f64 {
    accuracy.windows(2).map(|pair| pair[1] - pair[0]).fold(0.0, f64::max)
}

/// Number of swings: the i-th peak is at least [`ZETA`] above the i-th trough.
fn swings(accuracy: &[f64]) -> f64 {
    let extrema = |sign: f64| {
        let is = move |w: &&[f64]| sign * (w[1] - w[0]) >= 0.0 && sign * (w[1] - w[2]) >= 0.0;
        accuracy.windows(3).filter(is).map(|w| w[1])
    };
    extrema(1.0).zip(extrema(-1.0)).filter(|(peak, trough)| peak - trough >= ZETA).count() as f64
}

/// Share of weights whose unit or input is dead, averaged over the layers.
fn zero_share(layers: &[Layer]) -> f64 {
    let mut dead_inputs = 0.0;
    let mut sum = 0.0;
    for layer in layers {
        let dead = layer.silent_fraction.unwrap_or(0.0);
        sum += 1.0 - (1.0 - dead) * (1.0 - dead_inputs);
        dead_inputs = dead;
    }
    sum / layers.len().max(1) as f64
}

/// The paper uses "slow convergence" wherever accuracy does not improve.
fn matches(finding: &str, fault: Fault) -> bool {
    use Fault as F;
    match finding {
        "relu" => matches!(fault, F::DeadUnits | F::RateKills | F::IgnoresInput),
        "explode" => matches!(fault, F::ExplodingGradients | F::RateExplodes),
        "vanish" => matches!(fault, F::VanishingGradients | F::SaturatedUnits),
        "unstable" => matches!(fault, F::OscillatingLoss | F::RateExplodes | F::UpdateRatio),
        "not_converge" => matches!(
            fault,
            F::SlowConvergence | F::RateTooLow | F::UpdateRatio | F::Underfitting | F::IgnoresInput
        ),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epoch(train: f64, val: f64, first: f64, last: f64, dead: f64) -> Epoch {
        let layer =
            |norm, dead| Layer { grad_norm: Some(norm), silent_fraction: dead, ..Layer::default() };
        Epoch {
            train_loss: Some(1.0),
            val_loss: Some(1.0),
            train_accuracy: Some(train),
            val_accuracy: Some(val),
            layers: vec![layer(first, Some(dead)), layer(last, None)],
            ..Epoch::default()
        }
    }

    fn findings(epochs: &[Epoch]) -> Findings {
        let mut features = Features::default();
        features.update(epochs, epochs.len());
        features.findings(false)
    }

    #[test]
    fn gradients_count_only_where_accuracy_is_low() {
        assert_eq!(findings(&[epoch(0.5, 0.5, 1e-5, 1.0, 0.0)]), ["vanish"]);
        assert_eq!(findings(&[epoch(0.5, 0.5, 71.0, 1.0, 0.0)]), ["explode"]);
        assert_eq!(findings(&[epoch(0.5, 0.5, 1.0, 1.0, 0.8)]), ["relu"]);
        let good = [epoch(0.5, 0.5, 1e-5, 1.0, 0.8), epoch(0.9, 0.9, 1e-5, 1.0, 0.8)];
        assert!(findings(&good).is_empty());
        assert_eq!(findings(&[epoch(0.5, 0.5, 1.0, 1.0, 0.0)]), ["not_converge"]);
        // Everything is learnt within the first epoch: no further gain.
        let mut features = Features::default();
        features.update(&[epoch(0.9, 0.9, 1.0, 1.0, 0.0)], 1);
        assert_eq!(features.findings(false), ["not_converge"]);
        assert!(features.findings(true).is_empty());
    }

    #[test]
    fn the_share_of_zero_gradients_follows_from_dead_units() {
        // Half of the units are dead: half of their incoming weights, and half of the outgoing
        // ones.
        assert_eq!(zero_share(&epoch(0.0, 0.0, 1.0, 1.0, 0.5).layers), 0.5);
    }

    #[test]
    fn swings_are_pairs_of_peaks_and_troughs() {
        // Peaks 0.9, 0.9; troughs 0.8, 0.88: only the first pair is far enough apart.
        assert_eq!(swings(&[0.7, 0.9, 0.8, 0.9, 0.88, 0.95]), 1.0);
        assert_eq!(swings(&[0.1, 0.2, 0.3]), 0.0);
    }

    #[test]
    fn a_loss_that_is_not_a_number_has_exploded() {
        let lost = Epoch { val_loss: None, ..epoch(0.9, 0.9, 1.0, 1.0, 0.0) };
        assert_eq!(findings(&[lost]), ["explode"]);
    }
}
