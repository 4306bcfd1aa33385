//! Tests of exported ONNX files in other runtimes, in `tests/onnx-runtimes`: with ONNX's checker
//! and ONNX Runtime in Python, and with rten and tract in Rust.
//!
//! Pip fetches the former into `target/onnx-venv`, Cargo builds the latter in
//! `target/onnx-runtimes`: a workspace of its own keeps them out of klubok's lock file.

use std::path::Path;

use anyhow::Result;

use crate::{
    process::{cargo, command, succeeds},
    pytest,
    tally::Tally,
};

/// Folder of the tests, from the project's root.
const TESTS: &str = "tests/onnx-runtimes";

/// Folder of ONNX Runtime, from the project's root.
const ENVIRONMENT: &str = "target/onnx-venv";

/// Folder of the files that it reads, from the project's root.
const FILES: &str = "target/onnx";

/// Writes files of random models with klubok's predictions and compares those of ONNX Runtime.
/// Leaves it out if that cannot be fetched.
///
/// # Errors
/// When a program cannot be started.
pub(crate) fn run(root: &Path) -> Result<Tally> {
    if command(root, "python3").arg("--version").output().is_err() {
        return Ok(Tally::left_out("there is no python3 here"));
    }
    if !prepare(root)? {
        return Ok(Tally::left_out("ONNX Runtime could not be fetched"));
    }
    let files = root.join(FILES);
    if files.exists() {
        fs_err::remove_dir_all(&files)?;
    }
    fs_err::create_dir_all(&files)?;
    // As the step `tests` builds it: nothing is compiled again.
    let write = ["test", "--workspace", "--locked", "--quiet", "--test", "it", "--"];
    let which = ["--ignored", "--exact", "onnx::files_for_other_runtimes"];
    if !succeeds(cargo(root).args(write).args(which).env("KLUBOK_ONNX", &files))? {
        let note = "the files could not be written".into();
        return Ok(Tally { note, ..Tally::of(false) });
    }
    let mut tests = pytest::of(root, &root.join(ENVIRONMENT), TESTS);
    pytest::run(tests.env("KLUBOK_ONNX", &files))
}

/// Fetches ONNX Runtime ahead of [`run`]. True if it is there.
///
/// # Errors
/// When python3 cannot be started.
pub(crate) fn prepare(root: &Path) -> Result<bool> {
    pytest::fetch(root, &root.join(ENVIRONMENT), TESTS)
}

/// The tests of the runtimes in Rust.
pub(crate) fn runtimes_in_rust(root: &Path) -> std::process::Command {
    let mut tests = cargo(root);
    tests.args(["test", "--locked", "--no-fail-fast"]);
    tests.args(["--manifest-path", &format!("{TESTS}/Cargo.toml")]);
    tests.env("CARGO_TARGET_DIR", root.join("target/onnx-runtimes"));
    tests
}
