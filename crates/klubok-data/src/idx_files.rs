//! Finds IDX files by name: MNIST and its relatives share one naming pattern.
//!
//! `[SET-]PART-images-idx3-ubyte[.gz]` and `[SET-]PART-labels-idx1-ubyte[.gz]`. PART is `train`,
//! `t10k` or another split name; `-`, `.` and `_` are equivalent. The files may lie some folders
//! deeper, as in torchvision's `MNIST/raw`.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use super::{
    DataError, LeftOut, Part,
    names::{display_name, is_system_folder, looks_like_picture},
    quoted,
    tree::Tree,
};
use crate::error::Result;

/// Maximum depth of the search.
const MAX_DEPTH: usize = 3;
/// Maximum sibling folders that are searched.
const MAX_FOLDERS: usize = 16;
/// Maximum entries of a folder that are searched: IDX data sets have few files.
const MAX_ENTRIES: usize = 4096;
/// Maximum ignored files that are listed by name. More are only counted.
const MAX_LISTED: usize = 64;

/// Value types in the last word of a name.
const VALUE_TYPES: [&str; 6] = ["ubyte", "byte", "short", "int", "float", "double"];

/// A file with its parsed name.
struct Named {
    /// The prefix before the split, such as `emnist-letters`.
    set: String,
    part: Part,
    is_images: bool,
    /// The name without the words that distinguish pictures from labels. Files of the same form
    /// belong together.
    form: String,
    path: PathBuf,
}

/// The IDX files in a folder.
pub(super) struct Files {
    /// Their folder.
    pub(super) folder: PathBuf,
    named: Vec<Named>,
}

impl Files {
    /// Finds the IDX files in a folder, or below one without pictures. Empty if there are none.
    pub(super) fn find(folder: &Path) -> Vec<Files> {
        let here = Self::in_folder(folder);
        if !here.named.is_empty() {
            return vec![here];
        }
        let mut found = Vec::new();
        match below(folder, MAX_DEPTH, &mut found) {
            Some(()) => found,
            None => Vec::new(),
        }
    }

    fn in_folder(folder: &Path) -> Files {
        let entries = fs_err::read_dir(folder).into_iter().flatten().flatten();
        let mut named: Vec<Named> = entries.filter_map(|entry| Named::of(&entry.path())).collect();
        // Plain files before gzipped ones.
        named.sort_by_key(|file| {
            (file.path.extension().is_some_and(|e| e == "gz"), file.path.clone())
        });
        Files { folder: folder.into(), named }
    }

