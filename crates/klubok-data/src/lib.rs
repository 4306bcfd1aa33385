//! Turns a user's files into rows, splits and classes.
//!
//! DATA is a folder of class folders, optionally below `train/ val/ test/`, a folder of IDX files,
//! a [`table`], or `demo:NAME` for a built-in set. Everything is read once and kept as bytes. A
//! program makes a data set of its own [`Arrays`].

mod arrays;
pub mod builtin;
mod class_check;
pub mod components;
mod contents;
mod error;
mod fingerprint;
mod fit;
#[cfg(test)]
mod fixtures;
pub mod grid;
mod idx;
mod idx_files;
mod layout;
mod left_out;
mod limit;
mod list;
mod names;
pub mod part;
mod pictures;
pub mod preprocess;
mod record;
mod samples;
pub mod settings;
mod sizes;
mod split;
mod subsample;
pub mod survey;
pub mod symmetric;
pub mod table;
mod table_samples;
mod targets;
mod tree;
pub mod typical;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use klubok_model::{Input, Preprocessing};
use klubok_nn::{network::OutputKind, rows::Rows};
use serde::Serialize;
use twox_hash::XxHash3_128;

pub use self::{
    arrays::Arrays,
    error::{DataError, Readings, Result},
    fingerprint::{Fingerprint, fingerprint, identity},
    fit::{PADDING, picture_from_bytes, read_picture},
    left_out::LeftOut,
    names::{display_name, is_system_folder, looks_like_picture},
    record::{SplitRow, difference, parse_split, read_split, split_rows, write_split},
    sizes::{Sizes, picture_sizes},
    subsample::subsample,
    table_samples::{table_inputs, table_target},
    targets::Targets,
};
use self::{builtin::BuiltIn, samples::Samples, targets::WithTargets};
pub use crate::part::Part;
use crate::settings::DataConfig;

/// A data set ready for training: the rows and their split into training, validation and test set.
#[derive(Clone)]
pub struct Dataset {
    /// All samples.
    pub rows: Arc<dyn Rows>,
    /// The target of each row.
    pub targets: Targets,
    /// Names of the outputs, in order: classes, labels or numbers.
    pub outputs: Vec<String>,
    /// The target columns of a table.
    pub columns: Vec<String>,
    /// Weight of each row; none if all weigh 1.
    pub weights: Option<Vec<f32>>,
    /// The kind and shape of a row.
    pub input: Input,
    /// The rows of the training, validation and test set.
    pub parts: Parts,
    /// Origin of each row: the file's path below the data folder with `/` between the names (below
    /// `--val PATH`: `val/` and that path), or the split and the row's index in it, as in
    /// `train/17`.
    pub names: Vec<String>,
    /// Hash of each row's stored input (XXH3, 128 bits). Identifies samples across runs and splits.
    pub hashes: Vec<u128>,
    /// Unreadable files.
    pub skipped: Vec<Skipped>,
    /// Ignored files and folders.
    pub left_out: LeftOut,
}

/// Row indices of the training, validation and test set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parts {
    /// Training set.
    pub train: Vec<u32>,
    /// Validation set: chooses the best epoch.
    pub val: Vec<u32>,
    /// Test set: training never reads it.
    pub test: Vec<u32>,
}

/// An unreadable file that was skipped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// The file's path below the data folder.
    pub name: String,
    /// The error message.
    pub reason: String,
}

/// Sample counts of one output: of a class, with a label, or with a number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClassCount {
    /// Name of the output.
    pub class: String,
    /// Training samples.
    pub train: usize,
    /// Validation samples.
    pub val: usize,
    /// Test samples.
    pub test: usize,
}

impl Dataset {
    /// Counts the samples of each output in each split, in order.
    pub fn counts(&self) -> Vec<ClassCount> {
        let count = |part: &[u32]| count(&self.targets, part, self.outputs.len());
        let Parts { train, val, test } = &self.parts;
        let (train, val, test) = (count(train), count(val), count(test));
        let class = |(i, class): (usize, &String)| ClassCount {
            class: class.clone(),
            train: train[i],
            val: val[i],
            test: test[i],
        };
        self.outputs.iter().enumerate().map(class).collect()
    }

    /// Counts `rows` per output, in order: those of a class, with a label, or with a number.
    pub fn output_counts(&self, rows: &[u32]) -> Vec<u64> {
        count(&self.targets, rows, self.outputs.len()).into_iter().map(|n| n as u64).collect()
    }

