//! `split.csv`: which rows a run had, in which part, with which content.
//!
//! Columns `row,part,class,name,hash`; `hash` is XXH3 (128 bits) of the stored row in hexadecimal.
//! Names with commas, quotes or line breaks are quoted (RFC 4180).

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    path::Path,
};

use super::{DataError, Dataset, Part};
use crate::{
    bounded,
    error::{Error, Result},
};

/// The header line.
const HEADER: [&str; 5] = ["row", "part", "class", "name", "hash"];

/// One line of `split.csv`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SplitRow {
    /// Number of the row.
    pub row: u32,
    /// The part it was in.
    pub part: Part,
    /// Name of its class.
    pub class: String,
    /// Where it came from, as in [`Dataset::names`].
    pub name: String,
    /// Hash of its stored content, as in [`Dataset::hashes`].
    pub hash: u128,
}

/// The rows of a data set, one line each, in their order.
pub fn split_rows(data: &Dataset) -> Vec<SplitRow> {
    let parts = data.part_of_rows();
    (0..data.targets.len())
        .map(|row| SplitRow {
            row: row as u32,
            part: parts[row],
            class: data.classes[data.targets[row] as usize].clone(),
            name: data.names[row].clone(),
            hash: data.hashes[row],
        })
        .collect()
}

/// Writes rows as CSV.
///
/// # Errors
/// When writing fails.
pub fn write_split(to: impl Write, rows: &[SplitRow]) -> Result<()> {
    let mut writer = csv::Writer::from_writer(to);
    let failed = |e: csv::Error| Error::Io(e.into());
    writer.write_record(HEADER).map_err(failed)?;
    for SplitRow { row, part, class, name, hash } in rows {
        let (row, hash) = (row.to_string(), format!("{hash:032x}"));
        writer.write_record([&row, part.name(), class, name, &hash]).map_err(failed)?;
    }
    Ok(writer.flush()?)
}

/// Reads what [`write_split`] wrote.
///
/// # Errors
/// [`DataError::Record`] with the line when a line is damaged; when the file cannot be read.
pub fn read_split(path: &Path) -> Result<Vec<SplitRow>> {
    parse_split(&bounded::read(path, bounded::SPLIT)?[..])
}

/// The same from the content of the file.
///
/// # Errors
/// [`DataError::Record`] with the line when a line is damaged.
pub fn parse_split(from: impl Read) -> Result<Vec<SplitRow>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(from);
    let mut rows = Vec::new();
    for (i, record) in reader.records().enumerate() {
        let record = record.map_err(|e| match e.position().map(csv::Position::line) {
            Some(line) if !e.is_io_error() => damaged(line, &e.to_string()),
            _ => Error::Io(e.into()),
        })?;
        let line = record.position().map_or(0, csv::Position::line);
        match i {
            0 if record.iter().eq(HEADER) => {}
            0 => return Err(damaged(line, &format!("it must be `{}`", HEADER.join(",")))),
            _ => rows.push(parse(&record).map_err(|reason| damaged(line, &reason))?),
        }
    }
    Ok(rows)
}

fn damaged(line: u64, reason: &str) -> Error {
    DataError::Record { line, reason: reason.into() }.into()
}

fn parse(record: &csv::StringRecord) -> std::result::Result<SplitRow, String> {
    let field = |i: usize| record.get(i).unwrap_or_default();
    let wrong = |i: usize| format!("`{}` is no {}", field(i), HEADER[i]);
    Ok(SplitRow {
        row: field(0).parse().map_err(|_| wrong(0))?,
        part: Part::from_name(field(1)).ok_or_else(|| wrong(1))?,
        class: field(2).into(),
        name: field(3).into(),
        hash: u128::from_str_radix(field(4), 16).map_err(|_| wrong(4))?,
    })
}

/// In one sentence how `now` differs from the rows of a record, or nothing when it does not: samples
/// that were added or removed, whose content changed, that changed their class or their part.
pub fn difference(before: &[SplitRow], now: &Dataset) -> Option<String> {
    let now = split_rows(now);
    let by_name = |rows: &'_ [SplitRow]| -> BTreeMap<String, SplitRow> {
        rows.iter().map(|row| (row.name.clone(), row.clone())).collect()
    };
    let (old, new) = (by_name(before), by_name(&now));
    let kept = || old.values().filter_map(|o| Some((o, new.get(&o.name)?)));
    let name = |row: &SplitRow| row.name.clone();
    let changes = [
        ("added", new.values().filter(|n| !old.contains_key(&n.name)).map(name).collect()),
        ("removed", old.values().filter(|o| !new.contains_key(&o.name)).map(name).collect()),
        ("changed", kept().filter(|(o, n)| o.hash != n.hash).map(|(o, _)| name(o)).collect()),
        (
            "moved to another class",
            kept().filter(|(o, n)| o.class != n.class).map(|(o, _)| name(o)).collect(),
        ),
        (
            "moved to another part",
            kept().filter(|(o, n)| o.part != n.part).map(|(o, _)| name(o)).collect::<Vec<_>>(),
        ),
    ];
    let clauses: Vec<String> =
        changes.iter().filter_map(|(what, names)| clause(what, names)).collect();
    (!clauses.is_empty()).then(|| clauses.join("; "))
}

