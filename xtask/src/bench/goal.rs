//! Times commands from their start to a test accuracy on MNIST, with everything from reading the
//! files to the test.
//!
//! First finds the fewest epochs of the same recipe with which each contender reaches the goal.
//! Then times whole commands, by turns.

use std::{
    fmt::Write,
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::{
    contender::{Contender, environment},
    probe::Probe,
    result::{median, ratio, spread},
    setup,
};
use crate::process::command;

/// Test accuracy to reach.
const GOAL: f64 = 0.98;
/// Epochs tried at most.
const MAX_EPOCHS: usize = 20;
/// The recipe of `mnist_peer.py`; its schedule is klubok's default. The scripts train on all 60,000
/// pictures without validation; klubok splits off a fiftieth and validates after every epoch.
const RECIPE: &str = "--preset plain --hidden 512,512 --batch-size 128 --optimizer adam --lr 0.001 \
                      --set data.val_fraction=0.02";

#[derive(Deserialize)]
struct Reached {
    accuracy: f64,
}

/// A contender that reached the goal: the epochs it needs, and the seconds of each round.
struct Runner<'a> {
    contender: &'a Contender,
    epochs: usize,
    accuracy: f64,
    seconds: Vec<f64>,
    noisy: usize,
}

/// Finds the epochs, times the rounds, and returns the table.
///
/// # Errors
/// When a timed command fails. A contender that does not reach the goal is left out and listed
/// under the table.
pub(crate) fn compare(
    root: &Path,
    data: &Path,
    contenders: &[Contender],
    rounds: usize,
    threads: usize,
    probe: &mut Probe,
) -> Result<String> {
    let setting = Setting { root, data, threads };
    let (mut runners, mut left_out) = (Vec::new(), String::new());
    for contender in contenders {
        match setting.epochs_needed(contender) {
            Ok((epochs, accuracy)) => {
                println!("  {}: {epochs} epochs, {accuracy:.4}", contender.name);
                let seconds = Vec::new();
                runners.push(Runner { contender, epochs, accuracy, seconds, noisy: 0 });
            }
            Err(error) => {
                let _ = writeln!(left_out, "Left out: {}: {error:#}.", contender.name);
            }
        }
    }
    for round in 0..rounds {
        for runner in &mut runners {
            let timed = probe.guard(|| {
                let begin = Instant::now();
                setting.run(runner.contender, runner.epochs)?;
                Ok(begin.elapsed().as_secs_f64())
            })?;
            println!("  round {}: {:<22} {:.2} s", round + 1, runner.contender.name, timed.value);
            runner.seconds.push(timed.value);
            runner.noisy += usize::from(timed.noisy);
        }
    }
    Ok(table(&runners) + &left_out)
}

fn table(runners: &[Runner<'_>]) -> String {
    let peers = runners.iter().filter(|runner| runner.contender.peer.is_some());
    let best = peers.min_by(|a, b| median(&a.seconds).total_cmp(&median(&b.seconds)));
    let mut text = format!(
        "## MNIST to {:.0} % of the test part, 784-512-512-10\n\n\
         | contender | s | spread | / best peer | epochs | test accuracy |\n\
         | --- | ---: | ---: | ---: | ---: | ---: |\n",
        100.0 * GOAL
    );
    for Runner { contender, epochs, accuracy, seconds, noisy } in runners {
        let (fastest, slowest) = spread(seconds);
        let against = best.map_or("-".to_owned(), |b| format!("{:.2}", ratio(seconds, &b.seconds)));
        let mark = if *noisy > 0 { " *" } else { "" };
        let _ = writeln!(
            text,
            "| {}{mark} | {:.2} | {fastest:.2}..{slowest:.2} | {against} | {epochs} | {accuracy:.4} |",
            contender.name,
            median(seconds),
        );
    }
    text + "\n"
}

struct Setting<'a> {
    root: &'a Path,
    data: &'a Path,
    threads: usize,
}

impl Setting<'_> {
    /// The fewest epochs that reach the goal, and the accuracy after them.
    fn epochs_needed(&self, contender: &Contender) -> Result<(usize, f64)> {
        for epochs in 1..=MAX_EPOCHS {
            let accuracy = self.run(contender, epochs)?;
            if accuracy >= GOAL {
                return Ok((epochs, accuracy));
            }
        }
        bail!("{MAX_EPOCHS} epochs did not reach the goal")
    }

    /// Trains and tests; returns the accuracy.
    fn run(&self, contender: &Contender, epochs: usize) -> Result<f64> {
        let Self { root, data, threads } = *self;
        let (epochs, threads_text) = (epochs.to_string(), threads.to_string());
        let Some((library, mode)) = contender.peer else {
            return self.run_klubok(contender, &epochs, &threads_text);
        };
        if library.is_rust() {
            bail!("it has no MNIST script");
        }
        let mut peer = command(root, setup::python(root));
        peer.arg(root.join(setup::FOLDER).join("mnist_peer.py")).arg("--data").arg(data);
        peer.args(["--mode", mode, "--epochs", &epochs, "--threads", &threads_text]);
        environment(&mut peer, root, threads);
        accuracy(&mut peer)
    }

    fn run_klubok(&self, contender: &Contender, epochs: &str, threads: &str) -> Result<f64> {
        let folder = self.root.join(setup::OUTPUT).join("mnist-run");
        if folder.exists() {
            fs_err::remove_dir_all(&folder)?;
        }
        let mut train = command(self.root, setup::klubok(self.root));
        train.arg("train").arg(self.data).arg("-o").arg(&folder).args(RECIPE.split_whitespace());
        train.args(["--precision", contender.precision.name(), "--epochs", epochs]);
        train.args(["--threads", threads, "--quiet"]);
        let mut test = command(self.root, setup::klubok(self.root));
        test.arg("eval").arg(&folder).arg(self.data);
        test.args(["--split", "test", "--json", "--threads", threads]);
        if !train.stdout(Stdio::null()).stderr(Stdio::null()).status()?.success() {
            bail!("`klubok train` failed");
        }
        accuracy(&mut test)
    }
}

/// Runs a command and returns the accuracy that it prints.
fn accuracy(command: &mut Command) -> Result<f64> {
    let output = command.stderr(Stdio::null()).output()?;
    if !output.status.success() {
        bail!("it failed");
    }
    let reached: Reached =
        serde_json::from_slice(&output.stdout).context("it printed no accuracy")?;
    Ok(reached.accuracy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        bench::contender::{Task, all},
        bench::floor::Precision,
        bench::library::Library,
    };

    #[test]
    fn times_are_divided_by_those_of_the_fastest_peer() {
        let contenders = all(Task::Train, &[Precision::F32], &[Library::Jax, Library::Sklearn]);
        let seconds = [[2.0, 4.0], [8.0, 8.0], [30.0, 20.0]];
        let runners: Vec<_> = contenders
            .iter()
            .zip(seconds)
            .map(|(contender, seconds)| Runner {
                contender,
                epochs: 5,
                accuracy: 0.981,
                seconds: seconds.to_vec(),
                noisy: usize::from(seconds[0] == 8.0),
            })
            .collect();
        let text = table(&runners);
        assert!(text.contains("| klubok f32 | 3.00 | 2.00..4.00 | 0.38 | 5 | 0.9810 |"), "{text}");
        assert!(text.contains("| JAX f32 * | 8.00 | 8.00..8.00 | 1.00 |"), "{text}");
    }
}
