//! Reads untrusted files: regular files only, and each within a budget.
//!
//! A pipe or a device may block forever or never end, and a regular file may fill a disk. klubok
//! reads every whole file here. Formats that state their own length (IDX, models, checkpoints) are
//! opened here and read no further than their header allows.

use std::{
    cell::Cell,
    io::{self, BufRead as _, BufReader, ErrorKind, Read, Seek as _, SeekFrom},
    path::{Path, PathBuf},
    rc::Rc,
};

use fs_err::File;

/// Maximum bytes of a settings file, a run's own included.
pub const MAX_SETTINGS_BYTES: u64 = 4 << 20;
/// Maximum bytes of a log or a history.
pub const MAX_LOG_BYTES: u64 = 256 << 20;
/// Maximum memory in bytes for the lines of a run's logs.
pub const MAX_LINES_MEMORY: u64 = 192 << 20;
/// Maximum bytes of a line.
const MAX_LINE_BYTES: u64 = 16 << 20;
/// Approximate memory of a JSON object in a line, in bytes.
const OBJECT_MEMORY: u64 = 256;
/// Maximum bytes of `split.csv`, the list of a run's samples.
pub const MAX_SPLIT_BYTES: u64 = 2 << 30;
/// Maximum bytes of a picture file.
pub const MAX_PICTURE_BYTES: u64 = 256 << 20;

/// Why a file was not read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotRead {
    /// The path is a folder, a pipe or a device.
    #[error("`{path}` is {what}, it must be a regular file")]
    NotRegular {
        /// The file.
        path: String,
        /// The kind of file.
        what: &'static str,
    },
    /// The file exceeds its budget.
    #[error("`{path}` is larger than {} MiB, the most that is read of such a file", limit >> 20)]
    TooLarge {
        /// The file.
        path: String,
        /// The budget in bytes.
        limit: u64,
    },
    /// The content takes more memory than its budget.
    #[error("what `{path}` holds takes more than {} MiB of memory, the most for logs of a run", room >> 20)]
    TooMuch {
        /// The file.
        path: String,
        /// The budget in bytes.
        room: u64,
    },
    /// The file is not text.
    #[error("`{path}` is not text in UTF-8")]
    NotText {
        /// The file.
        path: String,
    },
}

impl From<NotRead> for io::Error {
    fn from(error: NotRead) -> Self {
        let kind = match &error {
            NotRead::NotRegular { .. } => ErrorKind::InvalidInput,
            NotRead::TooLarge { .. } | NotRead::TooMuch { .. } => ErrorKind::FileTooLarge,
            NotRead::NotText { .. } => ErrorKind::InvalidData,
        };
        Self::new(kind, error)
    }
}

/// Returns the metadata of a path, following links.
///
/// # Errors
/// The error of opening the path, when its metadata is not available.
pub fn kind(path: &Path) -> io::Result<std::fs::Metadata> {
    path.metadata().or_else(|_| File::open(path)?.metadata())
}

/// Opens a regular file for reading.
///
/// # Errors
/// Wraps a [`NotRead`] when the path is something else; fails when it is missing or the system
/// refuses.
pub fn open(path: &Path) -> io::Result<File> {
    // Check first: opening a pipe without a writer would block forever.
    let kind = kind(path)?;
    if !kind.is_file() {
        let what = if kind.is_dir() { "a folder" } else { "a pipe or a device" };
        return Err(NotRead::NotRegular { path: path.display().to_string(), what }.into());
    }
    File::open(path)
}

/// Opens a regular file for writing, existing or new. Does not follow a link, so nobody can
/// redirect the write.
///
/// # Errors
/// Wraps a [`NotRead`] when the path is something else; fails when the system refuses.
pub fn open_to_write(path: &Path) -> io::Result<File> {
    match fs_err::symlink_metadata(path) {
        Ok(kind) if !kind.is_file() => {
            let what = if kind.is_dir() { "a folder" } else { "a link, a pipe or a device" };
            return Err(NotRead::NotRegular { path: path.display().to_string(), what }.into());
        }
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        Ok(_) | Err(_) => {}
    }
    File::options().create(true).truncate(false).write(true).open(path)
}

/// Returns the content of a regular file of at most `limit` bytes.
///
/// # Errors
/// As [`open`]; wraps a [`NotRead`] when the file is larger; of kind `OutOfMemory` when memory is
/// short.
pub fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let too_large = || NotRead::TooLarge { path: path.display().to_string(), limit }.into();
    let (file, mut bytes) = (open(path)?, Vec::new());
    let length = file.metadata()?.len();
    if length > limit {
        return Err(too_large());
    }
    // Growing step by step would take up to twice the memory.
    bytes.try_reserve_exact(length as usize)?;
    // Bounds a file that grows meanwhile.
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit { Err(too_large()) } else { Ok(bytes) }
}

