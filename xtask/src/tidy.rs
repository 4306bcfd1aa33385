//! `cargo xtask tidy`: the rules of the project that no other tool knows.
//!
//! The library is one crate, so the compiler cannot say which module may use which: [`MAY_USE`]
//! does.

use std::path::{Path, PathBuf};

use anyhow::Result;

/// No file of code may be longer: past this it is two things.
const LONGEST_FILE: usize = 600;

/// No comment may be wider: `rustfmt` breaks code there and leaves comments alone.
const WIDEST_COMMENT: usize = 100;

/// What every module of the library may use.
const BASE: &[&str] = &[
    "error",
    "Error",
    "Result",
    "bounded",
    "limits",
    "part",
    "rows",
    "plan",
    "state",
    "rng",
    "config",
    "components",
];

/// What each module of the library may use beside [`BASE`] and itself, by the start of its path.
///
/// Some things of later modules are plain descriptions that earlier ones must name: the error
/// gathers the errors of all, and a plan says how its parameters are updated.
const MAY_USE: &[(&str, &[&str])] = &[
    (
        "error",
        &[
            "data::DataError",
            "format::ModelError",
            "observe::history::HistoryError",
            "train::RunError",
        ],
    ),
    ("bounded", &[]),
    ("limits", &[]),
    ("part", &[]),
    ("rows", &[]),
    ("plan", &["optim::UpdateSpec"]),
    ("state", &[]),
    ("rng", &[]),
    ("config", &[]),
    ("components", &[]),
    ("optim", &[]),
    ("nn", &["optim"]),
    ("data", &[]),
    ("backend", &["nn", "optim"]),
    (
        "format",
        &[
            "nn",
            "data::Input",
            "data::preprocess",
            "data::typical",
            "backend::State",
            "backend::Weights",
        ],
    ),
    ("observe", &["train::event", "train::best", "data::survey"]),
    ("train", &["nn", "optim", "data", "format", "backend"]),
    ("look", &["nn", "format", "backend"]),
    ("check", &["nn", "optim", "data", "backend", "train", "observe::before"]),
];

/// Words that must not stand in the code of a folder, and why.
const FORBIDDEN: &[(&str, &[&str], &str)] = &[
    ("crates/klubok/", UNSAFE, "only klubok-kernels may be unsafe"),
    ("crates/klubok-cli/", UNSAFE, "only klubok-kernels may be unsafe"),
    ("xtask/", UNSAFE, "only klubok-kernels may be unsafe"),
    ("crates/klubok/src/", &["env::var", "env::var_os"], "the library is told, it does not look"),
    ("crates/klubok/src/nn/", CLOCKS, "the mathematics has no clock"),
    ("crates/klubok/src/optim/", CLOCKS, "the mathematics has no clock"),
    ("crates/klubok/src/check/", CLOCKS, "an experiment takes steps, not seconds"),
    ("crates/klubok/src/backend/", CLOCKS, "nothing that is computed may rest on a stopwatch"),
];
const UNSAFE: &[&str] = &["unsafe"];
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
    for line in &wrong {
        println!("{line}");
    }
    Ok(wrong.is_empty())
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
        for (folder, words, why) in FORBIDDEN {
            let found =
                words.iter().filter(|word| name.starts_with(folder) && holds_word(line, word));
            wrong.extend(found.map(|word| format!("{name}:{number}: `{word}`: {why}")));
        }
    }
    let tested = code.split("#[cfg(test)]\nmod tests").next().unwrap_or(&code);
    wrong.extend(wrong_uses(name, tested));
    wrong
}

/// Whether a line is a comment that is too wide. Rows of tables and links cannot be broken.
fn is_wide_comment(line: &str) -> bool {
    let text = line.trim_start();
    let breaks =
        !text.starts_with("//! |") && !text.starts_with("/// |") && !text.contains("](http");
    text.starts_with("//") && breaks && line.chars().count() > WIDEST_COMMENT
}

