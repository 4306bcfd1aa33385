//! `cargo xtask tidy`: checks the project's own rules.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::{
    circles::{circles, without_tests},
    settings::{TABLE, unread},
    words::{is_word_character, places},
};

/// Maximal lines of a source file; a longer one does two things.
const MAX_FILE_LINES: usize = 600;

/// Maximal columns of a comment: `rustfmt` breaks code there but leaves comments alone.
const MAX_COMMENT_COLUMNS: usize = 100;

/// Folders, words forbidden in their code, and the reason: rules that crate boundaries cannot
/// express.
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
        "no result may depend on a clock",
    ),
    (&["crates/klubok-diagnose/src/check/"], CLOCKS, "an experiment takes steps, not seconds"),
    (
        &[
            "crates/klubok/src/",
            "crates/klubok-data/src/",
            "crates/klubok-diagnose/src/",
            "crates/klubok-files/src/",
            "crates/klubok-inspect/src/",
            "crates/klubok-model/src/",
            "crates/klubok-page/src/",
            "crates/klubok-text/src/",
            "crates/klubok-train/src/",
        ],
        &["env::var", "env::var_os", "env::vars"],
        "the library reads no environment variable",
    ),
];
const CLOCKS: &[&str] = &["Instant", "SystemTime"];

/// Checks the whole project and prints all violations; true if there are none.
///
/// # Errors
/// When a file cannot be read.
pub(crate) fn run(root: &Path) -> Result<bool> {
    let mut violations = Vec::new();
    for file in files(root, &["rs", "py", "toml", "md"])? {
        let name = file.strip_prefix(root).unwrap_or(&file).to_string_lossy().replace('\\', "/");
        violations.extend(check(&name, &fs_err::read_to_string(&file)?));
    }
    let mut shipped = Vec::new();
    for folder in source_folders(root)? {
        let sources = without_tests(&sources(&folder)?);
        let name = folder.strip_prefix(root)?.to_string_lossy().replace('\\', "/");
        let found = circles(&sources).into_iter();
        violations.extend(found.map(|files| format!("{name}: a circle: {}", files.join(" -> "))));
        shipped.extend(sources.into_iter().map(|(file, code)| (format!("{name}/{file}"), code)));
    }
    violations.extend(check_settings(&fs_err::read_to_string(root.join(TABLE))?, &shipped));
    for line in &violations {
        println!("{line}");
    }
    Ok(violations.is_empty())
}

/// The sources of every crate.
fn source_folders(root: &Path) -> Result<Vec<PathBuf>> {
    let manifests = files(root, &["toml"])?;
    let manifests = manifests.iter().filter(|file| file.ends_with("Cargo.toml"));
    let folders = manifests.filter_map(|file| Some(file.parent()?.join("src")));
    Ok(folders.filter(|folder| folder.is_dir()).collect())
}

/// The files below a folder of sources with their code.
fn sources(folder: &Path) -> Result<Vec<(String, String)>> {
    let mut sources = Vec::new();
    for file in files(folder, &["rs"])? {
        let name = file.strip_prefix(folder)?.to_string_lossy().replace('\\', "/");
        sources.push((name, code_of(&fs_err::read_to_string(&file)?)));
    }
    Ok(sources)
}

/// Settings that no crate reads. Where settings are checked and resolved is no use of them.
fn check_settings(table: &str, sources: &[(String, String)]) -> Vec<String> {
    let own = TABLE.trim_end_matches("table.rs");
    let sources =
        sources.iter().filter(|(file, _)| file.starts_with("crates/") && !file.starts_with(own));
    let code: Vec<&str> = sources.map(|(_, code)| code.as_str()).collect();
    let unread = unread(table, &code).into_iter();
    unread.map(|key| format!("{TABLE}: `{key}`: nothing reads this setting")).collect()
}

/// Files below `folder` with one of these extensions, sorted; skips build outputs and hidden
/// folders.
///
/// # Errors
/// When a folder cannot be read.
pub(crate) fn files(folder: &Path, extensions: &[&str]) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs_err::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_dir() {
            if !name.starts_with('.') && !["target", "runs", "shared"].contains(&name.as_str()) {
                found.extend(files(&path, extensions)?);
            }
        } else if path
            .extension()
            .is_some_and(|e| extensions.iter().any(|&extension| e == extension))
        {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Violations in one file; `name` is its path from the project's root, with `/`.
fn check(name: &str, text: &str) -> Vec<String> {
    let mut violations = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        for word in [concat!("TO", "DO"), concat!("FIX", "ME")] {
            if contains_word(line, word) {
                violations.push(format!("{name}:{number}: `{word}`: do it, or open an issue"));
            }
        }
    }
    if Path::new(name).extension().is_none_or(|extension| extension != "rs") {
        return violations;
    }
    if !text.starts_with("//!") {
        violations.push(format!("{name}: must begin with a `//!` comment"));
    }
    let length = text.lines().count();
    if length > MAX_FILE_LINES {
        violations.push(format!("{name}: {length} lines; the limit is {MAX_FILE_LINES}"));
    }
    for (number, line) in (1..).zip(text.lines()) {
        if is_wide_comment(line) {
            violations.push(format!(
                "{name}:{number}: a comment of more than {MAX_COMMENT_COLUMNS} columns"
            ));
        }
    }
    let code = code_of(text);
    for (number, line) in (1..).zip(code.lines()) {
        for (folders, words, reason) in FORBIDDEN {
            if folders.iter().any(|folder| name.starts_with(folder)) {
                let found = words.iter().filter(|word| contains_word(line, word));
                violations.extend(found.map(|word| format!("{name}:{number}: `{word}`: {reason}")));
            }
        }
    }
    violations
}

