//! Builds klubok, the floor and the peers before a measurement.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use super::library::Library;
use crate::process::{cargo, command, succeeds};

/// Folder of the peers, from the project's root.
pub(crate) const FOLDER: &str = "benchmarks/peers";
/// Folder for tables and caches, from the project's root.
pub(crate) const OUTPUT: &str = "target/bench";

/// Path of the klubok to measure.
pub(crate) fn klubok(root: &Path) -> PathBuf {
    root.join("target/release/klubok")
}

/// Path of xtask's release build, for the floor.
pub(crate) fn chores(root: &Path) -> PathBuf {
    root.join("target/release/xtask")
}

/// Path of the Python with the peers.
pub(crate) fn python(root: &Path) -> PathBuf {
    root.join("target/bench-venv/bin/python")
}

/// Path of the Rust peers.
pub(crate) fn rust_peers(root: &Path) -> PathBuf {
    root.join("target/bench-peers/release/peers")
}

/// Builds and fetches what the comparison with these libraries needs and is missing.
///
/// # Errors
/// When a build or a download fails.
pub(crate) fn run(root: &Path, libraries: &[Library]) -> Result<()> {
    println!("building klubok");
    let arguments =
        ["build", "--release", "--locked", "--quiet", "-p", "klubok-cli", "-p", "xtask"];
    if !succeeds(cargo(root).args(arguments).env_remove("RUSTFLAGS"))? {
        bail!("klubok could not be built");
    }
    if libraries.iter().any(|library| library.is_rust()) {
        build_rust_peers(root)?;
    }
    if libraries.iter().any(|library| !library.is_rust()) {
        fetch_python_peers(root)?;
    }
    Ok(())
}

/// Builds the Rust peers for this processor, so that choices at compile time favour them.
fn build_rust_peers(root: &Path) -> Result<()> {
    println!("building the peers in Rust (minutes, once)");
    let mut build = cargo(root);
    build.args(["build", "--release", "--locked", "--quiet", "--manifest-path"]);
    build.arg(root.join(FOLDER).join("Cargo.toml"));
    build.env("CARGO_TARGET_DIR", root.join("target/bench-peers"));
    build.env("RUSTFLAGS", "-C target-cpu=native");
    if !succeeds(&mut build)? {
        bail!("the peers in Rust could not be built from crates.io; leave them out with `--peers`");
    }
    Ok(())
}

/// Installs the Python peers in the versions of `requirements.txt`. A copy of that file records the
/// installed versions.
fn fetch_python_peers(root: &Path) -> Result<()> {
    let wanted = root.join(FOLDER).join("requirements.txt");
    let installed = root.join("target/bench-venv/requirements.txt");
    let text = fs_err::read_to_string(&wanted)?;
    if fs_err::read_to_string(&installed).is_ok_and(|installed| installed == text) {
        return Ok(());
    }
    println!("fetching the peers in Python into target/bench-venv (gigabytes, once)");
    let environment = root.join("target/bench-venv");
    let mut install = command(root, python(root));
    install.args(["-m", "pip", "install", "--quiet", "-r"]).arg(&wanted);
    let made = succeeds(command(root, "python3").args(["-m", "venv"]).arg(environment))?
        && succeeds(&mut install)?;
    if !made {
        bail!("this needs python3 with `venv`, and what {} names from PyPI", wanted.display());
    }
    Ok(fs_err::write(installed, text)?)
}
