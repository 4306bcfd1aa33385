//! What is known of a training, epoch by epoch, whoever wrote it down.
//!
//! [`read`] understands a run's folder, a folder of TensorBoard event files or with a history in
//! it, and files of CSV or JSON; [`parse`] understands the text of the latter two. Epochs keep the
//! numbers that the source gives them; where it gives none they are counted from 1.
//!
//! Every source goes the same way: cells (`cells.rs`) under names (`columns.rs`) become figures
//! over epochs, steps or rows, one is chosen for each field (`figures.rs`), and they become rows
//! (`rows.rs`, `steps.rs`). What is missing stays missing; what cannot be told apart is refused.

mod apart;
mod cells;
mod columns;
mod csv;
mod error;
mod figures;
mod folder;
mod json;
mod labels;
mod measured;
mod parts;
mod place;
mod records;
mod rows;
mod run;
mod shares;
mod steps;
mod table;
mod tensorboard;

use std::{
    io,
    path::{Path, PathBuf},
};

use klubok_data::{bounded, part::Part, settings};
use klubok_train::event::{Metrics, Verdict};

pub use self::error::{HistoryError, Result};
use self::table::Table;
pub use crate::row::Row;
use crate::setup::Setup;

/// Most figures that are read of a history.
const MOST_FIGURES: usize = 4_000_000;

/// The history of a training.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct History {
    /// One row an epoch, in order.
    pub epochs: Vec<Row>,
    /// Moments within the first epochs, in order.
    pub steps: Vec<Row>,
    /// Lines of epochs and of moments within them, in order, where they say what the layers did:
    /// those of a run.
    pub layers: Vec<Metrics>,
    /// Verdicts that were said while it trained: those of a run. On the data nothing else tells
    /// them.
    pub verdicts: Vec<Verdict>,
    /// Samples of the validation part, where known.
    pub val_samples: Option<u64>,
    /// Those of each class, where known.
    pub val_classes: Vec<u64>,
    /// True when training came to its end: what is judged at the end can be judged.
    pub ended: bool,
    /// The epoch in which loss or gradient was no longer a number, where the source says so.
    pub diverged: Option<f64>,
    /// True of a run of klubok: what is advised are its settings.
    pub by_klubok: bool,
    /// What the training was set up with: of a run.
    pub setup: Option<Setup>,
    /// Of two columns for one figure, the one that counts and the one that was left out.
    pub left_out: Vec<(String, String)>,
    /// What else was not taken as it stands.
    pub notes: Vec<Note>,
}

/// What was not taken as it stands in the source, so that a reader must be told.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Note {
    /// Values of a validation loss that stand where nothing was measured.
    NotMeasured {
        /// The column or tag.
        column: String,
        /// The value that stands for none.
        value: f64,
        /// How many there are.
        count: usize,
    },
    /// There are validation losses of several sets or kinds, and none that is the loss of the part.
    OtherLosses {
        /// The first few names.
        columns: Vec<String>,
    },
    /// The accuracies of one part are left out: those of the other are percentages, and these are
    /// at most 1, which a share and a percentage can be.
    UnitUnsaid {
        /// The column or tag.
        column: String,
        /// The one in percent.
        percent: String,
    },
    /// Its end is cut off, as while it is being written: a last line without an end is left out.
    Torn,
    /// Positions are steps and there are no epochs: each row stands for one.
    BySteps,
    /// Figures that name no part are of the part that the name of the file or its folder speaks of.
    PartByName {
        /// The part.
        part: Part,
    },
}

/// The history of a run's folder, of a folder that holds the history of one training, or in a file.
///
/// # Errors
/// When it cannot be read, or has nothing that can be judged: fewer than two epochs, or no loss.
pub fn read(path: &Path) -> Result<History> {
    let name = path.display().to_string();
    let mut budget = bounded::MAX_LOG_BYTES;
    // Others call their logs so too.
    let history = if path.join(run::METRICS).is_file() && settings::is_run(path) {
        run::read(path)?
    } else if path.is_dir() {
        folder::read(path, &name, &mut budget)?
    } else if tensorboard::is_event_file(path) {
        tensorboard::read(&[path.to_owned()], &name, &mut budget)?
    } else {
        tables(&[path.to_owned()], &name, &mut budget)?
    };
    checked(history, &name)
}

