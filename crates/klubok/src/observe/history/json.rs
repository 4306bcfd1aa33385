//! JSON: one object an epoch (by lines or in a list), or one object with a list for each figure.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{
    History, HistoryError,
    rows::{Columns, Rows},
};

/// The history in JSON. What Python writes for a loss that is no number (`NaN`, `Infinity`) is understood.
///
/// # Errors
/// When it is no JSON, or has no losses.
pub(super) fn parse(bytes: &[u8], path: &str) -> Result<History, HistoryError> {
    let wrong = |reason: String| HistoryError::Form { path: path.to_owned(), form: "JSON", reason };
    let text = String::from_utf8_lossy(bytes);
    let text =
        if text.contains("NaN") || text.contains("Infinity") { tame(&text) } else { text.into() };
    let values: Result<Vec<Value>, _> =
        serde_json::Deserializer::from_str(&text).into_iter().collect();
    let mut values = values.map_err(|error| wrong(error.to_string()))?;
    if let [Value::Array(list)] = &mut values[..] {
        values = std::mem::take(list);
    }
    let mut objects = Vec::with_capacity(values.len());
    for value in values {
        match value {
            Value::Object(object) => objects.push(object),
            _ => return Err(wrong("it is no list of objects".to_owned())),
        }
    }
    let lists = |object: &Map<String, Value>| object.values().any(Value::is_array);
    if let [object] = &objects[..]
        && lists(object)
    {
        objects = by_rows(object);
    }
    gather(&objects, path)
}

/// Writes numbers that JSON does not know as strings.
fn tame(text: &str) -> String {
    let text = text.replace("-Infinity", "\"-inf\"").replace("Infinity", "\"inf\"");
    text.replace("\"NaN\"", "NaN").replace("NaN", "\"NaN\"")
}

/// An object of lists as a list of objects.
fn by_rows(object: &Map<String, Value>) -> Vec<Map<String, Value>> {
    let lists: Vec<(&String, &Vec<Value>)> =
        object.iter().filter_map(|(name, value)| Some((name, value.as_array()?))).collect();
    let longest = lists.iter().map(|(_, list)| list.len()).max().unwrap_or(0);
    let row = |i: usize| {
        let cell =
            |(name, list): &(&String, &Vec<Value>)| Some(((*name).clone(), list.get(i)?.clone()));
        lists.iter().filter_map(cell).collect()
    };
    (0..longest).map(row).collect()
}

fn gather(objects: &[Map<String, Value>], path: &str) -> Result<History, HistoryError> {
    if objects.is_empty() {
        return Err(HistoryError::Empty { path: path.to_owned() });
    }
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    let mut names = Vec::new();
    for name in objects.iter().flat_map(Map::keys) {
        places.entry(name).or_insert_with(|| {
            names.push(name.clone());
            names.len() - 1
        });
    }
    let columns = Columns::new(names, path)?;
    let mut rows = Rows::new(&columns, path);
    let mut cells = vec![String::new(); places.len()];
    for object in objects {
        cells.iter_mut().for_each(String::clear);
        for (name, value) in object {
            cells[places[name.as_str()]] = match value {
                Value::String(text) => text.clone(),
                Value::Null => String::new(),
                value => value.to_string(),
            };
        }
        rows.add(cells.iter().map(String::as_str))?;
    }
    Ok(rows.finish())
}
