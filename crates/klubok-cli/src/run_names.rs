//! Which run a person means, and where runs go that nobody names.

use std::path::Path;

use klubok::train::run_dir::RunDir;

/// Where runs go without `-o`, and where `latest` is looked for.
pub(crate) const RUNS: &str = "runs";

/// The run that a person means: a folder, or `latest`.
///
/// # Errors
/// When there is none.
pub(crate) fn run_of(name: &str) -> klubok::train::Result<RunDir> {
    match name {
        "latest" if !Path::new(name).exists() => RunDir::latest(Path::new(RUNS)),
        folder => RunDir::open(Path::new(folder)),
    }
}