    /// Returns the files of the single data set found.
    ///
    /// # Errors
    /// [`DataError::IdxSeveral`] when there are several sets.
    pub(super) fn only(source: &Path) -> Result<Files> {
        let path = source.display().to_string();
        let found = Self::find(source);
        let several = |sets| Err(DataError::IdxSeveral { path: path.clone(), sets });
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

    /// Returns true if this split has a picture file.
    pub(super) fn has(&self, part: Part) -> bool {
        self.of(part, true).next().is_some()
    }

    fn of(&self, part: Part, is_images: bool) -> impl Iterator<Item = &Named> {
        self.named.iter().filter(move |file| file.part == part && file.is_images == is_images)
    }

    /// Returns the picture file and the label file of a split: those of the same form, or the only
    /// two.
    ///
    /// # Errors
    /// [`DataError::IdxMissing`] when one is missing, [`DataError::IdxSeveral`] when the pairing is
    /// ambiguous.
    pub(super) fn pair(&self, part: Part) -> Result<(&Path, &Path)> {
        let path = || self.folder.display().to_string();
        let missing =
            |is_images| DataError::IdxMissing { path: path(), file: self.name_of(part, is_images) };
        let (images, labels) = (self.of(part, true), self.of(part, false));
        let (images, labels): (Vec<_>, Vec<_>) = (images.collect(), labels.collect());
        let mate = |image: &&Named| labels.iter().find(|label| label.form == image.form);
        let mates = images.iter().find_map(|image| Some((*image, *mate(image)?)));
        match (&images[..], &labels[..], mates) {
            (_, _, Some((image, label))) => Ok((&image.path, &label.path)),
            ([image], [label], None) => Ok((&image.path, &label.path)),
            ([], ..) => Err(missing(true)),
            (_, [], _) => Err(missing(false)),
            _ => {
                let files = images.iter().chain(&labels).filter_map(|file| file.path.file_name());
                let sets = quoted(&files.map(display_name).collect::<Vec<_>>());
                Err(DataError::IdxSeveral { path: path(), sets })
            }
        }
    }

    /// Returns the expected name of a missing file.
    fn name_of(&self, part: Part, is_images: bool) -> String {
        let stem = if part == Part::Test { "t10k" } else { part.name() };
        let set = self.named.first().map_or("", |file| &file.set);
        let dash = if set.is_empty() { "" } else { "-" };
        let kind = if is_images { "images-idx3-ubyte" } else { "labels-idx1-ubyte" };
        format!("{set}{dash}{stem}-{kind}")
    }
}

impl Named {
    /// Parses a file's name. None if it is not an IDX file.
    fn of(path: &Path) -> Option<Named> {
        let name = path.file_name()?.to_str()?.to_lowercase();
        let words: Vec<&str> = name.split(['-', '.', '_']).collect();
        let words = words.strip_suffix(&["gz"]).unwrap_or(&words);
        let [set @ .., part, kind, dimensions, values] = words else { return None };
        let is_idx = dimensions.strip_prefix("idx").is_some_and(|n| n.parse::<u8>().is_ok());
        let part = if *part == "t10k" { Some(Part::Test) } else { Part::of_word(part) }?;
        let is_images = *kind == "images";
        // Kaggle wraps each file in a folder of its name.
        let inner = path.join(path.file_name()?);
        let path = [path.to_owned(), inner].into_iter().find(|path| path.is_file())?;
        let of_kind = is_idx && VALUE_TYPES.contains(values) && (is_images || *kind == "labels");
        let form = name.replacen(kind, "", 1).replacen(dimensions, "", 1);
        of_kind.then(|| Named { set: set.join("-"), part, is_images, form, path })
    }
}

/// Adds the files below a folder. None if there are pictures or too many entries.
fn below(folder: &Path, depth: usize, found: &mut Vec<Files>) -> Option<()> {
    let mut folders = Vec::new();
    for (i, entry) in fs_err::read_dir(folder).ok()?.flatten().enumerate() {
        let path = entry.path();
        let is_folder = path.is_dir();
        if i >= MAX_ENTRIES
            || folders.len() > MAX_FOLDERS
            || (!is_folder && looks_like_picture(&path))
        {
            return None;
        }
        if is_folder && !is_system_folder(&entry.file_name()) {
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

/// Reports the folder of the files if they lie deeper, and the ignored files beside them.
pub(super) fn left_out(source: &Path, used: &BTreeSet<&Path>) -> Result<LeftOut> {
    let found = Files::find(source).into_iter().next();
    let below =
        found.and_then(|files| Some(files.folder.strip_prefix(source).ok()?.display().to_string()));
    let mut left = LeftOut {
        below: below.filter(|name| !name.is_empty()).into_iter().collect(),
        ..LeftOut::default()
    };
    // The ignored files may be too many or not accessible. That does not prevent reading the data.
    let Ok(tree) = Tree::read(source) else { return Ok(left) };
    left.loose = tree.folder(0).pictures.len() as u64;
    let folder = |at| (tree.folder(at).name.clone(), tree.folder(at).picture_count);
    left.folders = tree.with_pictures(0).into_iter().map(folder).collect();
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

/// Counts a folder's unused files other than pictures. Lists those whose names contain `idx`.
fn count_files(folder: &Path, used: &BTreeSet<&Path>, left: &mut LeftOut) -> Result<()> {
    for entry in fs_err::read_dir(folder)? {
        let (path, entry_name) = {
            let entry = entry?;
            (entry.path(), entry.file_name())
        };
        let name = display_name(&entry_name);
        if used.contains(path.as_path()) || name.starts_with('.') || !path.is_file() {
            continue;
        }
        if name.to_lowercase().contains("idx") && left.beside.len() < MAX_LISTED {
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
    fn parses_the_names_of_mnist_relatives() {
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
    fn pairs_pictures_and_labels_of_the_same_form() {
        let (images, labels) = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte");
        let pair = |names: &[&str]| {
            let files = found(names)?;
            let (images, labels) = files.pair(Part::Train)?;
            let name = |path: &Path| display_name(path.file_name().unwrap());
            Ok::<_, crate::DataError>((name(images), name(labels)))
        };
        let (packed, of_packed) = (format!("{images}.gz"), format!("{labels}.gz"));
        let packed = [packed.as_str(), &of_packed];
        // An unpacked file of another set, or a second download.
        for name in [images.to_owned(), format!("{images} (1).gz")] {
            let files = [&packed[..], &[&name]].concat();
            assert_eq!(pair(&files).unwrap(), (packed[0].into(), packed[1].into()), "{name}");
        }
        let both = [&packed[..], &[images, labels]].concat();
        assert_eq!(pair(&both).unwrap(), (images.into(), labels.into()), "the plain ones first");
        // A single picture file and a single label file pair up in any form.
        assert!(pair(&[images, &of_packed]).is_ok());
        let unclear = [images, "train-images.idx3-ubyte", &of_packed];
        let refused = pair(&unclear).unwrap_err().to_string();
        assert!(refused.contains("several sets: `train-images-idx3-ubyte`,"), "{refused}");
        assert!(pair(&[labels]).unwrap_err().to_string().contains("has no `train-images"));
    }

    #[test]
    fn finds_files_in_subfolders() {
        for prefix in ["raw/", "MNIST/raw/", "emnist/gzip/", "train-images-idx3-ubyte/"] {
            let files = found(&[&format!("{prefix}train-images-idx3-ubyte"), "notes.txt"]).unwrap();
            assert!(files.has(Part::Train), "{prefix}");
        }
        assert!(!found(&["a/train-images-idx3-ubyte", "b/1.jpg"]).unwrap().has(Part::Train));
        assert!(!found(&["a/b/c/d/train-images-idx3-ubyte"]).unwrap().has(Part::Train));
    }

    #[test]
    fn rejects_several_sets() {
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
