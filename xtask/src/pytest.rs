//! Tests in Python, in an environment of their own that pip fills from `PyPI`.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result};

use crate::{
    process::{command, succeeds},
    tally::Tally,
};

/// Makes the environment of a folder of tests, unless it has the versions that the folder's
/// `requirements.txt` names. True if it has them in the end. Needs python3 with `venv`, and network
/// access to `PyPI`.
pub(crate) fn fetch(root: &Path, environment: &Path, tests: &str) -> Result<bool> {
    let required = root.join(tests).join("requirements.txt");
    let installed = environment.join("requirements.txt");
    if fs_err::read(&installed)
        .is_ok_and(|installed| fs_err::read(&required).is_ok_and(|required| required == installed))
    {
        return Ok(true);
    }
    println!("fetching {} into {}", required.display(), environment.display());
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

/// Returns the command that runs a folder of tests.
pub(crate) fn of(root: &Path, environment: &Path, tests: &str) -> Command {
    let mut pytest = command(root, environment.join("bin/python"));
    pytest.args(["-m", "pytest", "-p", "no:cacheprovider", "-q", tests]);
    pytest.env("PYTHONDONTWRITEBYTECODE", "1");
    pytest
}

/// Runs tests and counts their results.
pub(crate) fn run(pytest: &mut Command) -> Result<Tally> {
    let mut child = pytest.stdout(Stdio::piped()).spawn().context("cannot start pytest")?;
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
