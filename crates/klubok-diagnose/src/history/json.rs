//! Reads JSON: one object per epoch (by lines or in a list), or one object with a list per figure.
//!
//! The list or object may be inside another one (`log_history` of Hugging Face), and figures inside
//! their part (`{"train": {"loss": 1}}`).

use std::{borrow::Cow, collections::BTreeMap};

use klubok_data::part::Part;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use super::{
    HistoryError,
    columns::{Column, Field, meaning},
    table::{Slot, Table},
};

/// Memory limit for JSON values and their text.
const MAX_MEMORY: usize = 384 << 20;

/// Parses JSON. Accepts Python's `NaN` and `Infinity`.
///
/// # Errors
/// When it is not JSON, or a value is invalid.
pub(super) fn parse(bytes: &[u8], table: &mut Table<'_>, path: &str) -> Result<(), HistoryError> {
    let wrong = |reason: String| HistoryError::Form { path: path.to_owned(), form: "JSON", reason };
    let text =
        std::str::from_utf8(bytes).map_err(|_| HistoryError::NotUtf8 { path: path.to_owned() })?;
    let text = match text.rsplit_once('\n') {
        Some((whole, last)) if is_incomplete(last) => {
            table.truncated = true;
            whole
        }
        _ => text,
    };
    let mut objects = Objects { table, columns: BTreeMap::new(), path };
    if memory(text) > MAX_MEMORY {
        // Only JSON lines can be read piece by piece.
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            if memory(line) > MAX_MEMORY {
                return Err(wrong(
                    "it is too large to be read at once, and not in lines".to_owned(),
                ));
            }
            let value =
                serde_json::from_str(&quote_non_finite(line)).map_err(|e| wrong(e.to_string()))?;
            objects.add(value)?;
        }
        return Ok(());
    }
    let text = quote_non_finite(text);
    let mut values = serde_json::Deserializer::from_str(&text)
        .into_iter()
        .map(|value| value.map_err(|error| wrong(error.to_string())));
    let Some(first) = values.next().transpose()? else { return Ok(()) };
    let Some(second) = values.next().transpose()? else { return document(first, &mut objects) };
    objects.add(first)?;
    objects.add(second)?;
    values.try_for_each(|value| objects.add(value?))
}

/// True for the beginning of an object, from a line that is still being written. It may end within
/// a number or word.
fn is_incomplete(line: &str) -> bool {
    let line = line.trim();
    let parsed = serde_json::from_str::<IgnoredAny>(&quote_non_finite(line));
    let within_word = !line.ends_with(['}', ']', ',']);
    line.starts_with('{') && parsed.is_err_and(|error| error.is_eof() || within_word)
}

/// Reads a document of one value: a list of objects or an object of lists, possibly inside another
/// object.
fn document(mut value: Value, objects: &mut Objects<'_, '_>) -> Result<(), HistoryError> {
    if let Value::Object(object) = &mut value
        && let Some(name) = inner(object).cloned()
        && let Some(mut inner) = object.remove(&name)
    {
        // Keras has the list of epochs beside its figures.
        if let (Value::Object(figures), Some(epochs @ Value::Array(_))) =
            (&mut inner, object.remove("epoch"))
        {
            figures.entry("epoch").or_insert(epochs);
        }
        value = inner;
    }
    match value {
        Value::Array(list) if list.len() != 1 => {
            list.into_iter().try_for_each(|value| objects.add(value))
        }
        Value::Array(mut list) => one(list.remove(0), objects),
        value => one(value, objects),
    }
}

/// Reads one object: of lists, or of the figures of one epoch.
fn one(mut value: Value, objects: &mut Objects<'_, '_>) -> Result<(), HistoryError> {
    if let Value::Object(object) = &mut value {
        object.values_mut().for_each(to_list);
    }
    match &value {
        Value::Object(object)
            if flat(object).any(|(name, list)| list.is_array() && is_loss(&name)) =>
        {
            by_lists(object, objects.table, objects.path)
        }
        _ => objects.add(value),
    }
}

