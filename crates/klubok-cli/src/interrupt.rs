//! Ctrl-C: while training, the first lets the step finish and the run be saved; else, and the second, end at once.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::{terminal::complain, text::text};

/// Set when training should stop after this step.
pub(crate) static STOP: AtomicBool = AtomicBool::new(false);
static TRAINING: AtomicBool = AtomicBool::new(false);

/// Listens for Ctrl-C (and the signals that end a process politely) from now on.
pub(crate) fn listen() {
    // Without a handler the system ends the process: nothing is lost, the last checkpoint stays.
    let _ = ctrlc::set_handler(|| {
        if TRAINING.load(Ordering::SeqCst) && !STOP.swap(true, Ordering::SeqCst) {
            complain(format!("\n{}", text!("train.stopping")));
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
    std::process::exit(130);
}

/// While this is alive, Ctrl-C sets [`STOP`] instead of ending the process.
pub(crate) struct Training(());

impl Training {
    /// From now on a step is finished and saved first.
    pub(crate) fn begin() -> Self {
        TRAINING.store(true, Ordering::SeqCst);
        Self(())
    }
}

impl Drop for Training {
    fn drop(&mut self) {
        TRAINING.store(false, Ordering::SeqCst);
    }
}
