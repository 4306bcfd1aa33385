//! Failures of a command: a message, a hint and an exit code.

use std::{fmt, io::ErrorKind, path::Path, sync::OnceLock};

use klubok::{
    config::ConfigError,
    data::{DataError, Part, settings::is_run},
    diagnose::history::HistoryError,
    model::ModelError,
    nn::PlanError,
    train::RunError,
};
use klubok_text::{clean, shell::quoted, text, translated};

use crate::run_lookup::RUNS_FOLDER;

/// The running command, which hints repeat.
static COMMAND: OnceLock<&str> = OnceLock::new();

/// Sets the command that hints about data name.
pub(crate) fn set_command(name: &'static str) {
    COMMAND.get_or_init(|| name);
}

/// Returns the command that hints about data name: `train` by default.
fn command() -> &'static str {
    COMMAND.get().copied().unwrap_or("train")
}

/// Why a command failed.
#[derive(Debug)]
pub(crate) struct Failure {
    /// Exit code: 1 failed, 2 wrong use, 130 interrupted.
    pub(crate) code: u8,
    /// One sentence; empty when the command has already printed everything.
    pub(crate) message: String,
    /// How to mend it, on a line of its own.
    pub(crate) hint: Option<String>,
}

/// Result of a command.
pub(crate) type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    /// Fails with exit code 1. An English message is translated.
    pub(crate) fn failed(message: impl fmt::Display) -> Self {
        Self { code: 1, message: clean(translated(&message.to_string())), hint: None }
    }

    /// Fails with exit code 2, for wrong use. An English message is translated.
    pub(crate) fn usage(message: impl fmt::Display) -> Self {
        Self { code: 2, message: clean(translated(&message.to_string())), hint: None }
    }

    /// Ends with this exit code and prints nothing.
    pub(crate) fn silent(code: u8) -> Self {
        Self { code, message: String::new(), hint: None }
    }

    /// Adds a hint.
    pub(crate) fn hint(self, hint: impl fmt::Display) -> Self {
        Self { hint: Some(clean(hint)), ..self }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        // A reader that closes its pipe is no failure: `klubok predict ... | head`.
        if error.kind() == ErrorKind::BrokenPipe {
            return Self::silent(0);
        }
        let hint = match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Some(text!("hint.disk_full")),
            ErrorKind::NotFound => Some(text!("hint.no_file")),
            ErrorKind::PermissionDenied => Some(text!("hint.no_access")),
            _ => None,
        };
        Self { hint, ..Self::failed(error) }
    }
}

impl From<klubok::Error> for Failure {
    fn from(error: klubok::Error) -> Self {
        let hint = match &error {
            klubok::Error::Config(ConfigError::Value { value, allowed, .. })
                if has_decimal_comma(value) && allowed.starts_with("a number") =>
            {
                return Self::usage(&error)
                    .hint(text!("hint.point", value = value.replace(',', ".")));
            }
            klubok::Error::Config(_) => {
                return Self::usage(&error).hint(text!("hint.config"));
            }
            klubok::Error::Data(error) => data_hint(error),
            klubok::Error::Run(error) => run_hint(error),
            klubok::Error::History(error) => Some(history_hint(error)),
            klubok::Error::Model(_) => Some(text!("hint.model")),
            klubok::Error::Plan(PlanError::Memory { .. }) => Some(text!("hint.memory")),
            klubok::Error::Plan(PlanError::Threads { .. }) => Some(text!("hint.threads")),
            _ => None,
        };
        match error {
            klubok::Error::Io(error) => error.into(),
            error => Self { hint, ..Self::failed(error) },
        }
    }
}

impl From<klubok_page::Error> for Failure {
    fn from(error: klubok_page::Error) -> Self {
        match error {
            klubok_page::Error::Library(error) => error.into(),
            // Another address helps against these errors only.
            klubok_page::Error::Listen { ref source, .. }
                if matches!(
                    source.kind(),
                    ErrorKind::AddrInUse
                        | ErrorKind::AddrNotAvailable
                        | ErrorKind::PermissionDenied
                ) =>
            {
                Self::failed(error).hint(text!("hint.listen"))
            }
            error => Self::failed(error),
        }
    }
}

