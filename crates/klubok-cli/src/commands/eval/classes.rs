//! What `klubok eval` prints of classes: a table by class and the confusions.

use klubok::evaluation::ClassEvaluation;
use klubok_text::{
    numbers::{accuracy, accuracy_and_chance, decimal, loss, percent, thousands},
    text, trust,
};

use crate::terminal::{Column, numbers, table, words};

/// Largest number of classes of a printed confusion matrix, and rows of the list of the largest
/// confusions, which replaces it for more classes.
const MAX_MATRIX_CLASSES: usize = 12;

/// Warns of a single class, or of an accuracy at chance level. `is_memorised` is true for training
/// samples, on which every model is better than chance; `is_new` where the origin is known.
pub(super) fn limits(of: &ClassEvaluation, is_memorised: bool, is_new: bool) -> Option<String> {
    let names = |there: bool| {
        let classes = of.per_class.iter().filter(|class| (class.support > 0) == there);
        classes.map(|class| class.class.as_str()).collect::<Vec<_>>()
    };
    match names(true)[..] {
        [class] => Some(text!("eval.one_class", class = class, others = names(false).join(", "))),
        _ if is_memorised => None,
        _ => trust::no_better_than_chance(of.accuracy, of.samples, of.chance, is_new),
    }
}

/// Writes accuracy, loss and calibration.
pub(super) fn scores(of: &ClassEvaluation) -> String {
    // With one class, chance is always right.
    let accuracy = if of.chance < 1.0 {
        accuracy_and_chance(of.accuracy, of.samples, of.chance)
    } else {
        accuracy(of.accuracy, of.samples)
    };
    text!(
        "eval.scores",
        accuracy = accuracy,
        loss = loss(of.loss_calibrated, 4),
        ece = decimal(format_args!("{:.3}", of.ece)),
        loss_raw = loss(of.loss, 4),
        ece_raw = decimal(format_args!("{:.3}", of.ece_uncalibrated))
    )
}

/// Writes the tables by class.
pub(super) fn tables(of: &ClassEvaluation) -> String {
    [by_class(of), String::new(), confusions(of)].join("\n")
}

fn by_class(all: &ClassEvaluation) -> String {
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

fn confusions(all: &ClassEvaluation) -> String {
    let names: Vec<&String> = all.per_class.iter().map(|c| &c.class).collect();
    if names.len() <= MAX_MATRIX_CLASSES {
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
    table(&head, &pairs.iter().take(MAX_MATRIX_CLASSES).map(row).collect::<Vec<_>>())
}
