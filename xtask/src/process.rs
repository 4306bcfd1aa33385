//! Runs other programs.

use std::{
    ffi::OsStr,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

/// A command with the project's root as its working folder.
pub(crate) fn command(root: &Path, program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root);
    command
}

/// The Cargo that runs this chore, as a command.
pub(crate) fn cargo(root: &Path) -> Command {
    command(root, std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// As root, installs Debian's packages. True if they are installed in the end.
pub(crate) fn installs(root: &Path, packages: &[&str]) -> bool {
    let user = command(root, "id").arg("-u").output();
    if user.is_ok_and(|user| user.stdout.trim_ascii() != b"0") {
        return false;
    }
    println!("installing {}", packages.join(", "));
    let install = ["install", "--yes", "-qq", "--no-install-recommends"];
    [&["update", "-qq"][..], &[&install[..], packages].concat()].iter().all(|arguments| {
        let mut apt = command(root, "apt-get");
        succeeds(apt.args(*arguments).env("DEBIAN_FRONTEND", "noninteractive")).unwrap_or(false)
    })
}

/// Runs a command to its end with inherited output. True if it succeeded.
///
/// # Errors
/// When the program cannot be started.
pub(crate) fn succeeds(command: &mut Command) -> Result<bool> {
    let name = command.get_program().to_string_lossy().into_owned();
    Ok(command.status().with_context(|| format!("cannot start `{name}`"))?.success())
}

/// Runs a command to its end and returns what it printed; its errors are shown.
///
/// # Errors
/// When the program cannot be started, fails, or prints no text.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stderr(Stdio::inherit()).output();
    let output = output.with_context(|| format!("cannot start `{name}`"))?;
    if !output.status.success() {
        bail!("`{name}` failed");
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{name}` prints no text"))
}
