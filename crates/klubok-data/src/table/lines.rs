//! The line of each row.

use super::{error::TableError, memory::reserve};

/// The lines of a file where its rows begin.
///
/// Line and row number differ by 2, unless rows above span several lines. Only the rows where the
/// difference grows are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lines {
    /// Rows, in order, each with its line minus its number; the next rows have the same difference.
    differences: Vec<(u32, u64)>,
}

impl Lines {
    /// Returns the line of a row (from 0), counted from 1 as an editor counts.
    pub fn line(&self, row: usize) -> u64 {
        let after = self.differences.partition_point(|&(first, _)| first as usize <= row);
        let difference = after.checked_sub(1).map_or(2, |at| self.differences[at].1);
        row as u64 + difference
    }

    /// Appends a row.
    ///
    /// # Errors
    /// When memory is short.
    pub(super) fn add(&mut self, row: usize, line: u64, path: &str) -> Result<(), TableError> {
        let difference = line - row as u64;
        if self.differences.last().map_or(2, |last| last.1) != difference {
            reserve(&mut self.differences, 1, path)?;
            self.differences.push((row as u32, difference));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_only_the_rows_where_the_difference_changes() {
        let mut lines = Lines::default();
        for (row, line) in [2, 3, 4, 7, 8, 12].into_iter().enumerate() {
            lines.add(row, line, "a.csv").unwrap();
        }
        assert_eq!([0, 1, 2, 3, 4, 5, 6].map(|row| lines.line(row)), [2, 3, 4, 7, 8, 12, 13]);
        assert_eq!(lines.differences.len(), 2);
        assert_eq!(Lines::default().line(5), 7);
    }
}
