//! Programs for the checks that are not part of the toolchain, built from crates.io into
//! `target/tools`.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::process::{cargo, command, succeeds};

/// A program on crates.io at a fixed version, so that results do not change over time.
pub(crate) struct Tool {
    /// Name of the crate.
    pub(crate) package: &'static str,
    /// Name of its program.
    pub(crate) program: &'static str,
    /// The version.
    pub(crate) version: &'static str,
}

/// Checks licences, sources and versions of dependencies.
pub(crate) const DENY: Tool =
    Tool { package: "cargo-deny", program: "cargo-deny", version: "0.20.2" };
/// Finds unused dependencies.
pub(crate) const MACHETE: Tool =
    Tool { package: "cargo-machete", program: "cargo-machete", version: "0.9.2" };
/// Finds misspelt words.
pub(crate) const TYPOS: Tool = Tool { package: "typos-cli", program: "typos", version: "1.42.0" };

impl Tool {
    /// Returns the program's path. The first call builds it, about a minute per tool.
    ///
    /// # Errors
    /// When the build fails, mostly because crates.io is unreachable.
    pub(crate) fn path(&self, root: &Path) -> Result<PathBuf> {
        let tools = root.join("target/tools");
        let program = tools.join("bin").join(self.program);
        if self.is_built(root, &program) {
            return Ok(program);
        }
        println!("building {} {} (once)", self.package, self.version);
        let scratch = tools.join("build");
        let built = succeeds(
            cargo(root)
                .args(["install", "--locked", "--debug", "--force", "--quiet", "--root"])
                .arg(&tools)
                .args(["--version", self.version, self.package])
                .env("CARGO_TARGET_DIR", &scratch)
                .env("CARGO_PROFILE_DEV_DEBUG", "0"),
        )?;
        if !built {
            bail!(
                "{} {} could not be built from crates.io; it must be in `{}`",
                self.package,
                self.version,
                program.display()
            );
        }
        fs_err::remove_dir_all(scratch)?;
        Ok(program)
    }

    fn is_built(&self, root: &Path, program: &Path) -> bool {
        let output = command(root, program).arg("--version").output();
        output.is_ok_and(|output| {
            let text = String::from_utf8_lossy(&output.stdout);
            text.split_whitespace().any(|word| word == self.version)
        })
    }
}
