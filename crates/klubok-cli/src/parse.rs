//! Parses the command line as [`args`](crate::args) defines it, and reports errors in one sentence.

use clap::{
    Command, CommandFactory as _, FromArgMatches as _, ValueEnum as _,
    error::{ContextKind, ContextValue, ErrorKind},
};
use klubok::config::{KEYS, nearest};
use klubok_text::{Lang, choose, text, translated};

use crate::{
    args::Cli,
    failure::{Failure, Result},
    help,
    terminal::print_stdout,
    value_parsers::Language,
};

/// Parses the command line of this process; prints `--help` and `--version`.
pub(crate) fn command_line() -> Result<Cli> {
    choose(language());
    let command = help::localized(Cli::command());
    let parsed = command.clone().try_get_matches();
    let error = match parsed.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => return Ok(cli),
        Err(error) => error,
    };
    if !error.use_stderr() {
        let rendered = error.render();
        let colours = console::colors_enabled();
        let text = if colours { rendered.ansi().to_string() } else { rendered.to_string() };
        print_stdout(help::rendered(&text, &command).trim_end())?;
        return Err(Failure::silent(0));
    }
    // The first paragraph is the message. Below it come a tip, perhaps, and the usage of --help.
    let rendered = error.render().to_string();
    let mut paragraphs = rendered.split("\n\n").map(one_line);
    let message = paragraphs.next().unwrap_or_default();
    let message = message.strip_prefix("error: ").unwrap_or(&message).to_owned();
    let named = std::env::args_os().nth(1).map(|name| name.to_string_lossy().into_owned());
    let named = named.as_deref().and_then(|name| command.find_subcommand(name));
    let help = match named {
        Some(command) => text!("hint.command_help", command = command.get_name()),
        None => text!("hint.help"),
    };
    let tip = paragraphs.find_map(|p| p.strip_prefix("tip: ").map(str::to_owned));
    let has_similar_flag = tip.as_ref().is_some_and(|tip| tip.contains("similar"));
    let flag = named.and_then(|command| flag_of_setting(&error, command, has_similar_flag));
    let tip = flag
        .map(|flag| text!("hint.similar_flag", flag = flag))
        .or(tip.map(|tip| translated(&tip)));
    Err(Failure::usage(message).hint(tip.map_or(help.clone(), |tip| format!("{tip}; {help}"))))
}

/// Suggests how to set the setting that an unknown flag names. A near miss counts only if clap has
/// no similar flag.
fn flag_of_setting(
    error: &clap::Error,
    command: &Command,
    has_similar_flag: bool,
) -> Option<String> {
    let (ErrorKind::UnknownArgument, Some(ContextValue::String(word))) =
        (error.kind(), error.get(ContextKind::InvalidArg))
    else {
        return None;
    };
    let name = word.trim_start_matches('-').split('=').next()?.replace('-', "_");
    let exact = KEYS.iter().find(|key| key.name() == name).map(|key| key.path);
    let path = exact.or_else(|| nearest(&name).filter(|_| !has_similar_flag))?;
    let flag = match path.split_once('.')?.1 {
        "learning_rate" => "lr".to_owned(),
        name => name.replace('_', "-"),
    };
    let has = |long: &str| command.get_arguments().any(|arg| arg.get_long() == Some(long));
    if has(&flag) {
        return Some(format!("--{flag}"));
    }
    has("set").then(|| format!("--set {path}=..."))
}

/// Chooses the language: `--lang`, else `KLUBOK_LANG` or the locale, else English.
fn language() -> Lang {
    let locale = ["KLUBOK_LANG", "LC_ALL", "LC_MESSAGES", "LANG"]
        .into_iter()
        .filter_map(|name| std::env::var(name).ok())
        .find(|value| !value.is_empty());
    language_flag().unwrap_or(match locale {
        Some(locale) if locale.to_lowercase().starts_with("ru") => Lang::Ru,
        _ => Lang::En,
    })
}

/// Reads `--lang` without clap: messages need the language before clap has parsed all flags, and
/// when one of them is wrong.
fn language_flag() -> Option<Lang> {
    let args: Vec<String> =
        std::env::args_os().skip(1).map(|arg| arg.to_string_lossy().into_owned()).collect();
    let flags =
        args.iter().take_while(|arg| *arg != "--").zip(args.iter().skip(1).map(Some).chain([None]));
    let values = flags.filter_map(|(arg, next)| match arg.strip_prefix("--lang") {
        Some("") => next.map(String::as_str),
        Some(value) => value.strip_prefix('='),
        None => None,
    });
    values.filter_map(|value| Language::from_str(value, false).ok()).last().map(Lang::from)
}

fn one_line(paragraph: &str) -> String {
    paragraph.split_whitespace().collect::<Vec<_>>().join(" ")
}
