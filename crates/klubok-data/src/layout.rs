//! Decides which folders are splits, which are classes, and which are neither.
//!
//! Names and structure decide together: `train` beside `test` is a split, `train` beside `bus` and
//! `car` with only pictures in it is a class. `x_train` is a split if there is an `x_test`, or
//! another split with the same subfolders. Folders with the same subfolders and without split names
//! are not classes either. Ambiguity is never resolved by guessing: it is an error that shows the
//! readings, and `data.layout` chooses one.

use std::collections::BTreeSet;

use super::{
    DataError, Part,
    class_check::check_classes,
    contents::{
        class_root, is_known, looks_like_data, looks_like_parts, named_parts, names, part_of, rests,
    },
    names::is_non_data,
    tree::Tree,
};
use crate::{error::Result, settings::Layout};

/// How to read a folder.
pub(super) struct Reading {
    /// The folder of the splits or classes: the given folder or one below.
    pub(super) at: usize,
    /// The splits with their folders, in order. None if the folders are classes.
    pub(super) parts: Option<Vec<(Part, usize)>>,
}

/// Determines how to read the tree. `known` lists the known classes: a model's, or the training
/// set's when reading a separately given split.
///
/// # Errors
/// [`DataError::AmbiguousLayout`], [`DataError::PartsInClass`], [`DataError::UnevenDepth`],
/// [`DataError::NumberedFolders`], [`DataError::SameSubfolders`], [`DataError::NonDataFolders`].
pub(super) fn read(tree: &Tree, layout: Layout, known: Option<&[String]>) -> Result<Reading> {
    // A run's layout setting does not apply to other data for its model.
    let layout = if known.is_some() { Layout::Names } else { layout };
    let mut at = 0;
    while let Some(inner) = only_folder(tree, at, known).filter(|_| layout == Layout::Names) {
        at = inner;
    }
    let is_parts = match layout {
        Layout::Parts => true,
        Layout::Classes => false,
        Layout::Names => match known {
            Some(known) => are_parts_for(tree, at, known),
            None => are_parts(tree, at)?,
        },
    };
    let parts = is_parts.then(|| named_parts(tree, at));
    if layout == Layout::Names && known.is_none() {
        check_classes(tree, at, parts.as_deref())?;
    }
    Ok(Reading { at, parts })
}

/// Returns the error for a missing training set.
pub(super) fn no_train_part(tree: &Tree, at: usize) -> DataError {
    let path = |at: usize| tree.folder(at).path.display().to_string();
    let inside = tree.children(at);
    let train = inside.iter().find(|&&at| part_of(tree, at) == Some(Part::Train));
    if let Some(&empty) = train.filter(|&&at| tree.folder(at).picture_count == 0) {
        return DataError::NoPictures { path: path(empty), found: tree.describe_files(empty) };
    }
    let parts: Vec<usize> = named_parts(tree, at).into_iter().map(|(_, at)| at).collect();
    let found = names(tree, if parts.is_empty() { inside } else { &parts });
    let several = tree.with_pictures(at).len() > 1;
    DataError::NoTrainPart { path: path(at), found, several }
}

/// Returns the folder, or the only folder below it, that holds a training set with class folders, a
/// training set and another split, or a split beside loose pictures.
fn parts_below(tree: &Tree, at: usize) -> Option<usize> {
    let only = |&at: &usize| <[usize; 1]>::try_from(tree.with_pictures(at)).ok().map(|[only]| only);
    let train =
        |at: &usize| part_of(tree, *at) == Some(Part::Train) && tree.with_pictures(*at).len() > 1;
    let beside = |at: usize| {
        !tree.folder(at).pictures.is_empty()
            && tree.with_pictures(at).iter().any(|&at| part_of(tree, at).is_some())
    };
    std::iter::successors(Some(at), only).find(|&at| {
        looks_like_parts(tree, at) || tree.with_pictures(at).iter().any(train) || beside(at)
    })
}

/// Returns the single folder with pictures if it wraps the data and is not a class.
fn only_folder(tree: &Tree, at: usize, known: Option<&[String]>) -> Option<usize> {
    let [only] = tree.with_pictures(at)[..] else { return None };
    let is_data = match part_of(tree, only) {
        // A single `train` is a split.
        Some(_) => looks_like_parts(tree, only),
        None => looks_like_data(tree, only),
    };
    (is_data && !is_known(tree, only, known)).then_some(only)
}

