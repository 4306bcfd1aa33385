//! `cargo xtask bench`: compares klubok and its peers on the same machine, by turns, in one table.
//!
//! A round runs every contender once; rounds repeat. Each timing is a separate process between two
//! probes of the machine. Each round also measures the floor of klubok's step. See
//! `docs/performance.md`.

mod contender;
mod diagnosis;
pub(crate) mod floor;
mod goal;
mod library;
mod machine;
mod probe;
mod result;
mod setup;
mod table;
mod timing;
mod workload;

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::Result;
use clap::{Args, Subcommand};

use self::{
    contender::{Contender, Run, Task},
    floor::{Floor, Precision},
    library::Library,
    probe::{Probe, Probed},
    result::{Comparison, Row, Timing},
    workload::Workload,
};
use crate::process::command;

/// Seconds of each contender's first run, which compiles what must be compiled and shows whether
/// the contender works.
const TRIAL_SECONDS: f64 = 0.2;

/// Flags of `xtask bench`.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    /// Measures something other than speed
    #[command(subcommand)]
    subcommand: Option<Subcommands>,
    /// Workloads, such as catdog,mnist; default: all
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Samples in a step, instead of the workload's own
    #[arg(long)]
    batch_size: Option<usize>,
    /// Predict batches instead of training on them; without floor
    #[arg(long)]
    infer: bool,
    /// Time whole commands to 98 % test accuracy on MNIST, with IDX files in this folder
    #[arg(long, conflicts_with_all = ["only", "infer", "batch_size"])]
    mnist: Option<PathBuf>,
    /// Number of rounds
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds of a timing
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Threads of every contender
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Peers
    #[arg(long, value_delimiter = ',', default_values = ["torch", "jax", "sklearn", "burn", "candle", "onnx"])]
    peers: Vec<Library>,
    /// Precisions of klubok
    #[arg(long, value_delimiter = ',', default_values = ["f32", "bf16"])]
    precision: Vec<Precision>,
    /// Path of the table (`.md`) and all timings (`.csv`); default: target/bench/<date>
    #[arg(long)]
    output: Option<PathBuf>,
}

/// Measurements other than speed.
#[derive(Subcommand)]
enum Subcommands {
    /// Accuracy of the diagnosis: phases on recorded histories with known truth, and planted
    /// faults (minutes)
    Diagnosis(diagnosis::Arguments),
}

impl Arguments {
    fn task(&self) -> Task {
        if self.infer { Task::Infer } else { Task::Train }
    }
}

/// Runs the comparison and prints the table; true if it succeeded.
///
/// # Errors
/// When the setup fails or a file cannot be written. A contender that fails is left out and listed
/// under the table.
pub(crate) fn run(root: &Path, arguments: &Arguments) -> Result<bool> {
    if let Some(Subcommands::Diagnosis(arguments)) = &arguments.subcommand {
        return diagnosis::run(root, arguments);
    }
    let workloads = match arguments.mnist {
        Some(_) => Vec::new(),
        None => workload::chosen(&arguments.only, arguments.batch_size)?,
    };
    setup::run(root, &arguments.peers)?;
    let output = arguments
        .output
        .clone()
        .unwrap_or_else(|| root.join(setup::OUTPUT).join(machine::now(root, "+%Y-%m-%d-%H%M")));
    fs_err::create_dir_all(root.join(setup::OUTPUT))?;
    let mut bench = Bench {
        root,
        arguments,
        contenders: contender::all(arguments.task(), &arguments.precision, &arguments.peers),
        probe: Probe::new(arguments.threads)?,
        timings: fs_err::File::create(output.with_extension("csv"))?,
    };
    bench.timings.write_all(table::COLUMNS.as_bytes())?;
    let mut sections = Vec::new();
    if let Some(data) = &arguments.mnist {
        let Bench { contenders, probe, .. } = &mut bench;
        let Arguments { rounds, threads, .. } = *arguments;
        let data = fs_err::canonicalize(data)?;
        sections.push(goal::compare(root, &data, contenders, rounds, threads, probe)?);
    }
    // The header is written last, because the probe finds its best rate only in time. Sections are
    // written as they appear, so that an interruption loses none.
    let write = |bench: &Bench<'_>, sections: &[String]| {
        let text = format!("{}\n{}", bench.header(), sections.join("\n"));
        fs_err::write(output.with_extension("md"), &text).map(|()| text)
    };
    for workload in workloads {
        sections.push(table::section(&bench.compare(workload)?));
        write(&bench, &sections)?;
    }
    let text = write(&bench, &sections)?;
    println!("\n{text}");
    println!("written to {} and .csv", output.with_extension("md").display());
    Ok(true)
}

