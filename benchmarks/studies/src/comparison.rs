//! Compares rules that choose the best epoch over recorded trainings.

use std::{collections::BTreeMap, fmt::Write};

use crate::{
    rules::Rule,
    statistics::{half_interval, mean},
    training::{SIZES, Training},
};

/// Name of a data set and preset, and the size of the validation set.
type Cell = (String, usize);

/// How far a rule stays behind the best epoch of one training.
#[derive(Debug, Clone, Copy)]
struct Shortfall {
    /// Percentage points of accuracy.
    accuracy: f64,
    /// Cross-entropy, calibrated on the validation set.
    loss: f64,
}

/// Trainings by cell, each with the index of the cell's validation set in [`SIZES`].
fn cells(trainings: &[Training]) -> BTreeMap<Cell, Vec<(&Training, usize)>> {
    let mut cells: BTreeMap<Cell, Vec<_>> = BTreeMap::new();
    for training in trainings {
        for (i, size) in SIZES.into_iter().enumerate() {
            let name = format!("{:?} {} {}", training.data_set, training.preset, training.train);
            cells.entry((name, size)).or_default().push((training, i));
        }
    }
    cells
}

fn shortfall(rule: Rule, training: &Training, size: usize) -> Shortfall {
    let epochs = &training.epochs;
    let chosen = &epochs[rule.choose(&training.scores(size), training.patience)];
    let best_accuracy = epochs.iter().map(|epoch| epoch.accuracy).fold(0.0, f64::max);
    let best_loss = epochs.iter().map(|epoch| epoch.best_loss).fold(f64::INFINITY, f64::min);
    Shortfall {
        accuracy: 100.0 * (best_accuracy - chosen.accuracy),
        loss: chosen.scores[size].test_loss - best_loss,
    }
}

/// A rule's results over some cells.
struct RuleResult {
    rule: Rule,
    accuracy: f64,
    loss: f64,
    /// The cell that loses most accuracy against the raw loss: its name, the difference and half
    /// its interval.
    worst: (String, f64, f64),
    /// Number of cells worse than with the raw loss, beyond the interval: in accuracy, in
    /// cross-entropy.
    worse: [usize; 2],
}

fn evaluate(rule: Rule, cells: &[(&Cell, &Vec<(&Training, usize)>)]) -> RuleResult {
    let (mut accuracy, mut loss, mut worse) = (Vec::new(), Vec::new(), [0, 0]);
    let mut worst = (String::new(), f64::NEG_INFINITY, 0.0);
    for ((name, size), trainings) in cells {
        let own: Vec<_> =
            trainings.iter().map(|(training, i)| shortfall(rule, training, *i)).collect();
        let raw: Vec<_> =
            trainings.iter().map(|(training, i)| shortfall(Rule::Loss, training, *i)).collect();
        let of = |figure: fn(&Shortfall) -> f64| -> Vec<f64> { own.iter().map(figure).collect() };
        accuracy.push(mean(&of(|s| s.accuracy)));
        loss.push(mean(&of(|s| s.loss)));
        let paired = |figure: fn(&Shortfall) -> f64| -> Vec<f64> {
            own.iter().zip(&raw).map(|(own, raw)| figure(own) - figure(raw)).collect()
        };
        for (i, figure) in [(|s: &Shortfall| s.accuracy) as fn(&Shortfall) -> f64, |s| s.loss]
            .into_iter()
            .enumerate()
        {
            let pairs = paired(figure);
            let (difference, half) = (mean(&pairs), half_interval(&pairs));
            worse[i] += usize::from(difference > half);
            if i == 0 && difference > worst.1 {
                worst = (format!("{name}, {size}"), difference, half);
            }
        }
    }
    RuleResult { rule, accuracy: mean(&accuracy), loss: mean(&loss), worst, worse }
}