    /// Sums the weights of `rows` per output, as [`Dataset::output_counts`] counts them, and of
    /// all.
    pub fn weighted_counts(&self, rows: &[u32]) -> (Vec<f64>, f64) {
        let weight =
            |row: u32| self.weights.as_ref().map_or(1.0, |all| f64::from(all[row as usize]));
        let sums = sums(&self.targets, rows, self.outputs.len(), weight);
        (sums, rows.iter().map(|&row| weight(row)).sum())
    }

    /// Counts `rows` per class; empty for targets that are not classes.
    pub fn class_counts(&self, rows: &[u32]) -> Vec<u64> {
        self.targets.classes().map_or_else(Vec::new, |_| self.output_counts(rows))
    }

    /// Returns the class of some rows; 0 for targets that are not classes.
    pub fn classes_of(&self, rows: &[u32]) -> Vec<u32> {
        rows.iter().map(|&row| self.targets.class(row)).collect()
    }

    /// Returns the rows as a network learns them: numbers in its units, all else as it is.
    pub fn rows_for(&self, preprocessing: &Preprocessing) -> Arc<dyn Rows> {
        match self.targets.kind() {
            OutputKind::Classes | OutputKind::Labels => self.rows.clone(),
            OutputKind::Numbers => {
                let scaled = self.targets.clone().scaled(preprocessing);
                let rows = self.rows.clone();
                Arc::new(WithTargets::new(rows, scaled.values(), self.outputs.len()))
            }
        }
    }

    /// Writes the target of a row for people and for `split.csv`: `cat`, `4.526`, `ring+bar`.
    pub fn target_text(&self, row: u32) -> String {
        let outputs = self.outputs.len();
        let values = || self.targets.values()[row as usize * outputs..][..outputs].iter();
        match &self.targets {
            Targets::Classes(of) => self.outputs[of[row as usize] as usize].clone(),
            Targets::Numbers(_) => values().map(f32::to_string).collect::<Vec<_>>().join("+"),
            Targets::Labels(_) => {
                let named = self.outputs.iter().zip(values()).filter(|(_, value)| **value > 0.5);
                named.map(|(name, _)| name.as_str()).collect::<Vec<_>>().join("+")
            }
        }
    }

    /// Identifies the training and validation samples, their targets, weights and order: XXH3 (128
    /// bits, hexadecimal).
    pub fn identity(&self) -> String {
        let mut hasher = XxHash3_128::new();
        for part in [&self.parts.train, &self.parts.val] {
            hasher.write(&part.len().to_le_bytes());
            for &row in part {
                let (target, i) = (self.target_text(row), row as usize);
                let weight = self.weights.as_ref().map_or(1.0, |weights| weights[i]);
                hasher.write(&self.hashes[i].to_le_bytes());
                hasher.write(&target.len().to_le_bytes());
                hasher.write(target.as_bytes());
                hasher.write(&weight.to_le_bytes());
            }
        }
        format!("{:032x}", hasher.finish_128())
    }

    /// Returns the split of each row.
    pub fn part_of_rows(&self) -> Vec<Part> {
        let mut parts = vec![Part::Train; self.rows.len()];
        self.parts.val.iter().for_each(|&row| parts[row as usize] = Part::Val);
        self.parts.test.iter().for_each(|&row| parts[row as usize] = Part::Test);
        parts
    }
}

/// The form of a data source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceKind {
    /// A folder of class folders.
    Pictures,
    /// A folder of IDX files.
    Idx,
    /// A file with columns of numbers.
    Table,
    /// A built-in set.
    Demo,
}

impl SourceKind {
    fn describe(self) -> &'static str {
        match self {
            SourceKind::Pictures => "a folder of pictures",
            SourceKind::Idx => "a folder of IDX files",
            SourceKind::Table => "a table",
            SourceKind::Demo => "a built-in set",
        }
    }
}

/// Options for opening a data set.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// Picture size, colours, fit and the validation split.
    pub data: DataConfig,
    /// A separate validation set of the same kind as the data. It replaces the data's own. If its
    /// folder is split, its `val` is used, else its `train` (IDX: its `t10k`, else its `train`).
    pub val: Option<PathBuf>,
    /// A separate test set, likewise.
    pub test: Option<PathBuf>,
    /// Makes any unreadable picture an error. Otherwise only more than 5 % is one.
    pub strict: bool,
    /// Reader threads. The result does not depend on their number.
    pub threads: usize,
    /// The trained model that will use the data, if any. Its classes and input shape apply, a class
    /// may have any number of samples, and the training set may be missing.
    pub known: Option<KnownModel>,
}

/// The outputs and input of a trained model.
#[derive(Debug, Clone)]
pub struct KnownModel {
    /// Names of the outputs.
    pub outputs: Vec<String>,
    /// What they mean.
    pub kind: OutputKind,
    /// Its preprocessing. Overrides size, colours and fit of [`OpenOptions::data`].
    pub preprocessing: Preprocessing,
}

