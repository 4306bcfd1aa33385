//! Numbers from a file: a table with a header, in which every column is an input, a target or the
//! weight of a sample.
//!
//! Commas, semicolons or tabs separate columns; `"` quotes a cell. Lines end in LF, CRLF or CR. A
//! file with semicolons or tabs may have decimal commas (`3,14`), in all its numbers. Blank lines
//! before the header and after the last row are skipped. Everything that is no number, no class and
//! no label is refused, with its line and column.

mod cell_error;
mod class_column;
mod classes;
mod columns;
mod dialect;
pub(crate) mod error;
mod lines;
mod memory;
mod number;
mod number_columns;
mod open_column;
mod records;
mod row;
mod rows;
mod spread;
mod target;
mod task;
#[cfg(test)]
mod tests;
mod words;

use std::path::Path;

pub use self::{
    cell_error::{CellError, Place},
    error::TableError,
    lines::Lines,
    task::Reason,
};
use self::{
    columns::{Columns, MAX_COLUMNS, is_counting},
    records::Records,
    row::Row,
    rows::Rows,
    words::{counted, listed, short},
};
use crate::{Progress, error::Result, settings::TargetKind};

/// What the columns are for.
#[derive(Debug, Clone, Default)]
pub struct TableOptions {
    /// Target columns; several are several numbers or labels. Empty for inputs only.
    pub target: Vec<String>,
    /// Column with the weight of each sample.
    pub weight: Option<String>,
    /// What the target is; if none, the values decide: see [`Reason`].
    pub task: Option<TargetKind>,
    /// The columns of the trained model that will use the table, if any. They replace the task.
    /// Other columns are ignored, and the table may have a single row or a constant target.
    pub known: Option<KnownColumns>,
}

/// The columns of a trained model.
#[derive(Debug, Clone)]
pub struct KnownColumns {
    /// Its inputs, in order.
    pub inputs: Vec<String>,
    /// Its target. [`TableOptions::target`] names the columns in this file, in the same order, or
    /// none.
    pub target: KnownTarget,
}

/// The target of a trained model.
#[derive(Debug, Clone)]
pub enum KnownTarget {
    /// One of these classes.
    Classes(Vec<String>),
    /// Numbers of these names.
    Numbers(Vec<String>),
    /// Labels of these names.
    Labels(Vec<String>),
}

impl KnownTarget {
    /// The classes; none for numbers and labels.
    fn classes(&self) -> &[String] {
        match self {
            Self::Classes(classes) => classes,
            Self::Numbers(_) | Self::Labels(_) => &[],
        }
    }

    /// Number of target columns.
    fn columns(&self) -> usize {
        match self {
            Self::Classes(_) => 1,
            Self::Numbers(names) | Self::Labels(names) => names.len(),
        }
    }
}

/// A table.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// Names of the inputs, in the order of the file or of the model.
    pub inputs: Vec<String>,
    /// Inputs, `[rows, inputs]`.
    pub x: Vec<f32>,
    /// Number of rows.
    pub rows: usize,
    /// The target, if the options name one.
    pub target: Option<TableTarget>,
    /// Weight of each row: finite, at least 0, not all 0.
    pub weights: Option<Vec<f32>>,
    /// Why the target is what it is.
    pub reason: Reason,
    /// The line of each row.
    pub lines: Lines,
}

/// The target of each row.
#[derive(Debug, Clone, PartialEq)]
pub enum TableTarget {
    /// Classes.
    Classes {
        /// Class names. Numbers ascend, text is in byte order.
        names: Vec<String>,
        /// Class of each row.
        of: Vec<u32>,
    },
    /// Numbers.
    Numbers {
        /// Names of the columns.
        names: Vec<String>,
        /// `[rows, names]`.
        values: Vec<f32>,
    },
    /// Labels.
    Labels {
        /// Names of the columns.
        names: Vec<String>,
        /// `[rows, names]`, each 0 or 1.
        values: Vec<f32>,
    },
}

/// Reads a table. `progress` counts bytes.
///
/// # Errors
/// [`crate::DataError::Cells`] with a [`TableError`]; `Io` when the file cannot be read.
pub fn read(path: &Path, options: &TableOptions, progress: Progress<'_>) -> Result<Table> {
    read_columns(path, options, true, progress)
}

/// Reads the target of a table alone, without its inputs.
///
/// # Errors
/// As [`read`].
pub fn read_target(path: &Path, options: &TableOptions, progress: Progress<'_>) -> Result<Table> {
    read_columns(path, options, false, progress)
}

/// Returns the first names of the columns, for a message.
///
/// # Errors
/// As [`read`], for the header alone.
pub fn column_names(path: &Path) -> Result<String> {
    let mut records = Records::open(path, &|_, _| {})?;
    let mut row = Row::default();
    if !records.next(&mut row, MAX_COLUMNS)? {
        return Err(TableError::Empty { path: records.path }.into());
    }
    let names: Vec<&str> = row.cells().map(str::trim).collect();
    Ok(listed(&names))
}

fn read_columns(
    path: &Path,
    options: &TableOptions,
    with_inputs: bool,
    progress: Progress<'_>,
) -> Result<Table> {
    options.check()?;
    let mut records = Records::open(path, progress)?;
    let mut row = Row::default();
    if !records.next(&mut row, MAX_COLUMNS)? {
        return Err(TableError::Empty { path: records.path }.into());
    }
    let mut columns = match Columns::find(&row, &records.path, options) {
        Err(TableError::Unnamed { path, column: 1 }) if counts_rows(&mut records, &mut row)? => {
            return Err(TableError::RowNumbers { path }.into());
        }
        columns => columns?,
    };
    if !with_inputs {
        columns.inputs.clear();
    }
    let most = columns.count;
    let mut rows = Rows::new(columns, options, &records);
    while records.next(&mut row, most)? {
        rows.add(&row)?;
    }
    let table = rows.finish(options)?;
    // A model has the scale of its training table.
    if options.known.is_none() {
        spread::check(&table, &path.display().to_string())?;
    }
    Ok(table)
}

/// Returns true if the first cells of the next rows are 0, 1, 2 or 1, 2, 3.
fn counts_rows(records: &mut Records<'_>, row: &mut Row) -> Result<bool> {
    let mut cells = Vec::new();
    while cells.len() < 3 && records.next(row, 1)? {
        cells.push(row.cell(0).trim().to_owned());
    }
    Ok(is_counting(&cells))
}

impl TableOptions {
    /// Checks that the columns are different ones and fit the task.
    fn check(&self) -> Result<(), TableError> {
        let names: Vec<&str> = self.target.iter().map(|column| column.trim()).collect();
        if let Some(at) = (1..names.len()).find(|at| names[..*at].contains(&names[*at])) {
            return Err(TableError::TargetTwice { column: short(names[at]) });
        }
        let weight = self.weight.as_deref().map(str::trim);
        if let Some(column) = weight.filter(|weight| names.contains(weight)) {
            return Err(TableError::TargetIsWeight { column: short(column) });
        }
        let targets = self.target.len();
        match &self.known {
            None if self.task == Some(TargetKind::Class) && targets > 1 => {
                Err(TableError::SeveralClassColumns { targets })
            }
            Some(known) if targets > 0 && targets != known.target.columns() => {
                let expected = counted(known.target.columns(), "target");
                Err(TableError::TargetCount { expected, got: targets })
            }
            _ => Ok(()),
        }
    }
}
