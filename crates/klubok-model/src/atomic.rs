//! Files that are there whole, old or new, whenever the process or the machine stops.

#![expect(
    clippy::disallowed_types,
    reason = "messages name the file itself, fs_err would name the temporary one"
)]

use std::{
    fs::{self, File},
    io::{self, BufWriter, ErrorKind, Write},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

/// A file could not be written; what stood at its name before is still there.
#[derive(Debug, thiserror::Error)]
#[error("`{path}` could not be written, nothing was changed: {cause}")]
pub struct NotWritten {
    /// The file.
    pub path: String,
    /// Why.
    pub cause: io::Error,
}

/// Writes a file under a temporary name beside `path`, brings it to the disk and renames it to
/// `path`.
///
/// What was at `path` is replaced at once or not at all. A process that is killed in between leaves
/// `.NAME.PROCESS-NUMBER.tmp` behind, which is safe to delete.
///
/// # Errors
/// When the file cannot be written or renamed, for example because the disk is full or `path` is a
/// folder: the message names `path` (inside is a [`NotWritten`]), the old file stays, the temporary
/// one is removed.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    stream_atomically(path, |file| file.write_all(bytes))
}

/// [`write_atomically`] of what `write` writes, piece by piece.
///
/// # Errors
/// As [`write_atomically`], or when `write` fails.
pub fn stream_atomically(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> io::Result<()> {
    let written = temporary(path).and_then(|(temporary, file)| {
        let result = fill(file, write).and_then(|()| fs::rename(&temporary, path));
        if result.is_err() {
            // The disk is in trouble already: what matters is the first error.
            let _ = fs::remove_file(&temporary);
        }
        result
    });
    written.map_err(|cause| {
        let path = path.display().to_string();
        io::Error::new(cause.kind(), NotWritten { path, cause })
    })?;
    sync_folder(folder(path))
}

/// Brings the names in a folder to the disk.
///
/// # Errors
/// When the disk fails.
pub fn sync_folder(path: &Path) -> io::Result<()> {
    // Elsewhere a folder cannot be opened as a file.
    if cfg!(unix) {
        fs_err::File::open(path)?.sync_all()?;
    }
    Ok(())
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// A new file beside `path`, of a name that nobody else writes to.
fn temporary(path: &Path) -> io::Result<(PathBuf, File)> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let name = path.file_name().ok_or_else(|| io::Error::from(ErrorKind::InvalidFilename))?;
    loop {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!(".{}.{}-{number}.tmp", name.display(), std::process::id());
        let path = folder(path).join(name);
        match fs::OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(file) => return Ok((path, file)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

fn fill(file: File, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> io::Result<()> {
    let mut file = BufWriter::with_capacity(1 << 16, file);
    write(&mut file)?;
    file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
}

#[cfg(test)]
mod tests {
    use fs_err as fs;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<String> =
            entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_created_and_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.bin");
        write_atomically(&path, b"one").unwrap();
        write_atomically(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(names(folder.path()), ["a.bin"]);
    }

    #[test]
    fn a_folder_in_the_way_stays_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.bin");
        fs::create_dir(&path).unwrap();
        let error = write_atomically(&path, b"one").unwrap_err().to_string();
        assert!(error.contains("a.bin` could not be written, nothing was changed"), "{error}");
        assert!(!error.contains(".a.bin."), "{error}");
        assert_eq!(names(folder.path()), ["a.bin"]);
    }

    #[test]
    fn a_missing_folder_and_a_missing_name_are_errors() {
        let folder = tempfile::tempdir().unwrap();
        let error = write_atomically(&folder.path().join("no/a.bin"), b"one").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(write_atomically(Path::new("/"), b"one").is_err());
        assert!(write_atomically(Path::new(""), b"one").is_err());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_named() {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let error = fill(full, |file| file.write_all(b"one")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StorageFull);
    }

    /// What the next test runs where files cannot grow beyond some kilobytes; by itself it does
    /// nothing.
    #[test]
    #[ignore = "a part of a_disk_that_fills_up_loses_nothing"]
    fn write_more_than_fits() {
        if let Ok(path) = fs::read_to_string("path of a_disk_that_fills_up") {
            println!("{}", write_atomically(Path::new(&path), &vec![1; 1 << 20]).unwrap_err());
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_disk_that_fills_up_loses_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.bin");
        write_atomically(&path, b"old").unwrap();
        fs::write(folder.path().join("path of a_disk_that_fills_up"), path.display().to_string())
            .unwrap();
        let test = std::env::current_exe().unwrap();
        let limited =
            "trap '' XFSZ; ulimit -f 16; exec \"$0\" --ignored --nocapture --exact \"$1\"";
        let output = std::process::Command::new("sh")
            .args(["-c", limited, test.to_str().unwrap()])
            .arg("atomic::tests::write_more_than_fits")
            .current_dir(folder.path())
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(told.contains("a.bin` could not be written, nothing was changed: "), "{told}");
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(names(folder.path()), ["a.bin", "path of a_disk_that_fills_up"]);
    }
}
