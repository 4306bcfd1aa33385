//! Folders that hold folders of the same names. Pictures of one class seldom lie in folders with the names of other
//! classes' folders: what lies so are parts, copies, or kinds of the same pictures.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    layout::{class_root, few_loose},
    tree::Tree,
};

/// Names of the folders with pictures in a folder, where there are two or more and hardly anything beside them.
pub(super) fn inner(tree: &Tree, at: usize) -> BTreeSet<&str> {
    let root = class_root(tree, at, None);
    let names: BTreeSet<&str> =
        tree.holding(root).into_iter().map(|at| tree.last_name(at)).collect();
    if names.len() > 1 && few_loose(tree, root) { names } else { BTreeSet::new() }
}

/// True when at least two of the names, and more than half of them, are known.
pub(super) fn mostly(names: &BTreeSet<&str>, is_known: impl Fn(&str) -> bool) -> bool {
    let known = names.iter().filter(|name| is_known(name)).count();
    known > 1 && known * 2 > names.len()
}

/// Those of some folders that hold what lies beside them once more, such as `augmented/cat` beside `cat`.
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
