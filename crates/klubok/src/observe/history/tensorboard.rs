//! TensorBoard event files: records (length, masked CRC-32C, bytes) of protocol buffers.
//!
//! Sources: TensorFlow's `tfrecord` format and `event.proto`, `summary.proto`, `tensor.proto`.

use std::path::{Path, PathBuf};

use prost::Message;

use super::{
    History, HistoryError, Row,
    columns::{Field, meaning},
};
use crate::Result;

#[derive(Message)]
struct Event {
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(message, optional, tag = "5")]
    summary: Option<Summary>,
}

#[derive(Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<Value>,
}

#[derive(Message)]
struct Value {
    #[prost(string, tag = "1")]
    tag: String,
    #[prost(float, optional, tag = "2")]
    number: Option<f32>,
    #[prost(message, optional, tag = "8")]
    tensor: Option<Tensor>,
}

#[derive(Message)]
struct Tensor {
    #[prost(int32, tag = "1")]
    dtype: i32,
    #[prost(bytes = "vec", tag = "4")]
    content: Vec<u8>,
    #[prost(float, repeated, tag = "5")]
    floats: Vec<f32>,
    #[prost(double, repeated, tag = "6")]
    doubles: Vec<f64>,
}

/// A figure over steps, and the rank of the tag that it comes from.
struct Series {
    field: Field,
    rank: u8,
    points: Vec<(i64, f64)>,
}

/// Folders in which Keras keeps the figures of a part.
const PARTS: [&str; 3] = ["train", "validation", "val"];

/// True for names that TensorBoard looks for.
pub(super) fn is_event_file(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().contains("tfevents"))
}

/// The history in the event files in a folder and in the folders in it (Keras: `train`, `validation`).
///
/// # Errors
/// When there is no event file, or one is damaged.
pub(super) fn read(folder: &Path, path: &str) -> Result<History> {
    let mut files = Vec::new();
    for entry in fs_err::read_dir(folder)? {
        let entry = entry?.path();
        if is_event_file(&entry) {
            files.push(entry);
        } else if entry.is_dir() {
            let inner = fs_err::read_dir(&entry)?.flatten().map(|inner| inner.path());
            files.extend(inner.filter(|inner| is_event_file(inner)));
        }
    }
    if files.is_empty() {
        return Err(HistoryError::Folder { path: path.to_owned() }.into());
    }
    files.sort();
    let mut folders: Vec<String> = files.iter().map(|file| folder_of(file)).collect();
    folders.dedup();
    folders.retain(|name| !PARTS.contains(&name.as_str()) && meaning(name).is_none());
    if let [one, _, ..] = &folders[..] {
        let one = one.clone();
        return Err(HistoryError::Several { path: path.to_owned(), one }.into());
    }
    read_files(&files, path)
}

/// Name of the folder that a file is in.
fn folder_of(file: &Path) -> String {
    let folder = file.parent().and_then(Path::file_name).unwrap_or_default();
    folder.to_string_lossy().into_owned()
}

/// The history in these event files.
///
/// # Errors
/// When one is damaged.
pub(super) fn read_files(files: &[PathBuf], path: &str) -> Result<History> {
    let mut all: Vec<Series> = Vec::new();
    let mut tags = Vec::new();
    for file in files {
        let folder = folder_of(file);
        let wrong = |reason: String| HistoryError::Form {
            path: file.display().to_string(),
            form: "TensorBoard events",
            reason,
        };
        for record in records(&fs_err::read(file)?).map_err(|r| wrong(r.to_owned()))? {
            let event = Event::decode(record).map_err(|error| wrong(error.to_string()))?;
            for value in event.summary.into_iter().flat_map(|summary| summary.value) {
                let Some(number) = scalar(&value) else { continue };
                let tag = if PARTS.contains(&folder.as_str()) {
                    format!("{folder}/{}", value.tag)
                } else if meaning(&folder).is_some() {
                    folder.clone()
                } else {
                    value.tag.clone()
                };
                if !tags.contains(&tag) {
                    tags.push(tag.clone());
                }
                if let Some(column) = meaning(&tag) {
                    add(&mut all, column.field, column.rank, (event.step, number));
                }
            }
        }
    }
    Ok(by_epoch(all, &tags, path)?)
}

fn add(all: &mut Vec<Series>, field: Field, rank: u8, point: (i64, f64)) {
    match all.iter_mut().find(|series| (series.field, series.rank) == (field, rank)) {
        Some(series) => series.points.push(point),
        None => all.push(Series { field, rank, points: vec![point] }),
    }
}

