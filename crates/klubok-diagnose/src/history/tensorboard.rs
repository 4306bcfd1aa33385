//! Reads TensorBoard event files: records of protocol buffers, one tag per figure.
//!
//! The folder of a file may name the part of the data (Keras: `train`, `validation`) or the whole
//! figure (PyTorch's `add_scalars`: `loss_train`).
//!
//! Sources: TensorFlow's `event.proto`, `summary.proto`, `tensor.proto`.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use klubok_data::part::Part;
use klubok_train::tensorboard::message::{Event, Value};
use prost::Message as _;

use super::{
    History, HistoryError, MAX_FIGURES, Note, Row,
    cells::valid,
    columns::{Field, meaning, names_part},
    figures::{Chosen, Series, choose},
    no_loss,
    percentages::convert_percentages,
    placeholders::remove_placeholders,
    records, short, shortened,
    steps::{Point, by_steps, is_by_steps},
    text_columns::{MAX_NAME_LENGTH, MAX_NAMES, is_other_loss},
};
use crate::history::Result;

/// The largest step that f64 represents exactly.
const MAX_STEP: i64 = 1 << 53;

/// The step of a figure, and when it was written.
#[derive(Debug, Clone, Copy)]
struct Position {
    step: i64,
    file: usize,
    record: u64,
    seconds: f64,
}

impl PartialEq for Position {
    /// Compares steps only: tags with the same values at the same steps are equal.
    fn eq(&self, other: &Self) -> bool {
        self.step == other.step
    }
}

type Values = Vec<(Position, f64)>;

/// All figures in the event files of a training.
#[derive(Default)]
struct Tags {
    /// Values by folder and tag; none for an unknown tag.
    figures: BTreeMap<String, BTreeMap<String, Option<Values>>>,
    /// Number of values so far, including those of unknown tags, which take time too.
    count: usize,
    /// The first few tags, for messages.
    names: BTreeSet<String>,
    /// The first few tags of partial validation losses.
    others: BTreeSet<String>,
}

/// True for the file names that TensorBoard reads.
pub(super) fn is_event_file(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().contains("tfevents"))
}

/// The name of a file's folder.
fn folder_of(file: &Path) -> String {
    let folder = file.parent().and_then(Path::file_name).unwrap_or_default();
    folder.to_string_lossy().into_owned()
}

/// Reads the event files of one training and subtracts their bytes from `budget`, which all files
/// share.
///
/// # Errors
/// When a file is damaged, there is no loss, or the files are of several trainings.
pub(super) fn read(files: &[PathBuf], path: &str, budget: &mut u64) -> Result<History> {
    let mut tags = Tags::default();
    for (number, file) in files.iter().enumerate() {
        let folder = folder_of(file);
        let mut count = 0;
        records::for_each(file, budget, |record| {
            count += 1;
            let event = Event::decode(record).map_err(|error| error.to_string())?;
            let Event { step, seconds, summary, .. } = event;
            let position = Position { step, file: number, record: count, seconds };
            let values = summary.into_iter().flat_map(|summary| summary.value);
            values.into_iter().try_for_each(|value| tags.add(&folder, value, position))
        })?;
    }
    let names: Vec<String> = tags.names.iter().cloned().collect();
    let others: Vec<String> = tags.others.iter().cloned().collect();
    let part = tags.part_by_name();
    let Chosen { mut series, left_out } = choose(tags.series(), path)?;
    series.retain(|series| series.column.field != Field::Step);
    if !series.iter().any(|series| series.column.field.is_loss()) {
        return Err(no_loss(path, &names, false));
    }
    for one in &mut series {
        merge_files(one, files)?;
    }
    let mut notes: Vec<Note> = remove_placeholders(&mut series).into_iter().collect();
    notes.extend(convert_percentages(&mut series));
    if !series.iter().any(|series| series.column.field == Field::ValLoss) && !others.is_empty() {
        notes.push(Note::OtherLosses { columns: others });
    }
    let find = |field| series.iter().find(|series| series.column.field == field);
    if find(Field::TrainLoss).is_none() {
        notes.extend(part.map(|part| Note::PartByName { part }));
    }
    let has_val = find(Field::ValLoss).is_some();
    let named = find(Field::Epoch).is_some() || series.iter().any(|s| s.name.contains("epoch"));
    let steps = find(Field::ValLoss).or(find(Field::TrainLoss)).into_iter().flat_map(|s| &s.values);
    let last = steps.map(|(position, _)| position.step as f64).fold(f64::NAN, f64::max);
    let epochs = rows(series, path)?;
    if !named && is_by_steps(&epochs, last, has_val) {
        notes.push(Note::BySteps);
    }
    Ok(History { epochs, ended: true, left_out, notes, ..History::default() })
}

