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
mod interrupt;
mod json;
mod loading;
mod measures;
mod new_run;
mod page;
mod progress;
mod settings;
mod terminal;
mod text;
mod training;
mod trust;

use std::process::ExitCode;

fn main() -> ExitCode {
    interrupt::listen();
    failure::guard(|| {
        let cli = args::parse()?;
        text::choose(cli.lang);
        commands::run(cli.command)
    })
}