struct Bench<'a> {
    root: &'a Path,
    arguments: &'a Arguments,
    contenders: Vec<Contender>,
    probe: Probe,
    timings: fs_err::File,
}

impl Bench<'_> {
    /// The heading of the report.
    fn header(&self) -> String {
        let Arguments { rounds, seconds, threads, .. } = self.arguments;
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let command: Vec<String> = std::env::args().skip(1).collect();
        format!(
            "# klubok and its peers, {}\n\n{}; {cores} cores, {threads} threads, {:.0} GFLOP/s in registers. \
             {rounds} rounds of {seconds} s by `cargo xtask {}`.\n\nVersions: {}.\n",
            machine::now(self.root, "+%Y-%m-%d"),
            machine::processor(),
            self.probe.best(),
            command.join(" "),
            machine::versions(self.root).join("; ")
        )
    }

    /// Runs all rounds on one workload.
    fn compare(&mut self, workload: Workload) -> Result<Comparison> {
        println!("\n{}: {}, batch {}", workload.name, workload.layers, workload.batch);
        let mut left_out = Vec::new();
        let mut rows = Vec::new();
        for contender in self.contenders.iter().filter(|contender| contender.takes(&workload)) {
            match self.trial(contender, &workload) {
                Ok(_) => rows.push(Row { contender: contender.clone(), timings: Vec::new() }),
                Err(error) => left_out.push(format!("{}: {error:#}", contender.name)),
            }
        }
        left_out.iter().for_each(|reason| println!("  left out: {reason}"));
        let mut comparison =
            Comparison { workload, rows, floors: Vec::new(), noisy_floors: 0, left_out };
        for round in 0..self.arguments.rounds {
            self.round(round, &mut comparison)?;
        }
        Ok(comparison)
    }

    fn round(&mut self, round: usize, comparison: &mut Comparison) -> Result<()> {
        let floors = (self.arguments.task() == Task::Train).then(|| comparison.own_precisions());
        for precision in floors.into_iter().flatten() {
            let floor = self.floor(&comparison.workload, precision)?;
            self.timings.write_all(table::floor_line(comparison, round, &floor).as_bytes())?;
            comparison.floors.push(floor.value);
            comparison.noisy_floors += usize::from(floor.noisy);
        }
        for mut row in std::mem::take(&mut comparison.rows) {
            let name = row.contender.name.clone();
            match self.quiet_timing(&row.contender, &comparison.workload) {
                Ok(timing) => {
                    let rate = timing.measured.samples_per_second;
                    println!("  round {}: {name:<22} {rate:>12.0} samples/s", round + 1);
                    let line = table::line(comparison, round, &name, &timing);
                    self.timings.write_all(line.as_bytes())?;
                    row.timings.push(timing);
                    comparison.rows.push(row);
                }
                Err(error) => {
                    let reason = format!("{name}, which failed in round {}: {error:#}", round + 1);
                    comparison.left_out.push(reason);
                }
            }
        }
        Ok(())
    }

    fn quiet_timing(&mut self, contender: &Contender, workload: &Workload) -> Result<Timing> {
        let (root, seconds) = (self.root, self.arguments.seconds);
        let run = Run { threads: self.arguments.threads, seconds };
        let probed =
            self.probe.guard(|| timing::run(root, &mut contender.command(root, workload, run)))?;
        if probed.repeats > 0 {
            println!("  repeated {} times: the machine was busy", probed.repeats);
        }
        let (measured, peak_mib) = probed.value;
        Ok(Timing { measured, peak_mib, noisy: probed.noisy })
    }

    /// Times a contender shortly and without probes, to see whether it works.
    fn trial(&self, contender: &Contender, workload: &Workload) -> Result<timing::Measured> {
        let run = Run { threads: self.arguments.threads, seconds: TRIAL_SECONDS };
        let mut command = contender.command(self.root, workload, run);
        Ok(timing::run(self.root, &mut command)?.0)
    }

    fn floor(&mut self, workload: &Workload, precision: Precision) -> Result<Probed<Floor>> {
        let (root, threads) = (self.root, self.arguments.threads.to_string());
        let (layers, batch) = (workload.layers.to_string(), workload.batch.to_string());
        self.probe.guard(|| {
            let mut command = command(root, setup::chores(root));
            command.args(["floor", "--layers", &layers, "--batch-size", &batch]);
            command.args(["--threads", &threads, "--precision", precision.name()]);
            Ok(timing::run(root, &mut command)?.0)
        })
    }
}