/// Arranges one row per epoch.
fn rows(series: Vec<Series<Position>>, path: &str) -> std::result::Result<Vec<Row>, HistoryError> {
    let values = || series.iter().flat_map(|series| &series.values);
    let first_file = values().next().map_or(0, |value| value.0.file);
    let in_order = values().all(|(position, _)| position.file == first_file);
    let point = |position: Position| Point {
        step: position.step as f64,
        order: if in_order { position.record as f64 } else { position.seconds },
    };
    let series = series.into_iter().map(|Series { name, column, values }| Series {
        values: values.into_iter().map(|(position, value)| (point(position), value)).collect(),
        name,
        column,
    });
    by_steps(series.collect(), in_order, path)
}

impl Tags {
    fn add(
        &mut self,
        folder: &str,
        value: Value,
        position: Position,
    ) -> std::result::Result<(), String> {
        let Some(number) = scalar(&value) else { return Ok(()) };
        if !(0..=MAX_STEP).contains(&position.step) {
            return Err(format!("`{}` is no number of a step", position.step));
        }
        self.count += 1;
        if self.count > MAX_FIGURES {
            return Err(format!("it has more than {MAX_FIGURES} figures, the most that are read"));
        }
        let tags = self.figures.get_mut(folder);
        if let Some(values) = tags.and_then(|tags| tags.get_mut(&value.tag)) {
            values.iter_mut().for_each(|values| values.push((position, number)));
            return Ok(());
        }
        let is_known = self.add_tag(folder, &value.tag);
        let values = is_known.then(|| vec![(position, number)]);
        self.figures.entry(folder.to_owned()).or_default().insert(value.tag, values);
        Ok(())
    }

    /// Records the name of a new tag; returns true if its meaning is known.
    fn add_tag(&mut self, folder: &str, tag: &str) -> bool {
        if self.names.len() <= 8 {
            self.names.insert(short(tag));
        }
        let known = name(folder, tag, true).or_else(|| name(folder, tag, false)).is_some();
        let part = Part::of_folder(folder).map_or("", Part::name);
        if !known && self.others.len() < MAX_NAMES && is_other_loss(&format!("{part}/{tag}")) {
            self.others.insert(shortened(tag, MAX_NAME_LENGTH));
        }
        known
    }

    /// The part other than training in the name of the only folder, if no tag in it names a part.
    fn part_by_name(&self) -> Option<Part> {
        let mut folders = self.figures.iter();
        let (Some((folder, tags)), None) = (folders.next(), folders.next()) else { return None };
        let part = Part::of_folder(folder).filter(|part| *part != Part::Train)?;
        (!tags.keys().any(|tag| names_part(tag))).then_some(part)
    }

    /// The series of known tags. A folder may name a part of the data if no tag in it does.
    fn series(self) -> Vec<Series<Position>> {
        let mut all: Vec<Series<Position>> = Vec::new();
        let mut indices: BTreeMap<String, usize> = BTreeMap::new();
        let figures = self.figures.into_iter().flat_map(|(folder, tags)| {
            let known = tags.into_iter().filter_map(|(tag, values)| Some((tag, values?)));
            let known: Vec<_> = known.collect();
            let may_be_part = !known.iter().any(|(tag, _)| names_part(tag));
            known.into_iter().map(move |(tag, values)| (name(&folder, &tag, may_be_part), values))
        });
        for (name, values) in figures {
            let Some(name) = name else { continue };
            let Some(column) = meaning(&name) else { continue };
            let check = |&(position, value): &(Position, f64)| {
                Some((position, valid(value, column.field).ok().flatten()?))
            };
            let values = values.iter().filter_map(check);
            if let Some(&index) = indices.get(&name) {
                all[index].values.extend(values);
            } else {
                indices.insert(name.clone(), all.len());
                all.push(Series { name, column, values: values.collect() });
            }
        }
        all
    }
}

