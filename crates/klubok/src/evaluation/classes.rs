//! Evaluation of classes: losses, accuracy with its interval, figures by class, confusion matrix,
//! calibration error.

use klubok_nn::{
    calibration::Calibration,
    loss::{log_sum_exp, predicted_class},
};
use klubok_train::evaluate::wilson;
use serde::Serialize;

use super::effective;

/// Evaluation of predicted classes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassEvaluation {
    /// Number of samples.
    pub samples: usize,
    /// Mean cross-entropy without temperature.
    pub loss: f64,
    /// The same with the model's temperature.
    pub loss_calibrated: f64,
    /// Share of correct predictions.
    pub accuracy: f64,
    /// Its 95 % interval.
    pub accuracy_interval: [f64; 2],
    /// Accuracy of always predicting the most frequent class.
    pub chance: f64,
    /// One entry per class, in the model's order.
    pub per_class: Vec<ClassFigures>,
    /// `confusion[truth][prediction]`: numbers of samples.
    pub confusion: Vec<Vec<usize>>,
    /// Expected calibration error (Guo et al. 2017): the mean distance between confidence and
    /// accuracy, over 15 bins of equal width, with the model's temperature.
    pub ece: f64,
    /// The same without it.
    pub ece_uncalibrated: f64,
}

/// Weights of the correct predictions and of the confidences, in 15 bins of confidence of equal
/// width.
#[derive(Default)]
struct Bins([(f64, f64); 15]);

impl Bins {
    fn add(&mut self, confidence: f64, right: bool, weight: f64) {
        let (correct, sum) = &mut self.0[((confidence * 15.0) as usize).min(14)];
        *correct += if right { weight } else { 0.0 };
        *sum += weight * confidence;
    }

    /// Expected calibration error over samples of this weight.
    fn error(&self, weight: f64) -> f64 {
        let gap = |&(correct, sum): &(f64, f64)| (correct - sum).abs();
        self.0.iter().map(gap).sum::<f64>() / weight
    }
}

/// Figures of one class; null where undefined (the class has no sample, or is never predicted).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassFigures {
    /// Its name.
    pub class: String,
    /// Share of the predictions of this class that are correct.
    pub precision: Option<f64>,
    /// Share of the samples of this class that are predicted as it.
    pub recall: Option<f64>,
    /// Harmonic mean of the two.
    pub f1: Option<f64>,
    /// Samples of this class.
    pub support: usize,
}

impl ClassEvaluation {
    /// Evaluates `logits`, `[samples, classes]`, against the true classes.
    ///
    /// # Panics
    /// When there is no class, a target is none of them, or the logits have another size.
    pub fn new(
        logits: &[f32],
        targets: &[u32],
        classes: &[String],
        calibration: Calibration,
        weights: Option<&[f64]>,
    ) -> Self {
        let (k, n) = (classes.len(), targets.len());
        assert_eq!(logits.len(), k * n, "a row of logits per sample");
        let mut confusion = vec![vec![0; k]; k];
        let mut support = vec![0.0; k];
        let (mut calibrated, mut uncalibrated) = (Bins::default(), Bins::default());
        let (mut loss, mut loss_calibrated, mut correct) = (0.0, 0.0, 0.0);
        for (i, (row, &target)) in logits.chunks_exact(k).zip(targets).enumerate() {
            let weight = weights.map_or(1.0, |weights| weights[i]);
            let z: Vec<f64> = row.iter().map(|&z| f64::from(z)).collect();
            let (total, best) = (log_sum_exp(&z), predicted_class(&z));
            let right = best == target as usize;
            confusion[target as usize][best] += 1;
            support[target as usize] += weight;
            correct += if right { weight } else { 0.0 };
            loss += weight * (total - z[target as usize]);
            uncalibrated.add((z[best] - total).exp(), right, weight);
            let mut p = z;
            calibration.confidences(&mut p);
            loss_calibrated -= weight * p[target as usize].ln();
            calibrated.add(p[best], right, weight);
        }
        let sum: f64 = support.iter().sum();
        let all = if sum > 0.0 { sum } else { 1.0 };
        let accuracy = correct / all;
        Self {
            samples: n,
            loss: loss / all,
            loss_calibrated: loss_calibrated / all,
            accuracy,
            accuracy_interval: wilson(accuracy, effective(n, weights)),
            chance: support.iter().fold(0.0, |most: f64, own| most.max(*own)) / all,
            per_class: (0..k).map(|c| ClassFigures::new(&classes[c], c, &confusion)).collect(),
            confusion,
            ece: calibrated.error(all),
            ece_uncalibrated: uncalibrated.error(all),
        }
    }
}

