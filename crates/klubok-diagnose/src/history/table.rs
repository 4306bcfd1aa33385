//! Turns a table from CSV or JSON into figures over epochs, steps or rows.
//!
//! One epoch may have several rows, each with empty cells (Lightning). In a source with epochs, a
//! row without one belongs to the current epoch, or to the next one if its step comes after the
//! current epoch's steps.

use std::collections::BTreeMap;

use klubok_data::part::{MAX_NAME_BYTES, Part};

use super::{
    History, HistoryError, MAX_FIGURES, Note, Row,
    cells::{number, valid},
    columns::{Field, meaning, names_part},
    figures::{Chosen, Series, choose},
    groups::GroupColumns,
    no_loss,
    parts::{by_parts, epochs_by_count, sort_by_epoch},
    percentages::convert_percentages,
    placeholders::{remove_blanks, remove_placeholders},
    row_info::{RowInfo, SourceFile},
    rows::{Figures, Unit, arrange, combine},
    short,
    steps::{Point, by_steps, is_by_steps},
    text_columns::{TextColumn, TextColumns},
};

/// Maximum number of rows.
const MAX_ROWS: usize = 2_000_000;
/// Maximum number of columns.
const MAX_COLUMNS: usize = 1_000_000;

/// A table under construction, from one file or from one file per part.
pub(super) struct Table<'a> {
    path: &'a str,
    /// The first few column names.
    names: Vec<String>,
    /// Values of the columns with figures, by row.
    series: Vec<Series<u32>>,
    text_columns: TextColumns,
    groups: GroupColumns,
    /// Columns of the files before this one, by name in lower case.
    earlier: BTreeMap<String, Slot>,
    /// Columns of this file.
    columns: Vec<(String, Slot)>,
    files: Vec<SourceFile>,
    column_count: usize,
    rows: u32,
    figures: usize,
    /// True if a file has an incomplete last row, which is left out.
    pub(super) truncated: bool,
}

/// The destination of a column's cells.
#[derive(Debug, Clone, Copy)]
pub(super) enum Slot {
    Figure(usize),
    Text(TextColumn),
    Ignored,
}

impl<'a> Table<'a> {
    pub(super) fn new(path: &'a str) -> Self {
        Self {
            path,
            names: Vec::new(),
            series: Vec::new(),
            text_columns: TextColumns::default(),
            groups: GroupColumns::default(),
            earlier: BTreeMap::new(),
            columns: Vec::new(),
            files: Vec::new(),
            column_count: 0,
            rows: 0,
            figures: 0,
            truncated: false,
        }
    }

    /// Begins a file; `part` is the part in the name of the file or its folder.
    pub(super) fn file(&mut self, path: &'a str, part: Option<Part>) {
        self.path = path;
        self.earlier.extend(std::mem::take(&mut self.columns));
        self.files.push(SourceFile { first: self.rows, part, columns_name_part: false });
    }

    /// Adds a column.
    ///
    /// # Errors
    /// When there are too many.
    pub(super) fn column(&mut self, name: &str) -> Result<Slot, HistoryError> {
        self.column_count += 1;
        if self.column_count > MAX_COLUMNS {
            return Err(self.too_long(MAX_COLUMNS, "columns"));
        }
        if self.names.len() <= 8 {
            self.names.push(short(name));
        }
        if let Some(file) = self.files.last_mut() {
            file.columns_name_part |= file.part.is_some() && names_part(name);
        }
        if name.len() > MAX_NAME_BYTES {
            return Ok(Slot::Ignored);
        }
        // Columns of the same name in two files are one column.
        if let Some(slot) = self.earlier.get(&name.to_lowercase()) {
            return Ok(*slot);
        }
        let slot = if let Some(column) = meaning(name) {
            self.series.push(Series { name: short(name), column, values: Vec::new() });
            Slot::Figure(self.series.len() - 1)
        } else {
            let column = self.text_columns.column(name);
            column.iter().for_each(|column| self.groups.column(*column, name));
            column.map_or(Slot::Ignored, Slot::Text)
        };
        if self.files.last().is_some_and(|file| file.part.is_some()) {
            self.columns.push((name.to_lowercase(), slot));
        }
        Ok(slot)
    }

    /// True when a column has a loss.
    pub(super) fn has_loss(&self) -> bool {
        self.series.iter().any(|series| series.column.field.is_loss())
    }

    /// Begins a row.
    ///
    /// # Errors
    /// When there are too many.
    pub(super) fn row(&mut self) -> Result<(), HistoryError> {
        self.rows += 1;
        if self.rows as usize > MAX_ROWS {
            return Err(self.too_long(MAX_ROWS, "rows"));
        }
        Ok(())
    }

