//! Errors about unusable data.

use klubok_nn::error::{PlanError, format_bytes};

use super::{Part, table::error::TableError};

/// Result of this crate.
pub type Result<T, E = DataError> = std::result::Result<T, E>;

/// The possible readings of folders with the same subfolders.
#[derive(Debug)]
pub struct Readings {
    /// Path of the first folder, which may be the data.
    pub first: String,
    /// The folder to pass if the folders are classes after all.
    pub data: String,
    /// The `data.layout` to pass with it.
    pub layout: &'static str,
}

/// Unusable data.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    // === Paths and kinds ===
    /// The path does not exist.
    #[error("there is nothing at `{path}`")]
    Missing {
        /// The path.
        path: String,
    },
    /// A file where a folder is expected.
    #[error(
        "`{path}` is a file: data is a folder of class folders, a folder of IDX files, a table (.csv or \
         .tsv) or `demo:NAME`"
    )]
    NotAFolder {
        /// The path.
        path: String,
    },
    /// A table of a format that is not read.
    #[error("`{path}` is a table, and only .csv and .tsv tables are read: save it as one of these")]
    Table {
        /// The path.
        path: String,
    },
    /// A table without a target.
    #[error("`{path}` has no target: name the column to predict, its columns are {columns}")]
    NoTargetColumn {
        /// The path.
        path: String,
        /// The first names of its columns, in backticks.
        columns: String,
    },
    /// Unknown built-in set.
    #[error("there is no built-in set `{name}`, there is {known}")]
    UnknownDemo {
        /// The name after `demo:`.
        name: String,
        /// The known names, in backticks.
        known: String,
    },
    // === Arrays ===
    /// An array of another size than the others.
    #[error("there are {got} {what}, and {expected} are expected")]
    Sizes {
        /// The array.
        what: &'static str,
        /// Expected number of values.
        expected: usize,
        /// Number of values.
        got: usize,
    },
    /// Samples without targets.
    #[error("there are no targets: classes, numbers or labels are expected")]
    NoTargets,
    /// A label that is neither present nor absent.
    #[error("row {row} has {value} as label `{label}`: it must be 1 or 0")]
    Label {
        /// Row index, from 0.
        row: u32,
        /// Name of the label.
        label: String,
        /// The value.
        value: f32,
    },
    /// A weight that is none.
    #[error(
        "row {row} has the weight {value}: weights are finite and at least 0, and not all are 0"
    )]
    Weight {
        /// Row index, from 0.
        row: u32,
        /// The weight.
        value: f32,
    },
    /// Samples that differ in kind from those of the training, or from what a model expects.
    #[error("the samples have {got}, and {expected} are expected")]
    PartMismatch {
        /// What the training set holds.
        expected: String,
        /// What the validation set holds.
        got: String,
    },
    /// Too few training rows.
    #[error("there are {rows} rows to learn from: at least two are needed")]
    FewRows {
        /// Number of rows.
        rows: usize,
    },
    /// A number or label that is the same in all training rows.
    #[error("the target `{target}` is {value} in every row: there is nothing to learn")]
    ConstantTarget {
        /// Name of the target.
        target: String,
        /// Its value.
        value: f32,
    },
    /// A separately given split of another kind than the data.
    #[error(
        "the {part} part `{path}` is {got}, the data is {expected}: both must be the same kind"
    )]
    KindMismatch {
        /// `val` or `test`.
        part: &'static str,
        /// The path.
        path: String,
        /// Kind of the data.
        expected: &'static str,
        /// Kind of the split.
        got: &'static str,
    },
    /// The rows do not have the model's input shape.
    #[error("`{path}` has {got}, the model expects {expected}")]
    InputMismatch {
        /// The data.
        path: String,
        /// Input of the model.
        expected: String,
        /// Input in the data.
        got: String,
    },
    /// The classes of a built-in set differ from the model's.
    #[error("`{path}` has the classes {got}, the model knows {expected}")]
    ClassMismatch {
        /// The data.
        path: String,
        /// The model's classes, in backticks.
        expected: String,
        /// The data's classes, in backticks.
        got: String,
    },

    // === Classes and splits ===
    /// A folder without class folders.
    #[error(
        "`{path}` has no class folders: the pictures of each class go into a folder of their own, \
         such as `cat` and `dog`{found}"
    )]
    NoClasses {
        /// The path.
        path: String,
        /// The other files found, as `; ...`, or empty.
        found: String,
    },
    /// Class folders without any picture.
    #[error(
        "the class folders of `{path}` hold no pictures: JPEG, PNG, BMP, GIF, WebP and TIFF are read{found}"
    )]
    NoPictures {
        /// The path.
        path: String,
        /// The other files found, as `; ...`, or empty.
        found: String,
    },
    /// A split folder without a training set.
    #[error("`{path}` has no `train` part, only {found}")]
    NoTrainPart {
        /// The path.
        path: String,
        /// The splits found, in backticks.
        found: String,
        /// True if at least two folders hold pictures. They may be classes.
        several: bool,
    },
    /// Two folders for the same split.
    #[error("`{path}` has two folders for the same part, `{first}` and `{second}`: one must go")]
    DuplicatePart {
        /// The path.
        path: String,
        /// One folder.
        first: String,
        /// The other folder.
        second: String,
        /// The split.
        part: Part,
    },
    /// Folders that may be splits or classes.
    #[error(
        "the folders of `{path}` can be read in two ways: {parts} as parts, without {others}, or all of them as classes"
    )]
    AmbiguousLayout {
        /// The path.
        path: String,
        /// The folders named like splits, in backticks.
        parts: String,
        /// The other folders, in backticks.
        others: String,
        /// True if one of them is a training set with class folders. Then they can be read as
        /// splits.
        has_train: bool,
    },
    /// Folders with the same subfolders and without split names.
    #[error(
        "the folders {folders} of `{path}` all hold the same folders, such as {inside}: they look like parts, copies or \
         kinds of the same data, not like classes"
    )]
    SameSubfolders {
        /// The parent folder.
        path: String,
        /// Their names, in backticks.
        folders: String,
        /// Their subfolders, in backticks.
        inside: String,
        /// How to read the folders.
        readings: Box<Readings>,
    },
    /// Folders beside the classes that are named like something other than data.
    #[error(
        "`{path}` has {others} beside its class folders: by their names they hold something else, and they may be \
         classes too"
    )]
    NonDataFolders {
        /// The parent folder.
        path: String,
        /// Their names, in backticks.
        others: String,
        /// The folder to pass if they are classes.
        data: String,
        /// The `data.layout` to pass with it.
        layout: &'static str,
    },
    /// A folder with class folders beside one without.
    #[error(
        "`{class}` holds {inside}, and {beside} beside it holds pictures only: either the classes lie in `{class}`, or \
         the folders of `{path}` are the classes"
    )]
    UnevenDepth {
        /// The parent folder.
        path: String,
        /// The folder with subfolders.
        class: String,
        /// The subfolders, in backticks.
        inside: String,
        /// The folder without subfolders, in backticks.
        beside: String,
    },
    /// Folders that differ only in a number.
    #[error(
        "the folders {folders} of `{path}` differ in nothing but their numbers: they look like pieces of one thing, not like classes"
    )]
    NumberedFolders {
        /// The parent folder.
        path: String,
        /// Their names, in backticks.
        folders: String,
    },
    /// Splits inside a presumed class folder.
    #[error(
        "`{class}` holds {parts}, as if it were divided into parts: either the classes lie below them, or the folders of \
         `{path}` are the classes"
    )]
    PartsInClass {
        /// The parent folder.
        path: String,
        /// The folder with the splits.
        class: String,
        /// The splits, in backticks.
        parts: String,
        /// True if the training set among them has class folders.
        has_train: bool,
    },
    /// Folders nested too deep.
    #[error("`{path}` lies more than {most} folders deep, deeper than data is looked for")]
    TooDeep {
        /// The folder.
        path: String,
        /// Maximum depth.
        most: usize,
    },
    /// Too many files or links to list.
    #[error("`{path}` holds more files, or more links to folders, than can be listed")]
    TooManyFiles {
        /// The folder.
        path: String,
    },
    /// A class without a readable picture.
    #[error(
        "class `{class}` has no picture that can be read: JPEG, PNG, BMP, GIF, WebP and TIFF can"
    )]
    EmptyClass {
        /// Name of the class.
        class: String,
    },
    /// A class with a single sample. It cannot be split.
    #[error(
        "class `{class}` has one sample: at least two are needed, one for training and one for \
         validation"
    )]
    OneSample {
        /// Name of the class.
        class: String,
    },
    /// Only one class.
    #[error("`{class}` is the only class: at least two are needed to learn a difference")]
    OneClass {
        /// Name of the class.
        class: String,
    },
    /// A class that is not among the trained ones.
    #[error("`{path}` is a class `{class}`, and the network knows only {known}")]
    UnknownClass {
        /// The class folder.
        path: String,
        /// Name of the class.
        class: String,
        /// The known classes, in backticks.
        known: String,
    },

    // === Pictures ===
    /// An unreadable picture.
    #[error("`{name}` cannot be read: {reason}")]
    Unreadable {
        /// The file.
        name: String,
        /// Why.
        reason: String,
    },
    /// Too many unreadable pictures.
    #[error(
        "{skipped} of {total} pictures cannot be read, more than 5 %; the first is `{name}`: {reason}"
    )]
    TooManyUnreadable {
        /// Number of unreadable pictures.
        skipped: usize,
        /// Number of all pictures.
        total: usize,
        /// The first unreadable file.
        name: String,
        /// Why.
        reason: String,
    },
    /// A split whose pictures are all unreadable.
    #[error("none of the pictures of the part `{}` can be read; the first is `{name}`: {reason}", part.name())]
    PartUnreadable {
        /// The split.
        part: Part,
        /// The first unreadable file.
        name: String,
        /// Why.
        reason: String,
    },
    /// Too many rows for `split.csv`.
    #[error("there are {rows} rows, and a run has {most} at most")]
    TooManyRows {
        /// Number of rows.
        rows: usize,
        /// Maximum number of rows.
        most: usize,
    },
    /// The rows do not fit into memory.
    #[error(
        "{rows} rows need {} of memory, which cannot be had: a smaller `data.size` needs less",
        format_bytes(*needed)
    )]
    Memory {
        /// Number of rows.
        rows: usize,
        /// Required bytes for all rows.
        needed: u64,
    },

    // === IDX ===
    /// A label outside the training labels.
    #[error("there is a label {label} in `{file}`, and the network knows only {known}")]
    IdxLabel {
        /// The file.
        file: String,
        /// The label.
        label: u8,
        /// The known labels, in backticks.
        known: String,
    },
    /// An unsupported value type.
    #[error("`{file}` holds {what} as {got}, and only bytes (0 to 255) are read")]
    IdxType {
        /// The file.
        file: String,
        /// `pictures` or `labels`.
        what: &'static str,
        /// The type of the values.
        got: &'static str,
    },
    /// Not an IDX file.
    #[error("`{file}` is no IDX file but {is}")]
    IdxForeign {
        /// The file.
        file: String,
        /// What it is.
        is: &'static str,
    },
    /// The values do not fit into memory.
    #[error("`{file}` holds {} of values, more memory than can be had", format_bytes(*needed))]
    IdxMemory {
        /// The file.
        file: String,
        /// Required bytes for the values.
        needed: u64,
    },
    /// Too many tiny pictures.
    #[error(
        "`{file}` holds {pictures} pictures of {pixels} pixels: so many are read only of larger ones"
    )]
    IdxMany {
        /// The file.
        file: String,
        /// Pictures in this and the preceding files.
        pictures: usize,
        /// Pixels per picture.
        pixels: usize,
    },
    /// A missing picture or label file.
    #[error("`{path}` has no `{file}` (or `{file}.gz`)")]
    IdxMissing {
        /// The folder.
        path: String,
        /// The file that is missing.
        file: String,
    },
    /// A wrong magic number.
    #[error("`{file}` begins with {got:#010x}, an IDX file of {what} begins with {expected:#010x}")]
    IdxMagic {
        /// The file.
        file: String,
        /// `pictures` or `labels`.
        what: &'static str,
        /// The expected magic number.
        expected: u32,
        /// The actual magic number.
        got: u32,
    },
    /// The file is shorter than its header announces.
    #[error("`{file}` ends after {got} bytes, its header announces {expected}")]
    IdxShort {
        /// The file.
        file: String,
        /// Announced bytes, unpacked, header included.
        expected: u128,
        /// Actual bytes, unpacked.
        got: usize,
    },
    /// The file is longer than its header announces.
    #[error("`{file}` goes on after the {expected} bytes that its header announces")]
    IdxLong {
        /// The file.
        file: String,
        /// Announced bytes, unpacked, header included.
        expected: u128,
    },
    /// A damaged gzip file.
    #[error("`{file}` cannot be unpacked: {reason}")]
    IdxDamaged {
        /// The file.
        file: String,
        /// Why.
        reason: String,
    },
    /// The numbers of pictures and labels differ.
    #[error("`{file}` has {pictures} pictures, but there are {labels} labels for them")]
    IdxCounts {
        /// The file of pictures.
        file: String,
        /// Number of pictures.
        pictures: usize,
        /// Number of labels.
        labels: usize,
    },
    /// No pictures, or pictures without pixels.
    #[error("`{file}` holds {count} pictures of {width}x{height} pixels: there is nothing in it")]
    IdxEmpty {
        /// The file.
        file: String,
        /// Number of pictures.
        count: usize,
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
    },
    /// Several data sets in one folder.
    #[error("`{path}` holds several sets: {sets}")]
    IdxSeveral {
        /// The folder.
        path: String,
        /// Their names or folders, in backticks.
        sets: String,
    },
    /// The picture size differs from that of the other splits.
    #[error("`{file}` has {got}, the other parts have {expected}")]
    IdxShape {
        /// The file.
        file: String,
        /// Picture size in the file.
        got: String,
        /// Picture size in the others.
        expected: String,
    },

    // === Values and records ===
    /// A value that is NaN or infinite.
    #[error("row {row} has {value} in column `{column}`: every value must be a finite number")]
    NotFinite {
        /// Row index, from 0.
        row: u32,
        /// Name of the column.
        column: String,
        /// The value.
        value: f32,
    },
    /// A damaged `split.csv`.
    #[error("line {line} of the record of rows is damaged: {reason}")]
    Record {
        /// Line of the file, from 1.
        line: u64,
        /// What is wrong.
        reason: String,
    },

    /// An unusable table.
    #[error(transparent)]
    Cells(#[from] TableError),

    // === Errors of other crates ===
    /// The network and its input do not match.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// Reading or writing a file failed; the message names the file.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}