/// Returns true if the folders are splits, for training.
fn are_parts(tree: &Tree, at: usize) -> Result<bool> {
    let (parts, children) = (named_parts(tree, at), tree.with_pictures(at));
    let named: BTreeSet<usize> = parts.iter().map(|(_, at)| *at).collect();
    let others: Vec<usize> = children.iter().copied().filter(|at| !named.contains(at)).collect();
    if parts.is_empty() {
        let flat = flat_parts(tree, &children);
        if !flat.is_empty() {
            return Err(ambiguous(tree, at, &flat, &others));
        }
        return match others.into_iter().find_map(|at| parts_below(tree, at)) {
            Some(class) => Err(parts_in_class(tree, at, class)),
            None => Ok(false),
        };
    }
    // Folders with a split name as prefix or suffix are splits if no other folder could be a class.
    let bare = parts.iter().all(|(_, at)| part_of(tree, *at).is_some());
    let classes = others.iter().any(|&at| bare || !is_non_data(tree.last_name(at)));
    if !classes {
        return Ok(true);
    }
    let has_classes = |at: usize| !tree.with_pictures(at).is_empty();
    let mut train = parts.iter().filter(|(part, _)| *part == Part::Train).peekable();
    let has_train = train.peek().is_some() && train.all(|&(_, at)| has_classes(at));
    let alone = parts.iter().all(|(part, _)| *part == Part::Train);
    match parts[..] {
        _ if has_train && !alone && bare => Ok(true),
        [(Part::Train, at)]
            if !has_classes(at) && tree.last_name(at).eq_ignore_ascii_case("train") =>
        {
            Ok(false)
        }
        _ => {
            let parts: Vec<usize> = parts.iter().map(|(_, at)| *at).collect();
            Err(ambiguous(tree, at, &parts, &others))
        }
    }
}

/// Returns folders named like a training set and another split of the same data, with only pictures
/// in them. They are hardly classes, and as splits they lack class folders.
fn flat_parts(tree: &Tree, folders: &[usize]) -> Vec<usize> {
    let named: Vec<_> = folders
        .iter()
        .filter_map(|&at| {
            Part::from_prefix_or_suffix(tree.last_name(at)).map(|(part, rest)| (part, rest, at))
        })
        .collect();
    let (has_train, others): (Vec<_>, Vec<_>) =
        named.into_iter().partition(|(part, ..)| *part == Part::Train);
    let both: BTreeSet<&str> = rests(&has_train).intersection(&rests(&others)).copied().collect();
    let all = has_train.iter().chain(&others).filter(|(_, rest, _)| both.contains(rest.as_str()));
    all.map(|(.., at)| *at).collect()
}

/// Returns the error that shows both readings.
fn ambiguous(tree: &Tree, at: usize, parts: &[usize], others: &[usize]) -> DataError {
    let named: BTreeSet<&usize> = parts.iter().collect();
    let others: Vec<usize> = others.iter().copied().filter(|at| !named.contains(at)).collect();
    DataError::AmbiguousLayout {
        path: tree.folder(at).path.display().to_string(),
        parts: names(tree, parts),
        others: if others.is_empty() { "others".into() } else { names(tree, &others) },
        has_train: has_train(tree, at),
    }
}

/// Returns true if the folders are splits, given the known classes.
fn are_parts_for(tree: &Tree, at: usize, known: &[String]) -> bool {
    let (parts, children) = (named_parts(tree, at), tree.with_pictures(at));
    let known_names: BTreeSet<&str> = known.iter().map(String::as_str).collect();
    let is_class = |at: &usize| known_names.contains(tree.last_name(*at));
    let above_classes =
        |at: usize| tree.with_pictures(class_root(tree, at, Some(known))).iter().any(is_class);
    if parts.is_empty() || children.iter().any(|at| is_class(at) && part_of(tree, *at).is_none()) {
        return false;
    }
    !parts.iter().all(|(_, at)| is_class(at)) || parts.iter().any(|(_, at)| above_classes(*at))
}

fn parts_in_class(tree: &Tree, at: usize, class: usize) -> DataError {
    let parts: Vec<usize> = named_parts(tree, class).into_iter().map(|(_, at)| at).collect();
    let path = |at: usize| tree.folder(at).path.display().to_string();
    let (has_train, parts) = (has_train(tree, class), names(tree, &parts));
    DataError::PartsInClass { path: path(at), class: path(class), parts, has_train }
}

/// Returns true if a folder has a training set with class folders, so its splits are usable.
fn has_train(tree: &Tree, at: usize) -> bool {
    named_parts(tree, at).into_iter().any(|(part, at)| {
        part == Part::Train && !tree.with_pictures(class_root(tree, at, None)).is_empty()
    })
}

