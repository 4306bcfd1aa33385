//! Names of files and folders: how they are shown, and which ones no person gave.

use std::{ffi::OsStr, fmt::Write as _, path::Path};

/// Ends of names that are taken for pictures. HEIC and AVIF are among them to be named as unsupported.
const ENDINGS: [&str; 14] = [
    "jpg", "jpeg", "jpe", "jfif", "png", "bmp", "dib", "gif", "webp", "tif", "tiff", "heic",
    "heif", "avif",
];

/// Folders that systems and devices make, in lower case: macOS, Windows, Linux, Synology, QNAP. They hold thumbnails,
/// copies and what was deleted.
const SYSTEM: [&str; 22] = [
    "__macosx",
    "network trash folder",
    "temporary items",
    "the volume settings folder",
    "$recycle.bin",
    "recycler",
    "recycled",
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
];

/// True when the name ends like a picture's.
pub fn looks_like_picture(path: &Path) -> bool {
    let ending = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
    ENDINGS.iter().any(|e| e.eq_ignore_ascii_case(ending))
}

/// True for a folder that is no data anywhere: a hidden one, or one that a system made.
pub fn is_of_system(name: &OsStr) -> bool {
    let name = name.to_string_lossy().to_lowercase();
    // Windows keeps what it found on a damaged disk in `found.000`, `found.001`.
    let found = name.strip_prefix("found.");
    let found = found.is_some_and(|n| n.len() == 3 && n.bytes().all(|b| b.is_ascii_digit()));
    name.starts_with('.') || found || SYSTEM.contains(&name.as_str())
}

/// A name as text. Bytes that are no UTF-8 become `\xHH`, and so does a backslash before what reads like that: names
/// that differ are never shown alike.
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
        ] {
            assert!(is_of_system(name.as_ref()), "{name}");
        }
        for name in ["cat", "recycle", "found.it", "found.0000", "lost", "eaDir", "macosx"] {
            assert!(!is_of_system(name.as_ref()), "{name}");
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
