//! From figures over positions to one row an epoch: the same rules for every source.
//!
//! A position is the number of an epoch, of a step, or of a row, whichever the source has. Where
//! the losses stand at the same positions, each position is a row, and a figure that is not there
//! is missing. Where training is written down at other positions than validation, an epoch ends
//! with its validation: what was measured in training since the one before is averaged.

use std::collections::BTreeMap;

use super::{Row, columns::Field};

/// Figures over positions; the positions of each rise.
pub(super) type Figures = BTreeMap<Field, Vec<(f64, f64)>>;

/// What positions count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Clock {
    Epochs,
    /// Updates, or epochs under the name of steps.
    Steps,
    Rows,
}

/// Of positions that may be epochs or steps: validation in fewer than one of so many tells of
/// steps.
const SPARSE: usize = 5;

/// One row an epoch.
pub(super) fn arrange(figures: &Figures, clock: Clock) -> Vec<Row> {
    let of = |field| figures.get(&field).map_or(&[][..], |values| values);
    let (train, val) = (of(Field::TrainLoss), of(Field::ValLoss));
    let all = union(train, val);
    let apart = !train.is_empty() && !val.is_empty() && 2 * shared(train, val) < val.len();
    let steps = clock == Clock::Steps
        && !val.is_empty()
        && (all.len() > SPARSE * val.len() || !consecutive(&all));
    let marks = if apart || steps { val.iter().map(|value| value.0).collect() } else { all };
    let numbered = match clock {
        Clock::Epochs => true,
        Clock::Steps => consecutive(&marks),
        Clock::Rows => !apart,
    };
    let mut rows: Vec<Row> = (0..marks.len())
        .map(|i| {
            let from = i.checked_sub(1).map_or(f64::NEG_INFINITY, |before| marks[before]);
            let epoch = if numbered { marks[i] } else { i as f64 + 1.0 };
            row(figures, epoch, from, marks[i])
        })
        .collect();
    // An epoch that was not validated, because the loss was no number any more.
    if let (Some(end), Some(last)) = (marks.last(), rows.last())
        && train.last().is_some_and(|(at, loss)| at > end && !loss.is_finite())
    {
        rows.push(row(figures, last.epoch + 1.0, *end, f64::INFINITY));
    }
    rows
}

/// The figures after one position, up to another.
fn row(figures: &Figures, epoch: f64, after: f64, to: f64) -> Row {
    let figure = |field: Field| {
        let values = figures.get(&field)?;
        let first = values.partition_point(|value| value.0 <= after);
        let end = values.partition_point(|value| value.0 <= to);
        fold(values.get(first..end)?.iter().map(|value| value.1), field.is_of_training())
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

/// One value for several in order: their mean, or the last. A mean is of those that are finite,
/// unless the last one is not: a step that came to nothing is none, a training that did is.
pub(super) fn fold(values: impl DoubleEndedIterator<Item = f64>, mean: bool) -> Option<f64> {
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

/// How many positions stand in both.
fn shared(one: &[(f64, f64)], other: &[(f64, f64)]) -> usize {
    let stands = |at: &f64| one.binary_search_by(|value| value.0.total_cmp(at)).is_ok();
    other.iter().filter(|value| stands(&value.0)).count()
}

/// True of whole numbers that follow one another.
pub(super) fn consecutive(positions: &[f64]) -> bool {
    positions.windows(2).all(|pair| pair[1] == pair[0] + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Given<'a> = &'a [(f64, f64)];

    /// Rows as (epoch, training loss, validation loss).
    fn rows(
        train: Given<'_>,
        val: Given<'_>,
        clock: Clock,
    ) -> Vec<(f64, Option<f64>, Option<f64>)> {
        let figures = [(Field::TrainLoss, train.to_vec()), (Field::ValLoss, val.to_vec())];
        let rows = arrange(&figures.into(), clock);
        rows.iter().map(|row| (row.epoch, row.train_loss, row.val_loss)).collect()
    }

    #[test]
    fn an_epoch_without_validation_has_none() {
        let (train, val) =
            ([(1.0, 0.9), (2.0, 0.8), (3.0, 0.7), (4.0, 0.6)], [(2.0, 1.0), (4.0, 0.9)]);
        for clock in [Clock::Epochs, Clock::Steps, Clock::Rows] {
            let rows = rows(&train, &val, clock);
            let expected = [(1.0, Some(0.9), None), (2.0, Some(0.8), Some(1.0))];
            assert_eq!((rows.len(), &rows[..2]), (4, &expected[..]), "{clock:?}");
        }
    }

    #[test]
    fn steps_between_two_validations_make_an_epoch() {
        let (train, val) = ([(10.0, 1.0), (20.0, 0.5), (30.0, 0.25)], [(20.0, 0.75), (40.0, 0.5)]);
        let expected = [(1.0, Some(0.75), Some(0.75)), (2.0, Some(0.25), Some(0.5))];
        assert_eq!(rows(&train, &val, Clock::Steps), expected);
    }

    #[test]
    fn many_steps_in_a_row_are_no_epochs() {
        let train: Vec<(f64, f64)> = (0..60).map(|i| (f64::from(i), 1.0)).collect();
        let val: Vec<(f64, f64)> = (1..=3).map(|i| (f64::from(20 * i - 1), 2.0)).collect();
        let epochs: Vec<f64> = rows(&train, &val, Clock::Steps).iter().map(|row| row.0).collect();
        assert_eq!(epochs, [1.0, 2.0, 3.0]);
        assert_eq!(rows(&train, &val, Clock::Epochs).len(), 60);
    }

    #[test]
    fn lines_of_training_and_of_validation_by_turns_are_halves_of_epochs() {
        let (train, val) = ([(1.0, 0.9), (3.0, 0.8)], [(2.0, 1.0), (4.0, 0.9)]);
        let expected = [(1.0, Some(0.9), Some(1.0)), (2.0, Some(0.8), Some(0.9))];
        assert_eq!(rows(&train, &val, Clock::Rows), expected);
        // Hugging Face: epochs with their fractions.
        let (train, val) =
            ([(0.4, 1.0), (0.8, 0.5), (1.2, 0.4), (1.6, 0.2)], [(1.0, 0.9), (2.0, 0.8)]);
        let found = rows(&train, &val, Clock::Epochs);
        assert_eq!((found[0], found[1].0), ((1.0, Some(0.75), Some(0.9)), 2.0));
    }

    #[test]
    fn a_training_that_ends_in_nothing_does_so_without_a_validation_too() {
        let (train, val) =
            ([(10.0, 1.0), (20.0, 0.5), (25.0, f64::NAN)], [(10.0, 0.7), (20.0, 0.6)]);
        let found = rows(&train, &val, Clock::Steps);
        assert!(found.len() == 3 && found[2].1.is_some_and(f64::is_nan), "{found:?}");
    }

    #[test]
    fn one_step_that_came_to_nothing_is_left_out() {
        assert_eq!(fold([1.0, f64::NAN, 2.0].into_iter(), true), Some(1.5));
        assert!(fold([1.0, f64::NAN].into_iter(), true).is_some_and(f64::is_nan));
        assert_eq!(fold([1.0, 3.0].into_iter(), false), Some(3.0));
        assert_eq!(fold([].into_iter(), true), None);
    }
}
