//! Finds folders that are probably not classes, from their names and contents.
//!
//! Folders of one class rarely contain folders named like other classes. Folders that do are
//! splits, copies, or variants of the same pictures. `images` beside `masks` are not classes, nor
//! are `fold1` and `fold2`.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    DataError, Part,
    contents::{class_root, inner, looks_like_data, mostly_known, names, quote_some},
    error::Readings,
    names::{is_annotations, is_non_data, numbered_stem},
    quoted,
    tree::Tree,
};
use crate::error::Result;

/// Folders that repeat the classes beside them, such as `augmented/cat` beside `cat`.
pub(super) fn copies(tree: &Tree, folders: &[usize]) -> BTreeSet<usize> {
    let names: BTreeSet<&str> = folders.iter().map(|&at| tree.last_name(at)).collect();
    let is_copy = |at: &usize| {
        let own = tree.last_name(*at);
        mostly_known(&inner(tree, *at), |name| name != own && names.contains(name))
    };
    let copies: BTreeSet<usize> = folders.iter().copied().filter(is_copy).collect();
    // If only copies would remain, none counts as a copy.
    if folders.len() - copies.len() < 2 { BTreeSet::new() } else { copies }
}

/// Folders that all contain the same or nearly the same folders, if there are at least two.
pub(super) fn with_same_subfolders(tree: &Tree, folders: &[usize]) -> Vec<usize> {
    let inside: Vec<(usize, BTreeSet<&str>)> =
        folders.iter().map(|&at| (at, inner(tree, at))).collect();
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    inside
        .iter()
        .flat_map(|(_, names)| names)
        .for_each(|name| *times.entry(name).or_default() += 1);
    let repeats = |name: &str| times.get(name).is_some_and(|&n| n > 1);
    let same = inside.iter().filter(|(_, names)| mostly_known(names, repeats));
    let same: Vec<usize> = same.map(|(at, _)| *at).collect();
    if same.len() > 1 { same } else { Vec::new() }
}

/// Checks by name and content that the training folders look like classes.
pub(super) fn check_classes(tree: &Tree, at: usize, parts: Option<&[(Part, usize)]>) -> Result<()> {
    let (root, layout) =
        match parts.map(|parts| parts.iter().find(|(part, _)| *part == Part::Train)) {
            None => (at, "classes"),
            Some(Some(&(_, train))) => (class_root(tree, train, None), "parts"),
            Some(None) => return Ok(()),
        };
    let mut folders = tree.with_pictures(root);
    let copies = copies(tree, &folders);
    folders.retain(|at| !copies.contains(at));
    let path = |at: usize| tree.folder(at).path.display().to_string();
    let same = with_same_subfolders(tree, &folders);
    if let Some(&first) = same.first() {
        let inside: Vec<&str> = inner(tree, first).into_iter().collect();
        return Err(DataError::SameSubfolders {
            path: path(root),
            folders: names(tree, &same),
            inside: quote_some(&inside),
            readings: Box::new(Readings { first: path(first), data: path(at), layout }),
        });
    }
    check_pieces(tree, root, &folders)?;
    let (non_data, classes): (Vec<usize>, Vec<usize>) =
        folders.into_iter().partition(|&at| is_non_data(tree.last_name(at)));
    // With only one class, a non-data folder may be the second class. The exception is `images`
    // beside its annotations.
    let annotated = classes.iter().all(|&at| Part::is_generic_name(tree.last_name(at)))
        && non_data.iter().any(|&at| is_annotations(tree.last_name(at)));
    if non_data.is_empty() || classes.len() < 2 && !annotated {
        return Ok(());
    }
    let others = names(tree, &non_data);
    Err(DataError::NonDataFolders { path: path(root), others, data: path(at), layout })
}

/// Checks that the folders are not data beside unrelated pictures, nor numbered pieces of one
/// class.
fn check_pieces(tree: &Tree, at: usize, folders: &[usize]) -> Result<()> {
    let path = |at: usize| tree.folder(at).path.display().to_string();
    let flat = |at: usize| match tree.with_pictures(at)[..] {
        [] => true,
        [only] => tree.last_name(only) == tree.last_name(at) && tree.with_pictures(only).is_empty(),
        _ => false,
    };
    if let [one, other] = *folders
        && flat(one) != flat(other)
    {
        let (deep, flat) = if flat(other) { (one, other) } else { (other, one) };
        if looks_like_data(tree, deep) {
            let deep = class_root(tree, deep, None);
            let (inside, beside) = (names(tree, &tree.with_pictures(deep)), tree.last_name(flat));
            let (path, class, beside) = (path(at), path(deep), quoted(&[beside]));
            return Err(DataError::UnevenDepth { path, class, inside, beside });
        }
    }
    let stems: BTreeSet<Option<String>> =
        folders.iter().map(|&at| numbered_stem(tree.last_name(at))).collect();
    match stems.first() {
        Some(Some(_)) if stems.len() == 1 && folders.len() > 1 => {
            Err(DataError::NumberedFolders { path: path(at), folders: names(tree, folders) })
        }
        _ => Ok(()),
    }
}
