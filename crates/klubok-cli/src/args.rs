//! The command line: commands, arguments and flags, with examples for each command.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::{
    flags::{
        ColumnFlags, ComputeFlags, OutputFlags, PageFlags, PartFlags, SettingFlags,
        TrainingOutputFlags,
    },
    value_parsers::{Language, assignment, positive, seconds},
};

/// Train multilayer perceptrons from a folder of pictures, and see how they learn.
#[derive(Debug, Parser)]
#[command(name = "klubok", version, after_help = EXAMPLES)]
#[command(args_override_self = true, disable_help_subcommand = true)]
pub(crate) struct Cli {
    /// Language of messages: en or ru (else `KLUBOK_LANG`, the locale, English).
    #[arg(long, global = true, value_enum, value_name = "LANG", display_order = 100)]
    lang: Option<Language>,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

const EXAMPLES: &str = "Examples:
  klubok demo
  klubok train pets/                    (pets/cat/*.jpg, pets/dog/*.jpg)
  klubok predict latest picture.jpg
  klubok eval latest pets/

Exit codes: 0 done, 1 failed, 2 wrong use, 130 interrupted.";

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Train on built-in drawn pictures and show what was learnt, in under a minute.
    #[command(after_help = "Examples:
  klubok demo
  klubok demo -o my-demo --json")]
    Demo(Demo),
    /// Train a network on your data.
    #[command(after_help = "Examples:
  klubok train pets/
  klubok train pets/ -o runs/wide --hidden 2048,512 --epochs 60 --set augment.flip=false
  klubok train mnist/ --preset article --lr 0.01
  klubok train pets/ --vary train.optimizer=sgd,rmsprop,adam
  klubok train pets/ --vary train.learning_rate=0.001,0.01,1 --dashboard
  klubok train pets/ --vary model.dropout=0,0.3 --vary model.hidden=[512],[512,256]
  klubok train houses.csv --target price
  klubok train pets/ --dashboard

DATA is a folder with one folder of pictures per class, with or without train/ val/ test/ above them, a
folder of IDX files, a table of numbers (.csv or .tsv, with a header), or demo:NAME. Without a validation
part, a fifth of the data is split off for it. Every setting, its default and its meaning: klubok config --defaults")]
    Train(Train),
    /// Continue an interrupted run exactly where it stopped, or an ended one for more epochs.
    #[command(after_help = "Examples:
  klubok resume runs/pets-001
  klubok resume latest --epochs 60      (60 in all)
  klubok resume latest --epochs 60 --lr 0.0003
  klubok resume runs/pets-001 --data moved/pets/

With --epochs, a schedule that has ended stays at its last learning rate, which after a cosine is close
to zero, unless --lr sets another one. The extension is recorded in the run.")]
    Resume(Resume),
    /// How good a model is on data with known targets: accuracy, loss, confusions and calibration,
    /// figures by label, or errors of numbers.
    #[command(after_help = "Examples:
  klubok eval latest pets/
  klubok eval runs/pets-001 new-pets/ --split all --json
  klubok eval runs/pets-001/model.safetensors pets/")]
    Eval(Eval),
    /// Class and confidences of pictures, or predictions for the rows of a table.
    #[command(after_help = "Examples:
  klubok predict latest cat.jpg dog.png
  klubok predict latest new-houses.csv -o prices.csv
  klubok predict runs/pets-001 holidays/ -o holidays.csv
  klubok predict latest 'holidays/**/*.jpg' --json")]
    Predict(Predict),
    /// Before training: data, labels, the first loss, one batch, gradients, baselines, learning
    /// rate.
    #[command(alias = "doctor")]
    #[command(after_help = "Examples:
  klubok check pets/
  klubok check pets/ -c my.toml --fail-on warning
  klubok check mnist/ --hidden 512,256 --optimizer sgd --json

Takes the settings of `klubok train` and trains copies that are thrown away: about a minute for 20,000
pictures, seconds for small data. Writes no file. A cross or an exclamation mark shows what is wrong, and
the end says what to try. With --fail-on the exit code is 1 when a verdict is at least that severe.")]
    Check(Check),
    /// How a training went: its phases, what is wrong, what to try.
    #[command(after_help = "Examples:
  klubok diagnose latest
  klubok diagnose history.csv --json
  klubok diagnose lightning_logs/version_0 --fail-on warning
  python train.py | klubok diagnose -

PATH is a run, a file with one row per epoch (CSV, JSON) or a folder with the files of one training
(Lightning, Keras, fastai, Hugging Face, TensorBoard): train_loss, val_loss and, where known, epoch,
step, train_accuracy, val_accuracy, grad_norm, lr, by the names that these programs give them. A column
such as phase may name the part of each row (train, val), and then there is one loss. NA, null, None, a
dash or nothing is a missing value; nan is a value that training arrived at.")]
    Diagnose(Diagnose),
    /// Show a run in the browser: its curves, phases, verdicts, and what the network has learnt.
    #[command(alias = "watch")]
    #[command(after_help = "Examples:
  klubok dashboard
  klubok dashboard runs/pets-001
  klubok train pets/ --dashboard        (while it trains; from there it can be paused and steered)

RUN is a run or a folder of runs, whose latest one is shown; without it, the latest of runs/. If another
process trains and serves the run, its address is printed; else the page follows the run's files and
writes nothing. The page listens on this machine only, unless --listen says otherwise.")]
    Dashboard(Dashboard),
    /// A run as one HTML file that opens without a server; several runs are compared.
    #[command(after_help = "Examples:
  klubok report latest
  klubok report runs/pets-001 -o pets.html
  klubok report runs/pets-001 runs/pets-002 -o compared.html

Without -o it goes to report.html in the folder of the first run.")]
    Report(Report),
    /// Write a model for programs without klubok.
    #[command(after_help = "Examples:
  klubok export latest --c pets.c
  klubok export runs/pets-001/model.safetensors --rust src/pets.rs
  klubok export latest --c pets.c --weights int8
  klubok export latest --onnx pets.onnx

--c writes one C99 file, --rust one module of Rust for `no_std`: the weights, the preprocessing, and a
function that predicts a row as it is stored, without allocation and dependencies. The file holds a few
samples with klubok's predictions and tests itself. The names of a C file begin with the name of the file.

--onnx writes a graph that computes the whole prediction, for ONNX Runtime, rten, tract and others. Pictures
go in as libraries load them: bytes, [batch, height, width, channels]; with --input numbers as rows of
numbers, like tables. Out come the number of the class and the confidences, or the predicted numbers. The
names of the classes, how to resize, and how far to trust the model are in the metadata of the file.

--weights int8 makes a file a third as long and a program a quarter as large, and says what that costs: on
the validation part of the run, or on --data.")]
    Export(Export),
    /// List the runs of a folder: size, data, result, state; or remove some of them.
    #[command(after_help = "Examples:
  klubok runs
  klubok runs experiments/ --json
  klubok runs --remove runs/pets-001 runs/pets-002
  klubok runs --remove-checkpoint runs/pets-003

Removal asks no questions and cannot be undone. A checkpoint is most of a run's size and is needed only
by `klubok resume`: without it an ended run cannot go on for more epochs, and everything else works. A
folder that is not a run, a run in training, and a run with files of your own are never removed.")]
    Runs(Runs),
    /// How fast a training step runs on this machine.
    #[command(after_help = "Examples:
  klubok bench --layers 4096-1024-512-256-2 --batch-size 128
  klubok bench --layers 784-512-256-10 --batch-size 256 --threads 1 --json
  klubok bench --layers 784-512-256-10 --batch 1 --infer

All steps of a window of at least --seconds are timed; the median step counts. FLOPs of a step are
6 x weights x batch, less 2 x weights of the first layer x batch, whose input needs no gradient.")]
    Bench(Bench),
    /// The settings that a run would use, or every setting with its default, meaning and source.
    #[command(after_help = "Examples:
  klubok config --defaults
  klubok config --preset article
  klubok config -c my.toml --lr 0.01 > resolved.toml")]
    Config(Config),
    /// Completions of commands, flags and their values for a shell.
    #[command(after_help = "Examples:
  klubok completions bash > ~/.local/share/bash-completion/completions/klubok
  klubok completions zsh > ~/.zfunc/_klubok
  klubok completions fish > ~/.config/fish/completions/klubok.fish

For zsh, ~/.zshrc needs: fpath+=~/.zfunc; autoload -Uz compinit; compinit")]
    Completions(Completions),
    /// This manual as a man page.
    #[command(after_help = "Examples:
  klubok man | man -l -
  klubok man > ~/.local/share/man/man1/klubok.1")]
    Man,
}

/// `klubok demo`.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Folder of the run; without it runs/demo-001, counting up.
    #[arg(short, long, value_name = "RUN")]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) settings: SettingFlags,
    #[command(flatten)]
    pub(crate) page: PageFlags,
    /// Do not open the browser.
    #[arg(long)]
    pub(crate) no_browser: bool,
    #[command(flatten)]
    pub(crate) flags: TrainingOutputFlags,
}

