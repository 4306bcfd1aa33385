//! Circles between the files of a crate: two files that use each other are one thing in two places.
//!
//! The compiler forbids circles between crates and allows them between modules. A module and its
//! children may use each other. Tests may use what they like.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A path of names, from the root of the crate: the module of a file, or an item.
type Names = Vec<String>;

/// The circles between files of one crate, given as its path in the crate and its code without
/// comments, strings and tests; each circle as the files it goes through.
pub(crate) fn circles(files: &[(String, String)]) -> Vec<Vec<String>> {
    let modules: BTreeMap<Names, &str> =
        files.iter().map(|(file, _)| (module_of(file), file.as_str())).collect();
    let uses: BTreeMap<Names, Vec<Use>> =
        files.iter().map(|(file, code)| (module_of(file), uses(code))).collect();
    let mut arrows: BTreeMap<&Names, BTreeSet<Names>> = BTreeMap::new();
    for (module, uses_of_module) in &uses {
        let targets = uses_of_module.iter().filter_map(|path| {
            let target = resolve(module, &path.names, &modules, &uses)?;
            let is_family = target.starts_with(module) || module.starts_with(&target);
            (!is_family).then_some(target)
        });
        arrows.insert(module, targets.collect());
    }
    let mut found = Vec::new();
    for start in arrows.keys() {
        if let Some(circle) = way_back(start, &arrows)
            && circle.iter().min() == Some(start)
        {
            found.push(circle.iter().map(|module| modules[module].to_owned()).collect());
        }
    }
    found
}

/// `a/b.rs` is module `a::b`; `lib.rs`, `main.rs` and `mod.rs` are their folder.
fn module_of(file: &str) -> Names {
    let names = file.trim_end_matches(".rs").split('/').map(str::to_owned);
    names.filter(|name| !["lib", "main", "mod"].contains(&name.as_str())).collect()
}

/// The files of one crate without its tests: neither modules of files of their own, nor those at
/// the end of a file.
pub(crate) fn without_tests(files: &[(String, String)]) -> Vec<(String, String)> {
    let of_tests: BTreeSet<Names> =
        files.iter().flat_map(|(file, code)| test_modules(&module_of(file), code)).collect();
    let shipped = files.iter().filter(|(file, _)| !of_tests.contains(&module_of(file)));
    shipped.map(|(file, code)| (file.clone(), before_tests(code).to_owned())).collect()
}

/// Code up to the module of its tests.
fn before_tests(code: &str) -> &str {
    let starts = code.match_indices("#[cfg(test)]").find(|(at, attribute)| {
        let after = code[at + attribute.len()..].trim_start();
        let line = after.lines().next().unwrap_or_default();
        line.contains("mod ") && line.ends_with('{')
    });
    starts.map_or(code, |(at, _)| &code[..at])
}

/// Modules in files of their own that are compiled for tests only.
fn test_modules(module: &Names, code: &str) -> Vec<Names> {
    let after = code.split("#[cfg(test)]").skip(1).filter_map(|after| {
        let line = after.trim_start().lines().next()?;
        let (_, name) = line.strip_suffix(';')?.split_once("mod ")?;
        Some(module.iter().cloned().chain([name.trim().to_owned()]).collect())
    });
    after.collect()
}

/// A path that a file names, and whether others may take the item from this file.
struct Use {
    names: Names,
    is_public: bool,
}

/// Every path of the `use` statements, and every other path that begins at a module.
fn uses(code: &str) -> Vec<Use> {
    let mut found = Vec::new();
    let mut rest = code;
    while let Some(at) = rest.find("use ") {
        let (before, after) = (&rest[..at], &rest[at + 4..]);
        let line = before.rsplit('\n').next().unwrap_or_default().trim();
        let Some((tree, next)) = after.split_once(';') else { break };
        if line.is_empty() || line.starts_with("pub") {
            let is_public = line.starts_with("pub");
            expand(&[], tree, &mut |names| found.push(Use { names, is_public }));
            rest = next;
        } else {
            rest = after;
        }
    }
    for root in ["crate::", "super::", "self::"] {
        for (at, _) in code.match_indices(root) {
            let part_of_word = code[..at].ends_with(|c: char| c.is_alphanumeric() || c == ':');
            let end = code[at..].find(|c: char| !(c.is_alphanumeric() || "_:".contains(c)));
            let path = &code[at..at + end.unwrap_or(code.len() - at)];
            let names = path.split("::").filter(|name| !name.is_empty()).map(str::to_owned);
            if !part_of_word {
                found.push(Use { names: names.collect(), is_public: false });
            }
        }
    }
    found
}

