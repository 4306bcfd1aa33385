//! Data: from what a user has to rows, parts and classes.
//!
//! DATA is a folder of class folders, with or without parts (`train/ val/ test/`) above them, a
//! folder of IDX files, or `demo:NAME` for a built-in set. Everything is read once and kept as
//! bytes.

mod alike;
pub mod bounded;
pub mod builtin;
pub mod components;
mod error;
mod fingerprint;
mod fit;
#[cfg(test)]
mod fixtures;
mod idx;
mod idx_files;
mod inside;
mod layout;
mod left_out;
mod limit;
pub mod limits;
mod list;
mod names;
pub mod part;
mod pictures;
pub mod preprocess;
mod record;
pub mod settings;
mod sizes;
mod split;
pub mod survey;
pub mod symmetric;
mod tree;
pub mod typical;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use klubok_nn::{
    plan::Picture,
    rows::{Field, MemoryRows, Rows},
};
use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_128;

use self::{builtin::BuiltIn, preprocess::Preprocessing};
pub use self::{
    error::{DataError, Result, Ways},
    fingerprint::{Fingerprint, fingerprint, identity},
    fit::{PADDING, picture_from_bytes, read_picture},
    left_out::LeftOut,
    names::{is_of_system, looks_like_picture, shown},
    record::{SplitRow, difference, parse_split, read_split, split_rows, write_split},
    sizes::{Sizes, picture_sizes},
};
pub use crate::part::Part;
use crate::settings::DataConfig;

/// Samples ready to be trained on: rows of all parts, and which row is in which part.
#[derive(Clone)]
pub struct Dataset {
    /// All samples.
    pub rows: Arc<dyn Rows>,
    /// Class of each row.
    pub targets: Vec<u32>,
    /// Names of the classes, in their order.
    pub classes: Vec<String>,
    /// What a row is.
    pub input: Input,
    /// Which rows are in which part.
    pub parts: Parts,
    /// Where each row comes from: the file's path below the data folder with `/` between the names
    /// (below `--val PATH`: `val/` and that), or the part and the row's number in it, as in
    /// `train/17`.
    pub names: Vec<String>,
    /// Hash of each row's stored input (XXH3, 128 bits): recognises samples across runs and parts.
    pub hashes: Vec<u128>,
    /// Files that could not be read.
    pub skipped: Vec<Skipped>,
    /// What lies beside the data and is no part of it.
    pub left_out: LeftOut,
}

/// What a row is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Input {
    /// Pixels.
    Pictures(Picture),
    /// Columns of numbers, by name.
    Columns(Vec<String>),
}

impl Input {
    /// "pictures of 64x64 grey pixels" or "3 columns".
    fn words(&self) -> String {
        match self {
            Input::Pictures(Picture { width, height, channels: 1 }) => {
                format!("pictures of {width}x{height} grey pixels")
            }
            Input::Pictures(Picture { width, height, .. }) => {
                format!("pictures of {width}x{height} RGB pixels")
            }
            Input::Columns(names) => format!("{} columns", names.len()),
        }
    }
}

/// Row numbers of each part.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parts {
    /// For training.
    pub train: Vec<u32>,
    /// For choosing the best epoch.
    pub val: Vec<u32>,
    /// Never read by training.
    pub test: Vec<u32>,
}

/// A file that was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// The file's path below the data folder.
    pub name: String,
    /// Why.
    pub reason: String,
}

/// Samples of one class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClassCount {
    /// Name of the class.
    pub class: String,
    /// Samples in the training part.
    pub train: usize,
    /// Samples in the validation part.
    pub val: usize,
    /// Samples in the test part.
    pub test: usize,
}

impl Dataset {
    /// How many samples of each class are in each part, in the order of the classes.
    pub fn counts(&self) -> Vec<ClassCount> {
        let count = |part: &[u32]| count(&self.targets, part, self.classes.len());
        let Parts { train, val, test } = &self.parts;
        let (train, val, test) = (count(train), count(val), count(test));
        let class = |(i, class): (usize, &String)| ClassCount {
            class: class.clone(),
            train: train[i],
            val: val[i],
            test: test[i],
        };
        self.classes.iter().enumerate().map(class).collect()
    }

    /// How many of some rows are of each class, in the order of the classes.
    pub fn class_counts(&self, rows: &[u32]) -> Vec<u64> {
        count(&self.targets, rows, self.classes.len()).into_iter().map(|n| n as u64).collect()
    }

