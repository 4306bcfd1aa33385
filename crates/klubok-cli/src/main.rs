//! The `klubok` command.

mod args;
mod browser;
mod check_report;
mod commands;
mod compute;
mod curve;
mod diagnosis;
mod exit;
mod failure;
mod files;
mod flags;
mod help;
mod interrupt;
mod json;
mod loaded_model;
mod loading;
mod parse;
mod race_display;
mod run_lookup;
mod serving;
mod settings;
mod terminal;
mod training;
mod training_display;
mod training_job;
mod value_parsers;
mod wrap;

use std::process::ExitCode;

fn main() -> ExitCode {
    interrupt::listen();
    exit::run(|| commands::run(parse::command_line()?.command))
}
