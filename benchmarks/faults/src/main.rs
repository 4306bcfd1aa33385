//! Planted faults: trainings with one fault each, and as many without, on which verdicts are
//! counted.
//!
//! Data are drawn, klubok trains and judges as a person would call it, and the truth is told
//! offline ([`truth`]): a fault that is not there counts neither as found nor as missed, and a run
//! that is not healthy is no alarm. `cargo xtask bench diagnosis` runs this.

#![expect(clippy::print_stdout, reason = "tables are what it is for")]

mod configurations;
mod draw;
mod facts;
mod fault;
mod faulty;
mod files;
mod healthy;
mod held_out;
mod log;
mod network;
mod outcome;
mod peers;
mod random;
mod settings;
mod spec;
mod table;
mod truth;
mod whole;

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

use self::{configurations::Configuration, outcome::Klubok, table::Judged};

/// Trains with planted faults, and counts which are found.
#[derive(Parser)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
struct Arguments {
    /// The klubok that trains and judges
    #[arg(long)]
    klubok: PathBuf,
    /// Where data and runs go
    #[arg(long)]
    folder: PathBuf,
    /// Only configurations whose name contains one of these, such as `dead_units` or healthy-0
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Only those that constants may be chosen on
    #[arg(long, conflicts_with = "held_out")]
    chosen_on: bool,
    /// Only those that are held out, alone or with all of their kind
    #[arg(long)]
    held_out: bool,
    /// Seeds of each configuration
    #[arg(long, default_value_t = 5)]
    seeds: u64,
    /// Trainings at a time
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// Take what an earlier call trained, and train only what is not there
    #[arg(long)]
    reuse: bool,
    /// Print a line for each run
    #[arg(long)]
    verbose: bool,
}

/// Trains what is wanted, and prints the tables; a success when every configuration could be
/// trained.
fn main() -> Result<ExitCode> {
    let arguments = &Arguments::parse();
    let klubok = Klubok { program: arguments.klubok.clone(), folder: arguments.folder.clone() };
    let wanted = |one: &Configuration| {
        let named = arguments.only.is_empty()
            || arguments.only.iter().any(|word| one.name().contains(word));
        named && if one.group.held_out() { !arguments.chosen_on } else { !arguments.held_out }
    };
    let all: Vec<Configuration> = configurations::all()?.into_iter().filter(wanted).collect();
    let jobs: Vec<(Configuration, u64)> =
        all.iter().flat_map(|one| (0..arguments.seeds).map(|seed| (one.clone(), seed))).collect();
    println!("{} configurations, {} runs", all.len(), jobs.len());
    let (judged, failures) = train(&klubok, &jobs, arguments);
    if arguments.verbose {
        judged.iter().for_each(print);
    }
    println!("\n{}\n{}", table::tables(&judged), table::wrong(&judged));
    failures.iter().for_each(|failure| println!("left out: {failure:#}"));
    Ok(if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Trains all jobs, so many at a time, and judges them by the truth; and why some could not be
/// trained.
fn train(
    klubok: &Klubok,
    jobs: &[(Configuration, u64)],
    arguments: &Arguments,
) -> (Vec<Judged>, Vec<Error>) {
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some((one, seed)) = jobs.get(number) else { return };
            let outcome = klubok.outcome(one, *seed, arguments.reuse);
            let judged = outcome.map(|outcome| Judged::new(one.clone(), *seed, outcome));
            if let Ok(mut done) = done.lock() {
                done.push((number, judged));
            }
        }
    };
    std::thread::scope(|scope| (0..arguments.jobs.max(1)).for_each(|_| drop(scope.spawn(work))));
    let mut done = done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    done.sort_by_key(|(number, _)| *number);
    let (mut judged, mut failures) = (Vec::new(), Vec::new());
    for (_, one) in done {
        match one {
            Ok(one) => judged.push(one),
            Err(why) => failures.push(why),
        }
    }
    (judged, failures)
}

fn print(run: &Judged) {
    let said: Vec<String> =
        run.outcome.said.iter().map(|said| format!("{}:{}", said.name, said.severity)).collect();
    let line = run.outcome.log.0.last().cloned().unwrap_or_default();
    let number = |x: Option<f64>| x.map_or("-".into(), |x| format!("{x:.3}"));
    println!(
        "{:<24} {} {:<5} {:<5} loss {} val {} acc {} {}  {}",
        run.configuration.name(),
        run.seed,
        if run.holds { "there" } else { "NOT" },
        if run.found() { "found" } else { "" },
        number(line.train_eval_loss),
        number(line.val_loss),
        number(line.train_accuracy),
        number(line.val_accuracy),
        said.join(" ")
    );
}
