//! `AutoTrainer`: Zhang, Zhai, Ma and Shen, "AUTOTRAINER: An Automatic DNN Training Problem
//! Detection and Repair System", ICSE 2021. The rules and their defaults are those of
//! `AutoTrainer/utils/monitor.py` and `utils.py` of <https://github.com/shiningrain/AUTOTRAINER> at
//! 04f4033, the version of the paper: Theta = 0.7, beta 1 = 1e-3, beta 2 = 1e-4, beta 3 = 70, gamma
//! = 0.7, zeta = 0.03, eta = 0.2, delta = 0.01, a look every 3 epochs, one look that finds
//! something is enough, and the training ends there.
//!
//! What differs, because klubok writes down other figures:
//! - It asks for the gradient of the first batch at the moment of the look; the log has the mean
//!   norm of the epoch, over weights and biases together.
//! - Its share of gradients that are exactly 0 is not in the log. A weight has none when its unit
//!   or its input is dead, so the share follows from the shares of silent units, which are.
//! - Its accuracy of training is that of training mode; the log has that of evaluation mode on a
//!   sample.

use super::{Names, Peer};
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
/// Epochs between two looks.
const EVERY: usize = 3;
/// Share of the epochs before which accuracies are not judged.
const JUDGED_FROM: f64 = 0.3;
/// A validation loss from which on it has exploded.
const HUGE: f64 = 1e5;

pub(crate) const PEER: Peer = Peer {
    name: "AutoTrainer",
    judge: |outcome, settings| judge(outcome, settings, false),
    names,
    cannot: "its five problems are vanishing and exploding gradients, dying ReLU, oscillating loss, slow convergence; \
             it has no rule for data, over-fitting, over-confidence or saturation",
};

/// With the rule on slow convergence as it stands in the repository since: accuracy must be low
/// too. The version of the paper says it of every training that learns all within its first epoch.
pub(crate) const LATER: Peer = Peer {
    name: "AutoTrainer with its later rule on slow convergence",
    judge: |outcome, settings| judge(outcome, settings, true),
    ..PEER
};

/// What has been noticed so far: nothing is ever taken back.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a finding of its own")]
struct Features {
    not_a_number: bool,
    not_converged: bool,
    no_gain: bool,
    unstable: bool,
    vanishes: bool,
    explodes: bool,
    dies: bool,
}

fn judge(outcome: &Outcome, settings: &Settings, later: bool) -> Names {
    let lines = outcome.log.trained();
    let planned = settings.get("epochs").and_then(|n| n.parse().ok()).unwrap_or(lines.len());
    let mut features = Features::default();
    // A run that stopped as diverged has no line of the epoch in which it did.
    let diverged = outcome.stopped == "diverged";
    for seen in (1..=lines.len()).step_by(EVERY) {
        features.look(&lines[..seen], planned);
        let names = features.names(later);
        if !names.is_empty() {
            return names;
        }
    }
    if diverged { vec!["explode"] } else { Vec::new() }
}

impl Features {
    fn look(&mut self, lines: &[Epoch], planned: usize) {
        let Some(now) = lines.last() else { return };
        self.gradients(&now.layers);
        if lines.iter().any(|line| !finite(line.train_loss) || !finite(line.val_loss))
            || now.val_loss.is_some_and(|loss| loss >= HUGE)
        {
            self.not_a_number = true;
            return;
        }
        if (lines.len() as f64) < JUDGED_FROM * planned as f64 {
            return;
        }
        let train: Vec<f64> = lines.iter().filter_map(|line| line.train_accuracy).collect();
        let val: Vec<f64> = lines.iter().filter_map(|line| line.val_accuracy).collect();
        self.unstable |= swings(&train) >= ETA * train.len() as f64;
        self.not_converged |= most(&train) < THETA || most(&val) < THETA;
        self.no_gain |= largest_gain(&train) < DELTA && largest_gain(&val) < DELTA;
    }

