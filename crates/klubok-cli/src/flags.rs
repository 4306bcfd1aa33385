//! Flags that several commands share.
//!
//! Values of settings stay text here. The library's configuration checks them, so that a wrong
//! value gets the same message whether it came from a flag, `--set` or a file.

use std::{net::SocketAddr, path::PathBuf};

use clap::Args;
use klubok::config::DataConfig;

use crate::{terminal::Screen, value_parsers::assignment};

/// Settings of a run: a file, a preset, any key by `--set`, and flags for the common ones.
#[derive(Debug, Args)]
#[command(next_help_heading = "Settings")]
pub(crate) struct SettingFlags {
    /// Settings in a TOML file.
    #[arg(short, long, value_name = "FILE.toml")]
    pub(crate) config: Option<PathBuf>,
    /// Preset of settings: balanced, article or plain; a file and flags override it.
    #[arg(long, value_name = "NAME")]
    pub(crate) preset: Option<String>,
    /// Any setting, such as train.momentum=0.8 (more than once).
    #[arg(long, value_name = "KEY=VALUE", value_parser = assignment)]
    pub(crate) set: Vec<(String, String)>,
    /// Passes over the training data.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    epochs: Option<String>,
    /// Learning rate.
    #[arg(long, value_name = "RATE", allow_negative_numbers = true)]
    lr: Option<String>,
    /// Samples of one update.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    batch_size: Option<String>,
    /// Units of each hidden layer.
    #[arg(long, value_name = "N,N,...", allow_hyphen_values = true)]
    hidden: Option<String>,
    /// sgd, rmsprop, adam or adamw.
    #[arg(long, value_name = "NAME")]
    optimizer: Option<String>,
    /// Probability to drop a hidden unit, one for all layers or one each.
    #[arg(long, value_name = "P", allow_hyphen_values = true)]
    dropout: Option<String>,
    /// Seed of start, order, dropout and augmentation.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    seed: Option<String>,
    /// Threads; 0 is one per core. They do not change the result.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    threads: Option<String>,
    /// What computes: cpu.
    #[arg(long, value_name = "NAME")]
    device: Option<String>,
    /// Precision of the products: f32, bf16 or auto.
    #[arg(long, value_name = "NAME")]
    precision: Option<String>,
    /// Instructions: amx, avx512bf16, avx512, avx2, portable or auto.
    #[arg(long, value_name = "NAME")]
    kernel: Option<String>,
    /// Use at most so many samples of each part, for a quick trial.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    limit: Option<String>,
    #[command(flatten)]
    pub(crate) columns: ColumnFlags,
}

/// Columns of a table.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Tables")]
pub(crate) struct ColumnFlags {
    /// Column of a table to predict (more than once: several numbers or labels).
    #[arg(long, value_name = "COLUMN")]
    target: Vec<String>,
    /// Column of a table with the weight of each row.
    #[arg(long, value_name = "COLUMN")]
    weight: Option<String>,
    /// What the target is: class, number or label; else its values decide.
    #[arg(long, value_name = "KIND")]
    task: Option<String>,
}

impl ColumnFlags {
    /// Names the columns of data for a trained model.
    pub(crate) fn apply_to(&self, data: &mut DataConfig) {
        if !self.target.is_empty() {
            data.target.clone_from(&self.target);
        }
        if let Some(weight) = &self.weight {
            data.weight.clone_from(weight);
        }
    }

    /// Returns the configuration's keys and values.
    pub(crate) fn assignments(&self) -> Vec<(String, String)> {
        // In quotes, as a name may have commas.
        let text = |name: &String| toml::Value::from(name.as_str()).to_string();
        let names = self.target.iter().map(text).collect::<Vec<_>>();
        let flags = [
            ("data.target", (!names.is_empty()).then(|| format!("[{}]", names.join(",")))),
            ("data.weight", self.weight.as_ref().map(text)),
            ("data.task", self.task.clone()),
        ];
        flags.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
    }
}

impl SettingFlags {
    /// Returns the configuration's keys and values: those of `--set`, then those of the flags.
    pub(crate) fn assignments(&self) -> Vec<(String, String)> {
        let flags = [
            ("train.epochs", self.epochs.clone()),
            ("train.learning_rate", self.lr.clone()),
            ("train.batch_size", self.batch_size.clone()),
            ("model.hidden", self.hidden.clone()),
            ("train.optimizer", self.optimizer.clone()),
            ("model.dropout", self.dropout.clone()),
            ("train.seed", self.seed.clone()),
            ("train.threads", self.threads.clone()),
            ("train.device", self.device.clone()),
            ("train.precision", self.precision.clone()),
            ("train.kernel", self.kernel.clone()),
            ("data.limit", self.limit.clone()),
        ];
        let flags = flags.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
        self.set.iter().cloned().chain(flags).chain(self.columns.assignments()).collect()
    }
}

/// Parts of the data in other folders, and the handling of unreadable pictures.
#[derive(Debug, Args)]
#[command(next_help_heading = "Data")]
pub(crate) struct PartFlags {
    /// Data of the validation part.
    #[arg(long, value_name = "PATH")]
    pub(crate) val: Option<PathBuf>,
    /// Data of the test part, which training never reads.
    #[arg(long, value_name = "PATH")]
    pub(crate) test: Option<PathBuf>,
    /// An unreadable picture is an error; without it, it is skipped and counted.
    #[arg(long)]
    pub(crate) strict: bool,
}

/// Computing resources of commands that do not train.
#[derive(Debug, Args)]
#[command(next_help_heading = "Computing")]
pub(crate) struct ComputeFlags {
    /// Threads; 0 is one per core.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) threads: usize,
}

/// Live page of a training.
#[derive(Debug, Args)]
#[command(next_help_heading = "Page")]
pub(crate) struct PageFlags {
    /// Show the training in the browser, and let it be paused and steered from there.
    #[arg(long)]
    pub(crate) dashboard: bool,
    /// Address and port to listen on, instead of this machine only.
    #[arg(long, value_name = "ADDRESS:PORT", requires = "dashboard")]
    pub(crate) listen: Option<SocketAddr>,
    /// Whether the training waits for the first look, and takes its time from then on.
    #[arg(skip)]
    pub(crate) is_show: bool,
    /// Whether the browser opens the page.
    #[arg(skip)]
    pub(crate) opens_browser: bool,
}

/// Output of a training.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct TrainingOutputFlags {
    /// One JSON object on standard output when done.
    #[arg(long)]
    pub(crate) json: bool,
    /// One JSON object per event on standard output, as it happens.
    #[arg(long, conflicts_with = "json")]
    pub(crate) jsonl: bool,
    /// Nothing but the result and errors.
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

impl TrainingOutputFlags {
    /// Returns the screen for messages to people.
    pub(crate) fn screen(&self) -> Screen {
        Screen::new(self.quiet).for_programs(self.json || self.jsonl)
    }
}

/// Output of a command with one result.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputFlags {
    /// One JSON object on standard output.
    #[arg(long)]
    pub(crate) json: bool,
    /// Nothing but the answer and errors.
    #[arg(short, long)]
    pub(crate) quiet: bool,
}
