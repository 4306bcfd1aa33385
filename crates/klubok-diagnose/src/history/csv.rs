//! Reads CSV: a header, then one row per epoch, or several with empty cells (Lightning).

use klubok_files::bounded::RecordLimit;

use super::{
    HistoryError,
    columns::meaning,
    no_table,
    table::{Slot, Table},
};

/// Maximum bytes of a row: each may be a cell, whose offset takes memory.
const MAX_ROW_BYTES: usize = 16 << 20;

/// Parses CSV with commas, semicolons or tabs; lines that begin with `#` are comments.
///
/// # Errors When it is not CSV with a column of losses, a cell of such a column is not a number, or
/// a row does not fit the header.
pub(super) fn parse(bytes: &[u8], table: &mut Table<'_>, path: &str) -> Result<(), HistoryError> {
    let form = |reason| HistoryError::Form { path: path.to_owned(), form: "CSV", reason };
    let wrong = |error: csv::Error| {
        let is_too_long =
            matches!(error.kind(), csv::ErrorKind::Io(e) if RecordLimit::is_too_long(e));
        let long = || format!("a row of more than {} MiB", MAX_ROW_BYTES >> 20);
        form(if is_too_long { long() } else { error.to_string() })
    };
    let bytes = from_commented_header(bytes);
    let bytes = match without_incomplete_line(bytes) {
        Some(whole) => {
            table.truncated = true;
            whole
        }
        None => bytes,
    };
    let bound = RecordLimit::new(MAX_ROW_BYTES);
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter(bytes))
        .comment(Some(b'#'))
        .flexible(true)
        .from_reader(bound.wrap(bytes));
    let header = reader.headers().map_err(wrong)?.clone();
    let slots: Vec<Slot> =
        header.iter().map(|name| table.column(name)).collect::<Result<_, _>>()?;
    let has_loss = header.iter().any(is_loss);
    if !has_loss && (header.len() == 1 || header.iter().all(is_number)) {
        return Err(no_table(bytes, path));
    }
    let (mut record, mut row) = (csv::StringRecord::new(), 0u64);
    loop {
        let start = reader.position().byte() as usize;
        if !reader.read_record(&mut record).map_err(wrong)? {
            break;
        }
        row += 1;
        bound.reset();
        let end = reader.position().byte() as usize;
        // An open quote swallows all rows to the end.
        if end == bytes.len() && is_unclosed(&bytes[start..]) {
            return Err(form(format!("a quote that is opened in row {row} is never closed")));
        }
        if record == header {
            return Err(HistoryError::RepeatedHeader { path: path.to_owned(), row });
        }
        // An extra cell, from a decimal comma for example, would move all others to wrong columns.
        if record.iter().skip(header.len()).any(|cell| !cell.trim().is_empty()) {
            if !has_loss {
                return Err(no_table(bytes, path));
            }
            let (cells, names) = (record.len(), header.len());
            return Err(HistoryError::Cells { path: path.to_owned(), row, cells, names });
        }
        table.row()?;
        // Absent cells count as empty.
        for (cell, &slot) in record.iter().zip(&slots) {
            table.cell(slot, cell)?;
        }
    }
    Ok(())
}

/// Removes a last line that is still being written: it has no end, and either fewer cells than the
/// line before or half a number in its last cell. None if the last line is complete.
fn without_incomplete_line(bytes: &[u8]) -> Option<&[u8]> {
    let at = bytes.iter().rposition(|&byte| byte == b'\n')?;
    let (whole, last) = bytes.split_at(at + 1);
    let before = whole[..at].rsplit(|&byte| byte == b'\n').next()?;
    let delimiter = delimiter(bytes);
    let cells = |line: &[u8]| line.split(|&byte| byte == delimiter).count();
    let half = |cell: &[u8]| match cell {
        [b'0'..=b'9', .., last] | [b'-', b'0'..=b'9', .., last] => {
            let number = |byte: &u8| byte.is_ascii_digit() || b".eE+-".contains(byte);
            cell.iter().all(number) && !last.is_ascii_digit()
        }
        _ => false,
    };
    let trimmed = last.trim_ascii_end();
    let fewer = !before.contains(&b'"') && !before.starts_with(b"#") && cells(last) < cells(before);
    let is_incomplete = fewer || trimmed.rsplit(|&byte| byte == delimiter).next().is_some_and(half);
    (is_incomplete && !trimmed.is_empty() && !last.contains(&b'"') && !last.starts_with(b"#"))
        .then_some(whole)
}

