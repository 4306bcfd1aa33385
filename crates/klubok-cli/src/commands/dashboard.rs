//! `klubok dashboard`: a run in the browser, by its files.

use std::path::Path;

use klubok::train::run_dir::RunDir;

use crate::{
    args,
    failure::Result,
    interrupt,
    page::{self, Page},
    run_names::{RUNS, run_of},
    terminal::{Screen, show},
    text::text,
};

/// Serves a run until a person ends it; one that is served already is named with its address.
pub(crate) fn run(args: &args::Dashboard) -> Result<()> {
    let screen = Screen::new(args.quiet);
    let run = match &args.run {
        None => RunDir::latest(Path::new(RUNS))?,
        Some(name) => run_of(name).or_else(|error| {
            // A folder of runs, perhaps.
            RunDir::latest(Path::new(name)).map_err(|_| error)
        })?,
    };
    if let Some(address) = page::served(run.path()) {
        return show(text!("page_at.served", run = run.path().display(), address = address));
    }
    screen.say(text!("page_at.following", run = run.path().display()));
    let hub = page::follow(&run, page::data_of(&run), screen)?;
    let _page = Page::serve(hub, args.listen, screen)?;
    screen.say(text!("page_at.end"));
    interrupt::wait()
}
