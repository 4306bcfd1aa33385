//! JSON: one object an epoch (by lines or in a list), or one object with a list for each figure.
//!
//! Such a list or object may stand within another one (`log_history` of Hugging Face), and figures within a part
//! (`{"train": {"loss": 1}}`).

use std::{borrow::Cow, collections::BTreeMap};

use serde_json::{Map, Value};

use super::{
    HistoryError,
    columns::{Column, Field, meaning},
    table::{Slot, Table},
};
use crate::part::Part;

/// Most bytes of one value of JSON: in memory it takes some twenty times as much.
const LARGEST: usize = 32 << 20;

/// Reads the history in JSON. What Python writes for a loss that is no number (`NaN`, `Infinity`) is understood.
///
/// # Errors
/// When it is no JSON, or a value has no sense.
pub(super) fn parse(bytes: &[u8], table: &mut Table<'_>, path: &str) -> Result<(), HistoryError> {
    let wrong = |reason: String| HistoryError::Form { path: path.to_owned(), form: "JSON", reason };
    let text =
        std::str::from_utf8(bytes).map_err(|_| HistoryError::NotText { path: path.to_owned() })?;
    let mut objects = Objects { table, columns: BTreeMap::new(), path };
    if text.len() > LARGEST {
        // Only lines of objects can be read piece by piece.
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            if line.len() > LARGEST {
                let most = LARGEST >> 20;
                return Err(wrong(format!("it is larger than {most} MiB and not in lines")));
            }
            let value = serde_json::from_str(&tame(line)).map_err(|e| wrong(e.to_string()))?;
            objects.add(value)?;
        }
        return Ok(());
    }
    let text = tame(text);
    let values: Result<Vec<Value>, _> =
        serde_json::Deserializer::from_str(&text).into_iter().collect();
    let mut values = values.map_err(|error| wrong(error.to_string()))?;
    if let [Value::Object(object)] = &mut values[..]
        && let Some(name) = inner(object).cloned()
        && let Some(inner) = object.remove(&name)
    {
        values = vec![inner];
    }
    if let [Value::Array(list)] = &mut values[..] {
        values = std::mem::take(list);
    }
    if let [Value::Object(object)] = &values[..]
        && flat(object).any(|(name, list)| list.is_array() && is_loss(&name))
    {
        return by_lists(object, objects.table, path);
    }
    values.into_iter().try_for_each(|value| objects.add(value))
}

/// Writes numbers that JSON does not know as strings; what stands within strings stays.
fn tame(text: &str) -> Cow<'_, str> {
    const WORDS: [(&str, &str); 3] =
        [("-Infinity", "\"-inf\""), ("Infinity", "\"inf\""), ("NaN", "\"NaN\"")];
    if !text.contains("NaN") && !text.contains("Infinity") {
        return text.into();
    }
    let mut tamed = String::with_capacity(text.len() + text.len() / 4);
    let (mut rest, mut quoted) = (text, false);
    while let Some(letter) = rest.chars().next() {
        let word = WORDS.iter().find(|(word, _)| !quoted && rest.starts_with(word));
        let (taken, written) = match word {
            Some((word, written)) => (word.len(), *written),
            None if quoted && letter == '\\' => {
                let two = rest.char_indices().nth(2).map_or(rest.len(), |(end, _)| end);
                (two, &rest[..two])
            }
            None => (letter.len_utf8(), &rest[..letter.len_utf8()]),
        };
        quoted ^= letter == '"';
        tamed.push_str(written);
        rest = &rest[taken..];
    }
    tamed.into()
}

/// The name of the one list of objects, or the one object of lists, within an object that has no losses of its own.
fn inner(object: &Map<String, Value>) -> Option<&String> {
    if flat(object).any(|(name, _)| is_loss(&name)) {
        return None;
    }
    let fits = |value: &Value| match value {
        Value::Array(list) => list.first().is_some_and(Value::is_object),
        Value::Object(object) => flat(object).any(|(name, list)| is_loss(&name) && list.is_array()),
        _ => false,
    };
    let mut found = object.iter().filter(|(_, value)| fits(value));
    found.next().filter(|_| found.next().is_none()).map(|(name, _)| name)
}

