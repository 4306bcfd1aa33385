//! Lists the picture files with their splits and classes, without reading any.
//!
//! `DATA/cat/1.jpg` or `DATA/train/cat/1.jpg`: [`layout`](super::layout) decides which folders are
//! splits and classes. A class folder's pictures may lie at any depth. Hidden files and system
//! folders are skipped; everything else that is not used is counted. The order is the byte order of
//! the names.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use super::{
    DataError, LeftOut, OpenOptions, Part,
    class_check::copies,
    contents::class_root,
    known_classes,
    layout::{self, Reading, no_train_part},
    names::display_name,
    tree::Tree,
};
use crate::{error::Result, settings::Layout};

/// A picture file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct File {
    /// Its full path.
    pub(super) path: PathBuf,
    /// Its path below the data folder with `/` between the names (below `--val PATH`: `val/` and
    /// that path).
    pub(super) name: String,
    /// Index of its class.
    pub(super) class: u32,
    /// Its split.
    pub(super) part: Part,
}

/// All picture files of a data set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Listing {
    /// Class names: the training set's in byte order, or the model's.
    pub(super) classes: Vec<String>,
    /// The files of training, validation and test set, each in byte order of names.
    pub(super) files: Vec<File>,
    /// Ignored files and folders.
    pub(super) left_out: LeftOut,
}

/// Lists the pictures of `source` and of separately given splits.
pub(super) fn list(source: &Path, options: &OpenOptions) -> Result<Listing> {
    let mut listing = Listing::default();
    listing.add_source(source, options)?;
    for (part, path) in options.separate() {
        listing.add_separate(path, part)?;
    }
    listing.files.sort_by(|a, b| (a.part, &a.name).cmp(&(b.part, &b.name)));
    listing.left_out.folders.sort();
    Ok(listing)
}

/// The class folders of a split.
struct Root<'a> {
    tree: &'a Tree,
    /// Their parent folder.
    at: usize,
    part: Part,
    /// The split is given separately: names begin with it and continue below `at`.
    separate: bool,
    /// Every folder is a class, whatever it contains.
    all: bool,
}

impl Listing {
    fn add_source(&mut self, source: &Path, options: &OpenOptions) -> Result<()> {
        let tree = Tree::read(source)?;
        let trains = options.known.is_none();
        self.classes = options.known.as_ref().map_or_else(Vec::new, |known| known.outputs.clone());
        let Reading { at, parts } =
            layout::read(&tree, options.data.layout, (!trains).then_some(&self.classes))?;
        self.descend(&tree, 0, at);
        let all = options.data.layout == Layout::Classes;
        let root = |part, at| Root { tree: &tree, at, part, separate: false, all };
        let Some(mut parts) = parts else {
            return self.add_part(&root(Part::Train, at), trains);
        };
        let all: Vec<usize> = parts.iter().map(|(_, at)| *at).collect();
        self.ignore_except(&tree, at, &all);
        if trains && !parts.iter().any(|(part, _)| *part == Part::Train) {
            return Err(no_train_part(&tree, at));
        }
        parts.retain(|(part, _)| options.separate().all(|(separate, _)| separate != *part));
        check_once(&tree, at, &parts)?;
        let mut wrapper = None;
        for (part, folder) in parts {
            let is_first = trains && part == Part::Train;
            let classes = class_root(&tree, folder, (!is_first).then_some(&self.classes));
            // Kaggle's test pictures have no classes. Training ignores them.
            if !is_first && self.has_no_classes(&tree, classes, wrapper) {
                if trains {
                    self.ignore_folder(&tree, folder);
                    continue;
                }
                // Evaluating a network on other splits instead would answer another question.
                let path = tree.folder(classes).path.display().to_string();
                return Err(DataError::NoClasses { path, found: tree.describe_files(classes) });
            }
            wrapper = wrapper.or((is_first && classes != folder).then(|| tree.last_name(classes)));
            self.descend(&tree, folder, classes);
            self.add_part(&root(part, classes), is_first)?;
        }
        Ok(())
    }

    /// Returns true if a split has only loose pictures, or a single folder of them that is not a
    /// class: one with the split's name, a generic name, or the name of the training set's wrapper
    /// folder.
    fn has_no_classes(&self, tree: &Tree, part: usize, wrapper: Option<&str>) -> bool {
        match tree.with_pictures(part)[..] {
            [] => true,
            [only] => {
                let name = tree.last_name(only);
                let wraps = wrapper == Some(name)
                    || name == tree.last_name(part)
                    || Part::is_generic_name(name);
                wraps
                    && tree.with_pictures(only).is_empty()
                    && !self.classes.iter().any(|c| c == name)
            }
            _ => false,
        }
    }

