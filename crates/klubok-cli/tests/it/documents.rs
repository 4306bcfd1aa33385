//! The documents name every command and flag of the program, and no others.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use crate::util::Place;

/// How `docs/commands.md` is written anew.
const WRITE: &str = "KLUBOK_WRITE_DOCS=1 cargo test -p klubok-cli --test it documents";

/// Flags of the benchmarks, the studies and their scripts that documents name without the program.
const OTHERS: [&str; 6] = ["--chromium", "--mnist", "--peers", "--reuse", "--rounds", "--sets"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Returns the short help of a command, or of the program for "", with one line for each flag.
fn help(place: &Place, command: &str) -> String {
    let args: Vec<&str> = command.split_whitespace().chain(["-h"]).collect();
    let output = place.command(&args).env("COLUMNS", "1000").output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// Returns the lines of one part of a help.
fn part<'a>(help: &'a str, title: &str) -> &'a str {
    help.split("\n\n").find_map(|part| part.strip_prefix(title)).unwrap()
}

/// Returns the names and meanings in such lines.
fn entries(lines: &str) -> impl Iterator<Item = (&str, &str)> {
    let lines = lines.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.map(|line| line.split_once("  ").unwrap_or((line, "")))
}

fn commands(place: &Place) -> Vec<String> {
    let help = help(place, "");
    entries(part(&help, "Commands:")).map(|(name, _)| name.to_owned()).collect()
}

/// Writes one part of a help as Markdown; leaves out the flags that all commands have.
fn markdown(part: &str, common: &[(&str, &str)]) -> String {
    let Some((title, lines)) = part.split_once(":\n  ") else {
        return match part.strip_prefix("Usage: ") {
            Some(usage) => format!("```\n{usage}\n```\n\n"),
            None => format!("{}.\n\n", part.trim_end().trim_end_matches('.')),
        };
    };
    if title == "Examples" {
        return format!("Examples:\n\n```\n{}\n```\n\n", lines.trim_end().replace("\n  ", "\n"));
    }
    let list: String = entries(lines)
        .filter(|(flag, _)| !common.iter().any(|(other, _)| flag == other))
        .map(|(name, meaning)| match title {
            "Commands" => format!("- [`{name}`](#klubok-{name}): {}\n", meaning.trim()),
            _ => format!("- `{name}`: {}\n", meaning.trim()),
        })
        .collect();
    if list.is_empty() { list } else { format!("{title}:\n\n{list}\n") }
}

fn list_of_commands(place: &Place) -> String {
    let program = help(place, "");
    let common: Vec<_> = entries(part(&program, "Options:")).collect();
    let mut text = format!(
        "# Commands\n\n<!-- From the program's help. To write it anew: {WRITE} -->\n\n\
         What `klubok COMMAND -h` says. The options of this section are those of every command, except \
         `-V`. `klubok config --defaults` lists the settings.\n\n"
    );
    let parts = program.split("\n\n").filter(|part| !part.starts_with("Usage: "));
    text.extend(parts.map(|part| markdown(part, &[])));
    for command in commands(place) {
        let help = help(place, &command);
        text.extend(["## klubok ", &command, "\n\n"]);
        text.extend(help.split("\n\n").map(|part| markdown(part, &common)));
    }
    format!("{}\n", text.trim_end())
}

#[test]
fn the_list_of_commands_is_what_the_help_says() {
    let (list, path) = (list_of_commands(&Place::new()), root().join("docs/commands.md"));
    if std::env::var_os("KLUBOK_WRITE_DOCS").is_some() {
        fs_err::write(&path, &list).unwrap();
    }
    let written = fs_err::read_to_string(&path).unwrap_or_default();
    assert!(written == list, "docs/commands.md is not what the help says, run {WRITE}");
}

/// Returns the documents for users and developers, by path.
fn documents() -> Vec<(PathBuf, String)> {
    let folder = |path: &Path| fs_err::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    let crates = folder(&root().join("crates")).map(|path| path.join("README.md"));
    let names = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"];
    let paths = names.into_iter().map(|name| root().join(name));
    let paths = paths.chain(folder(&root().join("docs"))).chain(crates);
    let documents =
        paths.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    documents
        .filter(|path| path.exists())
        .map(|path| (path.clone(), fs_err::read_to_string(path).unwrap()))
        .collect()
}

/// Returns the code of a document: what stands between backticks, and the lines of its blocks.
fn code(document: &str) -> (Vec<&str>, Vec<&str>) {
    // Even parts are outside of blocks.
    let parts: Vec<&str> = document.split("```").collect();
    let prose = parts.iter().step_by(2).flat_map(|part| part.split("\n\n"));
    let spans = prose.flat_map(|paragraph| paragraph.split('`').skip(1).step_by(2)).collect();
    (spans, parts.iter().skip(1).step_by(2).flat_map(|block| block.lines()).collect())
}

