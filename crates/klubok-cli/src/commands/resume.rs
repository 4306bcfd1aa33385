//! `klubok resume`: goes on with a run exactly where it stopped.

use klubok::{
    observe::Diagnosis,
    train::{RunError, session::Summary},
};

use crate::{
    args,
    classifier::run_of,
    commands::diagnose,
    compute,
    failure::Result,
    json::Lines,
    loading,
    terminal::Screen,
    text::text,
    training::{self, Done, Training},
};

/// Goes on with a run; one that has ended is left as it is.
pub(crate) fn run(args: &args::Resume) -> Result<()> {
    let screen = Screen::new(args.report.quiet);
    let run = run_of(&args.run)?;
    let (config, info) = run.settings()?;
    let mut lines = args.report.jsonl.then(Lines::default);
    let progress = run.progress()?;
    if let Some(progress) = progress.as_ref().filter(|progress| progress.stopped.is_some()) {
        let summary = Summary::new(&run, progress, progress.stopped);
        let reason = training::reason(summary.stopped);
        screen.say(text!("resume.ended", run = run.path().display(), reason = reason));
        let diagnosis = Diagnosis::of_history(&diagnose::of_run(&run)?);
        return training::print(&Done { summary, diagnosis, page: None }, &args.report, lines);
    }
    let backend = compute::device_of_run(&config, &info.kernel, screen);
    let (options, difference) = loading::of_run(&config, &info)?;
    if let Some(difference) = difference {
        return Err(klubok::Error::from(RunError::Data { difference }).into());
    }
    let data = loading::open(&info.data, &options, screen)?;
    let step = progress.map_or(0, |progress| progress.step);
    screen.say(text!("train.resumed", run = run.path().display(), step = step));
    let (config, info, data) = (&config, &info, &data);
    let (page, lines_of) = (&args.page, lines.as_mut());
    let training = Training { run: &run, config, info, data, page, screen, lines: lines_of };
    let done = training.train(backend.as_ref())?;
    training::finish(&done, &args.report, lines, config.train.learning_rate)
}
