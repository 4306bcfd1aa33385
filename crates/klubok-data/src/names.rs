//! Names of files and folders: how they are shown, and which ones no person gave.

use std::{ffi::OsStr, fmt::Write as _, path::Path};

use unicode_normalization::UnicodeNormalization as _;

/// Ends of names that are taken for pictures. HEIC and AVIF are among them to be named as
/// unsupported.
const ENDINGS: [&str; 14] = [
    "jpg", "jpeg", "jpe", "jfif", "png", "bmp", "dib", "gif", "webp", "tif", "tiff", "heic",
    "heif", "avif",
];

/// Folders that systems and devices make, in lower case: macOS, Windows, Linux, Synology, QNAP.
/// They hold thumbnails, copies and what was deleted. Those of programmers' tools are full of
/// pictures that nobody ever meant.
const SYSTEM: [&str; 24] = [
    "__macosx",
    "network trash folder",
    "temporary items",
    "the volume settings folder",
    "$recycle.bin",
    "system volume information",
    "config.msi",
    "msdownld.tmp",
    "lost+found",
    "@eadir",
    "@tmp",
    "@sharebin",
    "@sharesnap",
    "#recycle",
    "#snapshot",
    "@recycle",
    "@recently-snapshot",
    "@snapshot",
    "@__thumb",
    "__pycache__",
    "node_modules",
    "bower_components",
    "site-packages",
    "venv",
];

/// Where old Windows keeps what was deleted, always in capitals: waste is sorted into classes of
/// these names.
const BINS: [&str; 2] = ["RECYCLER", "RECYCLED"];

/// Folders in which people keep other things than data, in lower case. A class may have such a
/// name, so that one beside class folders is asked about.
const OTHER_THINGS: [&str; 27] = [
    "plots",
    "plot",
    "figures",
    "figs",
    "charts",
    "graphs",
    "logs",
    "log",
    "tensorboard",
    "runs",
    "results",
    "result",
    "output",
    "outputs",
    "predictions",
    "checkpoints",
    "checkpoint",
    "models",
    "weights",
    "docs",
    "screenshots",
    "notebooks",
    "scripts",
    "src",
    "backup",
    "tmp",
    "temp",
];

/// Folders of what people marked in pictures, in lower case: they lie beside those of the pictures
/// themselves.
const MARKS: [&str; 9] = [
    "masks",
    "annotations",
    "labels",
    "segmentations",
    "ground_truth",
    "groundtruth",
    "gt",
    "trimaps",
    "bboxes",
];

/// Words for the pieces that something large is cut into, in lower case: a number stands behind
/// one.
const PIECES: [&str; 11] = [
    "part", "fold", "batch", "chunk", "shard", "split", "piece", "images", "img", "imgs",
    "pictures",
];

/// True when the name ends like a picture's.
pub fn looks_like_picture(path: &Path) -> bool {
    let ending = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
    ENDINGS.iter().any(|e| e.eq_ignore_ascii_case(ending))
}

/// True for a folder that is no data anywhere: a hidden one, or one that a system made.
pub fn is_of_system(name: &OsStr) -> bool {
    let as_it_is = name.to_string_lossy();
    let name = as_it_is.to_lowercase();
    // Windows keeps what it found on a damaged disk in `found.000`, `found.001`.
    let found = name.strip_prefix("found.");
    let found = found.is_some_and(|n| n.len() == 3 && n.bytes().all(|b| b.is_ascii_digit()));
    name.starts_with('.')
        || found
        || SYSTEM.contains(&name.as_str())
        || BINS.contains(&as_it_is.as_ref())
}

/// True for a folder that by its name holds something else than data.
pub(super) fn is_of_other_things(name: &str) -> bool {
    OTHER_THINGS.contains(&name.to_lowercase().as_str()) || is_of_marks(name)
}

/// True for a folder that by its name holds what people marked in the pictures beside it.
pub(super) fn is_of_marks(name: &str) -> bool {
    MARKS.contains(&name.to_lowercase().as_str())
}

/// What a name says before the number of a piece, in lower case: `images_part_` of `images_part_2`.
/// None where the name is not of a piece.
pub(super) fn piece_of(name: &str) -> Option<String> {
    let name = name.to_lowercase();
    let before = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let word = before.trim_end_matches(|c: char| !c.is_alphabetic());
    let word = word.rsplit(|c: char| !c.is_alphabetic()).next().unwrap_or_default();
    (before.len() < name.len() && PIECES.contains(&word)).then(|| before.to_owned())
}

/// What a name that is no UTF-8 says in the encodings that Russian systems had, Windows and DOS,
/// from what [`shown`] makes of it.
pub(super) fn in_old_encodings(name: &str) -> [String; 2] {
    let decode = |letter: fn(u8) -> Option<char>| {
        let mut pieces = name.split(r"\x");
        let mut text = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            let (digits, rest) = piece.split_at_checked(2).unwrap_or((piece, ""));
            let byte = u8::from_str_radix(digits, 16).ok();
            text.push(byte.and_then(letter).unwrap_or(char::REPLACEMENT_CHARACTER));
            text.push_str(rest);
        }
        text
    };
    [decode(windows), decode(dos)]
}

