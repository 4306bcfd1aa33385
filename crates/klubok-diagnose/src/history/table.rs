//! Rows of cells under names, as CSV and JSON have them, into figures over epochs, steps or rows.
//!
//! Several rows may be of one epoch, each with holes (Lightning). A row without an epoch in a
//! source that has epochs belongs to the one under way; where its step is later than all of that,
//! to the next one.

use std::collections::BTreeMap;

use klubok_data::part::{MAX_NAME_BYTES, Part};

use super::{
    History, HistoryError, MOST_FIGURES, Note, Row,
    apart::Apart,
    cells::{known, number},
    columns::{Field, meaning, names_part},
    figures::{Chosen, Series, choose},
    labels::{Label, Labels},
    measured::{take_blanks, take_unmeasured},
    no_loss,
    parts::{by_parts, in_epochs, turns},
    place::{Place, Source},
    rows::{Clock, Figures, arrange, fold},
    shares::take_percent,
    short,
    steps::{Point, by_steps, is_by_steps},
};

/// Most rows and columns that are read.
const MOST_ROWS: usize = 2_000_000;
const MOST_COLUMNS: usize = 1_000_000;

/// A table that is being read: of one file, or of a file for each part.
pub(super) struct Table<'a> {
    path: &'a str,
    /// The first few names.
    names: Vec<String>,
    /// Of the columns that mean something, the values and their rows.
    series: Vec<Series<u32>>,
    labels: Labels,
    apart: Apart,
    /// Columns of the files before this one, by name in lower case.
    earlier: BTreeMap<String, Slot>,
    /// Those of this file.
    columns: Vec<(String, Slot)>,
    files: Vec<Source>,
    all_columns: usize,
    rows: u32,
    figures: usize,
    /// The last row of a file was left out: it is still being written.
    pub(super) torn: bool,
}

/// Where the cells of a column go.
#[derive(Debug, Clone, Copy)]
pub(super) enum Slot {
    Figure(usize),
    Label(Label),
    Nothing,
}

impl<'a> Table<'a> {
    pub(super) fn new(path: &'a str) -> Self {
        Self {
            path,
            names: Vec::new(),
            series: Vec::new(),
            labels: Labels::default(),
            apart: Apart::default(),
            earlier: BTreeMap::new(),
            columns: Vec::new(),
            files: Vec::new(),
            all_columns: 0,
            rows: 0,
            figures: 0,
            torn: false,
        }
    }

    /// Begins a file whose place speaks of this part.
    pub(super) fn file(&mut self, path: &'a str, part: Option<Part>) {
        self.path = path;
        self.earlier.extend(std::mem::take(&mut self.columns));
        self.files.push(Source { first: self.rows, part, named: false });
    }

    /// A further column.
    ///
    /// # Errors
    /// When there are too many.
    pub(super) fn column(&mut self, name: &str) -> Result<Slot, HistoryError> {
        self.all_columns += 1;
        if self.all_columns > MOST_COLUMNS {
            return Err(self.too_long(MOST_COLUMNS, "columns"));
        }
        if self.names.len() <= 8 {
            self.names.push(short(name));
        }
        if let Some(file) = self.files.last_mut() {
            file.named |= file.part.is_some() && names_part(name);
        }
        if name.len() > MAX_NAME_BYTES {
            return Ok(Slot::Nothing);
        }
        // The epochs of two files are one column.
        if let Some(slot) = self.earlier.get(&name.to_lowercase()) {
            return Ok(*slot);
        }
        let slot = if let Some(column) = meaning(name) {
            self.series.push(Series { name: short(name), column, values: Vec::new() });
            Slot::Figure(self.series.len() - 1)
        } else {
            let label = self.labels.column(name);
            label.iter().for_each(|label| self.apart.column(*label, name));
            label.map_or(Slot::Nothing, Slot::Label)
        };
        if self.files.last().is_some_and(|file| file.part.is_some()) {
            self.columns.push((name.to_lowercase(), slot));
        }
        Ok(slot)
    }

    /// True when a column is a loss.
    pub(super) fn has_loss(&self) -> bool {
        self.series.iter().any(|series| series.column.field.is_loss())
    }

    /// Begins a row.
    ///
    /// # Errors
    /// When there are too many.
    pub(super) fn row(&mut self) -> Result<(), HistoryError> {
        self.rows += 1;
        if self.rows as usize > MOST_ROWS {
            return Err(self.too_long(MOST_ROWS, "rows"));
        }
        Ok(())
    }

