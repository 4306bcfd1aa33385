//! A fingerprint of the data: file names and sizes, without reading any file.
//!
//! A run stores it, so that `resume` notices changed data.

use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_128;

use super::{OpenOptions, SourceKind, idx, kind_of, list, table_samples};
use crate::error::Result;

/// File count, total size and a hash of names and sizes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fingerprint {
    /// Number of files; 0 for a built-in set.
    pub files: u64,
    /// Total bytes of all files.
    pub bytes: u64,
    /// XXH3 (128 bits, hexadecimal) of file names below the data folder and file sizes, in order.
    pub hash: String,
}

impl Fingerprint {
    /// Describes in one sentence how the files `now` differ from these. None if they do not.
    pub fn difference(&self, now: &Fingerprint) -> Option<String> {
        if self == now {
            return None;
        }
        let Fingerprint { files, bytes, .. } = self;
        if (self.files, self.bytes) == (now.files, now.bytes) {
            return Some(format!("there are {files} files as before, but names or sizes changed"));
        }
        Some(format!(
            "there were {files} files of {bytes} bytes together, now there are {} of {}",
            now.files, now.bytes
        ))
    }
}

/// Computes the fingerprint of the data and of separately given splits.
///
/// # Errors
/// When required folders or files are missing, as in [`super::open`].
pub fn fingerprint(source: &str, options: &OpenOptions) -> Result<Fingerprint> {
    let files = match kind_of(source)? {
        SourceKind::Pictures => {
            let listing = list::list(source.as_ref(), options)?;
            listing.files.into_iter().map(|file| (file.name, file.path)).collect()
        }
        SourceKind::Idx => idx_files(source, options)?,
        SourceKind::Table => {
            let files = table_samples::files(source.as_ref(), options).into_iter();
            files.map(|(part, path)| (part.name().to_owned(), path)).collect()
        }
        SourceKind::Demo => {
            let hash = format!("{:032x}", XxHash3_128::oneshot(source.as_bytes()));
            return Ok(Fingerprint { files: 0, bytes: 0, hash });
        }
    };
    let mut hasher = XxHash3_128::new();
    let mut total: u64 = 0;
    for (name, path) in &files {
        // A dangling link counts as empty. Reading reports it in detail.
        let bytes = path.metadata().map_or(0, |m| m.len());
        hasher.write(name.as_bytes());
        // File names contain no zero byte, so two listings never hash the same bytes.
        hasher.write(&[0]);
        hasher.write(&bytes.to_le_bytes());
        total = total.saturating_add(bytes);
    }
    let hash = format!("{:032x}", hasher.finish_128());
    Ok(Fingerprint { files: files.len() as u64, bytes: total, hash })
}

/// Identifies a set of rows by content, in any order: XXH3 (128 bits, hexadecimal) of their sorted
/// hashes.
pub fn identity(hashes: impl IntoIterator<Item = u128>) -> String {
    let mut sorted: Vec<u128> = hashes.into_iter().collect();
    sorted.sort_unstable();
    let mut hasher = XxHash3_128::new();
    sorted.iter().for_each(|hash| hasher.write(&hash.to_le_bytes()));
    format!("{:032x}", hasher.finish_128())
}

fn idx_files(source: &str, options: &OpenOptions) -> Result<Vec<(String, std::path::PathBuf)>> {
    let mut files = Vec::new();
    for pair in idx::pairs(source.as_ref(), options)? {
        for path in [pair.images, pair.labels] {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            files.push((format!("{}/{name}", pair.part.name()), path));
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::{super::fixtures::*, *};

    fn fingerprint_of_folder(folder: &tempfile::TempDir) -> Fingerprint {
        fingerprint(folder.path().to_str().unwrap(), &options(4)).unwrap()
    }

    fn fingerprint_of(files: &[(&str, &str)]) -> Fingerprint {
        fingerprint_of_folder(&folder(files))
    }

    #[test]
    fn the_fingerprint_does_not_depend_on_the_location() {
        let files = [("a/1.png", "xx"), ("b/1.png", "yyy"), ("notes.txt", "")];
        let before = fingerprint_of(&files);
        assert_eq!((before.files, before.bytes), (2, 5));
        assert_eq!(before, fingerprint_of(&files));
        assert_eq!(before.difference(&before), None);
    }

    #[test]
    fn describes_differences() {
        let before = fingerprint_of(&[("a/1.png", "xx"), ("b/1.png", "yyy")]);
        let more = fingerprint_of(&[("a/1.png", "xx"), ("b/1.png", "yyy"), ("b/2.png", "")]);
        assert_eq!(
            before.difference(&more).unwrap(),
            "there were 2 files of 5 bytes together, now there are 3 of 5"
        );
        let renamed = fingerprint_of(&[("a/1.png", "xx"), ("b/2.png", "yyy")]);
        let words = "there are 2 files as before, but names or sizes changed";
        assert_eq!(before.difference(&renamed).unwrap(), words);
        let resized = fingerprint_of(&[("a/1.png", "xxx"), ("b/1.png", "yy")]);
        assert_eq!(before.difference(&resized).unwrap(), words);
        let moved = fingerprint_of(&[("a/1.png", "xx"), ("a/2.png", "yyy")]);
        assert_eq!(before.difference(&moved).unwrap(), words);
    }

    #[test]
    fn separate_splits_are_included() {
        let (data, val) = (folder(&[("a/1.png", "xx")]), folder(&[("a/1.png", "y")]));
        let options = OpenOptions { val: Some(val.path().into()), ..options(4) };
        let before = fingerprint(data.path().to_str().unwrap(), &options).unwrap();
        assert_eq!((before.files, before.bytes), (2, 3));
    }

    #[test]
    fn runs_inside_the_data_are_ignored() {
        let files = [("a/1.png", "xx"), ("b/1.png", "yyy")];
        let run = ("runs/data-001/config.toml", "[run]\n");
        let more = [&files[..], &[run, ("runs/data-001/metrics.jsonl", "{}")]].concat();
        assert_eq!(fingerprint_of(&files), fingerprint_of(&more));
    }

    #[test]
    fn fingerprints_idx_files_and_built_in_sets() {
        let before = fingerprint_of(&[
            ("train-images-idx3-ubyte", "xx"),
            ("train-labels-idx1-ubyte.gz", "y"),
        ]);
        assert_eq!((before.files, before.bytes), (2, 3));
        let demo = |name| fingerprint(name, &options(4)).unwrap();
        assert_ne!(demo("demo:spirals"), demo("demo:cats-dogs"));
    }
}
