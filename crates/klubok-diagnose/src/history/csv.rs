//! CSV: a head of names, then a row an epoch, or several with holes (Lightning).

use klubok_data::bounded;

use super::{
    HistoryError,
    columns::meaning,
    no_table,
    table::{Slot, Table},
};

/// Most bytes of a row: each of them may be a cell, whose place in the row takes memory.
const LONGEST: usize = 16 << 20;

/// Reads the history in CSV, divided by commas, semicolons or tabs; lines that begin with `#` are
/// comments.
///
/// # Errors
/// When it is no CSV with a column of losses, a cell of such a column is no number, or a row does
/// not fit the head.
pub(super) fn parse(bytes: &[u8], table: &mut Table<'_>, path: &str) -> Result<(), HistoryError> {
    let form = |reason| HistoryError::Form { path: path.to_owned(), form: "CSV", reason };
    let wrong = |error: csv::Error| {
        let is_too_long = bounded::RecordLimit::is_too_long(&error);
        let long = || format!("a row of more than {} MiB", LONGEST >> 20);
        form(if is_too_long { long() } else { error.to_string() })
    };
    let bytes = headed(bytes);
    let bytes = match torn(bytes) {
        Some(whole) => {
            table.torn = true;
            whole
        }
        None => bytes,
    };
    let bound = bounded::RecordLimit::new(LONGEST);
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter(bytes))
        .comment(Some(b'#'))
        .flexible(true)
        .from_reader(bound.wrap(bytes));
    let head = reader.headers().map_err(wrong)?.clone();
    let slots: Vec<Slot> = head.iter().map(|name| table.column(name)).collect::<Result<_, _>>()?;
    let has_loss = head.iter().any(is_loss);
    if !has_loss && (head.len() == 1 || head.iter().all(is_number)) {
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
        // What was opened swallows all rows to the end.
        if end == bytes.len() && is_unclosed(&bytes[start..]) {
            return Err(form(format!("a quote that is opened in row {row} is never closed")));
        }
        if record == head {
            return Err(HistoryError::Again { path: path.to_owned(), row });
        }
        // A cell too many, such as a decimal comma makes, moves all others under a wrong name.
        if record.iter().skip(head.len()).any(|cell| !cell.trim().is_empty()) {
            if !has_loss {
                return Err(no_table(bytes, path));
            }
            let (cells, names) = (record.len(), head.len());
            return Err(HistoryError::Cells { path: path.to_owned(), row, cells, names });
        }
        table.row()?;
        // A cell that is not there says as much as an empty one: nothing.
        for (cell, &slot) in record.iter().zip(&slots) {
            table.cell(slot, cell)?;
        }
    }
    Ok(())
}

/// The text without its last line, where that has no end, and fewer cells than the one before or
/// half a number in its last one: it is still being written.
fn torn(bytes: &[u8]) -> Option<&[u8]> {
    let at = bytes.iter().rposition(|&byte| byte == b'\n')?;
    let (whole, last) = bytes.split_at(at + 1);
    let before = whole[..at].rsplit(|&byte| byte == b'\n').next()?;
    let by = delimiter(bytes);
    let cells = |line: &[u8]| line.split(|&byte| byte == by).count();
    let half = |cell: &[u8]| match cell {
        [b'0'..=b'9', .., last] | [b'-', b'0'..=b'9', .., last] => {
            let number = |byte: &u8| byte.is_ascii_digit() || b".eE+-".contains(byte);
            cell.iter().all(number) && !last.is_ascii_digit()
        }
        _ => false,
    };
    let ends = last.trim_ascii_end();
    let fewer = !before.contains(&b'"') && !before.starts_with(b"#") && cells(last) < cells(before);
    let is_torn = fewer || ends.rsplit(|&byte| byte == by).next().is_some_and(half);
    (is_torn && !ends.is_empty() && !last.contains(&b'"') && !last.starts_with(b"#"))
        .then_some(whole)
}

/// Whether a quote is opened in these rows, at the beginning of a cell, and never closed.
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

/// The text from its head on, where that is the last comment before numbers, as `numpy.savetxt`
/// writes it.
fn headed(bytes: &[u8]) -> &[u8] {
    let (mut at, mut comment) = (0, None);
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        if line.trim_ascii().is_empty() {
            at += line.len();
            continue;
        }
        let Some(named) = line.strip_prefix(b"#") else {
            let cells = |line: &[u8], fits: fn(&str) -> bool, all: bool| {
                let by = delimiter(line);
                let divided = line.split(|&byte| byte == by);
                let mut fit = divided.map(|cell| std::str::from_utf8(cell).is_ok_and(fits));
                if all { fit.all(|fit| fit) } else { fit.any(|fit| fit) }
            };
            let head = comment.filter(|&(_, named): &(usize, &[u8])| {
                cells(named, is_loss, false) && cells(line, is_number, true)
            });
            return head.map_or(bytes, |(start, _)| &bytes[start..]);
        };
        comment = Some((at + 1, named));
        at += line.len();
    }
    bytes
}

