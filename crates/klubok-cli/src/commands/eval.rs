//! `klubok eval`: how good a model is on labelled data.

use std::collections::BTreeSet;

use klubok::data::Dataset;
use serde::Serialize;

use crate::{
    args::{self, Split},
    classifier::Classifier,
    failure::{Failure, Result},
    loading,
    measures::{Evaluation, wilson},
    terminal::{
        Column, Screen, accuracy, accuracy_and_chance, answer, numbers, percent, table, thousands,
        words,
    },
    text::text,
};

/// Most classes that a table of confusions is printed for; with more, the largest confusions are.
const MATRIX: usize = 12;

/// Evaluation with what is known of the samples that the model was trained on.
#[derive(Serialize)]
struct Answer {
    #[serde(flatten)]
    all: Evaluation,
    /// Absent when none of the samples was trained on.
    #[serde(skip_serializing_if = "Option::is_none")]
    trained_on: Option<Apart>,
}

/// The same samples divided by whether the model was trained on them.
#[derive(Serialize)]
struct Apart {
    /// Samples that were in the training part of the run.
    samples: usize,
    /// Share of right answers on them.
    accuracy: f64,
    /// Share of right answers on the others; null when there are none.
    other_accuracy: Option<f64>,
    /// Its 95 % interval.
    other_accuracy_interval: Option<[f64; 2]>,
}

/// Evaluates a model.
pub(crate) fn run(args: &args::Eval) -> Result<()> {
    let screen = Screen::new(args.report.quiet);
    let classifier = Classifier::open(&args.model, args.compute.threads)?;
    let data = loading::open(&args.data, &classifier.options(args.strict)?, screen)?;
    let (split, rows) = part(&data, args.split, &args.data)?;
    let logits = classifier.logits(&data.rows, &rows)?;
    if !logits.iter().all(|z| z.is_finite()) {
        return Err(Failure::failed(text!("predict.no_number")).hint(text!("hint.model")));
    }
    let targets: Vec<u32> = rows.iter().map(|&row| data.targets[row as usize]).collect();
    let all = Evaluation::new(&logits, &targets, classifier.classes(), classifier.calibration());
    let hashes: Vec<u128> = rows.iter().map(|&row| data.hashes[row as usize]).collect();
    let trained_on = apart(&classifier.trained_on()?, &hashes, &logits, &targets);
    let result = Answer { all, trained_on };
    if args.report.json {
        return answer(serde_json::to_string(&result).map_err(Failure::failed)?);
    }
    let name = match split {
        Split::Train => text!("eval.part_train"),
        Split::Val => text!("eval.part_val"),
        Split::Test => text!("eval.part_test"),
        Split::All => text!("eval.part_all"),
    };
    let samples = thousands(result.all.samples);
    answer(text!("eval.part", data = args.data, part = name, samples = samples))?;
    answer(describe(&result))
}

/// The rows to evaluate: those that were asked for, else the test part, else all.
fn part(data: &Dataset, split: Option<Split>, source: &str) -> Result<(Split, Vec<u32>)> {
    let parts = &data.parts;
    let split = split.unwrap_or(if parts.test.is_empty() { Split::All } else { Split::Test });
    let rows = match split {
        Split::Train => parts.train.clone(),
        Split::Val => parts.val.clone(),
        Split::Test => parts.test.clone(),
        Split::All => (0..data.rows.len() as u32).collect(),
    };
    let name = match split {
        Split::Train => "training",
        Split::Val => "validation",
        Split::Test => "test",
        Split::All => "readable",
    };
    if rows.is_empty() {
        let sentence = format!("`{source}` has no {name} part");
        return Err(Failure::failed(sentence).hint(text!("hint.split")));
    }
    Ok((split, rows))
}

