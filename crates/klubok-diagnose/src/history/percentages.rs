//! Converts accuracies in percent to shares of 1.
//!
//! A column with a value above 1 is in percent. Any other column is a share, or, beside a column in
//! percent, possibly a percentage at the chance level of a hundred classes. Both columns nearly
//! always have one unit, but not always, and the wrong unit is an error of a factor of a hundred.
//! So the second column is left out, with a note.

use super::{Note, columns::Field, figures::Series};

/// The largest share, with room for rounding.
const MAX_SHARE: f64 = 1.001;

/// Converts percentages to shares, and removes a series that may be either.
pub(super) fn convert_percentages<P>(all: &mut Vec<Series<P>>) -> Option<Note> {
    let max = |series: &Series<P>| match series.column.field {
        Field::TrainAccuracy | Field::ValAccuracy => {
            series.values.iter().map(|value| value.1).fold(0.0, f64::max)
        }
        _ => 0.0,
    };
    let percent = all.iter().find(|series| max(series) > MAX_SHARE);
    let Some(percent) = percent.map(|series| series.name.clone()) else {
        limit_to_one(all);
        return None;
    };
    // An accuracy of 0 is the same in both units.
    let ambiguous =
        all.iter().position(|series| (f64::MIN_POSITIVE..=MAX_SHARE).contains(&max(series)));
    let note = ambiguous.map(|at| Note::UnknownUnit { column: all.remove(at).name, percent });
    for series in all.iter_mut().filter(|series| max(series) > MAX_SHARE) {
        series.values.iter_mut().for_each(|value| value.1 /= 100.0);
    }
    limit_to_one(all);
    note
}

/// Limits shares to 1, which rounding may exceed.
fn limit_to_one<P>(all: &mut [Series<P>]) {
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
        assert_eq!(accuracies(&history)[0], (Some(0.5), Some(1.0)), "a rounded share");
        let history = read("1,1,1,5,0\n2,1,1,20,0\n");
        assert_eq!(accuracies(&history)[1], (Some(0.2), Some(0.0)));
        assert!(history.notes.is_empty());
    }

    #[test]
    fn leaves_out_a_share_that_may_be_a_percentage() {
        let history = read("1,1,1,5,0.9\n2,1,1,20,1.0\n");
        assert_eq!(accuracies(&history), [(Some(0.05), None), (Some(0.2), None)]);
        let (column, percent) = ("val_acc".to_owned(), "acc".to_owned());
        assert_eq!(history.notes, [Note::UnknownUnit { column, percent }]);
    }
}
