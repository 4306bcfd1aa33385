//! Rows of a part each: in long form (`phase` is `train` here and `val` there), or of a file for
//! each part.
//!
//! Their figures become those of the part, and rows that are sorted by part are put in the order of
//! epochs.

use klubok_data::part::Part;

use super::{
    HistoryError,
    columns::{Column, Field},
    figures::Series,
    labels::Labels,
    place::{Place, Source},
};

/// Gives figures whose names tell no part that of their row. The part of each row, where it is
/// told; of none where nothing needs it.
///
/// # Errors
/// When some losses are of a part and others are not said to be of any.
pub(super) fn by_parts(
    series: &mut Vec<Series<u32>>,
    labels: &Labels,
    files: &[Source],
    rows: usize,
    path: &str,
) -> Result<Vec<Option<Part>>, HistoryError> {
    let mut parts: Vec<Option<Part>> = vec![None; rows];
    // A file alone whose columns speak of parts has its place for another reason.
    let told = |file: &Source| files.len() > 1 || !file.named;
    for (i, file) in files.iter().enumerate().filter(|(_, file)| told(file)) {
        let end = files.get(i + 1).map_or(rows, |next| next.first as usize);
        parts[file.first as usize..end].fill(file.part);
    }
    if let Some(column) = labels.part() {
        parts.fill(None);
        for &(row, part) in &column.rows {
            parts[row as usize] = part;
        }
        let bare = series.iter().filter(|s| s.column.is_bare() && s.column.field.is_loss());
        let mut unsaid = bare.flat_map(|s| &s.values).filter(|v| parts[v.0 as usize].is_none());
        if let Some(&(row, _)) = unsaid.next() {
            // What the word was is in the row: it is enough to say which.
            let (path, column) = (path.to_owned(), column.name.clone());
            return Err(HistoryError::Unsaid { path, column, row: u64::from(row) + 1 });
        }
    }
    if parts.iter().all(Option::is_none) {
        return Ok(Vec::new());
    }
    contradiction(series, &parts, path)?;
    split(series, &parts);
    Ok(parts)
}

/// Refuses rows of validation or test with a loss of no part beside one that names another part:
/// which of them the row's part is of is not said.
fn contradiction(
    series: &[Series<u32>],
    parts: &[Option<Part>],
    path: &str,
) -> Result<(), HistoryError> {
    let mut named: Vec<Option<&str>> = vec![None; parts.len()];
    for one in series.iter().filter(|s| s.column.field.is_loss() && s.column.of_part) {
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

/// Makes a series for each part of those that tell none.
fn split(series: &mut Vec<Series<u32>>, parts: &[Option<Part>]) {
    let (bare, mut all): (Vec<_>, Vec<_>) =
        std::mem::take(series).into_iter().partition(|series| series.column.is_bare());
    for Series { name, column, values } in bare {
        for part in [None, Some(Part::Train), Some(Part::Val), Some(Part::Test)] {
            let of = values.iter().copied().filter(|value| parts[value.0 as usize] == part);
            let values: Vec<(u32, f64)> = of.collect();
            let (name, column): (String, Column) = match part {
                Some(part) => (format!("{}/{name}", part.name()), column.of(part)),
                None => (name.clone(), column),
            };
            all.extend((!values.is_empty()).then_some(Series { name, column, values }));
        }
    }
    *series = all;
}

/// Puts rows that are sorted by part in the order of their epochs, where those of each part are in
/// order.
pub(super) fn in_epochs(
    series: &mut [Series<u32>],
    places: &mut Vec<Place>,
    parts: &[Option<Part>],
) {
    if parts.is_empty() || places.iter().any(|place| place.used && place.epoch.is_none()) {
        return;
    }
    let mut last: [f64; 4] = [f64::NEG_INFINITY; 4];
    for (place, part) in places.iter().zip(parts).filter(|(place, _)| place.used) {
        let epoch = place.epoch.unwrap_or_default();
        let of = &mut last[part.map_or(3, |part| part as usize)];
        if epoch < *of {
            return;
        }
        *of = epoch;
    }
    let key = |row: u32| {
        let place = places[row as usize];
        place.epoch.filter(|_| place.used).unwrap_or(f64::INFINITY)
    };
    let mut order: Vec<u32> = (0..places.len() as u32).collect();
    order.sort_by(|&a, &b| key(a).total_cmp(&key(b)));
    let mut to = vec![0u32; order.len()];
    order.iter().zip(0u32..).for_each(|(&from, at)| to[from as usize] = at);
    *places = order.iter().map(|&row| places[row as usize]).collect();
    for series in series {
        series.values.iter_mut().for_each(|value| value.0 = to[value.0 as usize]);
        series.values.sort_by_key(|value| value.0);
    }
}

/// The epochs of rows of parts without epochs or steps, where as many are of training as of
/// validation: the first of each belong together, and so on. None where training and validation go
/// by turns, which the rows tell themselves.
///
/// # Errors
/// When neither holds.
pub(super) fn turns(
    series: &[Series<u32>],
    places: &[Place],
    parts: &[Option<Part>],
    path: &str,
) -> Result<Option<Vec<f64>>, HistoryError> {
    let rows = |field| {
        let of = series.iter().find(|series| series.column.field == field);
        of.map_or_else(Vec::new, |of| of.values.iter().map(|value| value.0).collect())
    };
    let (train, val): (Vec<u32>, Vec<u32>) = (rows(Field::TrainLoss), rows(Field::ValLoss));
    let shared = || train.iter().any(|row| val.binary_search(row).is_ok());
    if parts.is_empty() || train.is_empty() || val.is_empty() || shared() {
        return Ok(None);
    }
    if train.len() == val.len() {
        let mut counts = [0.0; 4];
        let at = places.iter().zip(parts).map(|(place, part)| {
            let count = &mut counts[part.map_or(3, |part| part as usize)];
            *count += f64::from(u8::from(place.loss));
            if place.loss { *count } else { f64::NAN }
        });
        return Ok(Some(at.collect()));
    }
    let mut before = None;
    let by_turns = val.iter().all(|&row| {
        let from = before.map_or(0, |before| train.partition_point(|&at| at < before));
        before = Some(row);
        train.get(from).is_some_and(|&at| at < row)
    });
    if by_turns && train.len() > val.len() {
        return Ok(None);
    }
    Err(HistoryError::Mixed {
        path: path.to_owned(),
        train: format!("{} rows of train", train.len()),
        val: format!("{} of val", val.len()),
    })
}