/// Uses of other modules of the library that [`MAY_USE`] does not name.
fn wrong_uses(name: &str, code: &str) -> Vec<String> {
    let Some(path) = name.strip_prefix("crates/klubok/src/") else { return Vec::new() };
    let module = path.split(['/', '.']).next().unwrap_or(path);
    if module == "lib" {
        return Vec::new();
    }
    let Some((_, allowed)) = MAY_USE.iter().find(|(m, _)| *m == module) else {
        return vec![format!("{name}: say in xtask/src/tidy.rs what `{module}` may use")];
    };
    let mut used = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let line = code[..at].matches('\n').count() + 1;
        let mut paths = Vec::new();
        collect_paths(&code[at + "crate::".len()..], "", &mut paths);
        used.extend(paths.into_iter().map(|path| (line, path)));
    }
    let begins = |path: &str, start: &str| {
        path.strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    };
    used.retain(|(_, path)| {
        let mut may = BASE.iter().chain(*allowed).chain([&module]);
        !may.any(|start| begins(path, start))
    });
    let say = |(line, path)| format!("{name}:{line}: `{module}` may not use `crate::{path}`");
    used.into_iter().map(say).collect()
}

/// Reads the paths of a `use` tree such as `a::{b, c::d}` into `found`; returns what follows it.
fn collect_paths<'a>(text: &'a str, prefix: &str, found: &mut Vec<String>) -> &'a str {
    let text = text.trim_start();
    if let Some(mut rest) = text.strip_prefix('{') {
        while !rest.trim_start().starts_with('}') {
            rest = collect_paths(rest, prefix, found);
            // What may stand between: `as name`.
            let end = rest.find([',', '}']).unwrap_or(rest.len());
            rest = rest[end..].strip_prefix(',').unwrap_or(&rest[end..]);
            if rest.is_empty() {
                return rest;
            }
        }
        return &rest.trim_start()[1..];
    }
    let end = text.find(|c| !is_of_a_word(c)).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let path = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}::{name}") };
    if let Some(rest) = rest.strip_prefix("::") {
        return collect_paths(rest, &path, found);
    }
    found.push(path);
    rest
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
        let text = "//! Dropout.\nuse crate::{error::Result, plan::{Op, Value}, nn::dot};\n";
        wrong("crates/klubok/src/nn/dropout.rs", text, &[]);
    }

    #[test]
    fn a_wide_comment_is_found_unless_it_cannot_be_broken() {
        let wide = "word ".repeat(20);
        let file = |line: &str| format!("//! A file.\n{line}\nfn f() {{}}\n");
        let said = ["crates/klubok/src/nn/a.rs:2: a comment of more than 100 columns"];
        wrong("crates/klubok/src/nn/a.rs", &file(&format!("/// {wide}end")), &said);
        for fine in [format!("//! | {wide}|"), format!("/// [x](https://a.b) {wide}"), wide] {
            wrong("crates/klubok/src/nn/a.rs", &file(&fine), &[]);
        }
    }

    #[test]
    fn a_use_against_the_direction_is_found_in_a_tree() {
        wrong(
            "crates/klubok/src/data/idx.rs",
            "//! Data.\nuse crate::{\n    plan::Op as O,\n    train::{event::Event, RunError},\n};\n",
            &[
                "crates/klubok/src/data/idx.rs:2: `data` may not use `crate::train::event::Event`",
                "crates/klubok/src/data/idx.rs:2: `data` may not use `crate::train::RunError`",
            ],
        );
    }

    #[test]
    fn a_use_within_an_expression_is_found() {
        wrong(
            "crates/klubok/src/observe/metrics.rs",
            "//! Figures.\nfn f() { crate::train::trainer::go(crate::train::event::x) }\n",
            &["crates/klubok/src/observe/metrics.rs:2: `observe` may not use \
               `crate::train::trainer::go`"],
        );
    }

    #[test]
    fn only_part_of_a_module_may_be_open() {
        let text = "//! Files.\nuse crate::data::{Input, Dataset};\n";
        let expected =
            "crates/klubok/src/format/a.rs:2: `format` may not use `crate::data::Dataset`";
        wrong("crates/klubok/src/format/a.rs", text, &[expected]);
    }

    #[test]
    fn tests_of_a_file_may_use_anything() {
        let text = "//! Rows.\n#[cfg(test)]\nmod tests {\n    use crate::train::RunError;\n}\n";
        wrong("crates/klubok/src/rows.rs", text, &[]);
    }

    #[test]
    fn words_count_in_code_and_not_in_comments_and_strings() {
        let text = "//! unsafe\nconst A: &str = \"unsafe\";\nfn f() { unsafe {} }\n";
        wrong(
            "xtask/src/a.rs",
            text,
            &["xtask/src/a.rs:3: `unsafe`: only klubok-kernels may be unsafe"],
        );
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