    /// The part of each row.
    pub fn part_of_rows(&self) -> Vec<Part> {
        let mut parts = vec![Part::Train; self.targets.len()];
        self.parts.val.iter().for_each(|&row| parts[row as usize] = Part::Val);
        self.parts.test.iter().for_each(|&row| parts[row as usize] = Part::Test);
        parts
    }
}

/// Which form data has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceKind {
    /// A folder of class folders.
    Pictures,
    /// A folder of IDX files.
    Idx,
    /// A built-in set.
    Demo,
}

impl SourceKind {
    fn words(self) -> &'static str {
        match self {
            SourceKind::Pictures => "a folder of pictures",
            SourceKind::Idx => "a folder of IDX files",
            SourceKind::Demo => "a built-in set",
        }
    }
}

/// How data is opened.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// Size, colours, fit and the cut of the validation part.
    pub data: DataConfig,
    /// A validation part given apart, of the same kind as the data; it replaces the data's own.
    /// Where its folder has parts, its `val` is used, else its `train` (IDX: its `t10k`, else its
    /// `train`).
    pub val: Option<PathBuf>,
    /// A test part given apart, likewise.
    pub test: Option<PathBuf>,
    /// Any picture that cannot be read is an error, not only more than 5 %.
    pub strict: bool,
    /// Threads that read; the result does not depend on it.
    pub threads: usize,
    /// The model that the data is for, if there is one: its classes and shape apply, a class may
    /// have any number of samples, and no training part is needed.
    pub known: Option<Known>,
}

/// What a trained model knows of data.
#[derive(Debug, Clone)]
pub struct Known {
    /// Names of its classes.
    pub classes: Vec<String>,
    /// How it takes its input; overrides size, colours and fit of [`OpenOptions::data`].
    pub preprocessing: Preprocessing,
}

impl OpenOptions {
    /// Opening for training with one thread, where unreadable pictures may be skipped.
    pub fn new(data: DataConfig) -> Self {
        Self { data, val: None, test: None, strict: false, threads: 1, known: None }
    }

    /// The parts given apart.
    fn apart(&self) -> impl Iterator<Item = (Part, &Path)> {
        let parts = [(Part::Val, &self.val), (Part::Test, &self.test)];
        parts.into_iter().filter_map(|(part, path)| Some((part, path.as_deref()?)))
    }
}

/// Is told how many files of how many are done, by any of the threads.
pub type Progress<'a> = &'a (dyn Fn(usize, usize) + Sync);

/// Finds out which form data has, from names alone.
///
/// # Errors
/// [`DataError::Missing`], [`DataError::Table`] or [`DataError::NotAFolder`].
pub fn kind_of(source: &str) -> Result<SourceKind> {
    match source.strip_prefix("demo:") {
        Some(_) => Ok(SourceKind::Demo),
        None => kind_of_path(Path::new(source)),
    }
}

fn kind_of_path(source: &Path) -> Result<SourceKind> {
    let path = source.display().to_string();
    let ending = source.extension().and_then(|e| e.to_str()).unwrap_or_default().to_lowercase();
    if source.is_dir() {
        return Ok(if idx::is_idx(source) { SourceKind::Idx } else { SourceKind::Pictures });
    }
    Err(match ending.as_str() {
        _ if !source.exists() => DataError::Missing { path },
        "csv" | "tsv" | "parquet" | "npz" => DataError::Table { path },
        _ => DataError::NotAFolder { path },
    })
}

/// Reads data and divides it into parts; where there is no validation part, one is cut off.
///
/// The result depends on the data, `options.data` and `options.known` alone.
///
/// # Errors
/// Every [`DataError`] that is not about values or records; `Io` when a folder cannot be read.
pub fn open(source: &str, options: &OpenOptions, progress: Progress<'_>) -> Result<Dataset> {
    let kind = kind_of(source)?;
    for (part, path) in options.apart() {
        let got = kind_of_path(path)?;
        if got != kind {
            let (part, path) = (part.name(), path.display().to_string());
            let (expected, got) = (kind.words(), got.words());
            return Err(DataError::OtherKind { part, path, expected, got });
        }
    }
    let data = match kind {
        SourceKind::Pictures => pictures::open(source.as_ref(), options, progress)?.cut(options)?,
        SourceKind::Idx => idx::open(source.as_ref(), options, progress)?.cut(options)?,
        SourceKind::Demo => open_demo(source, options)?,
    };
    match &options.known {
        Some(known) => check_known(source, &data, known).map(|()| data),
        None if options.data.limit > 0 => limit::limited(data, &options.data),
        None => Ok(data),
    }
}

