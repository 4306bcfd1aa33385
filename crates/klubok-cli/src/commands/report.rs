//! `klubok report`: writes a run as one HTML file, or compares several.

use std::{
    io::Read as _,
    path::{Path, PathBuf},
};

use klubok::{bounded, files::write_atomically, train::run_dir::REPORT};
use klubok_text::{clean, numbers::duration, text};

use crate::{
    args,
    failure::{Failure, Result},
    run_lookup::find_run,
    serving,
    terminal::{Screen, print_stdout},
};

/// Writes the report of the first run, with the others beside it.
pub(crate) fn run(args: &args::Report) -> Result<()> {
    let taken = args.output.as_ref().filter(|path| path.exists() && !is_report(path));
    if let Some(path) = taken {
        let sentence = format!("`{}` exists and is not a report", path.display());
        return Err(Failure::failed(sentence).hint(text!("hint.taken")));
    }
    let screen = Screen::new(args.quiet);
    let runs =
        args.runs.iter().map(|name| find_run(name)).collect::<klubok::train::Result<Vec<_>>>()?;
    let first = &runs[0];
    screen.message(text!("page_at.reading", run = first.path().display()));
    let hub = serving::follow(first, screen)?;
    let beside = if runs.len() > 1 {
        let folders: Vec<PathBuf> = runs.iter().map(|run| run.path().to_owned()).collect();
        Ok(klubok_page::compare_runs(&folders, first.path()))
    } else {
        hub.sibling_runs()
    };
    let bar = screen.bar(text!("page_at.making"), 1);
    let progress = |done, total| {
        bar.set_length(total);
        bar.set_position(done);
        bar.set_message(text!("load.left", left = duration(bar.eta().as_secs_f64())));
    };
    let report = klubok_page::report(&hub, beside, &progress)?;
    bar.finish_and_clear();
    let path = args.output.clone().unwrap_or_else(|| first.file(REPORT));
    write_atomically(&path, report.as_bytes()).map_err(klubok::Error::from)?;
    screen.message(text!("page_at.open_report"));
    print_stdout(clean(path.display()))
}

/// Whether a file is a report of klubok: such a file may be overwritten.
fn is_report(path: &Path) -> bool {
    let mut head = Vec::new();
    let read = bounded::open(path).and_then(|file| file.take(4096).read_to_end(&mut head));
    read.is_ok() && String::from_utf8_lossy(&head).contains("name=\"generator\" content=\"klubok\"")
}
