//! The target column or columns under construction.

use super::{
    KnownTarget, TableOptions, TableTarget, class_column::ClassColumn, columns::Column,
    error::TableError, number::Numbers, number_columns::NumberColumns, open_column::OpenColumn,
    row::Row, task::Reason,
};
use crate::settings::TargetKind;

/// Target columns under construction.
#[derive(Debug)]
pub(super) enum Target {
    /// Classes, asked for or those of a model.
    Classes(ClassColumn),
    /// Numbers or labels.
    Numbers(NumberColumns),
    /// One column that may be classes or numbers.
    Open(OpenColumn),
}

impl Target {
    /// Begins with no rows; none without target columns.
    pub(super) fn new(
        mut columns: Vec<Column>,
        options: &TableOptions,
        path: &str,
        commas: bool,
    ) -> Option<Self> {
        let known = options.known.as_ref().map(|known| &known.target);
        let task = match known {
            None => options.task,
            Some(KnownTarget::Classes(_)) => Some(TargetKind::Class),
            Some(KnownTarget::Numbers(_)) => Some(TargetKind::Number),
            Some(KnownTarget::Labels(_)) => Some(TargetKind::Label),
        };
        let is_known = known.is_some();
        let first = if columns.len() == 1 { columns.pop() } else { None };
        Some(match (task, first) {
            (_, None) if columns.is_empty() => return None,
            (Some(TargetKind::Class), Some(column)) => {
                let known = known.map(KnownTarget::classes);
                Self::Classes(ClassColumn::new(column, known, path, commas))
            }
            (None, Some(column)) => Self::Open(OpenColumn::new(column, path, commas)),
            (task, first) => {
                columns.extend(first);
                Self::Numbers(NumberColumns::new(columns, task, is_known, path))
            }
        })
    }

    /// Appends a row.
    ///
    /// # Errors
    /// When a cell is no such target, or memory is short.
    pub(super) fn add(&mut self, row: &Row, numbers: &mut Numbers) -> Result<(), TableError> {
        match self {
            Self::Classes(column) => column.add(row, numbers),
            Self::Numbers(columns) => columns.add(row, numbers),
            Self::Open(column) => column.add(row, numbers),
        }
    }

    /// Returns the target of all rows, and why it is of its kind.
    ///
    /// # Errors
    /// When the values are of no use together: constant, for example.
    pub(super) fn finish(self) -> Result<(TableTarget, Reason), TableError> {
        match self {
            Self::Classes(column) => {
                let reason = if column.is_known() { Reason::Model } else { Reason::Asked };
                Ok((column.finish()?, reason))
            }
            Self::Numbers(columns) => columns.finish(),
            Self::Open(column) => column.finish(),
        }
    }
}