impl ClassFigures {
    fn new(class: &str, c: usize, confusion: &[Vec<usize>]) -> Self {
        let hit = confusion[c][c];
        let support: usize = confusion[c].iter().sum();
        let predicted: usize = confusion.iter().map(|row| row[c]).sum();
        let share = |of: usize| (of > 0).then(|| hit as f64 / of as f64);
        let f1 = (support + predicted > 0).then(|| 2.0 * hit as f64 / (support + predicted) as f64);
        let (precision, recall) = (share(predicted), share(support));
        Self { class: class.to_owned(), precision, recall, f1, support }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-4, "{a} is not {b}");
    }

    #[test]
    fn wilson_agrees_with_published_values() {
        // Newcombe 1998, table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29 (method 3).
        for (hits, n, low, high) in [
            (81.0, 263, 0.2553, 0.3662),
            (15.0, 148, 0.0624, 0.1605),
            (0.0, 20, 0.0, 0.1611),
            (1.0, 29, 0.0061, 0.1718),
        ] {
            let [a, b] = wilson(hits / f64::from(n), n as usize);
            assert!((a - low).abs() < 6e-5 && (b - high).abs() < 6e-5, "{hits}/{n}: {a} {b}");
        }
    }

    #[test]
    fn a_small_table_by_hand() {
        // Truths a a a b; predictions a a b b.
        let names = ["a".to_owned(), "b".to_owned(), "c".to_owned()];
        let e = ClassEvaluation::new(
            &[2.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0, 2.0, 0.0, 0.0, 2.0, 0.0],
            &[0, 0, 0, 1],
            &names,
            Calibration { temperature: 2.0, uniform: 0.0 },
            None,
        );
        assert_eq!(e.confusion, [[2, 1, 0], [0, 1, 0], [0, 0, 0]]);
        close(e.accuracy, 0.75);
        close(e.chance, 0.75);
        let p = 2f64.exp() / (2f64.exp() + 2.0);
        close(e.loss, -(3.0 * p.ln() + ((1.0 - p) / 2.0).ln()) / 4.0);
        close(e.ece_uncalibrated, (0.75 - p).abs());
        let cooler = 1f64.exp() / (1f64.exp() + 2.0);
        close(e.ece, (0.75 - cooler).abs());
        close(e.loss_calibrated, -(3.0 * cooler.ln() + ((1.0 - cooler) / 2.0).ln()) / 4.0);
        close(e.per_class[0].precision.unwrap(), 1.0);
        close(e.per_class[0].recall.unwrap(), 2.0 / 3.0);
        close(e.per_class[0].f1.unwrap(), 0.8);
        close(e.per_class[1].precision.unwrap(), 0.5);
        assert_eq!((e.per_class[2].recall, e.per_class[2].support), (None, 0));
    }

    #[test]
    fn a_weight_of_two_counts_as_two_samples() {
        let names = ["a".to_owned(), "b".to_owned()];
        let evaluate = |logits: &[f32], targets: &[u32], weights: Option<&[f64]>| {
            ClassEvaluation::new(logits, targets, &names, Calibration::NONE, weights)
        };
        let weighted = evaluate(&[2.0, 0.0, 0.0, 1.0], &[0, 0], Some(&[2.0, 1.0]));
        let repeated = evaluate(&[2.0, 0.0, 2.0, 0.0, 0.0, 1.0], &[0, 0, 0], None);
        close(weighted.loss, repeated.loss);
        close(weighted.accuracy, repeated.accuracy);
        close(weighted.ece, repeated.ece);
        assert_eq!((weighted.samples, weighted.chance), (2, 1.0));
    }
}
