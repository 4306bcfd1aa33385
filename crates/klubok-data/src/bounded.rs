//! Reading files that somebody else may have made: regular files only, and no more of one than its
//! budget.
//!
//! A pipe or a device may wait for ever or never end, and a regular file may be as large as a disk.
//! Every file that klubok reads whole is read here. Formats that state their own length (IDX,
//! models, checkpoints) are opened here and read no further than their header allows.

use std::{
    cell::Cell,
    io::{self, BufRead as _, BufReader, ErrorKind, Read, Seek as _, SeekFrom},
    path::{Path, PathBuf},
    rc::Rc,
};

use fs_err::File;

/// Most bytes of a file of settings, a run's own included.
pub const SETTINGS: u64 = 4 << 20;
/// Most bytes of a log or a history.
pub const LOG: u64 = 256 << 20;
/// Most bytes of memory for the lines of a run's logs.
pub const LINES: u64 = 192 << 20;
/// Most bytes of a line.
const LINE: u64 = 16 << 20;
/// What an object in a line takes, about.
const OBJECT: u64 = 256;
/// Most bytes of the list of a run's samples.
pub const SPLIT: u64 = 2 << 30;
/// Most bytes of a picture's file.
pub const PICTURE: u64 = 256 << 20;

/// A file that is not read, or could not be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotRead {
    /// A folder, a pipe, a device.
    #[error("`{path}` is {what}, it must be a regular file")]
    NotRegular {
        /// The file.
        path: String,
        /// What it is.
        what: &'static str,
    },
    /// It is larger than anything of its kind should be.
    #[error("`{path}` is larger than {} MiB, the most that is read of such a file", limit >> 20)]
    TooLarge {
        /// The file.
        path: String,
        /// The budget in bytes.
        limit: u64,
    },
    /// What it holds takes more memory than anything of its kind may.
    #[error("what `{path}` holds takes more than {} MiB of memory, the most for logs of a run", room >> 20)]
    TooMuch {
        /// The file.
        path: String,
        /// The most, in bytes.
        room: u64,
    },
    /// It is no text.
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

/// What a path leads to.
///
/// # Errors
/// In the words of opening it, where nothing can be known of it.
pub fn kind(path: &Path) -> io::Result<std::fs::Metadata> {
    path.metadata().or_else(|_| File::open(path)?.metadata())
}

/// Opens a regular file for reading.
///
/// # Errors
/// A [`NotRead`] inside when it is something else; when there is none, or the system refuses.
pub fn open(path: &Path) -> io::Result<File> {
    // Before it is opened: to open a pipe that nobody writes to would wait for ever.
    let kind = kind(path)?;
    if !kind.is_file() {
        let what = if kind.is_dir() { "a folder" } else { "a pipe or a device" };
        return Err(NotRead::NotRegular { path: path.display().to_string(), what }.into());
    }
    File::open(path)
}

/// Opens a regular file for writing, as it is or new. A link is not followed: whoever put it there
/// would have what it leads to written over.
///
/// # Errors
/// A [`NotRead`] inside when it is something else; when the system refuses.
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

/// The content of a regular file of at most `limit` bytes.
///
/// # Errors
/// As [`open`]; a [`NotRead`] inside when it is larger; of kind `OutOfMemory` when there is no
/// memory for it.
pub fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let too_large = || NotRead::TooLarge { path: path.display().to_string(), limit }.into();
    let (file, mut bytes) = (open(path)?, Vec::new());
    let length = file.metadata()?.len();
    if length > limit {
        return Err(too_large());
    }
    // To grow into it would take up to twice as much.
    bytes.try_reserve_exact(length as usize)?;
    // A file that grows meanwhile is not read for ever either.
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit { Err(too_large()) } else { Ok(bytes) }
}

/// A regular file of at most `limit` bytes, to be read piece by piece.
///
/// # Errors
/// As [`open`]; a [`NotRead`] inside when it is larger.
pub fn stream(path: &Path, limit: u64) -> io::Result<impl Read> {
    let file = open(path)?;
    if file.metadata()?.len() > limit {
        return Err(NotRead::TooLarge { path: path.display().to_string(), limit }.into());
    }
    // What is added meanwhile is not read.
    Ok(file.take(limit))
}

/// The same as text.
///
/// # Errors
/// As [`read`], and a [`NotRead`] inside when it is not UTF-8.
pub fn read_to_string(path: &Path, limit: u64) -> io::Result<String> {
    let not_text = |_| NotRead::NotText { path: path.display().to_string() }.into();
    String::from_utf8(read(path, limit)?).map_err(not_text)
}

/// What the lines of a log are, which says how much memory they take.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// Objects whose fields are known: any other name is passed over.
    Metrics,
    /// Objects with maps in them, whose names may be any.
    Events,
}

impl Kind {
    /// Memory that a line takes once it is read, about: no less than what it really takes, and
    /// meanwhile.
    fn memory(self, line: &[u8]) -> u64 {
        let of = |byte: &u8| match (byte, self) {
            (b'{', _) => OBJECT,
            (b'[', Kind::Events) => 128,
            (b':', Kind::Events) => 96,
            (b',', Kind::Events) => 64,
            _ => 0,
        };
        // Words take their length; of a line of figures the names take none.
        line.iter().map(of).sum::<u64>().max(line.len() as u64)
    }
}

/// The longest record of a table that is read: a parser keeps all of one that never ends.
#[derive(Debug, Clone)]
pub struct Record {
    most: usize,
    left: Rc<Cell<usize>>,
}

impl Record {
    /// Records of no more than so many bytes, and what a parser reads ahead.
    pub fn of(most: usize) -> Self {
        Self { most, left: Rc::new(Cell::new(most)) }
    }

