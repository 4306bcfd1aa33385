//! The end of the process: reports failures and defects and sets the exit code.

use std::{
    panic::{AssertUnwindSafe, catch_unwind, set_hook},
    process::ExitCode,
    sync::Mutex,
};

use klubok_text::text;

use crate::{
    failure::{Failure, Result},
    terminal::{paint, print_stderr},
};

/// Runs a command, reports its failure and returns the exit code. A panic is reported as a defect
/// of klubok, without a trace.
pub(crate) fn run(command: impl FnOnce() -> Result<()>) -> ExitCode {
    static PANIC: Mutex<String> = Mutex::new(String::new());
    // Panics of picture decoders are caught elsewhere: report only those that arrive here.
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

/// Prints a failure with its hint.
pub(crate) fn report(failure: &Failure) {
    if !failure.message.is_empty() {
        print_stderr(format!("{}: {}", paint(text!("word.error")).red().bold(), failure.message));
    }
    if let Some(hint) = &failure.hint {
        print_stderr(format!("{}: {hint}", paint(text!("word.hint")).cyan()));
    }
}
