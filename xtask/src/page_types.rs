//! Types of the page's scripts: TypeScript's checker reads the types in their comments, as
//! `web/tsconfig.json` says.
//!
//! npm fetches the checker into `target/typescript`. Nothing is compiled: browsers run the scripts
//! as they are.

use std::path::Path;

use anyhow::Result;

use crate::{
    process::{command, installs, succeeds},
    tally::Tally,
};

/// Version of TypeScript, fixed so that results do not change over time.
const TYPESCRIPT: &str = "7.0.2";

/// Folder of the checker, from the project's root.
const FOLDER: &str = "target/typescript";

/// Folder of the scripts, from the project's root.
const SCRIPTS: &str = "crates/klubok-page/src/web";

/// Checks the types. Leaves the check out without Node.js or the checker.
///
/// # Errors
/// When the checker cannot be started.
pub(crate) fn run(root: &Path) -> Result<Tally> {
    if !fetch(root) {
        return Ok(Tally::left_out("there is no Node.js here, or TypeScript could not be fetched"));
    }
    Ok(Tally::of(succeeds(tsc(root).args(["--project", SCRIPTS]))?))
}

/// Fetches the checker, unless it is there. As root, installs Node.js and npm from Debian's
/// packages if they are missing. True if the checker works in the end.
pub(crate) fn fetch(root: &Path) -> bool {
    if is_fetched(root) {
        return true;
    }
    let there = ["node", "npm"].iter().all(|program| {
        let output = command(root, program).arg("--version").output();
        output.is_ok_and(|output| output.status.success())
    });
    if !there && !installs(root, &["nodejs", "npm"]) {
        return false;
    }
    println!("fetching TypeScript {TYPESCRIPT} into {FOLDER}");
    let mut npm = command(root, "npm");
    npm.args(["install", "--prefix", FOLDER, "--no-save", "--no-audit", "--no-fund", "--silent"]);
    let fetched = succeeds(npm.arg(format!("typescript@{TYPESCRIPT}")));
    fetched.unwrap_or(false) && is_fetched(root)
}

fn is_fetched(root: &Path) -> bool {
    let version = format!("Version {TYPESCRIPT}");
    let output = tsc(root).arg("--version").output();
    output.is_ok_and(|output| output.stdout.trim_ascii() == version.as_bytes())
}

/// The checker as a command.
fn tsc(root: &Path) -> std::process::Command {
    let mut node = command(root, "node");
    node.arg(root.join(FOLDER).join("node_modules/typescript/bin/tsc"));
    node
}
