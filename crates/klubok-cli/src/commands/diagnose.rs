//! `klubok diagnose`: phases and verdicts of a run, or of another program's history.

use std::{
    collections::BTreeMap,
    io::{Read as _, stdin},
    path::{Path, PathBuf},
};

use klubok::{
    bounded::{self, NotRead},
    config::{Monitor, TargetKind},
    data::{Part, read_split, settings::is_run},
    diagnose::{
        Diagnosis,
        history::{self, History, Note},
    },
    train::{
        best::RecentLosses,
        evaluate::{chance_accuracy, wilson},
        run_dir::{RunDir, SPLIT},
    },
};
use klubok_text::{
    in_english, numbers,
    numbers::{accuracy, accuracy_and_chance},
    text, verdict,
};

use crate::{
    args, diagnosis,
    failure::{Failure, Result},
    run_lookup::find_run,
    terminal::{print_stderr, print_stdout, print_wrapped},
};

/// Diagnoses a training; fails when a verdict reaches `--fail-on`.
pub(crate) fn run(args: &args::Diagnose) -> Result<()> {
    let mut history = open(&args.path)?;
    history.val_samples = args.val_samples.or(history.val_samples);
    let mut diagnosed = Diagnosis::from_history(&history);
    if !history.by_klubok {
        for verdict in &mut diagnosed.verdicts {
            let advice = || verdict::general_advice(verdict.name);
            verdict.try_ = if args.json { in_english(advice) } else { advice() };
            verdict.changes.clear();
        }
    }
    if args.json {
        notes(&history).iter().for_each(print_stderr);
        print_stdout(serde_json::to_string(&diagnosed).map_err(Failure::failed)?)?;
    } else {
        print_wrapped(summary(&args.path, &history, &diagnosed))?;
    }
    diagnosis::fail_on(args.fail_on, &diagnosed.verdicts)
}

