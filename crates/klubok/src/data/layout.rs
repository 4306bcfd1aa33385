//! Which folders are parts, which are classes, and which are neither.
//!
//! Names and shape decide together: `train` beside `test` is a part, `train` beside `bus` and `car` with nothing but
//! pictures in it is a class. Where they do not agree nothing is guessed: it is an error that shows both readings, and
//! `data.layout` chooses one.

use super::{DataError, Part, quoted, tree::Tree};
use crate::{
    config::Layout,
    error::{Error, Result},
};

/// Of so many pictures in a folder one may lie loose, and it still looks like a folder of class folders.
const LOOSE: u64 = 10;
/// Folders that an error names.
const NAMED: usize = 5;

/// How a folder is read.
pub(super) struct Reading {
    /// The folder of the parts or classes: the one that was given or one below.
    pub(super) at: usize,
    /// The parts with their folders, in order; nothing where its folders are classes.
    pub(super) parts: Option<Vec<(Part, usize)>>,
}

/// Finds out how the tree is read. `known` are the classes that are known already: of a model, or of the training part
/// where another part is given apart.
///
/// # Errors
/// [`DataError::Unclear`], [`DataError::PartsInClass`].
pub(super) fn read(tree: &Tree, layout: Layout, known: Option<&[String]>) -> Result<Reading> {
    // A run's own layout says nothing of other data that its model is asked about.
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
    Ok(Reading { at, parts: is_parts.then(|| named_parts(tree, at)) })
}

/// The folder whose folders are the classes of a part: that of the part, or one of the same kind in it, as in
/// `seg_train/seg_train/cat`. `known` as in [`read`].
pub(super) fn class_root(tree: &Tree, part: usize, known: Option<&[String]>) -> usize {
    let inner = |at: usize| {
        let [only] = tree.holding(at)[..] else { return None };
        let bare = tree.folder(at).pictures.is_empty() && !is_known(tree, only, known);
        let again = tree.last_name(only).eq_ignore_ascii_case(tree.last_name(part));
        let wraps = again && !tree.holding(only).is_empty() || looks_like_data(tree, only);
        (bare && wraps).then_some(only)
    };
    std::iter::successors(Some(part), |&at| inner(at)).last().unwrap_or(part)
}

/// Why there is no part to train on.
pub(super) fn no_train_part(tree: &Tree, at: usize) -> Error {
    let path = |at: usize| tree.folder(at).path.display().to_string();
    let inside = tree.inside(at);
    let train = inside.iter().find(|&&at| part_of(tree, at) == Some(Part::Train));
    if let Some(&empty) = train.filter(|&&at| tree.folder(at).holds == 0) {
        return DataError::NoPictures { path: path(empty) }.into();
    }
    let parts: Vec<usize> = named_parts(tree, at).into_iter().map(|(_, at)| at).collect();
    let found = names(tree, if parts.is_empty() { inside } else { &parts });
    DataError::NoTrainPart { path: path(at), found }.into()
}

/// True when a folder of folders holds a training part and another one.
fn looks_like_parts(tree: &Tree, at: usize) -> bool {
    let parts = named_parts(tree, at);
    let train = parts.iter().any(|(part, _)| *part == Part::Train);
    train && parts.iter().any(|(part, _)| *part != Part::Train)
}

/// True for a folder of parts or class folders, at once or below folders that hold nothing else.
fn looks_like_data(tree: &Tree, at: usize) -> bool {
    let (folder, holding) = (tree.folder(at), tree.holding(at));
    let few_loose = folder.pictures.len() as u64 * LOOSE <= folder.holds;
    let only = match holding[..] {
        [only] => looks_like_data(tree, only),
        _ => holding.len() > 1,
    };
    few_loose && (only || looks_like_parts(tree, at))
}

/// The single folder with pictures where it is no class, but holds the data.
fn only_folder(tree: &Tree, at: usize, known: Option<&[String]>) -> Option<usize> {
    let [only] = tree.holding(at)[..] else { return None };
    let is_data = match part_of(tree, only) {
        // `train` alone is a part.
        Some(_) => looks_like_parts(tree, only),
        None => looks_like_data(tree, only),
    };
    (is_data && !is_known(tree, only, known)).then_some(only)
}

/// Folders with the names of parts and pictures in them, in the order of the parts.
fn named_parts(tree: &Tree, at: usize) -> Vec<(Part, usize)> {
    let part = |at: usize| Some((part_of(tree, at)?, at));
    let mut parts: Vec<_> = tree.holding(at).into_iter().filter_map(part).collect();
    parts.sort_by_key(|(part, _)| *part);
    parts
}

fn part_of(tree: &Tree, at: usize) -> Option<Part> {
    Part::of_folder(tree.last_name(at))
}

