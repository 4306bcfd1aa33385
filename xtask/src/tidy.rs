//! `cargo xtask tidy`: the rules of the project that no other tool knows.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::circles::circles;

/// No file of code may be longer: past this it is two things.
const LONGEST_FILE: usize = 600;

/// No comment may be wider: `rustfmt` breaks code there and leaves comments alone.
const WIDEST_COMMENT: usize = 100;

/// Words that must not stand in the code of some folders, and why: what crates cannot say.
const FORBIDDEN: &[(&[&str], &[&str], &str)] = &[
    (
        &["crates/klubok-nn/src/", "crates/klubok-cpu/src/"],
        &["fs", "io", "net", "env", "process", "stdin", "stdout", "stderr"],
        "the mathematics does no input or output",
    ),
    (
        &["crates/klubok-nn/src/", "crates/klubok-cpu/src/"],
        &["print", "println", "eprint", "eprintln", "log", "tracing"],
        "the mathematics logs nothing",
    ),
    (
        &["crates/klubok-nn/src/", "crates/klubok-cpu/src/"],
        CLOCKS,
        "nothing that is computed may rest on a stopwatch",
    ),
    (&["crates/klubok-diagnose/src/check/"], CLOCKS, "an experiment takes steps, not seconds"),
    (
        &[
            "crates/klubok/src/",
            "crates/klubok-data/src/",
            "crates/klubok-diagnose/src/",
            "crates/klubok-inspect/src/",
            "crates/klubok-model/src/",
            "crates/klubok-page/src/",
            "crates/klubok-text/src/",
            "crates/klubok-train/src/",
        ],
        &["env::var", "env::var_os", "env::vars"],
        "the library is told, it does not look",
    ),
];
const CLOCKS: &[&str] = &["Instant", "SystemTime"];

/// Checks the whole project, prints what is wrong; true when nothing is.
///
/// # Errors
/// When a file cannot be read.
pub(crate) fn run(root: &Path) -> Result<bool> {
    let mut wrong = Vec::new();
    for file in files(root, &["rs", "py", "toml", "md"])? {
        let name = file.strip_prefix(root).unwrap_or(&file).to_string_lossy().replace('\\', "/");
        wrong.extend(check(&name, &fs_err::read_to_string(&file)?));
    }
    for folder in source_folders(root)? {
        wrong.extend(check_circles(root, &folder)?);
    }
    for line in &wrong {
        println!("{line}");
    }
    Ok(wrong.is_empty())
}

/// The sources of every crate.
fn source_folders(root: &Path) -> Result<Vec<PathBuf>> {
    let manifests = files(root, &["toml"])?;
    let manifests = manifests.iter().filter(|file| file.ends_with("Cargo.toml"));
    let folders = manifests.filter_map(|file| Some(file.parent()?.join("src")));
    Ok(folders.filter(|folder| folder.is_dir()).collect())
}

/// Files of one crate that use each other in a circle.
fn check_circles(root: &Path, folder: &Path) -> Result<Vec<String>> {
    let mut sources = Vec::new();
    for file in files(folder, &["rs"])? {
        let name = file.strip_prefix(folder)?.to_string_lossy().replace('\\', "/");
        sources.push((name, code_of(&fs_err::read_to_string(&file)?)));
    }
    let name = folder.strip_prefix(root)?.display();
    let circles = circles(&sources).into_iter();
    Ok(circles.map(|files| format!("{name}: a circle: {}", files.join(" -> "))).collect())
}

/// Files below `folder` with one of the endings, in order; build outputs and hidden folders left
/// out.
///
/// # Errors
/// When a folder cannot be read.
pub(crate) fn files(folder: &Path, endings: &[&str]) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs_err::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_dir() {
            if !name.starts_with('.') && !["target", "runs", "shared"].contains(&name.as_str()) {
                found.extend(files(&path, endings)?);
            }
        } else if path.extension().is_some_and(|e| endings.iter().any(|&ending| e == ending)) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// What is wrong with one file; `name` is its path from the root of the project, with `/`.
fn check(name: &str, text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        for word in [concat!("TO", "DO"), concat!("FIX", "ME")] {
            if holds_word(line, word) {
                wrong.push(format!("{name}:{number}: `{word}`: do it, or open an issue"));
            }
        }
    }
    if Path::new(name).extension().is_none_or(|ending| ending != "rs") {
        return wrong;
    }
    if !text.starts_with("//!") {
        wrong.push(format!("{name}: must begin with `//!` and say what it is for"));
    }
    let length = text.lines().count();
    if length > LONGEST_FILE {
        wrong.push(format!("{name}: {length} lines; {LONGEST_FILE} are the most"));
    }
    for (number, line) in (1..).zip(text.lines()) {
        if is_wide_comment(line) {
            wrong.push(format!("{name}:{number}: a comment of more than {WIDEST_COMMENT} columns"));
        }
    }
    let code = code_of(text);
    for (number, line) in (1..).zip(code.lines()) {
        for (folders, words, why) in FORBIDDEN {
            if folders.iter().any(|folder| name.starts_with(folder)) {
                let found = words.iter().filter(|word| holds_word(line, word));
                wrong.extend(found.map(|word| format!("{name}:{number}: `{word}`: {why}")));
            }
        }
    }
    wrong
}

