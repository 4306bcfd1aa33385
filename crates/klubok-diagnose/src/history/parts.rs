//! Tables with one part of the data per row: in long form (`phase` is `train` in one row and `val`
//! in another), or one file per part.
//!
//! Assigns the figures of each row to its part, and sorts rows that are grouped by part into the
//! order of epochs.

use klubok_data::part::Part;

use super::{
    HistoryError,
    columns::{Column, Field},
    figures::Series,
    row_info::{RowInfo, SourceFile},
    text_columns::TextColumns,
};

/// Assigns bare figures to the part of their row. Returns the part of each row, or an empty list if
/// no row has one.
///
/// # Errors
/// When a row with a bare loss has no part although a column names parts, or also has a loss that
/// names another part.
pub(super) fn by_parts(
    series: &mut Vec<Series<u32>>,
    text_columns: &TextColumns,
    files: &[SourceFile],
    rows: usize,
    path: &str,
) -> Result<Vec<Option<Part>>, HistoryError> {
    let mut parts: Vec<Option<Part>> = vec![None; rows];
    // If the columns of a single file name parts, the name of the file means something else.
    let counts = |file: &SourceFile| files.len() > 1 || !file.columns_name_part;
    for (i, file) in files.iter().enumerate().filter(|(_, file)| counts(file)) {
        let end = files.get(i + 1).map_or(rows, |next| next.first as usize);
        parts[file.first as usize..end].fill(file.part);
    }
    if let Some(column) = text_columns.part() {
        parts.fill(None);
        for &(row, part) in &column.rows {
            parts[row as usize] = part;
        }
        let bare = series.iter().filter(|s| s.column.is_bare() && s.column.field.is_loss());
        let mut unknown = bare.flat_map(|s| &s.values).filter(|v| parts[v.0 as usize].is_none());
        if let Some(&(row, _)) = unknown.next() {
            let (path, column) = (path.to_owned(), column.name.clone());
            return Err(HistoryError::UnknownPart { path, column, row: u64::from(row) + 1 });
        }
    }
    if parts.iter().all(Option::is_none) {
        return Ok(Vec::new());
    }
    check_contradiction(series, &parts, path)?;
    split(series, &parts);
    Ok(parts)
}

/// Refuses validation or test rows with a bare loss beside a loss that names a part: it is
/// ambiguous which of them belongs to the row's part.
fn check_contradiction(
    series: &[Series<u32>],
    parts: &[Option<Part>],
    path: &str,
) -> Result<(), HistoryError> {
    let mut named: Vec<Option<&str>> = vec![None; parts.len()];
    for one in series.iter().filter(|s| s.column.field.is_loss() && s.column.names_part) {
        one.values.iter().for_each(|value| named[value.0 as usize] = Some(&one.name));
    }
    for bare in series.iter().filter(|s| s.column.field.is_loss() && s.column.is_bare()) {
        let other = |value: &(u32, f64)| {
            let row = value.0 as usize;
            named[row].filter(|_| parts[row].is_some_and(|part| part != Part::Train))
        };
        if let Some(other) = bare.values.iter().find_map(other) {
            let (one, other) = (bare.name.clone(), other.to_owned());
            return Err(HistoryError::Ambiguous { path: path.to_owned(), one, other });
        }
    }
    Ok(())
}

/// Splits each bare series into one series per part.
fn split(series: &mut Vec<Series<u32>>, parts: &[Option<Part>]) {
    let (bare, mut all): (Vec<_>, Vec<_>) =
        std::mem::take(series).into_iter().partition(|series| series.column.is_bare());
    for Series { name, column, values } in bare {
        for part in [None, Some(Part::Train), Some(Part::Val), Some(Part::Test)] {
            let in_part = values.iter().copied().filter(|value| parts[value.0 as usize] == part);
            let values: Vec<(u32, f64)> = in_part.collect();
            let (name, column): (String, Column) = match part {
                Some(part) => (format!("{}/{name}", part.name()), column.with_part(part)),
                None => (name.clone(), column),
            };
            all.extend((!values.is_empty()).then_some(Series { name, column, values }));
        }
    }
    *series = all;
}

/// Sorts rows that are grouped by part into the order of epochs, if the epochs of each part are in
/// order.
pub(super) fn sort_by_epoch(
    series: &mut [Series<u32>],
    infos: &mut Vec<RowInfo>,
    parts: &[Option<Part>],
) {
    if parts.is_empty() || infos.iter().any(|info| info.used && info.epoch.is_none()) {
        return;
    }
    let mut last: [f64; 4] = [f64::NEG_INFINITY; 4];
    for (info, part) in infos.iter().zip(parts).filter(|(info, _)| info.used) {
        let epoch = info.epoch.unwrap_or_default();
        let last = &mut last[part.map_or(3, |part| part as usize)];
        if epoch < *last {
            return;
        }
        *last = epoch;
    }
    let key = |row: u32| {
        let info = infos[row as usize];
        info.epoch.filter(|_| info.used).unwrap_or(f64::INFINITY)
    };
    let mut order: Vec<u32> = (0..infos.len() as u32).collect();
    order.sort_by(|&a, &b| key(a).total_cmp(&key(b)));
    let mut to = vec![0u32; order.len()];
    order.iter().zip(0u32..).for_each(|(&from, at)| to[from as usize] = at);
    *infos = order.iter().map(|&row| infos[row as usize]).collect();
    for series in series {
        series.values.iter_mut().for_each(|value| value.0 = to[value.0 as usize]);
        series.values.sort_by_key(|value| value.0);
    }
}

/// Numbers the epochs of rows that have a part but no epoch or step. With equally many training and
/// validation rows, the first of each belong together, and so on. None if training and validation
/// alternate, because the order of rows is enough then.
///
/// # Errors
/// When neither holds.
pub(super) fn epochs_by_count(
    series: &[Series<u32>],
    infos: &[RowInfo],
    parts: &[Option<Part>],
    path: &str,
) -> Result<Option<Vec<f64>>, HistoryError> {
    let rows = |field| {
        let found = series.iter().find(|series| series.column.field == field);
        found.map_or_else(Vec::new, |series| series.values.iter().map(|value| value.0).collect())
    };
    let (train, val): (Vec<u32>, Vec<u32>) = (rows(Field::TrainLoss), rows(Field::ValLoss));
    let shared = || train.iter().any(|row| val.binary_search(row).is_ok());
    if parts.is_empty() || train.is_empty() || val.is_empty() || shared() {
        return Ok(None);
    }
    if train.len() == val.len() {
        let mut counts = [0.0; 4];
        let at = infos.iter().zip(parts).map(|(info, part)| {
            let count = &mut counts[part.map_or(3, |part| part as usize)];
            *count += f64::from(u8::from(info.loss));
            if info.loss { *count } else { f64::NAN }
        });
        return Ok(Some(at.collect()));
    }
    let mut before = None;
    let alternate = val.iter().all(|&row| {
        let from = before.map_or(0, |before| train.partition_point(|&at| at < before));
        before = Some(row);
        train.get(from).is_some_and(|&at| at < row)
    });
    if alternate && train.len() > val.len() {
        return Ok(None);
    }
    Err(HistoryError::Mixed {
        path: path.to_owned(),
        train: format!("{} rows of train", train.len()),
        val: format!("{} of val", val.len()),
    })
}