/// The built-in sets come in here.
fn open_demo(source: &str, options: &OpenOptions) -> Result<Dataset> {
    let name = source.trim_start_matches("demo:");
    let set = BuiltIn::from_name(name).ok_or_else(|| {
        let known = quoted(&BuiltIn::ALL.map(|set| set.name().to_string()));
        DataError::UnknownDemo { name: name.into(), known }
    })?;
    set.open(options.data.color, options.threads)
}

/// Checks that rows and classes are those of the model.
fn check_known(source: &str, data: &Dataset, known: &Known) -> Result<()> {
    let path = source.to_string();
    if data.input != known.preprocessing.input {
        let (expected, got) = (known.preprocessing.input.words(), data.input.words());
        return Err(DataError::OtherInput { path, expected, got });
    }
    if data.classes != known.classes {
        let (expected, got) = (quoted(&known.classes), quoted(&data.classes));
        return Err(DataError::OtherClasses { path, expected, got });
    }
    Ok(())
}

/// Samples as a source gives them, before a validation part is cut off.
struct Samples {
    rows: MemoryRows,
    input: Input,
    targets: Vec<u32>,
    classes: Vec<String>,
    parts: Vec<Part>,
    names: Vec<String>,
    skipped: Vec<Skipped>,
    left_out: LeftOut,
}

impl Samples {
    /// Cuts a validation part off where there is none.
    fn cut(self, options: &OpenOptions) -> Result<Dataset> {
        let (rows, most) = (self.targets.len(), record::LINES);
        if rows > most {
            return Err(DataError::TooManyRows { rows, most });
        }
        let rows_of = |part| -> Vec<u32> {
            let rows = self.parts.iter().enumerate().filter(|(_, p)| **p == part);
            rows.map(|(row, _)| row as u32).collect()
        };
        let (train, val, test) = (rows_of(Part::Train), rows_of(Part::Val), rows_of(Part::Test));
        let cuts = val.is_empty();
        if options.known.is_none() {
            check_classes(&self.classes, &self.targets, &train, cuts)?;
        }
        let (train, val) = if cuts {
            let DataConfig { val_fraction, split_seed, .. } = options.data;
            split::cut(&self.targets, &train, self.classes.len(), val_fraction, split_seed)
        } else {
            (train, val)
        };
        Ok(Dataset {
            hashes: hashes(&self.rows)?,
            rows: Arc::new(self.rows),
            targets: self.targets,
            classes: self.classes,
            input: self.input,
            parts: Parts { train, val, test },
            names: self.names,
            skipped: self.skipped,
            left_out: self.left_out,
        })
    }
}

/// How many of `rows` are of each class.
fn count(targets: &[u32], rows: &[u32], classes: usize) -> Vec<usize> {
    let mut counts = vec![0; classes];
    for &row in rows {
        counts[targets[row as usize] as usize] += 1;
    }
    counts
}

/// Checks that there are at least two classes, each with enough samples to train on.
fn check_classes(classes: &[String], targets: &[u32], train: &[u32], cuts: bool) -> Result<()> {
    if let [class] = classes {
        return Err(DataError::OneClass { class: class.clone() });
    }
    for (class, n) in classes.iter().cloned().zip(count(targets, train, classes.len())) {
        match n {
            0 => return Err(DataError::EmptyClass { class }),
            1 if cuts => return Err(DataError::OneSample { class }),
            _ => {}
        }
    }
    Ok(())
}

/// XXH3-128 of each row's stored input.
fn hashes(rows: &MemoryRows) -> Result<Vec<u128>> {
    let mut bytes = vec![0; rows.fields()[Field::X.0].bytes()];
    let hash = |row| {
        rows.gather(Field::X, &[row], &mut bytes)?;
        Ok(XxHash3_128::oneshot(&bytes))
    };
    (0..rows.len() as u32).map(hash).collect()
}

/// The classes that a network knows, and whether one of them is this class in another form of
/// writing.
fn known_classes(class: &str, classes: &[String]) -> String {
    match classes.iter().find(|known| names::differ_in_form(class, known)) {
        None => quoted(classes),
        Some(same) => format!(
            "{}; `{same}` is written with other Unicode characters: rename one folder as the other",
            quoted(classes)
        ),
    }
}

