//! `cargo xtask bench diagnosis`: how well phases are told, on recorded histories with known truth.

use std::path::Path;

use anyhow::Result;

use crate::process::{cargo, succeeds};

/// Judges the histories in `crates/klubok/tests/histories` and prints a line for each and the shares.
///
/// # Errors
/// When Cargo cannot be started.
pub(crate) fn run(root: &Path) -> Result<bool> {
    let mut command = cargo(root);
    command.args(["test", "--quiet", "--package", "klubok", "--test", "it", "histories"]);
    succeeds(command.args(["--", "--nocapture"]))
}
