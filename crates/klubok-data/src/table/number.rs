//! Numbers in cells: `7`, `-1.5e3`, and in files with semicolons or tabs `3,14`.

use super::{
    cell_error::{CellError, Place},
    error::TableError,
    words::short,
};

/// Words for a missing value, in lower case.
const MISSING: [&str; 9] = ["na", "n/a", "#n/a", "<na>", "nan", "null", "?", "-", "--"];
/// More such words, which may name a class.
const MISSING_NUMBERS: [&str; 3] = ["none", "nil", "missing"];
/// Maximum bytes of such a word.
const MAX_MISSING_BYTES: usize = 8;

/// Parses numbers of one file, whose decimal signs must agree.
#[derive(Debug)]
pub(super) struct Numbers {
    /// Whether a comma may be a decimal sign.
    pub(super) commas: bool,
    decimals: Decimals,
    /// Line and text of the first number with a decimal sign, where the sign may be a comma.
    first: (u64, String),
    /// True once a comma cannot separate thousands.
    certain: bool,
    /// The last number with a comma, with a point instead.
    with_point: String,
}

/// The decimal sign of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Decimals {
    /// No number has had one.
    Unknown,
    Point,
    Comma,
}

/// What is wrong with a cell of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    /// An empty cell.
    Empty,
    /// A word for a missing value.
    Missing,
    /// Text.
    Text,
    /// Infinite, in f32 at least.
    Infinite,
    /// A number with commas that cannot be read.
    Comma,
    /// A decimal sign other than that of earlier numbers.
    Mixed,
}

impl Numbers {
    /// Numbers of a file with this separator.
    pub(super) fn new(separator: u8) -> Self {
        let commas = separator != b',';
        let decimals = if commas { Decimals::Unknown } else { Decimals::Point };
        let (first, with_point) = ((0, String::new()), String::new());
        Self { commas, decimals, first, certain: false, with_point }
    }

    /// Parses a number, correctly rounded to f32.
    ///
    /// # Errors
    /// The cell's flaw.
    pub(super) fn parse(&mut self, cell: &str, line: u64) -> Result<f32, Flaw> {
        let sign = if self.commas { cell.bytes().find(|byte| b".,".contains(byte)) } else { None };
        let value = match sign {
            Some(b',') => self.parse_comma(cell),
            _ => parse(cell),
        };
        let value = value.ok_or_else(|| flaw(cell.trim()))?;
        if !value.is_finite() {
            return Err(if value.is_nan() { Flaw::Missing } else { Flaw::Infinite });
        }
        match sign {
            Some(b',') => self.agree(Decimals::Comma, cell, line)?,
            Some(_) => self.agree(Decimals::Point, cell, line)?,
            None => {}
        }
        Ok(value)
    }

    /// Parses a number with a decimal comma.
    fn parse_comma(&mut self, cell: &str) -> Option<f32> {
        let (whole, part) = cell.split_once(',')?;
        if part.contains(['.', ',']) {
            return None;
        }
        self.with_point.clear();
        for piece in [whole, ".", part] {
            self.with_point.push_str(piece);
        }
        parse(&self.with_point)
    }

    /// Checks that a number has the decimal sign of earlier ones.
    fn agree(&mut self, sign: Decimals, cell: &str, line: u64) -> Result<(), Flaw> {
        if self.decimals == Decimals::Unknown {
            self.decimals = sign;
            self.first = (line, cell.to_owned());
        }
        self.certain = self.certain || sign == Decimals::Comma && !is_like_thousands(cell.trim());
        if self.decimals == sign { Ok(()) } else { Err(Flaw::Mixed) }
    }

    /// Returns true for a cell that is neither a number nor a missing value.
    pub(super) fn is_text(&self, cell: &str) -> bool {
        double(cell, self.commas).is_none()
            && parse(cell).is_none()
            && flaw(cell.trim()) == Flaw::Text
    }

    /// Describes a flawed cell.
    pub(super) fn error(&self, flaw: Flaw, at: Place, cell: &str) -> CellError {
        let value = short(cell);
        match flaw {
            Flaw::Empty => CellError::EmptyCell { at },
            Flaw::Missing => CellError::MissingValue { at, value },
            Flaw::Text if is_among(&MISSING_NUMBERS, &value) => {
                CellError::MissingValue { at, value }
            }
            Flaw::Text => CellError::Text { at, value },
            Flaw::Infinite => CellError::TooLarge { at, value },
            Flaw::Comma => CellError::Comma { at, value },
            Flaw::Mixed => {
                let (other_line, other) = (self.first.0, short(&self.first.1));
                CellError::MixedDecimals { at, value, other_line, other }
            }
        }
    }

    /// Checks at the end of the file that its commas are decimal signs.
    ///
    /// # Errors
    /// [`TableError::DoubtfulCommas`].
    pub(super) fn check_commas(&self, path: &str) -> Result<(), TableError> {
        if self.decimals != Decimals::Comma || self.certain {
            return Ok(());
        }
        let (path, line, value) = (path.to_owned(), self.first.0, short(&self.first.1));
        Err(TableError::DoubtfulCommas { path, line, value })
    }
}

/// Returns the flaw of a cell that is no number.
fn flaw(cell: &str) -> Flaw {
    match missing(cell) {
        Some(flaw) => flaw,
        None if cell.contains(',') && is_number(&cell.replace(',', "")) => Flaw::Comma,
        None => Flaw::Text,
    }
}

