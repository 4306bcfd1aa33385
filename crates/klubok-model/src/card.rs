//! The model card, which says how far to trust a model. Stored in the model file, so that copies
//! keep it.

use std::borrow::Cow;

use klubok_nn::{network::OutputKind, state::Numbers};
use serde::{Deserialize, Serialize};

use crate::typical::{Limits, Typical};

/// A model's training data and its quality.
#[derive(Debug, Clone, PartialEq)]
pub struct Card {
    /// Training set.
    pub training: Training,
    /// Accuracy on the validation set, if there is one and the outputs are classes or labels.
    pub validation: Option<Validation>,
    /// Errors on the validation set, if there is one and the outputs are numbers.
    pub errors: Option<Errors>,
    /// Statistics of typical training samples, if they could be measured.
    pub typical: Option<Typical>,
}

/// The training set of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// Content hash, independent of order and names: `klubok_data::identity`.
    pub identity: String,
    /// Samples per output: those of a class, or all of them for a label or number.
    pub samples: Vec<u64>,
    /// Seed of the validation split, `data.split_seed`.
    pub split_seed: u64,
    /// Share of the validation split, `data.val_fraction`.
    pub val_fraction: f64,
}

/// A model's result on its validation set.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Validation {
    /// Accuracy: the share of correct classes, or of correct labels.
    pub accuracy: f64,
    /// 95 % confidence interval of the accuracy.
    pub accuracy_interval: [f64; 2],
    /// Chance accuracy: always predicting the most frequent class.
    pub chance: f64,
    /// True if this set chose the epoch, which biases the accuracy slightly upwards.
    pub chose_epoch: bool,
    /// Number of samples.
    pub samples: u64,
}

/// The errors of predicted numbers on the validation set, each the mean over the outputs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Errors {
    /// Root mean squared error, in the units of the number.
    pub rmse: f64,
    /// Coefficient of determination: 1 is perfect, 0 as good as always predicting the mean.
    pub r2: f64,
    /// True if this set chose the epoch.
    pub chose_epoch: bool,
    /// Number of samples.
    pub samples: u64,
}

impl Training {
    /// Returns the number of training samples of a network with such outputs.
    pub fn total(&self, kind: OutputKind) -> u64 {
        match kind {
            OutputKind::Classes => self.samples.iter().sum(),
            OutputKind::Labels | OutputKind::Numbers => {
                self.samples.first().copied().unwrap_or_default()
            }
        }
    }
}

impl Errors {
    /// Returns true if the numbers are predicted better than by their mean.
    pub fn is_better_than_mean(&self) -> bool {
        self.r2 > 0.0
    }

    fn is_sound(&self) -> bool {
        let Self { rmse, r2, samples, .. } = *self;
        samples > 0 && rmse.is_finite() && rmse >= 0.0 && r2.is_finite() && r2 <= 1.0
    }
}

impl Validation {
    /// Returns true if the accuracy is significantly above chance.
    pub fn is_better_than_chance(&self) -> bool {
        self.accuracy_interval[0] > self.chance
    }

    fn is_sound(&self) -> bool {
        let share = |share: f64| (0.0..=1.0).contains(&share);
        let [low, high] = self.accuracy_interval;
        self.samples > 0
            && share(self.chance)
            && share(low)
            && share(high)
            && (low..=high).contains(&self.accuracy)
    }
}

/// The part of a [`Card`] in the metadata.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CardMetadata {
    training: Training,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    errors: Option<Errors>,
    typical: Option<Limits>,
    validation: Option<Validation>,
}

/// Tensor name of [`Typical::axes`].
const AXES: &str = "typical.axes";
/// Tensor name of [`Typical::mean`].
const MEAN: &str = "typical.mean";
/// Tensor name of [`Typical::spread`].
const SPREAD: &str = "typical.spread";

impl Card {
    /// Returns the part for the metadata. The rest is in tensors.
    pub(super) fn metadata(&self) -> CardMetadata {
        let Self { training, validation, errors, typical } = self;
        let typical = typical.as_ref().map(|typical| typical.limits);
        let (training, errors) = (training.clone(), *errors);
        CardMetadata { training, errors, typical, validation: *validation }
    }

    /// Returns names and shapes of its tensors.
    pub(super) fn shapes(&self, inputs: usize) -> Vec<(String, Vec<usize>)> {
        let axes = self.typical.as_ref().map(|typical| typical.spread.len());
        axes.map_or_else(Vec::new, |axes| shapes(inputs, axes))
    }

    /// Returns the values of tensor `i` of [`Card::shapes`].
    pub(super) fn values(&self, i: usize) -> Cow<'_, Numbers> {
        let typical = self.typical.as_ref();
        let of = |typical: &Typical| match i {
            0 => typical.axes.clone(),
            1 => typical.mean.clone(),
            _ => typical.spread.clone(),
        };
        Cow::Owned(Numbers::F32(typical.map_or_else(Vec::new, of)))
    }

    /// Checks that it is valid for a model with this many inputs and outputs.
    pub(super) fn is_sound(&self, inputs: usize, outputs: usize) -> bool {
        let Self { training, validation, errors, typical } = self;
        training.samples.len() == outputs
            && errors.as_ref().is_none_or(Errors::is_sound)
            && (0.0..1.0).contains(&training.val_fraction)
            && validation.as_ref().is_none_or(Validation::is_sound)
            && typical.as_ref().is_none_or(|typical| typical.is_sound(inputs))
    }
}

/// Returns names and shapes of the tensors of a file. The length of [`SPREAD`] is the number of
/// axes.
pub(super) fn shapes(inputs: usize, axes: usize) -> Vec<(String, Vec<usize>)> {
    vec![
        (AXES.into(), vec![axes, inputs]),
        (MEAN.into(), vec![inputs]),
        (SPREAD.into(), vec![axes]),
    ]
}

impl CardMetadata {
    /// Returns names and shapes of its tensors in a file with these tensor shapes.
    pub(super) fn shapes<'a>(
        &self,
        inputs: usize,
        shape: impl Fn(&str) -> Option<&'a [usize]>,
    ) -> Vec<(String, Vec<usize>)> {
        let axes = shape(SPREAD).and_then(|shape| shape.first()).copied().unwrap_or(0);
        self.typical.map_or_else(Vec::new, |_| shapes(inputs, axes))
    }

    /// Builds the card from the values of its tensors.
    pub(super) fn with_tensors(self, numbers: Vec<Numbers>) -> Card {
        let Self { training, errors, typical, validation } = self;
        let mut numbers = numbers.into_iter().map(|numbers| numbers.to_f32());
        let mut next = || numbers.next().unwrap_or_default();
        let typical =
            typical.map(|limits| Typical { axes: next(), mean: next(), spread: next(), limits });
        Card { training, validation, errors, typical }
    }
}
