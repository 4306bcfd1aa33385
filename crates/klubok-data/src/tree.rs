//! Reads a folder tree: folders and names of pictures, without opening any.
//!
//! Reads folders iteratively, so depth takes no stack. Bounds depth, entries and followed links.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs::Metadata,
    path::{Path, PathBuf},
};

use super::{
    DataError, LeftOut,
    names::{display_name, is_system_folder, looks_like_picture},
};
use crate::{error::Result, settings::is_run};

/// Maximum depth.
const MAX_DEPTH: usize = 64;
/// Maximum files and folders of all kinds.
const MAX_ENTRIES: usize = 1 << 21;
/// Maximum bytes of all folders and picture paths. Names may be long, and each path repeats its
/// parents.
const MAX_PATH_BYTES: usize = 256 << 20;
/// Maximum followed links to folders. A few mutual links already create exponentially many paths.
const MAX_LINKS: usize = 1 << 16;
/// Default folder of runs.
const RUNS: &str = "runs";

/// A folder and all folders below it, each after its parent.
pub(super) struct Tree {
    folders: Vec<Folder>,
}

/// One folder.
pub(super) struct Folder {
    /// Its path below the root, with `/` between the names; empty for the root.
    pub(super) name: String,
    /// Its full path.
    pub(super) path: PathBuf,
    /// Names of its pictures.
    pub(super) pictures: Vec<OsString>,
    /// Number of pictures in it and below.
    pub(super) picture_count: u64,
    /// Its ignored entries.
    pub(super) left: LeftOut,
    /// Its subfolders in byte order of names, without runs of klubok.
    folders: Vec<usize>,
    /// The parent folder.
    parent: Option<usize>,
    /// Its path without links.
    real: PathBuf,
    depth: usize,
    is_run: bool,
}

/// Running totals.
#[derive(Default)]
struct Totals {
    entries: usize,
    links: usize,
    paths: usize,
}

impl Totals {
    fn exceed_limits(&self) -> bool {
        self.entries > MAX_ENTRIES || self.links > MAX_LINKS || self.paths > MAX_PATH_BYTES
    }
}