/// The full name of a tag in a folder that `may_be_part`; none if it is unknown.
fn name(folder: &str, tag: &str, may_be_part: bool) -> Option<String> {
    let part = Part::of_folder(folder).filter(|_| may_be_part && !names_part(tag));
    let figure = || meaning(folder).is_some_and(|column| column.names_part);
    let name = match part {
        Some(part) => format!("{}/{tag}", part.name()),
        None if figure() => folder.to_owned(),
        None => tag.to_owned(),
    };
    meaning(&name).map(|_| name)
}

/// Merges the values of several files, which an interrupted training leaves behind.
///
/// # Errors
/// When two files have different values for the same steps.
fn merge_files(
    series: &mut Series<Position>,
    files: &[PathBuf],
) -> std::result::Result<(), HistoryError> {
    let mut by_file: BTreeMap<usize, Values> = BTreeMap::new();
    for value in std::mem::take(&mut series.values) {
        by_file.entry(value.0.file).or_default().push(value);
    }
    let mut order: Vec<(usize, Values)> = by_file.into_iter().collect();
    order.sort_by_cached_key(|(_, values)| values.iter().map(|value| value.0.step).min());
    if let [(_, values)] = &mut order[..] {
        series.values = std::mem::take(values);
        return Ok(());
    }
    let mut known: BTreeMap<i64, (u64, usize)> = BTreeMap::new();
    for (file, values) in order {
        // Leaves out copies of known values.
        let is_copy = |value: &(Position, f64)| {
            known.get(&value.0.step).map(|k| k.0) == Some(value.1.to_bits())
        };
        let new: Values = values.into_iter().filter(|v| !is_copy(v)).collect();
        let last = known.last_key_value().map(|(&step, &(_, file))| (step, file));
        let overlap = last.and_then(|(last, before)| {
            let step = new.iter().map(|value| value.0.step).min().filter(|&step| step <= last)?;
            Some((before, step))
        });
        if let Some((before, step)) = overlap {
            let [one, other] = [before, file].map(|file| files[file].display().to_string());
            let (tag, step) = (short(&series.name), step as f64);
            return Err(HistoryError::Overlap { one, other, tag, step });
        }
        known.extend(new.iter().map(|(position, value)| (position.step, (value.to_bits(), file))));
        series.values.extend(new);
    }
    Ok(())
}

