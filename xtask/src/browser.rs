//! Tests of the page in Chromium, in `crates/klubok-cli/tests/browser`.
//!
//! Uses the system's Chromium. Pip fetches the driver into `target/browser-venv`. Screenshots stay
//! in `target/browser` for inspection.

use std::path::Path;

use anyhow::{Result, bail};

use crate::{
    process::{cargo, command, installs, succeeds},
    pytest,
    tally::Tally,
};

/// Folder of the tests, from the project's root.
const TESTS: &str = "crates/klubok-cli/tests/browser";

/// Folder of the driver, from the project's root.
const ENVIRONMENT: &str = "target/browser-venv";

/// Names of Chromium's program.
const NAMES: [&str; 2] = ["chromium", "chromium-browser"];

/// Builds klubok, fetches what is missing, and runs the tests. Leaves them out without Chromium or
/// its driver.
///
/// # Errors
/// When a build fails or a program cannot be started.
pub(crate) fn run(root: &Path) -> Result<Tally> {
    let Some(chromium) = chromium(root) else {
        return Ok(Tally::left_out("there is no Chromium here"));
    };
    if command(root, "python3").arg("--version").output().is_err() {
        return Ok(Tally::left_out("there is no python3 here"));
    }
    let environment = root.join(ENVIRONMENT);
    if !pytest::fetch(root, &environment, TESTS)? {
        return Ok(Tally::left_out("the browser's driver could not be fetched"));
    }
    if !succeeds(cargo(root).args(["build", "--locked", "--quiet", "-p", "klubok-cli"]))? {
        bail!("klubok could not be built");
    }
    let screenshots = root.join("target/browser");
    fs_err::create_dir_all(&screenshots)?;
    let mut tests = pytest::of(root, &environment, TESTS);
    tests.env("KLUBOK", root.join("target/debug/klubok"));
    tests.env("KLUBOK_CHROMIUM", chromium).env("KLUBOK_SCREENSHOTS", screenshots);
    pytest::run(&mut tests)
}

/// Fetches Chromium and its driver ahead of [`run`], which reports what is missing.
pub(crate) fn prepare(root: &Path) {
    if chromium(root).is_some() {
        let _ = pytest::fetch(root, &root.join(ENVIRONMENT), TESTS);
    }
}

/// Name of the browser's program. As root, installs it from Debian's packages if it is missing.
fn chromium(root: &Path) -> Option<&'static str> {
    let works = |name: &&str| {
        let output = command(root, name).arg("--version").output();
        output.is_ok_and(|output| output.status.success())
    };
    NAMES.into_iter().find(works).or_else(|| {
        installs(root, &NAMES[..1]);
        NAMES.into_iter().find(works)
    })
}
