//! Folders that are hardly classes, as far as their names and what they hold say.
//!
//! Pictures of one class seldom lie in folders with the names of other classes' folders: what lies
//! so are parts, copies, or kinds of the same pictures. `images` beside `masks` are no classes, and
//! neither are `fold1` and `fold2`.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    DataError, Part,
    error::Ways,
    inside::{class_root, inner, looks_like_data, mostly, names, some_of},
    names::{is_of_marks, is_of_other_things, piece_of},
    quoted,
    tree::Tree,
};
use crate::error::Result;

/// Those of some folders that hold what lies beside them once more, such as `augmented/cat` beside
/// `cat`.
pub(super) fn copies(tree: &Tree, folders: &[usize]) -> BTreeSet<usize> {
    let names: BTreeSet<&str> = folders.iter().map(|&at| tree.last_name(at)).collect();
    let is_copy = |at: &usize| {
        let own = tree.last_name(*at);
        mostly(&inner(tree, *at), |name| name != own && names.contains(name))
    };
    let copies: BTreeSet<usize> = folders.iter().copied().filter(is_copy).collect();
    // Where nothing would be left, nothing is the copy of another.
    if folders.len() - copies.len() < 2 { BTreeSet::new() } else { copies }
}

/// Those of some folders that all hold the same folders or nearly, if there are two or more.
pub(super) fn alike(tree: &Tree, folders: &[usize]) -> Vec<usize> {
    let inside: Vec<(usize, BTreeSet<&str>)> =
        folders.iter().map(|&at| (at, inner(tree, at))).collect();
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    inside
        .iter()
        .flat_map(|(_, names)| names)
        .for_each(|name| *times.entry(name).or_default() += 1);
    let again = |name: &str| times.get(name).is_some_and(|&n| n > 1);
    let alike = inside.iter().filter(|(_, names)| mostly(names, again));
    let alike: Vec<usize> = alike.map(|(at, _)| *at).collect();
    if alike.len() > 1 { alike } else { Vec::new() }
}

/// Checks that the folders of the training part look like classes, as far as names and contents
/// say.
pub(super) fn check_classes(tree: &Tree, at: usize, parts: Option<&[(Part, usize)]>) -> Result<()> {
    let (root, layout) =
        match parts.map(|parts| parts.iter().find(|(part, _)| *part == Part::Train)) {
            None => (at, "classes"),
            Some(Some(&(_, train))) => (class_root(tree, train, None), "parts"),
            Some(None) => return Ok(()),
        };
    let mut folders = tree.holding(root);
    let copies = copies(tree, &folders);
    folders.retain(|at| !copies.contains(at));
    let path = |at: usize| tree.folder(at).path.display().to_string();
    let same = alike(tree, &folders);
    if let Some(&first) = same.first() {
        let inside: Vec<&str> = inner(tree, first).into_iter().collect();
        return Err(DataError::Alike {
            path: path(root),
            folders: names(tree, &same),
            inside: some_of(&inside),
            ways: Box::new(Ways { first: path(first), data: path(at), layout }),
        });
    }
    check_pieces(tree, root, &folders)?;
    let (others, classes): (Vec<usize>, Vec<usize>) =
        folders.into_iter().partition(|&at| is_of_other_things(tree.last_name(at)));
    // Beside one class other things may be the second one, unless it is `images` and they are what
    // was marked in these.
    let marked = classes.iter().all(|&at| Part::says_nothing(tree.last_name(at)))
        && others.iter().any(|&at| is_of_marks(tree.last_name(at)));
    if others.is_empty() || classes.len() < 2 && !marked {
        return Ok(());
    }
    let others = names(tree, &others);
    Err(DataError::OtherThings { path: path(root), others, data: path(at), layout })
}

/// Checks that folders are not the data and something beside it, nor pieces of one thing.
fn check_pieces(tree: &Tree, at: usize, folders: &[usize]) -> Result<()> {
    let path = |at: usize| tree.folder(at).path.display().to_string();
    let flat = |at: usize| match tree.holding(at)[..] {
        [] => true,
        [only] => tree.last_name(only) == tree.last_name(at) && tree.holding(only).is_empty(),
        _ => false,
    };
    if let [one, other] = *folders
        && flat(one) != flat(other)
    {
        let (deep, flat) = if flat(other) { (one, other) } else { (other, one) };
        if looks_like_data(tree, deep) {
            let deep = class_root(tree, deep, None);
            let (inside, beside) = (names(tree, &tree.holding(deep)), tree.last_name(flat));
            let (path, class, beside) = (path(at), path(deep), quoted(&[beside]));
            return Err(DataError::Beside { path, class, inside, beside });
        }
    }
    let pieces: BTreeSet<Option<String>> =
        folders.iter().map(|&at| piece_of(tree.last_name(at))).collect();
    match pieces.first() {
        Some(Some(_)) if pieces.len() == 1 && folders.len() > 1 => {
            Err(DataError::Pieces { path: path(at), folders: names(tree, folders) })
        }
        _ => Ok(()),
    }
}
