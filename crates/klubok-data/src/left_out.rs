//! Records ignored files and folders in the data folder, so that klubok can report them.

use std::{collections::BTreeMap, path::Path};

/// Maximum distinct extensions that are counted separately.
const MAX_EXTENSIONS: usize = 64;
/// Maximum extensions that an error names.
const MAX_NAMED: usize = 5;
/// Maximum letters of an extension. A longer one counts as none.
const MAX_EXTENSION_LETTERS: usize = 10;

/// Ignored files and folders beside the data. Hidden files and folders of runs are not included.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Folders that contain the data, where they lie deeper than usual.
    pub below: Vec<String>,
    /// Folders that are neither split nor class, with their picture counts.
    pub folders: Vec<(String, u64)>,
    /// System folders, by name, with their counts.
    pub system: BTreeMap<String, u64>,
    /// Pictures outside the class folders.
    pub loose: u64,
    /// Counts of other files by lower-case extension; `""` for files without one.
    pub files: BTreeMap<String, u64>,
    /// Unused files that look like data, such as a second copy of an IDX file.
    pub beside: Vec<String>,
    /// Pipes, devices and sockets.
    pub special: u64,
}

impl LeftOut {
    /// Counts a file other than a picture.
    pub(super) fn file(&mut self, path: &Path) {
        let extension =
            path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_lowercase();
        let short = extension.chars().count() <= MAX_EXTENSION_LETTERS
            && extension.chars().all(char::is_alphanumeric);
        let counted = self.files.len() < MAX_EXTENSIONS || self.files.contains_key(&extension);
        *self.files.entry(if short && counted { extension } else { String::new() }).or_default() +=
            1;
    }

    /// Adds the ignored entries of one folder.
    pub(super) fn add(&mut self, other: &LeftOut) {
        let add = |to: &mut BTreeMap<String, u64>, from: &BTreeMap<String, u64>| {
            from.iter().for_each(|(name, n)| *to.entry(name.clone()).or_default() += n);
        };
        add(&mut self.system, &other.system);
        add(&mut self.files, &other.files);
        self.folders.extend_from_slice(&other.folders);
        self.special += other.special;
    }
}

impl LeftOut {
    /// Describes the other files for an error, as in "; files that are no pictures by their names:
    /// 60 (50 of .ppm, 10 without an ending)". Empty if there are none.
    pub(super) fn describe_files(&self) -> String {
        let named = |(extension, n): (&String, &u64)| match extension.as_str() {
            "" => format!("{n} without an ending"),
            extension => format!("{n} of .{extension}"),
        };
        let mut files: Vec<_> = self.files.iter().collect();
        files.sort_by_key(|(_, n)| std::cmp::Reverse(**n));
        let more = files.len().saturating_sub(MAX_NAMED);
        let mut named: Vec<String> = files.into_iter().take(MAX_NAMED).map(named).collect();
        if more > 0 {
            named.push(format!("{more} more endings"));
        }
        match self.files.values().sum::<u64>() {
            0 => String::new(),
            n => format!("; files that are no pictures by their names: {n} ({})", named.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_files_by_extension() {
        let mut left = LeftOut::default();
        for name in ["a.TXT", "b.txt", "c", "d.far_too_long_for_one", "e.заметка", "Thumbs.db"]
        {
            left.file(Path::new(name));
        }
        let counts: Vec<_> =
            left.files.iter().map(|(extension, n)| (extension.as_str(), *n)).collect();
        assert_eq!(counts, [("", 2), ("db", 1), ("txt", 2), ("заметка", 1)]);
    }

    #[test]
    fn describes_files_by_extension() {
        let mut left = LeftOut::default();
        assert_eq!(left.describe_files(), "");
        ["a.ppm", "b.ppm", "c"].iter().for_each(|name| left.file(Path::new(name)));
        let words =
            "; files that are no pictures by their names: 3 (2 of .ppm, 1 without an ending)";
        assert_eq!(left.describe_files(), words);
    }

    #[test]
    fn the_number_of_extensions_is_bounded() {
        let mut left = LeftOut::default();
        (0..1000).for_each(|i| left.file(Path::new(&format!("a.{i}"))));
        assert!(left.files.len() <= MAX_EXTENSIONS + 1);
        assert_eq!(left.files.values().sum::<u64>(), 1000);
    }
}