/// Converts errors of the library's crates.
macro_rules! from {
    ($($error:ty),+) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                klubok::Error::from(error).into()
            }
        }
    )+};
}
from!(ConfigError, DataError, HistoryError, ModelError, PlanError, RunError);

fn data_hint(error: &DataError) -> Option<String> {
    Some(match error {
        DataError::NoTrainPart { .. }
        | DataError::AmbiguousLayout { .. }
        | DataError::PartsInClass { .. }
        | DataError::SameSubfolders { .. }
        | DataError::UnevenDepth { .. }
        | DataError::NumberedFolders { .. }
        | DataError::NonDataFolders { .. } => return layout_hint(error),
        DataError::NoClasses { found, .. } | DataError::NoPictures { found, .. }
            if found.contains(".idx") || found.contains("ubyte") =>
        {
            text!("hint.idx_names")
        }
        DataError::IdxMagic { .. } => text!("hint.idx_magic"),
        DataError::Missing { .. } => text!("hint.data_missing"),
        DataError::NoClasses { .. } => match command() {
            "eval" => text!("hint.no_classes_eval"),
            command => text!("hint.no_classes_here", command = command),
        },
        DataError::NotAFolder { .. }
        | DataError::NoPictures { .. }
        | DataError::EmptyClass { .. } => text!("hint.data_layout"),
        DataError::DuplicatePart { part: Part::Train, .. } => text!("hint.train_twice"),
        DataError::DuplicatePart { part, .. } => text!("hint.part_twice", part = part.name()),
        DataError::TooDeep { .. } | DataError::TooManyFiles { .. } => text!("hint.folders"),
        DataError::IdxLabel { .. } => text!("hint.idx_label"),
        DataError::IdxType { .. } => text!("hint.idx_type"),
        DataError::IdxMissing { .. } => text!("hint.idx_missing"),
        DataError::IdxCounts { .. } | DataError::IdxShape { .. } => text!("hint.idx_pair"),
        DataError::IdxForeign { .. }
        | DataError::IdxShort { .. }
        | DataError::IdxLong { .. }
        | DataError::IdxDamaged { .. }
        | DataError::IdxMany { .. }
        | DataError::IdxEmpty { .. } => text!("hint.idx_again"),
        DataError::IdxMemory { .. } => text!("hint.idx_memory"),
        DataError::IdxSeveral { .. } => text!("hint.idx_several"),
        DataError::NoTargetColumn { path, .. } => {
            text!("hint.no_target", command = command(), path = quoted(path))
        }
        DataError::OneClass { .. } => text!("hint.one_class"),
        DataError::OneSample { .. } => text!("hint.one_sample"),
        DataError::UnknownClass { .. } => text!("hint.unknown_class"),
        DataError::Unreadable { .. } => text!("hint.unreadable"),
        DataError::TooManyUnreadable { .. } | DataError::PartUnreadable { .. } => {
            text!("hint.unreadable_many")
        }
        DataError::Memory { .. } => text!("hint.memory"),
        _ => return None,
    })
}

/// Offers a command for each reading of the folders that works.
fn layout_hint(error: &DataError) -> Option<String> {
    let command = command();
    Some(match error {
        DataError::NoTrainPart { several: false, .. } => text!("hint.no_train_part_alone"),
        DataError::NoTrainPart { path, .. } => {
            text!("hint.no_train_part", command = command, path = quoted(path))
        }
        DataError::AmbiguousLayout { path, has_train: true, .. } => {
            text!("hint.layout", command = command, path = quoted(path))
        }
        DataError::AmbiguousLayout { path, parts, .. } => {
            let path = quoted(path);
            text!("hint.layout_classes", command = command, path = path, parts = parts)
        }
        DataError::PartsInClass { path, has_train: false, .. } => {
            text!("hint.parts_in_class_flat", command = command, path = quoted(path))
        }
        DataError::NumberedFolders { path, .. } => {
            text!("hint.pieces", command = command, path = quoted(path))
        }
        DataError::PartsInClass { path, class, .. }
        | DataError::UnevenDepth { path, class, .. } => {
            let (path, class) = (quoted(path), quoted(class));
            text!("hint.parts_in_class", command = command, path = path, class = class)
        }
        DataError::SameSubfolders { readings, .. } => {
            let (first, data) = (quoted(&readings.first), quoted(&readings.data));
            let layout = readings.layout;
            text!("hint.alike", command = command, first = first, data = data, layout = layout)
        }
        DataError::NonDataFolders { others, data, layout, .. } => text!(
            "hint.other_things",
            command = command,
            others = others,
            data = quoted(data),
            layout = layout
        ),
        _ => return None,
    })
}

