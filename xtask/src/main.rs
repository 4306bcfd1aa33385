//! The chores of the project: `cargo xtask test | tidy | golden | bench | floor`.

#![expect(clippy::print_stdout, reason = "a chore tells a person what it does")]

mod bench;
mod browser;
mod circles;
mod floor;
mod golden;
mod process;
mod test;
mod tidy;
mod tools;

use std::{path::Path, process::ExitCode};

use clap::Parser;

/// The chores of the project.
#[derive(Parser)]
#[command(name = "cargo xtask")]
enum Chore {
    /// Set up what the tests need and run every check and test
    Test {
        /// Only format, tidy, lints and tests: what one wants after every change
        #[arg(long)]
        quick: bool,
        /// Besides everything: a million inputs for every reader, and 60 kills (hours)
        #[arg(long, conflicts_with = "quick")]
        full: bool,
        /// Only these of all steps, such as `readers` or `browser`
        #[arg(long, value_name = "STEP", conflicts_with_all = ["quick", "full"])]
        only: Vec<String>,
    },
    /// Check the rules of the project that no other tool knows
    Tidy,
    /// Make the fixtures in crates/klubok-nn/tests/golden again, with PyTorch in double precision
    Golden,
    /// Measure klubok and its peers beside each other (an hour; fetches gigabytes once)
    Bench(bench::Arguments),
    /// Measure the least time that a training step can take here
    Floor(floor::Arguments),
}

fn main() -> anyhow::Result<ExitCode> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    let good = match Chore::parse() {
        Chore::Test { quick, full, only } => test::run(root, quick, full, &only)?,
        Chore::Tidy => tidy::run(root)?,
        Chore::Golden => golden::run(root)?,
        Chore::Bench(arguments) => bench::run(root, &arguments)?,
        Chore::Floor(arguments) => floor::run(&arguments).map(|()| true)?,
    };
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
