//! One file for each command.

mod bench;
pub(crate) mod check;
mod completions;
mod config;
mod dashboard;
mod demo;
mod diagnose;
mod eval;
mod export;
mod man;
mod observing;
mod predict;
mod race;
mod report;
mod resume;
mod runs;
mod train;

use klubok_text::text;

use crate::{
    args::Command,
    failure::{self, Result},
    terminal::print_wrapped,
};

/// Runs a command; without one, prints how to begin.
pub(crate) fn run(command: Option<Command>) -> Result<()> {
    match command {
        None => welcome(),
        Some(Command::Demo(args)) => demo::run(&args),
        Some(Command::Train(args)) => train::run(&args),
        Some(Command::Resume(args)) => resume::run(&args),
        Some(Command::Eval(args)) => {
            failure::set_command("eval");
            eval::run(&args)
        }
        Some(Command::Predict(args)) => predict::run(&args),
        Some(Command::Check(args)) => {
            failure::set_command("check");
            check::run(&args)
        }
        Some(Command::Diagnose(args)) => diagnose::run(&args),
        Some(Command::Dashboard(args)) => dashboard::run(&args),
        Some(Command::Report(args)) => report::run(&args),
        Some(Command::Export(args)) => export::run(&args),
        Some(Command::Runs(args)) => runs::run(&args),
        Some(Command::Bench(args)) => bench::run(&args),
        Some(Command::Config(args)) => config::run(&args),
        Some(Command::Completions(args)) => completions::run(&args),
        Some(Command::Man) => man::run(),
    }
}

/// Prints how to try, learn, train, predict and get help, a line each.
fn welcome() -> Result<()> {
    let lines = [
        text!("welcome.try"),
        text!("welcome.learn"),
        text!("welcome.train"),
        text!("welcome.look"),
        text!("welcome.help"),
    ];
    print_wrapped(lines.join("\n"))
}
