//! Paths in commands to copy into a shell.

use std::path::Path;

/// Quotes a path for a shell, if it has special characters.
pub fn quoted(path: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-:@%+=,".contains(c);
    // A leading dash would make it an option.
    let path = if path.starts_with('-') { format!("./{path}") } else { path.to_owned() };
    if !path.is_empty() && path.chars().all(plain) {
        return path;
    }
    format!("'{}'", path.replace('\'', r"'\''"))
}

/// Shortens a path below the current folder to a relative one.
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
