//! Collects the rows of a table.

use super::{
    Table, TableOptions,
    cell_error::{CellError, Place},
    columns::{Column, Columns},
    error::TableError,
    lines::Lines,
    memory::reserve,
    number::{Flaw, Numbers},
    records::Records,
    row::Row,
    target::Target,
    task::Reason,
    words::{counted, listed, short},
};
use crate::record::MAX_ROWS;

/// Rows under construction.
pub(super) struct Rows {
    path: String,
    columns: Columns,
    numbers: Numbers,
    x: Vec<f32>,
    count: usize,
    target: Option<Target>,
    weights: Vec<f32>,
    lines: Lines,
}

impl Rows {
    /// Begins with no rows.
    pub(super) fn new(mut columns: Columns, options: &TableOptions, records: &Records<'_>) -> Self {
        let path = records.path.clone();
        let numbers = Numbers::new(records.dialect.separator);
        let targets = std::mem::take(&mut columns.targets);
        Self {
            target: Target::new(targets, options, &path, numbers.commas),
            path,
            columns,
            numbers,
            x: Vec::new(),
            count: 0,
            weights: Vec::new(),
            lines: Lines::default(),
        }
    }

    /// Appends a row.
    ///
    /// # Errors
    /// When it has too few or too many cells, when a cell is no number, class or label, when there
    /// are too many rows, or memory is short.
    pub(super) fn add(&mut self, row: &Row) -> Result<(), TableError> {
        self.check_cells(row)?;
        if self.count == MAX_ROWS {
            return Err(TableError::TooMany {
                path: self.path.clone(),
                most: MAX_ROWS,
                what: "rows",
            });
        }
        reserve(&mut self.x, self.columns.inputs.len(), &self.path)?;
        for column in &self.columns.inputs {
            match self.numbers.parse(row.cell(column.at), row.line) {
                Ok(value) => self.x.push(value),
                Err(flaw) => return Err(self.input_error(row, column, flaw)),
            }
        }
        if let Some(target) = &mut self.target {
            target.add(row, &mut self.numbers)?;
        }
        self.add_weight(row)?;
        self.lines.add(self.count, row.line, &self.path)?;
        self.count += 1;
        Ok(())
    }

    fn check_cells(&self, row: &Row) -> Result<(), TableError> {
        if row.len() == self.columns.count {
            return Ok(());
        }
        let (path, line) = (self.path.clone(), row.line);
        let (cells, columns) = (counted(row.len(), "cell"), counted(self.columns.count, "column"));
        Err(if row.len() < self.columns.count {
            TableError::TooFewCells { path, line, cells, columns }
        } else {
            TableError::TooManyCells { path, line, cells, columns }
        })
    }

    /// The error about a flawed input. Names all inputs with text in the row.
    fn input_error(&self, row: &Row, column: &Column, flaw: Flaw) -> TableError {
        let at = column.place(&self.path, row.line);
        let error = self.numbers.error(flaw, at, row.cell(column.at));
        let CellError::Text { at, value } = error else { return error.into() };
        let Place { path, line, .. } = at.clone();
        let inputs = &self.columns.inputs;
        if inputs.iter().all(|column| row.cell(column.at).trim() == column.name) {
            return TableError::HeaderAgain { path, line };
        }
        let with_text = inputs.iter().filter(|column| self.numbers.is_text(row.cell(column.at)));
        let names: Vec<&str> = with_text.map(|column| column.name.as_str()).collect();
        match names.len() {
            1 => CellError::Text { at, value }.into(),
            _ => TableError::Texts { path, line, value, columns: listed(&names) },
        }
    }

    fn add_weight(&mut self, row: &Row) -> Result<(), TableError> {
        let Some(column) = &self.columns.weight else { return Ok(()) };
        let cell = row.cell(column.at);
        let weight = self.numbers.parse(cell, row.line);
        let weight = weight
            .map_err(|flaw| self.numbers.error(flaw, column.place(&self.path, row.line), cell))?;
        if weight < 0.0 {
            let (at, value) = (column.place(&self.path, row.line), short(cell));
            return Err(CellError::NegativeWeight { at, value }.into());
        }
        reserve(&mut self.weights, 1, &self.path)?;
        self.weights.push(weight);
        Ok(())
    }

    /// Returns the table.
    ///
    /// # Errors
    /// When there are too few rows, when the target is constant or of no use, when all weights are
    /// 0, or when commas may be read in two ways.
    pub(super) fn finish(mut self, options: &TableOptions) -> Result<Table, TableError> {
        let path = || self.path.clone();
        let is_training = options.known.is_none() && self.target.is_some();
        match self.count {
            0 => return Err(TableError::NoRows { path: path() }),
            1 if is_training => return Err(TableError::OneRow { path: path() }),
            _ => {}
        }
        self.numbers.check_commas(&self.path)?;
        if let Some(column) = self.columns.weight.as_ref()
            && self.weights.iter().all(|weight| *weight == 0.0)
        {
            return Err(TableError::ZeroWeights { path: path(), column: short(&column.name) });
        }
        let (target, reason) = match self.target {
            None => (None, Reason::NoTarget),
            Some(target) => {
                let (target, reason) = target.finish()?;
                (Some(target), reason)
            }
        };
        self.x.shrink_to_fit();
        self.weights.shrink_to_fit();
        Ok(Table {
            inputs: self.columns.inputs.into_iter().map(|column| column.name).collect(),
            x: self.x,
            rows: self.count,
            target,
            weights: self.columns.weight.map(|_| self.weights),
            reason,
            lines: self.lines,
        })
    }
}
