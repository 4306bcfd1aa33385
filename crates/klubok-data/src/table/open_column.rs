//! A target column that may be classes or numbers; [`Reason`] has the rule.

use super::{
    TableTarget,
    cell_error::CellError,
    class_column::ClassColumn,
    classes::NoClass,
    columns::Column,
    error::TableError,
    number::{Flaw, Numbers},
    number_columns::NumberColumns,
    row::Row,
    task::Reason,
    words::short,
};
use crate::settings::TargetKind;

/// A column under construction, as classes and as numbers at once.
#[derive(Debug)]
pub(super) struct OpenColumn {
    path: String,
    column: Column,
    classes: ClassColumn,
    /// True once there are too many different values for classes; no more are added.
    is_full: bool,
    /// None once there is text.
    values: Option<NumberColumns>,
    rows: usize,
    /// Rows with a number.
    numbers: usize,
    has_fractions: bool,
    /// Line and cell of the first row with text.
    text: Option<(u64, String)>,
}

impl OpenColumn {
    /// Begins with no rows.
    pub(super) fn new(column: Column, path: &str, commas: bool) -> Self {
        let columns = vec![column.clone()];
        Self {
            classes: ClassColumn::new(column.clone(), None, path, commas),
            is_full: false,
            values: Some(NumberColumns::new(columns, Some(TargetKind::Number), false, path)),
            path: path.to_owned(),
            column,
            rows: 0,
            numbers: 0,
            has_fractions: false,
            text: None,
        }
    }

    /// Appends a row.
    ///
    /// # Errors
    /// When the cell is empty, when there is text among too many numbers or too much text, or
    /// memory is short.
    pub(super) fn add(&mut self, row: &Row, numbers: &mut Numbers) -> Result<(), TableError> {
        let cell = row.cell(self.column.at);
        self.rows += 1;
        match numbers.parse(cell, row.line) {
            Ok(value) => {
                self.numbers += 1;
                self.has_fractions |= value.fract() != 0.0;
                self.values.as_mut().map_or(Ok(()), |values| values.push(value))?;
            }
            Err(Flaw::Text) => {
                self.text.get_or_insert_with(|| (row.line, short(cell)));
                self.values = None;
            }
            Err(flaw) => {
                let at = self.column.place(&self.path, row.line);
                return Err(numbers.error(flaw, at, cell).into());
            }
        }
        if self.is_full {
            return self.check_text();
        }
        self.classes.add_class(row).or_else(|reason| {
            self.is_full = matches!(reason, NoClass::TooMany);
            self.check_text()?;
            // Without text, these are numbers.
            if self.is_full && self.text.is_none() {
                Ok(())
            } else {
                Err(self.classes.error(row, reason))
            }
        })
    }

    /// Refuses text among values that would be numbers without it.
    fn check_text(&self) -> Result<(), TableError> {
        let Some((line, value)) = &self.text else { return Ok(()) };
        let distinct = self.classes.classes().numbers();
        let is_flaw = Reason::forbids_text(self.has_fractions, distinct);
        if !is_flaw || 2 * self.numbers < self.rows {
            return Ok(());
        }
        let at = self.column.place(&self.path, *line);
        Err(CellError::TextAmongNumbers { at, value: value.clone() }.into())
    }

    /// Returns the target, and why it is of its kind.
    ///
    /// # Errors
    /// When there is text among numbers, and when the target is constant.
    pub(super) fn finish(self) -> Result<(TableTarget, Reason), TableError> {
        self.check_text()?;
        let Some(values) = self.values else { return Ok((self.classes.finish()?, Reason::Text)) };
        let distinct = self.classes.classes().len();
        let reason = Reason::of_numbers(self.has_fractions, distinct, self.rows);
        let target = match reason {
            Reason::FewNumbers { .. } => self.classes.finish()?,
            _ => values.finish()?.0,
        };
        Ok((target, reason))
    }
}
