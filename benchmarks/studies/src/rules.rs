//! Rules that choose the best epoch by validation scores.

use crate::training::Score;

/// A rule.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Rule {
    /// Lowest cross-entropy.
    Loss,
    /// Lowest calibrated cross-entropy.
    Calibrated,
    /// Fewest errors, then lowest cross-entropy.
    ErrorsThenLoss,
    /// Fewest errors, then lowest calibrated cross-entropy.
    ErrorsThenCalibrated,
    /// Lowest calibrated cross-entropy, averaged over the last three epochs.
    CalibratedMean,
    /// Lowest sum of the ranks by errors and by calibrated cross-entropy.
    Ranks,
    /// The last epoch.
    Last,
    /// [`Rule::ErrorsThenLoss`] where one of two epochs has fewer errors than this, else
    /// [`Rule::CalibratedMean`].
    Auto(u64),
}

impl Rule {
    /// All rules but [`Rule::Auto`].
    pub(crate) const SIMPLE: [Rule; 7] = [
        Rule::Loss,
        Rule::Calibrated,
        Rule::ErrorsThenLoss,
        Rule::ErrorsThenCalibrated,
        Rule::CalibratedMean,
        Rule::Ranks,
        Rule::Last,
    ];

    pub(crate) fn name(self) -> String {
        match self {
            Rule::Loss => "raw loss".into(),
            Rule::Calibrated => "calibrated loss".into(),
            Rule::ErrorsThenLoss => "accuracy, then raw loss".into(),
            Rule::ErrorsThenCalibrated => "accuracy, then calibrated loss".into(),
            Rule::CalibratedMean => "calibrated loss, mean of 3".into(),
            Rule::Ranks => "summed ranks".into(),
            Rule::Last => "last epoch".into(),
            Rule::Auto(errors) => {
                format!("calibrated loss, mean of 3, accuracy below {errors} errors")
            }
        }
    }

    /// Returns the chosen epoch. Training stops after `patience` epochs without a better one.
    pub(crate) fn choose(self, scores: &[Score], patience: Option<u64>) -> usize {
        match self {
            Rule::Ranks => lowest_rank_sum(scores),
            Rule::Last => scores.len() - 1,
            _ => {
                let mut best = 0;
                for epoch in 1..scores.len() {
                    if self.is_better(scores, epoch, best) {
                        best = epoch;
                    } else if patience.is_some_and(|patience| epoch - best >= patience as usize) {
                        break;
                    }
                }
                best
            }
        }
    }

    fn is_better(self, scores: &[Score], epoch: usize, best: usize) -> bool {
        let (a, b) = (&scores[epoch], &scores[best]);
        let by_loss = a.loss < b.loss;
        let by_calibrated = a.calibrated_loss < b.calibrated_loss;
        let by_errors = |on_ties: bool| a.errors < b.errors || a.errors == b.errors && on_ties;
        match self {
            Rule::Loss => by_loss,
            Rule::ErrorsThenLoss => by_errors(by_loss),
            Rule::ErrorsThenCalibrated => by_errors(by_calibrated),
            Rule::Auto(limit) if a.errors.min(b.errors) < limit => by_errors(by_loss),
            Rule::CalibratedMean | Rule::Auto(_) => {
                mean_of_three(scores, epoch) < mean_of_three(scores, best)
            }
            Rule::Calibrated => by_calibrated,
            Rule::Ranks | Rule::Last => true,
        }
    }
}

/// Mean calibrated cross-entropy of an epoch and the two before it.
fn mean_of_three(scores: &[Score], epoch: usize) -> f64 {
    let last = &scores[epoch.saturating_sub(2)..=epoch];
    last.iter().map(|score| score.calibrated_loss).sum::<f64>() / last.len() as f64
}

/// The epoch with the lowest sum of two ranks, the earlier on ties; equal values share a rank.
fn lowest_rank_sum(scores: &[Score]) -> usize {
    let rank = |epoch: usize, figure: fn(&Score) -> f64| {
        scores.iter().filter(|other| figure(other) < figure(&scores[epoch])).count()
    };
    let sum = |epoch| {
        rank(epoch, |score| score.errors as f64) + rank(epoch, |score| score.calibrated_loss)
    };
    (0..scores.len()).min_by_key(|&epoch| sum(epoch)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scores of epochs with this loss, calibrated loss and number of errors.
    fn scores(epochs: &[(f64, f64, u64)]) -> Vec<Score> {
        let score = |&(loss, calibrated_loss, errors): &(f64, f64, u64)| Score {
            loss,
            calibrated_loss,
            temperature: 1.0,
            errors,
            test_loss: 0.0,
            test_loss_unmixed: 0.0,
            ece: 0.0,
            ece_by_chance: None,
        };
        epochs.iter().map(score).collect()
    }

    #[test]
    fn each_rule_chooses_by_its_own_figure() {
        let scores = scores(&[
            (0.7, 0.7, 50),
            (0.5, 0.6, 30),
            (0.9, 0.4, 31),
            (0.8, 0.5, 29),
            (1.0, 0.6, 29),
        ]);
        let chosen = Rule::SIMPLE.map(|rule| rule.choose(&scores, None));
        assert_eq!(chosen, [1, 2, 3, 3, 3, 3, 4]);
        assert_eq!(Rule::Auto(10).choose(&scores, None), 3);
        assert_eq!(Rule::Auto(100).choose(&scores, None), 3);
    }

    #[test]
    fn epochs_after_early_stopping_are_not_chosen() {
        let scores =
            scores(&[(0.7, 0.7, 9), (0.5, 0.5, 9), (0.6, 0.6, 9), (0.6, 0.6, 9), (0.1, 0.1, 9)]);
        assert_eq!(Rule::Loss.choose(&scores, Some(2)), 1);
        assert_eq!(Rule::Loss.choose(&scores, Some(3)), 4);
    }
}