/// Returns the flaw of a cell without a value, in any column.
pub(super) fn missing(cell: &str) -> Option<Flaw> {
    match cell.trim() {
        "" => Some(Flaw::Empty),
        word => is_among(&MISSING, word).then_some(Flaw::Missing),
    }
}

fn is_among(words: &[&str], text: &str) -> bool {
    text.len() <= MAX_MISSING_BYTES && words.contains(&text.to_lowercase().as_str())
}

/// Returns true for a finite number with a point.
pub(super) fn is_number(text: &str) -> bool {
    parse(text).is_some_and(f32::is_finite)
}

/// Parses a finite number in double precision: for classes, whose values need not fit into f32.
pub(super) fn double(text: &str, commas: bool) -> Option<f64> {
    let text = text.trim();
    let value = match text.split_once(',') {
        Some((whole, part)) if commas && !part.contains(['.', ',']) => {
            format!("{whole}.{part}").parse()
        }
        _ => text.parse(),
    };
    value.ok().filter(|value: &f64| value.is_finite())
}

/// Parses a number with a point, perhaps between spaces.
fn parse(cell: &str) -> Option<f32> {
    cell.parse().or_else(|_| cell.trim().parse()).ok()
}

/// Returns true if the comma of a number may separate thousands, as in `-12,345`.
fn is_like_thousands(cell: &str) -> bool {
    let (whole, part) = cell.split_once(',').unwrap_or_default();
    let whole = whole.trim_start_matches(['-', '+']);
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    (1..=3).contains(&whole.len())
        && !whole.starts_with('0')
        && part.len() == 3
        && is_digits(whole)
        && is_digits(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn parsed(separator: u8, cell: &str, expected: Result<f32, Flaw>) {
        assert_eq!(Numbers::new(separator).parse(cell, 2), expected, "{cell}");
    }

    #[test]
    fn reads_numbers_with_points() {
        for (cell, value) in [
            ("7", 7.0),
            (" -1.5 ", -1.5),
            ("+2", 2.0),
            (".5", 0.5),
            ("1.", 1.0),
            ("1e3", 1000.0),
            ("-2.5E-1", -0.25),
            ("\u{a0}3", 3.0),
            ("0.1", 0.1),
            ("1e-60", 0.0),
            // Halfway between two values of f32, and just above: f64 in between would round both
            // down.
            ("16777217", 16_777_216.0),
            ("16777217.0000000001", 16_777_218.0),
        ] {
            parsed(b',', cell, Ok(value));
            parsed(b';', cell, Ok(value));
        }
    }

    #[test]
    fn tells_missing_values_from_text() {
        for (cell, flaw) in [
            ("", Flaw::Empty),
            ("  ", Flaw::Empty),
            ("NA", Flaw::Missing),
            ("NaN", Flaw::Missing),
            ("?", Flaw::Missing),
            ("-", Flaw::Missing),
            ("null", Flaw::Missing),
            ("cat", Flaw::Text),
            ("1 2", Flaw::Text),
            ("0x10", Flaw::Text),
            ("12%", Flaw::Text),
            ("inf", Flaw::Infinite),
            ("1e39", Flaw::Infinite),
            ("3.5e38", Flaw::Infinite),
        ] {
            parsed(b',', cell, Err(flaw));
            parsed(b'\t', cell, Err(flaw));
        }
    }

    #[test]
    fn a_comma_is_a_decimal_sign_beside_semicolons_and_tabs() {
        for (cell, value) in [("3,25", 3.25), (" -0,5", -0.5), ("1,5E+2", 150.0), (",5", 0.5)] {
            parsed(b';', cell, Ok(value));
            parsed(b'\t', cell, Ok(value));
            parsed(b',', cell, Err(Flaw::Comma));
        }
        parsed(b';', "1.234,5", Err(Flaw::Comma));
        parsed(b';', "1,234,567", Err(Flaw::Comma));
        parsed(b',', "1,234.5", Err(Flaw::Comma));
        parsed(b';', "a,5", Err(Flaw::Text));
    }

    #[test]
    fn decimal_signs_must_agree() {
        let mut numbers = Numbers::new(b';');
        assert_eq!(numbers.parse("7", 2), Ok(7.0));
        assert_eq!(numbers.parse("3,25", 2), Ok(3.25));
        assert_eq!(numbers.parse("2.5", 3), Err(Flaw::Mixed));
        assert_eq!(numbers.parse("7", 3), Ok(7.0));
        let mut numbers = Numbers::new(b';');
        assert_eq!(numbers.parse("2.5", 2), Ok(2.5));
        assert_eq!(numbers.parse("3,25", 3), Err(Flaw::Mixed));
    }

    #[test]
    fn commas_that_may_separate_thousands_are_doubtful() {
        let mut numbers = Numbers::new(b';');
        for cell in ["1,234", "-12,345", "7", "123,456"] {
            numbers.parse(cell, 2).unwrap();
        }
        assert!(numbers.check_commas("a").is_err());
        numbers.parse("0,123", 2).unwrap();
        assert!(numbers.check_commas("a").is_ok());
        for certain in ["1,5", "1234,567", "1,234e1", ",123", "1,2345"] {
            let mut numbers = Numbers::new(b';');
            numbers.parse(certain, 2).unwrap();
            assert!(numbers.check_commas("a").is_ok(), "{certain}");
        }
    }
}
