//! Help in the chosen language: translates the texts of [`args`](crate::args), which are English,
//! and clap's own words.

use clap::{Arg, Command};
use klubok_text::{translated, translated_static};

/// Words that clap adds to every help.
const CLAP_WORDS: [&str; 10] = [
    "Usage:",
    "Commands:",
    "Arguments:",
    "Options:",
    "Possible values:",
    "[OPTIONS]",
    "[COMMAND]",
    "[default:",
    "[possible values:",
    "Print version",
];

/// Returns the command with all its texts in the chosen language.
pub(crate) fn localized(command: Command) -> Command {
    let command = match command.get_about().map(ToString::to_string) {
        Some(about) => command.about(translated(&about)),
        None => command,
    };
    let command = match command.get_after_help().map(ToString::to_string) {
        Some(text) => command.after_help(paragraphs(&text)),
        None => command,
    };
    command.mut_args(argument).mut_subcommands(localized)
}

fn argument(arg: Arg) -> Arg {
    let (help, long) = (arg.get_help(), arg.get_long_help());
    let (help, long) = (help.map(ToString::to_string), long.map(ToString::to_string));
    let heading = arg.get_help_heading().and_then(translated_static);
    let names: Option<Vec<&str>> = arg
        .get_value_names()
        .and_then(|names| names.iter().map(|name| translated_static(name)).collect());
    let mut arg = arg;
    if let Some(help) = help {
        arg = arg.help(translated(&help));
    }
    if let Some(long) = long {
        arg = arg.long_help(translated(&long));
    }
    if let Some(heading) = heading {
        arg = arg.help_heading(heading);
    }
    match names {
        Some(names) => arg.value_names(names),
        None => arg,
    }
}

/// Translates the text below a help. Sentences are wrapped again; of examples only the remarks are
/// translated.
fn paragraphs(text: &str) -> String {
    let translated = text.split("\n\n").map(|paragraph| {
        if paragraph.contains("\n  ") {
            paragraph.lines().map(line).collect::<Vec<_>>().join("\n")
        } else {
            translated(&paragraph.replace('\n', " "))
        }
    });
    translated.collect::<Vec<_>>().join("\n\n")
}

fn line(text: &str) -> String {
    match text.rsplit_once("   (") {
        Some((example, remark)) => format!("{example}   {}", translated(&format!("({remark}"))),
        None => translated(text),
    }
}

/// Translates clap's own words and the meanings of values in a rendered help.
pub(crate) fn rendered(help: &str, command: &Command) -> String {
    let mut help = help.to_owned();
    for words in words_to_replace(command) {
        help = help.replace(&words, &translated(&words));
    }
    help
}

/// Lists clap's words and the meanings of values; a text comes before those it contains.
fn words_to_replace(command: &Command) -> Vec<String> {
    let prints = ["Print help (see more with '--help')", "Print help (see a summary with '-h')"];
    let fixed = prints.into_iter().chain(["Print help"]).chain(CLAP_WORDS).map(str::to_owned);
    let commands = command.get_subcommands().chain([command]);
    let values = commands.flat_map(Command::get_arguments).flat_map(Arg::get_possible_values);
    let meanings = values.filter_map(|value| value.get_help().map(ToString::to_string));
    fixed.chain(meanings).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::CommandFactory as _;
    use klubok_text::{in_russian, is_translated};

    use super::*;
    use crate::args::Cli;

    /// Collects the English texts of a command and its subcommands.
    fn texts(command: &Command, all: &mut BTreeSet<String>) {
        let mut add = |text: Option<String>| all.extend(text);
        add(command.get_about().map(ToString::to_string));
        for paragraph in command
            .get_after_help()
            .map(ToString::to_string)
            .iter()
            .flat_map(|text| text.split("\n\n"))
        {
            if !paragraph.contains("\n  ") {
                add(Some(paragraph.replace('\n', " ")));
                continue;
            }
            for text in paragraph.lines() {
                let remark = text.rsplit_once("   (").map(|(_, remark)| format!("({remark}"));
                let heads = !text.starts_with(' ');
                add(remark.or_else(|| heads.then(|| text.to_owned())));
            }
        }
        for arg in command.get_arguments() {
            add(arg.get_help().map(ToString::to_string));
            add(arg.get_long_help().map(ToString::to_string));
            add(arg.get_help_heading().map(str::to_owned));
            let takes = arg.get_action().takes_values();
            let names = arg.get_value_names().filter(|_| takes).into_iter().flatten();
            names.for_each(|name| add(Some(name.to_string())));
            assert!(
                arg.get_help().is_some(),
                "{} of {} has no help",
                arg.get_id(),
                command.get_name()
            );
        }
        words_to_replace(command).into_iter().for_each(|words| add(Some(words)));
        command.get_subcommands().for_each(|command| texts(command, all));
    }

    #[test]
    fn every_help_text_has_a_russian_translation() {
        let mut all = BTreeSet::new();
        texts(&Cli::command(), &mut all);
        // Placeholders of numbers are the same in both languages.
        let same = ["P", "N", "N,N,...", "N-N-..."];
        all.retain(|text| !is_translated(text) && !same.contains(&text.as_str()));
        assert!(all.is_empty(), "not in lang/phrases.toml:\n{all:#?}");
    }

    #[test]
    fn help_in_russian_has_no_english_left() {
        let commands: Vec<String> =
            Cli::command().get_subcommands().map(|c| c.get_name().to_owned()).collect();
        let flags = ["-h", "--help"];
        for (name, flag) in commands.iter().flat_map(|name| flags.map(|flag| (name, flag))) {
            let help = in_russian(|| {
                let command = localized(Cli::command());
                let help = command.clone().try_get_matches_from(["klubok", name, flag]);
                rendered(&help.unwrap_err().render().to_string(), &command)
            });
            for word in [
                "Usage",
                "Print",
                "Options",
                "OPTIONS",
                "Arguments",
                "default:",
                "ossible values",
                " the ",
                " is ",
            ] {
                assert!(!help.contains(word), "`{word}` in the help of {name}:\n{help}");
            }
            assert!(
                help.contains(&format!("Использование: klubok {name}"))
                    && help.contains("Примеры:"),
                "{help}"
            );
        }
    }
}
