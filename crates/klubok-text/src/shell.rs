//! Paths as a person pastes them into a shell.

use std::path::Path;

/// A path as a shell reads it back: in single quotes where it has anything that means something to
/// one.
pub fn quoted(path: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-:@%+=,".contains(c);
    // What begins with a dash would be an option.
    let path = if path.starts_with('-') { format!("./{path}") } else { path.to_owned() };
    if !path.is_empty() && path.chars().all(plain) {
        return path;
    }
    format!("'{}'", path.replace('\'', r"'\''"))
}

/// A path as a person here would write it: without the folder that they are in.
pub fn shown(path: &str) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    match Path::new(path).strip_prefix(here) {
        Ok(below) if below != Path::new("") => below.display().to_string(),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_quoted_where_a_shell_needs_it() {
        for (path, word) in [
            ("pets/cat-1.png", "pets/cat-1.png"),
            ("demo:pets", "demo:pets"),
            ("данные/коты", "данные/коты"),
            ("my pets", "'my pets'"),
            ("it's $HOME", r"'it'\''s $HOME'"),
            ("~/pets", "'~/pets'"),
            ("a;b", "'a;b'"),
            ("-pets", "./-pets"),
            ("", "''"),
        ] {
            assert_eq!(quoted(path), word);
        }
    }
}
