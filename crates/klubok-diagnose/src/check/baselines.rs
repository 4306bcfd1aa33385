//! What is reached without a deep network: by answering the classes' shares whatever the input, by
//! weighing the inputs once (logistic regression), and by one small hidden layer.
//!
//! "Set up simple baselines" and "input-independent baseline" (Karpathy 2019): a network that is no
//! better has not used its input, or not its layers.

use klubok_nn::{
    loss::softmax,
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
    Lab, affordable,
    trial::{Trial, unregularised},
};

/// Units of the small network.
const SMALL: usize = 64;
/// What one baseline may cost, and its least and most steps.
const FLOPS: f64 = 3e11;
const STEPS: (u64, u64) = (200, 1500);
/// Passes over the training part, at most: more would only be learnt by heart.
const EPOCHS: u64 = 10;
/// Samples of a batch, and Adam's usual rate, which falls to 0 along a cosine.
const BATCH: usize = 128;
const RATE: f64 = 1e-3;
/// Another rate for a network with few units, which is slower at the usual one.
const NARROW_RATE: f64 = 1e-2;

/// The baselines, each on the validation part.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Baselines {
    /// Always the shares of the classes among the training samples.
    pub priors: Priors,
    /// One linear layer.
    pub linear: Baseline,
    /// One hidden layer of 64 units.
    pub small_network: Baseline,
    /// The network itself, trained like these, where a hidden layer has fewer units than there are
    /// classes: through such a layer a linear answer cannot tell all of them apart freely.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub narrow_network: Option<Baseline>,
}

/// What the shares of the classes reach whatever the input.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Priors {
    /// Loss of answering the shares.
    pub loss: f64,
    /// Share of right answers of always answering the most frequent class.
    pub accuracy: f64,
}

/// What a trained baseline reaches.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Baseline {
    /// Loss on the validation part.
    pub loss: f64,
    /// Share of right answers on it.
    pub accuracy: f64,
    /// Its 95 % interval (Wilson 1927).
    pub accuracy_interval: [f64; 2],
    /// Samples of the validation part.
    pub samples: usize,
    /// Steps of training.
    pub steps: u64,
}

/// The confidences of both trained baselines on the validation part, each `[samples, classes]`.
pub type Confidences = [Vec<f64>; 2];

/// Trains the baselines.
///
/// # Errors
/// When the device fails.
pub fn baselines(lab: &Lab<'_>) -> Result<(Baselines, Confidences)> {
    let (linear, of_linear) = trained(lab, &plain(lab.config, &[]))?;
    let (small_network, of_small) = trained(lab, &plain(lab.config, &[SMALL]))?;
    let counts = |rows: &[u32]| lab.data.class_counts(rows);
    let priors = priors(&counts(&lab.data.parts.train), &counts(&lab.data.parts.val));
    let narrowest = lab.config.model.hidden.iter().min();
    let narrow = narrowest.is_some_and(|&units| units < lab.data.classes.len());
    let narrow_network = if narrow { Some(best_of_rates(lab)?) } else { None };
    Ok((Baselines { priors, linear, small_network, narrow_network }, [of_linear, of_small]))
}

/// Cross-entropy of the training shares against the validation samples, and how often the largest
/// is right.
fn priors(train: &[u64], val: &[u64]) -> Priors {
    let (of_train, of_val) = (train.iter().sum::<u64>() as f64, val.iter().sum::<u64>() as f64);
    let loss = train.iter().zip(val).filter(|(_, val)| **val > 0);
    let loss: f64 = loss.map(|(&t, &v)| -(v as f64) * (t as f64 / of_train).ln()).sum();
    let most = (0..train.len()).rev().max_by_key(|&class| train[class]).unwrap_or(0);
    Priors { loss: loss / of_val, accuracy: val[most] as f64 / of_val }
}

/// The network itself at the rate that suits it better.
fn best_of_rates(lab: &Lab<'_>) -> Result<Baseline> {
    let (usual, _) = trained(lab, &settings(lab.config, RATE))?;
    let (fast, _) = trained(lab, &settings(lab.config, NARROW_RATE))?;
    Ok(if fast.accuracy > usual.accuracy { fast } else { usual })
}

fn trained(lab: &Lab<'_>, config: &Config) -> Result<(Baseline, Vec<f64>)> {
    let network = config.network(lab.task.network.inputs, lab.task.network.outputs);
    let train = &lab.data.parts.train;
    let mut trial = Trial::new(lab, config, &lab.normalised, train, 0)?;
    let most = (EPOCHS * trial.steps_per_epoch()).clamp(STEPS.0, STEPS.1);
    let steps = affordable(FLOPS, &network, BATCH, STEPS.0, most);
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
    let scores = trial.scores(val, &lab.data.targets)?;
    let logits = trial.logits(val)?;
    let of_sample = |z: &[f32]| softmax(&z.iter().map(|&z| f64::from(z)).collect::<Vec<_>>());
    let confidences = logits.chunks_exact(lab.data.classes.len()).flat_map(of_sample).collect();
    let accuracy = scores.accuracy().unwrap_or(f64::NAN);
    let baseline = Baseline {
        loss: scores.loss().unwrap_or(f64::NAN),
        accuracy,
        accuracy_interval: wilson(accuracy, val.len()),
        samples: val.len(),
        steps,
    };
    Ok((baseline, confidences))
}

/// The settings' network, trained as a baseline is.
fn settings(config: &Config, learning_rate: f64) -> Config {
    let mut config = unregularised(config);
    let train = &mut config.train;
    (train.batch_size, train.learning_rate) = (BATCH, learning_rate);
    config
}

/// The same with plain hidden layers of these units.
fn plain(config: &Config, hidden: &[usize]) -> Config {
    let mut config = settings(config, RATE);
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
    fn shares_by_hand() {
        // Shares 3/4 and 1/4; three of one, one of the other: the entropy of the shares, 0.5623.
        let priors = priors(&[30, 10], &[3, 1]);
        assert!((priors.loss - 0.562_335).abs() < 1e-6, "{priors:?}");
        assert_eq!(priors.accuracy, 0.75);
        // The most frequent class of training is the rare one of validation.
        assert_eq!(super::priors(&[30, 10], &[1, 3]).accuracy, 0.25);
        // The first of equals, as a network that knows nothing answers.
        assert_eq!(super::priors(&[10, 10], &[1, 3]).accuracy, 0.25);
    }
}
