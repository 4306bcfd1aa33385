//! What must be there before anything is measured: klubok, the floor, and the peers, all built
//! here.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use super::contender::Library;
use crate::process::{cargo, command, succeeds};

/// The peers, from the root of the project.
pub(crate) const FOLDER: &str = "benchmarks/peers";
/// Where tables and caches go, from the root of the project.
pub(crate) const OUTPUT: &str = "target/bench";

/// The command to measure.
pub(crate) fn klubok(root: &Path) -> PathBuf {
    root.join("target/release/klubok")
}

/// These chores as a release build, for the floor.
pub(crate) fn chores(root: &Path) -> PathBuf {
    root.join("target/release/xtask")
}

/// The Python that has the peers.
pub(crate) fn python(root: &Path) -> PathBuf {
    root.join("target/bench-venv/bin/python")
}

/// The peers in Rust.
pub(crate) fn rust_peers(root: &Path) -> PathBuf {
    root.join("target/bench-peers/release/peers")
}

/// Builds and fetches what the comparison with these libraries needs; what is there is left as it
/// is.
///
/// # Errors
/// When something cannot be built or fetched.
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

/// Peers are built for this very processor: what a library chooses when it is compiled is chosen
/// well.
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

/// The versions are those of `requirements.txt`; a copy beside them says what is installed.
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