/// A Russian letter of Windows-1251.
fn windows(byte: u8) -> Option<char> {
    (byte >= 0xC0).then(|| char::from_u32(0x410 + u32::from(byte - 0xC0)))?
}

/// A Russian letter of code page 866.
fn dos(byte: u8) -> Option<char> {
    match byte {
        0x80..=0xAF => char::from_u32(0x410 + u32::from(byte - 0x80)),
        0xE0..=0xEF => char::from_u32(0x440 + u32::from(byte - 0xE0)),
        _ => None,
    }
}

/// True when two names differ in nothing but the form of their accents: one letter in the one
/// (`é`), a letter and a combining mark in the other. Systems write names in either form.
pub(super) fn differ_in_form(one: &str, other: &str) -> bool {
    one != other && one.nfc().eq(other.nfc())
}

/// A name as text. Bytes that are no UTF-8 become `\xHH`, and so does a backslash before what reads
/// like that: names that differ are never shown alike.
pub fn shown(name: &OsStr) -> String {
    let mut text = String::new();
    for chunk in name.as_encoded_bytes().utf8_chunks() {
        let mut rest = chunk.valid();
        while let Some(at) = rest.find('\\') {
            text.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            text.push_str(if looks_escaped(rest) { r"\x5C" } else { r"\" });
        }
        text.push_str(rest);
        for byte in chunk.invalid() {
            // To write to a string cannot fail.
            let _ = write!(text, r"\x{byte:02X}");
        }
    }
    text
}

/// True for `x` and two hexadecimal digits.
fn looks_escaped(text: &str) -> bool {
    let mut bytes = text.bytes();
    let mut digit = |first: bool| {
        bytes.next().is_some_and(|b| if first { b == b'x' } else { b.is_ascii_hexdigit() })
    };
    digit(true) && digit(false) && digit(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_systems_are_known_in_any_case() {
        for name in [
            "__MACOSX",
            "@eaDir",
            "$RECYCLE.BIN",
            "$Recycle.Bin",
            "System Volume Information",
            "lost+found",
            "#recycle",
            "@Recycle",
            ".git",
            ".ipynb_checkpoints",
            "FOUND.000",
            "RECYCLER",
        ] {
            assert!(is_of_system(name.as_ref()), "{name}");
        }
        for name in [
            "cat",
            "recycle",
            "recycled",
            "Recycler",
            "found.it",
            "found.0000",
            "lost",
            "eaDir",
            "macosx",
        ] {
            assert!(!is_of_system(name.as_ref()), "{name}");
        }
    }

    #[test]
    fn folders_of_programmers_tools_are_of_systems() {
        for name in ["node_modules", "venv", ".venv", "site-packages"] {
            assert!(is_of_system(name.as_ref()), "{name}");
        }
        assert!(is_of_other_things("Plots") && !is_of_other_things("cat"));
        assert!(is_of_other_things("Masks") && is_of_marks("GT") && !is_of_marks("mask"));
    }

    #[test]
    fn old_encodings_are_understood() {
        assert_eq!(in_old_encodings(r"\xF2\xE5\xF1\xF2")[0], "тест");
        assert_eq!(in_old_encodings(r"\xAA\xAE\xE2 1")[1], "кот 1");
        assert_eq!(in_old_encodings(r"a\xF"), ["a\u{fffd}", "a\u{fffd}"]);
    }

    #[test]
    fn forms_of_letters_are_compared() {
        assert!(differ_in_form("café", "cafe\u{301}") && differ_in_form("cafe\u{301}", "café"));
        assert!(differ_in_form("йод", "и\u{306}од"));
        for (one, other) in
            [("café", "cafe"), ("cafe", "cafe"), ("cat", "dog"), ("cafe\u{301}x", "café")]
        {
            assert!(!differ_in_form(one, other), "{one} {other}");
        }
    }

    #[test]
    fn utf8_stays_as_it_is() {
        for name in ["cat", "кот", r"a\b", r"a\x", r"a\xg0", "a\u{fffd}", ""] {
            assert_eq!(shown(name.as_ref()), name);
        }
        assert_eq!(shown(r"\xAA".as_ref()), r"\x5CxAA");
    }

    #[cfg(unix)]
    #[test]
    fn names_that_differ_are_shown_differently() {
        use std::os::unix::ffi::OsStrExt as _;
        let shown = |bytes: &[u8]| shown(OsStr::from_bytes(bytes));
        assert_eq!(shown(&[0xaa, 0xae, 0xe2]), r"\xAA\xAE\xE2");
        assert_eq!(shown(b"a\xffb"), r"a\xFFb");
        // All names of up to six pieces of an awkward alphabet.
        let pieces: [&[u8]; 5] = [b"\\", b"x", b"5", b"C", &[0xaa]];
        let mut names: Vec<Vec<u8>> = vec![Vec::new()];
        for length in 0..6 {
            let longer = |name: &Vec<u8>| pieces.map(|piece| [name, piece].concat());
            let last = names.iter().filter(|name| name.len() == length);
            let next: Vec<Vec<u8>> = last.flat_map(longer).collect();
            names.extend(next);
        }
        let all: std::collections::BTreeSet<String> = names.iter().map(|n| shown(n)).collect();
        assert_eq!(all.len(), names.len());
    }
}
