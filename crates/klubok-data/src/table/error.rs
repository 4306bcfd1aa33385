//! Errors about tables: what is wrong, where it is, and what would be right.

use klubok_nn::error::format_bytes;

use super::cell_error::CellError;

/// An unusable table.
///
/// Names and cells in it are shortened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    // === The file ===
    /// Another format.
    #[error(
        "`{path}` is {is}: a table is text with commas, semicolons or tabs between its columns"
    )]
    Foreign {
        /// The file.
        path: String,
        /// What it is.
        is: &'static str,
    },
    /// Text in UTF-16.
    #[error("`{path}` is text in UTF-16: save it in UTF-8 (in Excel as `CSV UTF-8`)")]
    Utf16 {
        /// The file.
        path: String,
    },
    /// Text in another encoding.
    #[error(
        "line {line} of `{path}` is not UTF-8: save the table in UTF-8 (in Excel as `CSV UTF-8`)"
    )]
    NotUtf8 {
        /// The file.
        path: String,
        /// The first such line, from 1.
        line: u64,
    },
    /// A zero byte.
    #[error("line {line} of `{path}` has a zero byte, which no text has: save the table as text")]
    ZeroByte {
        /// The file.
        path: String,
        /// The first such line, from 1.
        line: u64,
    },
    /// Nothing but blank lines.
    #[error("`{path}` is empty: a table has a line that names its columns, and rows below it")]
    Empty {
        /// The file.
        path: String,
    },
    /// Too many rows or columns.
    #[error("`{path}` has more than {most} {what}, the most that are read")]
    TooMany {
        /// The file.
        path: String,
        /// The limit.
        most: usize,
        /// `rows` or `columns`.
        what: &'static str,
    },
    /// A row without an end.
    #[error(
        "line {line} of `{path}` is longer than {} MiB, the most that is read: each row needs a line of its own",
        most >> 20
    )]
    LongLine {
        /// The file.
        path: String,
        /// The line, from 1.
        line: u64,
        /// The limit in bytes.
        most: usize,
    },
    /// The numbers do not fit into memory.
    #[error(
        "the numbers of `{path}` need {} of memory or more, which cannot be had: take fewer rows or columns",
        format_bytes(*needed)
    )]
    Memory {
        /// The file.
        path: String,
        /// Required bytes for the rows up to the one that did not fit.
        needed: u64,
    },

    // === The header ===
    /// Numbers instead of a header.
    #[error(
        "line {line} of `{path}` has numbers instead of names: the first line must name the columns"
    )]
    NoHeader {
        /// The file.
        path: String,
        /// The line, from 1.
        line: u64,
    },
    /// A column without a name.
    #[error("column {column} of `{path}` has no name: the header must name every column")]
    Unnamed {
        /// The file.
        path: String,
        /// Number of the column, from 1.
        column: usize,
    },
    /// Row numbers without a name.
    #[error(
        "the first column of `{path}` has no name and counts the rows: remove it (pandas leaves it out with `index=False`)"
    )]
    RowNumbers {
        /// The file.
        path: String,
    },
    /// Two columns of the same name.
    #[error("`{path}` has two columns named `{name}`, number {first} and {second}: rename one")]
    SameName {
        /// The file.
        path: String,
        /// Their name.
        name: String,
        /// Number of one column, from 1.
        first: usize,
        /// Number of the other one.
        second: usize,
    },
    /// No separator in the header.
    #[error(
        "`{path}` has one column, `{column}`: a comma, a semicolon or a tab must separate columns, and at least two are needed"
    )]
    OneColumn {
        /// The file.
        path: String,
        /// The header.
        column: String,
    },
    /// A target or weight that is no column.
    #[error("`{path}` has no column `{column}`{nearest}: its columns are {columns}")]
    NoColumn {
        /// The file.
        path: String,
        /// The name that was given.
        column: String,
        /// The nearest column, as `, the nearest is ...`, or empty.
        nearest: String,
        /// The first columns, in backticks.
        columns: String,
    },
    /// An input of the model that is no column.
    #[error(
        "`{path}` has no column `{column}`, which the model needs{nearest}: its columns are {columns}"
    )]
    NoInput {
        /// The file.
        path: String,
        /// The model's name for it.
        column: String,
        /// The nearest column, as `, the nearest is ...`, or empty.
        nearest: String,
        /// The first columns, in backticks.
        columns: String,
    },
    /// Targets and weights only.
    #[error("`{path}` has no columns besides {columns}: a network needs at least one as its input")]
    NoInputs {
        /// The file.
        path: String,
        /// The targets and the weight, in backticks.
        columns: String,
    },

    // === The options ===
    /// A target that is named twice.
    #[error("target `{column}` is named twice: once is enough")]
    TargetTwice {
        /// The column.
        column: String,
    },
    /// A target that is the weight, too.
    #[error("`{column}` cannot be the target and the weight of a sample: name two columns")]
    TargetIsWeight {
        /// The column.
        column: String,
    },
    /// Several targets that should be classes.
    #[error("classes are in one column, and {targets} targets are named: name one of them")]
    SeveralClassColumns {
        /// Number of targets.
        targets: usize,
    },
    /// A model with other targets.
    #[error("the model has {expected}, and you name {got}: name a column for each of them")]
    TargetCount {
        /// The model's targets: `1 target`, `2 targets`.
        expected: String,
        /// Number of targets.
        got: usize,
    },

    // === Rows ===
    /// A header without rows.
    #[error("`{path}` has no rows below its header: a table has one for each sample")]
    NoRows {
        /// The file.
        path: String,
    },
    /// A single row. It cannot be split.
    #[error(
        "`{path}` has one row: at least two are needed, one for training and one for validation"
    )]
    OneRow {
        /// The file.
        path: String,
    },
    /// A row that ends early.
    #[error(
        "line {line} of `{path}` has {cells}, and the header has {columns}: every row needs a cell for each column"
    )]
    TooFewCells {
        /// The file.
        path: String,
        /// Line where the row begins, from 1.
        line: u64,
        /// `1 cell`, `2 cells`.
        cells: String,
        /// `2 columns`.
        columns: String,
    },
    /// A row that goes on too long.
    #[error(
        "line {line} of `{path}` has {cells}, and the header has {columns}: a cell that contains a separator needs quotes"
    )]
    TooManyCells {
        /// The file.
        path: String,
        /// Line where the row begins, from 1.
        line: u64,
        /// `3 cells`.
        cells: String,
        /// `1 column`, `2 columns`.
        columns: String,
    },
    /// A blank line between rows.
    #[error(
        "line {line} of `{path}` is empty, and there are rows below it: remove it or fill its cells"
    )]
    BlankLine {
        /// The file.
        path: String,
        /// The line, from 1.
        line: u64,
    },
    /// The header once more, as in files that were joined.
    #[error("line {line} of `{path}` is the header again: remove it")]
    HeaderAgain {
        /// The file.
        path: String,
        /// The line, from 1.
        line: u64,
    },
    /// A quote without an end.
    #[error(
        "line {line} of `{path}` opens a quote that never closes: a quote within a cell is doubled"
    )]
    OpenQuote {
        /// The file.
        path: String,
        /// Line of the quote, from 1.
        line: u64,
    },
    /// Text between a closing quote and the next separator.
    #[error(
        "line {line} of `{path}` has text after the closing quote of cell {cell}: a quote within a cell is doubled"
    )]
    AfterQuote {
        /// The file.
        path: String,
        /// The line, from 1.
        line: u64,
        /// Number of the cell in its row, from 1.
        cell: usize,
    },

    // === Columns ===
    /// Text in several columns of inputs.
    #[error(
        "line {line} of `{path}` has text such as `{value}` in the columns {columns}: only numbers are read, so remove the columns or write them in numbers"
    )]
    Texts {
        /// The file.
        path: String,
        /// Line where the row begins, from 1.
        line: u64,
        /// The text in the first of the columns.
        value: String,
        /// The first columns, in backticks.
        columns: String,
    },
    /// Commas that may be decimal signs or separate thousands.
    #[error(
        "line {line} of `{path}` has `{value}`, and every comma of the file may as well separate thousands: write the decimal sign as a point"
    )]
    DoubtfulCommas {
        /// The file.
        path: String,
        /// Line of the first number with a comma, from 1.
        line: u64,
        /// That number.
        value: String,
    },
    /// Too many classes of text.
    #[error(
        "target `{column}` of `{path}` has more than {most} different texts: the rows of a class have the same text"
    )]
    TooManyTexts {
        /// The file.
        path: String,
        /// The column.
        column: String,
        /// The limit.
        most: usize,
    },
    /// Too many classes of numbers.
    #[error(
        "target `{column}` of `{path}` has more than {most} different numbers, too many for classes: choose the task `number`"
    )]
    TooManyNumbers {
        /// The file.
        path: String,
        /// The column.
        column: String,
        /// The limit.
        most: usize,
    },
    /// A target that is the same in every row.
    #[error(
        "target `{column}` of `{path}` is `{value}` in every row: there is nothing to learn, so name another column"
    )]
    Constant {
        /// The file.
        path: String,
        /// The column.
        column: String,
        /// Its value.
        value: String,
    },
    /// Numbers that single precision hardly tells apart.
    #[error(
        "column `{column}` of `{path}` has numbers from {low} to {high}, which differ too little for their size: subtract {low} from all of them"
    )]
    Close {
        /// The file.
        path: String,
        /// The column.
        column: String,
        /// Its smallest number.
        low: f32,
        /// Its largest number.
        high: f32,
    },
    /// Weights without effect.
    #[error("every weight in column `{column}` of `{path}` is 0: at least one must be above 0")]
    ZeroWeights {
        /// The file.
        path: String,
        /// The column.
        column: String,
    },

    // === Cells ===
    /// An unusable cell.
    #[error(transparent)]
    Cell(#[from] CellError),
}