    fn too_long(&self, most: usize, what: &'static str) -> HistoryError {
        HistoryError::TooLong { path: self.path.to_owned(), most, what }
    }

    /// Adds a cell to the current row.
    ///
    /// # Errors
    /// When it does not fit its column.
    pub(super) fn cell(&mut self, slot: Slot, text: &str) -> Result<(), HistoryError> {
        match slot {
            Slot::Figure(column) => {
                let parsed = number(text, self.series[column].column.field);
                self.add(column, parsed, text)
            }
            Slot::Text(column) => {
                self.groups.cell(column, self.rows - 1, text);
                self.text_columns.cell(column, self.rows - 1, text);
                Ok(())
            }
            Slot::Ignored => Ok(()),
        }
    }

    /// Adds a cell that is already a number.
    ///
    /// # Errors
    /// As [`Table::cell`].
    pub(super) fn value(&mut self, slot: Slot, value: f64) -> Result<(), HistoryError> {
        let Slot::Figure(column) = slot else {
            return match slot {
                Slot::Text(column)
                    if !self.text_columns.is_done(column)
                        || self.groups.wants(column, self.rows - 1) =>
                {
                    self.cell(slot, &value.to_string())
                }
                _ => Ok(()),
            };
        };
        let checked = valid(value, self.series[column].column.field);
        self.add(column, checked, "").map_err(|error| match error {
            HistoryError::Cell { path, row, column, wanted, .. } => {
                HistoryError::Cell { path, row, column, value: value.to_string(), wanted }
            }
            error => error,
        })
    }

    fn add(
        &mut self,
        column: usize,
        parsed: Result<Option<f64>, &'static str>,
        text: &str,
    ) -> Result<(), HistoryError> {
        let series = &mut self.series[column];
        let first = self.files.last().map_or(0, |file| file.first);
        let value = parsed.map_err(|wanted| HistoryError::Cell {
            path: self.path.to_owned(),
            row: u64::from(self.rows - first),
            column: series.name.clone(),
            value: short(text),
            wanted,
        })?;
        let Some(value) = value else { return Ok(()) };
        series.values.push((self.rows - 1, value));
        self.figures += 1;
        if self.figures > MAX_FIGURES {
            return Err(self.too_long(MAX_FIGURES, "figures"));
        }
        Ok(())
    }

    /// Returns the history of all rows; `path` names all files together.
    ///
    /// # Errors
    /// When there is no loss, or the rows are not one training in order.
    pub(super) fn finish(mut self, path: &str) -> Result<History, HistoryError> {
        let has_loss_column = self.has_loss();
        if self.rows == 0 && has_loss_column {
            return Err(HistoryError::Empty { path: path.to_owned() });
        }
        let rows = self.rows as usize;
        let parts = by_parts(&mut self.series, &self.text_columns, &self.files, rows, path)?;
        let Chosen { mut series, left_out } = choose(self.series, path)?;
        if !series.iter().any(|series| series.column.field.is_loss()) {
            return Err(no_loss(path, &self.names, has_loss_column));
        }
        let mut notes: Vec<Note> = remove_placeholders(&mut series).into_iter().collect();
        notes.extend(convert_percentages(&mut series));
        notes.extend(self.truncated.then_some(Note::Truncated));
        if !series.iter().any(|series| series.column.field == Field::ValLoss) {
            let columns = self.text_columns.other_losses();
            notes.extend((!columns.is_empty()).then_some(Note::OtherLosses { columns }));
        }
        if let [SourceFile { part: Some(part), columns_name_part: false, .. }] = self.files[..]
            && part != Part::Train
        {
            notes.push(Note::PartByName { part });
        }
        remove_blanks(&mut series);
        let has_val = series.iter().any(|series| series.column.field == Field::ValLoss);
        let mut infos = take_positions(&mut series, rows);
        let used = || infos.iter().filter(|info| info.used);
        let last_step = used().all(|info| info.epoch.is_none()).then(|| {
            let steps = used().filter(|info| info.val || !has_val).filter_map(|info| info.step);
            steps.fold(f64::NAN, f64::max)
        });
        let at = |row: u32| infos[row as usize].epoch.or(infos[row as usize].step);
        self.text_columns.check_one_training(path, at, |row| infos[row as usize].used)?;
        self.groups.check(&series, &infos, path)?;
        sort_by_epoch(&mut series, &mut infos, &parts);
        let epochs = to_rows(series, infos, &parts, path)?;
        if last_step.is_some_and(|step| is_by_steps(&epochs, step, has_val)) {
            notes.push(Note::BySteps);
        }
        Ok(History { epochs, ended: true, left_out, notes, ..History::default() })
    }
}