impl Tree {
    /// Reads the tree below `path`.
    ///
    /// # Errors
    /// [`DataError::TooDeep`], [`DataError::TooManyFiles`]; when a folder cannot be read.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let real = fs_err::canonicalize(path)?;
        let mut tree = Self { folders: vec![Folder::new(String::new(), path.into(), real)] };
        let (mut totals, mut next) = (Totals::default(), 0);
        while next < tree.folders.len() {
            tree.read_one(next, &mut totals)?;
            if totals.exceed_limits() {
                return Err(DataError::TooManyFiles { path: path.display().to_string() });
            }
            next += 1;
        }
        tree.count();
        Ok(tree)
    }

    pub(super) fn folder(&self, at: usize) -> &Folder {
        &self.folders[at]
    }

    /// Returns a folder's own name.
    pub(super) fn last_name(&self, at: usize) -> &str {
        let name = &self.folders[at].name;
        name.rsplit_once('/').map_or(name, |(_, last)| last)
    }

    /// Returns a folder's parent.
    pub(super) fn parent(&self, at: usize) -> Option<usize> {
        self.folders[at].parent
    }

    /// Returns a folder's subfolders.
    pub(super) fn children(&self, at: usize) -> &[usize] {
        &self.folders[at].folders
    }

    /// Returns a folder's subfolders that hold pictures.
    pub(super) fn with_pictures(&self, at: usize) -> Vec<usize> {
        let picture_count = |at: &usize| self.folders[*at].picture_count > 0;
        self.folders[at].folders.iter().copied().filter(picture_count).collect()
    }

    /// Returns a folder and all folders below it.
    pub(super) fn below(&self, at: usize) -> Vec<usize> {
        let mut all = vec![at];
        let mut next = 0;
        while next < all.len() {
            all.extend_from_slice(&self.folders[all[next]].folders);
            next += 1;
        }
        all
    }

    /// Describes the files below a folder that are not pictures, for an error.
    pub(super) fn describe_files(&self, at: usize) -> String {
        let mut left = LeftOut::default();
        self.below(at).into_iter().for_each(|at| left.add(&self.folders[at].left));
        left.describe_files()
    }

    /// Reads one folder and appends its subfolders.
    fn read_one(&mut self, at: usize, totals: &mut Totals) -> Result<()> {
        let path = self.folders[at].path.clone();
        let mut found: BTreeMap<String, (PathBuf, PathBuf)> = BTreeMap::new();
        for entry in fs_err::read_dir(&path)? {
            let entry = entry?;
            totals.entries += 1;
            let (name, path, kind) = (entry.file_name(), entry.path(), entry.file_type()?);
            // A dangling link is a file. Reading reports it in detail.
            let leads_to = if kind.is_symlink() { path.metadata().ok() } else { None };
            let is_folder = kind.is_dir() || leads_to.as_ref().is_some_and(Metadata::is_dir);
            if name.as_encoded_bytes().starts_with(b".") {
                continue;
            }
            let length = path.as_os_str().len();
            // A folder stores its name, its path and its real path.
            totals.paths += match (is_folder, looks_like_picture(&path)) {
                (true, _) => size_of::<Folder>() + 3 * length,
                (false, true) => length,
                (false, false) => 0,
            };
            if !is_folder {
                let special =
                    leads_to.map_or(!kind.is_file() && !kind.is_symlink(), |to| !to.is_file());
                self.folders[at].add_file(name, &path, special);
            } else if is_system_folder(&name) {
                *self.folders[at].left.system.entry(display_name(&name)).or_default() += 1;
            } else {
                let real = if kind.is_symlink() {
                    fs_err::canonicalize(&path)?
                } else {
                    self.folders[at].real.join(&name)
                };
                totals.links += usize::from(kind.is_symlink());
                if !self.leads_back(at, &real) {
                    found.insert(display_name(&name), (path, real));
                }
            }
            if totals.exceed_limits() {
                return Ok(());
            }
        }
        self.folders[at].pictures.sort();
        self.folders[at].is_run = at > 0 && self.folders[at].looks_like_run();
        if !self.folders[at].is_run {
            self.add_folders(at, found)?;
        }
        Ok(())
    }

    fn add_folders(
        &mut self,
        at: usize,
        found: BTreeMap<String, (PathBuf, PathBuf)>,
    ) -> Result<()> {
        let depth = self.folders[at].depth + 1;
        for (name, (path, real)) in found {
            if depth > MAX_DEPTH {
                return Err(DataError::TooDeep {
                    path: path.display().to_string(),
                    most: MAX_DEPTH,
                });
            }
            let parent = &self.folders[at].name;
            let name = if parent.is_empty() { name } else { format!("{parent}/{name}") };
            let folder = Folder { parent: Some(at), depth, ..Folder::new(name, path, real) };
            let number = self.folders.len();
            self.folders[at].folders.push(number);
            self.folders.push(folder);
        }
        Ok(())
    }

    /// Returns true if `real` is `at` or one of its ancestors.
    fn leads_back(&self, at: usize, real: &Path) -> bool {
        let mut parent = Some(at);
        while let Some(at) = parent {
            if self.folders[at].real == real {
                return true;
            }
            parent = self.folders[at].parent;
        }
        false
    }

    /// Counts the pictures bottom-up, and removes runs.
    fn count(&mut self) {
        for at in (0..self.folders.len()).rev() {
            let inside = std::mem::take(&mut self.folders[at].folders);
            let (runs, others): (Vec<usize>, Vec<usize>) =
                inside.into_iter().partition(|&at| self.folders[at].is_run);
            let held: u64 = others.iter().map(|&at| self.folders[at].picture_count).sum();
            // Pictures among runs are not data either, but they are counted.
            let among_runs = runs
                .iter()
                .map(|&at| (self.folders[at].name.clone(), self.folders[at].picture_count));
            let among_runs: Vec<_> = among_runs.filter(|(_, pictures)| *pictures > 0).collect();
            let folder = &mut self.folders[at];
            folder.left.folders = among_runs;
            folder.picture_count = held + folder.pictures.len() as u64;
            let of_runs =
                folder.picture_count == 0 || folder.path.file_name().is_some_and(|n| n == RUNS);
            folder.is_run |= at > 0 && !runs.is_empty() && of_runs;
            folder.folders = others;
        }
    }
}

impl Folder {
    fn new(name: String, path: PathBuf, real: PathBuf) -> Self {
        Self {
            name,
            path,
            pictures: Vec::new(),
            picture_count: 0,
            left: LeftOut::default(),
            folders: Vec::new(),
            parent: None,
            real,
            depth: 0,
            is_run: false,
        }
    }