    /// Adds a separately given split: the path itself, or in a split folder its split of that name,
    /// else its `train`.
    fn add_separate(&mut self, path: &Path, part: Part) -> Result<()> {
        let tree = Tree::read(path)?;
        let Reading { mut at, parts } = layout::read(&tree, Layout::Names, Some(&self.classes))?;
        if let Some(parts) = parts {
            let of = |part| parts.iter().copied().filter(move |(other, _)| *other == part);
            let used: Vec<_> =
                if of(part).next().is_some() { of(part) } else { of(Part::Train) }.collect();
            let Some(&(_, folder)) = used.first() else {
                return Err(no_train_part(&tree, at));
            };
            check_once(&tree, at, &used)?;
            // Its other splits do not count as ignored.
            let all: Vec<usize> = parts.iter().map(|(_, at)| *at).collect();
            self.ignore_beside_path(&tree, 0, at);
            self.ignore_except(&tree, at, &all);
            at = class_root(&tree, folder, Some(&self.classes));
            self.ignore_beside_path(&tree, folder, at);
        }
        self.add_part(&Root { tree: &tree, at, part, separate: true, all: false }, false)
    }

    /// Adds the pictures of a split. The first split defines the classes.
    fn add_part(&mut self, root: &Root<'_>, names_classes: bool) -> Result<()> {
        let Root { tree, at, .. } = *root;
        let (path, mut folders) =
            (tree.folder(at).path.display().to_string(), tree.with_pictures(at));
        if tree.children(at).is_empty() {
            return Err(DataError::NoClasses { path, found: tree.describe_files(at) });
        }
        if folders.is_empty() {
            return Err(DataError::NoPictures { path, found: tree.describe_files(at) });
        }
        // A copy of the classes beside it is not a class, unless the layout or a network's classes
        // include it.
        if !(names_classes && root.all) {
            let copies = copies(tree, &folders);
            let known: BTreeSet<&str> = self.classes.iter().map(String::as_str).collect();
            let is_known = |at: &usize| !names_classes && known.contains(tree.last_name(*at));
            folders.retain(|at| !copies.contains(at) || is_known(at));
        }
        if names_classes {
            // Ignores an empty folder beside two classes, but keeps it beside one so that it is
            // reported.
            if folders.len() < 2 {
                folders = tree.children(at).to_vec();
            }
            self.classes = folders.iter().map(|&at| tree.last_name(at).to_owned()).collect();
        }
        self.ignore_except(tree, at, &folders);
        let numbers: BTreeMap<&str, u32> =
            self.classes.iter().map(String::as_str).zip(0..).collect();
        let number = |&folder: &usize| {
            let class = tree.last_name(folder);
            let unknown = || {
                let known = known_classes(class, &self.classes);
                let path = tree.folder(folder).path.display().to_string();
                DataError::UnknownClass { path, class: class.into(), known }
            };
            numbers.get(class).copied().ok_or_else(unknown)
        };
        let numbers = folders.iter().map(number).collect::<std::result::Result<Vec<_>, _>>()?;
        for (folder, number) in folders.into_iter().zip(numbers) {
            for below in tree.below(folder) {
                self.add_files(root, below, number);
            }
        }
        Ok(())
    }

    fn add_files(&mut self, root: &Root<'_>, at: usize, class: u32) {
        let Root { tree, part, .. } = *root;
        let (folder, root_name) = (tree.folder(at), &tree.folder(root.at).name);
        let prefix = match folder.name.strip_prefix(root_name.as_str()) {
            Some(below) if root.separate => {
                format!("{}/{}", part.name(), below.trim_start_matches('/'))
            }
            _ => folder.name.clone(),
        };
        self.files.extend(folder.pictures.iter().map(|name| File {
            path: folder.path.join(name),
            name: format!("{prefix}/{}", display_name(name)),
            class,
            part,
        }));
        self.left_out.add(&folder.left);
    }

    /// Ignores everything beside the path down to a folder.
    fn ignore_beside_path(&mut self, tree: &Tree, from: usize, to: usize) {
        let mut at = to;
        while let Some(parent) = tree.parent(at).filter(|_| at != from) {
            self.ignore_except(tree, parent, &[at]);
            at = parent;
        }
    }

    /// Descends to the folder with the data.
    fn descend(&mut self, tree: &Tree, from: usize, to: usize) {
        self.ignore_beside_path(tree, from, to);
        if from != to {
            self.left_out.below.push(tree.folder(to).name.clone());
        }
    }

