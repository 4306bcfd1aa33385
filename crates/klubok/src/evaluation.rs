//! Evaluation of a classifier on labelled samples: losses, accuracy with its interval, figures by
//! class, confusion matrix, calibration error.

use klubok_nn::{
    calibration::Calibration,
    loss::{log_sum_exp, predicted_class},
};
use klubok_train::evaluate::{chance_accuracy, wilson};
use serde::Serialize;

/// Evaluation of a classifier on labelled samples, as `klubok eval` prints it.
#[derive(Debug, Serialize)]
pub struct Evaluation {
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

/// Correct predictions and the sum of confidences, in 15 bins of confidence of equal width.
#[derive(Default)]
struct Bins([(usize, f64); 15]);

impl Bins {
    fn add(&mut self, confidence: f64, right: bool) {
        let (correct, sum) = &mut self.0[((confidence * 15.0) as usize).min(14)];
        *correct += usize::from(right);
        *sum += confidence;
    }

    /// Expected calibration error over so many samples.
    fn error(&self, samples: f64) -> f64 {
        let gap = |&(correct, sum): &(usize, f64)| (correct as f64 - sum).abs();
        self.0.iter().map(gap).sum::<f64>() / samples
    }
}

/// Figures of one class; null where undefined (the class has no sample, or is never predicted).
#[derive(Debug, Serialize)]
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

impl Evaluation {
    /// Evaluates `logits`, `[samples, classes]`, against the true classes.
    ///
    /// # Panics
    /// When there is no class, a target is none of them, or the logits have another size.
    pub fn new(
        logits: &[f32],
        targets: &[u32],
        classes: &[String],
        calibration: Calibration,
    ) -> Self {
        let (k, n) = (classes.len(), targets.len());
        assert_eq!(logits.len(), k * n, "a row of logits per sample");
        let mut confusion = vec![vec![0; k]; k];
        let (mut calibrated, mut uncalibrated) = (Bins::default(), Bins::default());
        let (mut loss, mut loss_calibrated, mut correct) = (0.0, 0.0, 0);
        for (row, &target) in logits.chunks_exact(k).zip(targets) {
            let z: Vec<f64> = row.iter().map(|&z| f64::from(z)).collect();
            let (total, best) = (log_sum_exp(&z), predicted_class(&z));
            let right = best == target as usize;
            confusion[target as usize][best] += 1;
            correct += usize::from(right);
            loss += total - z[target as usize];
            uncalibrated.add((z[best] - total).exp(), right);
            let mut p = z;
            calibration.confidences(&mut p);
            loss_calibrated -= p[target as usize].ln();
            calibrated.add(p[best], right);
        }
        let count = n.max(1) as f64;
        let accuracy = correct as f64 / count;
        let support: Vec<u64> =
            confusion.iter().map(|row| row.iter().sum::<usize>() as u64).collect();
        Self {
            samples: n,
            loss: loss / count,
            loss_calibrated: loss_calibrated / count,
            accuracy,
            accuracy_interval: wilson(accuracy, n),
            chance: chance_accuracy(&support),
            per_class: (0..k).map(|c| ClassFigures::new(&classes[c], c, &confusion)).collect(),
            confusion,
            ece: calibrated.error(count),
            ece_uncalibrated: uncalibrated.error(count),
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
        let e = Evaluation::new(
            &[2.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0, 2.0, 0.0, 0.0, 2.0, 0.0],
            &[0, 0, 0, 1],
            &names,
            Calibration { temperature: 2.0, uniform: 0.0 },
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
}
