//! `cargo xtask test`: every check and test of the project, one after the other.
//!
//! A failing step does not stop the others, so one run reports all problems. The last line is
//! `N passed, N failed`: tests count one by one, every other step as one.

use std::{
    io::{BufRead, BufReader},
    num::NonZero,
    path::Path,
    process::{Command, Stdio},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use crate::{
    browser, onnx, page_types,
    process::{cargo, command, succeeds},
    tally::Tally,
    tensorboard, tidy,
    tools::{DENY, MACHETE, TYPOS},
};

type Step = (&'static str, fn(&Path) -> Result<Tally>);

const QUICK: &[Step] =
    &[("format", format), ("tidy", tidy_rules), ("lints", lints), ("tests", tests)];

const REST: &[Step] = &[
    ("documentation", documentation),
    ("licences", licences),
    ("unused dependencies", unused_dependencies),
    ("spelling", spelling),
    ("python", python),
    ("page types", page_types::run),
    ("browser", browser::run),
    ("tensorboard", tensorboard::run),
    ("onnx", onnx::run),
];

/// Steps that fetch what they need.
const FETCHING: [&str; 4] = ["page types", "browser", "tensorboard", "onnx"];

/// Steps that take hours, or minutes to build what only they need.
const LONG: &[Step] = &[("readers", readers), ("kills", kills), ("onnx runtimes", onnx_runtimes)];

/// Number of inputs for each reader.
const FUZZ_INPUTS: &str = "1000000";
/// Memory limit of a reader's test process in KiB.
const MAX_MEMORY_KIB: u32 = 1 << 20;
/// Compiler flags that add a call to every branch, so that the readers' tests see which were taken.
const BRANCH_COVERAGE: &str = "-C passes=sancov-module -C llvm-args=-sanitizer-coverage-level=3 \
    -C llvm-args=-sanitizer-coverage-trace-pc-guard";

/// Runs the steps and prints their results; true if all passed. With names in `only`, runs those
/// steps alone.
pub(crate) fn run(root: &Path, quick: bool, full: bool, only: &[String]) -> Result<bool> {
    let rest = if quick { &[] } else { REST };
    let long = if full || !only.is_empty() { LONG } else { &[] };
    let mut steps: Vec<&Step> = QUICK.iter().chain(rest).chain(long).collect();
    if let Some(name) = only.iter().find(|name| !steps.iter().any(|(step, _)| step == name)) {
        let names: Vec<&str> = steps.iter().map(|(name, _)| *name).collect();
        bail!("there is no step `{name}`, only {}", names.join(", "));
    }
    steps.retain(|(name, _)| only.is_empty() || only.iter().any(|only| only == name));
    // Fetching waits for the network and the disk, building for processors: side by side.
    let mut fetching = steps.iter().any(|(name, _)| FETCHING.contains(name)).then(|| {
        let (root, all) = (root.to_owned(), steps.iter().map(|(name, _)| *name));
        let wanted: Vec<&str> = all.filter(|name| FETCHING.contains(name)).collect();
        thread::spawn(move || {
            // One after the other: Debian's packages are installed by one process at a time.
            for name in wanted {
                match name {
                    "browser" => browser::prepare(&root),
                    "tensorboard" => drop(tensorboard::prepare(&root)),
                    "onnx" => drop(onnx::prepare(&root)),
                    _ => drop(page_types::fetch(&root)),
                }
            }
        })
    });
    let mut table = Vec::new();
    for (name, step) in steps {
        println!("\n=== {name}");
        let start = Instant::now();
        if FETCHING.contains(name) {
            // The step itself says what is missing.
            let _ = fetching.take().map(thread::JoinHandle::join);
        }
        let tally = step(root).unwrap_or_else(|error| {
            println!("{error:#}");
            Tally { note: "could not run".into(), ..Tally::of(false) }
        });
        table.push((*name, tally, start.elapsed()));
    }
    Ok(summary(&table))
}

fn summary(table: &[(&str, Tally, Duration)]) -> bool {
    println!("\n{:<20} {:>7} {:>7} {:>9}", "step", "passed", "failed", "seconds");
    for (name, tally, time) in table {
        let Tally { passed, failed, note } = tally;
        let seconds = time.as_secs_f64();
        println!("{name:<20} {passed:>7} {failed:>7} {seconds:>9.1}  {note}");
    }
    let passed: u32 = table.iter().map(|(_, tally, _)| tally.passed).sum();
    let failed: u32 = table.iter().map(|(_, tally, _)| tally.failed).sum();
    println!("{passed} passed, {failed} failed");
    failed == 0
}

fn format(root: &Path) -> Result<Tally> {
    Ok(Tally::of(succeeds(cargo(root).args(["fmt", "--all", "--check"]))?))
}

fn tidy_rules(root: &Path) -> Result<Tally> {
    Ok(Tally::of(tidy::run(root)?))
}

fn lints(root: &Path) -> Result<Tally> {
    let arguments = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
    Ok(Tally::of(succeeds(cargo(root).args(arguments))?))
}

fn tests(root: &Path) -> Result<Tally> {
    let mut tally =
        counted(cargo(root).args(["test", "--workspace", "--locked", "--no-fail-fast"]))?;
    if tally.note.is_empty() && std::env::var_os("KLUBOK_DATA").is_none() {
        tally.note = "without real data: KLUBOK_DATA is not set".into();
    }
    Ok(tally)
}

/// Runs every reader with a million inputs, each in its own process with limited memory: a larger
/// allocation fails and ends the test. The build records which branches were taken. One process per
/// processor runs at a time, since a reader has one thread.
fn readers(root: &Path) -> Result<Tally> {
    let (host, folder) = (host(root)?, root.join("target/fuzz"));
    let mut targets = Vec::new();
    // Among the page's tests, only those of its requests.
    for (package, binary, filter) in
        [("klubok", "--test=fuzz", ""), ("klubok-page", "--lib", "fuzz")]
    {
        let arguments = ["test", "--locked", "--package", package, binary, "--target", &host, "--"];
        let mut list = cargo(root);
        list.args(arguments).args([filter, "--list"]).stderr(Stdio::inherit());
        list.env("RUSTFLAGS", BRANCH_COVERAGE).env("CARGO_TARGET_DIR", &folder);
        let list = list.output().context("cannot start cargo")?;
        let list = String::from_utf8_lossy(&list.stdout).into_owned();
        let names = list.lines().filter_map(|line| line.strip_suffix(": test"));
        let before = targets.len();
        targets.extend(names.map(|name| (arguments.map(str::to_owned), name.to_owned())));
        if targets.len() == before {
            let note = "the readers' tests cannot be built".into();
            return Ok(Tally { note, ..Tally::of(false) });
        }
    }
    let limited = format!("ulimit -v {MAX_MEMORY_KIB}; exec \"$0\" \"$@\"");
    let one = |(arguments, name): &([String; 8], String)| {
        let mut run = command(root, "sh");
        run.args(["-c", &limited, "cargo"]).args(arguments).args(["--exact", name]);
        run.env("RUSTFLAGS", BRANCH_COVERAGE).env("CARGO_TARGET_DIR", &folder);
        // The C library reserves 64 MiB of heap for each thread, and the limit counts them.
        run.env("MALLOC_ARENA_MAX", "2");
        counted(run.env("KLUBOK_FUZZ", FUZZ_INPUTS))
    };
    let (next, tally) = (AtomicUsize::new(0), Mutex::new(Tally::default()));
    let work = || {
        while let Some(target) = targets.get(next.fetch_add(1, Ordering::Relaxed)) {
            let done = one(target).unwrap_or_else(|_| Tally::of(false));
            let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
            tally.passed += done.passed;
            tally.failed += done.failed;
        }
    };
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    thread::scope(|scope| (0..processors).for_each(|_| drop(scope.spawn(work))));
    Ok(tally.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// The compiler's default target.
pub(crate) fn host(root: &Path) -> Result<String> {
    let output = command(root, "rustc").arg("-vV").output().context("cannot start rustc")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("rustc does not name its host")
}

/// Kills each of 60 trainings two or three times in a row, with user actions in between.
fn kills(root: &Path) -> Result<Tally> {
    let arguments =
        ["test", "--package", "klubok-cli", "--locked", "--test", "it", "kills_in_a_row"];
    counted(cargo(root).args(arguments).env("KLUBOK_FUZZ", FUZZ_INPUTS))
}

/// Reads exported ONNX files with the runtimes in Rust.
fn onnx_runtimes(root: &Path) -> Result<Tally> {
    counted(&mut onnx::runtimes_in_rust(root))
}

/// Runs tests and counts their results.
fn counted(command: &mut Command) -> Result<Tally> {
    let mut child = command.stdout(Stdio::piped()).spawn().context("cannot start cargo")?;
    let mut tally = Tally::default();
    let output = child.stdout.take().context("cargo has no output")?;
    for line in BufReader::new(output).lines() {
        let line = line?;
        println!("{line}");
        if let Some((passed, failed)) = counts(&line) {
            tally.passed += passed;
            tally.failed += failed;
        }
    }
    let good = child.wait()?.success();
    if tally.failed == 0 && !(good && tally.passed > 0) {
        tally.failed = 1;
        tally.note = "tests could not be built or run, or there are none of this name".into();
    }
    Ok(tally)
}

/// Reads `test result: ok. 12 passed; 0 failed; ...`.
fn counts(line: &str) -> Option<(u32, u32)> {
    let (_, result) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let mut numbers = result.split("; ").map(|part| part.split(' ').next()?.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

fn documentation(root: &Path) -> Result<Tally> {
    let mut doc = cargo(root);
    doc.args(["doc", "--workspace", "--no-deps", "--lib", "--locked"])
        .env("RUSTDOCFLAGS", "-D warnings");
    Ok(Tally::of(succeeds(&mut doc)?))
}

/// Leaves advisories out: their database is not in the registry.
fn licences(root: &Path) -> Result<Tally> {
    let arguments = ["check", "--hide-inclusion-graph", "licenses", "bans", "sources"];
    Ok(Tally::of(succeeds(command(root, DENY.path(root)?).args(arguments))?))
}

fn unused_dependencies(root: &Path) -> Result<Tally> {
    let arguments = ["crates", "xtask"];
    Ok(Tally::of(succeeds(command(root, MACHETE.path(root)?).args(arguments))?))
}

fn spelling(root: &Path) -> Result<Tally> {
    Ok(Tally::of(succeeds(&mut command(root, TYPOS.path(root)?))?))
}

/// Parses all Python scripts: most of them run by hand only.
fn python(root: &Path) -> Result<Tally> {
    let parse = "import ast, sys\nfor f in sys.argv[1:]: ast.parse(open(f).read(), f)";
    let scripts = tidy::files(root, &["py"])?;
    if command(root, "python3").arg("--version").output().is_err() {
        return Ok(Tally::left_out("there is no python3 here"));
    }
    Ok(Tally::of(succeeds(command(root, "python3").args(["-c", parse]).args(scripts))?))
}

#[cfg(test)]
mod tests {
    use super::counts;

    #[test]
    fn counts_are_read_from_a_test_binary() {
        let line =
            "test result: FAILED. 12 passed; 3 failed; 1 ignored; 0 measured; 0 filtered out";
        assert_eq!(counts(line), Some((12, 3)));
        assert_eq!(counts("test result of the day: ok"), None);
    }
}
