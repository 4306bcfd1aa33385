//! `klubok diagnose`: phases and verdicts of a run, or of a history that anybody wrote.

use std::{
    collections::BTreeMap,
    io::{Read as _, stdin},
    path::{Path, PathBuf},
};

use klubok::{
    bounded::{self, NotRead},
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
    text::{english, text},
};

/// Says how a training went; fails when a verdict is as bad as `--fail-on`.
pub(crate) fn run(args: &args::Diagnose) -> Result<()> {
    let mut history = open(&args.path)?;
    history.val_samples = args.val_samples.or(history.val_samples);
    let mut of = Diagnosis::of_history(&history);
    if !history.by_klubok {
        for verdict in &mut of.verdicts {
            let advice = || diagnosis::general_advice(verdict.name);
            verdict.try_ = if args.json { english(advice) } else { advice() };
        }
    }
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
        stdin().lock().take(bounded::LOG + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > bounded::LOG {
            let (path, limit) = ("-".to_owned(), bounded::LOG);
            return Err(std::io::Error::from(NotRead::TooLarge { path, limit }).into());
        }
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
    if split.exists() {
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        let rows = read_split(&split)?;
        let val = rows.into_iter().filter(|row| row.part == Part::Val);
        val.for_each(|row| *counts.entry(row.class).or_default() += 1);
        history.val_classes = counts.into_values().collect();
    }
    Ok(history)
}

fn summary(name: &str, history: &History, of: &Diagnosis) -> String {
    let epochs = history.epochs.iter().filter(|row| !row.untrained).count();
    let mut lines = vec![match of.best_epoch {
        Some(best) => text!("diagnose.head", name = name, epochs = epochs, best = best),
        None => text!("diagnose.head_unvalidated", name = name, epochs = epochs),
    }];
    for (used, other) in &history.left_out {
        lines.push(text!("diagnose.left_out", used = used, other = other));
    }
    lines.extend(accuracy_of_best(history, of));
    lines.push(diagnosis::report(of));
    if of.best_epoch.is_none() {
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
