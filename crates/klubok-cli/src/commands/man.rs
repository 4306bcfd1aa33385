//! `klubok man`: the manual as a man page, from the definition of the command line.
//!
//! One page holds all commands: it needs no others beside it. Source of the format: man-pages(7).

use clap::{Arg, Command, CommandFactory as _, builder::PossibleValue};
use klubok_text::translated;

use crate::{args::Cli, failure::Result, help, terminal::print_stdout};

/// Prints the page in the chosen language.
pub(crate) fn run() -> Result<()> {
    print_stdout(page().trim_end())
}

fn page() -> String {
    let mut klubok = help::localized(Cli::command());
    klubok.build();
    let (name, version) = (klubok.get_name(), klubok.get_version().unwrap_or_default());
    let about =
        |of: &Command| escaped(&of.get_about().map(ToString::to_string).unwrap_or_default());
    let mut page = vec![
        format!(".TH KLUBOK 1 \"\" \"{name} {version}\""),
        heading("NAME"),
        format!("{name} \\- {}", about(&klubok)),
        heading("SYNOPSIS"),
    ];
    page.extend(usage(&klubok));
    page.push(heading("COMMANDS"));
    for command in klubok.get_subcommands().filter(|command| !command.is_hide_set()) {
        let name = escaped(command.get_name());
        page.extend([format!(".SS {name}"), about(command), ".PP".to_owned()]);
        page.extend(usage(command));
        page.extend(arguments(command, |arg| !arg.is_global_set() && arg.get_id() != "help"));
        page.extend(below(command));
    }
    page.push(heading("OPTIONS"));
    page.extend(arguments(&klubok, |_| true));
    page.extend(below(&klubok));
    page.join("\n")
}

fn heading(name: &str) -> String {
    format!(".SH {}", translated(name))
}

/// How a command is called.
fn usage(command: &Command) -> Vec<String> {
    let usage = command.clone().render_usage().to_string();
    let usage = usage.split_once(": ").map_or(&*usage, |(_, usage)| usage);
    let usage = usage.replace("[OPTIONS]", &translated("[OPTIONS]"));
    let usage = usage.replace("[COMMAND]", &translated("[COMMAND]"));
    preformatted(usage.lines().map(str::trim))
}

/// The arguments and flags of a command.
fn arguments(command: &Command, is_shown: impl Fn(&Arg) -> bool) -> Vec<String> {
    let shown = |arg: &&Arg| !arg.is_hide_set() && is_shown(arg);
    command.get_arguments().filter(shown).flat_map(argument).collect()
}

fn argument(arg: &Arg) -> [String; 3] {
    let bold = |name: String| format!("\\fB{}\\fR", escaped(&name));
    let short = arg.get_short().map(|short| bold(format!("-{short}")));
    let long = arg.get_long().map(|long| bold(format!("--{long}")));
    let names: Vec<String> = short.into_iter().chain(long).collect();
    let help = arg.get_long_help().or(arg.get_help()).map(ToString::to_string);
    let mut term = vec![names.join(", ")];
    let mut text = vec![translated(&help.unwrap_or_default())];
    if arg.get_action().takes_values() {
        let names = arg.get_value_names().unwrap_or_default();
        term.extend(names.iter().map(|name| format!("\\fI{}\\fR", escaped(name))));
        let values = arg.get_possible_values();
        let values: Vec<&str> = values.iter().map(PossibleValue::get_name).collect();
        let defaults = arg.get_default_values().iter().map(|value| value.to_string_lossy());
        let defaults: Vec<_> = defaults.collect();
        for (words, all) in
            [("[possible values:", values.join(", ")), ("[default:", defaults.join(" "))]
        {
            text.extend((!all.is_empty()).then(|| format!("{} {all}]", translated(words))));
        }
    }
    let [term, text] = [term, text].map(|words| words.join(" ").trim().replace('\n', " "));
    [".TP".to_owned(), term, escaped(&text)]
}

/// The text below the help of a command: sentences, and examples as they stand.
fn below(command: &Command) -> Vec<String> {
    let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let paragraph = |text: &str| match text.split_once("\n  ") {
        Some((first, _)) if !first.contains('\n') => {
            let lines = preformatted(text.lines().skip(1).map(str::trim_start));
            [vec![".PP".to_owned(), escaped(first)], lines].concat()
        }
        _ => vec![".PP".to_owned(), escaped(&text.replace('\n', " "))],
    };
    text.split("\n\n").filter(|text| !text.is_empty()).flat_map(paragraph).collect()
}

fn preformatted<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<String> {
    let [before, after] = [[".RS 4", ".nf"], [".fi", ".RE"]].map(|all| all.map(str::to_owned));
    before.into_iter().chain(lines.map(escaped)).chain(after).collect()
}

/// Escapes what a man page would take for a command.
fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use klubok_text::in_russian;

    use super::*;

    #[test]
    fn the_page_names_every_command_and_flag() {
        let command = Cli::command();
        for page in [page(), in_russian(page)] {
            for command in command.get_subcommands() {
                let name = command.get_name();
                let (_, section) = page.split_once(&format!("\n.SS {name}\n")).unwrap();
                let section = section.split("\n.S").next().unwrap();
                for flag in command.get_arguments().filter(|arg| !arg.is_hide_set()) {
                    let Some(long) = flag.get_long() else { continue };
                    let flag = format!("\\fB\\-\\-{}\\fR", long.replace('-', "\\-"));
                    assert!(section.contains(&flag), "{name} {flag}:\n{section}");
                }
                assert!(section.contains(&format!("\nklubok {name}")), "{section}");
            }
            assert!(page.contains("\\fB\\-\\-lang\\fR") && page.contains("130"), "{page}");
        }
    }

    #[test]
    fn the_page_is_translated() {
        let page = in_russian(page);
        for word in ["NAME", "Usage", "OPTIONS", "Examples", "default:", " the ", " is "] {
            assert!(!page.contains(word), "`{word}` in\n{page}");
        }
    }

    #[test]
    fn no_text_is_taken_for_a_command_of_the_format() {
        assert_eq!(escaped(".csv or a\\b"), "\\&.csv or a\\eb");
        assert_eq!(escaped("--lr"), "\\-\\-lr");
        let known = [".TH", ".SH", ".SS", ".TP", ".PP", ".RS", ".RE", ".nf", ".fi"];
        for line in page().lines().filter(|line| line.starts_with(['.', '\''])) {
            assert!(known.iter().any(|name| line.starts_with(name)), "{line}");
        }
    }
}