/// The paths of a tree such as `a::{b, c::{self, d}}`; what is renamed is known by its new name.
fn expand(before: &[String], tree: &str, each: &mut impl FnMut(Names)) {
    let (head, branches) = match tree.split_once('{') {
        Some((head, rest)) => (head, rest.rsplit_once('}').map(|(branches, _)| branches)),
        None => (tree, None),
    };
    let names = head.split("::").map(str::trim).filter(|name| !name.is_empty());
    let mut names: Names = before.iter().cloned().chain(names.map(str::to_owned)).collect();
    let Some(branches) = branches else {
        if names.last().is_some_and(|last| last == "self") && names.len() > 1 {
            names.pop();
        }
        if let Some(last) = names.last_mut()
            && let Some((name, _)) = last.split_once(" as ")
        {
            *last = name.to_owned();
        }
        return each(names);
    };
    let (mut depth, mut from) = (0, 0);
    for (at, c) in branches.char_indices().chain([(branches.len(), ',')]) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                let branch = branches[from..at].trim();
                if !branch.is_empty() {
                    expand(&names, branch, each);
                }
                from = at + 1;
            }
            _ => {}
        }
    }
}

/// The module of the file that a path leads to, through the re-exports on its way; none where it
/// leads out of the crate.
fn resolve(
    module: &Names,
    path: &[String],
    modules: &BTreeMap<Names, &str>,
    uses: &BTreeMap<Names, Vec<Use>>,
) -> Option<Names> {
    let mut rest = path.iter().peekable();
    let mut at = module.clone();
    match rest.peek()?.as_str() {
        "crate" => {
            rest.next();
            at.clear();
        }
        "self" => drop(rest.next()),
        "super" => {
            while rest.next_if(|name| *name == "super").is_some() {
                at.pop();
            }
        }
        child if !modules.contains_key(&[&at[..], &[child.to_owned()]].concat()) => return None,
        _ => {}
    }
    for name in rest {
        let child = [&at[..], std::slice::from_ref(name)].concat();
        if modules.contains_key(&child) {
            at = child;
            continue;
        }
        let taken = uses.get(&at).into_iter().flatten().find(|of| {
            of.is_public && of.names.last() == Some(name) && of.names.len() > 1 && of.names != path
        });
        return match taken {
            Some(of) if at != *module => resolve(&at, &of.names, modules, uses).or(Some(at)),
            _ => Some(at),
        };
    }
    Some(at)
}

/// The shortest way from a module back to itself, the module first.
fn way_back(start: &Names, arrows: &BTreeMap<&Names, BTreeSet<Names>>) -> Option<Vec<Names>> {
    let mut from: BTreeMap<&Names, &Names> = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(at) = queue.pop_front() {
        for next in arrows.get(at)? {
            if next == start {
                let mut way = vec![at.clone()];
                while let Some(before) = from.get(way.last()?) {
                    way.push((*before).clone());
                }
                way.reverse();
                return Some(way);
            }
            if arrows.contains_key(next) && !from.contains_key(next) {
                from.insert(next, at);
                queue.push_back(next);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Vec<Vec<String>> {
        let files: Vec<_> =
            files.iter().map(|(file, code)| ((*file).to_owned(), (*code).to_owned())).collect();
        circles(&without_tests(&files))
    }

    #[test]
    fn files_that_use_each_other_are_found() {
        let a = ("a.rs", "use crate::{b::{self, B}, other};\n");
        assert_eq!(found(&[a, ("b.rs", "use std::io;\n")]), [[""; 0]; 0]);
        assert_eq!(found(&[a, ("b.rs", "fn f() { crate::a::g(); }\n")]), [["a.rs", "b.rs"]]);
        let c = ("c/mod.rs", "use super::a;\n");
        assert_eq!(found(&[a, ("b.rs", "use super::c::d;\n"), c]), [["a.rs", "b.rs", "c/mod.rs"]]);
    }

    #[test]
    fn what_a_root_hands_on_counts_as_its_own_file() {
        let root = ("lib.rs", "mod a;\nmod b;\npub use a::A;\npub use self::b::{B, C};\n");
        let (a, b) = (("a.rs", "use crate::B;\n"), ("b.rs", "use super::A;\n"));
        assert_eq!(found(&[root, a, b]), [["a.rs", "b.rs"]]);
        assert_eq!(found(&[root, a, ("b.rs", "use crate::D;\n")]), [[""; 0]; 0]);
    }

    #[test]
    fn a_module_and_its_children_and_tests_are_no_circle() {
        let parent = ("a/mod.rs", "mod b;\nuse b::B;\n");
        assert_eq!(found(&[parent, ("a/b.rs", "use super::A;\n")]), [[""; 0]; 0]);
        let tests = "use crate::d::D;\n#[cfg(test)]\nmod tests {\n    use crate::d;\n}\n";
        let d = ("d.rs", "#[cfg(test)]\nmod tests {\n    use crate::c;\n}\n");
        assert_eq!(found(&[("c.rs", tests), d]), [[""; 0]; 0]);
        let root = ("lib.rs", "#[cfg(test)]\nmod fixtures;\nmod e;\n");
        let (e, fixtures) =
            (("e.rs", "use crate::fixtures;\n"), ("fixtures.rs", "use super::e;\n"));
        assert_eq!(found(&[root, e, fixtures]), [[""; 0]; 0]);
    }
}
