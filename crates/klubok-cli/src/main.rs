//! The `klubok` command.

mod args;
mod check_report;
mod classifier;
mod commands;
mod compute;
mod curve;
mod diagnosis;
mod exit;
mod failure;
mod files;
mod help;
mod interrupt;
mod json;
mod loading;
mod new_run;
mod parse;
mod progress;
mod run_names;
mod serving;
mod settings;
mod terminal;
mod training;
mod value_parsers;
mod wrap;

use std::process::ExitCode;

fn main() -> ExitCode {
    interrupt::listen();
    exit::guard(|| commands::run(parse::command_line()?.command))
}