/// Whether a line is a comment that is too wide. Rows of tables and links cannot be broken.
fn is_wide_comment(line: &str) -> bool {
    let text = line.trim_start();
    let breaks =
        !text.starts_with("//! |") && !text.starts_with("/// |") && !text.contains("](http");
    text.starts_with("//") && breaks && line.chars().count() > WIDEST_COMMENT
}

/// The code alone, line by line: comments are left out, string and character literals are empty.
fn code_of(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("r\"") || rest.starts_with("r#") && !code.ends_with(is_of_a_word)
        {
            raw_string(rest)
        } else if c == '"' {
            literal(rest, '"')
        } else if rest.starts_with("'\\") || c == '\'' && rest.chars().nth(2) == Some('\'') {
            literal(rest, '\'')
        } else {
            code.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        };
        code.extend(rest[..length].chars().filter(|&c| c == '\n'));
        rest = &rest[length..];
    }
    code
}

/// Length of the literal that `text` begins with, quotes included.
fn literal(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        if c == quote && !escaped {
            return at + 1;
        }
        escaped = c == '\\' && !escaped;
    }
    text.len()
}

/// Length of the raw string that `text` begins with; 1 where it is not one after all (`r#type`).
fn raw_string(text: &str) -> usize {
    let hashes = text[1..].chars().take_while(|&c| c == '#').count();
    if !text[1 + hashes..].starts_with('"') {
        return 1;
    }
    let end = format!("\"{}", "#".repeat(hashes));
    let body = 2 + hashes;
    text[body..].find(&end).map_or(text.len(), |at| body + at + end.len())
}

fn is_of_a_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn holds_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        !line[..at].ends_with(is_of_a_word) && !line[at + word.len()..].starts_with(is_of_a_word)
    })
}

#[cfg(test)]
mod tests {
    use super::{check, code_of};

    #[track_caller]
    fn wrong(name: &str, text: &str, expected: &[&str]) {
        assert_eq!(check(name, text), expected);
    }

    #[test]
    fn good_code_passes() {
        let text = "//! Dropout.\nuse crate::{error::Result, plan::{Op, Value}};\n";
        wrong("crates/klubok-nn/src/layers/dropout.rs", text, &[]);
    }

    #[test]
    fn a_wide_comment_is_found_unless_it_cannot_be_broken() {
        let wide = "word ".repeat(20);
        let file = |line: &str| format!("//! A file.\n{line}\nfn f() {{}}\n");
        let said = ["crates/klubok-nn/src/a.rs:2: a comment of more than 100 columns"];
        wrong("crates/klubok-nn/src/a.rs", &file(&format!("/// {wide}end")), &said);
        for fine in [format!("//! | {wide}|"), format!("/// [x](https://a.b) {wide}"), wide] {
            wrong("crates/klubok-nn/src/a.rs", &file(&fine), &[]);
        }
    }

    #[test]
    fn words_count_in_code_and_not_in_comments_and_strings() {
        let text = "//! println\nconst A: &str = \"println\";\nfn f() { println!() }\n";
        wrong(
            "crates/klubok-nn/src/a.rs",
            text,
            &["crates/klubok-nn/src/a.rs:3: `println`: the mathematics logs nothing"],
        );
        wrong("crates/klubok-train/src/a.rs", text, &[]);
    }

    #[test]
    fn clocks_and_files_are_found_in_a_tree_of_uses() {
        let text = "//! Tiles.\nuse std::{fs, time::Instant};\n";
        let expected = [
            "crates/klubok-cpu/src/a.rs:2: `fs`: the mathematics does no input or output",
            "crates/klubok-cpu/src/a.rs:2: `Instant`: nothing that is computed may rest on a \
             stopwatch",
        ];
        wrong("crates/klubok-cpu/src/a.rs", text, &expected);
    }

    #[test]
    fn a_file_says_what_it_is_for_and_is_not_too_long() {
        let expected = "xtask/src/a.rs: must begin with `//!` and say what it is for";
        wrong("xtask/src/a.rs", "fn f() {}\n", &[expected]);
        let text = format!("//! Long.\n{}", "\n".repeat(600));
        wrong("xtask/src/a.rs", &text, &["xtask/src/a.rs: 601 lines; 600 are the most"]);
    }

    #[test]
    fn unfinished_work_is_found_everywhere() {
        let text = concat!("# Plan\nTO", "DO: all\n");
        wrong("README.md", text, &[concat!("README.md:2: `TO", "DO`: do it, or open an issue")]);
    }

    #[test]
    fn literals_of_all_kinds_are_emptied() {
        let text = "a('\"', '\\'', \"x\\\"y\", r#\"z\"w\"#, r\"v\") // c\n'life r#type";
        assert_eq!(code_of(text), "a(, , , , ) \n'life #type");
    }
}
