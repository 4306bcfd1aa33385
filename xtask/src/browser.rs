//! The page in a real browser: Chromium, driven by the tests in `crates/klubok-cli/tests/browser`.
//!
//! Chromium is the system's; what drives it is fetched by pip into `target/browser-venv`.
//! Screenshots are left in `target/browser`, to be looked at.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::Stdio,
};

use anyhow::{Context, Result, bail};

use crate::{
    process::{cargo, command, succeeds},
    test::Tally,
};

/// The tests, from the root of the project.
const TESTS: &str = "crates/klubok-cli/tests/browser";

/// What Chromium is called.
const NAMES: [&str; 2] = ["chromium", "chromium-browser"];

/// Builds klubok, fetches what is missing, and runs the tests; where there is no Chromium, or what
/// drives it cannot be had, there are none to run.
///
/// # Errors
/// When something cannot be built or started.
pub(crate) fn run(root: &Path) -> Result<Tally> {
    let Some(chromium) = chromium(root) else {
        return Ok(Tally::left_out("there is no Chromium here"));
    };
    if command(root, "python3").arg("--version").output().is_err() {
        return Ok(Tally::left_out("there is no python3 here"));
    }
    let environment = root.join("target/browser-venv");
    if !fetch(root, &environment)? {
        return Ok(Tally::left_out("what drives the browser could not be fetched"));
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

/// The browser; as root it is installed where Debian's packages can be had.
fn chromium(root: &Path) -> Option<&'static str> {
    let works = |name: &&str| {
        let said = command(root, name).arg("--version").output();
        said.is_ok_and(|said| said.status.success())
    };
    NAMES.into_iter().find(works).or_else(|| {
        let who = command(root, "id").arg("-u").output().ok()?;
        if who.stdout.trim_ascii() == b"0" {
            println!("installing Chromium");
            let install = ["install", "--yes", "--quiet", "--no-install-recommends", NAMES[0]];
            for arguments in [&["update", "--quiet"][..], &install] {
                let mut apt = command(root, "apt-get");
                succeeds(apt.args(arguments).env("DEBIAN_FRONTEND", "noninteractive")).ok()?;
            }
        }
        NAMES.into_iter().find(works)
    })
}

/// Fetches what drives the browser, unless it is there in the versions that the tests ask for; says
/// whether it is there. It takes python3 with `venv`, and what the index of Python's packages has.
fn fetch(root: &Path, environment: &Path) -> Result<bool> {
    let asked = root.join(TESTS).join("requirements.txt");
    let there = environment.join("requirements.txt");
    if fs_err::read(&there)
        .is_ok_and(|there| fs_err::read(&asked).is_ok_and(|asked| asked == there))
    {
        return Ok(true);
    }
    println!("fetching what drives the browser into {}", environment.display());
    let fetched = succeeds(command(root, "python3").args(["-m", "venv"]).arg(environment))?
        && succeeds(
            command(root, environment.join("bin/python"))
                .args(["-m", "pip", "install", "--quiet", "-r"])
                .arg(&asked),
        )?;
    if fetched {
        fs_err::copy(asked, there)?;
    }
    Ok(fetched)
}

/// How many there were of a kind, from `2 failed, 12 passed in 40.12s`; 0 from any other line.
fn count(line: &str, kind: &str) -> u32 {
    let is_result = line.trim_matches(['=', ' ']).split_once(" in ");
    let Some((results, _)) = is_result else { return 0 };
    let number = results.split(", ").find_map(|part| part.strip_suffix(kind)?.trim().parse().ok());
    number.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn results_of_pytest_are_counted() {
        let line = "== 2 failed, 12 passed, 1 warning in 40.12s ==";
        assert_eq!((count(line, "failed"), count(line, "passed")), (2, 12));
        assert_eq!(count("12 passed in 3.20s", "passed"), 12);
        assert_eq!(count("the word passed in a sentence", "passed"), 0);
    }
}
