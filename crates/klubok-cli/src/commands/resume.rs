//! `klubok resume`: continues a run exactly where it stopped, or for more epochs than planned.

use std::path::Path;

use klubok::{
    config::{Config, ConfigBuilder, DataKind, Preset},
    device,
    diagnose::Diagnosis,
    train::{
        RunError,
        act::Act,
        event::Stopped,
        logs::Logs,
        progress::Progress,
        run_dir::{CHECKPOINT, RunDir},
        run_info::RunInfo,
        session::Summary,
    },
};
use klubok_text::{
    numbers::{rate, rate_to_type},
    shell,
    shell::quoted,
    text,
};

use crate::{
    args,
    commands::diagnose,
    compute,
    failure::{Failure, Result},
    interrupt,
    json::EventPrinter,
    loading,
    run_lookup::find_run,
    terminal::Screen,
    training::{self, Training, TrainingOutcome},
    training_job::{canonical_path, canonical_source},
};

/// Share of the configured learning rate below which the network hardly learns.
const NEGLIGIBLE_RATE_SHARE: f64 = 0.01;

/// Resumes a run. One that has ended stays as it is unless `--epochs` adds epochs.
pub(crate) fn run(args: &args::Resume) -> Result<()> {
    let screen = args.flags.screen();
    let run = find_run(&args.run)?;
    let (config, mut info) = run.settings()?;
    let mut events = args.flags.jsonl.then(EventPrinter::default);
    let progress = run.progress()?;
    record_moved_data(&run, &config, &mut info, args, screen)?;
    if progress.is_none()
        && let Some(epoch) = Logs::last_epoch(run.path())?
    {
        let path = run.file(CHECKPOINT).display().to_string();
        return Err(klubok::Error::from(RunError::Gone { path, epoch }).into());
    }
    let extension = extension(&config, progress.as_ref(), args)?;
    if let Some(progress) = progress.as_ref().filter(|progress| progress.stopped.is_some())
        && extension.is_none()
        && !Logs::is_extended_after(run.path(), progress)?
    {
        return report_ended(&run, progress, args, events, screen);
    }
    drop(run.lock()?);
    let backend = device::of(&compute::with_available_kernel(config.clone(), screen))?;
    let found = info.reopen(&config);
    let (options, difference) = found.map_err(|error| with_moved_hint(error.into(), &info))?;
    refuse_changed_data(difference)?;
    let data = loading::open(&info.data, &options, screen)?;
    let progress = progress.unwrap_or_default();
    match extension {
        Some(act) => {
            print_extension(&run, &config, &progress, act, screen);
            // The training applies it before its first step and records it in the run.
            drop(interrupt::CONTROL.request(act));
        }
        None => {
            screen.message(text!(
                "train.resumed",
                run = run.path().display(),
                step = progress.step
            ));
        }
    }
    let (config, info, data) = (&config, &info, &data);
    let (page, event_printer) = (&args.page, events.as_mut());
    let training = Training { run: &run, config, info, data, page, screen, events: event_printer };
    let done = training.train(backend.as_ref())?;
    training::finish(&done, &args.flags, events, config.train.learning_rate)
}

/// Adds a hint with the given command and the flags for data that is missing.
fn with_moved_hint(failure: Failure, info: &RunInfo) -> Failure {
    let paths = [
        ("--data", Some(&info.data)),
        ("--val", info.val.as_ref()),
        ("--test", info.test.as_ref()),
    ];
    let is_gone = |path: &str| !path.starts_with("demo:") && !Path::new(path).exists();
    let gone = paths.into_iter().filter(|(_, path)| path.is_some_and(|path| is_gone(path)));
    let new: Vec<String> =
        gone.map(|(flag, _)| format!(" {flag} {}", text!("resume.new_path"))).collect();
    if new.is_empty() {
        return failure;
    }
    let args = std::env::args_os().skip(1).map(|arg| arg.to_string_lossy().into_owned());
    let given = args.map(|arg| if arg.starts_with("--") { arg } else { quoted(&arg) });
    let command = format!("klubok {}{}", given.collect::<Vec<_>>().join(" "), new.concat());
    failure.hint(text!("hint.moved", command = command))
}