/// `klubok train`.
#[derive(Debug, Args)]
pub(crate) struct Train {
    /// Folder of class folders, folder of IDX files, a table (.csv, .tsv), or demo:NAME.
    #[arg(value_name = "DATA", required_unless_present = "replay")]
    pub(crate) data: Option<String>,
    /// Folder of the run; without it runs/NAME-001, counting up.
    #[arg(short, long, value_name = "RUN")]
    pub(crate) output: Option<PathBuf>,
    /// Repeat a run: its data, its settings, and what people did to it on the page.
    #[arg(long, value_name = "RUN", conflicts_with_all = ["vary", "data"])]
    pub(crate) replay: Option<String>,
    /// One run per value, compared at the end. Given more than once, one run per combination.
    #[arg(long, value_name = "KEY=A,B,C", value_parser = assignment)]
    pub(crate) vary: Vec<(String, String)>,
    #[command(flatten)]
    pub(crate) settings: SettingFlags,
    #[command(flatten)]
    pub(crate) parts: PartFlags,
    #[command(flatten)]
    pub(crate) page: PageFlags,
    #[command(flatten)]
    pub(crate) flags: TrainingOutputFlags,
}

/// `klubok resume`.
#[derive(Debug, Args)]
pub(crate) struct Resume {
    /// Folder of the run, or `latest`.
    #[arg(value_name = "RUN")]
    pub(crate) run: String,
    /// Epochs in all: go on longer, also when the run has ended.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) epochs: Option<String>,
    /// Learning rate from here on.
    #[arg(long, value_name = "RATE", requires = "epochs", allow_negative_numbers = true)]
    pub(crate) lr: Option<String>,
    /// Where its data lies now; it must be the same data.
    #[arg(long, value_name = "DATA")]
    pub(crate) data: Option<String>,
    /// The same for a validation part that lies elsewhere.
    #[arg(long, value_name = "PATH")]
    pub(crate) val: Option<PathBuf>,
    /// The same for a test part that lies elsewhere.
    #[arg(long, value_name = "PATH")]
    pub(crate) test: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) page: PageFlags,
    #[command(flatten)]
    pub(crate) flags: TrainingOutputFlags,
}