impl OpenOptions {
    /// Options for training: one thread, and unreadable pictures may be skipped.
    pub fn new(data: DataConfig) -> Self {
        Self { data, val: None, test: None, strict: false, threads: 1, known: None }
    }

    /// The separately given splits.
    fn separate(&self) -> impl Iterator<Item = (Part, &Path)> {
        let parts = [(Part::Val, &self.val), (Part::Test, &self.test)];
        parts.into_iter().filter_map(|(part, path)| Some((part, path.as_deref()?)))
    }
}

/// Progress callback `(done, total)` in files. Any reader thread may call it.
pub type Progress<'a> = &'a (dyn Fn(usize, usize) + Sync);

/// Detects the form of the data from names alone.
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
    match ending.as_str() {
        _ if !source.exists() => Err(DataError::Missing { path }),
        "csv" | "tsv" => Ok(SourceKind::Table),
        "parquet" | "npz" | "xlsx" => Err(DataError::Table { path }),
        _ => Err(DataError::NotAFolder { path }),
    }
}

/// Reads and splits a data set. Cuts a validation set off the training set if there is none.
///
/// The result depends only on the data, `options.data` and `options.known`.
///
/// # Errors
/// Every [`DataError`] except those about values or records; `Io` when a folder cannot be read.
pub fn open(source: &str, options: &OpenOptions, progress: Progress<'_>) -> Result<Dataset> {
    let kind = kind_of(source)?;
    for (part, path) in options.separate() {
        let got = kind_of_path(path)?;
        if got != kind {
            let (part, path) = (part.name(), path.display().to_string());
            let (expected, got) = (kind.describe(), got.describe());
            return Err(DataError::KindMismatch { part, path, expected, got });
        }
    }
    let samples = match kind {
        SourceKind::Pictures => pictures::open(source.as_ref(), options, progress)?,
        SourceKind::Idx => idx::open(source.as_ref(), options, progress)?,
        SourceKind::Table => table_samples::open(source.as_ref(), options, progress)?,
        SourceKind::Demo => open_demo(source, options)?,
    };
    let data = samples.into_dataset(&options.data, options.known.is_some())?;
    match &options.known {
        Some(known) => check_known(source, &data, known).map(|()| data),
        None if options.data.limit > 0 => limit::limited(data, &options.data),
        None => Ok(data),
    }
}

/// Opens a built-in set.
fn open_demo(source: &str, options: &OpenOptions) -> Result<Samples> {
    let name = source.trim_start_matches("demo:");
    let set = BuiltIn::from_name(name).ok_or_else(|| {
        let known = quoted(&BuiltIn::ALL.map(|set| set.name().to_string()));
        DataError::UnknownDemo { name: name.into(), known }
    })?;
    set.samples(options.data.color, options.threads)
}

/// Checks that input and classes match the model.
fn check_known(source: &str, data: &Dataset, known: &KnownModel) -> Result<()> {
    let path = source.to_string();
    if data.input != known.preprocessing.input {
        let (expected, got) = (known.preprocessing.input.describe(), data.input.describe());
        return Err(DataError::InputMismatch { path, expected, got });
    }
    if data.outputs != known.outputs {
        let (expected, got) = (quoted(&known.outputs), quoted(&data.outputs));
        return Err(DataError::ClassMismatch { path, expected, got });
    }
    Ok(())
}

/// Counts `rows` per output: those of a class, with a label, or with a number.
fn count(targets: &Targets, rows: &[u32], outputs: usize) -> Vec<usize> {
    sums(targets, rows, outputs, |_| 1.0).into_iter().map(|n| n as usize).collect()
}

/// Sums the weights of `rows` per output, likewise.
fn sums(targets: &Targets, rows: &[u32], outputs: usize, weight: impl Fn(u32) -> f64) -> Vec<f64> {
    let mut sums = vec![0.0; outputs];
    for &row in rows {
        let weight = weight(row);
        match targets {
            Targets::Classes(of) => sums[of[row as usize] as usize] += weight,
            Targets::Numbers(_) => sums.iter_mut().for_each(|sum| *sum += weight),
            Targets::Labels(values) => {
                let labels = &values[row as usize * outputs..][..outputs];
                let has = |label: &f32| if *label > 0.5 { weight } else { 0.0 };
                sums.iter_mut().zip(labels).for_each(|(sum, label)| *sum += has(label));
            }
        }
    }
    sums
}

