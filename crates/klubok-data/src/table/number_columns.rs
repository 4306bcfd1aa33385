//! Columns of numbers or labels.

use super::{
    TableTarget, cell_error::CellError, columns::Column, error::TableError, memory::reserve,
    number::Numbers, row::Row, task::Reason, words::short,
};
use crate::settings::TargetKind;

/// From this size on, numbers that differ may be the same in single precision.
const MAX_PRECISE: f32 = 1_048_576.0;

/// Columns of numbers or labels under construction.
#[derive(Debug)]
pub(super) struct NumberColumns {
    path: String,
    columns: Vec<Column>,
    task: Option<TargetKind>,
    /// The targets of a model may be constant.
    is_known: bool,
    /// `[rows, columns]`.
    values: Vec<f32>,
    /// True while every value is 0 or 1.
    all_labels: bool,
}

impl NumberColumns {
    /// Begins with no rows.
    pub(super) fn new(
        columns: Vec<Column>,
        task: Option<TargetKind>,
        is_known: bool,
        path: &str,
    ) -> Self {
        let path = path.to_owned();
        Self { path, columns, task, is_known, values: Vec::new(), all_labels: true }
    }

    /// Appends a row.
    ///
    /// # Errors
    /// When a cell is no number or label, or memory is short.
    pub(super) fn add(&mut self, row: &Row, numbers: &mut Numbers) -> Result<(), TableError> {
        for i in 0..self.columns.len() {
            let cell = row.cell(self.columns[i].at);
            match numbers.parse(cell, row.line) {
                Ok(value)
                    if self.task == Some(TargetKind::Label) && value != 0.0 && value != 1.0 =>
                {
                    return Err(self.text_error(row, i));
                }
                Ok(value) => self.push(value)?,
                Err(flaw) => {
                    let at = self.columns[i].place(&self.path, row.line);
                    return Err(match numbers.error(flaw, at, cell) {
                        CellError::Text { .. } => self.text_error(row, i),
                        error => error.into(),
                    });
                }
            }
        }
        Ok(())
    }

    /// Appends a value.
    ///
    /// # Errors
    /// When memory is short.
    pub(super) fn push(&mut self, value: f32) -> Result<(), TableError> {
        reserve(&mut self.values, 1, &self.path)?;
        self.values.push(value);
        self.all_labels &= value == 0.0 || value == 1.0;
        Ok(())
    }

    /// The error about a cell that is no number or no label.
    fn text_error(&self, row: &Row, column: usize) -> TableError {
        let column = &self.columns[column];
        let (at, value) = (column.place(&self.path, row.line), short(row.cell(column.at)));
        match self.task {
            Some(TargetKind::Label) => CellError::NotALabel { at, value }.into(),
            _ => CellError::TextTarget { at, value }.into(),
        }
    }

    /// Returns the target, and why it is of its kind.
    ///
    /// # Errors
    /// When a column to learn is constant.
    pub(super) fn finish(mut self) -> Result<(TableTarget, Reason), TableError> {
        let reason = match self.task {
            _ if self.is_known => Reason::Model,
            None if self.all_labels => Reason::ZerosAndOnes,
            None => Reason::SeveralNumbers,
            _ => Reason::Asked,
        };
        let width = self.columns.len();
        for (i, column) in self.columns.iter().enumerate().filter(|_| !self.is_known) {
            let mut values = self.values.iter().skip(i).step_by(width);
            let first = values.next().copied().unwrap_or_default();
            if values.all(|value| *value == first) {
                let (path, column) = (self.path, short(&column.name));
                // What differs in so large numbers may have been rounded away.
                return Err(if first.abs() < MAX_PRECISE {
                    TableError::Constant { path, column, value: first.to_string() }
                } else {
                    TableError::Close { path, column, low: first, high: first }
                });
            }
        }
        self.values.shrink_to_fit();
        let (names, values) = (self.columns.into_iter().map(|c| c.name).collect(), self.values);
        let is_labels = self.task == Some(TargetKind::Label) || reason == Reason::ZerosAndOnes;
        let target = if is_labels {
            TableTarget::Labels { names, values }
        } else {
            TableTarget::Numbers { names, values }
        };
        Ok((target, reason))
    }
}
