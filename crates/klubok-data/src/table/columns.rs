//! What the columns are for: the header against the options.

use std::collections::BTreeMap;

use super::{
    TableOptions,
    cell_error::Place,
    error::TableError,
    number::is_number,
    row::Row,
    words::{listed, short},
};

/// Maximum columns.
pub(super) const MAX_COLUMNS: usize = 1_000_000;
/// Maximum columns that are compared with a name that is none of them.
const MAX_COMPARED: usize = 10_000;
/// Maximum bytes of a name that is compared: the time of an edit distance grows with it.
const MAX_COMPARED_BYTES: usize = 60;

/// A column by its number, from 0, and its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) at: usize,
    pub(super) name: String,
}

impl Column {
    /// A cell of this column.
    pub(super) fn place(&self, path: &str, line: u64) -> Place {
        Place { path: path.to_owned(), line, column: short(&self.name) }
    }
}

/// The columns of a table.
#[derive(Debug)]
pub(super) struct Columns {
    /// All columns of the file, used or not.
    pub(super) count: usize,
    /// Inputs, in the order of the file or of the model.
    pub(super) inputs: Vec<Column>,
    /// Targets, in the order of the options.
    pub(super) targets: Vec<Column>,
    /// The weight.
    pub(super) weight: Option<Column>,
}

impl Columns {
    /// Finds the columns in the header.
    ///
    /// # Errors
    /// When there is no header, when a name is missing or occurs twice, and when a wanted column
    /// is missing. If the model's columns are known, only their names must be there and unique.
    pub(super) fn find(
        header: &Row,
        path: &str,
        options: &TableOptions,
    ) -> Result<Self, TableError> {
        let names = Names::new(header, path)?;
        if options.known.is_none() {
            names.check_all()?;
        }
        let column = |name: &String| names.find(name)?.ok_or_else(|| names.no_column(name));
        let targets: Vec<Column> = options.target.iter().map(column).collect::<Result<_, _>>()?;
        let weight = options.weight.as_ref().map(column).transpose()?;
        let input = |name: &String| names.find(name)?.ok_or_else(|| names.no_input(name));
        let inputs = match &options.known {
            None => names.others(&targets, weight.as_ref())?,
            Some(known) => known.inputs.iter().map(input).collect::<Result<_, _>>()?,
        };
        Ok(Self { count: header.len(), inputs, targets, weight })
    }
}

/// The names in a header.
struct Names<'h> {
    path: &'h str,
    line: u64,
    all: Vec<&'h str>,
    /// Columns of each name, the first two at most.
    columns: BTreeMap<&'h str, (usize, Option<usize>)>,
}

impl<'h> Names<'h> {
    fn new(header: &'h Row, path: &'h str) -> Result<Self, TableError> {
        if header.len() > MAX_COLUMNS {
            let path = path.to_owned();
            return Err(TableError::TooMany { path, most: MAX_COLUMNS, what: "columns" });
        }
        let names: Vec<&str> = header.cells().map(str::trim).collect();
        let mut columns: BTreeMap<&str, (usize, Option<usize>)> = BTreeMap::new();
        for (at, name) in names.iter().enumerate() {
            let found = columns.entry(name).and_modify(|(_, second)| {
                second.get_or_insert(at);
            });
            found.or_insert((at, None));
        }
        let names = Self { path, line: header.line, all: names, columns };
        let numbers = names.numbers();
        if numbers.len() == names.all.len() && !is_counting(&numbers) {
            return Err(names.no_header());
        }
        Ok(names)
    }

    /// The names that are numbers.
    fn numbers(&self) -> Vec<&str> {
        self.all.iter().copied().filter(|name| is_number(&name.replace(',', "."))).collect()
    }

    fn no_header(&self) -> TableError {
        TableError::NoHeader { path: self.path.to_owned(), line: self.line }
    }

    /// Returns true if this looks like a row of numbers and a wanted column is not there.
    fn is_like_row(&self) -> bool {
        let numbers = self.numbers();
        numbers.len() == self.all.len()
            || 2 * numbers.len() > self.all.len() && !is_counting(&numbers)
    }