/// Lists the network's classes. Adds a hint if one of them is this class in another Unicode form.
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
    fn detects_the_kind_from_names() {
        let pictures = folder(&[("cat/1.jpg", "")]);
        let idx = folder(&[("t10k-images-idx3-ubyte.gz", "")]);
        let kind = |folder: &tempfile::TempDir| kind_of(folder.path().to_str().unwrap()).unwrap();
        assert_eq!((kind(&pictures), kind(&idx)), (SourceKind::Pictures, SourceKind::Idx));
        assert_eq!(kind_of("demo:spirals").unwrap(), SourceKind::Demo);
    }

    #[test]
    fn other_paths_are_explained() {
        let folder = folder(&[("a.csv", ""), ("b.npz", ""), ("c.jpg", "")]);
        let error_message = |name: &str| {
            let path = folder.path().join(name);
            kind_of(path.to_str().unwrap()).unwrap_err().to_string()
        };
        assert!(error_message("none").starts_with("there is nothing at"));
        assert!(error_message("none.csv").starts_with("there is nothing at"));
        assert!(
            kind_of(folder.path().join("a.csv").to_str().unwrap())
                .is_ok_and(|kind| kind == SourceKind::Table)
        );
        assert!(error_message("b.npz").contains("only .csv and .tsv tables are read"));
        assert!(error_message("c.jpg").contains("is a file: data is a folder"));
    }

    #[test]
    fn training_needs_two_classes_with_two_samples_each() {
        let one_class = error_message(&classes(&["cat"], 5), &options(4));
        assert!(one_class.starts_with("`cat` is the only class"), "{one_class}");
        let folder = classes(&["cat", "dog"], 1);
        let one_sample = error_message(&folder, &options(4));
        assert!(one_sample.starts_with("class `cat` has one sample"), "{one_sample}");
        let with_val = OpenOptions { val: Some(folder.path().into()), ..options(4) };
        let data = open_folder(&folder, &with_val).unwrap();
        assert_eq!((data.parts.train, data.parts.val), (vec![0, 1], vec![2, 3]));
        fs_err::create_dir(folder.path().join("bird")).unwrap();
        assert_eq!(open_folder(&folder, &with_val).unwrap().outputs, ["cat", "dog"]);
        fs_err::remove_dir_all(folder.path().join("cat")).unwrap();
        let empty = error_message(&folder, &options(4));
        assert!(empty.starts_with("class `bird` has no picture"), "{empty}");
    }

    #[test]
    fn separate_splits_must_be_of_the_same_kind() {
        let (data, idx) = (classes(&["a", "b"], 3), folder(&[("t10k-images-idx3-ubyte", "")]));
        let with = |path: &Path| OpenOptions { test: Some(path.into()), ..options(4) };
        let message = error_message(&data, &with(idx.path()));
        assert!(message.ends_with("is a folder of IDX files, the data is a folder of pictures: both must be the same kind"), "{message}");
        let message = error_message(&data, &with(Path::new("/nowhere")));
        assert_eq!(message, "there is nothing at `/nowhere`");
    }

    #[test]
    fn rejects_data_of_another_shape_or_other_classes() {
        let data = open_folder(&classes(&["cat", "dog"], 3), &options(4)).unwrap();
        let preprocessing = Preprocessing {
            input: data.input.clone(),
            fit: klubok_model::Fit::Squash,
            mean: vec![0.0],
            std: vec![1.0],
            target: None,
        };
        let (outputs, kind) = (data.outputs.clone(), OutputKind::Classes);
        let mut known = KnownModel { outputs, kind, preprocessing };
        assert!(check_known("demo:x", &data, &known).is_ok());
        known.outputs.push("cow".into());
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
    fn counts_samples_by_class_and_split() {
        let folder = classes(&["train/a", "train/b", "test/b"], 10);
        let data = open_folder(&folder, &options(4)).unwrap();
        let count =
            |class: &str, train, val, test| ClassCount { class: class.into(), train, val, test };
        assert_eq!(data.counts(), [count("a", 8, 2, 0), count("b", 8, 2, 10)]);
        let parts = data.part_of_rows();
        assert_eq!(parts.iter().filter(|p| **p == Part::Val).count(), 4);
        assert_eq!(parts[29], Part::Test);
    }

    #[test]
    fn the_validation_split_follows_its_own_seed() {
        let folder = classes(&["a", "b"], 30);
        let mut options = options(4);
        let first = open_folder(&folder, &options).unwrap().parts;
        assert_eq!(first, open_folder(&folder, &options).unwrap().parts);
        options.data.split_seed = 1;
        assert_ne!(first, open_folder(&folder, &options).unwrap().parts);
    }
}