/// True for a comment that is too wide. Table rows and links cannot be broken.
fn is_wide_comment(line: &str) -> bool {
    let text = line.trim_start();
    let breakable =
        !text.starts_with("//! |") && !text.starts_with("/// |") && !text.contains("](http");
    text.starts_with("//") && breakable && line.chars().count() > MAX_COMMENT_COLUMNS
}

/// The code without comments and without string and character literals, line by line.
fn code_of(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("r\"")
            || rest.starts_with("r#") && !code.ends_with(is_word_character)
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

/// Length of the literal at the start of `text`, with quotes.
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

/// Length of the raw string at the start of `text`; 1 if it is not a raw string (`r#type`).
fn raw_string(text: &str) -> usize {
    let hashes = text[1..].chars().take_while(|&c| c == '#').count();
    if !text[1 + hashes..].starts_with('"') {
        return 1;
    }
    let end = format!("\"{}", "#".repeat(hashes));
    let body = 2 + hashes;
    text[body..].find(&end).map_or(text.len(), |at| body + at + end.len())
}

fn contains_word(line: &str, word: &str) -> bool {
    places(line, word).next().is_some()
}

#[cfg(test)]
mod tests {
    use super::{check, code_of};

    #[track_caller]
    fn check_reports(name: &str, text: &str, expected: &[&str]) {
        assert_eq!(check(name, text), expected);
    }

    #[test]
    fn clean_code_passes() {
        let text = "//! Dropout.\nuse crate::{error::Result, plan::{Op, Value}};\n";
        check_reports("crates/klubok-nn/src/layers/dropout.rs", text, &[]);
    }

    #[test]
    fn wide_comments_are_reported_unless_unbreakable() {
        let wide = "word ".repeat(20);
        let file = |line: &str| format!("//! A file.\n{line}\nfn f() {{}}\n");
        let expected = ["crates/klubok-nn/src/a.rs:2: a comment of more than 100 columns"];
        check_reports("crates/klubok-nn/src/a.rs", &file(&format!("/// {wide}end")), &expected);
        for fine in [format!("//! | {wide}|"), format!("/// [x](https://a.b) {wide}"), wide] {
            check_reports("crates/klubok-nn/src/a.rs", &file(&fine), &[]);
        }
    }

    #[test]
    fn forbidden_words_may_occur_in_comments_and_strings() {
        let text = "//! println\nconst A: &str = \"println\";\nfn f() { println!() }\n";
        check_reports(
            "crates/klubok-nn/src/a.rs",
            text,
            &["crates/klubok-nn/src/a.rs:3: `println`: the mathematics logs nothing"],
        );
        check_reports("crates/klubok-train/src/a.rs", text, &[]);
    }

    #[test]
    fn forbidden_words_are_found_in_nested_uses() {
        let text = "//! Tiles.\nuse std::{fs, time::Instant};\n";
        let expected = [
            "crates/klubok-cpu/src/a.rs:2: `fs`: the mathematics does no input or output",
            "crates/klubok-cpu/src/a.rs:2: `Instant`: no result may depend on a clock",
        ];
        check_reports("crates/klubok-cpu/src/a.rs", text, &expected);
    }

    #[test]
    fn files_need_a_module_comment_and_have_a_maximal_length() {
        let expected = "xtask/src/a.rs: must begin with a `//!` comment";
        check_reports("xtask/src/a.rs", "fn f() {}\n", &[expected]);
        let text = format!("//! Long.\n{}", "\n".repeat(600));
        check_reports("xtask/src/a.rs", &text, &["xtask/src/a.rs: 601 lines; the limit is 600"]);
    }

    #[test]
    fn unfinished_work_is_reported_in_all_files() {
        let text = concat!("# Plan\nTO", "DO: all\n");
        check_reports(
            "README.md",
            text,
            &[concat!("README.md:2: `TO", "DO`: do it, or open an issue")],
        );
    }

    #[test]
    fn code_has_no_literals_or_comments() {
        let text = "a('\"', '\\'', \"x\\\"y\", r#\"z\"w\"#, r\"v\") // c\n'life r#type";
        assert_eq!(code_of(text), "a(, , , , ) \n'life #type");
    }
}
