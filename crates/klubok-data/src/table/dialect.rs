//! The form of a table: its encoding, the ends of its lines, and the separator of its columns.

use std::path::Path;

use super::{error::TableError, number::is_number};

/// Separators; the first wins a tie.
const SEPARATORS: [u8; 3] = [b',', b';', b'\t'];

/// The form of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dialect {
    /// Separates the cells of a row.
    pub(super) separator: u8,
    /// Ends a line, perhaps after a carriage return.
    pub(super) line_end: u8,
    /// Bytes before the text: a mark of UTF-8.
    pub(super) mark: usize,
}

/// Detects the form from the beginning of the file. A `.tsv` file has tabs.
///
/// # Errors
/// [`TableError::Foreign`] or [`TableError::Utf16`].
pub(super) fn detect(head: &[u8], path: &Path) -> Result<Dialect, TableError> {
    let name = || path.display().to_string();
    if head.starts_with(&[0xFF, 0xFE]) || head.starts_with(&[0xFE, 0xFF]) {
        return Err(TableError::Utf16 { path: name() });
    }
    let text = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head);
    if let Some(is) = foreign(text) {
        return Err(TableError::Foreign { path: name(), is });
    }
    let line_end = if text.contains(&b'\n') || !text.contains(&b'\r') { b'\n' } else { b'\r' };
    let is_tsv = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("tsv"));
    let separator = if is_tsv { b'\t' } else { separator(text, line_end) };
    Ok(Dialect { separator, line_end, mark: head.len() - text.len() })
}

/// Recognises files that are no text tables.
fn foreign(head: &[u8]) -> Option<&'static str> {
    let text = head.trim_ascii_start();
    let starts = |word: &str| {
        text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word.as_bytes()))
    };
    Some(match head {
        [b'P', b'K', 3 | 5, 4 | 6, ..] => "an Excel file or another ZIP archive",
        [0xD0, 0xCF, 0x11, 0xE0, ..] => "an old Excel file",
        [0x1F, 0x8B, ..] => "a gzip archive",
        [b'P', b'A', b'R', b'1', ..] => "a Parquet file",
        [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => "a NumPy file",
        [b'%', b'P', b'D', b'F', b'-', ..] => "a PDF document",
        [0x89, b'P', b'N', b'G', ..] | [0xFF, 0xD8, 0xFF, ..] => "a picture",
        _ if starts("<!doctype") || starts("<html") => "a web page",
        _ if is_json(text) => "JSON",
        _ => return None,
    })
}

/// Returns true for the start of a list or an object, which no header begins with.
fn is_json(text: &[u8]) -> bool {
    let [b'{' | b'[', rest @ ..] = text else { return false };
    matches!(rest.trim_ascii_start(), [b'{' | b'[' | b'"', ..])
}

/// Returns the separator that occurs most often in the header. Names and numbers may contain the
/// others, so one that divides the first row into as many cells is preferred, and among several of
/// those the one between numbers.
fn separator(text: &[u8], line_end: u8) -> u8 {
    let mut rows = Unquoted { rest: text, line_end };
    let header = rows.next().unwrap_or_default();
    let row = rows.next().unwrap_or_default();
    let rank = |separator: &u8| {
        let names = header.split(|byte| byte == separator).count();
        let cells = row.split(|byte| byte == separator);
        let fits = names > 1 && cells.clone().count() == names;
        (fits, if fits { cells.filter(|cell| may_be_number(cell)).count() } else { 0 }, names)
    };
    SEPARATORS.into_iter().rev().max_by_key(rank).unwrap_or(b',')
}

/// Returns true for a number with a point or a comma.
fn may_be_number(cell: &[u8]) -> bool {
    std::str::from_utf8(cell).is_ok_and(|cell| is_number(&cell.replace(',', ".")))
}

/// The rows of a text that are not blank, without what is in quotes.
struct Unquoted<'t> {
    rest: &'t [u8],
    line_end: u8,
}

impl Iterator for Unquoted<'_> {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let (mut row, mut quoted) = (Vec::new(), false);
        while let Some((&byte, rest)) = self.rest.split_first() {
            self.rest = rest;
            match byte {
                b'"' => quoted = !quoted,
                _ if quoted => {}
                _ if byte == self.line_end => {
                    if !row.trim_ascii().is_empty() {
                        return Some(row);
                    }
                    row.clear();
                }
                _ => row.push(byte),
            }
        }
        (!row.is_empty()).then_some(row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn separated(text: &str, expected: u8) {
        let dialect = detect(text.as_bytes(), Path::new("a.csv")).unwrap();
        assert_eq!(dialect.separator as char, expected as char, "{text}");
    }

    #[test]
    fn the_most_frequent_separator_of_the_header_counts() {
        separated("a,b\n1,2\n", b',');
        separated("a;b\n1,5;2,5\n", b';');
        separated("a\tb\n1,5\t2,5\n", b'\t');
        separated("a\n1\n", b',');
        separated("\n\n\"x,y\";b\n1;2\n", b';');
        separated("a;b;c,d", b';');
    }

    #[test]
    fn a_separator_that_fits_the_first_row_is_preferred() {
        separated("width, m;height, m;area, m\n1,5;2,5;3,75\n", b';');
        separated("a,\tb,\tc\n1,\t2,\t3\n", b',');
        separated("a,b;c\n1;2\n", b';');
        separated("a;b;c\n1,2\n", b';');
    }

    #[test]
    fn recognises_encodings_and_line_ends() {
        let of = |bytes: &[u8], name: &str| detect(bytes, Path::new(name)).unwrap();
        let plain = Dialect { separator: b',', line_end: b'\n', mark: 0 };
        assert_eq!(of(b"a,b\r\n1,2\r\n", "a.csv"), plain);
        assert_eq!(of(b"\xEF\xBB\xBFa,b\n", "a.csv"), Dialect { mark: 3, ..plain });
        assert_eq!(of(b"a,b\r1,2\r", "a.csv"), Dialect { line_end: b'\r', ..plain });
        assert_eq!(of(b"a,b\n", "a.TSV"), Dialect { separator: b'\t', ..plain });
        assert!(matches!(detect(b"\xFE\xFF\0a", Path::new("a")), Err(TableError::Utf16 { .. })));
    }

    #[test]
    fn recognises_other_formats() {
        for (head, expected) in [
            (&b"PK\x03\x04"[..], Some("an Excel file or another ZIP archive")),
            (b"\x1F\x8B\x08", Some("a gzip archive")),
            (b" <!DOCTYPE html>", Some("a web page")),
            (b"[\n  {\"a\": 1}]", Some("JSON")),
            (b"PK,x\n", None),
            (b"[m],[s]\n", None),
            (b"", None),
        ] {
            assert_eq!(foreign(head), expected);
        }
    }
}
