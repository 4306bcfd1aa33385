//! What lies in a folder of class folders: parts, classes and picture files, without reading one.
//!
//! `DATA/cat/1.jpg` or `DATA/train/cat/1.jpg`. A folder has parts when every folder in it is called
//! `train`, `val`, `valid`, `validation` or `test`; otherwise its folders are classes. Below a class
//! folder pictures are found at any depth. Hidden files, and files whose name does not end like a
//! picture's, are passed over. Order is the byte order of the names.

use std::path::{Path, PathBuf};

use super::{DataError, OpenOptions, Part, quoted, unknown_class};
use crate::error::{Error, Result};

/// Ends of names that are taken for pictures. HEIC and AVIF are among them to be named as unsupported.
const ENDINGS: [&str; 14] = [
    "jpg", "jpeg", "jpe", "jfif", "png", "bmp", "dib", "gif", "webp", "tif", "tiff", "heic",
    "heif", "avif",
];

/// A picture file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct File {
    /// Where it is.
    pub(super) path: PathBuf,
    /// Its path below the data folder with `/` between the names; below `--val PATH`: `val/` and that.
    pub(super) name: String,
    /// Number of its class.
    pub(super) class: u32,
    /// The part it is in.
    pub(super) part: Part,
}

/// All picture files of the data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listing {
    /// Names of the classes: those of the training part in byte order, or those the model knows.
    pub(super) classes: Vec<String>,
    /// The files: training, validation, test, each in byte order of names.
    pub(super) files: Vec<File>,
}

/// A folder with class folders in it.
struct Root {
    part: Part,
    path: PathBuf,
    /// What the names of its files begin with: nothing, or the part's folder and `/`.
    prefix: String,
}

/// Lists the pictures of `source` and of the parts given apart.
pub(super) fn list(source: &Path, options: &OpenOptions) -> Result<Listing> {
    let roots = roots(source, options)?;
    let mut classes = options.known.as_ref().map_or_else(Vec::new, |known| known.classes.clone());
    let mut files = Vec::new();
    for root in roots {
        let (folders, path) = (class_folders(&root.path)?, root.path.display().to_string());
        if folders.is_empty() {
            return Err(DataError::NoClasses { path }.into());
        }
        if options.known.is_none() && root.part == Part::Train {
            classes = folders.iter().map(|(name, _)| name.clone()).collect();
        }
        let start = files.len();
        for (class, path) in folders {
            add_class(&mut files, &root, &class, &path, &classes)?;
        }
        if files.len() == start {
            return Err(DataError::NoPictures { path }.into());
        }
        files[start..].sort_by(|a: &File, b| a.name.as_bytes().cmp(b.name.as_bytes()));
    }
    Ok(Listing { classes, files })
}

/// Adds the pictures of one class folder; an empty folder of an unknown class does no harm.
fn add_class(
    files: &mut Vec<File>,
    root: &Root,
    class: &str,
    path: &Path,
    classes: &[String],
) -> Result<()> {
    let mut found = Vec::new();
    let prefix = format!("{}{class}/", root.prefix);
    walk(path, &prefix, &mut vec![fs_err::canonicalize(path)?], &mut found)?;
    let Some(number) = classes.iter().position(|c| c == class) else {
        let unknown = || unknown_class(class, classes).into();
        return if found.is_empty() { Ok(()) } else { Err(unknown()) };
    };
    let file = |(path, name)| File { path, name, class: number as u32, part: root.part };
    files.extend(found.into_iter().map(file));
    Ok(())
}

/// The folders that hold class folders, in the order of the parts.
fn roots(source: &Path, options: &OpenOptions) -> Result<Vec<Root>> {
    let mut roots = parts(source)?;
    if roots.is_empty() {
        roots.push(Root { part: Part::Train, path: source.into(), prefix: String::new() });
    } else if options.known.is_none() && roots[0].part != Part::Train {
        return Err(no_train_part(source, &roots));
    }
    for (part, path) in options.apart() {
        roots.retain(|root| root.part != part);
        let prefix = format!("{}/", part.name());
        roots.push(Root { part, path: part_of(path, part)?, prefix });
    }
    roots.sort_by_key(|root| root.part);
    Ok(roots)
}

