//! Tests of the page in Chromium, in `crates/klubok-cli/tests/browser`.
//!
//! Uses the system's Chromium. Pip fetches the driver into `target/browser-venv`. Screenshots stay
//! in `target/browser` for inspection.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::Stdio,
};

use anyhow::{Context, Result, bail};

use crate::{
    process::{cargo, command, installs, succeeds},
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
    if !fetch(root, &environment)? {
        return Ok(Tally::left_out("the browser's driver could not be fetched"));
    }
    if !succeeds(cargo(root).args(["build", "--locked", "--quiet", "-p", "klubok-cli"]))? {
        bail!("klubok could not be built");
    }
    let screenshots = root.join("target/browser");
    fs_err::create_dir_all(&screenshots)?;
    let mut child = command(root, environment.join("bin/python"))
        .args(["-m", "pytest", "-p", "no:cacheprovider", "-q", TESTS])
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("KLUBOK", root.join("target/debug/klubok"))
        .env("KLUBOK_CHROMIUM", chromium)
        .env("KLUBOK_SCREENSHOTS", screenshots)
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start pytest")?;
    let mut tally = Tally::default();
    for line in BufReader::new(child.stdout.take().context("pytest has no output")?).lines() {
        let line = line?;
        println!("{line}");
        tally.passed += count(&line, "passed");
        tally.failed += count(&line, "failed") + count(&line, "error") + count(&line, "errors");
    }
    if !child.wait()?.success() && tally.failed == 0 {
        tally.failed = 1;
    }
    Ok(tally)
}

/// Fetches Chromium and its driver ahead of [`run`], which reports what is missing.
pub(crate) fn prepare(root: &Path) {
    if chromium(root).is_some() {
        let _ = fetch(root, &root.join(ENVIRONMENT));
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

/// Fetches the browser's driver, unless the versions that the tests require are installed. True if
/// they are in the end. Needs python3 with `venv`, and network access to `PyPI`.
fn fetch(root: &Path, environment: &Path) -> Result<bool> {
    let required = root.join(TESTS).join("requirements.txt");
    let installed = environment.join("requirements.txt");
    if fs_err::read(&installed)
        .is_ok_and(|installed| fs_err::read(&required).is_ok_and(|required| required == installed))
    {
        return Ok(true);
    }
    println!("fetching the browser's driver into {}", environment.display());
    let fetched = succeeds(command(root, "python3").args(["-m", "venv"]).arg(environment))?
        && succeeds(
            command(root, environment.join("bin/python"))
                .args(["-m", "pip", "install", "--quiet", "-r"])
                .arg(&required),
        )?;
    if fetched {
        fs_err::copy(required, installed)?;
    }
    Ok(fetched)
}

/// Reads the count of a kind of result in `2 failed, 12 passed in 40.12s`; 0 from any other line.
fn count(line: &str, kind: &str) -> u32 {
    let result = line.trim_matches(['=', ' ']).split_once(" in ");
    let Some((results, _)) = result else { return 0 };
    let number = results.split(", ").find_map(|part| part.strip_suffix(kind)?.trim().parse().ok());
    number.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn counts_are_read_from_pytest_results() {
        let line = "== 2 failed, 12 passed, 1 warning in 40.12s ==";
        assert_eq!((count(line, "failed"), count(line, "passed")), (2, 12));
        assert_eq!(count("12 passed in 3.20s", "passed"), 12);
        assert_eq!(count("the word passed in a sentence", "passed"), 0);
    }
}
