//! Names of files and folders: how to display them, and which ones are not data.

use std::{ffi::OsStr, fmt::Write as _, path::Path};

use unicode_normalization::UnicodeNormalization as _;

/// Extensions of pictures. HEIC and AVIF are included to be reported as unsupported.
const PICTURE_EXTENSIONS: [&str; 14] = [
    "jpg", "jpeg", "jpe", "jfif", "png", "bmp", "dib", "gif", "webp", "tif", "tiff", "heic",
    "heif", "avif",
];

/// System and device folders, in lower case: macOS, Windows, Linux, Synology, QNAP. They hold
/// thumbnails, copies and deleted files. Folders of programming tools contain many unrelated
/// pictures.
const SYSTEM_FOLDERS: [&str; 24] = [
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

/// Recycle bins of old Windows, always in capitals. Waste-sorting data sets have classes of these
/// names in other cases.
const RECYCLE_BINS: [&str; 2] = ["RECYCLER", "RECYCLED"];

/// Usual names of folders without data, in lower case. A class may have such a name, so klubok
/// reports one beside class folders instead of ignoring it.
const NON_DATA_FOLDERS: [&str; 27] = [
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

/// Annotation folders, in lower case. They lie beside the pictures' folders.
const ANNOTATION_FOLDERS: [&str; 9] = [
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

/// Words for parts of a large data set, in lower case, followed by a number.
const PART_WORDS: [&str; 11] = [
    "part", "fold", "batch", "chunk", "shard", "split", "piece", "images", "img", "imgs",
    "pictures",
];

/// Returns true if the name has a picture's extension.
pub fn looks_like_picture(path: &Path) -> bool {
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
    PICTURE_EXTENSIONS.iter().any(|e| e.eq_ignore_ascii_case(extension))
}

/// Returns true for a folder that never contains data: a hidden or a system folder.
pub fn is_system_folder(name: &OsStr) -> bool {
    let original = name.to_string_lossy();
    let name = original.to_lowercase();
    // Windows stores files recovered from a damaged disk in `found.000`, `found.001`.
    let recovered = name.strip_prefix("found.");
    let recovered =
        recovered.is_some_and(|n| n.len() == 3 && n.bytes().all(|b| b.is_ascii_digit()));
    name.starts_with('.')
        || recovered
        || SYSTEM_FOLDERS.contains(&name.as_str())
        || RECYCLE_BINS.contains(&original.as_ref())
}

/// Returns true for a folder whose name suggests something other than data.
pub(super) fn is_non_data(name: &str) -> bool {
    NON_DATA_FOLDERS.contains(&name.to_lowercase().as_str()) || is_annotations(name)
}

/// Returns true for a folder whose name suggests annotations.
pub(super) fn is_annotations(name: &str) -> bool {
    ANNOTATION_FOLDERS.contains(&name.to_lowercase().as_str())
}

/// Returns a numbered part's name before its number, in lower case: `images_part_` of
/// `images_part_2`. None for other names.
pub(super) fn numbered_stem(name: &str) -> Option<String> {
    let name = name.to_lowercase();
    let before = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let word = before.trim_end_matches(|c: char| !c.is_alphabetic());
    let word = word.rsplit(|c: char| !c.is_alphabetic()).next().unwrap_or_default();
    (before.len() < name.len() && PART_WORDS.contains(&word)).then(|| before.to_owned())
}

/// Decodes a name that is not UTF-8 from the Russian encodings of Windows and DOS. Takes the name
/// as formatted by [`display_name`].
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
    [decode(windows_1251), decode(code_page_866)]
}

/// Decodes a Russian letter of Windows-1251.
fn windows_1251(byte: u8) -> Option<char> {
    (byte >= 0xC0).then(|| char::from_u32(0x410 + u32::from(byte - 0xC0)))?
}

/// Decodes a Russian letter of code page 866.
fn code_page_866(byte: u8) -> Option<char> {
    match byte {
        0x80..=0xAF => char::from_u32(0x410 + u32::from(byte - 0x80)),
        0xE0..=0xEF => char::from_u32(0x440 + u32::from(byte - 0xE0)),
        _ => None,
    }
}

/// Returns true if two names differ only in Unicode normalisation: a single letter (`é`) against a
/// letter and a combining mark. Systems write either form.
pub(super) fn differ_in_form(one: &str, other: &str) -> bool {
    one != other && one.nfc().eq(other.nfc())
}

/// Formats a name as text. Bytes that are not UTF-8 become `\xHH`, and so does a backslash before
/// text of that form: different names are always displayed differently.
pub fn display_name(name: &OsStr) -> String {
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
            // Writing to a string cannot fail.
            let _ = write!(text, r"\x{byte:02X}");
        }
    }
    text
}

