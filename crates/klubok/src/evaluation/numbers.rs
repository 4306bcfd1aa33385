//! Evaluation of numbers: errors in their own units.

use klubok_model::Target;
use klubok_train::evaluate::{NumberErrorSums, NumberErrors};
use serde::Serialize;

use super::mean;

/// Evaluation of predicted numbers. With several numbers, each figure is the mean over them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NumberEvaluation {
    /// Number of samples.
    pub samples: usize,
    /// Mean squared error in the network's units, standard deviations of the training targets.
    pub loss: f64,
    /// Root mean squared error, in the units of the number.
    pub rmse: f64,
    /// Mean absolute error, likewise.
    pub mae: f64,
    /// Coefficient of determination: 1 is perfect, 0 as good as always predicting the mean.
    pub r2: f64,
    /// One entry per number, in the model's order.
    pub per_output: Vec<NumberFigures>,
}

/// Figures of one number.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NumberFigures {
    /// Its name.
    pub output: String,
    /// Root mean squared error.
    pub rmse: f64,
    /// Mean absolute error.
    pub mae: f64,
    /// Coefficient of determination.
    pub r2: f64,
}

impl NumberEvaluation {
    /// Evaluates the network's `outputs` against `targets` in their own units, both
    /// `[samples, outputs]`. `target` has the scale of the network's units.
    ///
    /// # Panics
    /// When the two have other sizes.
    pub fn new(
        outputs: &[f32],
        targets: &[f32],
        names: &[String],
        target: Option<&Target>,
        weights: Option<&[f64]>,
    ) -> Self {
        let k = names.len();
        assert_eq!(outputs.len(), targets.len(), "a prediction per number and sample");
        let mut scaled = targets.to_vec();
        target.into_iter().for_each(|target| target.scale(&mut scaled));
        let square = |(z, y): (&f32, &f32)| (f64::from(*z) - f64::from(*y)).powi(2);
        let rows = || outputs.chunks_exact(k.max(1)).zip(scaled.chunks_exact(k.max(1)));
        let losses = rows().map(|(z, y)| z.iter().zip(y).map(square).sum::<f64>() / k as f64);
        let loss = mean(losses, weights);
        let mut sums = NumberErrorSums::default();
        sums.clear(k);
        // In the network's units, where a large mean does not drown the variation.
        for (i, (z, y)) in rows().enumerate() {
            let z: Vec<f64> = z.iter().map(|&z| f64::from(z)).collect();
            let y: Vec<f64> = y.iter().map(|&y| f64::from(y)).collect();
            sums.add(&z, &y, weights.map_or(1.0, |weights| weights[i]));
        }
        let scales = target.into_iter().flat_map(|target| &target.std);
        let scales: Vec<f64> = scales.map(|&scale| f64::from(scale)).collect();
        let NumberErrors { rmse, mae, r2 } = sums.errors(&scales).unwrap_or_default();
        let all = |values: &[f64]| mean(values.iter().copied(), None);
        Self {
            samples: targets.len() / k.max(1),
            loss,
            rmse: all(&rmse),
            mae: all(&mae),
            r2: all(&r2),
            per_output: (0..rmse.len())
                .map(|i| NumberFigures {
                    output: names[i].clone(),
                    rmse: rmse[i],
                    mae: mae[i],
                    r2: r2[i],
                })
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_in_the_units_of_the_numbers() {
        let names = ["price".to_owned()];
        let columns = names.to_vec();
        let target = Target { columns, mean: vec![100.0], std: vec![20.0] };
        // Predictions 100, 120 and 90 for 100, 110 and 90.
        let e = NumberEvaluation::new(
            &[0.0, 1.0, -0.5],
            &[100.0, 110.0, 90.0],
            &names,
            Some(&target),
            None,
        );
        assert!((e.rmse - (100f64 / 3.0).sqrt()).abs() < 1e-9);
        assert!((e.mae - 10.0 / 3.0).abs() < 1e-9);
        // r2_score([100, 110, 90], [100, 120, 90]) is 0.5.
        assert!((e.r2 - 0.5).abs() < 1e-9);
        assert!((e.loss - 0.25 / 3.0).abs() < 1e-9);
        assert_eq!((e.samples, e.per_output[0].output.as_str()), (3, "price"));
    }
}
