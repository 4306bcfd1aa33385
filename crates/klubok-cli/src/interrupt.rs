//! Ctrl-C: during training the first one finishes the step and saves the run, the second one exits
//! at once. At other times the first one exits.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU8, Ordering},
};

use klubok::train::control::Control;
use klubok_text::text;

use crate::terminal::{clear_echo, print_stderr};

/// Signal sent when a file exceeds the process's size limit; the same number on Linux and macOS.
#[cfg(unix)]
const SIGXFSZ: i32 = 25;

/// Trainings at the same time, at most.
pub(crate) const MAX_LANES: usize = 6;

/// Control of the running training.
pub(crate) static CONTROL: Control = Control::new();
/// Controls of the trainings of a race.
pub(crate) static LANES: [Control; MAX_LANES] = [const { Control::new() }; MAX_LANES];
static TRAINING: AtomicBool = AtomicBool::new(false);
/// The exit code on Ctrl-C; another one once the work is done and only the page is still open.
static CODE: AtomicU8 = AtomicU8::new(130);

/// Installs the handlers of Ctrl-C and of termination signals.
pub(crate) fn listen() {
    // Handled, the size limit of files (`ulimit -f`) is an error like a full disk; otherwise it
    // would kill the process silently.
    #[cfg(unix)]
    let _ = signal_hook::flag::register(SIGXFSZ, Arc::default());
    // Without a handler the system ends the process, and the last checkpoint stays.
    let _ = ctrlc::set_handler(|| {
        if TRAINING.load(Ordering::SeqCst) && interrupt() {
            clear_echo();
            print_stderr(format!("\n{}", text!("train.stopping")));
        } else {
            leave();
        }
    });
}

/// Interrupts whatever trains; true for the first time.
fn interrupt() -> bool {
    for lane in &LANES {
        lane.interrupt();
    }
    CONTROL.interrupt()
}

#[expect(
    clippy::exit,
    reason = "the user wants to exit now; files are renamed into place or not at all"
)]
fn leave() {
    std::process::exit(CODE.load(Ordering::SeqCst).into());
}

/// Sleeps until the user ends the process, now with this exit code.
pub(crate) fn wait(code: u8) -> ! {
    CODE.store(code, Ordering::SeqCst);
    loop {
        std::thread::park();
    }
}

/// While it lives, Ctrl-C interrupts the training, or all of a race, instead of ending the process.
pub(crate) struct InterruptGuard(());

impl InterruptGuard {
    /// Starts to route Ctrl-C to what trains.
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