/// Returns true for text that starts with `x` and two hexadecimal digits.
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
    fn recognises_system_folders_in_any_case() {
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
            assert!(is_system_folder(name.as_ref()), "{name}");
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
            assert!(!is_system_folder(name.as_ref()), "{name}");
        }
    }

    #[test]
    fn recognises_tool_and_non_data_folders() {
        for name in ["node_modules", "venv", ".venv", "site-packages"] {
            assert!(is_system_folder(name.as_ref()), "{name}");
        }
        assert!(is_non_data("Plots") && !is_non_data("cat"));
        assert!(is_non_data("Masks") && is_annotations("GT") && !is_annotations("mask"));
    }

    #[test]
    fn decodes_old_encodings() {
        assert_eq!(in_old_encodings(r"\xF2\xE5\xF1\xF2")[0], "тест");
        assert_eq!(in_old_encodings(r"\xAA\xAE\xE2 1")[1], "кот 1");
        assert_eq!(in_old_encodings(r"a\xF"), ["a\u{fffd}", "a\u{fffd}"]);
    }

    #[test]
    fn compares_unicode_forms() {
        assert!(differ_in_form("café", "cafe\u{301}") && differ_in_form("cafe\u{301}", "café"));
        assert!(differ_in_form("йод", "и\u{306}од"));
        for (one, other) in
            [("café", "cafe"), ("cafe", "cafe"), ("cat", "dog"), ("cafe\u{301}x", "café")]
        {
            assert!(!differ_in_form(one, other), "{one} {other}");
        }
    }

    #[test]
    fn utf8_is_unchanged() {
        for name in ["cat", "кот", r"a\b", r"a\x", r"a\xg0", "a\u{fffd}", ""] {
            assert_eq!(display_name(name.as_ref()), name);
        }
        assert_eq!(display_name(r"\xAA".as_ref()), r"\x5CxAA");
    }

    #[cfg(unix)]
    #[test]
    fn different_names_are_displayed_differently() {
        use std::os::unix::ffi::OsStrExt as _;
        let display_name = |bytes: &[u8]| display_name(OsStr::from_bytes(bytes));
        assert_eq!(display_name(&[0xaa, 0xae, 0xe2]), r"\xAA\xAE\xE2");
        assert_eq!(display_name(b"a\xffb"), r"a\xFFb");
        // All names of up to six pieces of a tricky alphabet.
        let pieces: [&[u8]; 5] = [b"\\", b"x", b"5", b"C", &[0xaa]];
        let mut names: Vec<Vec<u8>> = vec![Vec::new()];
        for length in 0..6 {
            let longer = |name: &Vec<u8>| pieces.map(|piece| [name, piece].concat());
            let last = names.iter().filter(|name| name.len() == length);
            let next: Vec<Vec<u8>> = last.flat_map(longer).collect();
            names.extend(next);
        }
        let all: std::collections::BTreeSet<String> =
            names.iter().map(|n| display_name(n)).collect();
        assert_eq!(all.len(), names.len());
    }
}
