//! Evaluation of several labels: each is predicted where its logit is above 0.

use klubok_nn::layers::activation::softplus;
use klubok_train::evaluate::wilson;
use serde::Serialize;

use super::{effective, mean};

/// Evaluation of predicted labels.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LabelEvaluation {
    /// Number of samples.
    pub samples: usize,
    /// Mean binary cross-entropy over samples and labels.
    pub loss: f64,
    /// Share of correct labels.
    pub accuracy: f64,
    /// Its 95 % interval, as if the labels of a sample were one.
    pub accuracy_interval: [f64; 2],
    /// Accuracy of always predicting each label as it is more often.
    pub chance: f64,
    /// Share of the samples with all labels correct.
    pub exact: f64,
    /// Mean of the labels' F1; null without any.
    pub macro_f1: Option<f64>,
    /// Mean of the labels' average precision; null without any.
    pub mean_average_precision: Option<f64>,
    /// One entry per label, in the model's order.
    pub per_label: Vec<LabelFigures>,
}

/// Figures of one label; null where undefined (no sample has it, or it is never predicted).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LabelFigures {
    /// Its name.
    pub label: String,
    /// Share of the predictions of this label that are correct.
    pub precision: Option<f64>,
    /// Share of the samples with this label that are predicted to have it.
    pub recall: Option<f64>,
    /// Harmonic mean of the two.
    pub f1: Option<f64>,
    /// Average precision, `Σ (R_n - R_{n-1}) P_n` over the samples in the order of their logits, as
    /// scikit-learn's `average_precision_score`.
    pub average_precision: Option<f64>,
    /// Samples with this label.
    pub support: usize,
}

