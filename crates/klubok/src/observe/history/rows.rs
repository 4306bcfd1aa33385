//! From cells in the order of a file to one row an epoch.

use super::{
    History, HistoryError, Row,
    columns::{Column, Field, meaning},
};

/// The columns of a source that mean something to us.
pub(super) struct Columns {
    names: Vec<String>,
    /// What each column of the source is; none where it is of no use.
    known: Vec<Option<Column>>,
}

impl Columns {
    /// Chooses among the names of the columns: one for each figure.
    ///
    /// # Errors
    /// When there is no loss among them.
    pub(super) fn new(names: Vec<String>, path: &str) -> Result<Self, HistoryError> {
        let mut known: Vec<Option<Column>> = names.iter().map(|name| meaning(name)).collect();
        let best = |known: &[Option<Column>], field| {
            known.iter().flatten().filter(|c| c.field == field).map(|c| c.rank).min()
        };
        for i in 0..known.len() {
            let Some(Column { field, rank, .. }) = known[i] else { continue };
            let earlier = known[..i].iter().flatten().any(|c| c.field == field && c.rank == rank);
            if earlier || best(&known, field) < Some(rank) {
                known[i] = None;
            }
        }
        let is_loss = |c: &Column| matches!(c.field, Field::TrainLoss | Field::ValLoss);
        if !known.iter().flatten().any(is_loss) {
            let mut columns: Vec<String> = names.iter().take(8).map(|name| short(name)).collect();
            if names.len() > columns.len() {
                columns.push("...".to_owned());
            }
            return Err(HistoryError::NoLoss {
                path: path.to_owned(),
                columns: columns.join(", "),
            });
        }
        Ok(Self { names, known })
    }
}

/// Gathers cells into epochs.
pub(super) struct Rows<'a> {
    path: &'a str,
    columns: &'a Columns,
    done: Vec<Row>,
    /// The epoch under way, how many values each mean has, and whether it had whole rows.
    current: Option<(Row, [u32; 7], bool)>,
    row: u64,
}

impl<'a> Rows<'a> {
    pub(super) fn new(columns: &'a Columns, path: &'a str) -> Self {
        Self { path, columns, done: Vec::new(), current: None, row: 0 }
    }

    /// Adds a row of the source; an empty cell is none.
    ///
    /// # Errors
    /// When a cell is no number, or the epoch does not follow.
    pub(super) fn add<'c>(
        &mut self,
        cells: impl Iterator<Item = &'c str>,
    ) -> Result<(), HistoryError> {
        self.row += 1;
        let columns = self.columns;
        let mut epoch = None;
        let mut values: Vec<(Column, f64)> = Vec::new();
        for ((cell, column), name) in cells.zip(&columns.known).zip(&columns.names) {
            let (Some(column), cell) = (column, cell.trim()) else { continue };
            if cell.is_empty() || ["none", "null", "-"].contains(&cell.to_lowercase().as_str()) {
                continue;
            }
            let wrong = || HistoryError::Cell {
                path: self.path.to_owned(),
                row: self.row,
                column: short(name),
                value: short(cell),
            };
            let value: f64 = cell.parse().map_err(|_| wrong())?;
            match column.field {
                Field::Epoch if !value.is_finite() => return Err(wrong()),
                Field::Epoch => epoch = Some(value),
                _ => values.push((*column, value)),
            }
        }
        if values.is_empty() {
            return Ok(());
        }
        self.turn_to(epoch)?;
        let Some((row, counts, whole)) = &mut self.current else { return Ok(()) };
        let has = |field| values.iter().any(|(column, _)| column.field == field);
        if has(Field::TrainLoss) && has(Field::ValLoss) {
            if *whole {
                let (path, epoch) = (self.path.to_owned(), row.epoch);
                return Err(HistoryError::Twice { path, epoch });
            }
            *whole = true;
        }
        for (column, value) in values {
            let count = &mut counts[column.field as usize];
            *count = if column.mean { *count + 1 } else { 1 };
            let place = place(row, column.field);
            let mean = |before: f64| before + (value - before) / f64::from(*count);
            *place = Some(if *count == 1 { value } else { place.map_or(value, mean) });
        }
        Ok(())
    }

    /// Makes `epoch` the current one; a row without one belongs to the current one, and in a source
    /// without epochs each row is the next.
    fn turn_to(&mut self, epoch: Option<f64>) -> Result<(), HistoryError> {
        let columns = self.columns.known.iter().flatten();
        let numbered = columns.into_iter().any(|column| column.field == Field::Epoch);
        let current = self.current.as_ref().map(|(row, ..)| row.epoch);
        let epoch = match (epoch, current) {
            (None, Some(current)) if numbered => current,
            (None, _) => self.done.len() as f64 + f64::from(u8::from(current.is_some())) + 1.0,
            (Some(epoch), _) => epoch,
        };
        match current {
            Some(before) if epoch < before => {
                let path = self.path.to_owned();
                return Err(HistoryError::Order { path, before, after: epoch });
            }
            Some(before) if epoch == before => return Ok(()),
            _ => {}
        }
        self.done.extend(self.current.take().map(|(row, ..)| row));
        self.current = Some((Row { epoch, ..Row::default() }, [0; 7], false));
        Ok(())
    }

    /// The history of all rows. Accuracies above 1 are percentages.
    pub(super) fn finish(mut self) -> History {
        self.done.extend(self.current.take().map(|(row, ..)| row));
        let mut epochs = self.done;
        for field in [Field::TrainAccuracy, Field::ValAccuracy] {
            let percent = epochs.iter_mut().any(|row| place(row, field).is_some_and(|a| a > 1.5));
            for row in epochs.iter_mut().filter(|_| percent) {
                let share = place(row, field);
                *share = share.map(|percent| percent / 100.0);
            }
        }
        History { epochs, ended: true, ..History::default() }
    }
}

fn place(row: &mut Row, field: Field) -> &mut Option<f64> {
    match field {
        Field::TrainLoss => &mut row.train_loss,
        Field::ValLoss => &mut row.val_loss,
        Field::TrainAccuracy => &mut row.train_accuracy,
        Field::ValAccuracy => &mut row.val_accuracy,
        Field::GradNorm => &mut row.grad_norm,
        Field::Epoch | Field::LearningRate => &mut row.learning_rate,
    }
}

/// What stands in a message: without control characters, at most 24 characters.
fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(24).collect()
}
