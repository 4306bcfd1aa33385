//! `cargo xtask bench diagnosis`: how well phases are told, on recorded histories with known truth,
//! and how well faults are, that were planted.

use std::path::Path;

use anyhow::Result;

use super::{
    faults::{self, Arguments},
    setup,
};
use crate::process::{cargo, succeeds};

/// Judges the histories in `crates/klubok/tests/histories` and prints a line for each and the
/// shares; then trains with planted faults, and prints how many were found.
///
/// # Errors
/// When Cargo cannot be started, klubok cannot be built, or a training fails.
pub(crate) fn run(root: &Path, arguments: &Arguments) -> Result<bool> {
    let mut good = true;
    if arguments.histories() {
        let mut command = cargo(root);
        command.args(["test", "--quiet", "--package", "klubok", "--test", "it", "histories"]);
        good &= succeeds(command.args(["--", "--nocapture"]))?;
    }
    if arguments.faults() {
        setup::run(root, &[])?;
        good &= faults::run(root, &setup::klubok(root), arguments)?;
    }
    Ok(good)
}