/// The folder for a part given by its own path: that path, or where it has parts, the one of that
/// name, else its `train`.
fn part_of(path: &Path, part: Part) -> Result<PathBuf> {
    let parts = parts(path)?;
    let of = |part| parts.iter().find(|root| root.part == part);
    match of(part).or_else(|| of(Part::Train)) {
        Some(root) => Ok(root.path.clone()),
        None if parts.is_empty() => Ok(path.into()),
        None => Err(no_train_part(path, &parts)),
    }
}

fn no_train_part(path: &Path, parts: &[Root]) -> Error {
    let found: Vec<&str> = parts.iter().map(|root| root.prefix.trim_end_matches('/')).collect();
    DataError::NoTrainPart { path: path.display().to_string(), found: quoted(&found) }.into()
}

/// The parts of a folder, in order, or none when its folders are classes.
fn parts(path: &Path) -> Result<Vec<Root>> {
    let mut parts: Vec<Root> = Vec::new();
    for (name, folder) in class_folders(path)? {
        let part = match name.to_ascii_lowercase().as_str() {
            "train" => Part::Train,
            "val" | "valid" | "validation" => Part::Val,
            "test" => Part::Test,
            _ => return Ok(Vec::new()),
        };
        if let Some(root) = parts.iter().find(|root| root.part == part) {
            let first = root.prefix.trim_end_matches('/').into();
            let path = path.display().to_string();
            return Err(DataError::PartTwice { path, first, second: name }.into());
        }
        parts.push(Root { part, path: folder, prefix: format!("{name}/") });
    }
    parts.sort_by_key(|root| root.part);
    Ok(parts)
}

/// The folders in a folder that are not hidden, in byte order of their names.
fn class_folders(path: &Path) -> Result<Vec<(String, PathBuf)>> {
    let mut folders = Vec::new();
    for entry in fs_err::read_dir(path)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // A link that leads nowhere is no folder.
        if !name.starts_with('.') && entry.path().is_dir() {
            folders.push((name, entry.path()));
        }
    }
    folders.sort();
    Ok(folders)
}

/// Adds the pictures below `folder` as (path, name); `above` holds the real paths of the folders that
/// lead here, so that a link back to one of them is not followed.
fn walk(
    folder: &Path,
    prefix: &str,
    above: &mut Vec<PathBuf>,
    found: &mut Vec<(PathBuf, String)>,
) -> Result<()> {
    for entry in fs_err::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') {
            continue;
        }
        let (path, kind) = (entry.path(), entry.file_type()?);
        let dangling = kind.is_symlink() && !path.exists();
        if kind.is_dir() || (kind.is_symlink() && path.is_dir()) {
            let real = fs_err::canonicalize(&path)?;
            if !above.contains(&real) {
                above.push(real);
                walk(&path, &format!("{prefix}{name}/"), above, found)?;
                above.pop();
            }
        } else if looks_like_picture(&path) && (kind.is_file() || dangling || path.is_file()) {
            found.push((path, format!("{prefix}{name}")));
        }
    }
    Ok(())
}

/// True when the name ends like a picture's.
pub fn looks_like_picture(path: &Path) -> bool {
    let ending = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
    ENDINGS.iter().any(|e| e.eq_ignore_ascii_case(ending))
}

#[cfg(test)]
mod tests {
    use super::{super::fixtures::*, *};

    fn names(folder: &tempfile::TempDir, options: &OpenOptions) -> Vec<String> {
        let listing = list(folder.path(), options).unwrap();
        listing
            .files
            .into_iter()
            .map(|file| format!("{}:{}", file.part.name(), file.name))
            .collect()
    }

    fn listed(files: &[&str]) -> Vec<String> {
        let files: Vec<(&str, &[u8])> = files.iter().map(|name| (*name, &[][..])).collect();
        names(&folder(&files), &options(4))
    }

    #[test]
    fn order_is_that_of_bytes() {
        let found = listed(&["cat/9.jpg", "cat/10.JPG", "cat-2/a.png", "Cat/é.gif", "Cat/z.gif"]);
        let expected = ["Cat/z.gif", "Cat/é.gif", "cat-2/a.png", "cat/10.JPG", "cat/9.jpg"];
        assert_eq!(found, expected.map(|name| format!("train:{name}")));
    }