/// The table of all rules over some cells.
fn table(rules: &[Rule], cells: &[(&Cell, &Vec<(&Training, usize)>)]) -> String {
    let mut text = String::from(
        "| rule | accuracy below the best epoch, points | cross-entropy above it | worst cell against the raw loss | cells worse: accuracy, cross-entropy |\n\
         | --- | --- | --- | --- | --- |\n",
    );
    for rule in rules {
        let RuleResult { rule, accuracy, loss, worst: (name, difference, half), worse } =
            evaluate(*rule, cells);
        let _ = writeln!(
            text,
            "| {} | {accuracy:.2} | {loss:.4} | {difference:+.2} ± {half:.2} ({name}) | {}, {} |",
            rule.name(),
            worse[0],
            worse[1]
        );
    }
    text
}

/// The rule that klubok uses.
const DEFAULT: Rule = Rule::Auto(3);

/// Calibration on the test set at the epochs that the default rule chooses.
fn calibration(trainings: &[Training]) -> String {
    let mut text = String::from(
        "| validation samples | cross-entropy that the best temperature would gain: mean, highest | the same before calibration, mean | calibration error: mean | within the 95 % band of chance |\n\
         | --- | --- | --- | --- | --- |\n",
    );
    for (i, size) in SIZES.into_iter().enumerate() {
        let chosen = |training: &Training| {
            let scores = training.scores(i);
            let best = DEFAULT.choose(&scores, training.patience);
            let (epoch, score) = (&training.epochs[best], scores[best]);
            let before = epoch.loss - epoch.best_loss;
            (score.test_loss - epoch.best_loss, before, score.ece, score.ece_by_chance)
        };
        let chosen: Vec<_> = trainings.iter().map(chosen).collect();
        let gains: Vec<f64> = chosen.iter().map(|c| c.0).collect();
        let highest = gains.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let before: Vec<f64> = chosen.iter().map(|c| c.1).collect();
        let errors: Vec<f64> = chosen.iter().map(|c| c.2).collect();
        let known: Vec<bool> = chosen.iter().filter_map(|c| Some(c.2 <= c.3?)).collect();
        let within = known.iter().filter(|within| **within).count();
        let _ = writeln!(
            text,
            "| {size} | {:.4}, {highest:.4} | {:.4} | {:.3} | {within} of {} |",
            mean(&gains),
            mean(&before),
            mean(&errors),
            known.len()
        );
    }
    text
}

/// All tables.
pub(crate) fn report(trainings: &[Training]) -> String {
    let cells = cells(trainings);
    let all: Vec<_> = cells.iter().collect();
    let autos = [2, 3, 5, 8, 10, 20].map(Rule::Auto);
    let rules: Vec<Rule> = Rule::SIMPLE.into_iter().chain(autos).collect();
    // A chequered half: it alternates over cells and over sizes.
    let half = |odd: usize| -> Vec<_> {
        all.iter()
            .enumerate()
            .filter(|(i, _)| (i + i / SIZES.len()) % 2 == odd)
            .map(|(_, cell)| *cell)
            .collect()
    };
    let mut text = String::new();
    for (title, own) in
        [("All cells", all.clone()), ("To choose by", half(0)), ("To confirm by", half(1))]
    {
        let _ = writeln!(text, "{title} ({}):\n\n{}", own.len(), table(&rules, &own));
    }
    let _ = writeln!(text, "Calibration:\n\n{}", calibration(trainings));
    for size in SIZES {
        let own: Vec<_> = all.iter().filter(|((_, of), _)| *of == size).copied().collect();
        let _ = writeln!(text, "{size} validation samples:\n\n{}", table(&rules, &own));
    }
    let mut names: Vec<&String> = all.iter().map(|((name, _), _)| name).collect();
    names.dedup();
    for name in names {
        let own: Vec<_> = all.iter().filter(|((of, _), _)| of == name).copied().collect();
        let _ = writeln!(text, "{name}:\n\n{}", table(&rules, &own));
    }
    text
}
