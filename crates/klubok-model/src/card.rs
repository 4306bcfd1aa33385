//! What a person must know to trust a model, kept in its file, so that a copy has it too.

use std::borrow::Cow;

use klubok_data::typical::{Limits, Typical};
use klubok_nn::state::Numbers;
use serde::{Deserialize, Serialize};

/// What a model was made from, and how good it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Card {
    /// What it learned from.
    pub training: Training,
    /// How good it is on samples that it did not learn from; none where there were none.
    pub validation: Option<Validation>,
    /// What samples of the training part look like; none where that cannot be told.
    pub typical: Option<Typical>,
}

/// The training part of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// Its content, whatever the order and the names: [`klubok_data::identity`].
    pub identity: String,
    /// Samples of each class.
    pub samples: Vec<u64>,
    /// The cut that left it: `data.split_seed`
    pub split_seed: u64,
    /// and `data.val_fraction`.
    pub val_fraction: f64,
}

/// How good a model is on its validation part.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Validation {
    /// Share of right answers.
    pub accuracy: f64,
    /// Its 95 % interval.
    pub accuracy_interval: [f64; 2],
    /// Share that always guessing the most frequent class would reach.
    pub chance: f64,
    /// Whether these samples chose the epoch: then the accuracy is a little too good.
    pub chose_epoch: bool,
    /// Number of samples.
    pub samples: u64,
}

impl Validation {
    /// Whether it tells the network from one that guesses.
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

/// The part of a [`Card`] that stands in the metadata.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    training: Training,
    typical: Option<Limits>,
    validation: Option<Validation>,
}

/// Names of the tensors of a [`Typical`].
const AXES: &str = "typical.axes";
const MEAN: &str = "typical.mean";
const SPREAD: &str = "typical.spread";

impl Card {
    /// What stands in the metadata; the rest is in tensors.
    pub(super) fn written(&self) -> Written {
        let Self { training, validation, typical } = self;
        let typical = typical.as_ref().map(|typical| typical.limits);
        Written { training: training.clone(), typical, validation: *validation }
    }

    /// Names and shapes of its tensors.
    pub(super) fn shapes(&self, inputs: usize) -> Vec<(String, Vec<usize>)> {
        let axes = self.typical.as_ref().map(|typical| typical.spread.len());
        axes.map_or_else(Vec::new, |axes| shapes(inputs, axes))
    }

    /// The numbers of tensor `i` of [`Card::shapes`].
    pub(super) fn values(&self, i: usize) -> Cow<'_, Numbers> {
        let typical = self.typical.as_ref();
        let of = |typical: &Typical| match i {
            0 => typical.axes.clone(),
            1 => typical.mean.clone(),
            _ => typical.spread.clone(),
        };
        Cow::Owned(Numbers::F32(typical.map_or_else(Vec::new, of)))
    }

    /// Whether it can be the card of a model with so many inputs and classes.
    pub(super) fn is_sound(&self, inputs: usize, classes: usize) -> bool {
        let Self { training, validation, typical } = self;
        training.samples.len() == classes
            && (0.0..1.0).contains(&training.val_fraction)
            && validation.as_ref().is_none_or(Validation::is_sound)
            && typical.as_ref().is_none_or(|typical| typical.is_sound(inputs))
    }
}

/// The same of a file, whose number of axes is the length of [`SPREAD`].
pub(super) fn shapes(inputs: usize, axes: usize) -> Vec<(String, Vec<usize>)> {
    vec![
        (AXES.into(), vec![axes, inputs]),
        (MEAN.into(), vec![inputs]),
        (SPREAD.into(), vec![axes]),
    ]
}

impl Written {
    /// The tensors that go with it, in a file whose tensor of this name has this shape.
    pub(super) fn shapes<'a>(
        &self,
        inputs: usize,
        shape: impl Fn(&str) -> Option<&'a [usize]>,
    ) -> Vec<(String, Vec<usize>)> {
        let axes = shape(SPREAD).and_then(|shape| shape.first()).copied().unwrap_or(0);
        self.typical.map_or_else(Vec::new, |_| shapes(inputs, axes))
    }

    /// The card with the numbers of its tensors.
    pub(super) fn with(self, numbers: Vec<Numbers>) -> Card {
        let Self { training, typical, validation } = self;
        let mut numbers = numbers.into_iter().map(|numbers| numbers.to_f32());
        let mut next = || numbers.next().unwrap_or_default();
        let typical =
            typical.map(|limits| Typical { axes: next(), mean: next(), spread: next(), limits });
        Card { training, validation, typical }
    }
}
