//! Evaluation of a model on samples with known targets.
//!
//! Classes, labels and numbers have different figures: [`Evaluation`] is one of three. Sample
//! weights count in losses, accuracies and errors; tables by class or label count samples.
//!
//! ```
//! use klubok::{Predictor, Settings, evaluation::Evaluation};
//!
//! let settings = Settings::new().hidden(&[32]).epochs(20).learning_rate(0.01).batch_size(16);
//! let data = klubok::open("demo:curve", &settings)?;
//! let model = klubok::train(&data, &settings)?.model;
//! let evaluation = Predictor::new(model, 1).evaluate(&data, &data.parts.test)?;
//! let Evaluation::Numbers(of) = evaluation else { panic!("the curve is a number") };
//! assert!(of.r2 > 0.8 && of.mae < of.rmse);
//! # Ok::<(), klubok::Error>(())
//! ```

mod classes;
mod labels;
mod numbers;

use klubok_data::{Dataset, Targets};
use klubok_model::Model;
use klubok_train::{
    config::{Loss, TargetKind},
    samples::effective_samples,
};
use serde::Serialize;

pub use classes::{ClassEvaluation, ClassFigures};
pub use labels::{LabelEvaluation, LabelFigures};
pub use numbers::{NumberEvaluation, NumberFigures};

/// Evaluation of a model, as `klubok eval` prints it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Evaluation {
    /// Of predicted classes.
    Classes(ClassEvaluation),
    /// Of predicted labels.
    Labels(LabelEvaluation),
    /// Of predicted numbers.
    Numbers(NumberEvaluation),
}

impl Evaluation {
    /// Evaluates the logits of some rows of a data set, `[rows, outputs]`, against their targets.
    /// The loss of numbers is the mean squared error in the network's units. The model must predict
    /// what the data has, as [`Predictor::evaluate`](crate::Predictor::evaluate) checks.
    ///
    /// # Panics
    /// When the logits have another size.
    pub fn new(model: &Model, data: &Dataset, rows: &[u32], logits: &[f32]) -> Self {
        let outputs = &model.outputs[..];
        assert_eq!(logits.len(), rows.len() * data.outputs.len(), "a row of logits per sample");
        let weights = data
            .weights
            .as_ref()
            .map(|all| rows.iter().map(|&row| f64::from(all[row as usize])).collect::<Vec<_>>());
        let weights = weights.as_deref();
        match data.targets.select(rows, data.outputs.len()) {
            Targets::Classes(targets) => {
                let calibration = model.calibration;
                Self::Classes(ClassEvaluation::new(logits, &targets, outputs, calibration, weights))
            }
            Targets::Labels(targets) => {
                Self::Labels(LabelEvaluation::new(logits, &targets, outputs, weights))
            }
            Targets::Numbers(targets) => {
                let target = model.preprocessing.target.as_ref();
                Self::Numbers(NumberEvaluation::new(logits, &targets, outputs, target, weights))
            }
        }
    }

    /// Returns the number of samples.
    pub fn samples(&self) -> usize {
        match self {
            Evaluation::Classes(of) => of.samples,
            Evaluation::Labels(of) => of.samples,
            Evaluation::Numbers(of) => of.samples,
        }
    }

    /// Returns the mean loss, without calibration.
    pub fn loss(&self) -> f64 {
        match self {
            Evaluation::Classes(of) => of.loss,
            Evaluation::Labels(of) => of.loss,
            Evaluation::Numbers(of) => of.loss,
        }
    }

    /// Returns the accuracy: the share of correct classes or labels; none for numbers.
    pub fn accuracy(&self) -> Option<f64> {
        match self {
            Evaluation::Classes(of) => Some(of.accuracy),
            Evaluation::Labels(of) => Some(of.accuracy),
            Evaluation::Numbers(_) => None,
        }
    }
}

/// Returns the loss that a network with no knowledge has in these settings, with logits of 0;
/// none where it depends on the data.
pub fn loss_of_guessing(target: TargetKind, outputs: usize, loss: Loss) -> Option<f64> {
    match (target, loss) {
        (TargetKind::Class, _) => Some((outputs as f64).ln()),
        (TargetKind::Label, _) => Some(std::f64::consts::LN_2),
        // Numbers are standardised.
        (TargetKind::Number, Loss::Mse) => Some(1.0),
        (TargetKind::Number, _) => None,
    }
}

/// Weighted mean of `values`; without weights, each counts the same.
fn mean(values: impl Iterator<Item = f64>, weights: Option<&[f64]>) -> f64 {
    let (mut sum, mut weight) = (0.0, 0.0);
    for (i, value) in values.enumerate() {
        let own = weights.map_or(1.0, |weights| weights[i]);
        sum += own * value;
        weight += own;
    }
    if weight > 0.0 { sum / weight } else { 0.0 }
}

/// The [`effective_samples`]; without weights, all of them.
fn effective(samples: usize, weights: Option<&[f64]>) -> usize {
    weights.map_or(samples, |weights| effective_samples(weights.iter().copied()) as usize)
}
