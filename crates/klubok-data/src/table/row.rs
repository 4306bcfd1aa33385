//! A row of a table, divided into its cells.
//!
//! A cell in quotes may contain separators, line breaks and doubled quotes (RFC 4180). Spaces
//! around the quotes are ignored. A quote within a cell that does not begin with one is an ordinary
//! character.

/// A row.
#[derive(Debug, Default)]
pub(super) struct Row {
    /// Line where the row begins, from 1.
    pub(super) line: u64,
    /// The cells without their quotes, each with the separator after it.
    text: String,
    /// End of each cell in the text, up to the most that may be kept.
    ends: Vec<usize>,
    /// All cells.
    cells: usize,
    /// Line of the opening quote while it is open.
    open_quote: Option<u64>,
}

impl Row {
    /// Returns the number of cells.
    pub(super) fn len(&self) -> usize {
        self.cells
    }

    /// Returns a cell.
    pub(super) fn cell(&self, column: usize) -> &str {
        let start = column.checked_sub(1).map_or(0, |before| self.ends[before] + 1);
        &self.text[start..self.ends[column]]
    }

    /// Iterates over the cells, up to the most that are kept.
    pub(super) fn cells(&self) -> impl Iterator<Item = &str> {
        (0..self.ends.len()).map(|column| self.cell(column))
    }

    /// Begins a row in this line.
    pub(super) fn begin(&mut self, line: u64) {
        self.line = line;
        self.text.clear();
        self.ends.clear();
        self.cells = 0;
        self.open_quote = None;
    }

    /// Returns the line of the quote that is open.
    pub(super) fn open_quote(&self) -> Option<u64> {
        self.open_quote
    }

    /// Divides a row without quotes; keeps `most` cells.
    pub(super) fn split(&mut self, text: &str, separator: u8, most: usize) {
        self.text.push_str(text);
        for (at, &byte) in text.as_bytes().iter().enumerate() {
            if byte == separator {
                self.end_cell(at, most);
            }
        }
        self.end_cell(text.len(), most);
    }

    /// Divides a line of a row with quotes; keeps `most` cells. The row goes on in the next line if
    /// a quote is open after this one, whose line break is `line_break`.
    ///
    /// # Errors
    /// The number of the cell, from 1, whose closing quote precedes more text.
    pub(super) fn split_quoted(
        &mut self,
        text: &str,
        line_break: &str,
        separator: u8,
        line: u64,
        most: usize,
    ) -> Result<(), usize> {
        let (mut rest, separator) = (text, char::from(separator));
        loop {
            if self.open_quote.is_none() {
                if let Some(quoted) = rest.trim_start_matches(' ').strip_prefix('"') {
                    self.open_quote = Some(line);
                    rest = quoted;
                } else {
                    let end = rest.find(separator).unwrap_or(rest.len());
                    self.text.push_str(&rest[..end]);
                    rest = &rest[end..];
                }
            }
            if self.open_quote.is_some() {
                let Some(closed) = self.quoted(rest) else {
                    self.text.push_str(line_break);
                    return Ok(());
                };
                self.open_quote = None;
                rest = closed.trim_start_matches(' ');
                if !rest.is_empty() && !rest.starts_with(separator) {
                    return Err(self.cells + 1);
                }
            }
            self.end_cell(self.text.len(), most);
            let Some(next) = rest.strip_prefix(separator) else { return Ok(()) };
            self.text.push(separator);
            rest = next;
        }
    }

    /// Appends what is in quotes; returns what follows them, if they close.
    fn quoted<'t>(&mut self, mut rest: &'t str) -> Option<&'t str> {
        loop {
            let Some((content, after)) = rest.split_once('"') else {
                self.text.push_str(rest);
                return None;
            };
            self.text.push_str(content);
            let Some(more) = after.strip_prefix('"') else { return Some(after) };
            self.text.push('"');
            rest = more;
        }
    }

    fn end_cell(&mut self, at: usize, most: usize) {
        self.cells += 1;
        if self.ends.len() < most {
            self.ends.push(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row_of(lines: &[&str], most: usize) -> Result<Row, usize> {
        let mut row = Row::default();
        row.begin(1);
        for (line, number) in lines.iter().zip(1..) {
            row.split_quoted(line, "\n", b',', number, most)?;
        }
        Ok(row)
    }

    #[track_caller]
    fn divided(lines: &[&str], expected: &[&str]) {
        let row = row_of(lines, 9).unwrap();
        assert!(row.open_quote().is_none());
        assert_eq!(
            (row.cells().collect::<Vec<_>>(), row.len()),
            (expected.to_vec(), expected.len())
        );
    }

    #[test]
    fn quotes_protect_separators_line_breaks_and_quotes() {
        divided(&["a,b,"], &["a", "b", ""]);
        divided(&["\"a,b\",\"\""], &["a,b", ""]);
        divided(&["\"say \"\"hi\"\"\",1"], &["say \"hi\"", "1"]);
        divided(&["\"a", "", "b\",1"], &["a\n\nb", "1"]);
        divided(&[" \"a\" , \"b\""], &["a", "b"]);
        divided(&["5'10\",it\"s"], &["5'10\"", "it\"s"]);
        divided(&["\"кот\",\"пёс\""], &["кот", "пёс"]);
    }

    #[test]
    fn text_after_a_closing_quote_is_refused() {
        assert_eq!(row_of(&["1,\"a\"b"], 9).unwrap_err(), 2);
        assert_eq!(row_of(&["\"a\" \"b\""], 9).unwrap_err(), 1);
        assert_eq!(row_of(&["\"a\" b"], 9).unwrap_err(), 1);
    }

    #[test]
    fn an_open_quote_has_its_line() {
        assert_eq!(row_of(&["\"a", "b\",\"c", "d"], 9).unwrap().open_quote(), Some(2));
    }

    #[test]
    fn surplus_cells_are_counted_and_not_kept() {
        let row = row_of(&["1,2,\"3\",4"], 2).unwrap();
        assert_eq!((row.len(), row.cells().collect::<Vec<_>>()), (4, vec!["1", "2"]));
        let mut plain = Row::default();
        plain.begin(1);
        plain.split("1,2,3,4", b',', 2);
        assert_eq!((plain.len(), plain.cells().collect::<Vec<_>>()), (4, vec!["1", "2"]));
    }
}