    fn too_long(&self, most: usize, what: &'static str) -> HistoryError {
        HistoryError::TooLong { path: self.path.to_owned(), most, what }
    }

    /// A cell of the row, by its column.
    ///
    /// # Errors
    /// When it is not what its column says.
    pub(super) fn cell(&mut self, slot: Slot, text: &str) -> Result<(), HistoryError> {
        match slot {
            Slot::Figure(column) => {
                let read = number(text, self.series[column].column.field);
                self.add(column, read, text)
            }
            Slot::Label(label) => {
                self.apart.cell(label, self.rows - 1, text);
                self.labels.cell(label, self.rows - 1, text);
                Ok(())
            }
            Slot::Nothing => Ok(()),
        }
    }

    /// A cell that is a number already.
    ///
    /// # Errors
    /// As [`Table::cell`].
    pub(super) fn value(&mut self, slot: Slot, value: f64) -> Result<(), HistoryError> {
        let Slot::Figure(column) = slot else {
            return match slot {
                Slot::Label(label)
                    if !self.labels.is_done(label) || self.apart.wants(label, self.rows - 1) =>
                {
                    self.cell(slot, &value.to_string())
                }
                _ => Ok(()),
            };
        };
        let read = known(value, self.series[column].column.field);
        self.add(column, read, "").map_err(|error| match error {
            HistoryError::Cell { path, row, column, wanted, .. } => {
                HistoryError::Cell { path, row, column, value: value.to_string(), wanted }
            }
            error => error,
        })
    }

    fn add(
        &mut self,
        column: usize,
        read: Result<Option<f64>, &'static str>,
        text: &str,
    ) -> Result<(), HistoryError> {
        let series = &mut self.series[column];
        let first = self.files.last().map_or(0, |file| file.first);
        let value = read.map_err(|wanted| HistoryError::Cell {
            path: self.path.to_owned(),
            row: u64::from(self.rows - first),
            column: series.name.clone(),
            value: short(text),
            wanted,
        })?;
        let Some(value) = value else { return Ok(()) };
        series.values.push((self.rows - 1, value));
        self.figures += 1;
        if self.figures > MOST_FIGURES {
            return Err(self.too_long(MOST_FIGURES, "figures"));
        }
        Ok(())
    }

    /// The history of all rows; `path` is that of all files.
    ///
    /// # Errors
    /// When there is no loss, or the rows are not those of one training in order.
    pub(super) fn finish(mut self, path: &str) -> Result<History, HistoryError> {
        let named_loss = self.has_loss();
        if self.rows == 0 && named_loss {
            return Err(HistoryError::Empty { path: path.to_owned() });
        }
        let rows = self.rows as usize;
        let parts = by_parts(&mut self.series, &self.labels, &self.files, rows, path)?;
        let Chosen { mut series, left_out } = choose(self.series, path)?;
        if !series.iter().any(|series| series.column.field.is_loss()) {
            return Err(no_loss(path, &self.names, named_loss));
        }
        let mut notes: Vec<Note> = take_unmeasured(&mut series).into_iter().collect();
        notes.extend(take_percent(&mut series));
        notes.extend(self.torn.then_some(Note::Torn));
        if !series.iter().any(|series| series.column.field == Field::ValLoss) {
            let columns = self.labels.asides();
            notes.extend((!columns.is_empty()).then_some(Note::OtherLosses { columns }));
        }
        if let [Source { part: Some(part), named: false, .. }] = self.files[..]
            && part != Part::Train
        {
            notes.push(Note::PartByName { part });
        }
        take_blanks(&mut series);
        let has_val = series.iter().any(|series| series.column.field == Field::ValLoss);
        let mut places = places(&mut series, rows);
        let used = || places.iter().filter(|place| place.used);
        let last_step = used().all(|place| place.epoch.is_none()).then(|| {
            let steps = used().filter(|place| place.val || !has_val).filter_map(|place| place.step);
            steps.fold(f64::NAN, f64::max)
        });
        let at = |row: u32| places[row as usize].epoch.or(places[row as usize].step);
        self.labels.several(path, at, |row| places[row as usize].used)?;
        self.apart.check(&series, &places, path)?;
        in_epochs(&mut series, &mut places, &parts);
        let epochs = positioned(series, places, &parts, path)?;
        if last_step.is_some_and(|step| is_by_steps(&epochs, step, has_val)) {
            notes.push(Note::BySteps);
        }
        Ok(History { epochs, ended: true, left_out, notes, ..History::default() })
    }
}