fn history_hint(error: &HistoryError) -> String {
    match error {
        HistoryError::Lengths { .. } => text!("hint.history_lengths"),
        HistoryError::Ambiguous { .. } => text!("hint.history_columns"),
        HistoryError::Mixed { .. } => text!("hint.history_steps"),
        HistoryError::Cells { .. } => text!("hint.history_cells"),
        HistoryError::UnknownPart { .. } | HistoryError::UnknownGroups { .. } => {
            text!("hint.history_parts")
        }
        HistoryError::NoTable { .. } => text!("hint.history_table"),
        HistoryError::NotUtf8 { .. } => text!("hint.history_encoding"),
        HistoryError::Twice { .. }
        | HistoryError::RepeatedHeader { .. }
        | HistoryError::SeveralTrainings { .. }
        | HistoryError::Restarts { .. }
        | HistoryError::Overlap { .. }
        | HistoryError::Several { .. } => text!("hint.one_training"),
        HistoryError::Log { .. } => text!("hint.damaged_run"),
        _ => text!("hint.history"),
    }
}

fn run_hint(error: &RunError) -> Option<String> {
    Some(match error {
        RunError::Exists { path } => text!("hint.exists", run = quoted(path)),
        RunError::Taken { .. } => text!("hint.taken"),
        RunError::NotARun { path, .. } => not_a_run_hint(path),
        RunError::NoRuns { .. } => text!("hint.no_runs"),
        RunError::Changed { key, before, .. } => {
            text!("hint.settings_changed", key = key, before = before)
        }
        RunError::LogChanged { .. } | RunError::Gone { .. } => text!("hint.again"),
        RunError::Data { .. } | RunError::Epoch { .. } => text!("hint.changed"),
        RunError::Checkpoint { .. }
        | RunError::Log { .. }
        | RunError::Line { .. }
        | RunError::Config { .. } => text!("hint.damaged_run"),
        _ => return None,
    })
}

/// Suggests `runs/PATH` if it is a run, else the list of runs.
fn not_a_run_hint(path: &str) -> String {
    let run = format!("{RUNS_FOLDER}/{path}");
    if is_run(Path::new(&run)) {
        text!("hint.did_you_mean", run = run)
    } else {
        text!("hint.not_a_run")
    }
}

/// Whether the decimal sign is a comma, as in `0,01`.
fn has_decimal_comma(value: &str) -> bool {
    value.split_once(',').is_some_and(|(whole, rest)| {
        let digits = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit());
        digits(whole) && digits(rest)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_and_a_wrong_path_have_hints() {
        let hint = |kind| Failure::from(klubok::Error::Io(std::io::Error::from(kind))).hint;
        assert!(hint(ErrorKind::StorageFull).is_some_and(|hint| hint.contains("resume")));
        assert!(hint(ErrorKind::NotFound).is_some_and(|hint| hint.contains("path")));
        assert!(hint(ErrorKind::PermissionDenied).is_some_and(|hint| hint.contains("chmod")));
        assert_eq!(hint(ErrorKind::Other), None);
    }

    #[test]
    fn a_comma_between_two_numbers_is_a_decimal_comma() {
        let values = ["0,01", "1,5", "0.01", "256,64,2", "a,b", ",5"].map(has_decimal_comma);
        assert_eq!(values, [true, true, false, false, false, false]);
    }
}
