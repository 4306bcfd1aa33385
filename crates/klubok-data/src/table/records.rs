//! Reads a file row by row: lines, encoding and quotes.

use std::{
    io::{BufRead, BufReader, Read, Seek as _, SeekFrom},
    path::Path,
};

use fs_err::File;

use super::{
    dialect::{Dialect, detect},
    error::TableError,
    row::Row,
};
use klubok_files::bounded;

use crate::{Progress, error::Result};

/// Bytes at the beginning of a file that show its form.
const HEAD_BYTES: u64 = 1 << 20;
/// Maximum bytes of a row. A row of a million columns has 32 for each of them.
pub(super) const MAX_ROW_BYTES: usize = 32 << 20;
/// Bytes between two calls of the progress callback.
const PROGRESS_BYTES: u64 = 1 << 20;

/// The rows of a file.
pub(super) struct Records<'p> {
    /// The file's name, for messages.
    pub(super) path: String,
    /// The form of the file.
    pub(super) dialect: Dialect,
    file: BufReader<std::io::Take<File>>,
    /// Bytes of the line that was read last.
    line: Vec<u8>,
    /// Lines read.
    lines: u64,
    done: u64,
    reported: u64,
    total: u64,
    progress: Progress<'p>,
}

impl<'p> Records<'p> {
    /// Opens a file.
    ///
    /// # Errors
    /// [`TableError::Foreign`] or [`TableError::Utf16`]; `Io` when the file cannot be read.
    pub(super) fn open(path: &Path, progress: Progress<'p>) -> Result<Self> {
        let mut file = bounded::open(path)?;
        let total = file.metadata()?.len();
        let mut head = Vec::new();
        (&mut file).take(HEAD_BYTES).read_to_end(&mut head)?;
        let dialect = detect(&head, path)?;
        let done = dialect.mark as u64;
        file.seek(SeekFrom::Start(done))?;
        Ok(Self {
            path: path.display().to_string(),
            dialect,
            // Ignores bytes appended meanwhile.
            file: BufReader::with_capacity(1 << 18, file.take(total - done)),
            line: Vec::new(),
            lines: 0,
            done,
            reported: 0,
            total,
            progress,
        })
    }

    /// Reads the next row that is not blank and keeps `most` of its cells; false at the end.
    ///
    /// # Errors
    /// When the row is too long, is not text, or has a damaged quote, and when there are blank
    /// lines between two rows. `Io` when reading fails.
    pub(super) fn next(&mut self, row: &mut Row, most: usize) -> Result<bool> {
        let mut blank = None;
        loop {
            if !self.read_line(0)? {
                return Ok(false);
            }
            if !self.is_blank() {
                break;
            }
            blank = blank.or(Some(self.lines));
        }
        // Above the header, blank lines are nobody's data.
        if let Some(line) = blank.filter(|_| row.line > 0) {
            return Err(TableError::BlankLine { path: self.path.clone(), line }.into());
        }
        row.begin(self.lines);
        self.divide(row, most)?;
        Ok(true)
    }

    /// Calls the progress callback every now and then, and at the end.
    fn report(&mut self) {
        let since = self.done - self.reported;
        if since >= PROGRESS_BYTES || since > 0 && self.done == self.total {
            self.reported = self.done;
            (self.progress)(self.done as usize, self.total as usize);
        }
    }

    /// Reads a line, `before` bytes after the beginning of its row; false at the end.
    fn read_line(&mut self, before: usize) -> Result<bool> {
        self.line.clear();
        let room = (MAX_ROW_BYTES - before) as u64;
        let (end, file) = (self.dialect.line_end, &mut self.file);
        let count = file.take(room).read_until(end, &mut self.line)?;
        self.done += count as u64;
        self.lines += u64::from(count > 0);
        self.report();
        Ok(count > 0)
    }

    /// Divides the line that was read, and those after it while a quote is open.
    fn divide(&mut self, row: &mut Row, most: usize) -> Result<()> {
        let mut length = 0;
        loop {
            length += self.line.len();
            if length >= MAX_ROW_BYTES {
                let (path, line) = (self.path.clone(), self.lines);
                return Err(match row.open_quote() {
                    Some(line) => TableError::OpenQuote { path, line },
                    None => TableError::LongLine { path, line, most: MAX_ROW_BYTES },
                }
                .into());
            }
            let text = self.text()?;
            let content = text.strip_suffix(char::from(self.dialect.line_end)).unwrap_or(text);
            let content = content.strip_suffix('\r').unwrap_or(content);
            let separator = self.dialect.separator;
            let in_quotes = row.open_quote().is_some();
            if !in_quotes && !content.as_bytes().contains(&b'"') {
                row.split(content, separator, most);
                return Ok(());
            }
            let line_break = &text[content.len()..];
            row.split_quoted(content, line_break, separator, self.lines, most).map_err(|cell| {
                TableError::AfterQuote { path: self.path.clone(), line: self.lines, cell }
            })?;
            let Some(line) = row.open_quote() else { return Ok(()) };
            if !self.read_line(length)? {
                return Err(TableError::OpenQuote { path: self.path.clone(), line }.into());
            }
        }
    }

    /// Returns the line that was read, as text.
    fn text(&self) -> Result<&str, TableError> {
        let (path, line) = (|| self.path.clone(), self.lines);
        if self.line.contains(&0) {
            return Err(TableError::ZeroByte { path: path(), line });
        }
        std::str::from_utf8(&self.line).map_err(|_| TableError::NotUtf8 { path: path(), line })
    }

    /// Returns true for a line of spaces. A line of separators is a row of empty cells.
    fn is_blank(&self) -> bool {
        let is_space = |&byte: &u8| byte.is_ascii_whitespace() && byte != self.dialect.separator;
        self.line.iter().all(is_space)
    }
}