fn is_loss(name: &str) -> bool {
    meaning(name).is_some_and(|column| column.field.is_loss())
}

/// The values of an object by name; those of a part have its name before their own.
fn flat(object: &Map<String, Value>) -> impl Iterator<Item = (Cow<'_, str>, &Value)> {
    object.iter().flat_map(|(name, value)| -> Box<dyn Iterator<Item = (Cow<'_, str>, &Value)>> {
        match value {
            Value::Object(inner) if Part::of_word(&name.to_lowercase()).is_some() => Box::new(
                inner.iter().map(move |(key, value)| (format!("{name}/{key}").into(), value)),
            ),
            _ => Box::new(std::iter::once((name.as_str().into(), value))),
        }
    })
}

/// Objects as rows: a name is a column from its first value on.
struct Objects<'a, 'b> {
    table: &'a mut Table<'b>,
    columns: BTreeMap<String, Slot>,
    path: &'a str,
}

impl Objects<'_, '_> {
    fn add(&mut self, value: Value) -> Result<(), HistoryError> {
        let Value::Object(object) = value else {
            let (path, reason) = (self.path.to_owned(), "it is no list of objects".to_owned());
            return Err(HistoryError::Form { path, form: "JSON", reason });
        };
        self.table.row()?;
        for (name, value) in flat(&object) {
            let slot = if let Some(slot) = self.columns.get(name.as_ref()) {
                *slot
            } else {
                let slot = self.table.column(&name)?;
                self.columns.insert(name.into_owned(), slot);
                slot
            };
            cell(self.table, slot, value)?;
        }
        Ok(())
    }
}

fn cell(table: &mut Table<'_>, slot: Slot, value: &Value) -> Result<(), HistoryError> {
    match (value, slot) {
        (Value::Null, _) | (_, Slot::Nothing) => Ok(()),
        (Value::String(text), _) => table.cell(slot, text),
        (Value::Number(number), _) => table.value(slot, number.as_f64().unwrap_or(f64::NAN)),
        // A list or an object is no word, and may be long.
        (_, Slot::Label(_)) => table.cell(slot, "[]"),
        (other, Slot::Figure(_)) => table.cell(slot, &other.to_string()),
    }
}

