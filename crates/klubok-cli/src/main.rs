//! The `klubok` command.

mod args;
mod check_report;
mod classifier;
mod commands;
mod compute;
mod curve;
mod diagnosis;
mod failure;
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
mod settings;
mod terminal;
mod text;
mod training;
mod trust;
mod wrap;

use std::process::ExitCode;

fn main() -> ExitCode {
    interrupt::listen();
    failure::guard(|| commands::run(parse::command_line()?.command))
}