/// True when folders are parts, for training.
fn are_parts(tree: &Tree, at: usize) -> Result<bool> {
    let (parts, holding) = (named_parts(tree, at), tree.holding(at));
    let others: Vec<usize> =
        holding.iter().copied().filter(|&at| part_of(tree, at).is_none()).collect();
    if parts.is_empty() {
        return match others.into_iter().find(|&at| looks_like_parts(tree, at)) {
            Some(class) => Err(parts_in_class(tree, at, class)),
            None => Ok(false),
        };
    }
    if others.is_empty() {
        return Ok(true);
    }
    let has_classes = |at: usize| !tree.holding(at).is_empty();
    let mut train = parts.iter().filter(|(part, _)| *part == Part::Train).peekable();
    let trains = train.peek().is_some() && train.all(|&(_, at)| has_classes(at));
    let alone = parts.iter().all(|(part, _)| *part == Part::Train);
    match parts[..] {
        _ if trains && !alone => Ok(true),
        [(Part::Train, at)]
            if !has_classes(at) && tree.last_name(at).eq_ignore_ascii_case("train") =>
        {
            Ok(false)
        }
        _ => {
            let (path, parts) =
                (tree.folder(at).path.display().to_string(), parts.iter().map(|(_, at)| *at));
            let parts = names(tree, &parts.collect::<Vec<_>>());
            Err(DataError::Unclear { path, parts, others: names(tree, &others) }.into())
        }
    }
}

/// True when folders are parts, for classes that are known.
fn are_parts_for(tree: &Tree, at: usize, known: &[String]) -> bool {
    let (parts, holding) = (named_parts(tree, at), tree.holding(at));
    let is_class = |at: &usize| is_known(tree, *at, Some(known));
    let above_classes =
        |at: usize| tree.holding(class_root(tree, at, Some(known))).iter().any(is_class);
    if parts.is_empty() || holding.iter().any(|at| is_class(at) && part_of(tree, *at).is_none()) {
        return false;
    }
    !parts.iter().all(|(_, at)| is_class(at)) || parts.iter().any(|(_, at)| above_classes(*at))
}

fn is_known(tree: &Tree, at: usize, known: Option<&[String]>) -> bool {
    known.is_some_and(|known| known.iter().any(|class| class == tree.last_name(at)))
}

fn parts_in_class(tree: &Tree, at: usize, class: usize) -> Error {
    let parts: Vec<usize> = named_parts(tree, class).into_iter().map(|(_, at)| at).collect();
    let path = |at: usize| tree.folder(at).path.display().to_string();
    DataError::PartsInClass { path: path(at), class: path(class), parts: names(tree, &parts) }
        .into()
}

/// Names of folders, in backticks.
fn names(tree: &Tree, folders: &[usize]) -> String {
    let named: Vec<&str> = folders.iter().take(NAMED).map(|&at| tree.last_name(at)).collect();
    match folders.len().saturating_sub(NAMED) {
        0 => quoted(&named),
        more => format!("{} and {more} more", quoted(&named)),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::fixtures::*, *};

    /// What is read of these files: `PART:FOLDER`, or `FOLDER` where its folders are classes.
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
    fn parts_have_many_names() {
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
    fn a_part_may_be_wrapped_in_its_own_name() {
        let files = ["seg_train/seg_train/a/1.png", "seg_test/seg_test/a/1.png", "seg_pred/1.png"];
        auto(&files, "train:seg_train/seg_train test:seg_test/seg_test");
        let files = ["train/images/a/1.png", "train/images/b/1.png", "val/a/1.png"];
        auto(&files, "train:train/images val:val");
        // One class is no wrapping.
        auto(&["train/a/1.png", "val/a/1.png"], "train:train val:val");
        auto(&["train/a/b/1.png", "val/a/b/1.png"], "train:train val:val");
    }

    #[test]
    fn what_lies_beside_two_parts_is_none() {
        let parts = ["train/a/1.png", "val/a/1.png"];
        for beside in ["plots/1.png", "models/best.pt", "holdout2/x.txt", "extra/a/1.png"] {
            auto(&[&parts[..], &[beside]].concat(), "train:train val:val");
        }
    }

    #[test]
    fn the_data_may_lie_deeper() {
        auto(&["pets/a/1.png", "pets/b/1.png", "models/x.pt"], "classes of /pets");
        auto(&["x/y/train/a/1.png", "x/y/test/a/1.png", "1.txt"], "train:x/y/train test:x/y/test");
        auto(&["train/train/a/1.png", "train/test/a/1.png"], "train:train/train test:train/test");
        // A class with its pictures in folders of their own has pictures of its own as well.
        auto(&["cat/1.png", "cat/x/2.png", "cat/y/3.png"], "classes of /");
    }

    #[test]
    fn a_class_may_be_called_train() {
        auto(&["bus/1.png", "car/1.png", "train/1.png"], "classes of /");
        auto(&["train_station/1.png", "test_tube/1.png"], "classes of /");
    }

    #[test]
    fn what_is_not_clear_is_refused() {
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
        let words = "`DATA/cat` holds `train`, `test`, which look like parts";
        assert!(reading(&files, Layout::Names, None).starts_with(words));
        assert_eq!(reading(&files, Layout::Classes, None), "classes of /");
    }

    #[test]
    fn known_classes_say_what_is_what() {
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
