//! Classifies a folder's contents by name and structure: splits, classes, or folders of either.

use std::collections::BTreeSet;

use super::{Part, names::in_old_encodings, quoted, tree::Tree};

/// A folder with at most one loose picture in this many still looks like a folder of class folders.
const LOOSE_ONE_IN: u64 = 10;
/// Maximum folders that an error names.
const MAX_NAMED: usize = 5;

/// Returns the folder whose subfolders are the classes of a split: the split's own folder, or a
/// wrapper inside it, as in `seg_train/seg_train/cat`. `known` lists the known classes, if any.
pub(super) fn class_root(tree: &Tree, part: usize, known: Option<&[String]>) -> usize {
    let inner = |at: usize| {
        let [only] = tree.with_pictures(at)[..] else { return None };
        let bare = tree.folder(at).pictures.is_empty() && !is_known(tree, only, known);
        let again = tree.last_name(only).eq_ignore_ascii_case(tree.last_name(part));
        let wraps = again && !tree.with_pictures(only).is_empty() || looks_like_data(tree, only);
        (bare && wraps).then_some(only)
    };
    std::iter::successors(Some(part), |&at| inner(at)).last().unwrap_or(part)
}

/// Returns true for a folder of splits or class folders, or one that only wraps such a folder.
pub(super) fn looks_like_data(tree: &Tree, at: usize) -> bool {
    let children = tree.with_pictures(at);
    let only = match children[..] {
        [only] => looks_like_data(tree, only),
        _ => children.len() > 1,
    };
    has_few_loose_pictures(tree, at) && (only || looks_like_parts(tree, at))
}

/// Returns true if almost no pictures lie directly in the folder.
pub(super) fn has_few_loose_pictures(tree: &Tree, at: usize) -> bool {
    let folder = tree.folder(at);
    folder.pictures.len() as u64 * LOOSE_ONE_IN <= folder.picture_count
}

/// Returns true if a folder contains a training set and another split.
pub(super) fn looks_like_parts(tree: &Tree, at: usize) -> bool {
    let parts = named_parts(tree, at);
    let train = parts.iter().any(|(part, _)| *part == Part::Train);
    train && parts.iter().any(|(part, _)| *part != Part::Train)
}

/// Returns the folders that are named like splits and hold pictures, in split order.
pub(super) fn named_parts(tree: &Tree, at: usize) -> Vec<(Part, usize)> {
    let children = tree.with_pictures(at);
    let part = |&at: &usize| Some((part_of(tree, at)?, at));
    let mut parts: Vec<_> = children.iter().filter_map(part).collect();
    if children.len() > 1 {
        parts.extend(parts_by_affix(tree, &children, &parts));
    }
    parts.sort_by_key(|(part, _)| *part);
    parts
}

/// Returns matching folders with a split name as prefix or suffix: a training folder with class
/// folders, and others with the same remaining name or the same subfolders. Folders named exactly
/// like a split take precedence.
pub(super) fn parts_by_affix(
    tree: &Tree,
    children: &[usize],
    bare: &[(Part, usize)],
) -> Vec<(Part, usize)> {
    let bare_parts: BTreeSet<Part> = bare.iter().map(|(part, _)| *part).collect();
    let named = |&at: &usize| {
        let (part, rest) = Part::from_prefix_or_suffix(tree.last_name(at))?;
        let taken = part_of(tree, at).is_some() || bare_parts.contains(&part);
        (!taken).then_some((part, rest, at))
    };
    let has_classes = |at: usize| !tree.with_pictures(class_root(tree, at, None)).is_empty();
    let (mut trains, mut others): (Vec<Named>, Vec<Named>) =
        children.iter().filter_map(named).partition(|(part, ..)| *part == Part::Train);
    if trains.is_empty() && others.is_empty() {
        return Vec::new();
    }
    trains.retain(|(.., at)| has_classes(*at));
    let train_folders = bare.iter().filter(|(part, _)| *part == Part::Train).map(|(_, at)| *at);
    let train_folders = train_folders.chain(trains.iter().map(|(.., at)| *at));
    let (inside, rests) = (subfolder_names(tree, train_folders), rests(&trains));
    others.retain(|(_, rest, at)| belongs_with(tree, (rest, *at), &inside, &rests));
    // Beside `train`, two folders for one split, such as `public_test` and `private_test`, are
    // ambiguous.
    let distinct: BTreeSet<Part> = others.iter().map(|(part, ..)| *part).collect();
    if !bare.is_empty() && distinct.len() < others.len() {
        return Vec::new();
    }
    let other_folders = bare.iter().filter(|(part, _)| *part != Part::Train).map(|(_, at)| *at);
    let other_folders = other_folders.chain(others.iter().map(|(.., at)| *at));
    let (inside, rests) = (subfolder_names(tree, other_folders), self::rests(&others));
    let belongs = |(_, rest, at): &&Named| belongs_with(tree, (rest, *at), &inside, &rests);
    let trains = trains.iter().filter(belongs);
    trains.chain(&others).map(|(part, _, at)| (*part, *at)).collect()
}

