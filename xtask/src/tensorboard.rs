//! Tests of the event files with TensorBoard itself and with tbparse, in
//! `crates/klubok-cli/tests/tensorboard`.
//!
//! Pip fetches both into `target/tensorboard-venv`.

use std::path::Path;

use anyhow::{Result, bail};

use crate::{
    process::{cargo, command, succeeds},
    pytest,
    tally::Tally,
};

/// Folder of the tests, from the project's root.
const TESTS: &str = "crates/klubok-cli/tests/tensorboard";

/// Folder of the readers, from the project's root.
const ENVIRONMENT: &str = "target/tensorboard-venv";

/// Builds klubok, fetches what is missing, and runs the tests. Leaves them out without the readers.
///
/// # Errors
/// When a build fails or a program cannot be started.
pub(crate) fn run(root: &Path) -> Result<Tally> {
    if command(root, "python3").arg("--version").output().is_err() {
        return Ok(Tally::left_out("there is no python3 here"));
    }
    if !prepare(root)? {
        return Ok(Tally::left_out("TensorBoard could not be fetched"));
    }
    if !succeeds(cargo(root).args(["build", "--locked", "--quiet", "-p", "klubok-cli"]))? {
        bail!("klubok could not be built");
    }
    let mut tests = pytest::of(root, &root.join(ENVIRONMENT), TESTS);
    pytest::run(tests.env("KLUBOK", root.join("target/debug/klubok")))
}

/// Fetches the readers ahead of [`run`]. True if they are there.
///
/// # Errors
/// When python3 cannot be started.
pub(crate) fn prepare(root: &Path) -> Result<bool> {
    pytest::fetch(root, &root.join(ENVIRONMENT), TESTS)
}