    #[test]
    fn pictures_are_found_at_any_depth_and_the_rest_is_passed_over() {
        let found = listed(&[
            "cat/1.jpg",
            "cat/more/and/2.jpeg",
            "cat/.hidden.jpg",
            "cat/.cache/3.jpg",
            "cat/notes.txt",
            "cat/Thumbs.db",
            "cat/.DS_Store",
            "dog/4.webp",
            "dog/5.heic",
            ".git/6.jpg",
            "stray.jpg",
        ]);
        let expected = ["cat/1.jpg", "cat/more/and/2.jpeg", "dog/4.webp", "dog/5.heic"];
        assert_eq!(found, expected.map(|name| format!("train:{name}")));
    }

    #[test]
    fn parts_lie_above_classes() {
        let files = ["test/a/3.png", "train/a/1.png", "train/b/1.png", "valid/b/2.png"];
        let expected = [
            "train:train/a/1.png",
            "train:train/b/1.png",
            "val:valid/b/2.png",
            "test:test/a/3.png",
        ];
        assert_eq!(listed(&files), expected);
    }

    #[test]
    fn a_class_may_be_called_train() {
        assert_eq!(listed(&["bus/1.png", "train/1.png"]), ["train:bus/1.png", "train:train/1.png"]);
    }

    #[test]
    fn a_part_given_apart_replaces_that_of_the_data() {
        let data = folder(&[("train/a/1.png", ""), ("val/a/2.png", ""), ("test/a/3.png", "")]);
        let flat = folder(&[("a/4.png", "")]);
        let parts = folder(&[("train/a/5.png", ""), ("val/a/6.png", "")]);
        let val =
            |path: &tempfile::TempDir| OpenOptions { val: Some(path.path().into()), ..options(4) };
        let rest = |val| ["train:train/a/1.png", val, "test:test/a/3.png"];
        assert_eq!(names(&data, &val(&flat)), rest("val:val/a/4.png"));
        assert_eq!(names(&data, &val(&parts)), rest("val:val/a/6.png"));
        let empty = folder(&[("1.png", "")]);
        assert!(complaint(&data, &val(&empty)).ends_with("such as `cat` and `dog`"));
        let test = OpenOptions { test: Some(parts.path().into()), ..options(4) };
        assert_eq!(names(&data, &test)[2], "test:test/a/5.png");
    }

    #[test]
    fn a_class_that_is_not_trained_is_named() {
        let files = [("train/cat/1.png", ""), ("train/dog/1.png", ""), ("val/bird/1.png", "")];
        let message = complaint(&folder(&files), &options(4));
        assert_eq!(
            message,
            "there is a class `bird` in the data, and the network knows only `cat`, `dog`"
        );
        // An empty folder does no harm.
        assert_eq!(listed(&["train/a/1.png", "val/a/1.png", "val/b/notes.txt"]).len(), 2);
    }

    #[test]
    fn folders_that_are_no_data_say_so() {
        let files = |names: &[&str]| {
            let files: Vec<(&str, &str)> = names.iter().map(|name| (*name, "")).collect();
            complaint(&folder(&files), &options(4))
        };
        let no_classes = "`DATA` has no class folders";
        assert!(files(&[]).starts_with(no_classes));
        assert!(files(&["1.png", "2.png"]).starts_with(no_classes));
        let no_pictures = "the class folders of `DATA` hold no pictures";
        assert!(files(&["a/notes.txt", "b/.hidden.png"]).starts_with(no_pictures));
        assert!(files(&["train/1.png"]).starts_with("`DATA/train` has no class folders"));
        assert_eq!(
            files(&["val/a/1.png", "test/a/1.png"]),
            "`DATA` has no `train` part, only `val`, `test`"
        );
        let twice = files(&["train/a/1.png", "val/a/1.png", "validation/a/1.png"]);
        assert!(twice.contains("`val` and `validation`"), "{twice}");
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_but_not_in_circles() {
        use std::os::unix::fs::symlink;
        let folder = folder(&[("a/1.png", ""), ("b/1.png", "")]);
        let path = |name| folder.path().join(name);
        symlink(path("a"), path("a/again")).unwrap();
        symlink(path("b"), path("a/other")).unwrap();
        symlink(folder.path(), path("b/up")).unwrap();
        symlink(path("a/1.png"), path("b/2.png")).unwrap();
        symlink(path("nowhere"), path("b/3.png")).unwrap();
        let found = names(&folder, &options(4));
        for name in ["a/1.png", "a/other/1.png", "b/1.png", "b/2.png", "b/3.png", "b/up/a/1.png"] {
            assert!(found.contains(&format!("train:{name}")), "{name} of {found:?}");
        }
    }
}
