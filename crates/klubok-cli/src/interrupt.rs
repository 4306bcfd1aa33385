//! Ctrl-C: while training, the first lets the step finish and the run be saved; else, and the
//! second, end at once.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use klubok::train::control::Control;
use klubok_text::text;

use crate::terminal::{clear_echo, print_stderr};

/// Sent to a process that writes past the largest file it may have: the same number on Linux and
/// macOS.
#[cfg(unix)]
const SIGXFSZ: i32 = 25;

/// How the training under way is reached.
pub(crate) static CONTROL: Control = Control::new();
static TRAINING: AtomicBool = AtomicBool::new(false);
/// Everything is done, and only the page is left.
static DONE: AtomicBool = AtomicBool::new(false);

/// Listens for Ctrl-C (and the signals that end a process politely) from now on.
pub(crate) fn listen() {
    // A file that may not grow (`ulimit -f`) is then an error like a full disk, and not the end
    // without a word.
    #[cfg(unix)]
    let _ = signal_hook::flag::register(SIGXFSZ, Arc::default());
    // Without a handler the system ends the process: nothing is lost, the last checkpoint stays.
    let _ = ctrlc::set_handler(|| {
        if TRAINING.load(Ordering::SeqCst) && CONTROL.interrupt() {
            clear_echo();
            print_stderr(format!("\n{}", text!("train.stopping")));
        } else {
            leave();
        }
    });
}

#[expect(
    clippy::exit,
    reason = "a person wants out now; files are renamed into place or not at all"
)]
fn leave() {
    std::process::exit(if DONE.load(Ordering::SeqCst) { 0 } else { 130 });
}

/// Sleeps until a person ends the process, which then has done what it was asked.
pub(crate) fn wait() -> ! {
    DONE.store(true, Ordering::SeqCst);
    loop {
        std::thread::park();
    }
}

/// While this is alive, Ctrl-C asks [`CONTROL`] instead of ending the process.
pub(crate) struct InterruptGuard(());

impl InterruptGuard {
    /// From now on a step is finished and saved first.
    pub(crate) fn begin() -> Self {
        TRAINING.store(true, Ordering::SeqCst);
        Self(())
    }
}

impl Drop for InterruptGuard {
    fn drop(&mut self) {
        TRAINING.store(false, Ordering::SeqCst);
    }
}
