//! `cargo xtask bench diagnosis`: how well phases are told, on recorded histories with known truth,
//! and how well faults are, that were planted.

use std::path::Path;

use anyhow::Result;
use clap::Args;

use super::setup;
use crate::process::{cargo, succeeds};

/// Where data and runs of the planted faults go, from the root of the project.
const FOLDER: &str = "target/bench/faults";

/// Which trainings.
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
    more: Vec<String>,
}

/// Judges the histories in `crates/klubok/tests/histories` and prints a line for each and the
/// shares; then trains with planted faults, and prints how many were found.
///
/// # Errors
/// When Cargo cannot be started, klubok cannot be built, or a training fails.
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
        good &= succeeds(command.args(&arguments.more))?;
    }
    Ok(good)
}