/// The value of a scalar summary; none for pictures, histograms and the like.
fn scalar(value: &Value) -> Option<f64> {
    if let Some(number) = value.number {
        return Some(f64::from(number));
    }
    let tensor = value.tensor.as_deref()?;
    match (&tensor.floats[..], &tensor.doubles[..], &tensor.content[..], tensor.dtype) {
        ([number], ..) => Some(f64::from(*number)),
        (_, [number], ..) => Some(*number),
        // DT_FLOAT and DT_DOUBLE, little-endian.
        (_, _, bytes, 1) => bytes.try_into().ok().map(|b| f64::from(f32::from_le_bytes(b))),
        (_, _, bytes, 2) => bytes.try_into().ok().map(f64::from_le_bytes),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use klubok_train::tensorboard::{
        message::{Summary, Tensor},
        record::framed,
    };

    use super::{
        super::{read, tests::losses_of},
        *,
    };

    fn record(step: i64, tag: &str, number: f32) -> Vec<u8> {
        let value = Value { tag: tag.to_owned(), number: Some(number), ..Value::default() };
        let summary = Some(Summary { value: vec![value] });
        framed(&Event { step, summary, ..Event::default() }.encode_to_vec())
    }

    fn records(all: &[(i64, &str, f32)]) -> Vec<u8> {
        all.iter().flat_map(|&(step, tag, number)| record(step, tag, number)).collect()
    }

    /// A loss that halves in every step, from step `from` on.
    fn curve(tag: &str, from: i64) -> Vec<u8> {
        (0..3).flat_map(|i| record(from + i, tag, 0.5f32.powi((from + i) as i32))).collect()
    }

    fn history(files: &[(&str, Vec<u8>)]) -> Result<History> {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            let path = folder.path().join(name);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, bytes).unwrap();
        }
        read(folder.path())
    }

    #[test]
    fn an_epoch_ends_with_its_validation() {
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
        let rows = losses_of(&history(&[("events.out.tfevents.1.host", bytes)]).unwrap());
        assert_eq!(rows, [(1.0, Some(0.75), Some(0.75)), (2.0, Some(0.25), Some(0.5))]);
    }

    #[test]
    fn folders_may_name_parts_or_figures() {
        let expected = [
            (0.0, Some(1.0), Some(1.0)),
            (1.0, Some(0.5), Some(0.5)),
            (2.0, Some(0.25), Some(0.25)),
        ];
        for (train, val, tag) in [
            ("train", "validation", "epoch_loss"),
            ("train", "test", "loss"),
            ("training", "valid", "loss"),
            ("train_set", "dev", "Loss"),
            ("Loss_train", "Loss_val", "Loss"),
            ("loss_training", "loss_validation", "loss"),
            ("", "", "loss"),
            ("fit/20240101/train", "fit/20240101/validation", "epoch_loss"),
        ] {
            let files = if train.is_empty() {
                let all = [curve("loss/train", 0), curve("loss/val", 0)].concat();
                vec![("a.tfevents".to_owned(), all)]
            } else {
                vec![
                    (format!("{train}/a.tfevents.1"), curve(tag, 0)),
                    (format!("{val}/a.tfevents.2"), curve(tag, 0)),
                ]
            };
            let files: Vec<_> =
                files.iter().map(|(name, file)| (name.as_str(), file.clone())).collect();
            assert_eq!(losses_of(&history(&files).unwrap()), expected, "{train} {val} {tag}");
        }
    }

    #[test]
    fn tags_take_precedence_over_the_folder() {
        let both = [curve("loss", 0), curve("val_loss", 0)].concat();
        let rows = losses_of(&history(&[("test/a.tfevents", both)]).unwrap());
        assert_eq!(rows[1], (1.0, Some(0.5), Some(0.5)));
    }

    #[test]
    fn notes_the_part_by_name_and_steps_without_epochs() {
        let notes = |file: &str, tag: &str| history(&[(file, curve(tag, 0))]).unwrap().notes;
        assert_eq!(notes("test/a.tfevents", "loss"), [Note::PartByName { part: Part::Test }]);
        assert_eq!(notes("train/a.tfevents", "loss"), [Note::BySteps]);
        assert_eq!(notes("a.tfevents", "epoch_loss"), []);
    }

    #[test]
    fn refuses_several_trainings_by_name() {
        let one = || curve("train_loss", 0);
        let other: Vec<u8> = (0..3).flat_map(|i| record(i, "train_loss", 7.0)).collect();
        for names in [["a.tfevents.1", "a.tfevents.2"], ["v_0/a.tfevents", "v_1/a.tfevents"]] {
            let files = [(names[0], one()), (names[1], other.clone())];
            let error = history(&files).unwrap_err().to_string();
            assert!(
                names.iter().all(|name| error.contains(name.trim_end_matches("/a.tfevents"))),
                "{error}"
            );
        }
        let error = history(&[("a.tfevents", [one(), other].concat())]).unwrap_err().to_string();
        assert!(error.contains("more than one training"), "{error}");
    }

    #[test]
    fn merges_a_resumed_training_and_ignores_copies() {
        let files = [("a.tfevents.2", curve("loss", 0)), ("a.tfevents.1", curve("loss", 3))];
        assert_eq!(history(&files).unwrap().epochs.len(), 6);
        let files = [("a.tfevents.1", curve("loss", 0)), ("a.tfevents.2", curve("loss", 0))];
        assert_eq!(history(&files).unwrap().epochs.len(), 3);
        let files =
            [("a.tfevents.1", curve("loss", 0)), ("1700.1/a.tfevents.2", record(0, "loss", 1.0))];
        assert_eq!(history(&files).unwrap().epochs.len(), 3, "hyper-parameters");
    }

    #[test]
    fn refuses_two_tags_for_one_loss() {
        let all = records(&[
            (0, "train/loss", 1.0),
            (1, "train/loss", 0.5),
            (0, "loss/train", 2.0),
            (1, "loss/train", 1.0),
        ]);
        let error = history(&[("a.tfevents", all)]).unwrap_err().to_string();
        assert!(error.contains("`loss/train` and `train/loss`"), "{error}");
    }

    #[test]
    fn notes_losses_of_several_sets() {
        let sets = ["train/loss", "eval/a_loss", "eval/b_loss"];
        let all = sets.map(|tag| curve(tag, 0)).concat();
        let history = history(&[("a.tfevents", all)]).unwrap();
        let columns = ["eval/a_loss", "eval/b_loss"].map(str::to_owned).to_vec();
        assert_eq!(history.notes, [Note::OtherLosses { columns }, Note::BySteps]);
    }

    #[test]
    fn reads_the_same_epochs_of_hugging_face_as_its_table() {
        // An evaluation at the start, then two per epoch; training is logged more often.
        let (mut bytes, mut table) = (record(0, "eval/loss", 9.0), "[".to_owned());
        bytes.extend(record(0, "train/epoch", 0.0));
        table += "{\"epoch\": 0, \"eval_loss\": 9, \"step\": 0}";
        for i in 1..13i16 {
            let (step, epoch, loss) =
                (i64::from(i) * 10, f32::from(i) / 4.0, 9.0 - f32::from(i) / 2.0);
            bytes.extend(records(&[(step, "train/loss", loss), (step, "train/epoch", epoch)]));
            write!(table, ",{{\"epoch\": {epoch}, \"loss\": {loss}, \"step\": {step}}}").unwrap();
            if i % 2 == 0 {
                bytes.extend(records(&[(step, "eval/loss", loss), (step, "train/epoch", epoch)]));
                write!(table, ",{{\"epoch\": {epoch}, \"eval_loss\": {loss}, \"step\": {step}}}")
                    .unwrap();
            }
        }
        let expected = super::super::parse((table + "]").as_bytes(), "h").unwrap();
        let found = history(&[("a.tfevents", bytes)]).unwrap();
        assert_eq!(found.epochs, expected.epochs);
    }

    #[test]
    fn reads_a_hundred_thousand_tags() {
        let begun = std::time::Instant::now();
        let all: Vec<u8> = (0..100_000).flat_map(|i| record(i, &format!("tag{i}"), 1.0)).collect();
        assert!(history(&[("a.tfevents", all)]).is_err());
        let all: Vec<u8> = (0..20_000)
            .flat_map(|i| record(i, &format!("loss{}", "/".repeat((i % 999) as usize)), 1.0))
            .collect();
        assert!(history(&[("a.tfevents", all)]).is_err());
        assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
    }

    #[test]
    fn counts_values_of_unknown_tags_and_checks_each_tag_once() {
        let begun = std::time::Instant::now();
        let position = Position { step: 1, file: 0, record: 1, seconds: 0.0 };
        let mut tags = Tags::default();
        let value =
            || Value { tag: "a/b c d e f g".repeat(50), number: Some(1.0), ..Value::default() };
        (0..40_000).for_each(|_| tags.add("train", value(), position).unwrap());
        assert!(begun.elapsed().as_secs() < 2, "{:?}", begun.elapsed());
        tags.count = MAX_FIGURES;
        assert!(tags.add("train", value(), position).is_err());
    }

    #[test]
    fn reads_scalar_tensors() {
        let tensor =
            |content: Vec<u8>, dtype| Box::new(Tensor { dtype, content, ..Tensor::default() });
        let value = |tensor| Value { tensor: Some(tensor), ..Value::default() };
        assert_eq!(scalar(&value(tensor(0.5f32.to_le_bytes().to_vec(), 1))), Some(0.5));
        assert_eq!(scalar(&value(tensor(0.25f64.to_le_bytes().to_vec(), 2))), Some(0.25));
        assert_eq!(scalar(&value(tensor(b"text".to_vec(), 7))), None);
    }

    #[test]
    fn refuses_damaged_and_empty_files() {
        let mut bytes = record(1, "loss", 1.0);
        let last = bytes.len() - 6;
        bytes[last] ^= 1;
        let error = history(&[("a.tfevents", bytes)]).unwrap_err().to_string();
        assert!(error.ends_with("a checksum does not agree"), "{error}");
        let error = history(&[("notes.txt", vec![])]).unwrap_err().to_string();
        assert!(error.ends_with("is neither a run nor a folder with the history of a training"));
        let error = history(&[("a.tfevents", vec![])]).unwrap_err().to_string();
        assert!(error.ends_with("has no epochs"), "{error}");
        let error = history(&[("a.tfevents", record(1, "x", 1.0))]).unwrap_err().to_string();
        assert!(error.contains("its columns are x"), "{error}");
        let error = history(&[("a.tfevents", record(-5, "loss", 1.0))]).unwrap_err().to_string();
        assert!(error.ends_with("`-5` is no number of a step"), "{error}");
    }
}