/// Opens a regular file of at most `limit` bytes as a stream.
///
/// # Errors
/// As [`open`]; wraps a [`NotRead`] when the file is larger.
pub fn stream(path: &Path, limit: u64) -> io::Result<impl Read> {
    let file = open(path)?;
    if file.metadata()?.len() > limit {
        return Err(NotRead::TooLarge { path: path.display().to_string(), limit }.into());
    }
    // Ignores bytes appended meanwhile.
    Ok(file.take(limit))
}

/// Reads a file as [`read`] does, as text.
///
/// # Errors
/// As [`read`]; wraps a [`NotRead`] when the content is not UTF-8.
pub fn read_to_string(path: &Path, limit: u64) -> io::Result<String> {
    let not_text = |_| NotRead::NotText { path: path.display().to_string() }.into();
    String::from_utf8(read(path, limit)?).map_err(not_text)
}

/// The kind of lines in a log. Determines their estimated memory.
#[derive(Debug, Clone, Copy)]
pub enum LineKind {
    /// Objects with known fields. Other names are ignored.
    Metrics,
    /// Objects with maps of arbitrary names.
    Events,
}

impl LineKind {
    /// Upper estimate of the memory of a parsed line, parsing included.
    fn memory(self, line: &[u8]) -> u64 {
        let of = |byte: &u8| match (byte, self) {
            (b'{', _) => OBJECT_MEMORY,
            (b'[', LineKind::Events) => 128,
            (b':', LineKind::Events) => 96,
            (b',', LineKind::Events) => 64,
            _ => 0,
        };
        // Strings take their length. The names of a line of numbers take nothing.
        line.iter().map(of).sum::<u64>().max(line.len() as u64)
    }
}

/// Limits the record length of a CSV reader, which would buffer an endless record whole.
#[derive(Debug, Clone)]
pub struct RecordLimit {
    max_bytes: usize,
    left: Rc<Cell<usize>>,
}

impl RecordLimit {
    /// Creates a limit of `max_bytes` per record, a parser's read-ahead included.
    pub fn new(max_bytes: usize) -> Self {
        Self { max_bytes, left: Rc::new(Cell::new(max_bytes)) }
    }

    /// Starts the next record.
    pub fn reset(&self) {
        self.left.set(self.max_bytes);
    }

    /// Wraps a reader. Reading fails within a record that is too long.
    pub fn wrap<R: Read>(&self, from: R) -> impl Read + use<R> {
        Limited { from, left: self.left.clone() }
    }

    /// Returns true if `error` comes from a record that is too long.
    pub fn is_too_long(error: &io::Error) -> bool {
        error.kind() == ErrorKind::FileTooLarge
    }
}

struct Limited<R> {
    from: R,
    left: Rc<Cell<usize>>,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.from.read(into)?;
        let left = self.left.get().checked_sub(count);
        self.left.set(left.ok_or(ErrorKind::FileTooLarge)?);
        Ok(count)
    }
}

/// Iterates over the complete lines of a log. Skips a last line that is still being written.
#[derive(Debug)]
pub struct Lines {
    file: BufReader<File>,
    path: PathBuf,
    kind: LineKind,
    line: Vec<u8>,
    room: u64,
    read: u64,
}

impl Lines {
    /// Opens the lines from byte `from` on. Their content may take at most `room` bytes of memory.
    ///
    /// # Errors
    /// As [`open`].
    pub fn open(path: &Path, kind: LineKind, from: u64, room: u64) -> io::Result<Self> {
        let mut file = open(path)?;
        file.seek(SeekFrom::Start(from))?;
        let file = BufReader::with_capacity(1 << 16, file);
        Ok(Self { file, path: path.to_owned(), kind, line: Vec::new(), room, read: from })
    }

    /// Returns the next line with its line break.
    ///
    /// # Errors
    /// Wraps a [`NotRead`] when a line has no end or exceeds the memory left; fails when the file
    /// cannot be read.
    pub fn next_line(&mut self) -> io::Result<Option<&[u8]>> {
        self.line.clear();
        let length =
            (&mut self.file).take(MAX_LINE_BYTES).read_until(b'\n', &mut self.line)? as u64;
        if !self.line.ends_with(b"\n") {
            let path = self.path.display().to_string();
            let too_large = NotRead::TooLarge { path, limit: MAX_LINE_BYTES };
            return if length < MAX_LINE_BYTES { Ok(None) } else { Err(too_large.into()) };
        }
        let memory = self.kind.memory(&self.line);
        let too_much =
            || NotRead::TooMuch { path: self.path.display().to_string(), room: MAX_LINES_MEMORY };
        self.room = self.room.checked_sub(memory).ok_or_else(too_much)?;
        self.read += length;
        Ok(Some(&self.line))
    }

