//! Accuracies in percent become shares of 1.
//!
//! No share is above 1, so a column that has more is in percent. One that has not may be either: a
//! share as it should be, or, beside a column in percent, that of a network that is no better than
//! a guess among a hundred classes. Both are in one unit nearly always, but not always, and a wrong
//! guess is an accuracy that is a hundred times too large or too small; so the second column is
//! then left out, and that is said.

use super::{Note, columns::Field, figures::Series};

/// The largest share, as it comes out of sums that are rounded.
const LARGEST: f64 = 1.001;

/// Makes shares of percentages, and takes away what may be either.
pub(super) fn take_percent<P>(all: &mut Vec<Series<P>>) -> Option<Note> {
    let most = |series: &Series<P>| match series.column.field {
        Field::TrainAccuracy | Field::ValAccuracy => {
            series.values.iter().map(|value| value.1).fold(0.0, f64::max)
        }
        _ => 0.0,
    };
    let percent = all.iter().find(|series| most(series) > LARGEST);
    let Some(percent) = percent.map(|series| series.name.clone()) else {
        round(all);
        return None;
    };
    // Nothing right is nothing in either unit.
    let unsaid =
        all.iter().position(|series| (f64::MIN_POSITIVE..=LARGEST).contains(&most(series)));
    let note = unsaid.map(|at| Note::UnitUnsaid { column: all.remove(at).name, percent });
    for series in all.iter_mut().filter(|series| most(series) > LARGEST) {
        series.values.iter_mut().for_each(|value| value.1 /= 100.0);
    }
    round(all);
    note
}

/// Makes 1 of what is more by rounding.
fn round<P>(all: &mut [Series<P>]) {
    let is_share = |field| matches!(field, Field::TrainAccuracy | Field::ValAccuracy);
    let shares = all.iter_mut().filter(|series| is_share(series.column.field));
    shares.flat_map(|series| &mut series.values).for_each(|value| value.1 = value.1.min(1.0));
}

#[cfg(test)]
mod tests {
    use super::super::{History, Note, parse};

    fn read(rows: &str) -> History {
        let text = format!("epoch,loss,val_loss,acc,val_acc\n{rows}");
        parse(text.as_bytes(), "h").unwrap()
    }

    fn accuracies(history: &History) -> Vec<(Option<f64>, Option<f64>)> {
        history.epochs.iter().map(|row| (row.train_accuracy, row.val_accuracy)).collect()
    }

    #[test]
    fn percentages_become_shares() {
        let history = read("1,1,1,5,1.0\n2,1,1,20,1.5\n");
        assert_eq!(accuracies(&history), [(Some(0.05), Some(0.01)), (Some(0.2), Some(0.015))]);
        let history = read("1,1,1,0.5,1.0000001\n2,1,1,1,0.5\n");
        assert_eq!(accuracies(&history)[0], (Some(0.5), Some(1.0)), "a share that is rounded");
        let history = read("1,1,1,5,0\n2,1,1,20,0\n");
        assert_eq!(accuracies(&history)[1], (Some(0.2), Some(0.0)));
        assert!(history.notes.is_empty());
    }

    #[test]
    fn what_may_be_a_share_or_a_percentage_is_neither() {
        let history = read("1,1,1,5,0.9\n2,1,1,20,1.0\n");
        assert_eq!(accuracies(&history), [(Some(0.05), None), (Some(0.2), None)]);
        let (column, percent) = ("val_acc".to_owned(), "acc".to_owned());
        assert_eq!(history.notes, [Note::UnitUnsaid { column, percent }]);
    }
}