/// One row for each step at which the validation loss was measured, or the training loss without one.
/// Figures of the steps between belong to the next such step.
fn by_epoch(
    mut all: Vec<Series>,
    tags: &[String],
    path: &str,
) -> std::result::Result<History, HistoryError> {
    all.sort_by_key(|series| series.rank);
    all.iter_mut().for_each(|series| series.points.sort_by_key(|point| point.0));
    let of = |field| all.iter().find(|series| series.field == field);
    let Some(reference) = of(Field::ValLoss).or_else(|| of(Field::TrainLoss)) else {
        let columns = tags.iter().take(8).cloned().collect::<Vec<_>>().join(", ");
        return Err(HistoryError::NoLoss { path: path.to_owned(), columns });
    };
    let mut marks: Vec<i64> = reference.points.iter().map(|point| point.0).collect();
    marks.dedup();
    let epochs_are_steps = marks.windows(2).all(|pair| pair[1] == pair[0] + 1);
    let number = |i: usize| if epochs_are_steps { marks[i] as f64 } else { i as f64 + 1.0 };
    let mut epochs: Vec<Row> =
        (0..marks.len()).map(|i| Row { epoch: number(i), ..Row::default() }).collect();
    let figure = |field: Field, row: usize| -> Option<f64> {
        let points = &of(field)?.points;
        let from = row.checked_sub(1).map_or(i64::MIN, |before| marks[before] + 1);
        let first = points.partition_point(|point| point.0 < from);
        let end = points.partition_point(|point| point.0 <= marks[row]);
        let within = points.get(first..end)?;
        match field {
            Field::TrainLoss | Field::TrainAccuracy | Field::GradNorm if !within.is_empty() => {
                Some(within.iter().map(|point| point.1).sum::<f64>() / within.len() as f64)
            }
            _ => within.last().map(|point| point.1),
        }
    };
    for (i, row) in epochs.iter_mut().enumerate() {
        row.train_loss = figure(Field::TrainLoss, i);
        row.val_loss = figure(Field::ValLoss, i);
        row.train_accuracy = figure(Field::TrainAccuracy, i);
        row.val_accuracy = figure(Field::ValAccuracy, i);
        row.grad_norm = figure(Field::GradNorm, i);
        row.learning_rate = figure(Field::LearningRate, i);
    }
    Ok(History { epochs, ended: true, ..History::default() })
}

/// The number of a scalar summary; none for pictures, histograms and the like.
fn scalar(value: &Value) -> Option<f64> {
    if let Some(number) = value.number {
        return Some(f64::from(number));
    }
    let tensor = value.tensor.as_ref()?;
    match (&tensor.floats[..], &tensor.doubles[..], &tensor.content[..], tensor.dtype) {
        ([number], ..) => Some(f64::from(*number)),
        (_, [number], ..) => Some(*number),
        // DT_FLOAT and DT_DOUBLE, little-endian.
        (_, _, bytes, 1) => bytes.try_into().ok().map(|b| f64::from(f32::from_le_bytes(b))),
        (_, _, bytes, 2) => bytes.try_into().ok().map(f64::from_le_bytes),
        _ => None,
    }
}

/// The records of an event file. A last one that is still being written is left out.
fn records(mut bytes: &[u8]) -> std::result::Result<Vec<&[u8]>, &'static str> {
    const DAMAGED: &str = "a checksum does not agree";
    let mut records = Vec::new();
    while let Some((head, rest)) = bytes.split_first_chunk::<12>() {
        let (length, checksum) = head.split_at(8);
        if masked(length) != word(checksum) {
            return Err(DAMAGED);
        }
        let length = length.iter().rev().fold(0u64, |all, &byte| all << 8 | u64::from(byte));
        let length = usize::try_from(length).map_err(|_| DAMAGED)?;
        let Some(record) = rest.get(..length) else { break };
        let Some(checksum) = rest.get(length..).and_then(|rest| rest.get(..4)) else { break };
        if masked(record) != word(checksum) {
            return Err(DAMAGED);
        }
        records.push(record);
        bytes = &rest[length + 4..];
    }
    Ok(records)
}