    /// The next record begins.
    pub fn begin(&self) {
        self.left.set(self.most);
    }

    /// The same bytes, and an error within a record that is longer.
    pub fn within<R: Read>(&self, from: R) -> impl Read + use<R> {
        Within { from, left: self.left.clone() }
    }

    /// Whether a parser met a record that is longer.
    pub fn is_too_long(error: &csv::Error) -> bool {
        matches!(error.kind(), csv::ErrorKind::Io(e) if e.kind() == ErrorKind::FileTooLarge)
    }
}

struct Within<R> {
    from: R,
    left: Rc<Cell<usize>>,
}

impl<R: Read> Read for Within<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.from.read(into)?;
        let left = self.left.get().checked_sub(count);
        self.left.set(left.ok_or(ErrorKind::FileTooLarge)?);
        Ok(count)
    }
}

/// The whole lines of a log, one by one. A last one that is still being written is not among them.
#[derive(Debug)]
pub struct Lines {
    file: BufReader<File>,
    path: PathBuf,
    kind: Kind,
    line: Vec<u8>,
    room: u64,
    read: u64,
}

impl Lines {
    /// The lines from byte `from` on, what they hold taking no more memory than `room`.
    ///
    /// # Errors
    /// As [`open`].
    pub fn open(path: &Path, kind: Kind, from: u64, room: u64) -> io::Result<Self> {
        let mut file = open(path)?;
        file.seek(SeekFrom::Start(from))?;
        let file = BufReader::with_capacity(1 << 16, file);
        Ok(Self { file, path: path.to_owned(), kind, line: Vec::new(), room, read: from })
    }

    /// The next line, with its end.
    ///
    /// # Errors
    /// A [`NotRead`] inside when a line has no end or there is no room for it; when the file cannot
    /// be read.
    pub fn next_line(&mut self) -> io::Result<Option<&[u8]>> {
        self.line.clear();
        let length = (&mut self.file).take(LINE).read_until(b'\n', &mut self.line)? as u64;
        if !self.line.ends_with(b"\n") {
            let path = self.path.display().to_string();
            let too_large = NotRead::TooLarge { path, limit: LINE };
            return if length < LINE { Ok(None) } else { Err(too_large.into()) };
        }
        let memory = self.kind.memory(&self.line);
        let too_much = || NotRead::TooMuch { path: self.path.display().to_string(), room: LINES };
        self.room = self.room.checked_sub(memory).ok_or_else(too_much)?;
        self.read += length;
        Ok(Some(&self.line))
    }

    /// Memory that is left, and where the last whole line ends.
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
    fn a_file_is_read_up_to_its_budget() {
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
    fn what_is_no_regular_file_is_said_and_not_opened() {
        let folder = tempfile::tempdir().unwrap();
        refused(folder.path(), 9, "is a folder");
        let missing = read(&folder.path().join("none"), 9).unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound);
    }

    /// Bytes of the whole lines of a text, and the room that they leave.
    fn lines(text: &[u8], kind: Kind, room: u64) -> io::Result<(u64, u64)> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs_err::write(file.path(), text).unwrap();
        let mut lines = Lines::open(file.path(), kind, 0, room)?;
        while lines.next_line()?.is_some() {}
        let (left, read) = lines.left();
        Ok((read, left))
    }

    #[test]
    fn whole_lines_are_read_and_a_damaged_end_is_not() {
        let text = b"{}\n\xff\n{\"a\":{}}\n{\"b\"";
        assert_eq!(lines(text, Kind::Metrics, 1000).unwrap(), (14, 1000 - 3 * OBJECT - 2));
        assert_eq!(lines(b"", Kind::Events, 0).unwrap(), (0, 0));
        assert_eq!(lines(b"{}", Kind::Events, 0).unwrap(), (0, 0));
    }

    #[test]
    fn a_line_has_an_end() {
        let endless = vec![b' '; LINE as usize];
        let error = lines(&endless, Kind::Metrics, u64::MAX).unwrap_err().to_string();
        assert!(error.contains("is larger than 16 MiB"), "{error}");
    }

    #[test]
    fn lines_take_what_they_become() {
        let refused = |text: &str, kind| lines(text.as_bytes(), kind, LINES).is_err();
        // A line of a training with four layers takes about what is made of it, names and figures
        // included.
        let layer = "{\"name\":\"hidden1\",\"grad_norm\":0.0123456789,\"weight_norm\":12.3456789},";
        let line = format!("{{\"epoch\":1,\"step\":10,\"layers\":[{}]}}\n", [layer; 4].join(""));
        let (_, left) = lines(line.as_bytes(), Kind::Metrics, LINES).unwrap();
        assert_eq!(LINES - left, 5 * OBJECT);
        // Short names of a map and short values of a list are many in a line, and take far more
        // than their bytes.
        let map = format!("{{\"evidence\":{{{}}}}}\n", "\"a\":1,".repeat(1 << 21));
        let list = format!("{{\"a\":[{}]}}\n", "0,".repeat(1 << 22));
        assert!(refused(&map, Kind::Events) && refused(&list, Kind::Events));
        // So do long words.
        let words = format!("{{\"a\":\"{}\"}}\n", "a".repeat(1 << 20)).repeat(192);
        assert!(refused(&words, Kind::Metrics));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn pipes_devices_and_endless_files_do_not_hold_up() {
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
        // A regular file of a terabyte that takes no room.
        let sparse = folder.path().join("sparse");
        File::create(&sparse).unwrap().set_len(1 << 40).unwrap();
        refused(&sparse, 1 << 20, "is larger than 1 MiB");
    }
}