    fn gradients(&mut self, layers: &[Layer]) {
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

    /// The more specific of two explanations is given, in the authors' order.
    fn names(&self, later: bool) -> Names {
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

fn most(numbers: &[f64]) -> f64 {
    numbers.iter().copied().fold(0.0, f64::max)
}

fn largest_gain(accuracy: &[f64]) -> f64 {
    accuracy.windows(2).map(|pair| pair[1] - pair[0]).fold(0.0, f64::max)
}

/// How many of the peaks, in order, stand above the trough of the same number by [`ZETA`].
fn swings(accuracy: &[f64]) -> f64 {
    let turns = |peak: f64| {
        let is = move |w: &&[f64]| peak * (w[1] - w[0]) >= 0.0 && peak * (w[1] - w[2]) >= 0.0;
        accuracy.windows(3).filter(is).map(|w| w[1])
    };
    turns(1.0).zip(turns(-1.0)).filter(|(top, bottom)| top - bottom >= ZETA).count() as f64
}

/// Share of weights whose unit or whose input is dead: the layers counted alike.
fn zero_share(layers: &[Layer]) -> f64 {
    let mut before = 0.0;
    let mut sum = 0.0;
    for layer in layers {
        let dead = layer.silent_fraction.unwrap_or(0.0);
        sum += 1.0 - (1.0 - dead) * (1.0 - before);
        before = dead;
    }
    sum / layers.len().max(1) as f64
}

/// "Slow convergence" is what the paper says wherever accuracy does not get better.
fn names(name: &str, fault: Fault) -> bool {
    use Fault as F;
    match name {
        "relu" => matches!(fault, F::DeadUnits | F::RateKills | F::IgnoresInput),
        "explode" => matches!(fault, F::ExplodingGradients | F::RateExplodes),
        "vanish" => matches!(fault, F::VanishingGradients | F::SaturatedUnits),
        "unstable" => matches!(fault, F::OscillatingLoss | F::RateExplodes | F::UpdateRatio),
        "not_converge" => matches!(
            fault,
            F::SlowConvergence | F::RateTooLow | F::UpdateRatio | F::UnderFitting | F::IgnoresInput
        ),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(train: f64, val: f64, first: f64, last: f64, dead: f64) -> Epoch {
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

    fn said(lines: &[Epoch]) -> Names {
        let mut features = Features::default();
        features.look(lines, lines.len());
        features.names(false)
    }

    #[test]
    fn gradients_count_only_where_accuracy_is_low() {
        assert_eq!(said(&[line(0.5, 0.5, 1e-5, 1.0, 0.0)]), ["vanish"]);
        assert_eq!(said(&[line(0.5, 0.5, 71.0, 1.0, 0.0)]), ["explode"]);
        assert_eq!(said(&[line(0.5, 0.5, 1.0, 1.0, 0.8)]), ["relu"]);
        let good = [line(0.5, 0.5, 1e-5, 1.0, 0.8), line(0.9, 0.9, 1e-5, 1.0, 0.8)];
        assert!(said(&good).is_empty());
        assert_eq!(said(&[line(0.5, 0.5, 1.0, 1.0, 0.0)]), ["not_converge"]);
        // Learnt within the first epoch: nothing is gained any more.
        let mut features = Features::default();
        features.look(&[line(0.9, 0.9, 1.0, 1.0, 0.0)], 1);
        assert_eq!((features.names(false), features.names(true)), (vec!["not_converge"], vec![]));
    }

    #[test]
    fn the_share_of_zeros_follows_from_dead_units() {
        // Half of the units: half of the weights before them, and half of those behind.
        assert_eq!(zero_share(&line(0.0, 0.0, 1.0, 1.0, 0.5).layers), 0.5);
    }

    #[test]
    fn swings_are_pairs_of_peaks_and_troughs() {
        // Peaks 0.9, 0.9; troughs 0.8, 0.88: one pair is far enough apart.
        assert_eq!(swings(&[0.7, 0.9, 0.8, 0.9, 0.88, 0.95]), 1.0);
        assert_eq!(swings(&[0.1, 0.2, 0.3]), 0.0);
    }

    #[test]
    fn what_is_not_a_number_has_exploded() {
        let lost = Epoch { val_loss: None, ..line(0.9, 0.9, 1.0, 1.0, 0.0) };
        assert_eq!(said(&[lost]), ["explode"]);
    }
}
