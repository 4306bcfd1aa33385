//! Reads the history of a training from the logs of any framework.
//!
//! [`read`] takes a run's folder, a folder with TensorBoard event files or another history, or a
//! file in CSV or JSON; [`parse`] takes the bytes of a CSV or JSON file. Epochs keep the numbers of
//! the source; without numbers they count from 1.
//!
//! All sources share one pipeline. Cells (`cells.rs`) under names (`columns.rs`) become figures
//! over epochs, steps or rows. One series per field is chosen (`figures.rs`), and these become rows
//! (`rows.rs`, `steps.rs`). Missing figures stay missing; an ambiguous history is an error.

mod cells;
mod columns;
mod csv;
mod error;
mod figures;
mod folder;
mod groups;
mod json;
mod parts;
mod percentages;
mod placeholders;
mod records;
mod row_info;
mod rows;
mod run;
mod steps;
mod table;
mod tensorboard;
mod text_columns;

use std::{
    io,
    path::{Path, PathBuf},
};

use klubok_data::{part::Part, settings};
use klubok_files::bounded;
use klubok_train::event::{Metrics, Verdict};

pub use self::error::{HistoryError, Result};
use self::table::Table;
pub use crate::row::Row;
use crate::setup::Setup;

/// Maximum number of figures in a history.
const MAX_FIGURES: usize = 4_000_000;

/// The history of a training.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct History {
    /// One row per epoch, in order.
    pub epochs: Vec<Row>,
    /// Steps within the first epochs, in order.
    pub steps: Vec<Row>,
    /// Metrics of epochs and of steps within them with their layers, in order; klubok runs only.
    pub layers: Vec<Metrics>,
    /// Verdicts from the log; klubok runs only. Metrics do not show those on the data.
    pub verdicts: Vec<Verdict>,
    /// Size of the validation set, where known.
    pub val_samples: Option<u64>,
    /// Validation samples of each class, where known.
    pub val_classes: Vec<u64>,
    /// True when the training ended, which some verdicts need.
    pub ended: bool,
    /// The epoch in which the loss or gradient was no longer finite, if the source reports it.
    pub diverged: Option<f64>,
    /// True for a klubok run, for which advice names settings.
    pub by_klubok: bool,
    /// The setup of the training; klubok runs only.
    pub setup: Option<Setup>,
    /// Pairs of columns for one figure: the one in use, and the one left out.
    pub left_out: Vec<(String, String)>,
    /// Other interpretations of the source.
    pub notes: Vec<Note>,
}

/// An interpretation of the source that the user should know.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Note {
    /// Placeholders in a validation loss, where nothing was measured.
    NotMeasured {
        /// The column or tag.
        column: String,
        /// The placeholder.
        value: f64,
        /// Number of placeholders.
        count: usize,
    },
    /// Several partial validation losses, and none of the whole validation set.
    OtherLosses {
        /// The first few names.
        columns: Vec<String>,
    },
    /// Accuracies of one part are left out. They are at most 1 and may be shares or percentages,
    /// because those of the other part are percentages.
    UnknownUnit {
        /// The column or tag.
        column: String,
        /// The column or tag in percent.
        percent: String,
    },
    /// The file is truncated; its incomplete last line is left out.
    Truncated,
    /// The source has steps and no epochs: each row counts as an epoch.
    BySteps,
    /// The name of the file or its folder gives the part of figures whose own names do not.
    PartByName {
        /// The part.
        part: Part,
    },
}

/// Reads the history of a run's folder, of a folder with one training, or of a file.
///
/// # Errors
/// When it cannot be read, has fewer than two epochs, or has no loss.
pub fn read(path: &Path) -> Result<History> {
    let name = path.display().to_string();
    let mut budget = bounded::MAX_LOG_BYTES;
    // Other frameworks use the same name.
    let history = if path.join(run::METRICS).is_file() && settings::is_run(path) {
        run::read(path)?
    } else if path.is_dir() {
        folder::read(path, &name, &mut budget)?
    } else if tensorboard::is_event_file(path) {
        tensorboard::read(&[path.to_owned()], &name, &mut budget)?
    } else {
        tables(&[path.to_owned()], &name, &mut budget)?
    };
    check(history, &name)
}

/// Reads one training from CSV or JSON files, either one file or one per part. Subtracts their
/// bytes from `budget`, which all files share.
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
        parse_cells(&bytes, &mut table, name)?;
    }
    table.finish(path)
}

/// Parses the bytes of a CSV or JSON file; `name` is for messages.
///
/// # Errors
/// As [`read`].
pub fn parse(bytes: &[u8], name: &str) -> Result<History> {
    let mut table = Table::new(name);
    parse_cells(bytes, &mut table, name)?;
    check(table.finish(name)?, name)
}

