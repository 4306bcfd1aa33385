//! Removes placeholders from the losses: 0 or -1 in a validation loss that is otherwise far from
//! it, and blanks of pandas.
//!
//! A loss that truly reaches 0 passes through small values first; placeholders stand beside large
//! ones.

use std::collections::{BTreeMap, BTreeSet};

use super::{Note, columns::Field, figures::Series};

/// Removes a NaN loss if another row of the same epoch has the number: pandas writes NaN for the
/// empty cells of a loss that has rows of its own. In a table of one figure, or beside a number of
/// the same part, NaN is a value.
pub(super) fn remove_blanks(all: &mut [Series<u32>]) {
    let is_figure = |series: &&Series<u32>| {
        !matches!(
            series.column.field,
            Field::Epoch | Field::Step | Field::LearningRate | Field::GradNorm
        )
    };
    if all.iter().filter(is_figure).count() < 2 {
        return;
    }
    let find = |field| all.iter().find(|series| series.column.field == field);
    let epochs: BTreeMap<u32, u64> = find(Field::Epoch)
        .map(|series| series.values.iter().map(|(row, epoch)| (*row, epoch.to_bits())).collect())
        .unwrap_or_default();
    let rows = |field| -> BTreeSet<u32> {
        find(field).into_iter().flat_map(|series| &series.values).map(|value| value.0).collect()
    };
    // Accuracies that are not finite are missing already.
    let beside = [rows(Field::TrainAccuracy), rows(Field::ValAccuracy)];
    for series in all.iter_mut().filter(|series| series.column.field.is_loss()) {
        let beside = &beside[usize::from(series.column.field == Field::ValLoss)];
        let numbers = series.values.iter().filter(|value| !value.1.is_nan());
        let known: BTreeSet<u64> =
            numbers.filter_map(|(row, _)| epochs.get(row).copied()).collect();
        let blank = |row: &u32| {
            !beside.contains(row) && epochs.get(row).is_some_and(|epoch| known.contains(epoch))
        };
        series.values.retain(|(row, loss)| !(loss.is_nan() && blank(row)));
    }
}

/// A loss above this is far from 0.
const FAR_FROM_ZERO: f64 = 1e-3;
/// The neighbours of a true 0 are below this share of the largest loss.
const MAX_NEIGHBOUR_SHARE: f64 = 0.1;

/// Removes placeholders from the validation loss and returns a note about them.
pub(super) fn remove_placeholders<P: Copy + PartialEq>(all: &mut Vec<Series<P>>) -> Option<Note> {
    let find = |field| all.iter().position(|series| series.column.field == field);
    let val = find(Field::ValLoss)?;
    let train_is_far = find(Field::TrainLoss)
        .is_some_and(|train| all[train].values.iter().all(|v| v.1 > FAR_FROM_ZERO));
    let series = &mut all[val];
    let value = placeholder(&series.values, train_is_far)?;
    let before = series.values.len();
    series.values.retain(|(_, loss)| *loss != value);
    let (column, count) = (series.name.clone(), before - series.values.len());
    all.retain(|series| !series.values.is_empty());
    Some(Note::NotMeasured { column, value, count })
}

