//! `klubok resume`: goes on with a run exactly where it stopped, or for longer than it was to.

use std::path::Path;

use klubok::{
    config::{Config, ConfigBuilder, DataKind, Preset},
    diagnose::Diagnosis,
    train::{
        RunError,
        control::Act,
        event::Stopped,
        logs::Logs,
        progress::Progress,
        run_dir::{CHECKPOINT, RunDir, RunInfo},
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

/// Share of the learning rate of the settings below which hardly anything is learnt.
const NEGLIGIBLE_RATE_SHARE: f64 = 0.01;

/// Goes on with a run; one that has ended is left as it is, unless more epochs are asked for.
pub(crate) fn run(args: &args::Resume) -> Result<()> {
    let screen = args.flags.screen();
    let run = find_run(&args.run)?;
    let (config, mut info) = run.settings()?;
    let mut events = args.flags.jsonl.then(EventPrinter::default);
    let progress = run.progress()?;
    follow(&run, &config, &mut info, args, screen)?;
    if progress.is_none()
        && let Some(epoch) = Logs::came_to(run.path())?
    {
        let path = run.file(CHECKPOINT).display().to_string();
        return Err(klubok::Error::from(RunError::Gone { path, epoch }).into());
    }
    let longer = longer(&config, progress.as_ref(), args)?;
    if let Some(progress) = progress.as_ref().filter(|progress| progress.stopped.is_some())
        && longer.is_none()
        && !Logs::goes_on_after(run.path(), progress)?
    {
        return ended(&run, progress, args, events, screen);
    }
    drop(run.lock()?);
    let backend = compute::open_device(&compute::with_available_kernel(config.clone(), screen))?;
    let found = info.reopen(&config);
    let (options, difference) = found.map_err(|error| missing(error.into(), &info))?;
    refuse(difference)?;
    let data = loading::open(&info.data, &options, screen)?;
    let progress = progress.unwrap_or_default();
    match longer {
        Some(act) => {
            say_longer(&run, &config, &progress, act, screen);
            // The training does it before its first step, and writes it into the run.
            drop(interrupt::CONTROL.ask(act));
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

/// Where data of the run is gone, the command that was given and where to say what lies elsewhere.
fn missing(failure: Failure, info: &RunInfo) -> Failure {
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
    let words = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned());
    let given = words.map(|word| if word.starts_with("--") { word } else { quoted(&word) });
    let command = format!("klubok {}{}", given.collect::<Vec<_>>().join(" "), new.concat());
    failure.hint(text!("hint.moved", command = command))
}

/// Says that a run has ended, how, and how it would go on.
fn ended(
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
    let diagnosis = Diagnosis::of_history(&diagnose::of_run(run)?);
    training::print(&TrainingOutcome { summary, diagnosis, page: None }, &args.flags, events)
}

/// Writes down where the data of the run lies now, if that is said and it is the same data.
fn follow(
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
    refuse(difference)?;
    run.rewrite(info, &lock)?;
    screen.message(text!("resume.moved", data = shell::shown(&info.data)));
    Ok(())
}

fn refuse(difference: Option<String>) -> Result<()> {
    match difference {
        Some(difference) => Err(klubok::Error::from(RunError::Data { difference }).into()),
        None => Ok(()),
    }
}

/// What a person asks for with `--epochs` and `--lr`.
///
/// # Errors
/// When a value cannot be used, so many epochs are done already, or the run diverged.
fn longer(
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
    // The settings know what such values may be.
    let mut builder = ConfigBuilder::new(Preset::Plain, DataKind::Pictures);
    builder.set("train.epochs", epochs)?;
    builder.set("train.warmup_epochs", "0")?;
    builder.set("train.learning_rate", args.lr.as_deref().unwrap_or("auto"))?;
    let asked = builder.resolve(&klubok::device::machine())?.config.train;
    let done = progress.map_or(0, |progress| progress.epoch);
    if asked.epochs <= done {
        let sentence =
            format!("the run has done {done} epochs, and `--epochs` is {}", asked.epochs);
        return Err(Failure::usage(sentence).hint(text!("hint.epochs_done", done = done)));
    }
    let rate = args.lr.is_some().then_some(asked.learning_rate);
    Ok(Some(Act::Epochs { epochs: asked.epochs, rate }))
}

/// Says how far a run goes on, and with which learning rate.
fn say_longer(run: &RunDir, config: &Config, progress: &Progress, act: Act, screen: Screen) {
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
