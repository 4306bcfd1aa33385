//! Serving a run: where the page is, and what of the run could not be read.

use std::sync::Arc;

use klubok::train::run_dir::RunDir;
use klubok_page::{FollowedRun, Hub, Page, open_data};
use klubok_text::text;

use crate::{failure::Result, terminal::Screen};

/// Says where a page is served, and to whom.
pub(crate) fn say_where(page: &Page, screen: Screen) {
    let address = page.address();
    match page.token() {
        Some(token) => {
            screen.say(text!("page_at.act", address = address, token = token));
            screen.say(text!("page_at.look", address = address));
        }
        None => screen.say(text!("page_at.only_look", address = address)),
    }
    if !address.ip().is_loopback() {
        screen.say(format!("{}: {}", text!("word.note"), text!("page_at.open")));
    }
}

/// Shows a run by its files, with its data if that is what it was.
///
/// # Errors
/// When the run has no model yet or a file is damaged.
pub(crate) fn follow(run: &RunDir, screen: Screen) -> Result<Arc<Hub>> {
    let FollowedRun { hub, damaged_lines } = klubok_page::follow(run, open_data(run))?;
    if damaged_lines > 0 {
        let note = text!("page_at.damaged_lines", n = damaged_lines);
        screen.say(format!("{}: {note}", text!("word.note")));
    }
    Ok(hub)
}