/// "3 samples were added, first `cat/9.jpg`".
fn clause(what: &str, names: &[String]) -> Option<String> {
    match names {
        [] => None,
        [name] => Some(format!("1 sample was {what}, `{name}`")),
        [first, ..] => Some(format!("{} samples were {what}, first `{first}`", names.len())),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::fixtures::*, *};

    fn written(rows: &[SplitRow]) -> Vec<u8> {
        let mut bytes = Vec::new();
        write_split(&mut bytes, rows).unwrap();
        bytes
    }

    fn any_row() -> impl Strategy<Value = SplitRow> {
        let parts = prop::sample::select(vec![Part::Train, Part::Val, Part::Test]);
        (any::<u32>(), parts, any::<String>(), any::<String>(), any::<u128>())
            .prop_map(|(row, part, class, name, hash)| SplitRow { row, part, class, name, hash })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(rows in prop::collection::vec(any_row(), 0..20)) {
            prop_assert_eq!(parse_split(&written(&rows)[..]).unwrap(), rows);
        }
    }

    #[test]
    fn awkward_names_are_quoted() {
        let name = "a, \"b\"\r\nc".to_string();
        let row = SplitRow { row: 3, part: Part::Val, class: "x,y".into(), name, hash: 255 };
        let text = String::from_utf8(written(std::slice::from_ref(&row))).unwrap();
        let hash = "000000000000000000000000000000ff";
        let line = format!("3,val,\"x,y\",\"a, \"\"b\"\"\r\nc\",{hash}\n");
        assert_eq!(text, format!("row,part,class,name,hash\n{line}"));
        assert_eq!(parse_split(text.as_bytes()).unwrap(), [row]);
    }

    #[test]
    fn a_damaged_line_is_named() {
        let complaint = |text: &str| parse_split(text.as_bytes()).unwrap_err().to_string();
        let head = "row,part,class,name,hash\n";
        for (line, words) in [
            ("1,val,a,b", "line 2"),
            ("x,val,a,b,0", "line 2 of the record of rows is damaged: `x` is no row"),
            ("1,valid,a,b,0", "`valid` is no part"),
            (
                "1,val,a,b,0\n2,val,a,b,xyz",
                "line 3 of the record of rows is damaged: `xyz` is no hash",
            ),
        ] {
            let message = complaint(&format!("{head}{line}\n"));
            assert!(message.contains(words), "{message}");
        }
        assert!(complaint("name,part\n").contains("line 1"));
    }

    #[test]
    fn differences_are_named() {
        let folder = classes(&["cat", "dog"], 5);
        let data = || opened(&folder, &options(4)).unwrap();
        let path = |name: &str| folder.path().join(name);
        let before = split_rows(&data());
        assert_eq!(difference(&before, &data()), None);
        fs_err::write(path("cat/001.png"), png(3, 200)).unwrap();
        assert_eq!(difference(&before, &data()).unwrap(), "1 sample was changed, `cat/001.png`");

        let before = split_rows(&data());
        fs_err::write(path("dog/1.png"), png(4, 1)).unwrap();
        fs_err::write(path("dog/2.png"), png(4, 2)).unwrap();
        fs_err::remove_file(path("cat/000.png")).unwrap();
        let words = difference(&before, &data()).unwrap();
        let added = "2 samples were added, first `dog/1.png`; 1 sample was removed, `cat/000.png`";
        assert!(words.starts_with(added), "{words}");
    }

    #[test]
    fn a_sample_of_another_class_or_part_is_named() {
        let data = opened(&classes(&["cat", "dog"], 5), &options(4)).unwrap();
        let mut before = split_rows(&data);
        let (class, part) = (before[0].class.clone(), before[1].part);
        before[0].class = "dog".into();
        assert_eq!(class, "cat");
        let words = "1 sample was moved to another class, `cat/000.png`";
        assert_eq!(difference(&before, &data).unwrap(), words);
        before[0].class = class;
        before[1].part = if part == Part::Train { Part::Test } else { Part::Train };
        let words = "1 sample was moved to another part, `cat/001.png`";
        assert_eq!(difference(&before, &data).unwrap(), words);
    }
}