/// The history in files of CSV or JSON of one training, one or one for each part, whose bytes are
/// taken from the budget of all files that are read.
fn tables(paths: &[PathBuf], path: &str, budget: &mut u64) -> Result<History> {
    let names: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    let mut table = Table::new(path);
    for (file, name) in paths.iter().zip(&names) {
        let bytes = bounded::read(file, *budget).map_err(|error| match error.kind() {
            io::ErrorKind::FileTooLarge => records::too_large(name),
            _ => error,
        })?;
        *budget -= bytes.len() as u64;
        table.file(name, folder::part_of(file));
        text(&bytes, &mut table, name)?;
    }
    table.finish(path)
}

/// The history in the bytes of a CSV or JSON file; `name` is for messages.
///
/// # Errors
/// As [`read`].
pub fn parse(bytes: &[u8], name: &str) -> Result<History> {
    let mut table = Table::new(name);
    text(bytes, &mut table, name)?;
    checked(table.finish(name)?, name)
}

/// Reads the cells of CSV or JSON.
fn text(bytes: &[u8], table: &mut Table<'_>, name: &str) -> std::result::Result<(), HistoryError> {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    // A file that was being written when the power went may end with zeros.
    let zeros = bytes.iter().rev().take_while(|&&byte| byte == 0).count();
    table.torn |= zeros > 0;
    let bytes = &bytes[..bytes.len() - zeros];
    let path = || name.to_owned();
    // Text in UTF-16 or UTF-32 is full of zeros.
    if bytes.contains(&0) || std::str::from_utf8(bytes).is_err() {
        return Err(HistoryError::NotText { path: path() });
    }
    match bytes.iter().find(|b| !b.is_ascii_whitespace()) {
        None => Err(HistoryError::Empty { path: path() }),
        Some(b'{' | b'[') => match json::parse(bytes, table, name) {
            Err(HistoryError::Form { .. }) if is_log(bytes) => Err(no_table(bytes, name)),
            read => read,
        },
        Some(_) => csv::parse(bytes, table, name),
    }
}

/// True of `[12]  train-logloss:0.5`: lines that begin with a number in brackets.
fn is_log(bytes: &[u8]) -> bool {
    let rest = bytes.trim_ascii_start().strip_prefix(b"[").unwrap_or_default();
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    digits > 0 && rest.get(digits) == Some(&b']')
}

fn no_table(bytes: &[u8], path: &str) -> HistoryError {
    let line = bytes.trim_ascii_start().split(|&byte| byte == b'\n').next().unwrap_or_default();
    let line = String::from_utf8_lossy(&line[..line.len().min(200)]);
    let words: Vec<&str> = line.split_whitespace().collect();
    HistoryError::NoTable { path: path.to_owned(), line: shortened(&words.join(" "), 48) }
}

/// There is no loss among the columns, or there is no number under those that are.
fn no_loss(path: &str, names: &[String], named: bool) -> HistoryError {
    let path = path.to_owned();
    if named || names.is_empty() {
        return HistoryError::Empty { path };
    }
    let mut columns: Vec<&str> = names.iter().take(8).map(String::as_str).collect();
    if names.len() > columns.len() {
        columns.push("...");
    }
    HistoryError::NoLoss { path, columns: columns.join(", ") }
}

/// What stands in a message: without control characters, at most 24 characters.
fn short(text: &str) -> String {
    shortened(text, 24)
}

fn shortened(text: &str, most: usize) -> String {
    text.trim().chars().filter(|c| !c.is_control()).take(most).collect()
}