#[cfg(test)]
mod tests {
    use super::{super::fixtures::*, *};

    /// The reading of these files: `PART:FOLDER`, or `FOLDER` if its folders are classes.
    fn reading(files: &[&str], layout: Layout, known: Option<&[&str]>) -> String {
        let files: Vec<(&str, &str)> = files.iter().map(|name| (*name, "")).collect();
        let folder = folder(&files);
        let tree = Tree::read(folder.path()).unwrap();
        let known: Option<Vec<String>> =
            known.map(|known| known.iter().map(|&k| k.into()).collect());
        match read(&tree, layout, known.as_deref()) {
            Err(error) => error.to_string().replace(folder.path().to_str().unwrap(), "DATA"),
            Ok(Reading { at, parts: None }) => format!("classes of /{}", tree.folder(at).name),
            Ok(Reading { parts: Some(parts), .. }) => {
                let root = |&(part, at): &(Part, usize)| {
                    let classes = class_root(&tree, at, known.as_deref());
                    format!("{}:{}", part.name(), tree.folder(classes).name)
                };
                parts.iter().map(root).collect::<Vec<_>>().join(" ")
            }
        }
    }

    #[track_caller]
    fn auto(files: &[&str], expected: &str) {
        assert_eq!(reading(files, Layout::Names, None), expected);
    }

    #[test]
    fn recognises_many_split_names() {
        for (files, expected) in [
            (["training/a/1.png", "testing/a/1.png"], "train:training test:testing"),
            (["training_set/a/1.png", "test_set/a/1.png"], "train:training_set test:test_set"),
            (["Train/a/1.png", "dev/a/1.png"], "train:Train val:dev"),
            (["train2017/a/1.png", "val2017/a/1.png"], "train:train2017 val:val2017"),
            (["обучающая/a/1.png", "тестовая/a/1.png"], "train:обучающая test:тестовая"),
        ] {
            auto(&files, expected);
        }
    }

    #[test]
    fn a_split_may_be_wrapped_in_a_folder_of_its_name() {
        let files = ["seg_train/seg_train/a/1.png", "seg_test/seg_test/a/1.png", "seg_pred/1.png"];
        auto(&files, "train:seg_train/seg_train test:seg_test/seg_test");
        let files = ["train/images/a/1.png", "train/images/b/1.png", "val/a/1.png"];
        auto(&files, "train:train/images val:val");
        // A single class is not a wrapper.
        auto(&["train/a/1.png", "val/a/1.png"], "train:train val:val");
        auto(&["train/a/b/1.png", "val/a/b/1.png"], "train:train val:val");
    }

    #[test]
    fn folders_beside_two_splits_are_ignored() {
        let parts = ["train/a/1.png", "val/a/1.png"];
        for beside in ["plots/1.png", "models/best.pt", "holdout2/x.txt", "extra/a/1.png"] {
            auto(&[&parts[..], &[beside]].concat(), "train:train val:val");
        }
    }

    #[test]
    fn the_data_may_lie_in_a_subfolder() {
        auto(&["pets/a/1.png", "pets/b/1.png", "models/x.pt"], "classes of /pets");
        auto(&["x/y/train/a/1.png", "x/y/test/a/1.png", "1.txt"], "train:x/y/train test:x/y/test");
        auto(&["train/train/a/1.png", "train/test/a/1.png"], "train:train/train test:train/test");
        // A class with subfolders also has pictures of its own.
        auto(&["cat/1.png", "cat/x/2.png", "cat/y/3.png"], "classes of /");
    }

    #[test]
    fn a_class_may_be_called_train() {
        auto(&["bus/1.png", "car/1.png", "train/1.png"], "classes of /");
        auto(&["train_station/1.png", "test_tube/1.png"], "classes of /");
        auto(&["steam train/1.png", "bus/1.png", "test tube/1.png", "train/2.png"], "classes of /");
        auto(
            &["steam_train/1.png", "diesel_train/1.png", "cross-validation plots/1.png"],
            "classes of /",
        );
    }

