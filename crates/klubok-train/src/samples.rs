//! The samples of a training, as the network learns them.

use std::sync::Arc;

use klubok_data::{Dataset, Parts, Targets};
use klubok_model::Preprocessing;
use klubok_nn::rows::Rows;

/// The samples of a training: the rows, their targets and weights, and the split. Cheap to clone.
#[derive(Clone)]
pub struct Samples {
    /// The rows, with numbers to predict in the network's units.
    pub rows: Arc<dyn Rows>,
    /// The targets of the rows, in the same units.
    pub targets: Arc<Targets>,
    /// Number of outputs of the network.
    pub outputs: usize,
    /// The split.
    pub parts: Arc<Parts>,
    /// Own weight of every row; none if all weigh 1. Evaluations use it.
    pub weights: Option<Arc<[f64]>>,
    /// Weight of every row in training: its own times that of its class; none if all weigh 1.
    pub train_weights: Option<Arc<[f64]>>,
    /// Standard deviation of each number to predict; empty for other targets.
    pub scales: Vec<f64>,
}

impl Samples {
    /// Takes the samples of a data set as a network with this preprocessing learns them.
    /// `class_weights` has the weight of each class, or nothing.
    pub fn new(data: &Dataset, preprocessing: &Preprocessing, class_weights: &[f64]) -> Self {
        let targets = data.targets.clone().scaled(preprocessing);
        let own = data.weights.as_ref();
        let own = own.map(|own| own.iter().map(|&weight| f64::from(weight)).collect::<Arc<[_]>>());
        let class_weight = |row: usize| {
            let class = targets.class(row as u32) as usize;
            class_weights.get(class).copied().unwrap_or(1.0)
        };
        let train_weights = if class_weights.is_empty() {
            own.clone()
        } else {
            let own = |row: usize| own.as_ref().map_or(1.0, |own| own[row]);
            Some((0..data.rows.len()).map(|row| own(row) * class_weight(row)).collect())
        };
        let scales = preprocessing.target.as_ref().map_or(&[][..], |target| &target.std);
        Self {
            rows: data.rows_for(preprocessing),
            outputs: data.outputs.len(),
            parts: Arc::new(data.parts.clone()),
            train_weights,
            weights: own,
            scales: scales.iter().map(|&std| f64::from(std)).collect(),
            targets: Arc::new(targets),
        }
    }

    /// Returns the own weight of a row.
    pub fn weight(&self, row: u32) -> f64 {
        self.weights.as_ref().map_or(1.0, |weights| weights[row as usize])
    }

    /// Returns the [`effective_samples`] of some rows.
    pub fn effective(&self, rows: &[u32]) -> u64 {
        match self.weights {
            Some(_) => effective_samples(rows.iter().map(|&row| self.weight(row))),
            None => rows.len() as u64,
        }
    }
}

/// Returns the number of samples of equal weight that are as informative as samples of these
/// weights (Kish 1965): `(Σ w)² / Σ w²`, rounded down.
pub fn effective_samples(weights: impl Iterator<Item = f64>) -> u64 {
    let (sum, squares) = weights
        .fold((0.0, 0.0), |(sum, squares), weight: f64| (sum + weight, squares + weight * weight));
    if squares > 0.0 { (sum * sum / squares) as u64 } else { 0 }
}

/// Sums the weights of some rows in training; without weights, each row weighs 1. The sum divides:
/// where all rows weigh 0, it is a little above, which leaves loss and gradient at 0.
pub fn weight_sum(weights: Option<&[f64]>, rows: &[u32]) -> f64 {
    match weights {
        Some(weights) => match rows.iter().map(|&row| weights[row as usize]).sum::<f64>() {
            0.0 => 1e-20,
            sum => sum,
        },
        None => rows.len() as f64,
    }
}

#[cfg(test)]
mod tests {
    use klubok_data::Arrays;

    use super::*;

    fn samples(weights: Option<&[f32]>, class_weights: &[f64]) -> Samples {
        let x = [1.0, 2.0, 3.0, 4.0];
        let mut arrays = Arrays::columns(&x, 1).unwrap().classes(&[0, 1, 0, 1]).unwrap();
        if let Some(weights) = weights {
            arrays = arrays.weights(weights).unwrap();
        }
        let data = Dataset::with_validation(arrays.clone(), arrays).unwrap();
        let preprocessing = klubok_data::preprocess::measure(&data, klubok_model::Fit::Squash);
        Samples::new(&data, &preprocessing.unwrap(), class_weights)
    }

    #[test]
    fn weights_in_training_are_those_of_rows_and_classes() {
        assert!(samples(None, &[]).train_weights.is_none());
        let weights = samples(Some(&[1.0, 2.0, 3.0, 4.0]), &[0.5, 10.0]);
        let train = weights.train_weights.as_deref().unwrap();
        assert_eq!(train[..4], [0.5, 20.0, 1.5, 40.0]);
        assert_eq!(weight_sum(Some(train), &[1, 2]), 21.5);
        assert_eq!((weights.weight(3), samples(None, &[2.0, 1.0]).weight(3)), (4.0, 1.0));
        assert_eq!(weight_sum(None, &[1, 2]), 2.0);
    }

    #[test]
    fn the_effective_number_of_samples_is_that_of_kish() {
        assert_eq!(samples(None, &[]).effective(&[0, 1, 2]), 3);
        let weights = samples(Some(&[1.0, 1.0, 0.0, 2.0]), &[]);
        assert_eq!([weights.effective(&[0, 1]), weights.effective(&[0, 1, 2, 3])], [2, 2]);
        assert_eq!(weights.effective(&[2]), 0);
    }
}
