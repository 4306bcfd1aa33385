//! Baselines without a deep network: the class shares whatever the input, one linear layer
//! (logistic regression), and one small hidden layer.
//!
//! "Set up simple baselines" and "input-independent baseline" (Karpathy 2019): a network that is no
//! better makes no use of its input or of its layers.

use klubok_data::{Parts, Targets};
use klubok_nn::{
    loss::{self, Target, softmax},
    optim::schedule::{Curve, LearningRate},
    plan::Activation,
};
use klubok_train::{
    Result,
    config::{Config, Init, OneOrEach},
    evaluate::wilson,
};
use serde::Serialize;

use super::{
    Lab, affordable_steps,
    trial::{Trial, unregularised},
};

/// Units of the small network.
const SMALL_UNITS: usize = 64;
/// Budget of FLOPs for one baseline.
const FLOPS: f64 = 3e11;
/// Minimum and maximum number of steps of one baseline.
const STEPS: (u64, u64) = (200, 1500);
/// Maximum number of epochs; in more the network would only memorise.
const MAX_EPOCHS: u64 = 10;
/// Batch size.
const BATCH: usize = 128;
/// Adam's usual learning rate, at the start of a cosine schedule to 0.
const RATE: f64 = 1e-3;
/// Another learning rate for a network with few units, which learns slowly at the usual one.
const NARROW_RATE: f64 = 1e-2;

/// The baselines, each on the validation set.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Baselines {
    /// The class shares of the training set, whatever the input.
    pub priors: Priors,
    /// One linear layer.
    pub linear: Baseline,
    /// One hidden layer of 64 units.
    pub small_network: Baseline,
    /// The network itself, trained like the baselines, if a hidden layer has fewer units than there
    /// are classes. Logits that are linear in such a layer's outputs cannot be independent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub narrow_network: Option<Baseline>,
}

/// Loss and accuracy of a prediction that ignores the input.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Priors {
    /// Loss of predicting the class shares.
    pub loss: f64,
    /// Accuracy of always predicting the most frequent class, or each label as it is more often;
    /// none for numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<f64>,
}

/// Loss and accuracy of a trained baseline.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Baseline {
    /// Validation loss.
    pub loss: f64,
    /// Validation accuracy; none for numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<f64>,
    /// 95 % interval of the accuracy (Wilson 1927).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accuracy_interval: Option<[f64; 2]>,
    /// Size of the validation set.
    pub samples: usize,
    /// Training steps.
    pub steps: u64,
}

/// The predictions of both trained baselines on the validation set, each `[samples, outputs]`:
/// confidences in classes, or logits.
pub type Predictions = [Vec<f64>; 2];

/// Trains the baselines.
///
/// # Errors
/// When the device fails.
pub fn baselines(lab: &Lab<'_>) -> Result<(Baselines, Predictions)> {
    let (linear, linear_predictions) = train(lab, &plain(lab.config, &[]))?;
    let (small_network, small_predictions) = train(lab, &plain(lab.config, &[SMALL_UNITS]))?;
    let counts = |rows: &[u32]| lab.data.class_counts(rows);
    let is_class = lab.data.targets.classes().is_some();
    let priors = if is_class {
        priors(&counts(&lab.data.parts.train), &counts(&lab.data.parts.val))
    } else {
        constants(lab)
    };
    let narrowest = lab.config.model.hidden.iter().min();
    let narrow = is_class && narrowest.is_some_and(|&units| units < lab.data.outputs.len());
    let narrow_network = if narrow { Some(best_of_rates(lab)?) } else { None };
    let baselines = Baselines { priors, linear, small_network, narrow_network };
    Ok((baselines, [linear_predictions, small_predictions]))
}

/// Cross-entropy of the training set's class shares on the validation set, and the accuracy of the
/// most frequent class.
fn priors(train: &[u64], val: &[u64]) -> Priors {
    let (of_train, of_val) = (train.iter().sum::<u64>() as f64, val.iter().sum::<u64>() as f64);
    let loss = train.iter().zip(val).filter(|(_, val)| **val > 0);
    let loss: f64 = loss.map(|(&t, &v)| -(v as f64) * (t as f64 / of_train).ln()).sum();
    let most_frequent = (0..train.len()).rev().max_by_key(|&class| train[class]).unwrap_or(0);
    Priors { loss: loss / of_val, accuracy: Some(val[most_frequent] as f64 / of_val) }
}

