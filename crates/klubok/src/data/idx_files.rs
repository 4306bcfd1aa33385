//! Which files of a folder are IDX: MNIST and its relatives have one pattern for their names.
//!
//! `[SET-]PART-images-idx3-ubyte[.gz]` and `[SET-]PART-labels-idx1-ubyte[.gz]`; PART is `train`, `t10k` or another name
//! of a part, `-`, `.` and `_` mean the same. They may lie some folders deeper, as in torchvision's `MNIST/raw`.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use super::{
    DataError, LeftOut, Part,
    names::{is_of_system, looks_like_picture, shown},
    quoted,
    tree::Tree,
};
use crate::error::Result;

/// Folders in folders that are looked through.
const DEPTH: usize = 3;
/// Folders beside each other that are looked through, and entries of each: there are few files of IDX.
const FOLDERS: usize = 16;
const ENTRIES: usize = 4096;
/// Files beside those used that are named; more are counted only.
const BESIDE: usize = 64;

/// A file by its name.
struct Named {
    /// What stands before the part, such as `emnist-letters`.
    set: String,
    part: Part,
    is_images: bool,
    path: PathBuf,
}

/// The IDX files of a folder.
pub(super) struct Files {
    /// The folder that they lie in.
    pub(super) folder: PathBuf,
    named: Vec<Named>,
}

impl Files {
    /// Finds the IDX files in a folder, or below one that holds no pictures; nothing when there are none.
    pub(super) fn find(folder: &Path) -> Vec<Files> {
        let here = Self::in_folder(folder);
        if !here.named.is_empty() {
            return vec![here];
        }
        let mut found = Vec::new();
        match below(folder, DEPTH, &mut found) {
            Some(()) => found,
            None => Vec::new(),
        }
    }

    fn in_folder(folder: &Path) -> Files {
        let entries = fs_err::read_dir(folder).into_iter().flatten().flatten();
        let mut named: Vec<Named> = entries.filter_map(|entry| Named::of(&entry.path())).collect();
        // The plain file before the packed one.
        named.sort_by_key(|file| {
            (file.path.extension().is_some_and(|e| e == "gz"), file.path.clone())
        });
        Files { folder: folder.into(), named }
    }

    /// The only files that are found, of one set.
    ///
    /// # Errors
    /// [`DataError::IdxSeveral`] when there are more.
    pub(super) fn only(source: &Path) -> Result<Files> {
        let path = source.display().to_string();
        let found = Self::find(source);
        let several = |sets| Err(DataError::IdxSeveral { path: path.clone(), sets }.into());
        let sets: BTreeSet<&str> =
            found.iter().flat_map(|files| &files.named).map(|file| file.set.as_str()).collect();
        if sets.len() > 1 {
            let name = |set: &&str| if set.is_empty() { "train" } else { *set }.to_owned();
            return several(quoted(&sets.iter().map(name).collect::<Vec<_>>()));
        }
        if found.len() > 1 {
            let folders = found.iter().map(|files| files.folder.display().to_string());
            return several(quoted(&folders.collect::<Vec<_>>()));
        }
        Ok(found.into_iter().next().unwrap_or(Files { folder: source.into(), named: Vec::new() }))
    }

    /// True when there are pictures of this part.
    pub(super) fn has(&self, part: Part) -> bool {
        self.file(part, true).is_some()
    }

    /// The pictures or the labels of a part.
    pub(super) fn file(&self, part: Part, is_images: bool) -> Option<&Path> {
        let is_it = |file: &&Named| file.part == part && file.is_images == is_images;
        self.named.iter().find(is_it).map(|file| file.path.as_path())
    }

    /// What the name of a missing file would be.
    pub(super) fn name_of(&self, part: Part, is_images: bool) -> String {
        let stem = if part == Part::Test { "t10k" } else { part.name() };
        let set = self.named.first().map_or("", |file| &file.set);
        let dash = if set.is_empty() { "" } else { "-" };
        let kind = if is_images { "images-idx3-ubyte" } else { "labels-idx1-ubyte" };
        format!("{set}{dash}{stem}-{kind}")
    }
}

impl Named {
    /// What a file's name says, if it is that of an IDX file.
    fn of(path: &Path) -> Option<Named> {
        let name = path.file_name()?.to_str()?.to_lowercase();
        let words: Vec<&str> = name.split(['-', '.', '_']).collect();
        let words = words.strip_suffix(&["gz"]).unwrap_or(&words);
        let [set @ .., part, kind, dimensions, _] = words else { return None };
        let is_idx = dimensions.strip_prefix("idx").is_some_and(|n| n.parse::<u8>().is_ok());
        let part = if *part == "t10k" { Some(Part::Test) } else { Part::of_word(part) }?;
        let is_images = *kind == "images";
        // Kaggle wraps each file in a folder of its name.
        let inner = path.join(path.file_name()?);
        let path = [path.to_owned(), inner].into_iter().find(|path| path.is_file())?;
        let of_kind = is_idx && (is_images || *kind == "labels");
        of_kind.then(|| Named { set: set.join("-"), part, is_images, path })
    }
}

