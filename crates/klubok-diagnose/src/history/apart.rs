//! Rows of one epoch that a column without a meaning of its own tells apart, such as `is_train` or
//! `model`: they are of two parts or trainings, and the mean of their losses is nothing.

use twox_hash::XxHash3_128;

use super::{
    HistoryError,
    columns::{Field, words},
    figures::Series,
    labels::Label,
    place::Place,
    short,
};

/// Columns and rows that are looked at: the first ones tell.
const COLUMNS: usize = 16;
const ROWS: u32 = 10_000;

/// Columns that may tell rows apart.
#[derive(Default)]
pub(super) struct Apart {
    columns: Vec<Column>,
}

struct Column {
    name: String,
    cells: Vec<Cell>,
}

/// A cell: its row, its hash and how it begins.
type Cell = (u32, u128, String);

impl Apart {
    /// Takes in the name of a column.
    pub(super) fn column(&mut self, label: Label, name: &str) {
        if matches!(label, Label::Part(i) if i == self.columns.len() && i < COLUMNS) {
            self.columns.push(Column { name: short(name), cells: Vec::new() });
        }
    }

    /// Whether a cell of this column and row is looked at.
    pub(super) fn wants(&self, label: Label, row: u32) -> bool {
        matches!(label, Label::Part(i) if i < self.columns.len() && row < ROWS)
    }

    /// Takes in a cell.
    pub(super) fn cell(&mut self, label: Label, row: u32, text: &str) {
        if let Label::Part(i) = label
            && self.wants(label, row)
        {
            let text = text.trim();
            self.columns[i].cells.push((row, XxHash3_128::oneshot(text.as_bytes()), short(text)));
        }
    }

    /// Checks that no column tells the rows of each epoch apart.
    ///
    /// # Errors
    /// [`HistoryError::Apart`].
    pub(super) fn check(
        mut self,
        series: &[Series<u32>],
        places: &[Place],
        path: &str,
    ) -> Result<(), HistoryError> {
        let of = |field| series.iter().find(|series| series.column.field == field);
        let Some(losses) = of(Field::TrainLoss) else { return Ok(()) };
        if places.iter().any(|place| place.step.is_some()) {
            return Ok(());
        }
        if let Some(rates) = of(Field::LearningRate) {
            let text =
                |(row, rate): &(u32, f64)| (*row, u128::from(rate.to_bits()), rate.to_string());
            let cells = rates.values.iter().take(ROWS as usize).map(text).collect();
            self.columns.push(Column { name: rates.name.clone(), cells });
        }
        let rows = losses.values.iter().map(|value| value.0).take_while(|row| *row < ROWS);
        let rows: Vec<u32> = rows.filter(|row| places[*row as usize].epoch.is_some()).collect();
        let same = |a: &u32, b: &u32| places[*a as usize].epoch == places[*b as usize].epoch;
        let mut epochs: Vec<&[u32]> = rows.chunk_by(same).collect();
        // The last epoch may be under way.
        if epochs.len() > 2 {
            epochs.pop();
        }
        for Column { name: column, cells } in self.columns {
            if counts_pieces(&column) {
                continue;
            }
            if let Some((one, other)) = told_apart(&epochs, &cells) {
                return Err(HistoryError::Apart { path: path.to_owned(), column, one, other });
            }
        }
        Ok(())
    }
}

/// Whether a name says that the column counts the pieces of an epoch.
fn counts_pieces(name: &str) -> bool {
    let words = words(name);
    let has = |names: &[&str]| words.split_whitespace().any(|word| names.contains(&word));
    has(&["batch", "batches", "minibatch", "iter", "iteration", "step"]) && !has(&["size"])
}

/// Two of the values that the rows of every epoch have: each has all of them once, and they do not
/// count.
fn told_apart(epochs: &[&[u32]], cells: &[Cell]) -> Option<(String, String)> {
    let cell = |row: &u32| cells.binary_search_by_key(row, |cell| cell.0).ok().map(|at| &cells[at]);
    let of = |rows: &[u32]| rows.iter().map(cell).collect::<Option<Vec<&Cell>>>();
    let hashes = |cells: &[&Cell]| {
        let mut hashes: Vec<u128> = cells.iter().map(|cell| cell.1).collect();
        hashes.sort_unstable();
        hashes
    };
    let first = of(epochs.first()?)?;
    let expected = hashes(&first);
    let [one, other, rest @ ..] = &first[..] else { return None };
    let distinct = expected.windows(2).all(|pair| pair[0] != pair[1]);
    let again =
        epochs.iter().skip(1).all(|rows| of(rows).is_some_and(|of| hashes(&of) == expected));
    // From 0 or 1 on, whatever the steps: pieces of an epoch.
    let numbers = first.iter().map(|cell| cell.2.parse::<f64>().ok()).collect::<Option<Vec<f64>>>();
    let counts = numbers.is_some_and(|numbers| {
        let begins = numbers[0] == 0.0 || numbers[0] == 1.0;
        begins && !rest.is_empty() && numbers.windows(2).all(|pair| pair[0] < pair[1])
    });
    (epochs.len() > 1 && distinct && again && !counts).then(|| (one.2.clone(), other.2.clone()))
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::super::{parse, tests::losses};

    fn table(head: &str, values: &[&str]) -> String {
        let mut text = format!("epoch,{head},loss\n");
        for epoch in 0..5 {
            for (i, value) in values.iter().enumerate() {
                writeln!(text, "{epoch},{value},{}", 5 - epoch + i).unwrap();
            }
        }
        text
    }

    #[test]
    fn rows_that_a_column_tells_apart_are_not_averaged() {
        for (head, values) in [
            ("is_train", &["1", "0"][..]),
            ("typ", &["T", "V"]),
            ("net", &["a_name_that_is_rather_long_1", "a_name_that_is_rather_long_2"]),
            ("lr", &["0.1", "0.01", "0.001"]),
            ("hidden", &["64", "128", "256"]),
            ("batch_size", &["16", "32"]),
        ] {
            let error = parse(table(head, values).as_bytes(), "h").unwrap_err().to_string();
            let words = format!("its column `{head}` tells apart");
            assert!(error.contains(&words), "{error}");
        }
    }

    #[test]
    fn pieces_of_an_epoch_are() {
        let counted = ["0", "1", "2", "3"];
        assert_eq!(losses(&table("i", &counted))[0], (0.0, Some(6.5), None));
        for (head, values) in [
            ("note", &["x", "x"][..]),
            ("i", &["0", "100", "200", "234"]),
            ("batch_idx", &["50", "100"]),
        ] {
            assert_eq!(losses(&table(head, values)).len(), 5, "{head}");
        }
        // What differs from epoch to epoch tells nothing.
        let mut text = "epoch,seconds,loss\n".to_owned();
        (0..10).for_each(|i| writeln!(text, "{},{}.5,1", i / 2, i).unwrap());
        assert_eq!(losses(&text).len(), 5);
    }
}