/// Loss on the validation set of predicting the training set's mean of each number, or the share of
/// each label, whatever the input.
fn constants(lab: &Lab<'_>) -> Priors {
    let (samples, spec) = (&lab.task.samples, &lab.task.plan.loss);
    let Parts { train, val, .. } = &*samples.parts;
    let k = samples.outputs;
    let values = |row: u32| &samples.targets.values()[row as usize * k..][..k];
    let mut z = vec![0.0; k];
    for &row in train {
        z.iter_mut().zip(values(row)).for_each(|(z, &y)| *z += f64::from(y) / train.len() as f64);
    }
    let is_label = matches!(*samples.targets, Targets::Labels(_));
    if is_label {
        let least = 1.0 / (train.len() as f64 + 1.0);
        z.iter_mut().for_each(|z| {
            let share = z.clamp(least, 1.0 - least);
            *z = (share / (1.0 - share)).ln();
        });
    }
    let (mut loss, mut right, mut dz) = (0.0, 0.0, vec![0.0; k]);
    for &row in val {
        let y: Vec<f64> = values(row).iter().map(|&y| f64::from(y)).collect();
        loss += loss::sample(&mut dz, &z, Target::Values(&y), spec);
        right += z.iter().zip(&y).filter(|(z, y)| (**z > 0.0) == (**y > 0.5)).count() as f64;
    }
    let n = val.len() as f64;
    Priors { loss: loss / n, accuracy: is_label.then(|| right / (n * k as f64)) }
}

/// Trains the network itself at two learning rates and keeps the better result.
fn best_of_rates(lab: &Lab<'_>) -> Result<Baseline> {
    let (usual, _) = train(lab, &baseline_settings(lab.config, RATE))?;
    let (fast, _) = train(lab, &baseline_settings(lab.config, NARROW_RATE))?;
    Ok(if fast.accuracy > usual.accuracy { fast } else { usual })
}

fn train(lab: &Lab<'_>, config: &Config) -> Result<(Baseline, Vec<f64>)> {
    let network = config.network(lab.task.network.inputs, lab.task.network.outputs);
    let mut trial = Trial::new(lab, config, &lab.normalised, &lab.data.parts.train, 0)?;
    let max = (MAX_EPOCHS * trial.steps_per_epoch()).clamp(STEPS.0, STEPS.1);
    let steps = affordable_steps(FLOPS, &network, BATCH, STEPS.0, max);
    let rate = LearningRate {
        highest: config.train.learning_rate,
        curve: Curve::Cosine { cycles: 1 },
        warmup: 0.0,
        total: steps as f64,
    };
    for step in 0..steps {
        trial.train(rate.at(step))?;
    }
    let val = &lab.data.parts.val;
    let scores = trial.scores(val)?;
    let logits = trial.logits(val)?;
    let of_sample = |z: &[f32]| {
        let z: Vec<f64> = z.iter().map(|&z| f64::from(z)).collect();
        if lab.data.targets.classes().is_some() { softmax(&z) } else { z }
    };
    let predictions = logits.chunks_exact(lab.data.outputs.len()).flat_map(of_sample).collect();
    let accuracy = scores.accuracy();
    let baseline = Baseline {
        loss: scores.loss().unwrap_or(f64::NAN),
        accuracy,
        accuracy_interval: accuracy.map(|accuracy| wilson(accuracy, val.len())),
        samples: val.len(),
        steps,
    };
    Ok((baseline, predictions))
}

/// The settings of a baseline with the network unchanged.
fn baseline_settings(config: &Config, learning_rate: f64) -> Config {
    let mut config = unregularised(config);
    let train = &mut config.train;
    (train.batch_size, train.learning_rate) = (BATCH, learning_rate);
    config
}

/// The settings of a baseline with plain hidden layers of these sizes.
fn plain(config: &Config, hidden: &[usize]) -> Config {
    let mut config = baseline_settings(config, RATE);
    let model = &mut config.model;
    model.hidden = hidden.to_vec();
    model.activation = OneOrEach::One(Activation::Relu);
    model.batch_norm = false;
    (model.init, model.output_init) = (Init::He, Init::Zeros);
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn priors_by_hand() {
        // Shares of 3/4 and 1/4 in both sets: the loss is their entropy, 0.5623.
        let priors = priors(&[30, 10], &[3, 1]);
        assert!((priors.loss - 0.562_335).abs() < 1e-6, "{priors:?}");
        assert_eq!(priors.accuracy, Some(0.75));
        // The most frequent class in training is the rare one in validation.
        assert_eq!(super::priors(&[30, 10], &[1, 3]).accuracy, Some(0.25));
        // On ties the first class, which equal logits predict too.
        assert_eq!(super::priors(&[10, 10], &[1, 3]).accuracy, Some(0.25));
    }
}
