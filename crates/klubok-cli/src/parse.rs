//! From the words of a command line to what [`args`](crate::args) defines; what is wrong with them,
//! in one sentence.

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
    terminal::answer,
    value_parsers::Language,
};

/// The command line of this process; `--help` and `--version` are answered here.
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
        answer(help::rendered(&text, &command).trim_end())?;
        return Err(Failure::silent(0));
    }
    // The sentence is the first paragraph; what follows is a tip at best, and usage that --help
    // has.
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
    let known = tip.as_ref().is_some_and(|tip| tip.contains("similar"));
    let flag = named.and_then(|command| flag_of_setting(&error, command, known));
    let tip = flag
        .map(|flag| text!("hint.similar_flag", flag = flag))
        .or(tip.map(|tip| translated(&tip)));
    Err(Failure::usage(message).hint(tip.map_or(help.clone(), |tip| format!("{tip}; {help}"))))
}

/// How a setting is set that a word which is no flag is the name of, or where nothing else is
/// `known` to be meant, is near to.
fn flag_of_setting(error: &clap::Error, command: &Command, known: bool) -> Option<String> {
    let (ErrorKind::UnknownArgument, Some(ContextValue::String(word))) =
        (error.kind(), error.get(ContextKind::InvalidArg))
    else {
        return None;
    };
    let name = word.trim_start_matches('-').split('=').next()?.replace('-', "_");
    let exact = KEYS.iter().find(|key| key.name() == name).map(|key| key.path);
    let path = exact.or_else(|| nearest(&name).filter(|_| !known))?;
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

/// The language of this process: the flag's, else that of `KLUBOK_LANG` or the locale, else
/// English.
fn language() -> Lang {
    let locale = ["KLUBOK_LANG", "LC_ALL", "LC_MESSAGES", "LANG"]
        .into_iter()
        .filter_map(|name| std::env::var(name).ok())
        .find(|value| !value.is_empty());
    asked_language().unwrap_or(match locale {
        Some(locale) if locale.to_lowercase().starts_with("ru") => Lang::Ru,
        _ => Lang::En,
    })
}

/// The language that a flag asks for: it is needed before clap has understood all flags, or one of
/// them was wrong.
fn asked_language() -> Option<Lang> {
    let args: Vec<String> =
        std::env::args_os().skip(1).map(|arg| arg.to_string_lossy().into_owned()).collect();
    let flags =
        args.iter().take_while(|arg| *arg != "--").zip(args.iter().skip(1).map(Some).chain([None]));
    let asked = flags.filter_map(|(arg, next)| match arg.strip_prefix("--lang") {
        Some("") => next.map(String::as_str),
        Some(value) => value.strip_prefix('='),
        None => None,
    });
    asked.filter_map(|value| Language::from_str(value, false).ok()).last().map(Lang::from)
}

fn one_line(paragraph: &str) -> String {
    paragraph.split_whitespace().collect::<Vec<_>>().join(" ")
}
