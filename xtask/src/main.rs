//! The chores of the project: `cargo xtask test | tidy | dist | golden | bench | floor`.

#![expect(clippy::print_stdout, reason = "chores print their progress")]

mod bench;
mod browser;
mod circles;
mod dist;
mod golden;
mod onnx;
mod page_types;
mod process;
mod pytest;
mod settings;
mod tally;
mod tensorboard;
mod test;
mod tidy;
mod tools;
mod words;

use std::{path::Path, process::ExitCode};

use clap::Parser;

/// The chores of the project.
#[derive(Parser)]
#[command(name = "cargo xtask")]
enum Chore {
    /// Set up the tests' requirements and run every check and test
    Test {
        /// Only format, tidy, lints and tests, for use after every change
        #[arg(long)]
        quick: bool,
        /// All steps, a million inputs for every reader, and 60 kills (hours)
        #[arg(long, conflicts_with = "quick")]
        full: bool,
        /// Only these steps, such as `readers` or `browser`
        #[arg(long, value_name = "STEP", conflicts_with_all = ["quick", "full"])]
        only: Vec<String>,
    },
    /// Check the project's own rules
    Tidy,
    /// Make what people install: a program, its completions and manual, wheels, checksums
    Dist,
    /// Regenerate the fixtures in crates/klubok-nn/tests/golden with PyTorch in double precision
    Golden,
    /// Compare the speed of klubok and other libraries (an hour; fetches gigabytes once)
    Bench(bench::Arguments),
    /// Measure the minimal time of a training step on this machine
    Floor(bench::floor::Arguments),
}

fn main() -> anyhow::Result<ExitCode> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    let good = match Chore::parse() {
        Chore::Test { quick, full, only } => test::run(root, quick, full, &only)?,
        Chore::Tidy => tidy::run(root)?,
        Chore::Dist => dist::run(root)?,
        Chore::Golden => golden::run(root)?,
        Chore::Bench(arguments) => bench::run(root, &arguments)?,
        Chore::Floor(arguments) => bench::floor::run(&arguments).map(|()| true)?,
    };
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
