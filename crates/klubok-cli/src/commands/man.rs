//! `klubok man`: the manual as a man page, from the definition of the command line.
//!
//! One page holds all commands: it needs no others beside it. Source of the format: man-pages(7).

use clap::{Arg, Command, CommandFactory as _};
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
        |command: &Command| command.get_about().map(ToString::to_string).unwrap_or_default();
    let mut page = format!(".TH KLUBOK 1 \"\" \"{name} {version}\"\n");
    page += &heading("NAME");
    page += &format!("{name} \\- {}\n", escaped(&about(&klubok)));
    page += &heading("SYNOPSIS");
    page += &usage(&klubok);
    page += &heading("COMMANDS");
    for command in klubok.get_subcommands().filter(|command| !command.is_hide_set()) {
        page += &format!(".SS {}\n", escaped(command.get_name()));
        page += &format!("{}\n.PP\n{}", escaped(&about(command)), usage(command));
        page += &arguments(command, |arg| !arg.is_global_set() && arg.get_id() != "help");
        page += &below(command);
    }
    page += &heading("OPTIONS");
    page += &arguments(&klubok, |_| true);
    page + &below(&klubok)
}

fn heading(name: &str) -> String {
    format!(".SH {}\n", translated(name))
}

/// How a command is called.
fn usage(command: &Command) -> String {
    let usage = command.clone().render_usage().to_string();
    let usage = usage.split_once(": ").map_or(&*usage, |(_, usage)| usage);
    let usage = usage.replace("[OPTIONS]", &translated("[OPTIONS]"));
    let usage = usage.replace("[COMMAND]", &translated("[COMMAND]"));
    preformatted(usage.lines().map(str::trim))
}

/// The arguments and flags of a command.
fn arguments(command: &Command, is_shown: impl Fn(&Arg) -> bool) -> String {
    let shown = |arg: &&Arg| !arg.is_hide_set() && is_shown(arg);
    command.get_arguments().filter(shown).map(argument).collect()
}

fn argument(arg: &Arg) -> String {
    let bold = |name: String| format!("\\fB{}\\fR", escaped(&name));
    let short = arg.get_short().map(|short| bold(format!("-{short}")));
    let long = arg.get_long().map(|long| bold(format!("--{long}")));
    let names: Vec<String> = short.into_iter().chain(long).collect();
    let mut term = names.join(", ");
    if arg.get_action().takes_values() {
        for name in arg.get_value_names().unwrap_or_default() {
            let gap = if term.is_empty() { "" } else { " " };
            term += &format!("{gap}\\fI{}\\fR", escaped(name));
        }
    }
    let help = arg.get_long_help().or(arg.get_help()).map(ToString::to_string).unwrap_or_default();
    let mut text = translated(&help);
    if arg.get_action().takes_values() {
        let values = arg.get_possible_values();
        let values: Vec<&str> = values.iter().map(clap::builder::PossibleValue::get_name).collect();
        if !values.is_empty() {
            text += &format!(" {} {}]", translated("[possible values:"), values.join(", "));
        }
        let defaults = arg.get_default_values().iter().map(|value| value.to_string_lossy());
        let defaults: Vec<_> = defaults.collect();
        if !defaults.is_empty() {
            text += &format!(" {} {}]", translated("[default:"), defaults.join(" "));
        }
    }
    format!(".TP\n{term}\n{}\n", escaped(&text.replace('\n', " ")))
}

/// The text below the help of a command: sentences, and examples as they stand.
fn below(command: &Command) -> String {
    let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let paragraph = |text: &str| match text.split_once("\n  ") {
        Some((first, _)) if !first.contains('\n') => {
            let lines = text.lines().skip(1);
            format!(".PP\n{}\n{}", escaped(first), preformatted(lines.map(str::trim_start)))
        }
        _ => format!(".PP\n{}\n", escaped(&text.replace('\n', " "))),
    };
    text.split("\n\n").filter(|text| !text.is_empty()).map(paragraph).collect()
}

fn preformatted<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    let lines: String = lines.map(|line| format!("{}\n", escaped(line))).collect();
    format!(".RS 4\n.nf\n{lines}.fi\n.RE\n")
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