fn apart(
    known: &BTreeSet<u128>,
    hashes: &[u128],
    logits: &[f32],
    targets: &[u32],
) -> Option<Apart> {
    let classes = logits.len() / targets.len();
    let (mut seen, mut other) = ((0, 0), (0, 0));
    for ((hash, row), &target) in hashes.iter().zip(logits.chunks_exact(classes)).zip(targets) {
        let row: Vec<f64> = row.iter().map(|&z| f64::from(z)).collect();
        let right = usize::from(klubok::nn::loss::answer(&row) == target as usize);
        let count = if known.contains(hash) { &mut seen } else { &mut other };
        *count = (count.0 + 1, count.1 + right);
    }
    let share = |(n, right): (usize, usize)| (n > 0).then(|| right as f64 / n as f64);
    let other_accuracy = share(other);
    Some(Apart {
        samples: seen.0,
        accuracy: share(seen)?,
        other_accuracy,
        other_accuracy_interval: other_accuracy.map(|share| wilson(share, other.0)),
    })
}

fn describe(result: &Answer) -> String {
    let Answer { all, trained_on } = result;
    let scores = text!(
        "eval.scores",
        accuracy = accuracy_and_chance(all.accuracy, all.samples, all.chance),
        loss = format!("{:.4}", all.loss),
        ece = format!("{:.3}", all.ece),
        raw = format!("{:.3}", all.ece_uncalibrated)
    );
    let mut lines = vec![scores];
    if let Some(seen) = trained_on {
        let rest = all.samples - seen.samples;
        lines.push(match seen.other_accuracy {
            None => text!("eval.seen_all"),
            Some(other) => text!(
                "eval.seen",
                n = thousands(seen.samples),
                seen = accuracy_and_chance(seen.accuracy, seen.samples, all.chance),
                rest_n = thousands(rest),
                rest = accuracy_and_chance(other, rest, all.chance)
            ),
        });
    }
    lines.extend([String::new(), by_class(all), String::new(), confusions(all)]);
    lines.join("\n")
}

fn by_class(all: &Evaluation) -> String {
    let head = [
        words(text!("eval.class")),
        numbers(text!("eval.precision")),
        numbers(text!("eval.recall")),
        numbers(text!("eval.f1")),
        numbers(text!("eval.support")),
    ];
    let share = |share: Option<f64>| share.map_or("-".to_owned(), percent);
    let rows: Vec<_> = all
        .per_class
        .iter()
        .map(|c| {
            let recall = c.recall.map_or("-".to_owned(), |recall| accuracy(recall, c.support));
            vec![c.class.clone(), share(c.precision), recall, share(c.f1), thousands(c.support)]
        })
        .collect();
    table(&head, &rows)
}

fn confusions(all: &Evaluation) -> String {
    let names: Vec<&String> = all.per_class.iter().map(|c| &c.class).collect();
    if names.len() <= MATRIX {
        let head: Vec<Column> = [words(text!("eval.confusion"))]
            .into_iter()
            .chain(names.iter().map(|name| numbers(name.as_str())))
            .collect();
        let row = |(name, counts): (&&String, &Vec<usize>)| {
            [(*name).clone()].into_iter().chain(counts.iter().map(|&n| thousands(n))).collect()
        };
        return table(&head, &names.iter().zip(&all.confusion).map(row).collect::<Vec<_>>());
    }
    let mut pairs = Vec::new();
    for (truth, counts) in all.confusion.iter().enumerate() {
        let wrong = counts.iter().enumerate().filter(|&(class, &n)| class != truth && n > 0);
        pairs.extend(wrong.map(|(class, &n)| (n, truth, class)));
    }
    pairs.sort_by_key(|&(n, truth, class)| (std::cmp::Reverse(n), truth, class));
    let head = [
        words(text!("eval.class")),
        words(text!("eval.taken_for")),
        numbers(text!("eval.support")),
    ];
    let row = |&(n, truth, class): &(usize, usize, usize)| {
        vec![names[truth].clone(), names[class].clone(), thousands(n)]
    };
    table(&head, &pairs.iter().take(MATRIX).map(row).collect::<Vec<_>>())
}
