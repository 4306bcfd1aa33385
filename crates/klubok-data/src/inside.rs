//! What a folder holds, as far as names and contents say: parts, classes, or folders with either.

use std::collections::BTreeSet;

use super::{Part, names::in_old_encodings, quoted, tree::Tree};

/// Of so many pictures in a folder one may lie loose, and it still looks like a folder of class
/// folders.
const LOOSE: u64 = 10;
/// Folders that an error names.
const NAMED: usize = 5;

/// The folder whose folders are the classes of a part: that of the part, or one of the same kind in
/// it, as in `seg_train/seg_train/cat`. `known` are the classes that are known already.
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

/// True for a folder of parts or class folders, at once or below folders that hold nothing else.
pub(super) fn looks_like_data(tree: &Tree, at: usize) -> bool {
    let holding = tree.holding(at);
    let only = match holding[..] {
        [only] => looks_like_data(tree, only),
        _ => holding.len() > 1,
    };
    few_loose(tree, at) && (only || looks_like_parts(tree, at))
}

/// True when hardly any of a folder's pictures lie in itself.
pub(super) fn few_loose(tree: &Tree, at: usize) -> bool {
    let folder = tree.folder(at);
    folder.pictures.len() as u64 * LOOSE <= folder.holds
}

/// True when a folder of folders holds a training part and another one.
pub(super) fn looks_like_parts(tree: &Tree, at: usize) -> bool {
    let parts = named_parts(tree, at);
    let train = parts.iter().any(|(part, _)| *part == Part::Train);
    train && parts.iter().any(|(part, _)| *part != Part::Train)
}

/// Folders with the names of parts and pictures in them, in the order of the parts.
pub(super) fn named_parts(tree: &Tree, at: usize) -> Vec<(Part, usize)> {
    let holding = tree.holding(at);
    let part = |&at: &usize| Some((part_of(tree, at)?, at));
    let mut parts: Vec<_> = holding.iter().filter_map(part).collect();
    if holding.len() > 1 {
        parts.extend(parts_at_ends(tree, &holding, &parts));
    }
    parts.sort_by_key(|(part, _)| *part);
    parts
}

/// Folders with the name of a part at an end of theirs that go together: a training part with class
/// folders and others, of the same name otherwise or with the same folders in them. What has the
/// bare name of a part goes first.
pub(super) fn parts_at_ends(
    tree: &Tree,
    holding: &[usize],
    bare: &[(Part, usize)],
) -> Vec<(Part, usize)> {
    let bare_parts: BTreeSet<Part> = bare.iter().map(|(part, _)| *part).collect();
    let named = |&at: &usize| {
        let (part, rest) = Part::at_an_end(tree.last_name(at))?;
        let taken = part_of(tree, at).is_some() || bare_parts.contains(&part);
        (!taken).then_some((part, rest, at))
    };
    let has_classes = |at: usize| !tree.holding(class_root(tree, at, None)).is_empty();
    let (mut trains, mut others): (Vec<Named>, Vec<Named>) =
        holding.iter().filter_map(named).partition(|(part, ..)| *part == Part::Train);
    if trains.is_empty() && others.is_empty() {
        return Vec::new();
    }
    trains.retain(|(.., at)| has_classes(*at));
    let ours = bare.iter().filter(|(part, _)| *part == Part::Train).map(|(_, at)| *at);
    let ours = ours.chain(trains.iter().map(|(.., at)| *at));
    let (inside, rests) = (insides(tree, ours), rests(&trains));
    others.retain(|(_, rest, at)| goes_with(tree, (rest, *at), &inside, &rests));
    // Beside `train`, two of one part such as `public_test` and `private_test` leave open which is
    // meant.
    let distinct: BTreeSet<Part> = others.iter().map(|(part, ..)| *part).collect();
    if !bare.is_empty() && distinct.len() < others.len() {
        return Vec::new();
    }
    let theirs = bare.iter().filter(|(part, _)| *part != Part::Train).map(|(_, at)| *at);
    let theirs = theirs.chain(others.iter().map(|(.., at)| *at));
    let (inside, rests) = (insides(tree, theirs), self::rests(&others));
    let goes = |(_, rest, at): &&Named| goes_with(tree, (rest, *at), &inside, &rests);
    let trains = trains.iter().filter(goes);
    trains.chain(&others).map(|(part, _, at)| (*part, *at)).collect()
}

/// A folder whose name has a part at an end: the part, the rest of the name, the folder.
type Named = (Part, String, usize);

/// True when a folder has the same name beside the part as others, or mostly the same folders in
/// it.
pub(super) fn goes_with(
    tree: &Tree,
    (rest, at): (&str, usize),
    inside: &BTreeSet<&str>,
    rests: &BTreeSet<&str>,
) -> bool {
    rests.contains(rest) || mostly(&inner(tree, at), |name| inside.contains(name))
}

/// Names of all folders that some folders hold.
pub(super) fn insides(tree: &Tree, folders: impl Iterator<Item = usize>) -> BTreeSet<&str> {
    folders.flat_map(|at| inner(tree, at)).collect()
}

/// What some names say beside the part.
pub(super) fn rests(named: &[Named]) -> BTreeSet<&str> {
    named.iter().map(|(_, rest, _)| rest.as_str()).collect()
}

/// The part that a folder's name speaks of and nothing else, whatever encoding it is in.
pub(super) fn part_of(tree: &Tree, at: usize) -> Option<Part> {
    let name = tree.last_name(at);
    let old = || in_old_encodings(name).iter().find_map(|name| Part::of_folder(name));
    Part::of_folder(name).or_else(|| if name.contains(r"\x") { old() } else { None })
}

/// Names of the folders with pictures in a folder, where there are two or more and hardly anything
/// beside them.
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

/// Names of folders, in backticks.
pub(super) fn names(tree: &Tree, folders: &[usize]) -> String {
    some_of(&folders.iter().map(|&at| tree.last_name(at)).collect::<Vec<_>>())
}

/// Some of the names, in backticks.
pub(super) fn some_of(names: &[&str]) -> String {
    match names.len().saturating_sub(NAMED) {
        0 => quoted(names),
        more => format!("{} and {more} more", quoted(&names[..NAMED])),
    }
}

pub(super) fn is_known(tree: &Tree, at: usize, known: Option<&[String]>) -> bool {
    known.is_some_and(|known| known.iter().any(|class| class == tree.last_name(at)))
}
