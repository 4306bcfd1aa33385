//! Rules that choose an epoch by what a part says of each.

use crate::course::Seen;

/// A rule.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Rule {
    /// Lowest cross-entropy.
    Loss,
    /// Lowest cross-entropy after the best temperature.
    Calibrated,
    /// Fewest errors, then lowest cross-entropy.
    ErrorsThenLoss,
    /// Fewest errors, then lowest cross-entropy after the best temperature.
    ErrorsThenCalibrated,
    /// Lowest mean of the last three epochs' cross-entropy after the best temperature.
    CalibratedMean,
    /// Lowest sum of the ranks by errors and by cross-entropy after the best temperature.
    Ranks,
    /// The last epoch.
    Last,
    /// [`Rule::CalibratedMean`], but [`Rule::ErrorsThenLoss`] where an epoch has fewer errors than
    /// this.
    Auto(u64),
}

impl Rule {
    /// The rules to be compared.
    pub(crate) const SEVEN: [Rule; 7] = [
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

    /// The chosen epoch. After `patience` epochs without a better one, what follows is not seen.
    pub(crate) fn choose(self, seen: &[Seen], patience: Option<u64>) -> usize {
        match self {
            Rule::Ranks => ranked(seen),
            Rule::Last => seen.len() - 1,
            _ => {
                let mut best = 0;
                for now in 1..seen.len() {
                    if self.is_better(seen, now, best) {
                        best = now;
                    } else if patience.is_some_and(|patience| now - best >= patience as usize) {
                        break;
                    }
                }
                best
            }
        }
    }

    fn is_better(self, seen: &[Seen], now: usize, best: usize) -> bool {
        let (a, b) = (&seen[now], &seen[best]);
        let by_loss = a.loss < b.loss;
        let by_calibrated = a.calibrated < b.calibrated;
        let by_errors = |then: bool| a.errors < b.errors || a.errors == b.errors && then;
        match self {
            Rule::Loss => by_loss,
            Rule::ErrorsThenLoss => by_errors(by_loss),
            Rule::ErrorsThenCalibrated => by_errors(by_calibrated),
            Rule::Auto(few) if a.errors.min(b.errors) < few => by_errors(by_loss),
            Rule::CalibratedMean | Rule::Auto(_) => mean(seen, now) < mean(seen, best),
            Rule::Calibrated => by_calibrated,
            Rule::Ranks | Rule::Last => true,
        }
    }
}

fn mean(seen: &[Seen], at: usize) -> f64 {
    let last = &seen[at.saturating_sub(2)..=at];
    last.iter().map(|seen| seen.calibrated).sum::<f64>() / last.len() as f64
}

/// The epoch with the lowest sum of two ranks, the earlier on ties; equal values share a rank.
fn ranked(seen: &[Seen]) -> usize {
    let rank = |at: usize, of: fn(&Seen) -> f64| {
        seen.iter().filter(|other| of(other) < of(&seen[at])).count()
    };
    let sum = |at| rank(at, |seen| seen.errors as f64) + rank(at, |seen| seen.calibrated);
    (0..seen.len()).min_by_key(|&at| sum(at)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(lines: &[(f64, f64, u64)]) -> Vec<Seen> {
        let one = |&(loss, calibrated, errors): &(f64, f64, u64)| Seen {
            loss,
            calibrated,
            temperature: 1.0,
            errors,
            judged: 0.0,
            judged_unmixed: 0.0,
            ece: 0.0,
            ece_by_chance: None,
        };
        lines.iter().map(one).collect()
    }

    #[test]
    fn every_rule_chooses_by_its_own_figure() {
        let course =
            seen(&[(0.7, 0.7, 50), (0.5, 0.6, 30), (0.9, 0.4, 31), (0.8, 0.5, 29), (1.0, 0.6, 29)]);
        let chosen = Rule::SEVEN.map(|rule| rule.choose(&course, None));
        assert_eq!(chosen, [1, 2, 3, 3, 3, 3, 4]);
        assert_eq!(Rule::Auto(10).choose(&course, None), 3);
        assert_eq!(Rule::Auto(100).choose(&course, None), 3);
    }

    #[test]
    fn what_comes_after_the_stop_is_not_seen() {
        let course =
            seen(&[(0.7, 0.7, 9), (0.5, 0.5, 9), (0.6, 0.6, 9), (0.6, 0.6, 9), (0.1, 0.1, 9)]);
        assert_eq!(Rule::Loss.choose(&course, Some(2)), 1);
        assert_eq!(Rule::Loss.choose(&course, Some(3)), 4);
    }
}
