//! What lies in the folder of the data and is not used: a person is told, so that nothing is
//! missing without a word.

use std::{collections::BTreeMap, path::Path};

/// Different endings that are counted apart.
const ENDINGS: usize = 64;
/// Endings that an error names.
const NAMED: usize = 5;
/// Letters of an ending; a longer one is none.
const LETTERS: usize = 10;

/// What was found beside the data and is no part of it. Hidden files and folders of runs are not in
/// it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Folders in which the data was found, where that is deeper than usual.
    pub below: Vec<String>,
    /// Folders that are neither part nor class, and how many pictures each holds.
    pub folders: Vec<(String, u64)>,
    /// Folders that systems make, by name, and how many of each there are.
    pub system: BTreeMap<String, u64>,
    /// Pictures that lie beside class folders and in none of them.
    pub loose: u64,
    /// Files that are no pictures, by their ending in lower case; `""` for those without.
    pub files: BTreeMap<String, u64>,
    /// Files that look like those of the data and are not among them, such as a second copy of a
    /// file of IDX.
    pub beside: Vec<String>,
    /// Pipes, devices and sockets.
    pub special: u64,
}

impl LeftOut {
    /// Counts a file that is no picture.
    pub(super) fn file(&mut self, path: &Path) {
        let ending = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_lowercase();
        let short = ending.chars().count() <= LETTERS && ending.chars().all(char::is_alphanumeric);
        let counted = self.files.len() < ENDINGS || self.files.contains_key(&ending);
        *self.files.entry(if short && counted { ending } else { String::new() }).or_default() += 1;
    }

    /// Adds what one folder has that is no data.
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
    /// "; files that are no pictures by their names: 60 (50 of .ppm, 10 without an ending)", for an
    /// error; nothing where there are none.
    pub(super) fn files_in_words(&self) -> String {
        let named = |(ending, n): (&String, &u64)| match ending.as_str() {
            "" => format!("{n} without an ending"),
            ending => format!("{n} of .{ending}"),
        };
        let mut files: Vec<_> = self.files.iter().collect();
        files.sort_by_key(|(_, n)| std::cmp::Reverse(**n));
        let more = files.len().saturating_sub(NAMED);
        let mut named: Vec<String> = files.into_iter().take(NAMED).map(named).collect();
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
    fn files_are_counted_by_ending() {
        let mut left = LeftOut::default();
        for name in ["a.TXT", "b.txt", "c", "d.far_too_long_for_one", "e.заметка", "Thumbs.db"]
        {
            left.file(Path::new(name));
        }
        let counts: Vec<_> = left.files.iter().map(|(ending, n)| (ending.as_str(), *n)).collect();
        assert_eq!(counts, [("", 2), ("db", 1), ("txt", 2), ("заметка", 1)]);
    }

    #[test]
    fn files_are_told_by_ending() {
        let mut left = LeftOut::default();
        assert_eq!(left.files_in_words(), "");
        ["a.ppm", "b.ppm", "c"].iter().for_each(|name| left.file(Path::new(name)));
        let words =
            "; files that are no pictures by their names: 3 (2 of .ppm, 1 without an ending)";
        assert_eq!(left.files_in_words(), words);
    }

    #[test]
    fn a_million_endings_take_no_memory() {
        let mut left = LeftOut::default();
        (0..1000).for_each(|i| left.file(Path::new(&format!("a.{i}"))));
        assert!(left.files.len() <= ENDINGS + 1);
        assert_eq!(left.files.values().sum::<u64>(), 1000);
    }
}