/// The checksum as it stands in the file.
fn masked(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

fn word(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |all, &byte| all << 8 | u32::from(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(step: i64, tag: &str, number: f32) -> Vec<u8> {
        let value = Value { tag: tag.to_owned(), number: Some(number), tensor: None };
        let bytes = Event { step, summary: Some(Summary { value: vec![value] }) }.encode_to_vec();
        let length = (bytes.len() as u64).to_le_bytes();
        let sums = [masked(&length), masked(&bytes)].map(u32::to_le_bytes);
        [&length[..], &sums[0], &bytes, &sums[1]].concat()
    }

    fn history(files: &[(&str, Vec<u8>)]) -> Result<History> {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            let path = folder.path().join(name);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, bytes).unwrap();
        }
        read(folder.path(), "tb")
    }

    #[test]
    fn the_checksum_is_the_published_one() {
        // The file version record that TensorFlow writes first: its length is 24.
        assert_eq!(masked(&24u64.to_le_bytes()), word(&[0xa3, 0x7f, 0x4b, 0x22]));
    }

    #[test]
    fn steps_between_two_validations_make_an_epoch() {
        let mut bytes = Vec::new();
        for (step, tag, number) in [
            (10, "train_loss_step", 1.0),
            (20, "train_loss_step", 0.5),
            (20, "val_loss", 0.75),
            (30, "train_loss_step", 0.25),
            (40, "val_loss", 0.5),
        ] {
            bytes.extend(record(step, tag, number));
        }
        let half = record(50, "val_loss", 0.25);
        bytes.extend(&half[..half.len() - 3]);
        let rows = history(&[("events.out.tfevents.1.host", bytes)]).unwrap().epochs;
        let rows: Vec<_> = rows.iter().map(|r| (r.epoch, r.train_loss, r.val_loss)).collect();
        assert_eq!(rows, [(1.0, Some(0.75), Some(0.75)), (2.0, Some(0.25), Some(0.5))]);
    }

    #[test]
    fn folders_of_keras_are_the_parts() {
        let file = |loss: f32| {
            [record(0, "epoch_loss", loss), record(1, "epoch_loss", loss / 2.0)].concat()
        };
        let files =
            [("train/events.out.tfevents.1", file(1.0)), ("validation/x.tfevents.2", file(2.0))];
        let rows = history(&files).unwrap().epochs;
        let rows: Vec<_> = rows.iter().map(|r| (r.epoch, r.train_loss, r.val_loss)).collect();
        assert_eq!(rows, [(0.0, Some(1.0), Some(2.0)), (1.0, Some(0.5), Some(1.0))]);
    }

    #[test]
    fn folders_of_pytorch_are_figures_and_others_are_trainings_of_their_own() {
        let file = |loss: f32| [record(1, "Loss", loss), record(2, "Loss", loss / 2.0)].concat();
        let files = [("Loss_train/a.tfevents", file(1.0)), ("Loss_val/a.tfevents", file(2.0))];
        let rows = history(&files).unwrap().epochs;
        assert_eq!((rows[1].train_loss, rows[1].val_loss), (Some(0.5), Some(1.0)));
        let files = [("version_0/a.tfevents", file(1.0)), ("version_1/a.tfevents", file(2.0))];
        let error = history(&files).unwrap_err().to_string();
        assert_eq!(error, "`tb` has more than one training: name one of them, such as `version_0`");
    }

    #[test]
    fn tensors_are_scalars_too() {
        let tensor =
            |content: Vec<u8>, dtype| Tensor { dtype, content, floats: vec![], doubles: vec![] };
        let value = |tensor| Value { tag: String::new(), number: None, tensor: Some(tensor) };
        assert_eq!(scalar(&value(tensor(0.5f32.to_le_bytes().to_vec(), 1))), Some(0.5));
        assert_eq!(scalar(&value(tensor(0.25f64.to_le_bytes().to_vec(), 2))), Some(0.25));
        assert_eq!(scalar(&value(tensor(b"text".to_vec(), 7))), None);
    }

    #[test]
    fn damage_and_nothing_are_said() {
        let mut bytes = record(1, "loss", 1.0);
        let last = bytes.len() - 6;
        bytes[last] ^= 1;
        let error = history(&[("a.tfevents", bytes)]).unwrap_err().to_string();
        assert!(error.ends_with("a checksum does not agree"), "{error}");
        let error = history(&[("notes.txt", vec![])]).unwrap_err().to_string();
        assert_eq!(error, "`tb` is neither a run nor a folder of TensorBoard event files");
        let error = history(&[("a.tfevents", record(1, "x", 1.0))]).unwrap_err().to_string();
        assert!(error.contains("its columns are x"), "{error}");
    }
}
