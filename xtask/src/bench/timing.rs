//! One timing: runs a contender's process and reads the line of JSON that it prints.

use std::{
    io::Read,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, de::DeserializeOwned};

use super::setup;

/// Interval between two readings of a contender's memory; a reading costs a few microseconds.
const POLL_INTERVAL: Duration = Duration::from_millis(100);
/// Time limit of a contender: compiling or a step may take minutes, not hours.
const TIME_LIMIT: Duration = Duration::from_secs(600);

/// A contender's own measurement.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
pub(crate) struct Measured {
    /// Samples per second at the median time of a step.
    pub(crate) samples_per_second: f64,
    /// The median time of a step.
    pub(crate) ms_per_step: f64,
    /// Number of steps in the window.
    pub(crate) steps: usize,
    /// Loss of the last step.
    pub(crate) loss: f64,
}

/// Runs a command to its end. Returns the object that it printed, and its peak resident memory in
/// MiB where the system provides it.
///
/// # Errors
/// When the command cannot be started, fails, takes too long, or prints no valid JSON.
pub(crate) fn run<T: DeserializeOwned>(
    root: &Path,
    command: &mut Command,
) -> Result<(T, Option<f64>)> {
    let errors = root.join(setup::OUTPUT).join("errors.txt");
    let name = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(fs_err::File::create(&errors)?.into_parts().0)
        .spawn()
        .with_context(|| format!("cannot start `{name}`"))?;
    let (good, memory) = wait(&mut child)?;
    let mut output = String::new();
    child.stdout.take().context("a process without output")?.read_to_string(&mut output)?;
    if !good {
        let errors = fs_err::read_to_string(errors)?;
        bail!("{}", reason(&errors).unwrap_or("it printed no reason"));
    }
    let line = last_line(&output).with_context(|| format!("`{name}` printed nothing"))?;
    let value = serde_json::from_str(line).with_context(|| format!("`{name}` printed `{line}`"))?;
    Ok((value, memory))
}

/// Waits for the end. Returns true if the process succeeded, and its peak memory.
fn wait(child: &mut Child) -> Result<(bool, Option<f64>)> {
    let status_file = format!("/proc/{}/status", child.id());
    let begin = Instant::now();
    let mut memory = None;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok((status.success(), memory));
        }
        // The system keeps the peak, so the last reading before the end is nearly exact.
        memory = fs_err::read_to_string(&status_file).ok().and_then(|s| peak_of(&s)).or(memory);
        if begin.elapsed() > TIME_LIMIT {
            child.kill()?;
            child.wait()?;
            bail!("took longer than {} s", TIME_LIMIT.as_secs());
        }
        thread::sleep(POLL_INTERVAL);
    }
}

/// The peak resident memory from `/proc/N/status`, in MiB.
fn peak_of(status: &str) -> Option<f64> {
    let value = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = value.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / 1024.0)
}

/// The reason in error output: the first `error:` line of Rust and Cargo, the last line of Python.
fn reason(errors: &str) -> Option<&str> {
    let named = errors.lines().find_map(|line| line.strip_prefix("error: "));
    named.or_else(|| last_line(errors))
}

fn last_line(text: &str) -> Option<&str> {
    text.lines().rev().find(|line| !line.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peak_memory_is_read_from_the_status_file() {
        assert_eq!(peak_of("Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t 4 kB\n"), Some(2.0));
        assert_eq!(peak_of("Name:\tzombie\n"), None);
    }

    #[test]
    fn the_output_of_klubok_bench_is_parsed() {
        let line = r#"{"samples_per_second":2.5,"ms_per_step":400.0,"gflops":1.0,"steps":3,"threads":1,"loss":0.5}"#;
        let expected =
            Measured { samples_per_second: 2.5, ms_per_step: 400.0, steps: 3, loss: 0.5 };
        assert_eq!(serde_json::from_str::<Measured>(line).unwrap(), expected);
    }

    #[test]
    fn the_last_line_is_the_last_that_is_not_blank() {
        assert_eq!(last_line("a\nb\n\n"), Some("b"));
        assert_eq!(last_line("\n"), None);
    }

    #[test]
    fn reasons_are_found_in_rust_and_python_errors() {
        assert_eq!(reason("error: no bf16\nhint: use f32\n"), Some("no bf16"));
        assert_eq!(reason("Traceback:\n  x\nValueError: no\n"), Some("ValueError: no"));
    }
}
