//! A column of classes.

use super::{
    TableTarget,
    cell_error::CellError,
    classes::{Classes, MAX_NUMBERS, MAX_TEXTS, NoClass},
    columns::Column,
    error::TableError,
    number::{Numbers, missing},
    row::Row,
    words::short,
};
use crate::part::MAX_NAME_BYTES;

/// A column of classes under construction.
#[derive(Debug)]
pub(super) struct ClassColumn {
    path: String,
    column: Column,
    classes: Classes,
    is_known: bool,
}

impl ClassColumn {
    /// Begins with no rows; `known` are a model's classes.
    pub(super) fn new(column: Column, known: Option<&[String]>, path: &str, commas: bool) -> Self {
        let (classes, path) = (Classes::new(known, commas), path.to_owned());
        Self { path, column, classes, is_known: known.is_some() }
    }

    /// Returns true for the classes of a model.
    pub(super) fn is_known(&self) -> bool {
        self.is_known
    }

    /// The classes so far.
    pub(super) fn classes(&self) -> &Classes {
        &self.classes
    }

    /// Appends a row.
    ///
    /// # Errors
    /// When the cell is empty or no class, when there are too many, or memory is short.
    pub(super) fn add(&mut self, row: &Row, numbers: &Numbers) -> Result<(), TableError> {
        let cell = row.cell(self.column.at);
        if let Some(flaw) = missing(cell) {
            let at = self.column.place(&self.path, row.line);
            return Err(numbers.error(flaw, at, cell).into());
        }
        self.add_class(row).map_err(|reason| self.error(row, reason))
    }

    /// Appends a row whose cell is not empty.
    ///
    /// # Errors
    /// Why its cell is no class.
    pub(super) fn add_class(&mut self, row: &Row) -> Result<(), NoClass> {
        self.classes.add(row.cell(self.column.at).trim(), &self.path)
    }

    /// The error about a cell that is no class.
    pub(super) fn error(&self, row: &Row, reason: NoClass) -> TableError {
        let at = self.column.place(&self.path, row.line);
        let (path, column) = (self.path.clone(), short(&self.column.name));
        match reason {
            NoClass::Long => CellError::LongClass { at, most: MAX_NAME_BYTES }.into(),
            NoClass::Unknown(known) => {
                let value = short(row.cell(self.column.at));
                CellError::UnknownClass { at, value, known }.into()
            }
            NoClass::TooMany if self.classes.all_numbers() => {
                TableError::TooManyNumbers { path, column, most: MAX_NUMBERS }
            }
            NoClass::TooMany => TableError::TooManyTexts { path, column, most: MAX_TEXTS },
            NoClass::Memory(error) => error,
        }
    }

    /// Returns the classes.
    ///
    /// # Errors
    /// When there is one class only, or there are too many numbers. A model's classes are fine.
    pub(super) fn finish(self) -> Result<TableTarget, TableError> {
        let (path, column) = (self.path, short(&self.column.name));
        if !self.is_known && self.classes.len() > MAX_NUMBERS && self.classes.all_numbers() {
            return Err(TableError::TooManyNumbers { path, column, most: MAX_NUMBERS });
        }
        let (names, of) = self.classes.finish();
        match &names[..] {
            [value] if !self.is_known => {
                Err(TableError::Constant { path, column, value: short(value) })
            }
            _ => Ok(TableTarget::Classes { names, of }),
        }
    }
}
