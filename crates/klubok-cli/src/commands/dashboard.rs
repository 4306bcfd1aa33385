//! `klubok dashboard`: shows a run in the browser from its files.

use std::path::Path;

use klubok::train::run_dir::RunDir;
use klubok_page::Page;
use klubok_text::text;

use crate::{
    args,
    failure::Result,
    interrupt,
    run_lookup::{RUNS_FOLDER, find_run},
    serving,
    terminal::{Screen, print_wrapped},
};

/// Serves a run until the user ends it. Of a run already served, prints the address.
pub(crate) fn run(args: &args::Dashboard) -> Result<()> {
    let screen = Screen::new(args.quiet);
    let run = match &args.run {
        None => RunDir::latest(Path::new(RUNS_FOLDER))?,
        Some(name) => find_run(name).or_else(|error| {
            // Perhaps it is a folder of runs.
            RunDir::latest(Path::new(name)).map_err(|_| error)
        })?,
    };
    if let Some(address) = klubok_page::served_address(run.path()) {
        return print_wrapped(text!(
            "page_at.served",
            run = run.path().display(),
            address = address
        ));
    }
    screen.message(text!("page_at.following", run = run.path().display()));
    let hub = serving::follow(&run, screen)?;
    let page = Page::serve(hub, args.listen)?;
    serving::print_addresses(&page, screen);
    screen.message(text!("page_at.end"));
    interrupt::wait(0)
}
