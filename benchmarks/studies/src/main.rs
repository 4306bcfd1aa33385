//! Choices that data decided, made again. Each study trains with the library, in memory, and prints
//! a table.

mod advice;
mod course;
mod judge;
mod rates;
mod rules;
mod set;
mod statistics;
mod temperature;

use std::{
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};
use klubok::config::Preset;

use self::{course::Course, set::Set};

/// Studies on which choices of klubok rest.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    study: Study,
}

#[derive(Subcommand)]
enum Study {
    /// Trains, and records what every epoch is by parts of several sizes
    Record {
        /// Folder of the data sets: cats-dogs-64, mnist, fashion-mnist
        #[arg(long)]
        data: PathBuf,
        /// Where the records go, a line a training; those that are there already are not made again
        #[arg(long)]
        output: PathBuf,
        /// Data sets
        #[arg(long, value_enum, value_delimiter = ',', default_values = ["drawn", "photographs", "mnist", "fashion"])]
        sets: Vec<Set>,
        /// Presets
        #[arg(long, value_delimiter = ',', default_values = ["article", "balanced"])]
        presets: Vec<String>,
        /// Samples to learn from
        #[arg(long, default_value_t = 2000)]
        train: usize,
        /// Seeds, from 0
        #[arg(long, default_value_t = 10)]
        seeds: u64,
    },
    /// Compares rules that choose an epoch, over records
    BestEpoch {
        /// The records
        records: Vec<PathBuf>,
    },
    /// Compares how far few samples may move a temperature, on trained networks
    Temperature {
        /// Folder of the data sets
        #[arg(long)]
        data: PathBuf,
        /// Data sets
        #[arg(long, value_enum, value_delimiter = ',', default_values = ["drawn", "photographs", "mnist", "fashion"])]
        sets: Vec<Set>,
        /// Seeds, from 0
        #[arg(long, default_value_t = 2)]
        seeds: u64,
    },
    /// Follows the first advice on trainings with something wrong, and judges what it was good for
    Advice {
        /// Folder of the data sets
        #[arg(long)]
        data: PathBuf,
        /// Only cases whose name contains one of these
        #[arg(long, value_delimiter = ',')]
        only: Vec<String>,
        /// Seeds, from 0
        #[arg(long, default_value_t = 5)]
        seeds: u64,
    },
    /// Trains at rates from far too small to far too large, and counts what is said wrongly of them
    Rates {
        /// Folder of the data sets
        #[arg(long)]
        data: PathBuf,
        /// Where the trainings are recorded; those that are there already are not made again
        #[arg(long)]
        output: PathBuf,
        /// Data sets
        #[arg(long, value_enum, value_delimiter = ',', default_values = ["drawn", "photographs", "mnist"])]
        sets: Vec<Set>,
        /// Update rules
        #[arg(long, value_enum, value_delimiter = ',', default_values = ["sgd", "momentum", "adamw"])]
        rules: Vec<rates::Rule>,
        /// Preset
        #[arg(long, default_value = "plain")]
        preset: Preset,
        /// Samples to learn from
        #[arg(long, default_value_t = 2000)]
        train: usize,
        /// Epochs of a training
        #[arg(long, default_value_t = 20)]
        epochs: u64,
        /// Seed
        #[arg(long, default_value_t = 0)]
        seed: u64,
        /// Settings beside, such as train.schedule=constant
        #[arg(long)]
        set: Vec<String>,
    },
}

fn main() -> Result<()> {
    match Arguments::parse().study {
        Study::Record { data, output, sets, presets, train, seeds } => {
            let presets = presets
                .iter()
                .map(|name| name.parse())
                .collect::<std::result::Result<Vec<Preset>, _>>()?;
            record(&data, &output, &sets, &presets, train, seeds)
        }
        Study::BestEpoch { records } => {
            let mut courses = Vec::new();
            for path in &records {
                courses.extend(read::<Course>(path)?);
            }
            writeln!(std::io::stdout(), "{}", judge::report(&courses))?;
            Ok(())
        }
        Study::Temperature { data, sets, seeds } => {
            temperature::run(&data, &sets, seeds, &mut print)
        }
        Study::Advice { data, only, seeds } => advice::run(&data, &only, seeds, &mut print),
        Study::Rates { data, output, sets, rules, preset, train, epochs, seed, set } => {
            let wanted = rates::Wanted { sets, rules, preset, train, epochs, seed, set };
            let done = if output.exists() { read(&output)? } else { Vec::new() };
            let mut file = fs_err::OpenOptions::new().create(true).append(true).open(&output)?;
            rates::record(&data, &wanted, &done, &mut |line| {
                Ok(writeln!(file, "{}", serde_json::to_string(line)?)?)
            })?;
            writeln!(std::io::stdout(), "{}", rates::report(&read(&output)?)?)?;
            Ok(())
        }
    }
}

fn print(text: &str) -> Result<()> {
    Ok(writeln!(std::io::stdout(), "{text}")?)
}

/// One line a training; what is there already stays.
fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    let text = fs_err::read_to_string(path)?;
    let line = |(i, line)| {
        serde_json::from_str(line).with_context(|| format!("line {} of {}", i + 1, path.display()))
    };
    text.lines().enumerate().map(line).collect()
}

fn record(
    folder: &Path,
    output: &Path,
    sets: &[Set],
    presets: &[Preset],
    train: usize,
    seeds: u64,
) -> Result<()> {
    let done: Vec<Course> = if output.exists() { read(output)? } else { Vec::new() };
    let mut file = fs_err::OpenOptions::new().create(true).append(true).open(output)?;
    for &set in sets {
        let (config, _) = course::settings(set, Preset::Plain, 0)?;
        let data = set.open(folder, &config)?;
        for seed in 0..seeds {
            for &preset in presets {
                let is_it = |course: &Course| {
                    (course.set, course.preset.as_str(), course.train, course.seed)
                        == (set, preset.name(), train, seed)
                };
                if done.iter().any(is_it) {
                    continue;
                }
                let began = std::time::Instant::now();
                let course = course::run(&data, set, preset, train, seed)?;
                writeln!(file, "{}", serde_json::to_string(&course)?)?;
                let seconds = began.elapsed().as_secs();
                writeln!(
                    std::io::stderr(),
                    "{set:?} {} {train}, seed {seed}: {seconds} s",
                    preset.name()
                )?;
            }
        }
    }
    Ok(())
}