/// The rows of an object of lists: the first values, the second ones, and so on.
///
/// # Errors
/// When lists of losses, accuracies or epochs are not of one length: nothing says which epochs a shorter one is of.
fn by_lists(
    object: &Map<String, Value>,
    table: &mut Table<'_>,
    path: &str,
) -> Result<(), HistoryError> {
    let mut words: Vec<(Slot, &Vec<Value>)> = Vec::new();
    let all = flat(object).filter_map(|(name, value)| Some((name, value.as_array()?)));
    let mut known: Vec<(Cow<'_, str>, Column, &Vec<Value>)> = Vec::new();
    for (name, list) in all {
        if let Some(column) = meaning(&name) {
            known.push((name, column, list));
        } else {
            words.push((table.column(&name)?, list));
        }
    }
    // The lowest rank of each field: a handful, however many lists there are.
    let mut ranks: Vec<(Field, u8)> = Vec::new();
    for (_, column, _) in &known {
        match ranks.iter_mut().find(|(field, _)| *field == column.field) {
            Some((_, rank)) => *rank = column.rank.min(*rank),
            None => ranks.push((column.field, column.rank)),
        }
    }
    let best = |column: &Column| ranks.contains(&(column.field, column.rank));
    // What is left out anyway, or says nothing of epochs, may have another length.
    let counts = |column: &Column| !matches!(column.field, Field::GradNorm | Field::LearningRate);
    let mut lists =
        known.iter().filter(|(_, column, list)| best(column) && counts(column) && !list.is_empty());
    let Some((one, _, first)) = lists.next() else {
        return Ok(());
    };
    if let Some((other, _, list)) = lists.find(|(_, _, list)| list.len() != first.len()) {
        let (one, other) = ((one.to_string(), first.len()), (other.to_string(), list.len()));
        return Err(HistoryError::Lengths { path: path.to_owned(), one, other });
    }
    let fitting =
        known.iter().filter(|(_, column, list)| best(column) && list.len() == first.len());
    let figures = fitting.map(|(name, _, list)| Ok((table.column(name)?, *list)));
    let mut columns: Vec<(Slot, &Vec<Value>)> = figures.collect::<Result<_, _>>()?;
    columns.extend(words.into_iter().filter(|(_, list)| list.len() == first.len()));
    for i in 0..first.len() {
        table.row()?;
        for (column, list) in &columns {
            cell(table, *column, &list[i])?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{
        super::{parse, tests::losses},
        tame,
    };

    #[track_caller]
    fn refused(text: &str, words: &str) {
        let error = parse(text.as_bytes(), "h").unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }

    #[test]
    fn lists_of_unequal_length_are_refused_with_their_lengths() {
        let error = parse(b"{\"loss\": [4, 3, 2, 1], \"val_loss\": [2, 1]}", "h").unwrap_err();
        let said =
            "`h` has 4 values of `loss` and 2 of `val_loss`: which epochs these are of is not said";
        assert_eq!(error.to_string(), said);
        // A value for every epoch, if only `null`, is the way out.
        let rows = losses("{\"loss\": [4, 3, 2, 1], \"val_loss\": [null, 2, null, 1]}");
        assert_eq!((rows.len(), rows[0].2, rows[1].2), (4, None, Some(2.0)));
        refused("{\"epoch\": [1, 2, 3], \"loss\": [2, 1]}", "3 values of `epoch`");
        refused(
            "{\"loss\": [2, 1], \"val_loss\": [2, 1], \"val_accuracy\": [1]}",
            "`val_accuracy`",
        );
    }

    #[test]
    fn a_list_of_steps_or_of_nothing_beside_does_no_harm() {
        let rows = losses("{\"loss\": [2, 1], \"lr\": [1, 2, 3, 4], \"val_loss\": []}");
        assert_eq!(rows, [(1.0, Some(2.0), None), (2.0, Some(1.0), None)]);
    }

    #[test]
    fn hugging_face_has_a_log_within_and_a_summary_at_its_end() {
        let text = "{\"best_metric\": 0.5, \"log_history\": [{\"epoch\": 0.5, \"loss\": 1.0, \"step\": 5},\
                    {\"epoch\": 1.0, \"eval_loss\": 0.9, \"step\": 10}, {\"epoch\": 1.5, \"loss\": 0.5, \"step\": 15},\
                    {\"epoch\": 2.0, \"eval_loss\": 0.8, \"step\": 20}, {\"epoch\": 2.0, \"train_loss\": 0.7}]}";
        assert_eq!(losses(text), [(1.0, Some(1.0), Some(0.9)), (2.0, Some(0.5), Some(0.8))]);
    }

    #[test]
    fn figures_stand_within_their_part_and_histories_within_others() {
        let text =
            "[{\"train\": {\"loss\": 2}, \"val\": {\"loss\": 3}}, {\"train\": {\"loss\": 1}}]";
        assert_eq!(losses(text), [(1.0, Some(2.0), Some(3.0)), (2.0, Some(1.0), None)]);
        let text = "{\"params\": {\"epochs\": 2}, \"history\": {\"loss\": [2, 1]}}";
        assert_eq!(losses(text).len(), 2);
        let text = "{\"train\": {\"loss\": [2, 1]}, \"val\": {\"loss\": [4, 3]}}";
        assert_eq!(losses(text)[1], (2.0, Some(1.0), Some(3.0)));
    }

    #[test]
    fn words_within_strings_stay() {
        let text = r#"{"a \" NaN": NaN, "b": "-Infinity NaN", "c": -Infinity}"#;
        assert_eq!(tame(text), r#"{"a \" NaN": "NaN", "b": "-Infinity NaN", "c": "-inf"}"#);
    }

    #[test]
    fn a_hundred_thousand_keys_end() {
        let objects: Vec<String> = (0..100_000).map(|i| format!("{{\"k{i}\": 1}}")).collect();
        refused(&objects.join("\n"), "no column `train_loss`");
    }
}
