//! `cargo xtask bench diagnosis`: measures how well klubok recognises phases, on recorded histories
//! with known truth, and planted faults.

use std::path::Path;

use anyhow::Result;
use clap::Args;

use super::setup;
use crate::process::{cargo, succeeds};

/// Folder for data and runs of the planted faults, from the project's root.
const FOLDER: &str = "target/bench/faults";

/// Flags of `xtask bench diagnosis`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Only the recorded histories
    #[arg(long, conflicts_with = "faults_only")]
    histories_only: bool,
    /// Only the planted faults
    #[arg(long)]
    faults_only: bool,
    /// Flags of the planted faults, such as `-- --only dead_units --verbose`; `-- --help` has all
    #[arg(last = true)]
    further: Vec<String>,
}

/// Evaluates the histories in `crates/klubok/tests/histories` and prints a line for each and the
/// shares; then trains with planted faults, and prints how many klubok found.
///
/// # Errors
/// When Cargo cannot be started, or klubok cannot be built.
pub(crate) fn run(root: &Path, arguments: &Arguments) -> Result<bool> {
    let mut good = true;
    if !arguments.faults_only {
        let mut command = cargo(root);
        command.args(["test", "--quiet", "--package", "klubok", "--test", "it", "histories"]);
        good &= succeeds(command.args(["--", "--nocapture"]))?;
    }
    if !arguments.histories_only {
        setup::run(root, &[])?;
        let mut command = cargo(root);
        command.args(["run", "--quiet", "--release", "--package", "klubok-faults", "--"]);
        command.arg("--klubok").arg(setup::klubok(root)).arg("--folder").arg(root.join(FOLDER));
        good &= succeeds(command.args(&arguments.further))?;
    }
    Ok(good)
}