    /// Counts a folder's entries other than the used folders.
    fn ignore_except(&mut self, tree: &Tree, at: usize, used: &[usize]) {
        let (folder, used) = (tree.folder(at), BTreeSet::from_iter(used));
        self.left_out.loose += folder.pictures.len() as u64;
        self.left_out.add(&folder.left);
        for &child in tree.children(at).iter().filter(|at| !used.contains(at)) {
            self.ignore_folder(tree, child);
        }
    }

    fn ignore_folder(&mut self, tree: &Tree, at: usize) {
        let folder = tree.folder(at);
        self.left_out.folders.push((folder.name.clone(), folder.picture_count));
    }
}

/// Checks that no split has two folders.
fn check_once(tree: &Tree, at: usize, parts: &[(Part, usize)]) -> Result<()> {
    let Some(two) = parts.windows(2).find(|two| two[0].0 == two[1].0) else { return Ok(()) };
    let [first, second] = [two[0].1, two[1].1].map(|at| tree.last_name(at).to_owned());
    let path = tree.folder(at).path.display().to_string();
    Err(DataError::DuplicatePart { path, first, second, part: two[0].0 })
}

#[cfg(test)]
mod tests {
    use klubok_nn::plan::Picture;

    use super::{super::fixtures::*, *};
    use crate::KnownModel;
    use klubok_model::{Fit, Input, Preprocessing};

    fn names(folder: &tempfile::TempDir, options: &OpenOptions) -> Vec<String> {
        let listing = list(folder.path(), options).unwrap();
        listing
            .files
            .into_iter()
            .map(|file| format!("{}:{}", file.part.name(), file.name))
            .collect()
    }

    fn listed(files: &[&str]) -> Vec<String> {
        let files: Vec<(&str, &[u8])> = files.iter().map(|name| (*name, &[][..])).collect();
        names(&folder(&files), &options(4))
    }

    #[test]
    fn files_are_in_byte_order() {
        let found = listed(&["cat/9.jpg", "cat/10.JPG", "cat-2/a.png", "Cat/é.gif", "Cat/z.gif"]);
        let expected = ["Cat/z.gif", "Cat/é.gif", "cat-2/a.png", "cat/10.JPG", "cat/9.jpg"];
        assert_eq!(found, expected.map(|name| format!("train:{name}")));
    }

    #[test]
    fn finds_pictures_at_any_depth_and_skips_other_files() {
        let found = listed(&[
            "cat/1.jpg",
            "cat/more/and/2.jpeg",
            "cat/.hidden.jpg",
            "cat/.cache/3.jpg",
            "cat/notes.txt",
            "cat/Thumbs.db",
            "cat/.DS_Store",
            "dog/4.webp",
            "dog/5.heic",
            ".git/6.jpg",
            "stray.jpg",
        ]);
        let expected = ["cat/1.jpg", "cat/more/and/2.jpeg", "dog/4.webp", "dog/5.heic"];
        assert_eq!(found, expected.map(|name| format!("train:{name}")));
    }

    #[test]
    fn splits_contain_class_folders() {
        let files = ["test/a/3.png", "train/a/1.png", "train/b/1.png", "valid/b/2.png"];
        let expected = [
            "train:train/a/1.png",
            "train:train/b/1.png",
            "val:valid/b/2.png",
            "test:test/a/3.png",
        ];
        assert_eq!(listed(&files), expected);
    }

    #[test]
    fn lists_and_counts_ignored_files() {
        let folder = folder(&[
            ("notes.txt", ""),
            ("cover.jpg", ""),
            ("seg_train/seg_train/a/1.png", ""),
            ("seg_train/seg_train/b/1.png", ""),
            ("seg_train/seg_train/b/1.webm", ""),
            ("seg_test/seg_test/a/1.png", ""),
            ("seg_test/seg_test/2.png", ""),
            ("seg_pred/seg_pred/1.png", ""),
            ("models/best.pt", ""),
            ("val/1.png", ""),
            ("__MACOSX/a/1.png", ""),
        ]);
        let Listing { files, left_out, .. } = list(folder.path(), &options(4)).unwrap();
        assert_eq!(files.len(), 3);
        let named: Vec<_> =
            left_out.folders.iter().map(|(n, pictures)| (n.as_str(), *pictures)).collect();
        assert_eq!(named, [("models", 0), ("seg_pred", 1), ("val", 1)]);
        assert_eq!(left_out.below, ["seg_train/seg_train", "seg_test/seg_test"]);
        assert_eq!(left_out.loose, 2);
        assert_eq!(left_out.files.keys().collect::<Vec<_>>(), ["txt", "webm"]);
        assert_eq!(left_out.system["__MACOSX"], 1);
    }