/// Adds what lies below a folder; nothing is returned when there are pictures or too much else.
fn below(folder: &Path, depth: usize, found: &mut Vec<Files>) -> Option<()> {
    let mut folders = Vec::new();
    for (i, entry) in fs_err::read_dir(folder).ok()?.flatten().enumerate() {
        let path = entry.path();
        let is_folder = path.is_dir();
        if i >= ENTRIES || folders.len() > FOLDERS || (!is_folder && looks_like_picture(&path)) {
            return None;
        }
        if is_folder && !is_of_system(&entry.file_name()) {
            folders.push(path);
        }
    }
    folders.sort();
    for folder in folders.iter().filter(|_| depth > 0) {
        let files = Files::in_folder(folder);
        if files.named.is_empty() {
            below(folder, depth - 1, found)?;
        } else {
            found.push(files);
        }
    }
    Some(())
}

/// Says where the files are when they lie deeper, and what lies there beside them.
pub(super) fn left_out(source: &Path, used: &BTreeSet<&Path>) -> Result<LeftOut> {
    let found = Files::find(source).into_iter().next();
    let below =
        found.and_then(|files| Some(files.folder.strip_prefix(source).ok()?.display().to_string()));
    let mut left = LeftOut {
        below: below.filter(|name| !name.is_empty()).into_iter().collect(),
        ..LeftOut::default()
    };
    // What lies beside may be too much, or closed to us: that is no reason not to read what was found.
    let Ok(tree) = Tree::read(source) else { return Ok(left) };
    left.loose = tree.folder(0).pictures.len() as u64;
    let folder = |at| (tree.folder(at).name.clone(), tree.folder(at).holds);
    left.folders = tree.holding(0).into_iter().map(folder).collect();
    for at in tree.below(0) {
        let folder = tree.folder(at);
        let has_data = used.iter().any(|file| file.parent() == Some(&folder.path));
        left.add(&LeftOut {
            files: if has_data { BTreeMap::new() } else { folder.left.files.clone() },
            ..folder.left.clone()
        });
        if has_data {
            count_files(&folder.path, used, &mut left)?;
        }
    }
    left.beside.sort();
    Ok(left)
}

/// Counts the files of a folder that are not used and no pictures; those whose names speak of IDX are named.
fn count_files(folder: &Path, used: &BTreeSet<&Path>, left: &mut LeftOut) -> Result<()> {
    for entry in fs_err::read_dir(folder)? {
        let (path, entry_name) = {
            let entry = entry?;
            (entry.path(), entry.file_name())
        };
        let name = shown(&entry_name);
        if used.contains(path.as_path()) || name.starts_with('.') || !path.is_file() {
            continue;
        }
        if name.to_lowercase().contains("idx") && left.beside.len() < BESIDE {
            left.beside.push(name);
        } else if !looks_like_picture(&path) {
            left.file(&path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{super::fixtures::*, *};

    fn found(names: &[&str]) -> Result<Files> {
        let files: Vec<(&str, &str)> = names.iter().map(|name| (*name, "")).collect();
        Files::only(folder(&files).path())
    }

    #[test]
    fn names_of_relatives_are_known() {
        for (name, set, part, is_images) in [
            ("train-images-idx3-ubyte", "", Part::Train, true),
            ("train-images.idx3-ubyte", "", Part::Train, true),
            ("t10k-labels-idx1-ubyte.gz", "", Part::Test, false),
            ("test-labels.idx1-ubyte.gz", "", Part::Test, false),
            ("emnist-letters-train-images-idx3-ubyte.gz", "emnist-letters", Part::Train, true),
            ("emnist-balanced-test-labels-idx1-ubyte", "emnist-balanced", Part::Test, false),
            ("qmnist-train-labels-idx2-int", "qmnist", Part::Train, false),
            ("val-images-idx3-ubyte", "", Part::Val, true),
        ] {
            let folder = folder(&[(name, "")]);
            let named = Named::of(&folder.path().join(name)).unwrap();
            assert_eq!((named.set.as_str(), named.part, named.is_images), (set, part, is_images));
        }
        for name in ["train-images.zip", "images-idx3-ubyte", "emnist-letters-mapping.txt", "cat"] {
            let folder = folder(&[(name, "")]);
            assert!(Named::of(&folder.path().join(name)).is_none(), "{name}");
        }
    }

    #[test]
    fn they_may_lie_deeper() {
        for prefix in ["raw/", "MNIST/raw/", "emnist/gzip/", "train-images-idx3-ubyte/"] {
            let files = found(&[&format!("{prefix}train-images-idx3-ubyte"), "notes.txt"]).unwrap();
            assert!(files.has(Part::Train), "{prefix}");
        }
        assert!(!found(&["a/train-images-idx3-ubyte", "b/1.jpg"]).unwrap().has(Part::Train));
        assert!(!found(&["a/b/c/d/train-images-idx3-ubyte"]).unwrap().has(Part::Train));
    }

    #[test]
    fn several_sets_are_refused() {
        let refused = |names| found(names).err().unwrap().to_string();
        let two = refused(&[
            "emnist-letters-train-images-idx3-ubyte",
            "emnist-digits-train-images-idx3-ubyte",
        ]);
        assert!(two.ends_with("holds several sets: `emnist-digits`, `emnist-letters`"), "{two}");
        let two =
            refused(&["MNIST/raw/train-images-idx3-ubyte", "Fashion/raw/train-images-idx3-ubyte"]);
        assert!(two.contains("Fashion/raw`") && two.contains("MNIST/raw`"), "{two}");
    }
}
