//! Finds runs by name; the default folder of runs.

use std::path::Path;

use klubok::train::run_dir::RunDir;

/// Folder of runs without `-o`, and of `latest`.
pub(crate) const RUNS_FOLDER: &str = "runs";

/// Opens a run by its folder or as `latest`.
///
/// # Errors
/// When there is no such run.
pub(crate) fn find_run(name: &str) -> klubok::train::Result<RunDir> {
    match name {
        "latest" if !Path::new(name).exists() => RunDir::latest(Path::new(RUNS_FOLDER)),
        folder => RunDir::open(Path::new(folder)),
    }
}