/// Refuses a history in which nothing can be judged.
fn checked(history: History, name: &str) -> std::result::Result<History, HistoryError> {
    let path = name.to_owned();
    let number = |loss: Option<f64>| loss.is_some_and(|loss| !loss.is_finite());
    let broken = |row: &Row| number(row.train_loss) || number(row.val_loss);
    match history.epochs[..] {
        [] => Err(HistoryError::Empty { path }),
        [row] if !broken(&row) && history.steps.is_empty() && history.diverged.is_none() => {
            Err(HistoryError::OneEpoch { path })
        }
        _ => Ok(history),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three epochs in CSV.
    pub(super) const CURVE: &str = "epoch,loss,val_loss\n1,0.9,1\n2,0.8,0.9\n3,0.7,0.8\n";

    #[track_caller]
    fn refused(text: &str, message: &str) {
        let error = parse(text.as_bytes(), "h.csv").unwrap_err().to_string();
        assert_eq!(error, message);
    }

    /// Epoch, training loss and validation loss of each row.
    pub(super) fn losses(text: &str) -> Vec<(f64, Option<f64>, Option<f64>)> {
        losses_of(&parse(text.as_bytes(), "h").unwrap())
    }

    pub(super) fn losses_of(history: &History) -> Vec<(f64, Option<f64>, Option<f64>)> {
        history.epochs.iter().map(|r| (r.epoch, r.train_loss, r.val_loss)).collect()
    }

    #[test]
    fn what_keras_writes() {
        let text =
            "epoch,accuracy,loss,val_accuracy,val_loss\n0,0.5,0.9,0.4,1.0\n1,0.6,0.8,0.5,0.9\n";
        assert_eq!(losses(text), [(0.0, Some(0.9), Some(1.0)), (1.0, Some(0.8), Some(0.9))]);
        let history = parse(text.as_bytes(), "h").unwrap();
        assert_eq!(history.epochs[1].val_accuracy, Some(0.5));
    }

    #[test]
    fn what_lightning_writes_has_holes() {
        let text = "epoch,step,train_loss_epoch,train_loss_step,val_loss\n\
                    0,49,,0.8,\n0,99,,,1.0\n0,99,0.9,,\n1,149,,0.7,\n1,199,,,0.9\n1,199,0.8,,\n";
        assert_eq!(losses(text), [(0.0, Some(0.9), Some(1.0)), (1.0, Some(0.8), Some(0.9))]);
    }

    #[test]
    fn json_by_lines_by_columns_and_in_a_list() {
        let expected = [(1.0, Some(0.9), None), (2.0, Some(0.8), Some(0.7))];
        let lines = "{\"epoch\":1,\"loss\":0.9,\"note\":\"x\"}\n{\"epoch\":2,\"loss\":0.8,\"val_loss\":0.7}\n";
        assert_eq!(losses(lines), expected);
        let list = "[{\"loss\":0.9,\"val_loss\":null},\n {\"loss\":0.8,\"val_loss\":0.7}]";
        assert_eq!(losses(list), expected);
        assert_eq!(losses("{\"loss\": [0.9, 0.8],\n \"val_loss\": [null, 0.7]}"), expected);
    }

    #[test]
    fn separators_percent_and_comments() {
        let text = "# made by hand\ntrain_loss;val_acc\n0,9;\n";
        assert!(parse(text.as_bytes(), "h").is_err(), "a decimal comma is no number");
        let history = parse(b"# made by hand\ntrain_loss\tval_acc\n0.9\t51.5\n0.8\t60\n", "h");
        assert_eq!(history.unwrap().epochs[0].val_accuracy, Some(0.515));
    }

    #[test]
    fn losses_that_are_no_numbers_stay() {
        let rows = losses("epoch,loss\n1,0.9\n2,nan\n");
        assert!(rows[1].1.unwrap().is_nan());
        let rows = losses("{\"loss\": 0.9}\n{\"loss\": NaN}\n{\"loss\": -Infinity}\n");
        assert!(rows[1].1.unwrap().is_nan() && rows[2].1.unwrap().is_infinite());
    }

    #[test]
    fn broken_histories_end_in_one_sentence() {
        refused("", "`h.csv` has no epochs");
        refused("epoch,train_loss,val_loss\n", "`h.csv` has no epochs");
        refused("epoch,loss\n1,0.5\n", "`h.csv` has one epoch, and a change takes at least two");
        refused(
            "name,age\nTom,3\nAnn,4\n",
            "`h.csv` has no column `train_loss` or `val_loss`: its columns are name, age",
        );
        refused(
            "epoch,loss\n1,0.5\n2,cat\n",
            "`h.csv` has `cat` in column `loss`, row 2, where a number should be",
        );
        refused(
            "epoch,loss\n1,0.5\n3,0.4\n2,0.3\n",
            "`h.csv` has epoch 2 after epoch 3: its rows are not in order",
        );
        refused(
            "epoch,loss,val_loss\n1,0.5,1\n1,0.4,2\n",
            "`h.csv` has epoch 1 twice: it seems to hold more than one training",
        );
        let error = parse(b"{\"loss\": 1", "h").unwrap_err().to_string();
        assert!(error.starts_with("`h` cannot be read as JSON"), "{error}");
        assert!(parse(&[0xff, 0xfe, 0, 1, 2], "h").is_err());
    }

    #[test]
    fn a_million_rows() {
        use std::fmt::Write as _;
        let mut text = String::from("epoch,train_loss,val_loss\n");
        for epoch in 1..=1_000_000 {
            writeln!(text, "{epoch},{},0.5", 1.0 / f64::from(epoch)).unwrap();
        }
        assert_eq!(parse(text.as_bytes(), "h").unwrap().epochs.len(), 1_000_000);
    }
}
