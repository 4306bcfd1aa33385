//! Errors from reading a history.

use klubok_train::RunError;

/// Result of reading a history.
pub type Result<T, E = HistoryError> = std::result::Result<T, E>;

/// Why a history cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HistoryError {
    /// It has no epochs.
    #[error("`{path}` has no epochs")]
    Empty {
        /// The source.
        path: String,
    },
    /// It has one epoch.
    #[error("`{path}` has one epoch, and a change takes at least two")]
    OneEpoch {
        /// The source.
        path: String,
    },
    /// It has no loss: it is something else, or its columns have unknown names.
    #[error("`{path}` has no column `train_loss` or `val_loss`: its columns are {columns}")]
    NoLoss {
        /// The source.
        path: String,
        /// Its columns.
        columns: String,
    },
    /// A cell does not fit its column.
    #[error("`{path}` has `{value}` in column `{column}`, row {row}, where {wanted} should be")]
    Cell {
        /// The source.
        path: String,
        /// Row from 1, without the header.
        row: u64,
        /// Name of the column.
        column: String,
        /// The text of the cell.
        value: String,
        /// What the column needs.
        wanted: &'static str,
    },
    /// A column names the part of each row, and one row with a loss has no part.
    #[error(
        "`{path}` does not say which part of the data the loss is of in column `{column}`, \
         row {row}"
    )]
    UnknownPart {
        /// The source.
        path: String,
        /// The column that names the parts.
        column: String,
        /// Row from 1, without the header.
        row: u64,
    },
    /// A column names several trainings.
    #[error(
        "`{path}` has more than one training: column `{column}` has `{one}` for some and `{other}` \
         for others"
    )]
    SeveralTrainings {
        /// The source.
        path: String,
        /// The column.
        column: String,
        /// One training.
        one: String,
        /// Another one.
        other: String,
    },
    /// A column distinguishes the rows of an epoch, by a part or training that klubok does not
    /// know.
    #[error(
        "`{path}` has several rows an epoch, which its column `{column}` tells apart (`{one}`, `{other}`): of which part or \
         training they are is not said"
    )]
    UnknownGroups {
        /// The source.
        path: String,
        /// The column.
        column: String,
        /// Its value in one row.
        one: String,
        /// Its value in another row of the same epoch.
        other: String,
    },
    /// It is not a table.
    #[error("`{path}` is no CSV or JSON with named columns: it begins with `{line}`")]
    NoTable {
        /// The source.
        path: String,
        /// Its first line, or what it begins with.
        line: String,
    },
    /// It is not encoded in UTF-8.
    #[error("`{path}` is no text in UTF-8")]
    NotUtf8 {
        /// The source.
        path: String,
    },
    /// A row has more cells than the header has names.
    #[error("`{path}` has {cells} cells in row {row} and {names} names in its head")]
    Cells {
        /// The source.
        path: String,
        /// Row from 1, without the header.
        row: u64,
        /// Cells in the row.
        cells: usize,
        /// Names in the header.
        names: usize,
    },
    /// It exceeds a limit on rows, columns or figures.
    #[error("`{path}` has more than {most} {what}, the most that are read")]
    TooLong {
        /// The source.
        path: String,
        /// The limit.
        most: usize,
        /// Rows, columns or figures.
        what: &'static str,
    },
    /// Lists have unequal lengths.
    #[error(
        "`{path}` has {} values of `{}` and {} of `{}`: which epochs these are of is not said",
        one.1, one.0, other.1, other.0
    )]
    Lengths {
        /// The source.
        path: String,
        /// Name and length of one list.
        one: (String, usize),
        /// Name and length of another.
        other: (String, usize),
    },
    /// Two columns have the same loss.
    #[error("`{path}` has `{one}` and `{other}`, and only one of them can be the loss of its part")]
    Ambiguous {
        /// The source.
        path: String,
        /// One column.
        one: String,
        /// The other one.
        other: String,
    },
    /// Training and validation losses count different steps.
    #[error("`{path}` has {train} and {val}: which belong together is not said")]
    Mixed {
        /// The source.
        path: String,
        /// The training loss and its steps, in words.
        train: String,
        /// The validation loss and its steps.
        val: String,
    },
    /// Steps start again.
    #[error("`{path}` has step {step} of `{name}` again: it seems to hold more than one training")]
    Restarts {
        /// The source.
        path: String,
        /// The column or tag.
        name: String,
        /// The step.
        step: f64,
    },
    /// The header is repeated.
    #[error("`{path}` has its head again in row {row}: it seems to hold more than one training")]
    RepeatedHeader {
        /// The source.
        path: String,
        /// Row from 1, without the first header.
        row: u64,
    },
    /// Epochs are not in order.
    #[error("`{path}` has epoch {after} after epoch {before}: its rows are not in order")]
    Order {
        /// The source.
        path: String,
        /// The earlier row's epoch.
        before: f64,
        /// The later row's epoch, which is smaller.
        after: f64,
    },
    /// An epoch is repeated.
    #[error("`{path}` has epoch {epoch} twice: it seems to hold more than one training")]
    Twice {
        /// The source.
        path: String,
        /// The epoch.
        epoch: f64,
    },
    /// It is malformed.
    #[error("`{path}` cannot be read as {form}: {reason}")]
    Form {
        /// The source.
        path: String,
        /// CSV, JSON or TensorBoard events.
        form: &'static str,
        /// The reason.
        reason: String,
    },
    /// A folder or several files with several trainings.
    #[error("`{path}` has more than one training, name one of them: {names}")]
    Several {
        /// The folder.
        path: String,
        /// The paths of the trainings.
        names: String,
    },
    /// Two event files have different figures for the same steps.
    #[error(
        "`{one}` and `{other}` are of different trainings: both tell of step {step} of `{tag}`"
    )]
    Overlap {
        /// One file.
        one: String,
        /// The other one.
        other: String,
        /// The tag.
        tag: String,
        /// The first step that both have.
        step: f64,
    },
    /// A folder with too many files.
    #[error("`{path}` has more than {most} files and folders: name the folder of one training")]
    TooManyFiles {
        /// The folder.
        path: String,
        /// The limit.
        most: usize,
    },
    /// A line of a run's log is damaged, out of order or out of range.
    #[error("line {line} of `{path}` {reason}")]
    Log {
        /// The log.
        path: String,
        /// Line from 1.
        line: usize,
        /// The reason.
        reason: String,
    },
    /// A folder without a history.
    #[error("`{path}` is neither a run nor a folder with the history of a training")]
    Folder {
        /// The folder.
        path: String,
    },
    /// A run that klubok trained cannot be read.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A file cannot be read; the message names it.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}
