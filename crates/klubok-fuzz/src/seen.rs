//! Which branches of the code have been taken, where the build tells it.
//!
//! `-C passes=sancov-module` with `-C llvm-args=-sanitizer-coverage-trace-pc-guard` puts a call at
//! each branch; LLVM's "`SanitizerCoverage`" names the functions that it calls. `cargo xtask test
//! --full` builds so; without it nothing is ever new.

#![expect(unsafe_code, reason = "the compiler's calls find a function by its name only")]

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Branches, by the address of their guard: more than any of the test programs has.
const BRANCHES: usize = 1 << 22;

static SEEN: [AtomicBool; BRANCHES] = [const { AtomicBool::new(false) }; BRANCHES];
static NEWS: AtomicBool = AtomicBool::new(false);

/// Whether a branch was taken since the last call that had never been taken before.
pub(crate) fn anything_new() -> bool {
    NEWS.swap(false, Relaxed)
}

/// Called at every branch, with the address of its guard, a word of four bytes. It is a name here
/// and never read.
#[unsafe(no_mangle)]
extern "C" fn __sanitizer_cov_trace_pc_guard(guard: usize) {
    let seen = &SEEN[guard / 4 % BRANCHES];
    if !seen.load(Relaxed) {
        seen.store(true, Relaxed);
        NEWS.store(true, Relaxed);
    }
}

/// Called when the program begins, with where the guards lie.
#[unsafe(no_mangle)]
extern "C" fn __sanitizer_cov_trace_pc_guard_init(_first: usize, _end: usize) {}