    #[test]
    fn folders_without_pictures_are_not_classes() {
        let files = [("a/1.png", ""), ("b/1.png", ""), ("logs/x.csv", ""), ("c/1.webm", "")];
        let folder = folder(&files);
        let listing = list(folder.path(), &options(4)).unwrap();
        assert_eq!(listing.classes, ["a", "b"]);
        assert_eq!(listing.left_out.folders, [("c".to_owned(), 0), ("logs".to_owned(), 0)]);
    }

    #[test]
    fn copies_of_the_classes_are_ignored() {
        let files = [
            ("pets/cat/1.png", ""),
            ("pets/dog/1.png", ""),
            ("pets/pets/cat/1.png", ""),
            ("pets/pets/dog/1.png", ""),
            ("pets/augmented/images/cat/1.png", ""),
            ("pets/augmented/images/dog/1.png", ""),
        ];
        let folder = folder(&files);
        let listing = list(folder.path(), &options(4)).unwrap();
        assert_eq!(listing.classes, ["cat", "dog"]);
        let left = [("pets/augmented".to_owned(), 2), ("pets/pets".to_owned(), 2)];
        assert_eq!(listing.left_out.folders, left);
        let mut all = options(4);
        all.data.layout = Layout::Classes;
        let listing = list(&folder.path().join("pets"), &all).unwrap();
        assert_eq!(listing.classes, ["augmented", "cat", "dog", "pets"]);
    }

    #[test]
    fn training_ignores_a_split_without_classes() {
        let train = ["final_train/images/a/1.png", "final_train/images/b/1.png"];
        for test in ["final_test/images/1.png", "final_test/1.png", "final_test/final_test/1.png"] {
            assert_eq!(listed(&[&train[..], &[test]].concat()).len(), 2, "{test}");
        }
    }

    #[test]
    fn evaluation_rejects_a_split_without_classes() {
        let folder = folder(&[
            ("x_train/a/1.png", ""),
            ("x_train/b/1.png", ""),
            ("x_test/x_test/1.png", ""),
        ]);
        let preprocessing = Preprocessing {
            input: Input::Pictures(Picture { width: 4, height: 4, channels: 1 }),
            fit: Fit::Squash,
            mean: vec![0.0],
            std: vec![1.0],
            target: None,
        };
        let known = Some(KnownModel {
            outputs: vec!["a".into(), "b".into()],
            kind: klubok_nn::network::OutputKind::Classes,
            preprocessing,
        });
        let message = error_message(&folder, &OpenOptions { known, ..options(4) });
        assert!(message.starts_with("`DATA/x_test` has no class folders"), "{message}");
    }

    #[test]
    fn reports_a_class_in_another_unicode_form() {
        let files =
            [("train/caf\u{e9}/1.png", ""), ("train/dog/1.png", ""), ("val/cafe\u{301}/1.png", "")];
        let message = error_message(&folder(&files), &options(4));
        assert!(message.contains("is written with other Unicode characters"), "{message}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn names_in_another_encoding_stay_distinct() {
        use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _};
        let folder = folder::<&str>(&[]);
        for class in [b"\xaa\xae\xe2", b"\xaf\xe5\xe1"] {
            for file in [&b"\xaa.png"[..], b"\xab.png"] {
                let path = folder.path().join(OsStr::from_bytes(class));
                fs_err::create_dir_all(&path).unwrap();
                fs_err::write(path.join(OsStr::from_bytes(file)), "").unwrap();
            }
        }
        let listing = list(folder.path(), &options(4)).unwrap();
        assert_eq!(listing.classes, [r"\xAA\xAE\xE2", r"\xAF\xE5\xE1"]);
        let names: Vec<_> =
            listing.files.iter().map(|file| (file.name.as_str(), file.class)).collect();
        assert_eq!(names[1], (r"\xAA\xAE\xE2/\xAB.png", 0));
        assert_eq!((names.len(), names[3].1), (4, 1));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn recognises_split_names_in_another_encoding() {
        use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _};
        let folder = folder::<&str>(&[]);
        // Windows-1251: "обучение", "тест".
        let (train, test) = (b"\xee\xe1\xf3\xf7\xe5\xed\xe8\xe5", b"\xf2\xe5\xf1\xf2");
        for part in [&train[..], &test[..]] {
            let path = folder.path().join(OsStr::from_bytes(part)).join("a");
            fs_err::create_dir_all(&path).unwrap();
            fs_err::write(path.join("1.png"), "").unwrap();
        }
        let names = names(&folder, &options(4));
        assert!(
            names[0].starts_with(r"train:\xEE") && names[1].starts_with(r"test:\xF2"),
            "{names:?}"
        );
    }

