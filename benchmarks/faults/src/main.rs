//! Planted faults: trains with one fault each, and as often without, and counts the verdicts.
//!
//! The bench draws the data and calls klubok as a user would. The ground truth comes afterwards
//! from the log, the data and the weights ([`truth`]): a fault that is not present counts neither
//! as found nor as missed, and an unhealthy run counts as no false alarm. `cargo xtask bench
//! diagnosis` runs this.

#![expect(clippy::print_stdout, reason = "the program prints tables")]

mod configurations;
mod draw;
mod facts;
mod fault;
mod faulty;
mod files;
mod healthy;
mod held_out;
mod held_out_kinds;
mod log;
mod network;
mod outcome;
mod peers;
mod random;
mod settings;
mod spec;
mod table;
mod truth;

use std::{
    path::PathBuf,
    process::ExitCode,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use anyhow::{Error, Result};
use clap::Parser;

use self::{configurations::Configuration, outcome::Klubok, table::Run};

/// Trains with planted faults, and counts how many klubok finds.
#[derive(Parser)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
struct Arguments {
    /// The klubok to test
    #[arg(long)]
    klubok: PathBuf,
    /// Folder for data and runs
    #[arg(long)]
    folder: PathBuf,
    /// Only configurations whose name contains one of these, such as `dead_units` or healthy-0
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Only configurations that constants may be tuned on
    #[arg(long, conflicts_with = "held_out")]
    chosen_on: bool,
    /// Only held-out configurations
    #[arg(long)]
    held_out: bool,
    /// Number of seeds of each configuration
    #[arg(long, default_value_t = 5)]
    seeds: u64,
    /// Trainings in parallel
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// Reuse outcomes of earlier calls, and train only the rest
    #[arg(long)]
    reuse: bool,
    /// Print a line for each run
    #[arg(long)]
    verbose: bool,
}

/// Trains the selected configurations and prints the tables. Fails if one could not be trained.
fn main() -> Result<ExitCode> {
    let arguments = &Arguments::parse();
    let klubok = Klubok { program: arguments.klubok.clone(), folder: arguments.folder.clone() };
    let selected = |one: &Configuration| {
        let named = arguments.only.is_empty()
            || arguments.only.iter().any(|word| one.name().contains(word));
        named && if one.group.held_out() { !arguments.chosen_on } else { !arguments.held_out }
    };
    let all: Vec<Configuration> = configurations::all()?.into_iter().filter(selected).collect();
    let jobs: Vec<(Configuration, u64)> =
        all.iter().flat_map(|one| (0..arguments.seeds).map(|seed| (one.clone(), seed))).collect();
    println!("{} configurations, {} runs", all.len(), jobs.len());
    let (runs, failures) = train(&klubok, &jobs, arguments);
    if arguments.verbose {
        runs.iter().for_each(print);
    }
    println!("\n{}\n{}", table::tables(&runs), table::errors(&runs));
    failures.iter().for_each(|failure| println!("left out: {failure:#}"));
    Ok(if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Trains all jobs in parallel and checks them against the ground truth. Returns the runs, and the
/// errors of trainings that failed.
fn train(
    klubok: &Klubok,
    jobs: &[(Configuration, u64)],
    arguments: &Arguments,
) -> (Vec<Run>, Vec<Error>) {
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some((one, seed)) = jobs.get(number) else { return };
            let outcome = klubok.outcome(one, *seed, arguments.reuse);
            let run = outcome.map(|outcome| Run::new(one.clone(), *seed, outcome));
            if let Ok(mut done) = done.lock() {
                done.push((number, run));
            }
        }
    };
    std::thread::scope(|scope| (0..arguments.jobs.max(1)).for_each(|_| drop(scope.spawn(work))));
    let mut done = done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    done.sort_by_key(|(number, _)| *number);
    let (mut runs, mut failures) = (Vec::new(), Vec::new());
    for (_, run) in done {
        match run {
            Ok(run) => runs.push(run),
            Err(error) => failures.push(error),
        }
    }
    (runs, failures)
}

fn print(run: &Run) {
    let verdicts = run.outcome.verdicts.iter();
    let verdicts: Vec<String> =
        verdicts.map(|verdict| format!("{}:{}", verdict.name, verdict.severity)).collect();
    let end = run.outcome.log.0.last().cloned().unwrap_or_default();
    let number = |x: Option<f64>| x.map_or("-".into(), |x| format!("{x:.3}"));
    println!(
        "{:<24} {} {:<5} {:<5} loss {} val {} acc {} {}  {}",
        run.configuration.name(),
        run.seed,
        if run.confirmed { "there" } else { "NOT" },
        if run.found() { "found" } else { "" },
        number(end.train_eval_loss),
        number(end.val_loss),
        number(end.train_accuracy),
        number(end.val_accuracy),
        verdicts.join(" ")
    );
}