/// One row an epoch, by the epochs, the steps or the order of the rows, whichever there are.
fn positioned(
    mut series: Vec<Series<u32>>,
    places: Vec<Place>,
    parts: &[Option<Part>],
    path: &str,
) -> Result<Vec<Row>, HistoryError> {
    if places.iter().any(|place| place.used && place.epoch.is_some()) {
        let val = |of: &&mut Series<u32>| {
            matches!(of.column.field, Field::ValLoss | Field::ValAccuracy) && by_batches(&places)
        };
        series.iter_mut().filter(val).for_each(|of| of.column.mean = true);
        let at = epochs(places, path)?;
        return Ok(arrange(&figures(series, &at), Clock::Epochs));
    }
    if places.iter().any(|place| place.used && place.step.is_some()) {
        return by_steps(with_steps(series, &places), true, path);
    }
    if let Some(at) = turns(&series, &places, parts, path)? {
        return Ok(arrange(&figures(series, &at), Clock::Epochs));
    }
    let untrained = untrained(&series);
    let mut count = 0.0;
    let at = (0..).zip(&places).map(|(row, place)| {
        if untrained == Some(row) {
            return f64::NAN;
        }
        count += f64::from(u8::from(place.used));
        count
    });
    let at: Vec<f64> = at.collect();
    Ok(arrange(&figures(series, &at), Clock::Rows))
}

/// The row of a validation before any training, where the next one stands in the row of the first
/// training, or after it where each training is followed by one: it is of no epoch.
fn untrained(series: &[Series<u32>]) -> Option<u32> {
    let rows = |field| series.iter().find(|of| of.column.field == field).map(|of| &of.values);
    let (train, val) = (rows(Field::TrainLoss)?, rows(Field::ValLoss)?);
    let (first, second, trained) = (val.first()?.0, val.get(1)?.0, train.first()?.0);
    let by_turns = second > trained && val.last()?.0 > train.last()?.0;
    (first < trained && (second == trained || by_turns)).then_some(first)
}

/// Whether validations are written batch by batch: several in a row after a training, and the
/// numbers of their batches begin anew in every epoch.
fn by_batches(places: &[Place]) -> bool {
    let used = || places.iter().filter(|place| place.train || place.val);
    let in_a_row = |(one, next): (&Place, &Place)| {
        one.val && next.val && !one.train && !next.train && one.epoch == next.epoch
    };
    let val = || used().filter(|place| place.val);
    let anew = |(one, next): (&Place, &Place)| one.epoch < next.epoch && one.step >= next.step;
    used().any(|place| place.train && !place.val)
        && used().zip(used().skip(1)).any(in_a_row)
        && val().zip(val().skip(1)).any(anew)
}

/// Takes epochs and steps out of the series, and says what each row has.
fn places(series: &mut Vec<Series<u32>>, rows: usize) -> Vec<Place> {
    let mut places = vec![Place::default(); rows];
    series.retain(|series| {
        let field = series.column.field;
        for &(row, value) in &series.values {
            let place = &mut places[row as usize];
            match field {
                Field::Epoch => place.epoch = Some(value),
                Field::Step => place.step = Some(value),
                _ => {
                    place.used = true;
                    place.loss |= field.is_loss();
                    place.train |= field == Field::TrainLoss;
                    place.val |= field == Field::ValLoss && !series.column.mean;
                }
            }
        }
        !matches!(field, Field::Epoch | Field::Step)
    });
    places
}