/// Converts an object with row numbers as keys to a list: pandas writes columns like this.
fn to_list(value: &mut Value) {
    let Value::Object(column) = value else { return };
    let numbers = column.keys().map(|key| key.parse::<u32>().ok());
    let Some(numbers) = numbers.collect::<Option<Vec<u32>>>() else { return };
    if !numbers.is_empty() && numbers.windows(2).all(|pair| pair[0] < pair[1]) {
        *value = std::mem::take(column).into_iter().map(|(_, value)| value).collect();
    }
}

/// Upper bound of the memory for a text and its values. An object or a list of one value allocates
/// space for three or four; longer ones allocate at most twice what they need. Commas beyond the
/// number of colons separate the values of lists; an object has one more colon than commas.
fn memory(text: &str) -> usize {
    let mut counts = [0usize; 256];
    text.bytes().for_each(|byte| counts[usize::from(byte)] += 1);
    let count = |byte: u8| counts[usize::from(byte)];
    let lists = count(b',').saturating_sub(count(b':'));
    2 * text.len() + 320 * count(b'{') + 288 * count(b'[') + 240 * count(b':') + 144 * lists
}

/// Quotes numbers that JSON does not have (`NaN`, `Infinity`), and leaves strings unchanged.
fn quote_non_finite(text: &str) -> Cow<'_, str> {
    const WORDS: [(&str, &str); 3] =
        [("-Infinity", "\"-inf\""), ("Infinity", "\"inf\""), ("NaN", "\"NaN\"")];
    if !text.contains("NaN") && !text.contains("Infinity") {
        return text.into();
    }
    let mut output = String::with_capacity(text.len() + text.len() / 4);
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
        output.push_str(written);
        rest = &rest[taken..];
    }
    output.into()
}

/// The name of the only list of objects, or object of lists, inside an object without losses of its
/// own.
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

/// Iterates over the values of an object by name; prefixes those inside a part with its name.
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

/// Adds objects as rows; the first value of a name adds its column.
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
        (Value::Null, _) | (_, Slot::Ignored) => Ok(()),
        (Value::String(text), _) => table.cell(slot, text),
        (Value::Number(number), _) => table.value(slot, number.as_f64().unwrap_or(f64::NAN)),
        // The text of a list or an object means nothing, and may be long.
        (_, Slot::Text(_)) => table.cell(slot, "[]"),
        (other, Slot::Figure(_)) => table.cell(slot, &other.to_string()),
    }
}

