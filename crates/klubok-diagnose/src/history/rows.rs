//! Arranges figures over positions into one row per epoch, by the same rules for every source.
//!
//! A position is an epoch, a step or a row number, whichever the source has. If both losses have
//! the same positions, each position is a row, and absent figures are missing. If training and
//! validation have different positions, an epoch ends with its validation: training figures since
//! the validation before are averaged.

use std::collections::BTreeMap;

use super::{Row, columns::Field};

/// Figures over increasing positions.
pub(super) type Figures = BTreeMap<Field, Vec<(f64, f64)>>;

/// The unit of positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Epochs,
    /// Steps, or epochs that the source calls steps.
    Steps,
    Rows,
}

/// Positions that may be epochs or steps are steps if there are more than this number per
/// validation.
const MAX_EPOCHS_PER_VALIDATION: usize = 5;

/// Arranges figures into one row per epoch.
pub(super) fn arrange(figures: &Figures, unit: Unit) -> Vec<Row> {
    let values = |field| figures.get(&field).map_or(&[][..], |values| values);
    let (train, val) = (values(Field::TrainLoss), values(Field::ValLoss));
    let all = union(train, val);
    let differ = !train.is_empty() && !val.is_empty() && 2 * shared(train, val) < val.len();
    let steps = unit == Unit::Steps
        && !val.is_empty()
        && (all.len() > MAX_EPOCHS_PER_VALIDATION * val.len() || !consecutive(&all));
    let ends = if differ || steps { val.iter().map(|value| value.0).collect() } else { all };
    let numbered = match unit {
        Unit::Epochs => true,
        Unit::Steps => consecutive(&ends),
        Unit::Rows => !differ,
    };
    let mut rows: Vec<Row> = (0..ends.len())
        .map(|i| {
            let from = i.checked_sub(1).map_or(f64::NEG_INFINITY, |before| ends[before]);
            let epoch = if numbered { ends[i] } else { i as f64 + 1.0 };
            row(figures, epoch, from, ends[i])
        })
        .collect();
    // A last epoch without validation, because the training loss was no longer finite.
    if let (Some(end), Some(last)) = (ends.last(), rows.last())
        && train.last().is_some_and(|(at, loss)| at > end && !loss.is_finite())
    {
        rows.push(row(figures, last.epoch + 1.0, *end, f64::INFINITY));
    }
    rows
}

/// A row of the figures after position `after`, up to and including `to`.
fn row(figures: &Figures, epoch: f64, after: f64, to: f64) -> Row {
    let figure = |field: Field| {
        let values = figures.get(&field)?;
        let first = values.partition_point(|value| value.0 <= after);
        let end = values.partition_point(|value| value.0 <= to);
        combine(values.get(first..end)?.iter().map(|value| value.1), field.is_per_step())
    };
    Row {
        epoch,
        untrained: false,
        step: None,
        train_loss: figure(Field::TrainLoss),
        batch_loss: None,
        val_loss: figure(Field::ValLoss),
        val_loss_calibrated: None,
        train_accuracy: figure(Field::TrainAccuracy),
        val_accuracy: figure(Field::ValAccuracy),
        grad_norm: figure(Field::GradNorm),
        learning_rate: figure(Field::LearningRate),
    }
}

/// Combines values in order into their mean, or takes the last. The mean leaves out values that are
/// not finite, unless the last is one: a single step may overflow, but a training that ends so has
/// diverged.
pub(super) fn combine(values: impl DoubleEndedIterator<Item = f64>, mean: bool) -> Option<f64> {
    let mut values = values.rev().peekable();
    let last = *values.peek()?;
    if !mean || !last.is_finite() {
        return Some(last);
    }
    let (mut sum, mut count) = (0.0, 0u32);
    for value in values.filter(|value| value.is_finite()) {
        sum += value;
        count += 1;
    }
    Some(sum / f64::from(count))
}

/// All positions of both, in order.
fn union(one: &[(f64, f64)], other: &[(f64, f64)]) -> Vec<f64> {
    let mut all: Vec<f64> = one.iter().chain(other).map(|value| value.0).collect();
    all.sort_by(f64::total_cmp);
    all.dedup();
    all
}

