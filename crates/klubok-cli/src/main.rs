//! The `klubok` command.

mod args;
mod check_report;
mod classifier;
mod commands;
mod compute;
mod curve;
mod diagnosis;
mod escape;
mod exit;
mod failure;
mod figures;
mod files;
mod findings;
mod help;
mod interrupt;
mod json;
mod loading;
mod measures;
mod new_run;
mod page;
mod parse;
mod phrase;
mod progress;
mod run_names;
mod settings;
mod terminal;
mod text;
mod training;
mod trust;
mod value_parsers;
mod wrap;

use std::process::ExitCode;

fn main() -> ExitCode {
    interrupt::listen();
    exit::guard(|| commands::run(parse::command_line()?.command))
}
