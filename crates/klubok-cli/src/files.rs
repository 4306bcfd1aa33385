//! Which pictures a person means.

use std::path::{Path, PathBuf};

use klubok::data::{self, is_system_folder, looks_like_picture};

/// A picture that was asked for.
pub(crate) struct Found {
    /// As a person would write it; no two paths have the same.
    pub(crate) name: String,
    /// Where it is, or should be.
    pub(crate) path: PathBuf,
}

/// The pictures that `inputs` mean, in their order: files as they are, folders with all pictures
/// below them by name, patterns by what they match. What does not exist stays, so that reading it
/// says so.
pub(crate) fn pictures(inputs: &[PathBuf]) -> Vec<Found> {
    let mut paths = Vec::new();
    for path in inputs {
        // A name with brackets may be a pattern and a file: the file is meant where there is one.
        let pattern = path.to_str().filter(|_| !path.exists()).and_then(|p| glob::glob(p).ok());
        let matches: Vec<PathBuf> = pattern.map(|m| m.flatten().collect()).unwrap_or_default();
        if matches.is_empty() {
            add(path, true, &mut paths);
        }
        for path in &matches {
            add(path, matches.len() == 1, &mut paths);
        }
    }
    let found = |path: PathBuf| Found { name: data::display_name(path.as_os_str()), path };
    paths.into_iter().map(found).collect()
}

/// Adds a file, or what lies in a folder. What was named gets in whatever it is called.
fn add(path: &Path, named: bool, paths: &mut Vec<PathBuf>) {
    if !path.is_dir() {
        if named || looks_like_picture(path) {
            paths.push(path.to_owned());
        }
        return;
    }
    let Ok(entries) = fs_err::read_dir(path) else { return paths.push(path.to_owned()) };
    let mut below: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    below.retain(|path| {
        let hidden = path.file_name().is_some_and(|name| is_system_folder(name) && path.is_dir())
            || path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        // A link to a folder may lead back up.
        let leads_elsewhere = path.is_symlink() && path.is_dir();
        !hidden && !leads_elsewhere
    });
    below.sort();
    below.iter().for_each(|path| add(path, false, paths));
}
