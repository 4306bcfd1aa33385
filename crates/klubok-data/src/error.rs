//! Data that cannot be used, one variant for each way to go wrong.

use klubok_nn::error::{PlanError, format_bytes};

use super::Part;

/// Result of this crate.
pub type Result<T, E = DataError> = std::result::Result<T, E>;

/// How folders that hold the same folders can be read.
#[derive(Debug)]
pub struct Ways {
    /// The path of the first of them, which may be the data.
    pub first: String,
    /// The folder to give, where they are to be classes all the same.
    pub data: String,
    /// The `data.layout` to give with it.
    pub layout: &'static str,
}

/// Data that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    // === What was given ===
    /// There is nothing at this path.
    #[error("there is nothing at `{path}`")]
    Missing {
        /// The path.
        path: String,
    },
    /// A file that is no data.
    #[error(
        "`{path}` is a file: data is a folder of class folders, a folder of IDX files or `demo:NAME`"
    )]
    NotAFolder {
        /// The path.
        path: String,
    },
    /// A table, which cannot be read yet.
    #[error(
        "`{path}` is a table, and tables are not read yet: data is a folder of class folders, a \
         folder of IDX files or `demo:NAME`"
    )]
    Table {
        /// The path.
        path: String,
    },
    /// There is no built-in set of this name.
    #[error("there is no built-in set `{name}`, there is {known}")]
    UnknownDemo {
        /// The name after `demo:`.
        name: String,
        /// The names there are, in backticks.
        known: String,
    },
    /// A part of another kind than the data.
    #[error(
        "the {part} part `{path}` is {got}, the data is {expected}: both must be the same kind"
    )]
    OtherKind {
        /// `val` or `test`.
        part: &'static str,
        /// The path.
        path: String,
        /// Kind of the data.
        expected: &'static str,
        /// Kind of the part.
        got: &'static str,
    },
    /// The rows are not what the model takes.
    #[error("`{path}` has {got}, the model expects {expected}")]
    OtherInput {
        /// The data.
        path: String,
        /// What the model takes.
        expected: String,
        /// What the data has.
        got: String,
    },
    /// The classes of a built-in set are not the model's.
    #[error("`{path}` has the classes {got}, the model knows {expected}")]
    OtherClasses {
        /// The data.
        path: String,
        /// The model's classes, in backticks.
        expected: String,
        /// The data's classes, in backticks.
        got: String,
    },

    // === Classes and parts ===
    /// A folder without class folders.
    #[error(
        "`{path}` has no class folders: the pictures of each class go into a folder of their own, \
         such as `cat` and `dog`{found}"
    )]
    NoClasses {
        /// The path.
        path: String,
        /// What is there instead, as `; ...`, or nothing.
        found: String,
    },
    /// Class folders without a picture in any of them.
    #[error(
        "the class folders of `{path}` hold no pictures: JPEG, PNG, BMP, GIF, WebP and TIFF are read{found}"
    )]
    NoPictures {
        /// The path.
        path: String,
        /// What they hold instead, as `; ...`, or nothing.
        found: String,
    },
    /// A folder with parts, but none for training.
    #[error("`{path}` has no `train` part, only {found}")]
    NoTrainPart {
        /// The path.
        path: String,
        /// The parts there are, in backticks.
        found: String,
        /// There are two folders with pictures or more, which may be classes.
        several: bool,
    },
    /// Two folders for the same part.
    #[error("`{path}` has two folders for the same part, `{first}` and `{second}`: one must go")]
    PartTwice {
        /// The path.
        path: String,
        /// One folder.
        first: String,
        /// The other folder.
        second: String,
        /// The part.
        part: Part,
    },
    /// Folders that may be parts or classes.
    #[error(
        "the folders of `{path}` can be read in two ways: {parts} as parts, without {others}, or all of them as classes"
    )]
    Unclear {
        /// The path.
        path: String,
        /// Those with the names of parts, in backticks.
        parts: String,
        /// The others, in backticks.
        others: String,
        /// There is a training part with class folders among them: as parts they can be read.
        trains: bool,
    },
    /// Folders that hold the same folders, and have no names of parts.
    #[error(
        "the folders {folders} of `{path}` all hold the same folders, such as {inside}: they look like parts, copies or \
         kinds of the same data, not like classes"
    )]
    Alike {
        /// The folder that they lie in.
        path: String,
        /// Their names, in backticks.
        folders: String,
        /// What they hold, in backticks.
        inside: String,
        /// How to read them.
        ways: Box<Ways>,
    },
    /// Folders beside classes whose names are those of other things than data.
    #[error(
        "`{path}` has {others} beside its class folders: by their names they hold something else, and they may be \
         classes too"
    )]
    OtherThings {
        /// The folder that they lie in.
        path: String,
        /// Their names, in backticks.
        others: String,
        /// The folder to give, where they are to be classes.
        data: String,
        /// The `data.layout` to give with it.
        layout: &'static str,
    },
    /// A folder of class folders beside one without.
    #[error(
        "`{class}` holds {inside}, and {beside} beside it holds pictures only: either the classes lie in `{class}`, or \
         the folders of `{path}` are the classes"
    )]
    Beside {
        /// The folder that is read.
        path: String,
        /// The folder in it that holds folders.
        class: String,
        /// Those folders, in backticks.
        inside: String,
        /// The folder without any, in backticks.
        beside: String,
    },
    /// Folders that look like pieces of one thing.
    #[error(
        "the folders {folders} of `{path}` differ in nothing but their numbers: they look like pieces of one thing, not like classes"
    )]
    Pieces {
        /// The folder that they lie in.
        path: String,
        /// Their names, in backticks.
        folders: String,
    },
    /// Parts where classes are looked for.
    #[error(
        "`{class}` holds {parts}, as if it were divided into parts: either the classes lie below them, or the folders of \
         `{path}` are the classes"
    )]
    PartsInClass {
        /// The folder that is read.
        path: String,
        /// The folder in it that holds parts.
        class: String,
        /// Those parts, in backticks.
        parts: String,
        /// The training part among them has class folders.
        trains: bool,
    },
    /// Folders in folders without end.
    #[error("`{path}` lies more than {most} folders deep, deeper than data is looked for")]
    TooDeep {
        /// The folder.
        path: String,
        /// Most folders in each other.
        most: usize,
    },
    /// More files, or more links from folder to folder, than can be listed.
    #[error("`{path}` holds more files, or more links to folders, than can be listed")]
    TooMuch {
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
    /// A class with a single sample, which cannot be in two parts.
    #[error(
        "class `{class}` has one sample: at least two are needed, one for training and one for \
         validation"
    )]
    OneSample {
        /// Name of the class.
        class: String,
    },
    /// There is nothing to tell apart.
    #[error("`{class}` is the only class: at least two are needed to learn a difference")]
    OneClass {
        /// Name of the class.
        class: String,
    },
    /// A class that training does not know.
    #[error("`{path}` is a class `{class}`, and the network knows only {known}")]
    UnknownClass {
        /// Its folder.
        path: String,
        /// Name of the class.
        class: String,
        /// The classes that are known, in backticks.
        known: String,
    },

    // === Pictures ===
    /// A picture that cannot be read.
    #[error("`{name}` cannot be read: {reason}")]
    Unreadable {
        /// The file.
        name: String,
        /// Why.
        reason: String,
    },
    /// So many pictures cannot be read that something else must be wrong.
    #[error(
        "{skipped} of {total} pictures cannot be read, more than 5 %; the first is `{name}`: {reason}"
    )]
    TooManyUnreadable {
        /// Pictures that cannot be read.
        skipped: usize,
        /// All pictures.
        total: usize,
        /// The first that cannot be read.
        name: String,
        /// Why.
        reason: String,
    },
    /// A part has pictures, and none that can be read.
    #[error("none of the pictures of the part `{}` can be read; the first is `{name}`: {reason}", part.name())]
    PartUnreadable {
        /// The part.
        part: Part,
        /// The first that cannot be read.
        name: String,
        /// Why.
        reason: String,
    },
    /// More rows than the record of a run holds.
    #[error("there are {rows} rows, and a run has {most} at most")]
    TooManyRows {
        /// Rows there are.
        rows: usize,
        /// Rows there may be.
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
        /// Bytes of all rows.
        needed: u64,
    },

    // === IDX ===
    /// A label that training does not know.
    #[error("there is a label {label} in `{file}`, and the network knows only {known}")]
    IdxLabel {
        /// The file.
        file: String,
        /// The label.
        label: u8,
        /// The labels that are known, in backticks.
        known: String,
    },
    /// Values of another type than bytes.
    #[error("`{file}` holds {what} as {got}, and only bytes (0 to 255) are read")]
    IdxType {
        /// The file.
        file: String,
        /// `pictures` or `labels`.
        what: &'static str,
        /// The type of its values.
        got: &'static str,
    },
    /// A file of quite another kind.
    #[error("`{file}` is no IDX file but {is}")]
    IdxForeign {
        /// The file.
        file: String,
        /// What it is.
        is: &'static str,
    },
    /// A file of more values than memory.
    #[error("`{file}` holds {} of values, more memory than can be had", format_bytes(*needed))]
    IdxMemory {
        /// The file.
        file: String,
        /// Bytes of its values.
        needed: u64,
    },
    /// More pictures than are read of their size.
    #[error(
        "`{file}` holds {pictures} pictures of {pixels} pixels: so many are read only of larger ones"
    )]
    IdxMany {
        /// The file.
        file: String,
        /// Pictures in it and in the files before it.
        pictures: usize,
        /// Pixels of each.
        pixels: usize,
    },
    /// Pictures without labels or labels without pictures.
    #[error("`{path}` has no `{file}` (or `{file}.gz`)")]
    IdxMissing {
        /// The folder.
        path: String,
        /// The file that is missing.
        file: String,
    },
    /// The first four bytes are not those of the expected file.
    #[error("`{file}` begins with {got:#010x}, an IDX file of {what} begins with {expected:#010x}")]
    IdxMagic {
        /// The file.
        file: String,
        /// `pictures` or `labels`.
        what: &'static str,
        /// What it should begin with.
        expected: u32,
        /// What it begins with.
        got: u32,
    },
    /// The file ends before what its header announces.
    #[error("`{file}` ends after {got} bytes, its header announces {expected}")]
    IdxShort {
        /// The file.
        file: String,
        /// Bytes announced, header included; unpacked.
        expected: u128,
        /// Bytes there are; unpacked.
        got: usize,
    },
    /// The file goes on after what its header announces.
    #[error("`{file}` goes on after the {expected} bytes that its header announces")]
    IdxLong {
        /// The file.
        file: String,
        /// Bytes announced, header included; unpacked.
        expected: u128,
    },
    /// The compressed file is damaged.
    #[error("`{file}` cannot be unpacked: {reason}")]
    IdxDamaged {
        /// The file.
        file: String,
        /// Why.
        reason: String,
    },
    /// Another number of pictures than labels.
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
        /// Pixels across.
        width: usize,
        /// Pixels down.
        height: usize,
    },
    /// Several sets where one is expected.
    #[error("`{path}` holds several sets: {sets}")]
    IdxSeveral {
        /// The folder.
        path: String,
        /// Their names or folders, in backticks.
        sets: String,
    },
    /// Pictures of another size than those of the other parts.
    #[error("`{file}` has {got}, the other parts have {expected}")]
    IdxShape {
        /// The file.
        file: String,
        /// What is in the file.
        got: String,
        /// What is in the others.
        expected: String,
    },

    // === Values and records ===
    /// A value that is no number.
    #[error("row {row} has {value} in column `{column}`: every value must be a finite number")]
    NotFinite {
        /// Row of the data, from 0.
        row: u32,
        /// Name of the column.
        column: String,
        /// The value.
        value: f32,
    },
    /// A record of rows and parts (`split.csv`) that is damaged.
    #[error("line {line} of the record of rows is damaged: {reason}")]
    Record {
        /// Line of the file, from 1.
        line: u64,
        /// What is wrong.
        reason: String,
    },

    // === What others say ===
    /// A network or its input does not fit.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A file could not be read or written; the message names it.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}
