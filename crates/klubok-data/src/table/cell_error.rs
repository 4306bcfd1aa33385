//! Errors about single cells.

/// A cell of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub path: String,
    /// Line of the file where the cell's row begins, from 1, as an editor counts.
    pub line: u64,
    /// Name of the cell's column, shortened.
    pub column: String,
}

/// A cell that is no number, class, label or weight.
///
/// Cells and names in it are shortened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CellError {
    /// An empty cell.
    #[error(
        "line {} of `{}` has nothing in column `{}`: fill the cell, or remove the row or the column",
        at.line, at.path, at.column
    )]
    EmptyCell {
        /// The cell.
        at: Place,
    },
    /// A word for a missing value.
    #[error(
        "line {} of `{}` has the missing value `{value}` in column `{}`: fill the cell, or remove the row or the column",
        at.line, at.path, at.column
    )]
    MissingValue {
        /// The cell.
        at: Place,
        /// Its text.
        value: String,
    },
    /// Text in a column of inputs or weights.
    #[error(
        "line {} of `{}` has the text `{value}` in column `{}`: only numbers are read, so remove the column or write it in numbers",
        at.line, at.path, at.column
    )]
    Text {
        /// The cell.
        at: Place,
        /// Its text.
        value: String,
    },
    /// A number that f32 does not hold.
    #[error(
        "line {} of `{}` has `{value}` in column `{}`: a number must be finite and not above 3.4e38",
        at.line, at.path, at.column
    )]
    TooLarge {
        /// The cell.
        at: Place,
        /// Its text.
        value: String,
    },
    /// A number with commas where only points are read, or with both.
    #[error(
        "line {} of `{}` has `{value}` in column `{}`: write the decimal sign as a point, and no separators of thousands",
        at.line, at.path, at.column
    )]
    Comma {
        /// The cell.
        at: Place,
        /// Its text.
        value: String,
    },
    /// Decimal commas and decimal points in one file.
    #[error(
        "line {} of `{}` has `{value}` in column `{}`, and line {other_line} has `{other}`: write the decimal sign as a point everywhere",
        at.line, at.path, at.column
    )]
    MixedDecimals {
        /// The cell.
        at: Place,
        /// Its text.
        value: String,
        /// Line of an earlier number with the other sign, from 1.
        other_line: u64,
        /// That number.
        other: String,
    },
    /// Text where numbers are predicted.
    #[error(
        "line {} of `{}` has the text `{value}` in target `{}`: numbers are to be predicted, so write it as one",
        at.line, at.path, at.column
    )]
    TextTarget {
        /// The cell.
        at: Place,
        /// Its text.
        value: String,
    },
    /// Text in a column that otherwise holds numbers to predict.
    #[error(
        "line {} of `{}` has the text `{value}` in target `{}`, which mostly has numbers: write it as a number, or choose the task `class`",
        at.line, at.path, at.column
    )]
    TextAmongNumbers {
        /// The cell.
        at: Place,
        /// Its text.
        value: String,
    },
    /// A label other than 0 and 1.
    #[error(
        "line {} of `{}` has `{value}` in target `{}`: a label is 0 or 1",
        at.line, at.path, at.column
    )]
    NotALabel {
        /// The cell.
        at: Place,
        /// Its text.
        value: String,
    },
    /// A class that is not among the trained ones.
    #[error(
        "line {} of `{}` has the class `{value}` in target `{}`, and the model knows only {known}",
        at.line, at.path, at.column
    )]
    UnknownClass {
        /// The cell.
        at: Place,
        /// Its text.
        value: String,
        /// The first of the known classes, in backticks.
        known: String,
    },
    /// A text that is too long for a class.
    #[error(
        "line {} of `{}` has a text of more than {most} bytes in target `{}`: the name of a class is shorter",
        at.line, at.path, at.column
    )]
    LongClass {
        /// The cell.
        at: Place,
        /// The limit in bytes.
        most: usize,
    },
    /// A weight below 0.
    #[error(
        "line {} of `{}` has the weight `{value}` in column `{}`: a weight must be at least 0",
        at.line, at.path, at.column
    )]
    NegativeWeight {
        /// The cell.
        at: Place,
        /// Its text.
        value: String,
    },
}