/// Reads the history of a run with the facts of its folder, of a file, or of standard input.
fn open(name: &str) -> Result<History> {
    if name == "-" {
        let mut bytes = Vec::new();
        stdin().lock().take(bounded::MAX_LOG_BYTES + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > bounded::MAX_LOG_BYTES {
            let (path, limit) = ("-".to_owned(), bounded::MAX_LOG_BYTES);
            return Err(std::io::Error::from(NotRead::TooLarge { path, limit }).into());
        }
        return Ok(history::parse(&bytes, "-")?);
    }
    let path = match name {
        "latest" if !Path::new(name).exists() => find_run(name)?.path().to_owned(),
        name => PathBuf::from(name),
    };
    match RunDir::open(&path) {
        // Other programs write a `config.toml` too.
        Ok(run) if is_run(run.path()) => read_run(&run),
        _ => Ok(history::read(&path)?),
    }
}

/// Reads the history of a run, with the class counts of its parts.
///
/// # Errors
/// When a file of the run cannot be read or is damaged.
pub(crate) fn read_run(run: &RunDir) -> Result<History> {
    let mut history = history::read(run.path())?;
    history.val_samples = run.progress()?.map(|progress| progress.val_samples);
    let split = run.file(SPLIT);
    let is_class = run.settings()?.0.data.task == TargetKind::Class;
    if split.exists() && is_class {
        let (mut val, mut train): (BTreeMap<_, u64>, BTreeMap<_, u64>) = Default::default();
        for row in read_split(&split)? {
            let row = row?;
            match row.part {
                Part::Train => *train.entry(row.class).or_default() += 1,
                Part::Val => *val.entry(row.class).or_default() += 1,
                Part::Test => {}
            }
        }
        history.val_classes = val.into_values().collect();
        if let Some(setup) = &mut history.setup {
            setup.train_classes = train.into_values().collect();
        }
    }
    Ok(history)
}

/// Explains why the best epoch is not that of the lowest validation loss, with the criterion in
/// both epochs.
fn lowest_elsewhere(history: &History, diagnosed: &Diagnosis) -> Option<String> {
    if history.setup.as_ref()?.config.train.monitor != Monitor::Auto {
        return None;
    }
    let mut recent = RecentLosses::default();
    let epochs = history.epochs.iter().map(|row| {
        let loss = row.val_loss.filter(|loss| loss.is_finite());
        (row.epoch, loss, recent.mean_with(row.val_loss_calibrated))
    });
    let epochs: Vec<_> = epochs.collect();
    let known = epochs.iter().filter_map(|&(epoch, loss, mean)| Some((epoch, loss?, mean?)));
    let (lowest, loss, there) = known.min_by(|a, b| a.1.total_cmp(&b.1))?;
    let (_, _, here) = epochs.iter().find(|epoch| Some(epoch.0) == diagnosed.best_epoch)?;
    let is_lower = here.is_some_and(|here| here < there);
    let [here, there] = [(*here)?, there].map(|loss| numbers::loss(loss, 3));
    // Figures that read alike explain nothing.
    (is_lower && here != there).then(|| {
        text!(
            "diagnose.lowest_elsewhere",
            epoch = verdict::epoch(lowest),
            loss = numbers::loss(loss, 3),
            here = here,
            there = there
        )
    })
}

fn summary(name: &str, history: &History, diagnosed: &Diagnosis) -> String {
    let epochs = epochs(history);
    let mut lines = vec![match diagnosed.best_epoch.map(verdict::epoch) {
        Some(best) => text!("diagnose.head", name = name, epochs = epochs, best = best),
        None => text!("diagnose.head_unvalidated", name = name, epochs = epochs),
    }];
    lines.extend(lowest_elsewhere(history, diagnosed));
    lines.extend(notes(history));
    let accuracy = accuracy_of_best(history, diagnosed);
    let learnt = !accuracy.as_ref().is_some_and(|(_, at_chance)| *at_chance);
    lines.extend(accuracy.map(|(sentence, _)| sentence));
    if !learnt && history.ended {
        lines.push(text!("end.not_better"));
    }
    lines.push(diagnosis::report(diagnosed, learnt));
    // Do not claim that there is no validation loss where some were left out.
    let has_others = history.notes.iter().any(|note| matches!(note, Note::OtherLosses { .. }));
    if diagnosed.best_epoch.is_none() && !has_others {
        lines.push(text!("diagnose.no_validation"));
    }
    lines.join("\n")
}

/// Notes on left-out columns and other assumptions.
fn notes(history: &History) -> Vec<String> {
    let left_out =
        |(used, other): &(String, String)| text!("diagnose.left_out", used = used, other = other);
    let left_out = history.left_out.iter().map(left_out);
    left_out.chain(history.notes.iter().filter_map(note)).collect()
}

/// Number of epochs: the rows or, if rows are fractions of epochs, the last one's number.
fn epochs(history: &History) -> String {
    let rows = || history.epochs.iter().filter(|row| !row.untrained);
    match rows().next_back() {
        Some(last) if rows().any(|row| row.epoch.fract() != 0.0) => verdict::epoch(last.epoch),
        _ => rows().count().to_string(),
    }
}

/// Writes a note on an assumption, if people need it.
fn note(note: &Note) -> Option<String> {
    Some(match note {
        Note::NotMeasured { column, value, count } => {
            text!("diagnose.not_measured", column = column, value = value, count = count)
        }
        Note::OtherLosses { columns } => {
            let columns: Vec<String> = columns.iter().map(|name| format!("`{name}`")).collect();
            text!("diagnose.other_losses", columns = columns.join(", "))
        }
        Note::Truncated => text!("diagnose.torn"),
        Note::BySteps => text!("diagnose.by_steps"),
        Note::PartByName { part } => text!("diagnose.part_by_name", part = part.name()),
        Note::UnknownUnit { column, percent } => {
            text!("diagnose.unit_unsaid", column = column, percent = percent)
        }
        _ => return None,
    })
}

/// Accuracy of the best epoch, if it and the number of validation samples are known, and whether
/// it is within chance level.
fn accuracy_of_best(history: &History, diagnosed: &Diagnosis) -> Option<(String, bool)> {
    let best = history.epochs.iter().find(|row| Some(row.epoch) == diagnosed.best_epoch)?;
    let (share, samples) = (best.val_accuracy?, history.val_samples? as usize);
    let (accuracy, at_chance) = match &history.val_classes[..] {
        [] => (accuracy(share, samples), false),
        classes => {
            let chance = chance_accuracy(classes);
            let at_chance = wilson(share, samples)[0] <= chance;
            (accuracy_and_chance(share, samples, chance), at_chance)
        }
    };
    Some((text!("diagnose.accuracy", accuracy = accuracy), at_chance))
}

#[cfg(test)]
mod tests {
    use klubok::{
        config::{ConfigBuilder, DataKind, Machine, Preset},
        diagnose::{history::Row, setup::Setup},
    };

    use super::*;

    #[test]
    fn explains_a_best_epoch_without_the_lowest_loss() {
        let explanation = |monitor: &str, calibrated: [f64; 6]| {
            let mut layers = ConfigBuilder::new(Preset::Balanced, DataKind::Pictures);
            layers.set("train.monitor", monitor).unwrap();
            let config = layers.resolve(&Machine::plain(1)).unwrap().config;
            let losses = [0.70, 0.65, 0.66, 0.67, 0.68, 0.69];
            let row = |i: usize| Row {
                epoch: i as f64 + 1.0,
                val_loss: Some(losses[i]),
                val_loss_calibrated: Some(calibrated[i]),
                val_accuracy: Some(0.6),
                ..Row::default()
            };
            let history = History {
                epochs: (0..6).map(row).collect(),
                val_samples: Some(1000),
                setup: Some(Setup { config, train_classes: Vec::new() }),
                ..History::default()
            };
            lowest_elsewhere(&history, &Diagnosis::from_history(&history))
        };
        let decreasing = [0.69, 0.66, 0.63, 0.60, 0.57, 0.54];
        let sentence = explanation("auto", decreasing).unwrap();
        let figures = ["0.570 there", "in epoch 2 (0.650)", "that mean was 0.675"];
        assert!(figures.iter().all(|of| sentence.contains(of)), "{sentence}");
        assert_eq!(explanation("val_loss", decreasing), None);
        assert_eq!(explanation("auto", [0.6, 0.5, 0.7, 0.8, 0.9, 1.0]), None, "the same epoch");
        let alike = [0.6, 0.6, 0.5999, 0.5998, 0.5998, 0.5998];
        assert_eq!(explanation("auto", alike), None, "equal in the printed digits");
    }
}
