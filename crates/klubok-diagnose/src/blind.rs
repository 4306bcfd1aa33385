//! Is one loss no number while the other is?
//!
//! Then the training has not diverged: the weights are numbers. Either the loss was not measured
//! and `nan` was written down, or what is measured is broken: a sample that is no number, a
//! logarithm of 0, a norm that overflows. Where epochs between two values are left out, as many at
//! the end say nothing.

use super::row::Row;

/// Follows losses that are no numbers.
#[derive(Debug, Clone, Default)]
pub(super) struct Blind {
    train: Side,
    val: Side,
}

/// One of the two losses.
#[derive(Debug, Clone, Copy, Default)]
struct Side {
    /// Epochs since the last value that was a number, and the most of them between two such.
    epochs: u64,
    longest: u64,
    /// The first epoch since then in which this loss is no number and the other one is, and the
    /// other one now.
    since: Option<(f64, f64)>,
}

impl Blind {
    /// Is told an epoch.
    pub(super) fn epoch(&mut self, row: &Row) {
        self.train.epoch(row.epoch, row.train_loss, row.val_loss);
        self.val.epoch(row.epoch, row.val_loss, row.train_loss);
    }

    /// Since when it holds, with name and value of the loss that is a number.
    pub(super) fn since(&self) -> Option<(f64, &'static str, f64)> {
        let of = |side: Side, name| {
            let (since, now) = side.since.filter(|_| side.epochs >= side.longest)?;
            Some((since, name, now))
        };
        of(self.val, "train_loss_now").or(of(self.train, "val_loss_now"))
    }
}

impl Side {
    fn epoch(&mut self, epoch: f64, loss: Option<f64>, other: Option<f64>) {
        self.epochs += 1;
        if loss.is_some_and(f64::is_finite) {
            self.longest = self.longest.max(self.epochs);
            (self.epochs, self.since) = (0, None);
        } else if let (Some(_), Some(other)) = (loss, other.filter(|other| other.is_finite())) {
            self.since = Some((self.since.map_or(epoch, |(since, _)| since), other));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(rows: &[(f64, f64)]) -> Blind {
        let mut blind = Blind::default();
        for (i, &(train, val)) in rows.iter().enumerate() {
            let (train_loss, val_loss) = (Some(train), Some(val));
            blind.epoch(&Row { epoch: i as f64 + 1.0, train_loss, val_loss, ..Row::default() });
        }
        blind
    }

    fn since(val: &[f64]) -> Option<f64> {
        let rows: Vec<(f64, f64)> = val.iter().map(|&loss| (0.5, loss)).collect();
        told(&rows).since().map(|(since, ..)| since)
    }

    #[test]
    fn epochs_left_out_between_validations_are_no_fault() {
        let nan = f64::NAN;
        assert_eq!(since(&[nan, 0.9, nan, 0.8, nan]), None);
        assert_eq!(since(&[0.9, nan, nan, 0.8, nan, nan]), None);
        assert_eq!(since(&[nan, 0.9, nan, 0.8, nan, nan]), Some(5.0));
        assert_eq!(since(&[0.9, 0.8, f64::INFINITY]), Some(3.0));
        assert_eq!(since(&[nan, nan, nan]), Some(1.0));
        assert_eq!(since(&[0.9, nan, 0.8]), None);
    }

    #[test]
    fn either_loss_may_be_none_but_both_are_something_else() {
        let nan = f64::NAN;
        assert_eq!(told(&[(1.0, 1.0), (nan, 0.9)]).since(), Some((2.0, "val_loss_now", 0.9)));
        assert_eq!(told(&[(1.0, 1.0), (0.8, nan)]).since(), Some((2.0, "train_loss_now", 0.8)));
        assert_eq!(told(&[(1.0, 1.0), (nan, nan)]).since(), None);
    }
}
