//! What the data looks like from outside: names and sizes of its files, without reading one.
//!
//! A run keeps it, so that `resume` can tell that the data is no longer the same.

use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_128;

use super::{OpenOptions, SourceKind, idx, kind_of, list};
use crate::error::Result;

/// Number, size and names of the files of the data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fingerprint {
    /// Number of files; 0 for a built-in set.
    pub files: u64,
    /// Bytes of all files together.
    pub bytes: u64,
    /// XXH3 (128 bits, hexadecimal) of the names below the data folder and the sizes, in order.
    pub hash: String,
}

impl Fingerprint {
    /// In one sentence how the files `now` differ from these, or nothing when they do not.
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

/// Takes the fingerprint of the data and of the parts given apart.
///
/// # Errors
/// When folders or files that are needed are missing, as in [`super::open`].
pub fn fingerprint(source: &str, options: &OpenOptions) -> Result<Fingerprint> {
    let files = match kind_of(source)? {
        SourceKind::Pictures => {
            let listing = list::list(source.as_ref(), options)?;
            listing.files.into_iter().map(|file| (file.name, file.path)).collect()
        }
        SourceKind::Idx => idx_files(source, options)?,
        SourceKind::Demo => {
            let hash = format!("{:032x}", XxHash3_128::oneshot(source.as_bytes()));
            return Ok(Fingerprint { files: 0, bytes: 0, hash });
        }
    };
    let mut hasher = XxHash3_128::new();
    let mut total: u64 = 0;
    for (name, path) in &files {
        // A link that leads nowhere counts as empty: reading will say more about it.
        let bytes = path.metadata().map_or(0, |m| m.len());
        hasher.write(name.as_bytes());
        // No file name holds a zero byte, so that no two listings read the same.
        hasher.write(&[0]);
        hasher.write(&bytes.to_le_bytes());
        total = total.saturating_add(bytes);
    }
    let hash = format!("{:032x}", hasher.finish_128());
    Ok(Fingerprint { files: files.len() as u64, bytes: total, hash })
}

/// What some rows are, by their contents, in whatever order: XXH3 (128 bits, hexadecimal) of their
/// sorted hashes.
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

    fn taken(folder: &tempfile::TempDir) -> Fingerprint {
        fingerprint(folder.path().to_str().unwrap(), &options(4)).unwrap()
    }

    fn made(files: &[(&str, &str)]) -> Fingerprint {
        taken(&folder(files))
    }

    #[test]
    fn the_same_files_anywhere_have_the_same_fingerprint() {
        let files = [("a/1.png", "xx"), ("b/1.png", "yyy"), ("notes.txt", "")];
        let print = made(&files);
        assert_eq!((print.files, print.bytes), (2, 5));
        assert_eq!(print, made(&files));
        assert_eq!(print.difference(&print), None);
    }

    #[test]
    fn a_difference_is_said() {
        let print = made(&[("a/1.png", "xx"), ("b/1.png", "yyy")]);
        let more = made(&[("a/1.png", "xx"), ("b/1.png", "yyy"), ("b/2.png", "")]);
        assert_eq!(
            print.difference(&more).unwrap(),
            "there were 2 files of 5 bytes together, now there are 3 of 5"
        );
        let renamed = made(&[("a/1.png", "xx"), ("b/2.png", "yyy")]);
        let words = "there are 2 files as before, but names or sizes changed";
        assert_eq!(print.difference(&renamed).unwrap(), words);
        let resized = made(&[("a/1.png", "xxx"), ("b/1.png", "yy")]);
        assert_eq!(print.difference(&resized).unwrap(), words);
        let moved = made(&[("a/1.png", "xx"), ("a/2.png", "yyy")]);
        assert_eq!(print.difference(&moved).unwrap(), words);
    }

    #[test]
    fn parts_given_apart_count() {
        let (data, val) = (folder(&[("a/1.png", "xx")]), folder(&[("a/1.png", "y")]));
        let options = OpenOptions { val: Some(val.path().into()), ..options(4) };
        let print = fingerprint(data.path().to_str().unwrap(), &options).unwrap();
        assert_eq!((print.files, print.bytes), (2, 3));
    }

    #[test]
    fn a_run_in_the_data_changes_nothing() {
        let files = [("a/1.png", "xx"), ("b/1.png", "yyy")];
        let run = ("runs/data-001/config.toml", "[run]\n");
        let more = [&files[..], &[run, ("runs/data-001/metrics.jsonl", "{}")]].concat();
        assert_eq!(made(&files), made(&more));
    }

    #[test]
    fn idx_files_and_built_in_sets_have_one() {
        let print = made(&[("train-images-idx3-ubyte", "xx"), ("train-labels-idx1-ubyte.gz", "y")]);
        assert_eq!((print.files, print.bytes), (2, 3));
        let demo = |name| fingerprint(name, &options(4)).unwrap();
        assert_ne!(demo("demo:spirals"), demo("demo:cats-dogs"));
    }
}