    #[test]
    fn a_separate_split_replaces_the_own_one() {
        let data = folder(&[("train/a/1.png", ""), ("val/a/2.png", ""), ("test/a/3.png", "")]);
        let flat = folder(&[("a/4.png", "")]);
        let parts = folder(&[("train/a/5.png", ""), ("val/a/6.png", ""), ("plots/1.png", "")]);
        let val =
            |path: &tempfile::TempDir| OpenOptions { val: Some(path.path().into()), ..options(4) };
        let rest = |val| ["train:train/a/1.png", val, "test:test/a/3.png"];
        assert_eq!(names(&data, &val(&flat)), rest("val:val/a/4.png"));
        assert_eq!(names(&data, &val(&parts)), rest("val:val/a/6.png"));
        let empty = folder(&[("1.png", "")]);
        assert!(error_message(&data, &val(&empty)).ends_with("such as `cat` and `dog`"));
        let test =
            |path: &tempfile::TempDir| OpenOptions { test: Some(path.path().into()), ..options(4) };
        assert_eq!(names(&data, &test(&parts))[2], "test:test/a/5.png");
        let left = list(data.path(), &test(&parts)).unwrap().left_out;
        assert_eq!(left.folders, [("plots".to_owned(), 1)], "what is not taken is named");
        let twice = folder(&[("train/a/1.png", ""), ("test1/a/5.png", ""), ("test2/a/6.png", "")]);
        let error = error_message(&data, &test(&twice));
        assert!(error.contains("`test1`") && error.contains("`test2`"), "{error}");
    }

    #[test]
    fn an_unknown_class_is_reported() {
        let files = [("train/cat/1.png", ""), ("train/dog/1.png", ""), ("val/bird/1.png", "")];
        let message = error_message(&folder(&files), &options(4));
        let words = "`DATA/val/bird` is a class `bird`, and the network knows only `cat`, `dog`";
        assert_eq!(message, words);
        // Empty folders are ignored.
        assert_eq!(listed(&["train/a/1.png", "val/a/1.png", "val/b/notes.txt"]).len(), 2);
    }

    #[test]
    fn unusable_folders_are_reported() {
        let files = |names: &[&str]| {
            let files: Vec<(&str, &str)> = names.iter().map(|name| (*name, "")).collect();
            error_message(&folder(&files), &options(4))
        };
        let no_classes = "`DATA` has no class folders";
        assert!(files(&[]).starts_with(no_classes));
        assert!(files(&["1.png", "2.png"]).starts_with(no_classes));
        let passed = files(&["a/1.ppm", "b/1.ppm", "b/2"]);
        let words = "files that are no pictures by their names: 3 (2 of .ppm, 1 without an ending)";
        assert!(passed.ends_with(words), "{passed}");
        assert!(files(&["mnist.npz"]).ends_with("their names: 1 (1 of .npz)"));
        let no_pictures = "the class folders of `DATA` hold no pictures";
        assert!(files(&["a/notes.txt", "b/.hidden.png"]).starts_with(no_pictures));
        assert!(files(&["train/1.png"]).starts_with("`DATA/train` has no class folders"));
        assert_eq!(
            files(&["val/a/1.png", "test/a/1.png"]),
            "`DATA` has no `train` part, only `val`, `test`"
        );
        let twice = files(&["train/a/1.png", "val/a/1.png", "validation/a/1.png"]);
        assert!(twice.contains("`val` and `validation`"), "{twice}");
    }

    #[cfg(unix)]
    #[test]
    fn follows_links_but_not_cycles() {
        use std::os::unix::fs::symlink;
        let folder = folder(&[("a/1.png", ""), ("b/1.png", "")]);
        let path = |name| folder.path().join(name);
        symlink(path("a"), path("a/again")).unwrap();
        symlink(path("b"), path("a/other")).unwrap();
        symlink(folder.path(), path("b/up")).unwrap();
        symlink(path("a/1.png"), path("b/2.png")).unwrap();
        symlink(path("nowhere"), path("b/3.png")).unwrap();
        let found = names(&folder, &options(4));
        let expected = ["a/1.png", "a/other/1.png", "b/1.png", "b/2.png", "b/3.png"];
        for name in expected {
            assert!(found.contains(&format!("train:{name}")), "{name} of {found:?}");
        }
        // Following a link upwards would put the pictures of `a` into `b`.
        assert!(!found.iter().any(|name| name.contains("b/up")), "{found:?}");
    }
}
