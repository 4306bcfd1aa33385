//! Branch coverage, where the build instruments it.
//!
//! `-C passes=sancov-module` with `-C llvm-args=-sanitizer-coverage-trace-pc-guard` inserts a call
//! at each branch. LLVM's "`SanitizerCoverage`" specifies the functions. `cargo xtask test --full`
//! builds with these flags; without them no branch is ever new.

#![expect(unsafe_code, reason = "the instrumentation calls functions by name")]

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Maximum branches, by guard address: more than any test program has.
const BRANCHES: usize = 1 << 22;

static SEEN: [AtomicBool; BRANCHES] = [const { AtomicBool::new(false) }; BRANCHES];
static NEW_BRANCH: AtomicBool = AtomicBool::new(false);

/// Returns true if a branch was taken for the first time since the last call.
pub(crate) fn new_branch_taken() -> bool {
    NEW_BRANCH.swap(false, Relaxed)
}

/// The instrumentation calls this at every branch with the address of its guard, a word of four
/// bytes. The address only identifies the branch; the word is never read.
#[unsafe(no_mangle)]
extern "C" fn __sanitizer_cov_trace_pc_guard(guard: usize) {
    let seen = &SEEN[guard / 4 % BRANCHES];
    if !seen.load(Relaxed) {
        seen.store(true, Relaxed);
        NEW_BRANCH.store(true, Relaxed);
    }
}

/// The instrumentation calls this at program start with the address range of the guards.
#[unsafe(no_mangle)]
extern "C" fn __sanitizer_cov_trace_pc_guard_init(_first: usize, _end: usize) {}