/// Arranges one row per epoch, by the epochs, the steps or the order of the rows, whichever exist.
fn to_rows(
    mut series: Vec<Series<u32>>,
    infos: Vec<RowInfo>,
    parts: &[Option<Part>],
    path: &str,
) -> Result<Vec<Row>, HistoryError> {
    if infos.iter().any(|info| info.used && info.epoch.is_some()) {
        let val = |series: &&mut Series<u32>| {
            matches!(series.column.field, Field::ValLoss | Field::ValAccuracy)
                && validates_by_batch(&infos)
        };
        series.iter_mut().filter(val).for_each(|series| series.column.mean = true);
        let at = epochs(infos, path)?;
        return Ok(arrange(&figures(series, &at), Unit::Epochs));
    }
    if infos.iter().any(|info| info.used && info.step.is_some()) {
        return by_steps(with_steps(series, &infos), true, path);
    }
    if let Some(at) = epochs_by_count(&series, &infos, parts, path)? {
        return Ok(arrange(&figures(series, &at), Unit::Epochs));
    }
    let untrained = untrained_row(&series);
    let mut count = 0.0;
    let at = (0..).zip(&infos).map(|(row, info)| {
        if untrained == Some(row) {
            return f64::NAN;
        }
        count += f64::from(u8::from(info.used));
        count
    });
    let at: Vec<f64> = at.collect();
    Ok(arrange(&figures(series, &at), Unit::Rows))
}

/// The row of a validation before any training, which belongs to no epoch. The next validation then
/// has the row of the first training, or every training has a validation after it.
fn untrained_row(series: &[Series<u32>]) -> Option<u32> {
    let rows = |field| series.iter().find(|s| s.column.field == field).map(|s| &s.values);
    let (train, val) = (rows(Field::TrainLoss)?, rows(Field::ValLoss)?);
    let (first, second, trained) = (val.first()?.0, val.get(1)?.0, train.first()?.0);
    let alternate = second > trained && val.last()?.0 > train.last()?.0;
    (first < trained && (second == trained || alternate)).then_some(first)
}

/// True if every validation has a row per batch: several in a row after training, with step numbers
/// that start again in every epoch.
fn validates_by_batch(infos: &[RowInfo]) -> bool {
    let used = || infos.iter().filter(|info| info.train || info.val);
    let in_a_row = |(one, next): (&RowInfo, &RowInfo)| {
        one.val && next.val && !one.train && !next.train && one.epoch == next.epoch
    };
    let val = || used().filter(|info| info.val);
    let restarts =
        |(one, next): (&RowInfo, &RowInfo)| one.epoch < next.epoch && one.step >= next.step;
    used().any(|info| info.train && !info.val)
        && used().zip(used().skip(1)).any(in_a_row)
        && val().zip(val().skip(1)).any(restarts)
}

/// Removes epochs and steps from the series and returns the position and figures of each row.
fn take_positions(series: &mut Vec<Series<u32>>, rows: usize) -> Vec<RowInfo> {
    let mut infos = vec![RowInfo::default(); rows];
    series.retain(|series| {
        let field = series.column.field;
        for &(row, value) in &series.values {
            let info = &mut infos[row as usize];
            match field {
                Field::Epoch => info.epoch = Some(value),
                Field::Step => info.step = Some(value),
                _ => {
                    info.used = true;
                    info.loss |= field.is_loss();
                    info.train |= field == Field::TrainLoss;
                    info.val |= field == Field::ValLoss && !series.column.mean;
                }
            }
        }
        !matches!(field, Field::Epoch | Field::Step)
    });
    infos
}