    #[test]
    fn split_names_may_contain_other_words() {
        for (train, test) in [
            ("animals_train", "animals_test"),
            ("x_train", "x_test"),
            ("Final_Training", "Final_Test"),
            ("asl_alphabet_train", "asl_alphabet_test"),
            ("Trainingsdaten", "Testdaten"),
            ("训练集", "测试集"),
            ("entrenamiento", "prueba"),
        ] {
            let files =
                [train, test].map(|part| ["a", "b"].map(|c| format!("{part}/{c}/1.png"))).concat();
            let files: Vec<&str> = files.iter().map(String::as_str).collect();
            auto(&files, &format!("train:{train} test:{test}"));
        }
        let files = ["x_train/a/1.png", "x_train/b/1.png", "test/a/1.png", "test/b/1.png"];
        auto(&files, "train:x_train test:test");
        auto(&["x_train/a/1.png", "x_test/1.png", "plots/1.png"], "train:x_train test:x_test");
        let files = ["train/a/1.png", "train/b/1.png", "val_small/a/1.png", "val_small/b/1.png"];
        auto(&files, "train:train val:val_small");
        let files = [
            "train/a/1.png",
            "train/b/1.png",
            "my_test/a/1.png",
            "my_test/b/1.png",
            "x_test/a/1.png",
            "x_test/b/1.png",
        ];
        let error = reading(&files, Layout::Names, None);
        assert!(error.contains("`train` as parts, without `my_test`, `x_test`"), "{error}");
        assert_eq!(reading(&files, Layout::Parts, None), "train:train");
        let files = ["x_train/a/1.png", "x_train/b/1.png", "x_test/1.png", "cat/1.png"];
        assert!(
            reading(&files, Layout::Names, None)
                .contains("two ways: `x_train`, `x_test` as parts, without `cat`")
        );
        assert_eq!(reading(&files, Layout::Parts, None), "train:x_train test:x_test");
        // Without class folders they cannot be read as splits.
        let files = ["x_train/1.png", "x_test/1.png"];
        assert!(reading(&files, Layout::Names, None).contains("two ways"));
        assert_eq!(reading(&files, Layout::Classes, None), "classes of /");
    }

    #[test]
    fn folders_with_the_same_subfolders_are_not_classes() {
        for folders in [
            &["fold1", "fold2", "fold3"][..],
            &["labeled", "unlabeled"],
            &["amazon/images", "dslr/images"],
            &["pets/color", "pets/segmented"],
        ] {
            let files: Vec<String> = folders
                .iter()
                .flat_map(|folder| ["a", "b", "c"].map(|c| format!("{folder}/{c}/1.png")))
                .collect();
            let files: Vec<&str> = files.iter().map(String::as_str).collect();
            let error = reading(&files, Layout::Names, None);
            assert!(error.contains("all hold the same folders, such as `a`, `b`, `c`"), "{error}");
            assert!(reading(&files, Layout::Classes, None).starts_with("classes of /"));
        }
        let files = [
            "train/x/a/1.png",
            "train/x/b/1.png",
            "train/y/a/1.png",
            "train/y/b/1.png",
            "val/x/1.png",
        ];
        assert!(
            reading(&files, Layout::Names, None)
                .starts_with("the folders `x`, `y` of `DATA/train`")
        );
        assert_eq!(reading(&files, Layout::Parts, None), "train:train val:val");
        // Different subfolders, a single shared one, or loose pictures beside them.
        auto(
            &["pets/cat/1.png", "pets/dog/1.png", "plants/oak/1.png", "plants/fir/1.png"],
            "classes of /",
        );
        auto(&["cat/more/1.png", "dog/more/1.png", "dog/less/1.png"], "classes of /");
        auto(&["cat/young/1.png", "cat/old/1.png", "dog/1.png", "eel/1.png"], "classes of /");
        auto(
            &["a/x/1.png", "a/y/1.png", "a/1.png", "b/x/1.png", "b/y/1.png", "b/1.png"],
            "classes of /",
        );
    }

    #[test]
    fn non_data_folders_are_an_error() {
        let files = ["cat/1.png", "dog/1.png", "plots/1.png", "Logs/1.png"];
        let error = reading(&files, Layout::Names, None);
        assert!(
            error.starts_with("`DATA` has `Logs`, `plots` beside its class folders"),
            "{error}"
        );
        assert_eq!(reading(&files, Layout::Classes, None), "classes of /");
        auto(&["docs/1.png", "plots/1.png", "photos/1.png"], "classes of /");
        auto(&["mask/1.png", "no mask/1.png"], "classes of /");
        for files in [
            &["images/1.png", "Masks/1.png"][..],
            &["images/a/1.png", "images/b/1.png", "annotations/x/1.png"],
            &["train/images/1.png", "train/labels/1.png", "val/images/1.png"],
        ] {
            let error = reading(files, Layout::Names, None);
            assert!(error.contains("by their names they hold something else"), "{error}");
        }
        auto(&["cat/1.png", "dog/1.png", "node_modules/x/1.png", "venv/1.png"], "classes of /");
    }

