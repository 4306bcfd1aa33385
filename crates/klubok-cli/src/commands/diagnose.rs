//! `klubok diagnose`: phases and verdicts of a run, or of a history that anybody wrote.

use std::{
    collections::BTreeMap,
    io::{Read as _, stdin},
    path::{Path, PathBuf},
};

use klubok::{
    data::{Part, read_split},
    observe::{Diagnosis, history, history::History},
    train::run_dir::{RunDir, SPLIT},
};

use crate::{
    args,
    classifier::run_of,
    diagnosis,
    failure::{Failure, Result},
    measures::chance,
    terminal::{accuracy, accuracy_and_chance, answer},
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
    diagnosis::fail_on(args.fail_on, &of.verdicts)
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
    match RunDir::open(&path) {
        Ok(run) => of_run(&run),
        Err(_) => Ok(history::read(&path)?),
    }
}

/// The history of a run, with what its folder tells of the validation part.
///
/// # Errors
/// When a file of the run cannot be read or is damaged.
pub(crate) fn of_run(run: &RunDir) -> Result<History> {
    let mut history = history::read(run.path())?;
    history.val_samples = run.progress()?.map(|progress| progress.val_samples);
    let split = run.file(SPLIT);
    if split.is_file() {
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        let rows = read_split(&split)?;
        let val = rows.into_iter().filter(|row| row.part == Part::Val);
        val.for_each(|row| *counts.entry(row.class).or_default() += 1);
        history.val_classes = counts.into_values().collect();
    }
    Ok(history)
}

fn summary(name: &str, history: &History, of: &Diagnosis) -> String {
    let best = of.best_epoch.map_or("-".to_owned(), |epoch| epoch.to_string());
    let epochs = history.epochs.iter().filter(|row| !row.untrained).count();
    let head = text!("diagnose.head", name = name, epochs = epochs, best = best);
    let mut lines = vec![head];
    lines.extend(accuracy_of_best(history, of));
    lines.push(diagnosis::report(of));
    if history.epochs.iter().all(|row| row.val_loss.is_none()) {
        lines.push(text!("diagnose.no_validation"));
    }
    lines.join("\n")
}

/// The accuracy of the best epoch, where it and the number of validation samples are known.
fn accuracy_of_best(history: &History, of: &Diagnosis) -> Option<String> {
    let best = history.epochs.iter().find(|row| Some(row.epoch) == of.best_epoch)?;
    let (share, samples) = (best.val_accuracy?, history.val_samples? as usize);
    let accuracy = match &history.val_classes[..] {
        [] => accuracy(share, samples),
        classes => accuracy_and_chance(share, samples, chance(classes)),
    };
    Some(text!("diagnose.accuracy", accuracy = accuracy))
}
