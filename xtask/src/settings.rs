//! Settings that nobody reads: a key of the table whose field the code never uses does nothing.
//!
//! The types of values are unknown here, so a read is told by how the code is written:
//! `config.train.loss`; `train.loss` where `train` is `&config.train`; `name.loss` where `name` is
//! declared as a `TrainConfig`; and `TrainConfig { loss, .. } = `. An assignment is not a read.

use crate::words::{is_word_character, places};

/// The table of settings, from the project's root.
pub(crate) const TABLE: &str = "crates/klubok-train/src/config/table.rs";

/// What the code calls a value with all sections of the settings.
const HOLDERS: &[&str] = &["config", "options"];

/// The keys of the table that none of the sources reads. The sources are code without comments,
/// strings and tests.
pub(crate) fn unread<'a>(table: &'a str, sources: &[&str]) -> Vec<&'a str> {
    let sources: Vec<String> = sources.iter().map(|code| with_whole_paths(code)).collect();
    let is_read = |key: &str| {
        let (section, field) = key.split_once('.').unwrap_or((key, ""));
        sources.iter().any(|code| reads(code, section, field))
    };
    keys(table).filter(|key| !is_read(key)).collect()
}

/// The keys of the table: `section.field` as the first argument of a call.
fn keys(table: &str) -> impl Iterator<Item = &str> {
    let arguments = table.split('(').filter_map(|part| part.trim_start().strip_prefix('"'));
    arguments.filter_map(|rest| rest.split('"').next()).filter(|text| {
        let is_name = |name: &str| !name.is_empty() && name.chars().all(is_word_character);
        text.split('.').count() == 2 && text.split('.').all(is_name)
    })
}

/// Joins paths that were broken over several lines.
fn with_whole_paths(code: &str) -> String {
    code.split('.').map(str::trim).collect::<Vec<_>>().join(".")
}

/// True where the code reads this field of the settings.
fn reads(code: &str, section: &str, field: &str) -> bool {
    let capital = section[..1].to_uppercase();
    let kind = format!("{capital}{}Config", &section[1..]);
    let mut holders = HOLDERS.to_vec();
    if code.contains("impl Config {") {
        holders.push("self");
    }
    let sections: Vec<String> =
        holders.iter().map(|holder| format!("{holder}.{section}")).collect();
    let mut names = declared(code, &kind);
    if sections.iter().any(|path| ends(code, path).any(|after| !after.starts_with('.'))) {
        names.push(section);
    }
    if code.contains(&format!("impl {kind} {{")) {
        names.push("self");
    }
    let is_read = |path: String| ends(code, &path).any(|after| !is_changed(after));
    sections.iter().any(|path| is_read(format!("{path}.{field}")))
        || names.iter().any(|name| {
            // A field of something else may have the same name: `findings.data`.
            let own = |before: &str| !before.trim_end_matches("self.").ends_with('.');
            let path = format!("{name}.{field}");
            places(code, &path).any(|(before, after)| own(before) && !is_changed(after))
        })
        || is_taken_out(code, &kind, field)
}

/// The names that are declared with this type.
fn declared<'a>(code: &'a str, kind: &str) -> Vec<&'a str> {
    let declarations = places(code, kind).filter_map(|(before, _)| {
        let before = before.trim_end_matches("mut ").trim_end_matches('&');
        let before = before.strip_suffix(": ")?;
        before.rsplit(|c| !is_word_character(c)).next()
    });
    declarations.collect()
}

/// True where a pattern takes this field out of the struct: `let Kind { field, .. } = `.
fn is_taken_out(code: &str, kind: &str, field: &str) -> bool {
    ends(code, kind).any(|after| {
        let pattern = after.strip_prefix(" {").and_then(|after| after.split_once('}'));
        pattern.is_some_and(|(fields, after)| {
            after.starts_with(" = ") && ends(fields, field).any(|after| !after.starts_with(": _"))
        })
    })
}

/// True if what stands after a path assigns to it, or calls a method of this name.
fn is_changed(after: &str) -> bool {
    let after = after.trim_start();
    let assigns = after.starts_with('=') && !after.starts_with("==") && !after.starts_with("=>");
    assigns || after.starts_with(".clone_from(") || after.starts_with('(')
}

/// The code after each place where these words stand.
fn ends<'a>(code: &'a str, words: &str) -> impl Iterator<Item = &'a str> {
    places(code, words).map(|(_, after)| after)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = r#"const KEYS: &[Key] = &[
        key("train.loss", "mse", Allowed::Switch, "see (\"train.seed\")", "x"),
        several(
            auto(
                "model.hidden",
                "[1]",
            ),
        ),
    ];"#;

    #[test]
    fn keys_are_read_from_the_table() {
        assert_eq!(keys(TABLE).collect::<Vec<_>>(), ["train.loss", "model.hidden"]);
    }

    #[track_caller]
    fn check_reads(is_read: bool, code: &str) {
        let found = unread(TABLE, &["fn other() {}", code, "let h = &config.model.hidden;"]);
        let expected: &[&str] = if is_read { &[] } else { &["train.loss"] };
        assert_eq!(found, expected, "{code}");
    }

    #[test]
    fn a_setting_that_is_read_is_found_however_it_is_written() {
        for code in [
            "let kind = match self.config.train.loss { _ => 1 };",
            "let same = settings\n    .config\n    .train\n    .loss == other;",
            "let train = &config.train;\nif train.loss.is_mean() {}",
            "fn rate(settings: &mut TrainConfig) { f(settings.loss); }",
            "struct Trainer { config: TrainConfig }\nfn f(&self) { g(self.config.loss); }",
            "impl TrainConfig {\n    fn f(&self) { self.loss }\n}",
            "impl Config {\n    fn f(&self) { self.train.loss }\n}",
            "let TrainConfig { seed, loss, .. } = *train;",
            "let TrainConfig { loss: kind, .. } = train;",
        ] {
            check_reads(true, code);
        }
    }

    #[test]
    fn a_setting_that_nobody_reads_is_found() {
        for code in [
            "",
            "config.train.loss = Loss::Mse;",
            "config.train.loss.clone_from(&other);",
            "config.train.loss_spec(1);",
            "config.train.loss();",
            "config.model.loss",
            "let x = findings.train.loss;",
            "let train = read();\nf(train.loss);",
            "let train = &config.train;\nf(findings.train.loss);",
            "fn f(step: &Figures) { g(step.loss); }",
            "let all = TrainConfig { loss, ..train };",
            "let TrainConfig { seed, loss: _, .. } = train;",
        ] {
            check_reads(false, code);
        }
    }
}
