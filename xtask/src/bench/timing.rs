//! One timing: a contender's process, from its start to the line of JSON that it prints.

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

/// How often the memory of a contender is looked at; a look costs some microseconds.
const LOOK: Duration = Duration::from_millis(100);
/// When to give up: compiling or one step may take minutes, not hours.
const PATIENCE: Duration = Duration::from_secs(600);

/// What a contender says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
pub(crate) struct Measured {
    /// At the median time of a step.
    pub(crate) samples_per_second: f64,
    /// The median time of a step.
    pub(crate) ms_per_step: f64,
    /// Steps of the window.
    pub(crate) steps: usize,
    /// Loss of the last step.
    pub(crate) loss: f64,
}

/// Runs a command to its end; returns what it said, and its largest resident memory in MiB where
/// the system tells.
///
/// # Errors
/// When it cannot be started, fails, takes too long, or says nothing that can be read.
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
    let mut said = String::new();
    child.stdout.take().context("a process without output")?.read_to_string(&mut said)?;
    if !good {
        let why = fs_err::read_to_string(errors)?;
        bail!("{}", reason(&why).unwrap_or("it said nothing"));
    }
    let line = last_line(&said).with_context(|| format!("`{name}` printed nothing"))?;
    let said = serde_json::from_str(line).with_context(|| format!("`{name}` printed `{line}`"))?;
    Ok((said, memory))
}

/// Waits for the end; true when it ended well, and the largest memory seen.
fn wait(child: &mut Child) -> Result<(bool, Option<f64>)> {
    let status_file = format!("/proc/{}/status", child.id());
    let begun = Instant::now();
    let mut memory = None;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok((status.success(), memory));
        }
        // The system keeps the largest value, so the last look before the end sees nearly all.
        memory = fs_err::read_to_string(&status_file).ok().and_then(|s| peak_of(&s)).or(memory);
        if begun.elapsed() > PATIENCE {
            child.kill()?;
            child.wait()?;
            bail!("took longer than {} s", PATIENCE.as_secs());
        }
        thread::sleep(LOOK);
    }
}

/// The peak of resident memory in `/proc/N/status`, in MiB.
fn peak_of(status: &str) -> Option<f64> {
    let value = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = value.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / 1024.0)
}

/// The line that says why: in Rust and Cargo it begins so, in Python it is the last.
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
    fn peak_memory_is_read() {
        assert_eq!(peak_of("Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t 4 kB\n"), Some(2.0));
        assert_eq!(peak_of("Name:\tzombie\n"), None);
    }

    #[test]
    fn what_klubok_prints_is_understood() {
        let line = r#"{"samples_per_second":2.5,"ms_per_step":400.0,"gflops":1.0,"steps":3,"threads":1,"loss":0.5}"#;
        let expected =
            Measured { samples_per_second: 2.5, ms_per_step: 400.0, steps: 3, loss: 0.5 };
        assert_eq!(serde_json::from_str::<Measured>(line).unwrap(), expected);
    }

    #[test]
    fn the_last_line_is_the_last_with_words() {
        assert_eq!(last_line("a\nb\n\n"), Some("b"));
        assert_eq!(last_line("\n"), None);
    }

    #[test]
    fn a_reason_is_one_line() {
        assert_eq!(reason("error: no bf16\nhint: use f32\n"), Some("no bf16"));
        assert_eq!(reason("Traceback:\n  x\nValueError: no\n"), Some("ValueError: no"));
    }
}