    /// Returns the memory left and the end of the last complete line.
    pub fn left(&self) -> (u64, u64) {
        (self.room, self.read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(path: &Path, limit: u64, words: &str) {
        let error = read(path, limit).unwrap_err().to_string();
        assert!(error.contains(words) && error.contains(&path.display().to_string()), "{error}");
    }

    #[test]
    fn reads_a_file_up_to_its_budget() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs_err::write(&path, "клубок").unwrap();
        assert_eq!(read(&path, 12).unwrap(), "клубок".as_bytes());
        assert_eq!(read_to_string(&path, 12).unwrap(), "клубок");
        refused(&path, 11, "is larger than 0 MiB");
        fs_err::write(&path, [0xff]).unwrap();
        let error = read_to_string(&path, 12).unwrap_err();
        assert!(error.to_string().ends_with("is not text in UTF-8"), "{error}");
    }

    #[test]
    fn rejects_folders_and_missing_files() {
        let folder = tempfile::tempdir().unwrap();
        refused(folder.path(), 9, "is a folder");
        let missing = read(&folder.path().join("none"), 9).unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound);
    }

    /// Bytes of the complete lines of a text, and the memory left.
    fn lines(text: &[u8], kind: LineKind, room: u64) -> io::Result<(u64, u64)> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs_err::write(file.path(), text).unwrap();
        let mut lines = Lines::open(file.path(), kind, 0, room)?;
        while lines.next_line()?.is_some() {}
        let (left, read) = lines.left();
        Ok((read, left))
    }

    #[test]
    fn reads_complete_lines_and_skips_a_cut_off_end() {
        let text = b"{}\n\xff\n{\"a\":{}}\n{\"b\"";
        assert_eq!(
            lines(text, LineKind::Metrics, 1000).unwrap(),
            (14, 1000 - 3 * OBJECT_MEMORY - 2)
        );
        assert_eq!(lines(b"", LineKind::Events, 0).unwrap(), (0, 0));
        assert_eq!(lines(b"{}", LineKind::Events, 0).unwrap(), (0, 0));
    }

    #[test]
    fn an_endless_line_is_too_large() {
        let endless = vec![b' '; MAX_LINE_BYTES as usize];
        let error = lines(&endless, LineKind::Metrics, u64::MAX).unwrap_err().to_string();
        assert!(error.contains("is larger than 16 MiB"), "{error}");
    }

    #[test]
    fn estimates_the_memory_of_parsed_lines() {
        let refused = |text: &str, kind| lines(text.as_bytes(), kind, MAX_LINES_MEMORY).is_err();
        // A line of a training with four layers takes about the memory of its parsed form, names
        // and numbers included.
        let layer = "{\"name\":\"hidden1\",\"grad_norm\":0.0123456789,\"weight_norm\":12.3456789},";
        let line = format!("{{\"epoch\":1,\"step\":10,\"layers\":[{}]}}\n", [layer; 4].join(""));
        let (_, left) = lines(line.as_bytes(), LineKind::Metrics, MAX_LINES_MEMORY).unwrap();
        assert_eq!(MAX_LINES_MEMORY - left, 5 * OBJECT_MEMORY);
        // Many short map names or list values in a line take far more memory than their bytes.
        let map = format!("{{\"evidence\":{{{}}}}}\n", "\"a\":1,".repeat(1 << 21));
        let list = format!("{{\"a\":[{}]}}\n", "0,".repeat(1 << 22));
        assert!(refused(&map, LineKind::Events) && refused(&list, LineKind::Events));
        // Long strings count too.
        let words = format!("{{\"a\":\"{}\"}}\n", "a".repeat(1 << 20)).repeat(192);
        assert!(refused(&words, LineKind::Metrics));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn pipes_devices_and_huge_files_do_not_block() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        refused(&pipe, 9, "is a pipe or a device");
        refused(Path::new("/dev/zero"), 9, "is a pipe or a device");
        assert!(open_to_write(&pipe).unwrap_err().to_string().contains("a link, a pipe"));
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(folder.path().join("mine"), &link).unwrap();
        assert!(open_to_write(&link).unwrap_err().to_string().contains("a link, a pipe"));
        assert!(open_to_write(&folder.path().join("new")).unwrap().metadata().unwrap().is_file());
        // A sparse file of a terabyte.
        let sparse = folder.path().join("sparse");
        File::create(&sparse).unwrap().set_len(1 << 40).unwrap();
        refused(&sparse, 1 << 20, "is larger than 1 MiB");
    }
}