    #[test]
    fn ambiguous_layouts_are_an_error() {
        for (files, parts, others) in [
            (["train/a/1.png", "plots/1.png", "x/1.png"], "`train`", "`plots`, `x`"),
            (["bus/1.png", "train/1.png", "test/1.png"], "`train`, `test`", "`bus`"),
            (["cat/1.png", "dog/1.png", "test/1.png"], "`test`", "`cat`, `dog`"),
            (["cat/1.png", "val/a/1.png", "test/a/1.png"], "`val`, `test`", "`cat`"),
        ] {
            let words = "the folders of `DATA` can be read in two ways";
            let rest = format!("{parts} as parts, without {others}, or all of them as classes");
            auto(&files, &format!("{words}: {rest}"));
            assert_eq!(reading(&files, Layout::Classes, None), "classes of /");
            assert!(reading(&files, Layout::Parts, None).contains(':'));
        }
        let files = ["cat/train/1.png", "cat/test/2.png", "dog/train/1.png", "dog/test/1.png"];
        let words = "`DATA/cat` holds `train`, `test`, as if it were divided into parts";
        assert!(reading(&files, Layout::Names, None).starts_with(words));
        assert_eq!(reading(&files, Layout::Classes, None), "classes of /");
        let files = ["raw/raw/train/a/1.png", "raw/raw/test/a/1.png", "small/a/1.png"];
        let words = "`DATA/raw/raw` holds `train`, `test`, as if it were divided into parts";
        assert!(reading(&files, Layout::Names, None).starts_with(words));
        let files = ["p/train/a/1.png", "p/train/b/1.png", "q/c/1.png", "q/d/1.png"];
        let words = "`DATA/p` holds `train`, as if it were divided into parts";
        assert!(reading(&files, Layout::Names, None).starts_with(words));
        let files = ["cat/1.png", "cat/2.png", "cat/test/3.png", "dog/1.png"];
        let words = "`DATA/cat` holds `test`, as if it were divided into parts";
        assert!(reading(&files, Layout::Names, None).starts_with(words));
        let files = ["Dataset/0/1.png", "Dataset/1/1.png", "Examples/1.png"];
        let words = "`DATA/Dataset` holds `0`, `1`, and `Examples` beside it holds pictures only";
        assert!(reading(&files, Layout::Names, None).starts_with(words));
        let files = ["set/set/abe/1.png", "set/set/bart/1.png", "x_testset/x_testset/1.png"];
        let words = "`DATA/set/set` holds `abe`, `bart`, and `x_testset` beside it";
        assert!(reading(&files, Layout::Names, None).starts_with(words));
    }

    #[test]
    fn numbered_folders_are_an_error() {
        for files in [
            ["fold1/1.png", "fold2/1.png", "fold10/1.png"],
            ["ham_images_part_1/1.png", "ham_images_part_2/1.png", "ham_images_part_3/1.png"],
            ["images_001/images/1.png", "images_002/images/1.png", "images_003/images/1.png"],
        ] {
            let error = reading(&files, Layout::Names, None);
            assert!(error.contains("differ in nothing but their numbers"), "{error}");
            assert_eq!(reading(&files, Layout::Classes, None), "classes of /");
        }
        for files in [
            ["0/1.png", "1/1.png"],
            ["class 1/1.png", "class 2/1.png"],
            ["n014/1.png", "n015/1.png"],
            ["fold1/1.png", "part1/1.png"],
        ] {
            auto(&files, "classes of /");
        }
    }

    #[test]
    fn known_classes_resolve_ambiguity() {
        let with = |files: &[&str], known: &[&str]| reading(files, Layout::Classes, Some(known));
        let parts = ["testing/cat/1.png", "plots/1.png"];
        assert_eq!(with(&parts, &["cat", "dog"]), "test:testing");
        let classes = ["train/1.png", "bus/1.png"];
        assert_eq!(with(&classes, &["bus", "car", "train"]), "classes of /");
        assert_eq!(with(&["train/1.png"], &["bus", "train"]), "classes of /");
        assert_eq!(
            with(&["train/train/1.png", "train/bus/1.png"], &["bus", "train"]),
            "train:train"
        );
        assert_eq!(with(&["cat/1.png", "test/1.png"], &["cat", "dog"]), "classes of /");
        assert_eq!(with(&["cat/x/1.png", "cat/y/1.png"], &["cat", "dog"]), "classes of /");
        assert_eq!(
            with(&["pets/cat/1.png", "pets/dog/1.png"], &["cat", "dog"]),
            "classes of /pets"
        );
    }
}
