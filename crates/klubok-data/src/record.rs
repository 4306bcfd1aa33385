//! Reads and writes `split.csv`: the rows of a run with their split and content hash.
//!
//! Columns `row,part,class,name,hash`; `hash` is XXH3 (128 bits) of the stored row in hexadecimal.
//! Names with commas, quotes or line breaks are quoted (RFC 4180).

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    path::Path,
};

use klubok_files::bounded;

use super::{DataError, Dataset, Part};
use crate::error::Result;

/// The header line.
const HEADER: [&str; 5] = ["row", "part", "class", "name", "hash"];

/// Maximum bytes of a line that klubok writes.
const MAX_LINE_BYTES: usize = 1 << 16;
/// Maximum rows of a file that klubok writes.
pub(super) const MAX_ROWS: usize = 1 << 24;

/// The reason for rejecting a longer line or file.
const TOO_LONG: &str = "it is longer than any that klubok writes";

/// One line of `split.csv`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SplitRow {
    /// Row index.
    pub row: u32,
    /// Its split.
    pub part: Part,
    /// Its target, in words.
    pub class: String,
    /// Its origin, as in [`Dataset::names`].
    pub name: String,
    /// Hash of its stored input, as in [`Dataset::hashes`].
    pub hash: u128,
}

/// Returns one `split.csv` row per row of a data set, in order.
pub fn split_rows(data: &Dataset) -> Vec<SplitRow> {
    let parts = data.part_of_rows();
    (0..data.rows.len())
        .map(|row| SplitRow {
            row: row as u32,
            part: parts[row],
            class: data.target_text(row as u32),
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
    let failed = |e: csv::Error| DataError::Io(e.into());
    writer.write_record(HEADER).map_err(failed)?;
    for SplitRow { row, part, class, name, hash } in rows {
        let (row, hash) = (row.to_string(), format!("{hash:032x}"));
        writer.write_record([&row, part.name(), class, name, &hash]).map_err(failed)?;
    }
    Ok(writer.flush()?)
}

/// Reads the rows of a `split.csv` one by one, since the file may exceed memory.
///
/// # Errors
/// When the file cannot be read. A damaged row is [`DataError::Record`] with its line.
pub fn read_split(path: &Path) -> Result<impl Iterator<Item = Result<SplitRow>>> {
    Ok(parse_split(bounded::stream(path, bounded::MAX_SPLIT_BYTES)?))
}

/// Parses the rows from the file's content.
pub fn parse_split(from: impl Read) -> impl Iterator<Item = Result<SplitRow>> {
    let bound = bounded::RecordLimit::new(MAX_LINE_BYTES);
    let reader = csv::ReaderBuilder::new().has_headers(false).from_reader(bound.wrap(from));
    reader.into_records().enumerate().filter_map(move |(i, record)| {
        bound.reset();
        row(i, record).transpose()
    })
}

/// Parses record `i` of the file; none for the header.
fn row(i: usize, record: csv::Result<csv::StringRecord>) -> Result<Option<SplitRow>> {
    let record = record.map_err(|error| match (error.kind(), error.position()) {
        (csv::ErrorKind::Io(e), _) if bounded::RecordLimit::is_too_long(e) => {
            damaged(i as u64 + 1, TOO_LONG)
        }
        (csv::ErrorKind::Io(_), _) | (_, None) => DataError::Io(error.into()),
        (_, Some(at)) => damaged(at.line(), &error.to_string()),
    })?;
    let line = record.position().map_or(0, csv::Position::line);
    match i {
        0 if record.iter().eq(HEADER) => Ok(None),
        0 => Err(damaged(line, &format!("it must be `{}`", HEADER.join(",")))),
        _ if i > MAX_ROWS || record.as_slice().len() > MAX_LINE_BYTES => {
            Err(damaged(line, TOO_LONG))
        }
        _ => match parse(&record).map_err(|reason| damaged(line, &reason))? {
            row if row.row as usize + 1 == i => Ok(Some(row)),
            row => Err(damaged(
                line,
                &format!("it is of row {}, and row {} is missing", row.row, i - 1),
            )),
        },
    }
}

fn damaged(line: u64, reason: &str) -> DataError {
    DataError::Record { line, reason: reason.into() }
}

fn parse(record: &csv::StringRecord) -> std::result::Result<SplitRow, String> {
    let field = |i: usize| record.get(i).unwrap_or_default();
    let wrong = |i: usize| format!("`{}` is no {}", field(i), HEADER[i]);
    Ok(SplitRow {
        row: field(0).parse().map_err(|_| wrong(0))?,
        part: Part::from_name(field(1)).ok_or_else(|| wrong(1))?,
        class: field(2).into(),
        name: field(3).into(),
        hash: u128::from_str_radix(field(4), 16)
            .ok()
            .filter(|_| field(4).len() == 32)
            .ok_or_else(|| wrong(4))?,
    })
}

/// Describes in one sentence how `now` differs from recorded rows: added, removed or changed
/// samples, and those with another class or split. None without a difference.
///
/// # Errors
/// When a row cannot be read.
pub fn difference(
    before: impl Iterator<Item = Result<SplitRow>>,
    now: &Dataset,
) -> Result<Option<String>> {
    let parts = now.part_of_rows();
    let rows: BTreeMap<&str, usize> = now.names.iter().map(String::as_str).zip(0..).collect();
    let mut kept = vec![false; now.names.len()];
    let mut changes: [Change; 5] = Default::default();
    let [added, removed, changed, of_class, of_part] = &mut changes;
    let mut before = before.peekable();
    if before.peek().is_none() {
        return Err(damaged(1, "there are no rows"));
    }
    for old in before {
        let old = old?;
        let Some(&row) = rows.get(old.name.as_str()) else {
            removed.add(&old.name);
            continue;
        };
        kept[row] = true;
        let class = now.target_text(row as u32);
        for (change, is) in [
            (&mut *changed, old.hash != now.hashes[row]),
            (&mut *of_class, old.class != class),
            (&mut *of_part, old.part != parts[row]),
        ] {
            if is {
                change.add(&old.name);
            }
        }
    }
    let new = rows.iter().filter(|(_, row)| !kept[**row]);
    new.for_each(|(name, _)| added.add(name));
    let words = ["added", "removed", "changed", "moved to another class", "moved to another part"];
    let clauses: Vec<String> =
        words.iter().zip(&changes).filter_map(|(what, change)| change.clause(what)).collect();
    Ok((!clauses.is_empty()).then(|| clauses.join("; ")))
}

/// Samples with one kind of change: their number and the first by name.
#[derive(Default)]
struct Change {
    samples: u64,
    first: Option<String>,
}

impl Change {
    fn add(&mut self, name: &str) {
        self.samples += 1;
        if self.first.as_deref().is_none_or(|first| name < first) {
            self.first = Some(name.to_owned());
        }
    }

    /// Describes the change, as in "3 samples were added, first `cat/9.jpg`".
    fn clause(&self, what: &str) -> Option<String> {
        let first = self.first.as_ref()?;
        Some(match self.samples {
            1 => format!("1 sample was {what}, `{first}`"),
            n => format!("{n} samples were {what}, first `{first}`"),
        })
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

    fn parsed(bytes: &[u8]) -> Result<Vec<SplitRow>> {
        parse_split(bytes).collect()
    }

    fn compared(before: &[SplitRow], now: &Dataset) -> Option<String> {
        difference(before.iter().cloned().map(Ok), now).unwrap()
    }

    fn any_row() -> impl Strategy<Value = SplitRow> {
        let parts = prop::sample::select(vec![Part::Train, Part::Val, Part::Test]);
        (parts, any::<String>(), any::<String>(), any::<u128>())
            .prop_map(|(part, class, name, hash)| SplitRow { row: 0, part, class, name, hash })
    }

    proptest! {
        #[test]
        fn rows_round_trip(mut rows in prop::collection::vec(any_row(), 0..20)) {
            rows.iter_mut().zip(0..).for_each(|(of, row)| of.row = row);
            prop_assert_eq!(parsed(&written(&rows)).unwrap(), rows);
        }
    }

    #[test]
    fn awkward_names_are_quoted() {
        let name = "a, \"b\"\r\nc".to_string();
        let row = SplitRow { row: 0, part: Part::Val, class: "x,y".into(), name, hash: 255 };
        let text = String::from_utf8(written(std::slice::from_ref(&row))).unwrap();
        let hash = "000000000000000000000000000000ff";
        let line = format!("0,val,\"x,y\",\"a, \"\"b\"\"\r\nc\",{hash}\n");
        assert_eq!(text, format!("row,part,class,name,hash\n{line}"));
        assert_eq!(parsed(text.as_bytes()).unwrap(), [row]);
    }

    #[test]
    fn an_endless_line_is_rejected_early() {
        // A line break within quotes does not end a record.
        for endless in [b',', b'"', b'x', b'\n'] {
            let rows = written(&[]);
            let mut from = std::io::repeat(endless).take(1 << 40);
            let first = parse_split(rows.chain(&b"0,train,a,\""[..]).chain(&mut from)).next();
            let error = first.unwrap().unwrap_err().to_string();
            assert!(error.contains("longer than any that klubok writes"), "{error}");
            assert!((1 << 40) - from.limit() < 1 << 20);
        }
    }

    #[test]
    fn a_damaged_line_is_reported() {
        let error_message = |text: &str| parsed(text.as_bytes()).unwrap_err().to_string();
        let head = "row,part,class,name,hash\n";
        let hash = "0".repeat(32);
        for (line, words) in [
            ("0,val,a,b", "line 2"),
            ("x,val,a,b,HASH", "line 2 of the record of rows is damaged: `x` is no row"),
            ("0,valid,a,b,HASH", "`valid` is no part"),
            (
                "0,val,a,b,HASH\n1,val,a,b,xyz",
                "line 3 of the record of rows is damaged: `xyz` is no hash",
            ),
            // A file cut off within a line, and one with a missing line.
            (
                "0,val,a,b,HASH\n1,val,a,b,00",
                "line 3 of the record of rows is damaged: `00` is no hash",
            ),
            (
                "0,val,a,b,HASH\n2,val,a,b,HASH",
                "line 3 of the record of rows is damaged: it is of row 2, and row 1 is missing",
            ),
        ] {
            let message = error_message(&format!("{head}{line}\n").replace("HASH", &hash));
            assert!(message.contains(words), "{message}");
        }
        assert!(error_message("name,part\n").contains("line 1"));
        let long = format!("{head}0,val,{},x,{hash}\n", "a".repeat(MAX_LINE_BYTES));
        assert!(error_message(&long).ends_with("it is longer than any that klubok writes"));
    }

    #[test]
    fn describes_added_removed_and_changed_samples() {
        let folder = classes(&["cat", "dog"], 5);
        let data = || open_folder(&folder, &options(4)).unwrap();
        let path = |name: &str| folder.path().join(name);
        let before = split_rows(&data());
        assert_eq!(compared(&before, &data()), None);
        fs_err::write(path("cat/001.png"), png(3, 200)).unwrap();
        assert_eq!(compared(&before, &data()).unwrap(), "1 sample was changed, `cat/001.png`");

        let before = split_rows(&data());
        fs_err::write(path("dog/1.png"), png(4, 1)).unwrap();
        fs_err::write(path("dog/2.png"), png(4, 2)).unwrap();
        fs_err::remove_file(path("cat/000.png")).unwrap();
        let words = compared(&before, &data()).unwrap();
        let added = "2 samples were added, first `dog/1.png`; 1 sample was removed, `cat/000.png`";
        assert!(words.starts_with(added), "{words}");
    }

    #[test]
    fn describes_samples_of_another_class_or_split() {
        let data = open_folder(&classes(&["cat", "dog"], 5), &options(4)).unwrap();
        let mut before = split_rows(&data);
        let (class, part) = (before[0].class.clone(), before[1].part);
        before[0].class = "dog".into();
        assert_eq!(class, "cat");
        let words = "1 sample was moved to another class, `cat/000.png`";
        assert_eq!(compared(&before, &data).unwrap(), words);
        before[0].class = class;
        before[1].part = if part == Part::Train { Part::Test } else { Part::Train };
        let words = "1 sample was moved to another part, `cat/001.png`";
        assert_eq!(compared(&before, &data).unwrap(), words);
    }
}