/// Returns the words after `klubok` in a line of code. In a span of its own, a command or a flag
/// needs no `klubok` before it.
fn arguments<'a>(code: &'a str, is_span: bool, commands: &[String]) -> Vec<&'a str> {
    let trimmed = |word: &'a str| word.trim_matches(['`', '(', ')', ',', '.', ';', ':']);
    let words: Vec<&str> = code.split_whitespace().map(trimmed).collect();
    let Some(first) = words.first().filter(|first| **first != "cargo") else { return Vec::new() };
    let is_ours = first.starts_with('-') || commands.iter().any(|command| command == first);
    let start = match words.iter().position(|word| *word == "klubok") {
        Some(at) => at + 1,
        None if is_span && is_ours => 0,
        None => return Vec::new(),
    };
    words[start..].iter().copied().take_while(|word| !["|", "#", ">"].contains(word)).collect()
}

/// Returns the flag at the start of a word, such as `--lr` of `--lr=0.1`.
fn flag(word: &str) -> Option<&str> {
    let name = word.split('=').next().filter(|name| name.starts_with('-'))?;
    let letters = name.trim_start_matches('-');
    let is_short = !name.starts_with("--") && letters.len() == 1;
    let is_flag = is_short || name.starts_with("--") && !letters.is_empty();
    (is_flag && letters.starts_with(|c: char| c.is_ascii_alphabetic())).then_some(name)
}

/// Returns the flags in a line of code, each with its command, or "" for any.
fn flags<'a>(code: &'a str, is_span: bool, commands: &[String]) -> Vec<(&'a str, &'a str)> {
    let words = arguments(code, is_span, commands);
    let first = words.first().filter(|first| commands.iter().any(|name| name == *first));
    let command = first.copied().unwrap_or_default();
    words.iter().filter_map(|word| Some((command, flag(word)?))).collect()
}

/// True if the command takes this flag, hidden ones and other names of flags included.
fn takes(place: &Place, command: &str, flag: &str) -> bool {
    // A value keeps the flag from taking `--help` for its value, and so the command from running.
    let flag = if flag.starts_with("--") { format!("{flag}=x") } else { flag.to_owned() };
    let args = command.split_whitespace().chain([flag.as_str(), "--help"]);
    !place.run(&args.collect::<Vec<_>>()).stderr.contains("unexpected argument")
}

#[test]
fn flags_are_found_in_commands_and_alone() {
    let commands = ["train", "bench"].map(str::to_owned);
    for (code, is_span, expected) in [
        (
            "$ klubok train pets --lr=-1 -o x | bench --y  # --z",
            false,
            vec![("train", "--lr"), ("train", "-o")],
        ),
        ("klubok COMMAND --help", true, vec![("", "--help")]),
        ("train --replay", true, vec![("train", "--replay")]),
        ("--split train", true, vec![("", "--split")]),
        ("--split train", false, vec![]),
        ("cargo test -p klubok --lib", true, vec![]),
        ("xtask bench --peers jax", true, vec![]),
    ] {
        assert_eq!(flags(code, is_span, &commands), expected, "{code}");
    }
    let place = Place::new();
    for (command, flag, exists) in [
        ("train", "--lr", true),
        ("train", "-o", true),
        ("bench", "--observing", true),
        ("bench", "--lr", false),
        ("train", "-x", false),
        ("", "--lang", true),
    ] {
        assert_eq!(takes(&place, command, flag), exists, "{command} {flag}");
    }
}

#[test]
fn documents_name_only_flags_that_exist() {
    let place = Place::new();
    let commands = commands(&place);
    let mut found: BTreeMap<(&str, &str), &Path> = BTreeMap::new();
    let documents = documents();
    for (path, document) in &documents {
        let (spans, lines) = code(document);
        let spans = spans.into_iter().flat_map(|span| flags(span, true, &commands));
        let lines = lines.into_iter().flat_map(|line| flags(line, false, &commands));
        found.extend(spans.chain(lines).map(|flag| (flag, path.as_path())));
    }
    assert!(found.len() > 50, "{found:?}");
    let all: Vec<&str> = commands.iter().map(String::as_str).chain([""]).collect();
    for ((command, flag), path) in found {
        let candidates = if command.is_empty() { &all[..] } else { &[command] };
        let exists = candidates.iter().any(|command| takes(&place, command, flag));
        let is_other = command.is_empty() && OTHERS.contains(&flag);
        assert!(exists || is_other, "{}: `klubok {command}` has no {flag}", path.display());
    }
}

#[test]
fn hidden_flags_stand_in_a_document() {
    let definitions = include_str!("../../src/args.rs");
    let documents = documents();
    let fields = definitions.split("hide = true").skip(1).map(|after| {
        let field = after.split_once("pub(crate) ").unwrap().1;
        field.split(':').next().unwrap()
    });
    for flag in fields.map(|field| format!("--{}", field.replace('_', "-"))) {
        let is_named = documents.iter().any(|(_, document)| document.contains(&flag));
        assert!(is_named, "no document names {flag}");
    }
}
