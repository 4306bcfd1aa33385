//! Why a history cannot be read, in a sentence.

use klubok_train::RunError;

/// Result of what reads a history.
pub type Result<T, E = HistoryError> = std::result::Result<T, E>;

/// A history that cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HistoryError {
    /// Nothing is in it.
    #[error("`{path}` has no epochs")]
    Empty {
        /// The source.
        path: String,
    },
    /// One epoch shows no change.
    #[error("`{path}` has one epoch, and a change takes at least two")]
    OneEpoch {
        /// The source.
        path: String,
    },
    /// There is no loss in it: it is something else, or its columns have names of their own.
    #[error("`{path}` has no column `train_loss` or `val_loss`: its columns are {columns}")]
    NoLoss {
        /// The source.
        path: String,
        /// What it has.
        columns: String,
    },
    /// A cell is not what its column says.
    #[error("`{path}` has `{value}` in column `{column}`, row {row}, where {wanted} should be")]
    Cell {
        /// The source.
        path: String,
        /// Row from 1, the head not counted.
        row: u64,
        /// Name of the column.
        column: String,
        /// What stands there.
        value: String,
        /// What should.
        wanted: &'static str,
    },
    /// Losses are of parts, and one is not said to be of any.
    #[error(
        "`{path}` does not say which part of the data the loss is of in column `{column}`, \
         row {row}"
    )]
    Unsaid {
        /// The source.
        path: String,
        /// The column that names the parts.
        column: String,
        /// Row from 1, the head not counted.
        row: u64,
    },
    /// A column names several trainings.
    #[error(
        "`{path}` has more than one training: column `{column}` has `{one}` for some and `{other}` \
         for others"
    )]
    Trainings {
        /// The source.
        path: String,
        /// The column.
        column: String,
        /// A training.
        one: String,
        /// Another one.
        other: String,
    },
    /// Rows of an epoch are of something that a column says and klubok does not know.
    #[error(
        "`{path}` has several rows an epoch, which its column `{column}` tells apart (`{one}`, `{other}`): of which part or \
         training they are is not said"
    )]
    Apart {
        /// The source.
        path: String,
        /// The column.
        column: String,
        /// What it has for a row.
        one: String,
        /// What it has for another one of the same epoch.
        other: String,
    },
    /// It is no table.
    #[error("`{path}` is no CSV or JSON with named columns: it begins with `{line}`")]
    NoTable {
        /// The source.
        path: String,
        /// Its first line, or what it begins with.
        line: String,
    },
    /// It is in another encoding than UTF-8.
    #[error("`{path}` is no text in UTF-8")]
    NotText {
        /// The source.
        path: String,
    },
    /// A row has more cells than the head has names.
    #[error("`{path}` has {cells} cells in row {row} and {names} names in its head")]
    Cells {
        /// The source.
        path: String,
        /// Row from 1, the head not counted.
        row: u64,
        /// Cells of the row.
        cells: usize,
        /// Names in the head.
        names: usize,
    },
    /// There is more of something than is read.
    #[error("`{path}` has more than {most} {what}, the most that are read")]
    TooLong {
        /// The source.
        path: String,
        /// The most.
        most: usize,
        /// Rows, columns, figures.
        what: &'static str,
    },
    /// Lists are not of one length.
    #[error(
        "`{path}` has {} values of `{}` and {} of `{}`: which epochs these are of is not said",
        one.1, one.0, other.1, other.0
    )]
    Lengths {
        /// The source.
        path: String,
        /// Name and length of a list.
        one: (String, usize),
        /// Those of another.
        other: (String, usize),
    },
    /// Two columns stand for one loss.
    #[error("`{path}` has `{one}` and `{other}`, and only one of them can be the loss of its part")]
    Ambiguous {
        /// The source.
        path: String,
        /// A column.
        one: String,
        /// The other one.
        other: String,
    },
    /// The losses of training and of validation count different steps.
    #[error("`{path}` has {train} and {val}: which belong together is not said")]
    Mixed {
        /// The source.
        path: String,
        /// The training loss and its steps, in words.
        train: String,
        /// The validation loss and its steps.
        val: String,
    },
    /// Steps begin anew.
    #[error("`{path}` has step {step} of `{name}` again: it seems to hold more than one training")]
    Restarts {
        /// The source.
        path: String,
        /// The column or tag.
        name: String,
        /// The step.
        step: f64,
    },
    /// The head stands in the middle.
    #[error("`{path}` has its head again in row {row}: it seems to hold more than one training")]
    Again {
        /// The source.
        path: String,
        /// Row from 1, the first head not counted.
        row: u64,
    },
    /// Epochs are not in order.
    #[error("`{path}` has epoch {after} after epoch {before}: its rows are not in order")]
    Order {
        /// The source.
        path: String,
        /// The earlier row's epoch.
        before: f64,
        /// The later row's, which is smaller.
        after: f64,
    },
    /// An epoch stands twice.
    #[error("`{path}` has epoch {epoch} twice: it seems to hold more than one training")]
    Twice {
        /// The source.
        path: String,
        /// The epoch.
        epoch: f64,
    },
    /// It is not of the form it seems to have.
    #[error("`{path}` cannot be read as {form}: {reason}")]
    Form {
        /// The source.
        path: String,
        /// CSV, JSON, TensorBoard events.
        form: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// A folder or a few files with several trainings.
    #[error("`{path}` has more than one training, name one of them: {names}")]
    Several {
        /// The folder.
        path: String,
        /// The trainings' own paths.
        names: String,
    },
    /// Two event files tell different figures of the same steps.
    #[error(
        "`{one}` and `{other}` are of different trainings: both tell of step {step} of `{tag}`"
    )]
    Overlap {
        /// A file.
        one: String,
        /// The other one.
        other: String,
        /// The tag.
        tag: String,
        /// The first step that both have.
        step: f64,
    },
    /// A folder with more in it than is looked through.
    #[error("`{path}` has more than {most} files and folders: name the folder of one training")]
    Crowded {
        /// The folder.
        path: String,
        /// The most.
        most: usize,
    },
    /// A line of a run's log is not in its place, or has no sense.
    #[error("line {line} of `{path}` {reason}")]
    Log {
        /// The log.
        path: String,
        /// Line from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// A folder with nothing that is known.
    #[error("`{path}` is neither a run nor a folder with the history of a training")]
    Folder {
        /// The folder.
        path: String,
    },
    /// A run that klubok trained cannot be read.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A file could not be read; the message names it.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}
