//! Tables as users have them, good and bad.

mod hostile;
mod hostile_cells;
mod random;
mod reading;

use super::*;
use crate::DataError;

/// Writes a file and reads it; the error message names it `t.csv`.
fn read_named(
    name: &str,
    content: &[u8],
    options: &TableOptions,
) -> std::result::Result<Table, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs_err::write(&path, content).unwrap();
    read(&path, options, &|_, _| {}).map_err(|error| {
        assert!(matches!(error, DataError::Cells(_)), "{error}");
        error.to_string().replace(path.to_str().unwrap(), name)
    })
}

/// Options as text: targets with commas between them, `:` and a task, `|` and a weight.
fn options(text: &str) -> TableOptions {
    let (text, weight) = text.split_once('|').unwrap_or((text, ""));
    let (targets, task) = text.split_once(':').unwrap_or((text, ""));
    TableOptions {
        target: targets.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect(),
        weight: (!weight.is_empty()).then(|| weight.to_owned()),
        task: match task {
            "class" => Some(TargetKind::Class),
            "number" => Some(TargetKind::Number),
            "label" => Some(TargetKind::Label),
            _ => None,
        },
        known: None,
    }
}

fn table(options_text: &str, content: &str) -> Table {
    read_named("t.csv", content.as_bytes(), &options(options_text)).unwrap()
}

/// Options for a model with inputs `a` and `b`.
fn known(target: &str, known_target: KnownTarget) -> TableOptions {
    let inputs = vec!["a".to_owned(), "b".to_owned()];
    TableOptions { known: Some(KnownColumns { inputs, target: known_target }), ..options(target) }
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn classes(names_in_order: &[&str], of: &[u32]) -> TableTarget {
    TableTarget::Classes { names: names(names_in_order), of: of.to_vec() }
}

/// A table of columns `a` and `y`.
fn written(rows: usize, y: impl Fn(usize) -> String) -> String {
    let rows: Vec<String> = (0..rows).map(|row| format!("{row},{}\n", y(row))).collect();
    format!("a,y\n{}", rows.concat())
}

#[track_caller]
fn refused(options_text: &str, content: impl AsRef<[u8]>, sentence: &str) {
    let error = read_named("t.csv", content.as_ref(), &options(options_text)).unwrap_err();
    assert_eq!(error, sentence);
}