/// Number of positions in both.
fn shared(one: &[(f64, f64)], other: &[(f64, f64)]) -> usize {
    let contains = |at: &f64| one.binary_search_by(|value| value.0.total_cmp(at)).is_ok();
    other.iter().filter(|value| contains(&value.0)).count()
}

/// True for consecutive numbers.
pub(super) fn consecutive(positions: &[f64]) -> bool {
    positions.windows(2).all(|pair| pair[1] == pair[0] + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Given<'a> = &'a [(f64, f64)];

    /// Rows as (epoch, training loss, validation loss).
    fn rows(train: Given<'_>, val: Given<'_>, unit: Unit) -> Vec<(f64, Option<f64>, Option<f64>)> {
        let figures = [(Field::TrainLoss, train.to_vec()), (Field::ValLoss, val.to_vec())];
        let rows = arrange(&figures.into(), unit);
        rows.iter().map(|row| (row.epoch, row.train_loss, row.val_loss)).collect()
    }

    #[test]
    fn an_epoch_without_validation_has_no_validation_loss() {
        let (train, val) =
            ([(1.0, 0.9), (2.0, 0.8), (3.0, 0.7), (4.0, 0.6)], [(2.0, 1.0), (4.0, 0.9)]);
        for unit in [Unit::Epochs, Unit::Steps, Unit::Rows] {
            let rows = rows(&train, &val, unit);
            let expected = [(1.0, Some(0.9), None), (2.0, Some(0.8), Some(1.0))];
            assert_eq!((rows.len(), &rows[..2]), (4, &expected[..]), "{unit:?}");
        }
    }

    #[test]
    fn an_epoch_ends_with_its_validation() {
        let (train, val) = ([(10.0, 1.0), (20.0, 0.5), (30.0, 0.25)], [(20.0, 0.75), (40.0, 0.5)]);
        let expected = [(1.0, Some(0.75), Some(0.75)), (2.0, Some(0.25), Some(0.5))];
        assert_eq!(rows(&train, &val, Unit::Steps), expected);
    }

    #[test]
    fn many_positions_per_validation_are_steps() {
        let train: Vec<(f64, f64)> = (0..60).map(|i| (f64::from(i), 1.0)).collect();
        let val: Vec<(f64, f64)> = (1..=3).map(|i| (f64::from(20 * i - 1), 2.0)).collect();
        let epochs: Vec<f64> = rows(&train, &val, Unit::Steps).iter().map(|row| row.0).collect();
        assert_eq!(epochs, [1.0, 2.0, 3.0]);
        assert_eq!(rows(&train, &val, Unit::Epochs).len(), 60);
    }

    #[test]
    fn alternating_training_and_validation_rows_make_epochs() {
        let (train, val) = ([(1.0, 0.9), (3.0, 0.8)], [(2.0, 1.0), (4.0, 0.9)]);
        let expected = [(1.0, Some(0.9), Some(1.0)), (2.0, Some(0.8), Some(0.9))];
        assert_eq!(rows(&train, &val, Unit::Rows), expected);
        // Hugging Face: fractions of epochs.
        let (train, val) =
            ([(0.4, 1.0), (0.8, 0.5), (1.2, 0.4), (1.6, 0.2)], [(1.0, 0.9), (2.0, 0.8)]);
        let found = rows(&train, &val, Unit::Epochs);
        assert_eq!((found[0], found[1].0), ((1.0, Some(0.75), Some(0.9)), 2.0));
    }

    #[test]
    fn a_training_that_ends_in_nan_keeps_its_last_epoch() {
        let (train, val) =
            ([(10.0, 1.0), (20.0, 0.5), (25.0, f64::NAN)], [(10.0, 0.7), (20.0, 0.6)]);
        let found = rows(&train, &val, Unit::Steps);
        assert!(found.len() == 3 && found[2].1.is_some_and(f64::is_nan), "{found:?}");
    }

    #[test]
    fn a_mean_leaves_out_a_single_nan() {
        assert_eq!(combine([1.0, f64::NAN, 2.0].into_iter(), true), Some(1.5));
        assert!(combine([1.0, f64::NAN].into_iter(), true).is_some_and(f64::is_nan));
        assert_eq!(combine([1.0, 3.0].into_iter(), false), Some(3.0));
        assert_eq!(combine([].into_iter(), true), None);
    }
}