/// The epoch of each row; NaN for a row of no epoch.
///
/// # Errors
/// When epochs decrease, or an epoch has two validations at one step.
fn epochs(mut infos: Vec<RowInfo>, path: &str) -> Result<Vec<f64>, HistoryError> {
    fill_epochs(&mut infos);
    let trained = infos.iter().rposition(|info| info.train);
    let mut at = Vec::with_capacity(infos.len());
    let mut seen: Vec<f64> = Vec::new();
    // The step of the current epoch's validation, if it had one.
    let mut validated: Option<Option<f64>> = None;
    for (row, info) in infos.into_iter().enumerate() {
        let Some(epoch) = info.epoch.filter(|_| info.used) else {
            at.push(f64::NAN);
            continue;
        };
        let before = seen.last().copied();
        if before.is_some_and(|before| epoch < before) {
            if !info.loss {
                at.push(f64::NAN);
                continue;
            }
            return Err(decrease_error(&seen, epoch, path));
        }
        if before != Some(epoch) {
            seen.push(epoch);
            validated = None;
        }
        if info.val {
            let later = |step: Option<f64>| step.zip(info.step).is_some_and(|(a, b)| a < b);
            if validated.is_some_and(|step| !later(step)) {
                // A final evaluation after training, often with the best weights.
                let after = trained.is_some_and(|trained| trained < row);
                if after && info.step.is_some() && validated == Some(info.step) {
                    at.push(f64::NAN);
                    continue;
                }
                return Err(HistoryError::Twice { path: path.to_owned(), epoch });
            }
            validated = Some(info.step);
        }
        at.push(epoch);
    }
    Ok(at)
}

/// The error for an epoch after a later one: repeated, or out of order.
fn decrease_error(seen: &[f64], epoch: f64, path: &str) -> HistoryError {
    let path = path.to_owned();
    match (seen.binary_search_by(|at| at.total_cmp(&epoch)), seen.last()) {
        (Err(_), Some(&before)) => HistoryError::Order { path, before, after: epoch },
        _ => HistoryError::Twice { path, epoch },
    }
}

/// Fills in the epochs of rows without one.
fn fill_epochs(infos: &mut [RowInfo]) {
    let mut next = None;
    let following: Vec<Option<f64>> = infos
        .iter()
        .rev()
        .map(|info| {
            next = info.epoch.or(next);
            next
        })
        .collect();
    let (mut current, mut last_step): (Option<f64>, Option<f64>) = (None, None);
    for (info, &next) in infos.iter_mut().zip(following.iter().rev()) {
        if info.epoch.is_some() {
            // None is less than any step.
            let same = last_step.filter(|_| info.epoch == current);
            last_step = if same > info.step { same } else { info.step };
            current = info.epoch;
            continue;
        }
        let later = info.step.zip(last_step).is_some_and(|(step, last)| step > last);
        info.epoch = match current {
            None => next,
            Some(_) if later && next.is_some() => next,
            // An unfinished epoch.
            Some(current) if later => Some(current + 1.0).filter(|_| info.loss),
            Some(_) => current,
        };
    }
}

/// Places the figures at the positions of their rows, `at`, in increasing order; leaves out NaN
/// positions.
fn figures(series: Vec<Series<u32>>, at: &[f64]) -> Figures {
    let one = |series: Series<u32>| {
        let mean = series.column.mean || series.column.field.is_per_step();
        let placed = series.values.iter().map(|&(row, value)| (at[row as usize], value));
        let mut placed: Vec<(f64, f64)> = placed.filter(|(at, _)| !at.is_nan()).collect();
        // Only a figure of several parts, in rows that are sorted by part, is out of order.
        placed.sort_by(|a, b| a.0.total_cmp(&b.0));
        let groups = placed.chunk_by(|a, b| a.0 == b.0);
        let combined =
            |group: &[(f64, f64)]| Some((group[0].0, combine(group.iter().map(|v| v.1), mean)?));
        (series.column.field, groups.filter_map(combined).collect())
    };
    series.into_iter().map(one).collect()
}

/// Replaces rows by steps; a row without a step takes the step before it.
fn with_steps(series: Vec<Series<u32>>, infos: &[RowInfo]) -> Vec<Series<Point>> {
    let mut step = infos.iter().find_map(|info| info.step).unwrap_or(0.0);
    let steps: Vec<f64> = infos
        .iter()
        .map(|info| {
            step = info.step.unwrap_or(step);
            step
        })
        .collect();
    let one = |Series { name, column, values }: Series<u32>| {
        let point = |row: u32| Point { step: steps[row as usize], order: f64::from(row) };
        let values = values.into_iter().map(|(row, value)| (point(row), value)).collect();
        Series { name, column, values }
    };
    series.into_iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_the_number_of_figures_and_columns() {
        let mut table = Table::new("h");
        let slot = table.column("loss").unwrap();
        table.row().unwrap();
        table.figures = MAX_FIGURES - 1;
        table.cell(slot, "").unwrap();
        table.cell(slot, "1").unwrap();
        let error = table.cell(slot, "1").unwrap_err().to_string();
        assert_eq!(error, "`h` has more than 4000000 figures, the most that are read");
        table.column_count = MAX_COLUMNS;
        let error = table.column("x").unwrap_err().to_string();
        assert_eq!(error, "`h` has more than 1000000 columns, the most that are read");
    }
}