/// What divides the names of the head.
fn delimiter(bytes: &[u8]) -> u8 {
    let mut lines = bytes.split(|&b| b == b'\n');
    let head = lines.find(|line| !line.is_empty() && line[0] != b'#').unwrap_or_default();
    let count = |delimiter: u8| head.split(|&b| b == delimiter).count();
    let most = [b',', b';', b'\t'].into_iter().rev().max_by_key(|&delimiter| count(delimiter));
    most.unwrap_or(b',')
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Note, parse, tests::losses},
        LONGEST,
    };

    #[test]
    fn what_keras_3_writes_for_epochs_without_validation() {
        let rows = losses("epoch,loss,val_loss\n0,0.9,NA\n1,0.8,0.7\n2,0.7,NA\n");
        assert_eq!(
            rows,
            [(0.0, Some(0.9), None), (1.0, Some(0.8), Some(0.7)), (2.0, Some(0.7), None)]
        );
    }

    #[test]
    fn a_last_row_that_is_still_being_written_is_left_out() {
        let rows = "epoch,loss,val_loss\n0,0.9,0.8\n1,0.8,0.7\n";
        for last in ["2", "2,", "2,0.7", "2,0.7,0.", "2,0.7,1e-", "2,0.7,6.5E+"] {
            let history = parse(format!("{rows}{last}").as_bytes(), "h").unwrap();
            assert_eq!(
                (history.epochs.len(), &history.notes[..]),
                (2, &[Note::Torn][..]),
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
            "fewer cells in all"
        );
    }

    #[test]
    fn a_quote_that_is_never_closed_is_named() {
        let text = "epoch,loss,val_loss,note\n0,0.9,1,a\n1,0.8,1,\"b\n2,0.7,1,c\n";
        let error = parse(text.as_bytes(), "h").unwrap_err().to_string();
        assert!(error.contains("a quote that is opened in row 2 is never closed"), "{error}");
        assert_eq!(losses(&text.replace("\"b", "\"b \"\"c\"\"\"")).len(), 3);
        let minutes = "epoch,loss,time\n1,0.9,1'30\"\n2,0.8,1'29\"\n3,0.7,1'28\"\n";
        assert_eq!(losses(minutes).len(), 3);
    }

    #[test]
    fn a_row_without_an_epoch_belongs_to_the_epoch_of_its_step() {
        // Lightning's learning rate monitor writes before the epoch; the last one is of an epoch
        // that never ended.
        let text = "epoch,lr-Adam,step,train_loss,val_loss\n,0.1,0,,\n0,,9,,0.8\n0,,9,0.9,\n,0.2,10,,\n\
                    1,,19,,0.6\n1,,19,0.7,\n,0.3,20,,\n";
        let history = parse(text.as_bytes(), "h").unwrap();
        let rates: Vec<_> = history.epochs.iter().map(|r| (r.epoch, r.learning_rate)).collect();
        assert_eq!(rates, [(0.0, Some(0.1)), (1.0, Some(0.2))]);
        assert_eq!(losses(text), [(0.0, Some(0.9), Some(0.8)), (1.0, Some(0.7), Some(0.6))]);
    }

    #[test]
    fn losses_of_steps_are_averaged_and_the_last_validation_of_an_epoch_counts() {
        let text =
            "epoch,step,train_loss,val_loss\n1,1,0.9,\n1,2,0.7,1.0\n1,3,0.5,0.9\n2,4,0.4,0.8\n";
        let rows = losses(text);
        assert!((rows[0].1.unwrap() - 0.7).abs() < 1e-12, "{rows:?}");
        assert_eq!((rows[0].2, rows[1]), (Some(0.9), (2.0, Some(0.4), Some(0.8))));
    }

    #[test]
    fn rows_without_an_epoch_count_steps_or_themselves() {
        let steps = losses(
            "step,train_loss,val_loss\n50,0.9,\n100,0.7,\n100,,0.8\n150,0.6,\n200,0.4,0.7\n",
        );
        assert_eq!(steps, [(1.0, Some(0.8), Some(0.8)), (2.0, Some(0.5), Some(0.7))]);
        let turns = losses("train_loss,val_loss\n0.9,\n,0.8\n0.7,\n,0.6\n");
        assert_eq!(turns, [(1.0, Some(0.9), Some(0.8)), (2.0, Some(0.7), Some(0.6))]);
    }

    #[test]
    fn more_than_one_training_is_refused() {
        let of = |text: &str| parse(text.as_bytes(), "h").unwrap_err().to_string();
        for text in [
            "epoch,loss\n0,1\n1,0.9\n0,1\n1,0.8\n",
            "epoch,loss,val_loss\n1,1,1\n1,0.9,0.9\n2,1,0.8\n2,0.8,0.7\n",
            "epoch,train_loss,val_loss\n1,1,\n1,,1\n1,,0.9\n",
            "epoch,loss\n0,1\n1,0.9\nepoch,loss\n0,1\n1,0.8\n",
            "step,train_loss,val_loss\n0,1,1\n1,0.9,1\n0,1,1\n1,0.8,1\n",
        ] {
            let error = of(text);
            assert!(error.contains("more than one training"), "{text}: {error}");
        }
        let error = of("epoch,loss\n1,1\n3,0.9\n2,1\n");
        assert!(error.contains("not in order"), "{error}");
    }

    #[test]
    fn a_row_that_does_not_fit_the_head_is_refused() {
        let error = parse(b"epoch,loss,val_loss\n1,0,71,0,85\n", "h").unwrap_err().to_string();
        assert_eq!(error, "`h` has 5 cells in row 1 and 3 names in its head");
        assert_eq!(losses("epoch,loss\n1,0.5,\n2,0.4,\n").len(), 2, "an empty one does no harm");
        assert_eq!(losses("epoch,loss,val_loss\n1,0.5,0.6\n2,0.4\n")[1].2, None);
    }

    #[test]
    fn a_head_behind_the_sign_of_a_comment_is_one() {
        let text = "# run 3\n# epoch,loss,val_loss\n1e0,0.5,0.6\n2e0,0.4,0.5\n";
        assert_eq!(losses(text)[1], (2.0, Some(0.4), Some(0.5)));
        let text = "# loss,val_loss\nepoch,loss\n1,0.5\n2,0.4\n";
        assert_eq!(losses(text)[1], (2.0, Some(0.4), None), "a comment above the head");
    }

    #[test]
    fn what_is_no_table_is_said_to_be_none() {
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
            let said = "`h` is no CSV or JSON with named columns: it begins with `";
            assert!(error.starts_with(said), "{error}");
        }
        let error = parse(b"epoch;loss\n0;2,1\n", "h").unwrap_err().to_string();
        assert!(error.contains("a number with a point for the decimal sign"), "{error}");
    }

    #[test]
    fn another_encoding_is_said_to_be_one() {
        let utf16: Vec<u8> = "{\"loss\": [2, 1]}".bytes().flat_map(|byte| [byte, 0]).collect();
        let marked = [&b"\xff\xfe"[..], &utf16].concat();
        let cp1251 = b"epoch,loss,\xf2\xee\xf7\n1,2,3\n2,1,3\n".to_vec();
        for bytes in [utf16, marked, cp1251] {
            let error = parse(&bytes, "h.json").unwrap_err().to_string();
            assert_eq!(error, "`h.json` is no text in UTF-8");
        }
    }

    #[test]
    fn what_is_long_is_read_once() {
        let begun = std::time::Instant::now();
        // A comment without an end above the numbers, and a long head above short rows.
        let comment = format!("# {}\n1,2\n2,1\n", "loss,".repeat(1 << 18));
        assert!(parse(comment.as_bytes(), "h").is_err());
        let numbers = format!("# loss\n{}1\n", "1,".repeat(1 << 18));
        assert!(parse(numbers.as_bytes(), "h").is_err());
        let rows = format!("{}\n{}", "loss,".repeat(30_000), "2\n1\n".repeat(10_000));
        assert_eq!(parse(rows.as_bytes(), "h").unwrap().epochs.len(), 20_000);
        assert!(begun.elapsed().as_secs() < 5, "{:?}", begun.elapsed());
    }

    #[test]
    fn a_row_has_an_end() {
        for text in [
            format!("loss{}\n1\n", ",".repeat(LONGEST + (1 << 16))),
            format!("loss\n1\n\"{}", "\n".repeat(LONGEST + (1 << 16))),
        ] {
            let error = parse(text.as_bytes(), "h").unwrap_err().to_string();
            assert_eq!(error, "`h` cannot be read as CSV: a row of more than 16 MiB");
        }
    }

    #[test]
    fn too_many_rows_and_a_hundred_thousand_columns_end() {
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
