//! `cargo xtask golden`: regenerates the PyTorch fixtures.
//!
//! The fixtures are part of the repository, so tests need no Python. Only a change of the fixtures
//! needs this chore. It downloads PyTorch from pypi.org into `target/golden-venv` (a few
//! gigabytes).

use std::path::Path;

use anyhow::{Result, bail};

use crate::process::{command, succeeds};

/// Runs each `make_golden.py` in an environment of their own; true if it succeeded.
///
/// # Errors
/// When Python is missing, or PyTorch cannot be installed.
pub(crate) fn run(root: &Path) -> Result<bool> {
    let environment = root.join("target/golden-venv");
    let python = environment.join("bin/python");
    let has_torch = command(root, &python).args(["-c", "import torch, safetensors"]).output();
    if !has_torch.is_ok_and(|output| output.status.success()) {
        println!("fetching PyTorch into {}", environment.display());
        let made = succeeds(command(root, "python3").args(["-m", "venv"]).arg(&environment))?
            && succeeds(command(root, &python).args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "torch",
                "numpy",
                "safetensors",
            ]))?;
        if !made {
            bail!("this needs python3 with `venv`, and torch, numpy and safetensors from PyPI");
        }
    }
    for owner in ["klubok-nn", "klubok-cli"] {
        let folder = root.join("crates").join(owner).join("tests/golden");
        if !succeeds(command(root, &python).arg(folder.join("make_golden.py")).arg(&folder))? {
            return Ok(false);
        }
    }
    Ok(true)
}