/// Parses the cells of a CSV or JSON file into the table.
fn parse_cells(
    bytes: &[u8],
    table: &mut Table<'_>,
    name: &str,
) -> std::result::Result<(), HistoryError> {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    // After a power failure a file may end with zeros.
    let zeros = bytes.iter().rev().take_while(|&&byte| byte == 0).count();
    table.truncated |= zeros > 0;
    let bytes = &bytes[..bytes.len() - zeros];
    let path = || name.to_owned();
    // Text in UTF-16 or UTF-32 is full of zeros.
    if bytes.contains(&0) || std::str::from_utf8(bytes).is_err() {
        return Err(HistoryError::NotUtf8 { path: path() });
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

/// True for lines that begin with a number in brackets, like `[12]  train-logloss:0.5`.
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

/// The error for a history without losses. `has_column` is true if it has a column for them,
/// without values.
fn no_loss(path: &str, names: &[String], has_column: bool) -> HistoryError {
    let path = path.to_owned();
    if has_column || names.is_empty() {
        return HistoryError::Empty { path };
    }
    let mut columns: Vec<&str> = names.iter().take(8).map(String::as_str).collect();
    if names.len() > columns.len() {
        columns.push("...");
    }
    HistoryError::NoLoss { path, columns: columns.join(", ") }
}

/// Shortens text for a message: no control characters, at most 24 characters.
fn short(text: &str) -> String {
    shortened(text, 24)
}

fn shortened(text: &str, max_chars: usize) -> String {
    text.trim().chars().filter(|c| !c.is_control()).take(max_chars).collect()
}

/// Refuses a history without epochs, or with one epoch and no sign of divergence.
fn check(history: History, name: &str) -> std::result::Result<History, HistoryError> {
    let path = name.to_owned();
    let non_finite = |loss: Option<f64>| loss.is_some_and(|loss| !loss.is_finite());
    let diverged = |row: &Row| non_finite(row.train_loss) || non_finite(row.val_loss);
    match history.epochs[..] {
        [] => Err(HistoryError::Empty { path }),
        [row] if !diverged(&row) && history.steps.is_empty() && history.diverged.is_none() => {
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
    fn reads_a_log_of_keras() {
        let text =
            "epoch,accuracy,loss,val_accuracy,val_loss\n0,0.5,0.9,0.4,1.0\n1,0.6,0.8,0.5,0.9\n";
        assert_eq!(losses(text), [(0.0, Some(0.9), Some(1.0)), (1.0, Some(0.8), Some(0.9))]);
        let history = parse(text.as_bytes(), "h").unwrap();
        assert_eq!(history.epochs[1].val_accuracy, Some(0.5));
    }

    #[test]
    fn reads_a_log_of_lightning_with_empty_cells() {
        let text = "epoch,step,train_loss_epoch,train_loss_step,val_loss\n\
                    0,49,,0.8,\n0,99,,,1.0\n0,99,0.9,,\n1,149,,0.7,\n1,199,,,0.9\n1,199,0.8,,\n";
        assert_eq!(losses(text), [(0.0, Some(0.9), Some(1.0)), (1.0, Some(0.8), Some(0.9))]);
    }

    #[test]
    fn reads_json_lines_lists_and_columns() {
        let expected = [(1.0, Some(0.9), None), (2.0, Some(0.8), Some(0.7))];
        let lines = "{\"epoch\":1,\"loss\":0.9,\"note\":\"x\"}\n{\"epoch\":2,\"loss\":0.8,\"val_loss\":0.7}\n";
        assert_eq!(losses(lines), expected);
        let list = "[{\"loss\":0.9,\"val_loss\":null},\n {\"loss\":0.8,\"val_loss\":0.7}]";
        assert_eq!(losses(list), expected);
        assert_eq!(losses("{\"loss\": [0.9, 0.8],\n \"val_loss\": [null, 0.7]}"), expected);
    }

    #[test]
    fn reads_separators_percentages_and_comments() {
        let text = "# made by hand\ntrain_loss;val_acc\n0,9;\n";
        assert!(parse(text.as_bytes(), "h").is_err(), "a decimal comma");
        let history = parse(b"# made by hand\ntrain_loss\tval_acc\n0.9\t51.5\n0.8\t60\n", "h");
        assert_eq!(history.unwrap().epochs[0].val_accuracy, Some(0.515));
    }

    #[test]
    fn keeps_losses_that_are_not_finite() {
        let rows = losses("epoch,loss\n1,0.9\n2,nan\n");
        assert!(rows[1].1.unwrap().is_nan());
        let rows = losses("{\"loss\": 0.9}\n{\"loss\": NaN}\n{\"loss\": -Infinity}\n");
        assert!(rows[1].1.unwrap().is_nan() && rows[2].1.unwrap().is_infinite());
    }

    #[test]
    fn refuses_broken_histories_with_a_message() {
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
    fn reads_a_million_rows() {
        use std::fmt::Write as _;
        let mut text = String::from("epoch,train_loss,val_loss\n");
        for epoch in 1..=1_000_000 {
            writeln!(text, "{epoch},{},0.5", 1.0 / f64::from(epoch)).unwrap();
        }
        assert_eq!(parse(text.as_bytes(), "h").unwrap().epochs.len(), 1_000_000);
    }
}