/// "`cat`, `dog`".
fn quoted<S: AsRef<str>>(names: &[S]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{}`", name.as_ref())).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::{fixtures::*, *};

    #[test]
    fn the_kind_is_known_from_names() {
        let pictures = folder(&[("cat/1.jpg", "")]);
        let idx = folder(&[("t10k-images-idx3-ubyte.gz", "")]);
        let kind = |folder: &tempfile::TempDir| kind_of(folder.path().to_str().unwrap()).unwrap();
        assert_eq!((kind(&pictures), kind(&idx)), (SourceKind::Pictures, SourceKind::Idx));
        assert_eq!(kind_of("demo:spirals").unwrap(), SourceKind::Demo);
    }

    #[test]
    fn what_is_no_data_says_so() {
        let folder = folder(&[("a.csv", ""), ("b.npz", ""), ("c.jpg", "")]);
        let complaint = |name: &str| {
            let path = folder.path().join(name);
            kind_of(path.to_str().unwrap()).unwrap_err().to_string()
        };
        assert!(complaint("none").starts_with("there is nothing at"));
        assert!(complaint("none.csv").starts_with("there is nothing at"));
        assert!(complaint("a.csv").contains("tables are not read yet"));
        assert!(complaint("b.npz").contains("tables are not read yet"));
        assert!(complaint("c.jpg").contains("is a file: data is a folder"));
    }

    #[test]
    fn classes_need_two_samples_each_and_company() {
        let one_class = complaint(&classes(&["cat"], 5), &options(4));
        assert!(one_class.starts_with("`cat` is the only class"), "{one_class}");
        let folder = classes(&["cat", "dog"], 1);
        let one_sample = complaint(&folder, &options(4));
        assert!(one_sample.starts_with("class `cat` has one sample"), "{one_sample}");
        let apart = OpenOptions { val: Some(folder.path().into()), ..options(4) };
        let data = opened(&folder, &apart).unwrap();
        assert_eq!((data.parts.train, data.parts.val), (vec![0, 1], vec![2, 3]));
        fs_err::create_dir(folder.path().join("bird")).unwrap();
        assert_eq!(opened(&folder, &apart).unwrap().classes, ["cat", "dog"]);
        fs_err::remove_dir_all(folder.path().join("cat")).unwrap();
        let empty = complaint(&folder, &options(4));
        assert!(empty.starts_with("class `bird` has no picture"), "{empty}");
    }

    #[test]
    fn parts_given_apart_are_of_the_same_kind() {
        let (data, idx) = (classes(&["a", "b"], 3), folder(&[("t10k-images-idx3-ubyte", "")]));
        let with = |path: &Path| OpenOptions { test: Some(path.into()), ..options(4) };
        let message = complaint(&data, &with(idx.path()));
        assert!(message.ends_with("is a folder of IDX files, the data is a folder of pictures: both must be the same kind"), "{message}");
        let message = complaint(&data, &with(Path::new("/nowhere")));
        assert_eq!(message, "there is nothing at `/nowhere`");
    }

    #[test]
    fn a_model_of_other_rows_or_classes_is_named() {
        let data = opened(&classes(&["cat", "dog"], 3), &options(4)).unwrap();
        let preprocessing = Preprocessing {
            input: data.input.clone(),
            fit: crate::settings::Fit::Squash,
            mean: vec![0.0],
            std: vec![1.0],
        };
        let mut known = Known { classes: data.classes.clone(), preprocessing };
        assert!(check_known("demo:x", &data, &known).is_ok());
        known.classes.push("cow".into());
        let message = check_known("demo:x", &data, &known).unwrap_err().to_string();
        let words = "`demo:x` has the classes `cat`, `dog`, the model knows `cat`, `dog`, `cow`";
        assert_eq!(message, words);
        known.preprocessing.input = Input::Columns(vec!["x".into(), "y".into()]);
        let message = check_known("demo:x", &data, &known).unwrap_err().to_string();
        assert_eq!(
            message,
            "`demo:x` has pictures of 4x4 grey pixels, the model expects 2 columns"
        );
    }

    #[test]
    fn samples_are_counted_by_class_and_part() {
        let folder = classes(&["train/a", "train/b", "test/b"], 10);
        let data = opened(&folder, &options(4)).unwrap();
        let count =
            |class: &str, train, val, test| ClassCount { class: class.into(), train, val, test };
        assert_eq!(data.counts(), [count("a", 8, 2, 0), count("b", 8, 2, 10)]);
        let parts = data.part_of_rows();
        assert_eq!(parts.iter().filter(|p| **p == Part::Val).count(), 4);
        assert_eq!(parts[29], Part::Test);
    }

    #[test]
    fn the_cut_follows_its_own_seed() {
        let folder = classes(&["a", "b"], 30);
        let mut options = options(4);
        let first = opened(&folder, &options).unwrap().parts;
        assert_eq!(first, opened(&folder, &options).unwrap().parts);
        options.data.split_seed = 1;
        assert_ne!(first, opened(&folder, &options).unwrap().parts);
    }
}