/// The epoch of each row; NaN for one that belongs to none.
///
/// # Errors
/// When epochs go back, or are validated twice at one step.
fn epochs(mut places: Vec<Place>, path: &str) -> Result<Vec<f64>, HistoryError> {
    fill(&mut places);
    let trained = places.iter().rposition(|place| place.train);
    let mut at = Vec::with_capacity(places.len());
    let mut seen: Vec<f64> = Vec::new();
    // The step of the current epoch's validation, if it had one.
    let mut validated: Option<Option<f64>> = None;
    for (row, place) in places.into_iter().enumerate() {
        let Some(epoch) = place.epoch.filter(|_| place.used) else {
            at.push(f64::NAN);
            continue;
        };
        let before = seen.last().copied();
        if before.is_some_and(|before| epoch < before) {
            if !place.loss {
                at.push(f64::NAN);
                continue;
            }
            return Err(back(&seen, epoch, path));
        }
        if before != Some(epoch) {
            seen.push(epoch);
            validated = None;
        }
        if place.val {
            let later = |step: Option<f64>| step.zip(place.step).is_some_and(|(a, b)| a < b);
            if validated.is_some_and(|step| !later(step)) {
                // Some evaluate once more after training, often with the best weights.
                let after = trained.is_some_and(|trained| trained < row);
                if after && place.step.is_some() && validated == Some(place.step) {
                    at.push(f64::NAN);
                    continue;
                }
                return Err(HistoryError::Twice { path: path.to_owned(), epoch });
            }
            validated = Some(place.step);
        }
        at.push(epoch);
    }
    Ok(at)
}

/// An epoch stands after a later one: again, or out of order.
fn back(seen: &[f64], epoch: f64, path: &str) -> HistoryError {
    let path = path.to_owned();
    match (seen.binary_search_by(|at| at.total_cmp(&epoch)), seen.last()) {
        (Err(_), Some(&before)) => HistoryError::Order { path, before, after: epoch },
        _ => HistoryError::Twice { path, epoch },
    }
}

/// Gives rows without an epoch the one that they belong to.
fn fill(places: &mut [Place]) {
    let mut next = None;
    let following: Vec<Option<f64>> = places
        .iter()
        .rev()
        .map(|place| {
            next = place.epoch.or(next);
            next
        })
        .collect();
    let (mut current, mut last_step): (Option<f64>, Option<f64>) = (None, None);
    for (place, &next) in places.iter_mut().zip(following.iter().rev()) {
        if place.epoch.is_some() {
            // None is less than any step.
            let same = last_step.filter(|_| place.epoch == current);
            last_step = if same > place.step { same } else { place.step };
            current = place.epoch;
            continue;
        }
        let later = place.step.zip(last_step).is_some_and(|(step, last)| step > last);
        place.epoch = match current {
            None => next,
            Some(_) if later && next.is_some() => next,
            // An epoch that was begun and not finished.
            Some(current) if later => Some(current + 1.0).filter(|_| place.loss),
            Some(_) => current,
        };
    }
}

/// Figures over the positions of rows, which rise where they are numbers.
fn figures(series: Vec<Series<u32>>, at: &[f64]) -> Figures {
    let one = |series: Series<u32>| {
        let mean = series.column.mean || series.column.field.is_of_training();
        let placed = series.values.iter().map(|&(row, value)| (at[row as usize], value));
        let mut placed: Vec<(f64, f64)> = placed.filter(|(at, _)| !at.is_nan()).collect();
        // They rise, but for a figure of several parts in rows that are sorted by part.
        placed.sort_by(|a, b| a.0.total_cmp(&b.0));
        let groups = placed.chunk_by(|a, b| a.0 == b.0);
        let folded =
            |group: &[(f64, f64)]| Some((group[0].0, fold(group.iter().map(|v| v.1), mean)?));
        (series.column.field, groups.filter_map(folded).collect())
    };
    series.into_iter().map(one).collect()
}

/// The same series with steps; a row without one is of the step before it.
fn with_steps(series: Vec<Series<u32>>, places: &[Place]) -> Vec<Series<Point>> {
    let mut step = places.iter().find_map(|place| place.step).unwrap_or(0.0);
    let steps: Vec<f64> = places
        .iter()
        .map(|place| {
            step = place.step.unwrap_or(step);
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
    fn figures_and_columns_have_a_budget() {
        let mut table = Table::new("h");
        let slot = table.column("loss").unwrap();
        table.row().unwrap();
        table.figures = MOST_FIGURES - 1;
        table.cell(slot, "").unwrap();
        table.cell(slot, "1").unwrap();
        let error = table.cell(slot, "1").unwrap_err().to_string();
        assert_eq!(error, "`h` has more than 4000000 figures, the most that are read");
        table.all_columns = MOST_COLUMNS;
        let error = table.column("x").unwrap_err().to_string();
        assert_eq!(error, "`h` has more than 1000000 columns, the most that are read");
    }
}