/// Reports that a run has ended, why, and how to extend it.
fn report_ended(
    run: &RunDir,
    progress: &Progress,
    args: &args::Resume,
    events: Option<EventPrinter>,
    screen: Screen,
) -> Result<()> {
    let summary = Summary::new(run, progress, progress.stopped);
    let reason = training::reason(summary.stopped);
    let path = run.path().display().to_string();
    screen.message(text!("resume.ended", run = path, reason = reason));
    if summary.stopped != Some(Stopped::Diverged) {
        let more = 2 * progress.epoch.max(1);
        screen.message(text!("resume.longer", run = quoted(&path), more = more));
    }
    let diagnosis = Diagnosis::from_history(&diagnose::read_run(run)?);
    training::print(&TrainingOutcome { summary, diagnosis, page: None }, &args.flags, events)
}

/// Records the new place of the run's data, if flags name one and the data is the same.
fn record_moved_data(
    run: &RunDir,
    config: &Config,
    info: &mut RunInfo,
    args: &args::Resume,
    screen: Screen,
) -> Result<()> {
    if args.data.is_none() && args.val.is_none() && args.test.is_none() {
        return Ok(());
    }
    let lock = run.lock()?;
    if let Some(data) = &args.data {
        info.data = canonical_source(data)?;
    }
    for (path, part) in [(&args.val, &mut info.val), (&args.test, &mut info.test)] {
        if let Some(path) = path {
            *part = Some(canonical_path(path)?);
        }
    }
    let (_, difference) = info.reopen(config)?;
    refuse_changed_data(difference)?;
    run.rewrite(info, &lock)?;
    screen.message(text!("resume.moved", data = shell::shown(&info.data)));
    Ok(())
}

fn refuse_changed_data(difference: Option<String>) -> Result<()> {
    match difference {
        Some(difference) => Err(klubok::Error::from(RunError::Data { difference }).into()),
        None => Ok(()),
    }
}

/// Reads `--epochs` and `--lr` as an act on the training.
///
/// # Errors
/// When a value is out of range, the epochs are already done, or the run diverged.
fn extension(
    config: &Config,
    progress: Option<&Progress>,
    args: &args::Resume,
) -> Result<Option<Act>> {
    let Some(epochs) = &args.epochs else { return Ok(None) };
    if progress.is_some_and(|progress| progress.divergence.is_some()) {
        let smaller = rate_to_type(config.train.learning_rate / 10.0);
        return Err(Failure::failed("the run diverged: there is nothing to go on from")
            .hint(text!("hint.diverged_stays", rate = smaller)));
    }
    // The settings check the ranges.
    let mut builder = ConfigBuilder::new(Preset::Plain, DataKind::Pictures);
    builder.set("train.epochs", epochs)?;
    builder.set("train.warmup_epochs", "0")?;
    builder.set("train.learning_rate", args.lr.as_deref().unwrap_or("auto"))?;
    let requested = builder.resolve(&klubok::device::machine())?.config.train;
    let done = progress.map_or(0, |progress| progress.epoch);
    if requested.epochs <= done {
        let sentence =
            format!("the run has done {done} epochs, and `--epochs` is {}", requested.epochs);
        return Err(Failure::usage(sentence).hint(text!("hint.epochs_done", done = done)));
    }
    let rate = args.lr.is_some().then_some(requested.learning_rate);
    Ok(Some(Act::Epochs { epochs: requested.epochs, rate }))
}

/// Prints the new last epoch and the learning rate of an extended run.
fn print_extension(run: &RunDir, config: &Config, progress: &Progress, act: Act, screen: Screen) {
    let Act::Epochs { epochs, rate: given } = act else { return };
    let train = &config.train;
    let before = progress.last_epoch(train.epochs);
    let run = run.path().display();
    screen.message(text!(
        "resume.extended",
        run = run,
        done = progress.epoch,
        epochs = epochs,
        before = before
    ));
    let planned = train.epochs;
    let has_ended = progress.epoch >= planned;
    let schedule = train.rate(progress.steps_per_epoch);
    let last = progress.learning_rate(&schedule, progress.step);
    screen.message(match given {
        Some(given) if has_ended => text!("resume.rate_given", rate = rate(given)),
        Some(given) => text!("resume.rate_given_schedule", rate = rate(given)),
        None if epochs <= planned => text!("resume.rate_schedule", planned = planned),
        None if !has_ended => text!("resume.rate_goes_on", before = planned),
        None if last < NEGLIGIBLE_RATE_SHARE * train.learning_rate => text!(
            "resume.rate_is_little",
            rate = rate(last),
            other = rate_to_type(train.learning_rate / 10.0)
        ),
        None => text!("resume.rate_stays", rate = rate(last)),
    });
}