/// `klubok eval`.
#[derive(Debug, Args)]
pub(crate) struct Eval {
    /// Folder of a run, `latest`, or a model file.
    #[arg(value_name = "RUN|MODEL")]
    pub(crate) model: String,
    /// Data with known targets, as for `train`.
    #[arg(value_name = "DATA")]
    pub(crate) data: String,
    /// Part of DATA [default: test if DATA has one, else all].
    #[arg(long, value_enum, value_name = "PART")]
    pub(crate) split: Option<Split>,
    /// An unreadable picture is an error.
    #[arg(long)]
    pub(crate) strict: bool,
    #[command(flatten)]
    pub(crate) columns: ColumnFlags,
    #[command(flatten)]
    pub(crate) compute: ComputeFlags,
    #[command(flatten)]
    pub(crate) flags: OutputFlags,
}

/// A part of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Split {
    /// What training uses.
    Train,
    /// What chooses the best epoch.
    Val,
    /// What training never reads.
    Test,
    /// Everything.
    All,
}

/// `klubok predict`.
#[derive(Debug, Args)]
pub(crate) struct Predict {
    /// Folder of a run, `latest`, or a model file.
    #[arg(value_name = "RUN|MODEL")]
    pub(crate) model: String,
    /// Pictures, folders (with all below them) or patterns; for a model of columns, tables.
    #[arg(value_name = "INPUT", required = true)]
    pub(crate) inputs: Vec<PathBuf>,
    /// Write a table instead: .csv or .json.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) compute: ComputeFlags,
    #[command(flatten)]
    pub(crate) flags: OutputFlags,
}