/// Finds the value of the placeholders.
fn placeholder<P>(values: &[(P, f64)], train_is_far: bool) -> Option<f64> {
    let losses = || values.iter().map(|value| value.1).filter(|loss| !loss.is_nan());
    let value = losses().find(|loss| *loss <= 0.0 && loss.is_finite())?;
    let count = losses().filter(|loss| *loss == value).count();
    let others = || losses().filter(|loss| *loss != value);
    if others().next().is_none() {
        return (count > 1 && train_is_far).then_some(value);
    }
    if others().any(|loss| loss <= FAR_FROM_ZERO) {
        return None;
    }
    // A loss that can be negative hardly reaches the same value twice.
    let plausible = value == 0.0 || value == -1.0 || count > 1;
    let max = others().filter(|loss| loss.is_finite()).fold(0.0, f64::max);
    let all: Vec<f64> = losses().collect();
    let far = all.windows(2).any(|pair| match pair {
        [a, b] if *a == value => *b != value && *b > MAX_NEIGHBOUR_SHARE * max,
        [a, b] => *b == value && *a > MAX_NEIGHBOUR_SHARE * max,
        _ => false,
    });
    (plausible && far).then_some(value)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::super::{Note, parse};

    #[test]
    fn keeps_nan_of_a_training_that_diverges_within_its_last_epoch() {
        let one = "epoch,step,train_loss\n0,1,2\n0,2,1.5\n1,3,1.2\n1,4,nan\n";
        let beside = "epoch,step,train_loss,train_acc\n0,1,2,0\n0,2,1.5,0\n1,3,1.2,0\n1,4,nan,0\n";
        for text in [one, beside] {
            let rows = parse(text.as_bytes(), "h").unwrap().epochs;
            assert!(rows[1].train_loss.unwrap().is_nan(), "{text}");
        }
        // NaN in the row of a validation is a blank.
        let blank = "epoch,train_loss,val_acc\n0,0.9,NaN\n0,NaN,0.5\n1,0.8,NaN\n1,NaN,0.6\n";
        let rows = parse(blank.as_bytes(), "h").unwrap().epochs;
        assert_eq!(rows[1].train_loss, Some(0.8));
    }

    /// The remaining validation losses, and the placeholder.
    fn clean(losses: &[f64]) -> (Vec<Option<f64>>, Option<f64>) {
        let mut text = "epoch,train_loss,val_loss\n".to_owned();
        for (i, loss) in losses.iter().enumerate() {
            writeln!(text, "{i},0.5,{loss}").unwrap();
        }
        let history = parse(text.as_bytes(), "h").unwrap();
        let value = history.notes.iter().find_map(|note| match note {
            Note::NotMeasured { value, .. } => Some(*value),
            _ => None,
        });
        (history.epochs.iter().map(|row| row.val_loss).collect(), value)
    }

    #[test]
    fn removes_placeholders() {
        for placeholder in [0.0, -1.0, -7.0] {
            let (rows, value) = clean(&[2.0, placeholder, 1.5, placeholder, 1.2, placeholder]);
            assert_eq!(rows, [Some(2.0), None, Some(1.5), None, Some(1.2), None]);
            assert_eq!(value, Some(placeholder));
        }
        assert_eq!(clean(&[0.0, 0.0, 1.5, 1.2]).1, Some(0.0), "before the first validation");
        assert_eq!(clean(&[0.0, 0.0, 0.0]), (vec![None; 3], Some(0.0)), "never validated");
    }

    #[test]
    fn a_blank_of_pandas_is_not_divergence() {
        let text = "epoch,train/loss,val/loss\n0,0.9,NaN\n0,NaN,0.8\n1,0.7,NaN\n1,NaN,0.6\n2,NaN,NaN\n2,NaN,0.5\n";
        let rows = parse(text.as_bytes(), "h").unwrap().epochs;
        let losses: Vec<_> = rows.iter().map(|row| (row.train_loss, row.val_loss)).collect();
        assert_eq!(losses[..2], [(Some(0.9), Some(0.8)), (Some(0.7), Some(0.6))]);
        // In the last epoch no row has a number.
        assert!(losses[2].0.is_some_and(f64::is_nan) && losses[2].1 == Some(0.5), "{losses:?}");
    }

    #[test]
    fn keeps_a_loss_that_reaches_zero() {
        for losses in [
            &[2.0, 0.5, 0.1, 0.01, 0.0, 0.0][..],
            &[2.0, 0.3, 0.0004, 0.0, 0.0003],
            &[0.69, 0.1, 0.02, 0.01, 0.0, 0.01, 0.0],
            &[0.5, 0.1, -0.2, -0.5],
            &[2.0, 1.0, -0.37],
            &[-1.0, -2.0, -1.0],
        ] {
            assert_eq!(clean(losses).1, None, "{losses:?}");
        }
    }
}