/// True if a quote opens at the beginning of a cell in these rows and never closes.
fn is_unclosed(rows: &[u8]) -> bool {
    let opens = |pair: &[u8]| pair[1] == b'"' && matches!(pair[0], b',' | b';' | b'\t' | b'\n');
    let begins = rows.first() == Some(&b'"') || rows.windows(2).any(opens);
    begins && rows.split(|&byte| byte == b'"').count() % 2 == 0
}

fn is_loss(name: &str) -> bool {
    meaning(name).is_some_and(|column| column.field.is_loss())
}

fn is_number(cell: &str) -> bool {
    cell.trim().parse::<f64>().is_ok()
}

/// Skips to the header if it is the last comment before numbers, as `numpy.savetxt` writes it.
fn from_commented_header(bytes: &[u8]) -> &[u8] {
    let (mut at, mut comment) = (0, None);
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        if line.trim_ascii().is_empty() {
            at += line.len();
            continue;
        }
        let Some(named) = line.strip_prefix(b"#") else {
            let cells = |line: &[u8], fits: fn(&str) -> bool, all: bool| {
                let delimiter = delimiter(line);
                let cells = line.split(|&byte| byte == delimiter);
                let mut fit = cells.map(|cell| std::str::from_utf8(cell).is_ok_and(fits));
                if all { fit.all(|fit| fit) } else { fit.any(|fit| fit) }
            };
            let header = comment.filter(|&(_, named): &(usize, &[u8])| {
                cells(named, is_loss, false) && cells(line, is_number, true)
            });
            return header.map_or(bytes, |(start, _)| &bytes[start..]);
        };
        comment = Some((at + 1, named));
        at += line.len();
    }
    bytes
}