impl LabelEvaluation {
    /// Evaluates `logits` against `targets`, both `[samples, labels]`; targets are 1 or 0.
    ///
    /// # Panics
    /// When the two have other sizes.
    pub fn new(
        logits: &[f32],
        targets: &[f32],
        labels: &[String],
        weights: Option<&[f64]>,
    ) -> Self {
        let k = labels.len();
        assert_eq!(logits.len(), targets.len(), "a logit per label and sample");
        let samples = targets.len() / k.max(1);
        let rows = || logits.chunks_exact(k.max(1)).zip(targets.chunks_exact(k.max(1)));
        let right = |(z, y): (&f32, &f32)| (*z > 0.0) == (*y > 0.5);
        let loss = rows().map(|(z, y)| {
            let of = |(z, y): (&f32, &f32)| softplus(f64::from(*z)) - f64::from(*z) * f64::from(*y);
            z.iter().zip(y).map(of).sum::<f64>() / k as f64
        });
        let share = rows()
            .map(|(z, y)| z.iter().zip(y).filter(|&pair| right(pair)).count() as f64 / k as f64);
        let exact = rows().map(|(z, y)| f64::from(u8::from(z.iter().zip(y).all(right))));
        let accuracy = mean(share, weights);
        let per_label: Vec<LabelFigures> = (0..k)
            .map(|label| LabelFigures::new(&labels[label], label, k, logits, targets))
            .collect();
        let frequent = (0..k).map(|label| {
            let of = rows().map(|(_, y)| f64::from(y[label]));
            let share = mean(of, weights);
            share.max(1.0 - share)
        });
        let average = |of: fn(&LabelFigures) -> Option<f64>| {
            let known: Vec<f64> = per_label.iter().filter_map(of).collect();
            (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
        };
        Self {
            samples,
            loss: mean(loss, weights),
            accuracy,
            accuracy_interval: wilson(accuracy, effective(samples, weights)),
            chance: if samples == 0 { 0.0 } else { mean(frequent, None) },
            exact: mean(exact, weights),
            macro_f1: average(|label| label.f1),
            mean_average_precision: average(|label| label.average_precision),
            per_label,
        }
    }
}

impl LabelFigures {
    fn new(name: &str, label: usize, labels: usize, logits: &[f32], targets: &[f32]) -> Self {
        let of = |all: &[f32]| all.iter().skip(label).step_by(labels).copied().collect::<Vec<_>>();
        let (z, y) = (of(logits), of(targets));
        let pairs = || z.iter().zip(&y).map(|(z, y)| (*z > 0.0, *y > 0.5));
        let hits = pairs().filter(|&pair| pair == (true, true)).count();
        let predicted = pairs().filter(|(predicted, _)| *predicted).count();
        let support = pairs().filter(|(_, is)| *is).count();
        let share = |of: usize| (of > 0).then(|| hits as f64 / of as f64);
        let f1 =
            (support + predicted > 0).then(|| 2.0 * hits as f64 / (support + predicted) as f64);
        Self {
            label: name.to_owned(),
            precision: share(predicted),
            recall: share(support),
            f1,
            average_precision: average_precision(&z, &y),
            support,
        }
    }
}

/// Average precision of logits for one label; none when no sample has it. Samples with equal logits
/// count together.
fn average_precision(z: &[f32], y: &[f32]) -> Option<f64> {
    let mut order: Vec<usize> = (0..z.len()).collect();
    order.sort_by(|&a, &b| z[b].total_cmp(&z[a]));
    let all = y.iter().filter(|y| **y > 0.5).count() as f64;
    let (mut hits, mut seen, mut sum) = (0.0, 0.0, 0.0);
    for same in order.chunk_by(|&a, &b| z[a] == z[b]) {
        let new = same.iter().filter(|&&i| y[i] > 0.5).count() as f64;
        hits += new;
        seen += same.len() as f64;
        sum += new * hits / seen;
    }
    (all > 0.0).then(|| sum / all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_labels_by_hand() {
        let names = ["ring".to_owned(), "bar".to_owned()];
        // Truths: ring in the first two samples, bar in none of three.
        let z = [2.0, -1.0, -1.0, -2.0, 1.0, -3.0];
        let y = [1.0, 0.0, 1.0, 0.0, 0.0, 0.0];
        let e = LabelEvaluation::new(&z, &y, &names, None);
        assert_eq!((e.samples, e.accuracy, e.exact), (3, 4.0 / 6.0, 1.0 / 3.0));
        assert!((e.chance - 5.0 / 6.0).abs() < 1e-12);
        let ring = &e.per_label[0];
        assert_eq!((ring.precision, ring.recall, ring.f1), (Some(0.5), Some(0.5), Some(0.5)));
        let bar = &e.per_label[1];
        assert_eq!((bar.precision, bar.recall, bar.f1, bar.support), (None, None, None, 0));
        assert_eq!(bar.average_precision, None);
        let loss = |z: f64, y: f64| z.exp().ln_1p() - z * y;
        let expected: f64 =
            z.iter().zip(&y).map(|(z, y)| loss(f64::from(*z), f64::from(*y))).sum::<f64>() / 6.0;
        assert!((e.loss - expected).abs() < 1e-9);
    }

    #[test]
    fn average_precision_agrees_with_scikit_learn() {
        // average_precision_score([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]) is 0.8333...
        let of = |z: &[f32], y: &[f32]| average_precision(z, y).unwrap();
        assert!((of(&[0.1, 0.4, 0.35, 0.8], &[0.0, 0.0, 1.0, 1.0]) - 0.833_333_3).abs() < 1e-6);
        // average_precision_score([1, 0, 1, 0], [0.5, 0.5, 0.5, 0.5]) is 0.5.
        assert!((of(&[0.5; 4], &[1.0, 0.0, 1.0, 0.0]) - 0.5).abs() < 1e-12);
    }

    #[test]
    fn a_weight_of_two_counts_as_two_samples() {
        let names = ["a".to_owned()];
        let weighted = LabelEvaluation::new(&[1.0, -2.0], &[1.0, 1.0], &names, Some(&[2.0, 1.0]));
        let repeated = LabelEvaluation::new(&[1.0, 1.0, -2.0], &[1.0; 3], &names, None);
        assert!((weighted.loss - repeated.loss).abs() < 1e-12);
        assert!((weighted.accuracy - repeated.accuracy).abs() < 1e-12);
        assert!((weighted.exact - repeated.exact).abs() < 1e-12);
    }
}