/// A folder with a split name as prefix or suffix: the split, the rest of the name, the folder.
type Named = (Part, String, usize);

/// Returns true if a folder shares the rest of its name with others, or most of its subfolders.
pub(super) fn belongs_with(
    tree: &Tree,
    (rest, at): (&str, usize),
    inside: &BTreeSet<&str>,
    rests: &BTreeSet<&str>,
) -> bool {
    rests.contains(rest) || mostly_known(&inner(tree, at), |name| inside.contains(name))
}

/// Returns the names of all subfolders of some folders.
pub(super) fn subfolder_names(tree: &Tree, folders: impl Iterator<Item = usize>) -> BTreeSet<&str> {
    folders.flat_map(|at| inner(tree, at)).collect()
}

/// Returns the rest of each name beside the split.
pub(super) fn rests(named: &[Named]) -> BTreeSet<&str> {
    named.iter().map(|(_, rest, _)| rest.as_str()).collect()
}

/// Returns the split that a folder's name stands for, in any encoding.
pub(super) fn part_of(tree: &Tree, at: usize) -> Option<Part> {
    let name = tree.last_name(at);
    let old = || in_old_encodings(name).iter().find_map(|name| Part::of_folder(name));
    Part::of_folder(name).or_else(|| if name.contains(r"\x") { old() } else { None })
}

/// Returns the names of subfolders with pictures, if there are at least two and almost nothing
/// else.
pub(super) fn inner(tree: &Tree, at: usize) -> BTreeSet<&str> {
    let root = class_root(tree, at, None);
    let names: BTreeSet<&str> =
        tree.with_pictures(root).into_iter().map(|at| tree.last_name(at)).collect();
    if names.len() > 1 && has_few_loose_pictures(tree, root) { names } else { BTreeSet::new() }
}

/// Returns true if at least two of the names, and more than half of them, are known.
pub(super) fn mostly_known(names: &BTreeSet<&str>, is_known: impl Fn(&str) -> bool) -> bool {
    let known = names.iter().filter(|name| is_known(name)).count();
    known > 1 && known * 2 > names.len()
}

/// Returns the names of folders, in backticks.
pub(super) fn names(tree: &Tree, folders: &[usize]) -> String {
    quote_some(&folders.iter().map(|&at| tree.last_name(at)).collect::<Vec<_>>())
}

/// Returns the first of the names, in backticks.
pub(super) fn quote_some(names: &[&str]) -> String {
    match names.len().saturating_sub(MAX_NAMED) {
        0 => quoted(names),
        more => format!("{} and {more} more", quoted(&names[..MAX_NAMED])),
    }
}

pub(super) fn is_known(tree: &Tree, at: usize, known: Option<&[String]>) -> bool {
    known.is_some_and(|known| known.iter().any(|class| class == tree.last_name(at)))
}
