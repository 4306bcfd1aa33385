//! Studies behind choices of defaults. Each trains with the library, in memory, and prints a table.

mod advice;
mod comparison;
mod data_set;
mod rates;
mod rules;
mod statistics;
mod temperature;
mod training;

use std::{
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};
use klubok::config::Preset;

use self::{data_set::DataSet, training::Training};

/// Studies behind choices of klubok's defaults.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    study: Study,
}

#[derive(Subcommand)]
enum Study {
    /// Trains, and records the scores of every epoch on validation sets of several sizes
    Record {
        /// Folder of the data sets: cats-dogs-64, mnist, fashion-mnist
        #[arg(long)]
        data: PathBuf,
        /// File of the records, one line a training; trainings that it holds are not repeated
        #[arg(long)]
        output: PathBuf,
        /// Data sets
        #[arg(long, value_enum, value_delimiter = ',', default_values = ["drawn", "photographs", "mnist", "fashion"])]
        sets: Vec<DataSet>,
        /// Presets
        #[arg(long, value_delimiter = ',', default_values = ["article", "balanced"])]
        presets: Vec<String>,
        /// Training samples
        #[arg(long, default_value_t = 2000)]
        train: usize,
        /// Number of seeds, from 0
        #[arg(long, default_value_t = 10)]
        seeds: u64,
    },
    /// Compares rules that choose the best epoch over recorded trainings
    BestEpoch {
        /// Files of records
        records: Vec<PathBuf>,
    },
    /// Compares priors of the temperature for small validation sets, on trained networks
    Temperature {
        /// Folder of the data sets
        #[arg(long)]
        data: PathBuf,
        /// Data sets
        #[arg(long, value_enum, value_delimiter = ',', default_values = ["drawn", "photographs", "mnist", "fashion"])]
        sets: Vec<DataSet>,
        /// Number of seeds, from 0
        #[arg(long, default_value_t = 2)]
        seeds: u64,
    },
    /// Follows the first advice in trainings with something wrong, and measures its effect
    Advice {
        /// Folder of the data sets
        #[arg(long)]
        data: PathBuf,
        /// Only cases whose name contains one of these
        #[arg(long, value_delimiter = ',')]
        only: Vec<String>,
        /// Number of seeds, from 0
        #[arg(long, default_value_t = 5)]
        seeds: u64,
    },
    /// Trains at rates from far too small to far too large, and counts wrong diagnoses of them
    Rates {
        /// Folder of the data sets
        #[arg(long)]
        data: PathBuf,
        /// File of the records; trainings that it holds are not repeated
        #[arg(long)]
        output: PathBuf,
        /// Data sets
        #[arg(long, value_enum, value_delimiter = ',', default_values = ["drawn", "photographs", "mnist"])]
        sets: Vec<DataSet>,
        /// Update rules
        #[arg(long, value_enum, value_delimiter = ',', default_values = ["sgd", "momentum", "adamw"])]
        rules: Vec<rates::Rule>,
        /// Preset
        #[arg(long, default_value = "plain")]
        preset: Preset,
        /// Training samples
        #[arg(long, default_value_t = 2000)]
        train: usize,
        /// Epochs of a training
        #[arg(long, default_value_t = 20)]
        epochs: u64,
        /// Seed
        #[arg(long, default_value_t = 0)]
        seed: u64,
        /// Further settings, such as train.schedule=constant
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
            let mut trainings = Vec::new();
            for path in &records {
                trainings.extend(read::<Training>(path)?);
            }
            writeln!(std::io::stdout(), "{}", comparison::report(&trainings))?;
            Ok(())
        }
        Study::Temperature { data, sets, seeds } => {
            temperature::run(&data, &sets, seeds, &mut print)
        }
        Study::Advice { data, only, seeds } => advice::run(&data, &only, seeds, &mut print),
        Study::Rates { data, output, sets, rules, preset, train, epochs, seed, set } => {
            let request =
                rates::Request { data_sets: sets, rules, preset, train, epochs, seed, set };
            let done = if output.exists() { read(&output)? } else { Vec::new() };
            let mut file = fs_err::OpenOptions::new().create(true).append(true).open(&output)?;
            rates::record(&data, &request, &done, &mut |record| {
                Ok(writeln!(file, "{}", serde_json::to_string(record)?)?)
            })?;
            writeln!(std::io::stdout(), "{}", rates::report(&read(&output)?)?)?;
            Ok(())
        }
    }
}

fn print(text: &str) -> Result<()> {
    Ok(writeln!(std::io::stdout(), "{text}")?)
}

/// Reads records, one JSON object a line.
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
    data_sets: &[DataSet],
    presets: &[Preset],
    train: usize,
    seeds: u64,
) -> Result<()> {
    let done: Vec<Training> = if output.exists() { read(output)? } else { Vec::new() };
    let mut file = fs_err::OpenOptions::new().create(true).append(true).open(output)?;
    for &data_set in data_sets {
        let (config, _) = training::settings(data_set, Preset::Plain, 0)?;
        let data = data_set.open(folder, &config)?;
        for seed in 0..seeds {
            for &preset in presets {
                let is_same = |other: &Training| {
                    (other.data_set, other.preset.as_str(), other.train, other.seed)
                        == (data_set, preset.name(), train, seed)
                };
                if done.iter().any(is_same) {
                    continue;
                }
                let start = std::time::Instant::now();
                let training = training::run(&data, data_set, preset, train, seed)?;
                writeln!(file, "{}", serde_json::to_string(&training)?)?;
                let seconds = start.elapsed().as_secs();
                writeln!(
                    std::io::stderr(),
                    "{data_set:?} {} {train}, seed {seed}: {seconds} s",
                    preset.name()
                )?;
            }
        }
    }
    Ok(())
}