    fn add_file(&mut self, name: OsString, path: &Path, special: bool) {
        if special {
            self.left.special += 1;
        } else if looks_like_picture(path) {
            self.pictures.push(name);
        } else {
            self.left.file(path);
        }
    }

    /// Returns true for a run folder: settings with a section `[run]` with the klubok version, and
    /// no pictures.
    fn looks_like_run(&self) -> bool {
        let settings = self.left.files.contains_key("toml") && self.pictures.is_empty();
        settings && is_run(&self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::fixtures::*, *};

    fn read(files: &[(&str, &str)]) -> Tree {
        Tree::read(folder(files).path()).unwrap()
    }

    fn names(tree: &Tree) -> Vec<(&str, u64)> {
        let folder = |at| (tree.folder(at).name.as_str(), tree.folder(at).picture_count);
        tree.below(0).into_iter().map(folder).collect()
    }

    #[test]
    fn counts_pictures_bottom_up() {
        let tree = read(&[("b/1.png", ""), ("a/x/2.jpg", ""), ("a/3.gif", ""), ("a/n.txt", "")]);
        assert_eq!(names(&tree), [("", 3), ("a", 2), ("b", 1), ("a/x", 1)]);
        assert_eq!(tree.folder(tree.children(0)[0]).left.files["txt"], 1);
    }

    #[test]
    fn skips_system_folders_at_any_depth() {
        let tree = read(&[
            ("__MACOSX/a/1.png", ""),
            ("a/@eaDir/1.jpg/SYNOPHOTO_THUMB_M.jpg", ""),
            ("a/.cache/1.png", ""),
            ("a/1.png", ""),
        ]);
        assert_eq!(names(&tree), [("", 1), ("a", 1)]);
        assert_eq!(tree.folder(0).left.system["__MACOSX"], 1);
        assert_eq!(tree.folder(1).left.system["@eaDir"], 1);
    }

    #[test]
    fn skips_runs() {
        let run = "[data]\nsize = 8\n\n[run]\nklubok = \"1\"\n";
        let tree = read(&[
            ("cat/1.png", ""),
            ("runs/pets-001/config.toml", run),
            ("runs/pets-001/plots/1.png", ""),
            ("runs/curve.png", ""),
            ("mine/config.toml", run),
            ("dog/config.toml", "[run]"),
            ("dog/1.png", ""),
            ("bird/config.toml", "[train]"),
            ("fish/config.toml", "[run]\nname = \"other\""),
            ("fish/many/1.png", ""),
        ]);
        let found = [("", 3), ("bird", 0), ("cat", 1), ("dog", 1), ("fish", 1), ("fish/many", 1)];
        assert_eq!(names(&tree), found);
        assert_eq!(tree.folder(0).left.folders, [("runs".to_owned(), 1)]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn counts_pipes_without_opening_them() {
        let folder = folder(&[("a/1.png", "")]);
        let pipe = folder.path().join("a/2.png");
        assert!(std::process::Command::new("mkfifo").arg(pipe).status().unwrap().success());
        std::os::unix::fs::symlink("/dev/zero", folder.path().join("a/3.png")).unwrap();
        let tree = Tree::read(folder.path()).unwrap();
        assert_eq!((tree.folder(0).picture_count, tree.folder(1).left.special), (1, 2));
    }

    #[cfg(unix)]
    #[test]
    fn depth_and_links_are_bounded() {
        let folder = folder(&[("a/1.png", "")]);
        // Every folder links to every other: exponentially many paths.
        for from in 0..12 {
            let path = folder.path().join(format!("many/{from}"));
            fs_err::create_dir_all(&path).unwrap();
            for to in 0..12 {
                let to = folder.path().join(format!("many/{to}"));
                std::os::unix::fs::symlink(&to, path.join(to.file_name().unwrap())).unwrap();
            }
        }
        let error = Tree::read(folder.path()).err().unwrap().to_string();
        assert!(error.contains("holds more files, or more links"), "{error}");
        fs_err::remove_dir_all(folder.path().join("many")).unwrap();
        let deep = folder.path().join("deep").join("x/".repeat(MAX_DEPTH));
        fs_err::create_dir_all(deep).unwrap();
        let error = Tree::read(folder.path()).err().unwrap().to_string();
        assert!(error.contains("lies more than 64 folders deep"), "{error}");
    }
}
