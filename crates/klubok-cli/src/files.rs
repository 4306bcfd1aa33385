//! Finds the pictures that `predict` names: files, folders and patterns.

use std::path::{Path, PathBuf};

use klubok::data::{self, is_system_folder, looks_like_picture};

/// A picture to predict.
pub(crate) struct InputPicture {
    /// Unique printable form of its path.
    pub(crate) name: String,
    /// Its path, even if there is no such file.
    pub(crate) path: PathBuf,
}

/// Lists the pictures of `inputs` in their order: files, all pictures below folders sorted by name,
/// matches of patterns. Keeps missing files, so that reading them reports an error.
pub(crate) fn pictures(inputs: &[PathBuf]) -> Vec<InputPicture> {
    let mut paths = Vec::new();
    for path in inputs {
        // A name with brackets may be a pattern or a file: an existing file wins.
        let pattern = path.to_str().filter(|_| !path.exists()).and_then(|p| glob::glob(p).ok());
        let matches: Vec<PathBuf> = pattern.map(|m| m.flatten().collect()).unwrap_or_default();
        if matches.is_empty() {
            add(path, true, &mut paths);
        }
        for path in &matches {
            add(path, matches.len() == 1, &mut paths);
        }
    }
    let found = |path: PathBuf| InputPicture { name: data::display_name(path.as_os_str()), path };
    paths.into_iter().map(found).collect()
}

/// Adds a file, or the pictures below a folder. A file named by the user needs no known extension.
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
