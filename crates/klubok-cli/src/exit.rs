//! How the process ends: what is said of a failure or a defect, and the exit code.

use std::{
    panic::{AssertUnwindSafe, catch_unwind, set_hook},
    process::ExitCode,
    sync::Mutex,
};

use klubok_text::text;

use crate::{
    failure::{Failure, Result},
    terminal::{complain, paint},
};

/// Runs a command and reports how it ended. A panic is a defect of ours and is said to be one,
/// without a trace.
pub(crate) fn guard(command: impl FnOnce() -> Result<()>) -> ExitCode {
    static PANIC: Mutex<String> = Mutex::new(String::new());
    // Decoders of pictures may panic and are caught there: only what arrives here is worth a word.
    set_hook(Box::new(|panic| {
        if let Ok(mut last) = PANIC.lock() {
            *last = panic.to_string().replace('\n', " ");
        }
    }));
    let failure = match catch_unwind(AssertUnwindSafe(command)) {
        Ok(Ok(())) => return ExitCode::SUCCESS,
        Ok(Err(failure)) => failure,
        Err(_) => {
            let what = PANIC.lock().map(|last| last.clone()).unwrap_or_default();
            Failure::failed(format!("klubok has a defect: {what}")).hint(text!("hint.defect"))
        }
    };
    report(&failure);
    ExitCode::from(failure.code)
}

fn report(failure: &Failure) {
    if !failure.message.is_empty() {
        complain(format!("{}: {}", paint(text!("word.error")).red().bold(), failure.message));
    }
    if let Some(hint) = &failure.hint {
        complain(format!("{}: {hint}", paint(text!("word.hint")).cyan()));
    }
}