/// `klubok check`.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// Folder of class folders, folder of IDX files, a table (.csv, .tsv), or demo:NAME.
    #[arg(value_name = "DATA")]
    pub(crate) data: String,
    /// Exit with 1 when a verdict is at least this severe.
    #[arg(long, value_enum, value_name = "SEVERITY")]
    pub(crate) fail_on: Option<Level>,
    #[command(flatten)]
    pub(crate) settings: SettingFlags,
    #[command(flatten)]
    pub(crate) parts: PartFlags,
    #[command(flatten)]
    pub(crate) flags: OutputFlags,
}

/// `klubok diagnose`.
#[derive(Debug, Args)]
pub(crate) struct Diagnose {
    /// A run, a history, or `-` for standard input.
    #[arg(value_name = "PATH")]
    pub(crate) path: String,
    /// Number of validation samples, if the history does not tell.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) val_samples: Option<u64>,
    /// Exit with 1 when a verdict is at least this severe.
    #[arg(long, value_enum, value_name = "SEVERITY")]
    pub(crate) fail_on: Option<Level>,
    /// One JSON object on standard output.
    #[arg(long)]
    pub(crate) json: bool,
}

/// `klubok dashboard`.
#[derive(Debug, Args)]
pub(crate) struct Dashboard {
    /// A run, or a folder of runs.
    #[arg(value_name = "RUN|FOLDER")]
    pub(crate) run: Option<String>,
    /// Address and port to listen on.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) listen: Option<SocketAddr>,
    /// Nothing but the address and errors.
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

/// `klubok report`.
#[derive(Debug, Args)]
pub(crate) struct Report {
    /// Runs, or `latest`; the first one is shown in full.
    #[arg(value_name = "RUN", required = true)]
    pub(crate) runs: Vec<String>,
    /// The file.
    #[arg(short, long, value_name = "FILE.html")]
    pub(crate) output: Option<PathBuf>,
    /// Nothing but the path and errors.
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

/// `klubok export`.
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// A run, `latest`, or the file of a model.
    #[arg(value_name = "RUN|MODEL")]
    pub(crate) model: String,
    /// The file to write.
    #[command(flatten)]
    pub(crate) format: ExportFormat,
    /// How the weights are stored.
    #[arg(long, value_enum, default_value = "f32")]
    pub(crate) weights: WeightFormat,
    /// The input of an ONNX file [default: bytes for pictures, numbers for tables].
    #[arg(long, value_enum, conflicts_with_all = ["c", "rust"])]
    pub(crate) input: Option<InputForm>,
    /// One more output of an ONNX file, `label`: the class by name, which not every runtime reads.
    #[arg(long, conflicts_with_all = ["c", "rust"])]
    pub(crate) label: bool,
    /// Data with known targets, by which int8 is compared with f32.
    #[arg(long, value_name = "DATA")]
    pub(crate) data: Option<String>,
    /// Nothing but the path and errors.
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

/// The format of an exported model.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct ExportFormat {
    /// One C99 file.
    #[arg(long, value_name = "FILE.c")]
    pub(crate) c: Option<PathBuf>,
    /// One module of Rust.
    #[arg(long, value_name = "FILE.rs")]
    pub(crate) rust: Option<PathBuf>,
    /// One ONNX file.
    #[arg(long, value_name = "FILE.onnx")]
    pub(crate) onnx: Option<PathBuf>,
}

/// The input of an ONNX file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum InputForm {
    /// Pixels, [batch, height, width, channels].
    Bytes,
    /// Rows as they are stored, [batch, inputs].
    Numbers,
}

