//! Which files of a folder are IDX: MNIST and its relatives have one pattern for their names.
//!
//! `[SET-]PART-images-idx3-ubyte[.gz]` and `[SET-]PART-labels-idx1-ubyte[.gz]`; PART is `train`,
//! `t10k` or another name of a part, `-`, `.` and `_` mean the same. They may lie some folders
//! deeper, as in torchvision's `MNIST/raw`.

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
/// Folders beside each other that are looked through, and entries of each: there are few files of
/// IDX.
const FOLDERS: usize = 16;
const ENTRIES: usize = 4096;
/// Files beside those used that are named; more are counted only.
const BESIDE: usize = 64;

/// What the last word of a name may say of the values.
const VALUES: [&str; 6] = ["ubyte", "byte", "short", "int", "float", "double"];

/// A file by its name.
struct Named {
    /// What stands before the part, such as `emnist-letters`.
    set: String,
    part: Part,
    is_images: bool,
    /// The name without what tells pictures from labels: those of one form go together.
    form: String,
    path: PathBuf,
}

/// The IDX files of a folder.
pub(super) struct Files {
    /// The folder that they lie in.
    pub(super) folder: PathBuf,
    named: Vec<Named>,
}

impl Files {
    /// Finds the IDX files in a folder, or below one that holds no pictures; nothing when there are
    /// none.
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

    /// True when there are pictures of this part.
    pub(super) fn has(&self, part: Part) -> bool {
        self.of(part, true).next().is_some()
    }

    fn of(&self, part: Part, is_images: bool) -> impl Iterator<Item = &Named> {
        self.named.iter().filter(move |file| file.part == part && file.is_images == is_images)
    }

    /// The pictures and the labels of a part: those whose names are alike, or all there are.
    ///
    /// # Errors
    /// [`DataError::IdxMissing`] without one of them, [`DataError::IdxSeveral`] where it is not
    /// clear which go together.
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
                let sets = quoted(&files.map(shown).collect::<Vec<_>>());
                Err(DataError::IdxSeveral { path: path(), sets })
            }
        }
    }

    /// What the name of a missing file would be.
    fn name_of(&self, part: Part, is_images: bool) -> String {
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
        let [set @ .., part, kind, dimensions, values] = words else { return None };
        let is_idx = dimensions.strip_prefix("idx").is_some_and(|n| n.parse::<u8>().is_ok());
        let part = if *part == "t10k" { Some(Part::Test) } else { Part::of_word(part) }?;
        let is_images = *kind == "images";
        // Kaggle wraps each file in a folder of its name.
        let inner = path.join(path.file_name()?);
        let path = [path.to_owned(), inner].into_iter().find(|path| path.is_file())?;
        let of_kind = is_idx && VALUES.contains(values) && (is_images || *kind == "labels");
        let form = name.replacen(kind, "", 1).replacen(dimensions, "", 1);
        of_kind.then(|| Named { set: set.join("-"), part, is_images, form, path })
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
    // What lies beside may be too much, or closed to us: that is no reason not to read what was
    // found.
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

/// Counts the files of a folder that are not used and no pictures; those whose names speak of IDX
/// are named.
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
    fn pictures_and_labels_of_one_form_go_together() {
        let (images, labels) = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte");
        let pair = |names: &[&str]| {
            let files = found(names)?;
            let (images, labels) = files.pair(Part::Train)?;
            let name = |path: &Path| shown(path.file_name().unwrap());
            Ok::<_, crate::DataError>((name(images), name(labels)))
        };
        let (packed, of_packed) = (format!("{images}.gz"), format!("{labels}.gz"));
        let packed = [packed.as_str(), &of_packed];
        // Of another set, unpacked beside the packed files of this one, or loaded again.
        for name in [images.to_owned(), format!("{images} (1).gz")] {
            let files = [&packed[..], &[&name]].concat();
            assert_eq!(pair(&files).unwrap(), (packed[0].into(), packed[1].into()), "{name}");
        }
        let both = [&packed[..], &[images, labels]].concat();
        assert_eq!(pair(&both).unwrap(), (images.into(), labels.into()), "the plain ones first");
        // Alone with each other they are a pair in any form.
        assert!(pair(&[images, &of_packed]).is_ok());
        let unclear = [images, "train-images.idx3-ubyte", &of_packed];
        let refused = pair(&unclear).unwrap_err().to_string();
        assert!(refused.contains("several sets: `train-images-idx3-ubyte`,"), "{refused}");
        assert!(pair(&[labels]).unwrap_err().to_string().contains("has no `train-images"));
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
