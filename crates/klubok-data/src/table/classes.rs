//! Classes: the different texts or numbers of a column.

use std::{cmp::Ordering::Equal, collections::BTreeMap};

use super::{error::TableError, memory::reserve, number::double, words::listed};
use crate::part::MAX_NAME_BYTES;

/// Maximum classes of text.
pub(super) const MAX_TEXTS: usize = 65_536;
/// Maximum classes of numbers.
pub(super) const MAX_NUMBERS: usize = 1_000;
/// Whole numbers up to this are exact in double precision.
const MAX_WHOLE: f64 = 9_007_199_254_740_992.0;

/// The class of each row.
///
/// A number is the same class however it is written: `1`, `01` and `1.0` are the class `1`.
#[derive(Debug, Default)]
pub(super) struct Classes {
    /// Classes by name, numbered as they came.
    ids: BTreeMap<String, u32>,
    of: Vec<u32>,
    /// A model's classes are fixed.
    is_fixed: bool,
    /// Whether numbers may have a decimal comma.
    commas: bool,
}

/// Why a text is no class.
pub(super) enum NoClass {
    /// It is too long.
    Long,
    /// There are too many.
    TooMany,
    /// The model does not know it. The first of its classes, in backticks.
    Unknown(String),
    /// Memory is short.
    Memory(TableError),
}

impl Classes {
    /// Classes from a column; `known` are a model's.
    pub(super) fn new(known: Option<&[String]>, commas: bool) -> Self {
        let ids = known.unwrap_or_default().iter().cloned().zip(0..).collect();
        Self { ids, of: Vec::new(), is_fixed: known.is_some(), commas }
    }

    /// Number of classes.
    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    /// Number of classes that are numbers.
    pub(super) fn numbers(&self) -> usize {
        self.ids.keys().filter(|name| double(name, false).is_some()).count()
    }

    /// Returns true if every class is a number.
    pub(super) fn all_numbers(&self) -> bool {
        self.numbers() == self.len()
    }

    /// Appends a row with this text.
    pub(super) fn add(&mut self, text: &str, path: &str) -> Result<(), NoClass> {
        reserve(&mut self.of, 1, path).map_err(NoClass::Memory)?;
        let class = match self.ids.get(text) {
            Some(class) => *class,
            None => self.add_class(text)?,
        };
        self.of.push(class);
        Ok(())
    }

    /// Returns the class of a text that is not the name of one.
    fn add_class(&mut self, text: &str) -> Result<u32, NoClass> {
        let name = class_name(text, self.commas);
        if let Some(&class) = self.ids.get(&name) {
            return Ok(class);
        }
        if self.is_fixed {
            return Err(NoClass::Unknown(listed(&self.names())));
        }
        if name.len() > MAX_NAME_BYTES {
            return Err(NoClass::Long);
        }
        if self.ids.len() == MAX_TEXTS {
            return Err(NoClass::TooMany);
        }
        let class = self.ids.len() as u32;
        self.ids.insert(name, class);
        Ok(class)
    }

    /// Class names by number.
    fn names(&self) -> Vec<&String> {
        let mut names: Vec<(&String, u32)> =
            self.ids.iter().map(|(name, class)| (name, *class)).collect();
        names.sort_by_key(|(_, class)| *class);
        names.into_iter().map(|(name, _)| name).collect()
    }

    /// Returns the names of the classes, numbers in ascending order, text in byte order, and the
    /// class of each row. A model's classes keep their order.
    pub(super) fn finish(mut self) -> (Vec<String>, Vec<u32>) {
        if !self.is_fixed {
            let mut order: Vec<(&String, u32)> =
                self.ids.iter().map(|(name, class)| (name, *class)).collect();
            let number = |name: &String| double(name, false);
            if order.iter().all(|(name, _)| number(name).is_some()) {
                order.sort_by(|a, b| number(a.0).partial_cmp(&number(b.0)).unwrap_or(Equal));
            }
            let mut place = vec![0; order.len()];
            for ((_, class), at) in order.iter().zip(0..) {
                place[*class as usize] = at;
            }
            self.of.iter_mut().for_each(|class| *class = place[*class as usize]);
            self.ids.values_mut().for_each(|class| *class = place[*class as usize]);
        }
        self.of.shrink_to_fit();
        (self.names().into_iter().cloned().collect(), self.of)
    }
}

/// The name of a class: a number as short as possible, or the text.
fn class_name(text: &str, commas: bool) -> String {
    match double(text, commas) {
        Some(value) if value.fract() == 0.0 && value.abs() < MAX_WHOLE => {
            (value as i64).to_string()
        }
        Some(value) if value.abs() < MAX_WHOLE => format!("{value:?}"),
        // Neighbouring numbers would become one.
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes(known: Option<&[String]>, texts: &[&str]) -> Option<(Vec<String>, Vec<u32>)> {
        let mut classes = Classes::new(known, false);
        for text in texts {
            classes.add(text, "a.csv").ok()?;
        }
        Some(classes.finish())
    }

    #[track_caller]
    fn found(texts: &[&str], names: &[&str], of: &[u32]) {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(classes(None, texts), Some((names, of.to_vec())));
    }

    #[test]
    fn text_is_in_byte_order_and_numbers_ascend() {
        found(&["dog", "cat", "Zebra", "dog"], &["Zebra", "cat", "dog"], &[2, 1, 0, 2]);
        found(&["10", "2", "-1", "2.0", "1e1"], &["-1", "2", "10"], &[2, 1, 0, 1, 2]);
        found(&["10", "2", "x"], &["10", "2", "x"], &[0, 1, 2]);
        found(&["0.50", ".5", "-0", "0"], &["0", "0.5"], &[1, 1, 0, 0]);
    }

    #[test]
    fn large_numbers_stay_apart() {
        let (one, other) = ("12345678901234567890", "12345678901234567891");
        found(&[other, one], &[one, other], &[1, 0]);
        assert_eq!(class_name("inf", false), "inf");
    }

    #[test]
    fn a_model_knows_its_classes_in_any_spelling() {
        let known = ["3".to_owned(), "1".to_owned()];
        assert_eq!(classes(Some(&known), &["1.0", "3", "01"]).unwrap().1, [1, 0, 1]);
        assert_eq!(classes(Some(&known), &["1", "2"]), None);
    }
}
