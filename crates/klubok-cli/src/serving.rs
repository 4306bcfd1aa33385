//! Serves a run: prints the page's addresses and reports damaged lines of logs.

use std::sync::Arc;

use klubok::train::run_dir::RunDir;
use klubok_page::{FollowedRun, Hub, Page, open_data};
use klubok_text::text;

use crate::{
    exit::report,
    failure::Result,
    interrupt,
    terminal::{Screen, print_stderr},
};

/// Prints the addresses of a page and who can reach it.
pub(crate) fn print_addresses(page: &Page, screen: Screen) {
    let address = page.address();
    match page.token() {
        Some(token) => {
            // Without it the page cannot be opened: it is shown even where only errors are.
            print_stderr(text!("page_at.act", address = address, token = token));
            screen.message(text!("page_at.look", address = address));
        }
        None => print_stderr(text!("page_at.only_look", address = address)),
    }
    if !address.ip().is_loopback() {
        screen.message(format!("{}: {}", text!("word.note"), text!("page_at.open")));
    }
}

/// Follows the files of a run, with its data if that has not changed.
///
/// # Errors
/// When the run has no model yet or a file is damaged.
pub(crate) fn follow(run: &RunDir, screen: Screen) -> Result<Arc<Hub>> {
    let FollowedRun { hub, damaged_lines } = klubok_page::follow(run, open_data(run))?;
    if damaged_lines > 0 {
        let note = text!("page_at.damaged_lines", n = damaged_lines);
        screen.message(format!("{}: {note}", text!("word.note")));
    }
    Ok(hub)
}

/// Keeps a page open after its training, whatever came of it, until the user ends the process.
pub(crate) fn stay_open(ended: Result<()>) -> ! {
    let code = ended.map_or_else(
        |failure| {
            report(&failure);
            failure.code
        },
        |()| 0,
    );
    print_stderr(text!("page_at.stays"));
    interrupt::wait(code)
}
