//! `klubok diagnose`: phases and verdicts of a run, or of a history that anybody wrote.

use std::{
    io::{Read as _, stdin},
    path::{Path, PathBuf},
};

use klubok::{
    observe::{Diagnosis, history, history::History},
    train::{event::Severity, run_dir::RunDir},
};

use crate::{
    args,
    classifier::run_of,
    diagnosis,
    failure::{Failure, Result},
    terminal::answer,
    text::text,
};

/// Says how a training went; fails when a verdict is as bad as `--fail-on`.
pub(crate) fn run(args: &args::Diagnose) -> Result<()> {
    let mut history = open(&args.path)?;
    history.val_samples = args.val_samples.or(history.val_samples);
    let of = Diagnosis::of_history(&history);
    if args.json {
        answer(serde_json::to_string(&of).map_err(Failure::failed)?)?;
    } else {
        answer(summary(&args.path, &history, &of))?;
    }
    let limit = match args.fail_on {
        None => return Ok(()),
        Some(args::Level::Warning) => Severity::Warning,
        Some(args::Level::Error) => Severity::Error,
    };
    let fails = of.verdicts.iter().any(|verdict| verdict.severity >= limit);
    if fails { Err(Failure::silent(1)) } else { Ok(()) }
}

/// The history of a run with what its folder tells beside it, of a file, or of standard input.
fn open(name: &str) -> Result<History> {
    if name == "-" {
        let mut bytes = Vec::new();
        stdin().lock().read_to_end(&mut bytes)?;
        return Ok(history::parse(&bytes, "-")?);
    }
    let path = match name {
        "latest" if !Path::new(name).exists() => run_of(name)?.path().to_owned(),
        name => PathBuf::from(name),
    };
    let mut history = history::read(&path)?;
    if let Ok(run) = RunDir::open(&path) {
        history.val_samples = run.progress()?.map(|progress| progress.val_samples);
    }
    Ok(history)
}

fn summary(name: &str, history: &History, of: &Diagnosis) -> String {
    let best = of.best_epoch.map_or("-".to_owned(), |epoch| epoch.to_string());
    let head = text!("diagnose.head", name = name, epochs = history.epochs.len(), best = best);
    let mut lines = vec![head, diagnosis::report(of)];
    if history.epochs.iter().all(|row| row.val_loss.is_none()) {
        lines.push(text!("diagnose.no_validation"));
    }
    lines.join("\n")
}