/// Reads an object of lists: the first row has the first values, and so on.
///
/// # Errors
/// When lists of losses, accuracies or epochs have unequal lengths: the epochs of a shorter one are
/// unknown.
fn by_lists(
    object: &Map<String, Value>,
    table: &mut Table<'_>,
    path: &str,
) -> Result<(), HistoryError> {
    let mut words: Vec<(Slot, &Vec<Value>)> = Vec::new();
    let all = flat(object).filter_map(|(name, value)| Some((name, value.as_array()?)));
    let mut known: Vec<(Cow<'_, str>, Column, &Vec<Value>)> = Vec::new();
    for (name, list) in all {
        if let Some(column) = meaning(&name).filter(|_| !list.is_empty()) {
            known.push((name, column, list));
        } else {
            words.push((table.column(&name)?, list));
        }
    }
    // The lowest rank of each field; a short list, because fields are few.
    let mut ranks: Vec<(Field, u8)> = Vec::new();
    for (_, column, _) in &known {
        match ranks.iter_mut().find(|(field, _)| *field == column.field) {
            Some((_, rank)) => *rank = column.rank.min(*rank),
            None => ranks.push((column.field, column.rank)),
        }
    }
    let best = |column: &Column| ranks.contains(&(column.field, column.rank));
    // Other ranks are left out anyway, and rates and norms may be per step: any length is fine.
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
    let mut columns: Vec<(Slot, &Vec<Value>)> = figures.collect::<Result<_, HistoryError>>()?;
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
    use std::fmt::Write as _;

    use super::{
        super::{Note, parse, tests::losses},
        MAX_MEMORY, Value, memory, quote_non_finite,
    };

    #[track_caller]
    fn refused(text: &str, words: &str) {
        let error = parse(text.as_bytes(), "h").unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }

    #[test]
    fn refuses_lists_of_unequal_length() {
        let error = parse(b"{\"loss\": [4, 3, 2, 1], \"val_loss\": [2, 1]}", "h").unwrap_err();
        let expected =
            "`h` has 4 values of `loss` and 2 of `val_loss`: which epochs these are of is not said";
        assert_eq!(error.to_string(), expected);
        // With `null` for missing values the lengths are equal.
        let rows = losses("{\"loss\": [4, 3, 2, 1], \"val_loss\": [null, 2, null, 1]}");
        assert_eq!((rows.len(), rows[0].2, rows[1].2), (4, None, Some(2.0)));
        refused("{\"epoch\": [1, 2, 3], \"loss\": [2, 1]}", "3 values of `epoch`");
        refused(
            "{\"loss\": [2, 1], \"val_loss\": [2, 1], \"val_accuracy\": [1]}",
            "`val_accuracy`",
        );
    }

    #[test]
    fn allows_empty_lists_and_rates_per_step() {
        let rows = losses("{\"loss\": [2, 1], \"lr\": [1, 2, 3, 4], \"val_loss\": []}");
        assert_eq!(rows, [(1.0, Some(2.0), None), (2.0, Some(1.0), None)]);
    }

    #[test]
    fn reads_a_log_of_hugging_face_with_a_summary_at_its_end() {
        let text = "{\"best_metric\": 0.5, \"log_history\": [{\"epoch\": 0.5, \"loss\": 1.0, \"step\": 5},\
                    {\"epoch\": 1.0, \"eval_loss\": 0.9, \"step\": 10}, {\"epoch\": 1.5, \"loss\": 0.5, \"step\": 15},\
                    {\"epoch\": 2.0, \"eval_loss\": 0.8, \"step\": 20}, {\"epoch\": 2.0, \"train_loss\": 0.7}]}";
        assert_eq!(losses(text), [(1.0, Some(1.0), Some(0.9)), (2.0, Some(0.5), Some(0.8))]);
    }

    #[test]
    fn reads_figures_inside_parts_and_histories_inside_objects() {
        let text =
            "[{\"train\": {\"loss\": 2}, \"val\": {\"loss\": 3}}, {\"train\": {\"loss\": 1}}]";
        assert_eq!(losses(text), [(1.0, Some(2.0), Some(3.0)), (2.0, Some(1.0), None)]);
        let text = "{\"params\": {\"epochs\": 2}, \"history\": {\"loss\": [2, 1]}}";
        assert_eq!(losses(text).len(), 2);
        let text = "{\"train\": {\"loss\": [2, 1]}, \"val\": {\"loss\": [4, 3]}}";
        assert_eq!(losses(text)[1], (2.0, Some(1.0), Some(3.0)));
    }

    #[test]
    fn reads_epochs_of_keras_and_row_numbers_of_pandas() {
        let rows =
            losses("{\"history\": {\"loss\": [2, 1], \"val_loss\": [3, 2]}, \"epoch\": [30, 31]}");
        assert_eq!(rows, [(30.0, Some(2.0), Some(3.0)), (31.0, Some(1.0), Some(2.0))]);
        let rows =
            losses("{\"loss\": {\"0\": 2, \"1\": 1}, \"val_loss\": {\"0\": 3, \"1\": null}}");
        assert_eq!(rows, [(1.0, Some(2.0), Some(3.0)), (2.0, Some(1.0), None)]);
    }

    #[test]
    fn ignores_empty_lists() {
        let text =
            "{\"train_loss\": [], \"loss\": [3, 2], \"val_loss\": [], \"test_loss\": [4, 3]}";
        assert_eq!(losses(text), [(1.0, Some(3.0), Some(4.0)), (2.0, Some(2.0), Some(3.0))]);
    }

    #[test]
    fn leaves_out_a_final_evaluation_after_training() {
        let lines = |last: &str| {
            let mut text = String::new();
            for i in 1..4 {
                let (epoch, step, loss) = (i, 50 * i, 4 - i);
                writeln!(text, "{{\"epoch\": {epoch}, \"step\": {step}, \"loss\": {loss}}}")
                    .unwrap();
                writeln!(text, "{{\"epoch\": {epoch}, \"step\": {step}, \"eval_loss\": {loss}}}")
                    .unwrap();
            }
            text + last
        };
        let again = "{\"epoch\": 3, \"step\": 150, \"eval_loss\": 0.5}\n";
        assert_eq!(losses(&lines(again)), losses(&lines("")));
        let trained = "{\"epoch\": 3, \"step\": 150, \"loss\": 0.5, \"eval_loss\": 0.5}\n";
        refused(&lines(trained), "epoch 3 twice");
    }

    #[test]
    fn leaves_out_a_validation_before_training() {
        let lines =
            "{\"val_loss\": 9}\n{\"loss\": 2, \"val_loss\": 4}\n{\"loss\": 1, \"val_loss\": 3}";
        assert_eq!(losses(lines), [(1.0, Some(2.0), Some(4.0)), (2.0, Some(1.0), Some(3.0))]);
        let alternating =
            "{\"val_loss\": 9}\n{\"loss\": 2}\n{\"val_loss\": 4}\n{\"loss\": 1}\n{\"val_loss\": 3}";
        assert_eq!(losses(alternating), losses(lines));
    }

    #[test]
    fn leaves_out_an_incomplete_last_line() {
        let lines = "{\"loss\": 3}\n{\"loss\": 2}\n{\"loss\": 1}\n";
        let last =
            "{\"loss\": -0.5e-3, \"val_loss\": NaN, \"x\": [-Infinity], \"y\": {\"z\": true}}";
        for end in 1..last.len() {
            let text = format!("{lines}{}", &last[..end]);
            let history = parse(text.as_bytes(), "h").unwrap();
            assert_eq!(
                (history.epochs.len(), &history.notes[..]),
                (3, &[Note::Truncated][..]),
                "{text}"
            );
        }
        refused(&format!("{lines}{{\"loss\" 1}}"), "cannot be read as JSON");
        refused(&format!("{lines}{{\"loss\":\n"), "cannot be read as JSON");
        refused("[{\"loss\": 3},\n{\"loss\": 2},\n{\"lo", "cannot be read as JSON");
    }

    #[test]
    fn leaves_strings_unchanged() {
        let text = r#"{"a \" NaN": NaN, "b": "-Infinity NaN", "c": -Infinity}"#;
        let expected = r#"{"a \" NaN": "NaN", "b": "-Infinity NaN", "c": "-inf"}"#;
        assert_eq!(quote_non_finite(text), expected);
    }

    #[test]
    fn limits_the_memory_of_values() {
        assert!(size_of::<Value>() <= 72, "the bound assumes this size");
        for piece in ["{\"\":0},", "[0],", "0,", "[],"] {
            let list = format!("[{}0]", piece.repeat(MAX_MEMORY / 140));
            refused(&list, "it is too large to be read at once, and not in lines");
        }
        // A log of Hugging Face with 150,000 entries fits.
        let entry = "{\"epoch\": 0.01, \"grad_norm\": 1.5, \"learning_rate\": 5e-5, \"loss\": 1.0, \"step\": 10},";
        assert!(150_000 * memory(entry) < MAX_MEMORY);
    }

    #[test]
    fn ignores_overlong_names_in_linear_time() {
        let begun = std::time::Instant::now();
        let long = "loss ".repeat(1 << 18);
        let text =
            format!("{{\"loss\": 2, \"{long}\": 1}}\n{{\"loss\": 1, \"split\": \"{long}\"}}\n");
        assert_eq!(losses(&text).len(), 2);
        assert!(begun.elapsed().as_secs() < 2, "{:?}", begun.elapsed());
    }

    #[test]
    fn reads_a_hundred_thousand_keys() {
        let objects: Vec<String> = (0..100_000).map(|i| format!("{{\"k{i}\": 1}}")).collect();
        refused(&objects.join("\n"), "no column `train_loss`");
    }
}
