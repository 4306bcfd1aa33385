//! Finds one loss that is not finite while the other one is.
//!
//! The training has not diverged then: the weights are finite. Either the log has `nan` for a loss
//! that was not measured, or the measurement is broken: a NaN in a sample, a logarithm of 0, a norm
//! that overflows. A loss may be logged every few epochs only, so a gap at the end counts once it
//! is longer than all gaps before it.

use super::row::Row;

/// Tracks losses that are not finite.
#[derive(Debug, Clone, Default)]
pub(super) struct NonFiniteLosses {
    train: Gap,
    val: Gap,
}

/// The current gap between finite values of one loss.
#[derive(Debug, Clone, Copy, Default)]
struct Gap {
    /// Epochs since the last finite value.
    epochs: u64,
    /// The longest such gap so far.
    longest: u64,
    /// The first epoch of the gap in which the other loss was finite, and the latest value of the
    /// other loss.
    since: Option<(f64, f64)>,
}

impl NonFiniteLosses {
    /// Records an epoch.
    pub(super) fn epoch(&mut self, row: &Row) {
        self.train.epoch(row.epoch, row.train_loss, row.val_loss);
        self.val.epoch(row.epoch, row.val_loss, row.train_loss);
    }

    /// The epoch since which one loss has not been finite, with the name and value of the other.
    pub(super) fn since(&self) -> Option<(f64, &'static str, f64)> {
        let open = |gap: Gap, name| {
            let (since, now) = gap.since.filter(|_| gap.epochs >= gap.longest)?;
            Some((since, name, now))
        };
        open(self.val, "train_loss_now").or(open(self.train, "val_loss_now"))
    }
}

impl Gap {
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

    fn track(rows: &[(f64, f64)]) -> NonFiniteLosses {
        let mut losses = NonFiniteLosses::default();
        for (i, &(train, val)) in rows.iter().enumerate() {
            let (train_loss, val_loss) = (Some(train), Some(val));
            losses.epoch(&Row { epoch: i as f64 + 1.0, train_loss, val_loss, ..Row::default() });
        }
        losses
    }

    fn since(val: &[f64]) -> Option<f64> {
        let rows: Vec<(f64, f64)> = val.iter().map(|&loss| (0.5, loss)).collect();
        track(&rows).since().map(|(since, ..)| since)
    }

    #[test]
    fn allows_the_usual_gap_between_validations() {
        let nan = f64::NAN;
        assert_eq!(since(&[nan, 0.9, nan, 0.8, nan]), None);
        assert_eq!(since(&[0.9, nan, nan, 0.8, nan, nan]), None);
        assert_eq!(since(&[nan, 0.9, nan, 0.8, nan, nan]), Some(5.0));
        assert_eq!(since(&[0.9, 0.8, f64::INFINITY]), Some(3.0));
        assert_eq!(since(&[nan, nan, nan]), Some(1.0));
        assert_eq!(since(&[0.9, nan, 0.8]), None);
    }

    #[test]
    fn holds_when_exactly_one_loss_is_not_finite() {
        let nan = f64::NAN;
        assert_eq!(track(&[(1.0, 1.0), (nan, 0.9)]).since(), Some((2.0, "val_loss_now", 0.9)));
        assert_eq!(track(&[(1.0, 1.0), (0.8, nan)]).since(), Some((2.0, "train_loss_now", 0.8)));
        assert_eq!(track(&[(1.0, 1.0), (nan, nan)]).since(), None);
    }
}