/// The most frequent delimiter in the header.
fn delimiter(bytes: &[u8]) -> u8 {
    let mut lines = bytes.split(|&b| b == b'\n');
    let header = lines.find(|line| !line.is_empty() && line[0] != b'#').unwrap_or_default();
    let count = |delimiter: u8| header.split(|&b| b == delimiter).count();
    let best = [b',', b';', b'\t'].into_iter().rev().max_by_key(|&delimiter| count(delimiter));
    best.unwrap_or(b',')
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Note, parse, tests::losses},
        MAX_ROW_BYTES,
    };

    #[test]
    fn reads_na_of_keras_3_for_epochs_without_validation() {
        let rows = losses("epoch,loss,val_loss\n0,0.9,NA\n1,0.8,0.7\n2,0.7,NA\n");
        assert_eq!(
            rows,
            [(0.0, Some(0.9), None), (1.0, Some(0.8), Some(0.7)), (2.0, Some(0.7), None)]
        );
    }

    #[test]
    fn leaves_out_an_incomplete_last_row() {
        let rows = "epoch,loss,val_loss\n0,0.9,0.8\n1,0.8,0.7\n";
        for last in ["2", "2,", "2,0.7", "2,0.7,0.", "2,0.7,1e-", "2,0.7,6.5E+"] {
            let history = parse(format!("{rows}{last}").as_bytes(), "h").unwrap();
            assert_eq!(
                (history.epochs.len(), &history.notes[..]),
                (2, &[Note::Truncated][..]),
                "{last}"
            );
        }
        let noted = "epoch,loss,val_loss,note\n0,0.9,0.8,\"low, warm\"\n1,0.8,0.7,1st decay.";
        assert_eq!(losses(noted).len(), 2);
        for whole in ["2,0.7,0.6", "2,0.7,NA", "2,0.7,"] {
            assert_eq!(losses(&format!("{rows}{whole}")).len(), 3, "{whole}");
        }
        assert_eq!(
            losses(&rows.replace(",val_loss", ",val_loss,note")).len(),
            2,
            "fewer cells in every row"
        );
    }

    #[test]
    fn reports_the_row_of_an_unclosed_quote() {
        let text = "epoch,loss,val_loss,note\n0,0.9,1,a\n1,0.8,1,\"b\n2,0.7,1,c\n";
        let error = parse(text.as_bytes(), "h").unwrap_err().to_string();
        assert!(error.contains("a quote that is opened in row 2 is never closed"), "{error}");
        assert_eq!(losses(&text.replace("\"b", "\"b \"\"c\"\"\"")).len(), 3);
        let minutes = "epoch,loss,time\n1,0.9,1'30\"\n2,0.8,1'29\"\n3,0.7,1'28\"\n";
        assert_eq!(losses(minutes).len(), 3);
    }

    #[test]
    fn a_row_without_an_epoch_belongs_to_the_epoch_of_its_step() {
        // Lightning's learning rate monitor writes before the epoch; the last epoch never ended.
        let text = "epoch,lr-Adam,step,train_loss,val_loss\n,0.1,0,,\n0,,9,,0.8\n0,,9,0.9,\n,0.2,10,,\n\
                    1,,19,,0.6\n1,,19,0.7,\n,0.3,20,,\n";
        let history = parse(text.as_bytes(), "h").unwrap();
        let rates: Vec<_> = history.epochs.iter().map(|r| (r.epoch, r.learning_rate)).collect();
        assert_eq!(rates, [(0.0, Some(0.1)), (1.0, Some(0.2))]);
        assert_eq!(losses(text), [(0.0, Some(0.9), Some(0.8)), (1.0, Some(0.7), Some(0.6))]);
    }

    #[test]
    fn averages_training_losses_and_takes_the_last_validation_of_an_epoch() {
        let text =
            "epoch,step,train_loss,val_loss\n1,1,0.9,\n1,2,0.7,1.0\n1,3,0.5,0.9\n2,4,0.4,0.8\n";
        let rows = losses(text);
        assert!((rows[0].1.unwrap() - 0.7).abs() < 1e-12, "{rows:?}");
        assert_eq!((rows[0].2, rows[1]), (Some(0.9), (2.0, Some(0.4), Some(0.8))));
    }

    #[test]
    fn without_epochs_steps_or_rows_count() {
        let steps = losses(
            "step,train_loss,val_loss\n50,0.9,\n100,0.7,\n100,,0.8\n150,0.6,\n200,0.4,0.7\n",
        );
        assert_eq!(steps, [(1.0, Some(0.8), Some(0.8)), (2.0, Some(0.5), Some(0.7))]);
        let alternating = losses("train_loss,val_loss\n0.9,\n,0.8\n0.7,\n,0.6\n");
        assert_eq!(alternating, [(1.0, Some(0.9), Some(0.8)), (2.0, Some(0.7), Some(0.6))]);
    }

    #[test]
    fn refuses_more_than_one_training() {
        let error_of = |text: &str| parse(text.as_bytes(), "h").unwrap_err().to_string();
        for text in [
            "epoch,loss\n0,1\n1,0.9\n0,1\n1,0.8\n",
            "epoch,loss,val_loss\n1,1,1\n1,0.9,0.9\n2,1,0.8\n2,0.8,0.7\n",
            "epoch,train_loss,val_loss\n1,1,\n1,,1\n1,,0.9\n",
            "epoch,loss\n0,1\n1,0.9\nepoch,loss\n0,1\n1,0.8\n",
            "step,train_loss,val_loss\n0,1,1\n1,0.9,1\n0,1,1\n1,0.8,1\n",
        ] {
            let error = error_of(text);
            assert!(error.contains("more than one training"), "{text}: {error}");
        }
        let error = error_of("epoch,loss\n1,1\n3,0.9\n2,1\n");
        assert!(error.contains("not in order"), "{error}");
    }

    #[test]
    fn refuses_a_row_with_extra_cells() {
        let error = parse(b"epoch,loss,val_loss\n1,0,71,0,85\n", "h").unwrap_err().to_string();
        assert_eq!(error, "`h` has 5 cells in row 1 and 3 names in its head");
        assert_eq!(losses("epoch,loss\n1,0.5,\n2,0.4,\n").len(), 2, "an empty extra cell");
        assert_eq!(losses("epoch,loss,val_loss\n1,0.5,0.6\n2,0.4\n")[1].2, None);
    }

    #[test]
    fn reads_a_commented_header() {
        let text = "# run 3\n# epoch,loss,val_loss\n1e0,0.5,0.6\n2e0,0.4,0.5\n";
        assert_eq!(losses(text)[1], (2.0, Some(0.4), Some(0.5)));
        let text = "# loss,val_loss\nepoch,loss\n1,0.5\n2,0.4\n";
        assert_eq!(losses(text)[1], (2.0, Some(0.4), None), "a comment above the header");
    }

    #[test]
    fn refuses_files_that_are_not_tables() {
        for text in [
            "[0]\ttrain-logloss:2.1\teval-logloss:2.5\n[1]\ttrain-logloss:2\teval-logloss:2\n",
            "[0]\ttraining's l2: 2.1, valid\n",
            "Epoch 1/24\n100/100 [==] - 1s 2ms/step - loss: 2.1 - val_loss: 2.5\n",
            "step 0: train loss 2.1, val loss 2.5\niter 0: loss 2.1, time 10ms, mfu 3%\n",
            "0,2.1,2.5\n1,1.8,2.0\n",
            "epoch  train_loss  val_loss\n0  2.1  2.5\n",
            "| epoch | loss | val_loss |\n|---|---|---|\n| 0 | 1 | 2 |\n",
        ] {
            let error = parse(text.as_bytes(), "h").unwrap_err().to_string();
            let expected = "`h` is no CSV or JSON with named columns: it begins with `";
            assert!(error.starts_with(expected), "{error}");
        }
        let error = parse(b"epoch;loss\n0;2,1\n", "h").unwrap_err().to_string();
        assert!(error.contains("a number with a point for the decimal sign"), "{error}");
    }

    #[test]
    fn refuses_other_encodings() {
        let utf16: Vec<u8> = "{\"loss\": [2, 1]}".bytes().flat_map(|byte| [byte, 0]).collect();
        let marked = [&b"\xff\xfe"[..], &utf16].concat();
        let cp1251 = b"epoch,loss,\xf2\xee\xf7\n1,2,3\n2,1,3\n".to_vec();
        for bytes in [utf16, marked, cp1251] {
            let error = parse(&bytes, "h.json").unwrap_err().to_string();
            assert_eq!(error, "`h.json` is no text in UTF-8");
        }
    }

    #[test]
    fn reads_long_lines_in_linear_time() {
        let begun = std::time::Instant::now();
        // Long comments above the numbers, and a long header above short rows.
        let comment = format!("# {}\n1,2\n2,1\n", "loss,".repeat(1 << 18));
        assert!(parse(comment.as_bytes(), "h").is_err());
        let numbers = format!("# loss\n{}1\n", "1,".repeat(1 << 18));
        assert!(parse(numbers.as_bytes(), "h").is_err());
        let rows = format!("{}\n{}", "loss,".repeat(30_000), "2\n1\n".repeat(10_000));
        assert_eq!(parse(rows.as_bytes(), "h").unwrap().epochs.len(), 20_000);
        assert!(begun.elapsed().as_secs() < 5, "{:?}", begun.elapsed());
    }

    #[test]
    fn limits_the_length_of_a_row() {
        for text in [
            format!("loss{}\n1\n", ",".repeat(MAX_ROW_BYTES + (1 << 16))),
            format!("loss\n1\n\"{}", "\n".repeat(MAX_ROW_BYTES + (1 << 16))),
        ] {
            let error = parse(text.as_bytes(), "h").unwrap_err().to_string();
            assert_eq!(error, "`h` cannot be read as CSV: a row of more than 16 MiB");
        }
    }

    #[test]
    fn limits_rows_and_reads_many_columns_in_linear_time() {
        let text = format!("loss\n{}", "1\n".repeat(2_000_001));
        let error = parse(text.as_bytes(), "h").unwrap_err();
        assert!(error.to_string().contains("more than 2000000 rows"), "{error}");
        let names: Vec<String> = (0..100_000).map(|i| format!("loss {i} x")).collect();
        let begun = std::time::Instant::now();
        let text = format!("{}\n", names.join(","));
        assert!(parse(text.as_bytes(), "h").is_err());
        assert!(begun.elapsed().as_secs() < 5);
    }
}
