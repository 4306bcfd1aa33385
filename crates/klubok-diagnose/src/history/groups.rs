//! Finds a column of unknown meaning that distinguishes the rows of every epoch, such as `is_train`
//! or `model`. Its groups are parts or trainings, and a mean over them means nothing.

use twox_hash::XxHash3_128;

use super::{
    HistoryError,
    columns::{Field, words},
    figures::Series,
    row_info::RowInfo,
    short,
    text_columns::TextColumn,
};

/// Maximum number of columns to inspect.
const MAX_COLUMNS: usize = 16;
/// Maximum number of rows to inspect.
const MAX_ROWS: u32 = 10_000;

/// Columns that may distinguish groups of rows.
#[derive(Default)]
pub(super) struct GroupColumns {
    columns: Vec<Column>,
}

struct Column {
    name: String,
    cells: Vec<Cell>,
}

/// A cell: its row, its hash and its first characters.
type Cell = (u32, u128, String);

impl GroupColumns {
    /// Adds a column.
    pub(super) fn column(&mut self, column: TextColumn, name: &str) {
        if matches!(column, TextColumn::Part(i) if i == self.columns.len() && i < MAX_COLUMNS) {
            self.columns.push(Column { name: short(name), cells: Vec::new() });
        }
    }

    /// True if a cell of this column and row is of interest.
    pub(super) fn wants(&self, column: TextColumn, row: u32) -> bool {
        matches!(column, TextColumn::Part(i) if i < self.columns.len() && row < MAX_ROWS)
    }

    /// Adds a cell.
    pub(super) fn cell(&mut self, column: TextColumn, row: u32, text: &str) {
        if let TextColumn::Part(i) = column
            && self.wants(column, row)
        {
            let text = text.trim();
            self.columns[i].cells.push((row, XxHash3_128::oneshot(text.as_bytes()), short(text)));
        }
    }

    /// Checks that no column distinguishes the rows of every epoch.
    ///
    /// # Errors
    /// [`HistoryError::UnknownGroups`].
    pub(super) fn check(
        mut self,
        series: &[Series<u32>],
        infos: &[RowInfo],
        path: &str,
    ) -> Result<(), HistoryError> {
        let find = |field| series.iter().find(|series| series.column.field == field);
        let Some(losses) = find(Field::TrainLoss) else { return Ok(()) };
        if infos.iter().any(|info| info.step.is_some()) {
            return Ok(());
        }
        if let Some(rates) = find(Field::LearningRate) {
            let text =
                |(row, rate): &(u32, f64)| (*row, u128::from(rate.to_bits()), rate.to_string());
            let cells = rates.values.iter().take(MAX_ROWS as usize).map(text).collect();
            self.columns.push(Column { name: rates.name.clone(), cells });
        }
        let rows = losses.values.iter().map(|value| value.0).take_while(|row| *row < MAX_ROWS);
        let rows: Vec<u32> = rows.filter(|row| infos[*row as usize].epoch.is_some()).collect();
        let same = |a: &u32, b: &u32| infos[*a as usize].epoch == infos[*b as usize].epoch;
        let mut epochs: Vec<&[u32]> = rows.chunk_by(same).collect();
        // The last epoch may be incomplete.
        if epochs.len() > 2 {
            epochs.pop();
        }
        for Column { name: column, cells } in self.columns {
            if counts_batches(&column) {
                continue;
            }
            if let Some((one, other)) = find_groups(&epochs, &cells) {
                return Err(HistoryError::UnknownGroups {
                    path: path.to_owned(),
                    column,
                    one,
                    other,
                });
            }
        }
        Ok(())
    }
}

/// True if the name means that the column counts batches or steps.
fn counts_batches(name: &str) -> bool {
    let words = words(name);
    let has = |names: &[&str]| words.split_whitespace().any(|word| names.contains(&word));
    has(&["batch", "batches", "minibatch", "iter", "iteration", "step"]) && !has(&["size"])
}

/// Returns two values of the column if every epoch has the same distinct values, once each, and
/// they do not count steps.
fn find_groups(epochs: &[&[u32]], cells: &[Cell]) -> Option<(String, String)> {
    let cell = |row: &u32| cells.binary_search_by_key(row, |cell| cell.0).ok().map(|at| &cells[at]);
    let cells_of = |rows: &[u32]| rows.iter().map(cell).collect::<Option<Vec<&Cell>>>();
    let hashes = |cells: &[&Cell]| {
        let mut hashes: Vec<u128> = cells.iter().map(|cell| cell.1).collect();
        hashes.sort_unstable();
        hashes
    };
    let first = cells_of(epochs.first()?)?;
    let expected = hashes(&first);
    let [one, other, rest @ ..] = &first[..] else { return None };
    let distinct = expected.windows(2).all(|pair| pair[0] != pair[1]);
    let repeats = epochs
        .iter()
        .skip(1)
        .all(|rows| cells_of(rows).is_some_and(|cells| hashes(&cells) == expected));
    // Increasing numbers from 0 or 1 on count steps.
    let numbers = first.iter().map(|cell| cell.2.parse::<f64>().ok()).collect::<Option<Vec<f64>>>();
    let counts = numbers.is_some_and(|numbers| {
        let begins = numbers[0] == 0.0 || numbers[0] == 1.0;
        begins && !rest.is_empty() && numbers.windows(2).all(|pair| pair[0] < pair[1])
    });
    (epochs.len() > 1 && distinct && repeats && !counts).then(|| (one.2.clone(), other.2.clone()))
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
    fn refuses_a_column_that_distinguishes_the_rows_of_every_epoch() {
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
    fn averages_rows_that_count_batches() {
        let counted = ["0", "1", "2", "3"];
        assert_eq!(losses(&table("i", &counted))[0], (0.0, Some(6.5), None));
        for (head, values) in [
            ("note", &["x", "x"][..]),
            ("i", &["0", "100", "200", "234"]),
            ("batch_idx", &["50", "100"]),
        ] {
            assert_eq!(losses(&table(head, values)).len(), 5, "{head}");
        }
        // Values that differ between epochs do not matter.
        let mut text = "epoch,seconds,loss\n".to_owned();
        (0..10).for_each(|i| writeln!(text, "{},{}.5,1", i / 2, i).unwrap());
        assert_eq!(losses(&text).len(), 5);
    }
}