/// How an exported file stores weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum WeightFormat {
    /// As they are.
    F32,
    /// In 8 bits, with a scale for each unit.
    Int8,
}

/// `klubok runs`.
#[derive(Debug, Args)]
pub(crate) struct Runs {
    /// The folder.
    #[arg(value_name = "FOLDER", default_value = crate::run_lookup::RUNS_FOLDER)]
    pub(crate) folder: PathBuf,
    /// Remove these runs.
    #[arg(long, value_name = "RUN", num_args = 1.., conflicts_with = "folder")]
    pub(crate) remove: Vec<PathBuf>,
    /// Remove only the checkpoints of these runs.
    #[arg(long, value_name = "RUN", num_args = 1.., conflicts_with_all = ["folder", "remove"])]
    pub(crate) remove_checkpoint: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) flags: OutputFlags,
}

/// Lowest severity at which `--fail-on` fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Level {
    /// The result suffers.
    Warning,
    /// The result is of no use.
    Error,
}

/// `klubok bench`.
#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// Units of each layer, the input first.
    #[arg(long, value_name = "N-N-...", default_value = "4096-1024-512-256-2")]
    pub(crate) layers: String,
    /// Samples of a step.
    #[arg(long, alias = "batch", value_name = "N", default_value_t = 128)]
    #[arg(value_parser = positive)]
    pub(crate) batch_size: usize,
    /// Predict batches instead of training on them.
    #[arg(long)]
    pub(crate) infer: bool,
    /// Square pictures of bytes in random order, normalised and in training mirrored and shifted,
    /// instead of numbers in order.
    #[arg(long)]
    pub(crate) pictures: bool,
    /// Shortest time to measure.
    #[arg(long, value_name = "S", default_value_t = 3.0, value_parser = seconds)]
    pub(crate) seconds: f64,
    /// Cost of observing a training: so many pairs of windows of --seconds, observed and not.
    #[arg(long, value_name = "PAIRS", hide = true, conflicts_with = "infer", value_parser = positive)]
    pub(crate) observing: Option<usize>,
    /// Steps of an epoch of that training.
    #[arg(long, value_name = "N", hide = true, default_value_t = 256, value_parser = positive)]
    pub(crate) epoch_steps: usize,
    /// sgd, rmsprop, adam or adamw.
    #[arg(long, value_name = "NAME", default_value = "adam")]
    pub(crate) optimizer: String,
    /// Precision of the products: f32, bf16 or auto.
    #[arg(long, value_name = "NAME", default_value = "f32")]
    pub(crate) precision: String,
    /// Instructions: amx, avx512bf16, avx512, avx2, portable or auto.
    #[arg(long, value_name = "NAME", default_value = "auto")]
    pub(crate) kernel: String,
    #[command(flatten)]
    pub(crate) compute: ComputeFlags,
    #[command(flatten)]
    pub(crate) flags: OutputFlags,
}

/// `klubok config`.
#[derive(Debug, Args)]
pub(crate) struct Config {
    /// Every key with its default, meaning and source.
    #[arg(long)]
    pub(crate) defaults: bool,
    #[command(flatten)]
    pub(crate) settings: SettingFlags,
}

/// `klubok completions`.
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell.
    #[arg(value_enum, value_name = "SHELL")]
    pub(crate) shell: clap_complete::Shell,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn clap_accepts_the_definition() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_has_an_example() {
        for command in Cli::command().get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let name = command.get_name();
            assert!(help.contains(&format!("klubok {name}")), "no example for `{name}`");
        }
    }

    #[test]
    fn flags_become_settings() {
        let cli = Cli::parse_from([
            "klubok", "train", "x", "--set", "a.b=1", "--set", "c.d=2", "--lr", "5", "--lr", "-1",
            "--hidden", "64,32", "--seed", "-3",
        ]);
        let Some(Command::Train(train)) = cli.command else { panic!("not a train") };
        let pairs: Vec<String> =
            train.settings.assignments().iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(
            pairs,
            ["a.b=1", "c.d=2", "train.learning_rate=-1", "model.hidden=64,32", "train.seed=-3"]
        );
    }
}
