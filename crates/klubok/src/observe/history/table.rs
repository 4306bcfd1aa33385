//! CSV: a head of names, then a row an epoch, or several with holes (Lightning).

use super::{
    History, HistoryError,
    rows::{Columns, Rows},
};

/// The history in CSV, divided by commas, semicolons or tabs; lines that begin with `#` are comments.
///
/// # Errors
/// When it is no CSV with a column of losses, or a cell of such a column is no number.
pub(super) fn parse(bytes: &[u8], path: &str) -> Result<History, HistoryError> {
    let form = |reason| HistoryError::Form { path: path.to_owned(), form: "CSV", reason };
    let wrong = |error: csv::Error| form(error.to_string());
    if bytes.contains(&0) {
        return Err(form("it is no text in UTF-8".to_owned()));
    }
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter(bytes))
        .comment(Some(b'#'))
        .flexible(true)
        .from_reader(bytes);
    let names = reader.headers().map_err(wrong)?.iter().map(str::to_owned).collect();
    let columns = Columns::new(names, path)?;
    let mut rows = Rows::new(&columns, path);
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record).map_err(wrong)? {
        rows.add(record.iter())?;
    }
    Ok(rows.finish())
}

/// What divides the names of the head.
fn delimiter(bytes: &[u8]) -> u8 {
    let mut lines = bytes.split(|&b| b == b'\n');
    let head = lines.find(|line| !line.is_empty() && line[0] != b'#').unwrap_or_default();
    let count = |delimiter: u8| head.split(|&b| b == delimiter).count();
    let most = [b',', b';', b'\t'].into_iter().rev().max_by_key(|&delimiter| count(delimiter));
    most.unwrap_or(b',')
}