    /// Checks that every column has a name of its own.
    fn check_all(&self) -> Result<(), TableError> {
        if let Some(at) = self.all.iter().position(|name| name.is_empty()) {
            return Err(TableError::Unnamed { path: self.path.to_owned(), column: at + 1 });
        }
        let twice =
            self.columns.iter().filter_map(|(name, &(first, second))| Some((second?, first, name)));
        twice.min().map_or(Ok(()), |(second, first, name)| Err(self.same_name(name, first, second)))
    }

    fn same_name(&self, name: &str, first: usize, second: usize) -> TableError {
        if is_number(name) && self.is_like_row() {
            return self.no_header();
        }
        let (path, name) = (self.path.to_owned(), short(name));
        TableError::SameName { path, name, first: first + 1, second: second + 1 }
    }

    /// Returns the column of a name, if there is one.
    fn find(&self, name: &str) -> Result<Option<Column>, TableError> {
        let name = name.trim();
        match self.columns.get(name) {
            None => Ok(None),
            Some(&(at, None)) => Ok(Some(Column { at, name: name.to_owned() })),
            Some(&(first, Some(second))) => Err(self.same_name(name, first, second)),
        }
    }

    /// Returns all columns but the targets and the weight.
    fn others(
        &self,
        targets: &[Column],
        weight: Option<&Column>,
    ) -> Result<Vec<Column>, TableError> {
        let mut is_input = vec![true; self.all.len()];
        targets.iter().chain(weight).for_each(|column| is_input[column.at] = false);
        let columns = self.all.iter().enumerate().filter(|(at, _)| is_input[*at]);
        let inputs: Vec<Column> =
            columns.map(|(at, name)| Column { at, name: (*name).to_owned() }).collect();
        if !inputs.is_empty() {
            return Ok(inputs);
        }
        let columns: Vec<&str> =
            targets.iter().chain(weight).map(|column| column.name.as_str()).collect();
        let (path, columns) = (self.path.to_owned(), listed(&columns));
        Err(TableError::NoInputs { path, columns })
    }

    /// Names the column nearest to a name, if any is near.
    fn nearest(&self, name: &str) -> String {
        if name.len() > MAX_COMPARED_BYTES {
            return String::new();
        }
        let wanted = name.trim().to_lowercase();
        let near =
            |other: &str| strsim::normalized_damerau_levenshtein(&wanted, &other.to_lowercase());
        let names = self.all.iter().take(MAX_COMPARED);
        let names = names.filter(|name| (1..=MAX_COMPARED_BYTES).contains(&name.len()));
        match names.map(|name| (near(name), name)).max_by(|a, b| a.0.total_cmp(&b.0)) {
            Some((near, name)) if near >= 0.5 => format!(", the nearest is `{}`", short(name)),
            _ => String::new(),
        }
    }

    /// The error about a target or a weight that is not there.
    fn no_column(&self, name: &str) -> TableError {
        let path = self.path.to_owned();
        if self.is_like_row() {
            return self.no_header();
        }
        if let [column] = self.all[..] {
            return TableError::OneColumn { path, column: short(column) };
        }
        let (nearest, columns) = (self.nearest(name), listed(&self.all));
        TableError::NoColumn { path, column: short(name), nearest, columns }
    }

    /// The error about an input of the model that is not there.
    fn no_input(&self, name: &str) -> TableError {
        let (nearest, columns) = (self.nearest(name), listed(&self.all));
        TableError::NoInput { path: self.path.to_owned(), column: short(name), nearest, columns }
    }
}

/// Returns true for 0, 1, 2 or 1, 2, 3, as pandas names rows and the columns of an array.
pub(super) fn is_counting<S: AsRef<str>>(names: &[S]) -> bool {
    let numbers = names.iter().map(|name| name.as_ref().parse().ok());
    let numbers: Vec<u64> = numbers.collect::<Option<_>>().unwrap_or_default();
    numbers.len() > 1 && numbers[0] < 2 && numbers.is_sorted_by(|a, b| a + 1 == *b)
}
