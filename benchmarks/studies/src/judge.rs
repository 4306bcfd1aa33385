//! Which rule chooses best: over recorded trainings, in one table.

use std::{collections::BTreeMap, fmt::Write};

use crate::{
    course::{Course, SIZES},
    rules::Rule,
    statistics::{half_interval, mean},
};

/// A set, a preset and a size of the part that chooses.
type Cell = (String, usize);

/// What a rule loses in one training against the best epoch there is.
#[derive(Debug, Clone, Copy)]
struct Shortfall {
    /// Percentage points of accuracy.
    accuracy: f64,
    /// Cross-entropy, with the temperature that the part gives.
    loss: f64,
}

fn cells(courses: &[Course]) -> BTreeMap<Cell, Vec<(&Course, usize)>> {
    let mut cells: BTreeMap<Cell, Vec<_>> = BTreeMap::new();
    for course in courses {
        for (i, size) in SIZES.into_iter().enumerate() {
            let name = format!("{:?} {} {}", course.set, course.preset, course.train);
            cells.entry((name, size)).or_default().push((course, i));
        }
    }
    cells
}

fn shortfall(rule: Rule, course: &Course, size: usize) -> Shortfall {
    let seen: Vec<_> = course.epochs.iter().map(|epoch| epoch.seen[size]).collect();
    let chosen = &course.epochs[rule.choose(&seen, course.patience)];
    let most = course.epochs.iter().map(|epoch| epoch.accuracy).fold(0.0, f64::max);
    let least = course.epochs.iter().map(|epoch| epoch.best_loss).fold(f64::INFINITY, f64::min);
    Shortfall { accuracy: 100.0 * (most - chosen.accuracy), loss: chosen.seen[size].judged - least }
}

/// A rule over some cells.
struct Judged {
    rule: Rule,
    accuracy: f64,
    loss: f64,
    /// The cell with the largest loss of accuracy against the raw loss: its name, the difference
    /// and half of its interval.
    worst: (String, f64, f64),
    /// Cells that are worse than with the raw loss, beyond the interval: in accuracy, in
    /// cross-entropy.
    worse: [usize; 2],
}

fn judge(rule: Rule, cells: &[(&Cell, &Vec<(&Course, usize)>)]) -> Judged {
    let (mut accuracy, mut loss, mut worse) = (Vec::new(), Vec::new(), [0, 0]);
    let mut worst = (String::new(), f64::NEG_INFINITY, 0.0);
    for ((name, size), courses) in cells {
        let own: Vec<_> = courses.iter().map(|(course, i)| shortfall(rule, course, *i)).collect();
        let raw: Vec<_> =
            courses.iter().map(|(course, i)| shortfall(Rule::Loss, course, *i)).collect();
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
    Judged { rule, accuracy: mean(&accuracy), loss: mean(&loss), worst, worse }
}

/// The table of all rules over some cells.
fn table(rules: &[Rule], cells: &[(&Cell, &Vec<(&Course, usize)>)]) -> String {
    let mut text = String::from(
        "| rule | accuracy below the best epoch, points | cross-entropy above it | worst cell against the raw loss | cells worse: accuracy, cross-entropy |\n\
         | --- | --- | --- | --- | --- |\n",
    );
    for rule in rules {
        let Judged { rule, accuracy, loss, worst: (name, difference, half), worse } =
            judge(*rule, cells);
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

/// How right confidences are, at the epochs that the default rule chooses, on samples that chose
/// nothing.
fn calibration(courses: &[Course]) -> String {
    let mut text = String::from(
        "| samples that choose | cross-entropy that the best temperature would gain: mean, most | the same before calibration, mean | calibration error: mean | within the 95 % band of chance |\n\
         | --- | --- | --- | --- | --- |\n",
    );
    for (i, size) in SIZES.into_iter().enumerate() {
        let chosen = |course: &Course| {
            let seen: Vec<_> = course.epochs.iter().map(|epoch| epoch.seen[i]).collect();
            let at = DEFAULT.choose(&seen, course.patience);
            let (epoch, seen) = (&course.epochs[at], seen[at]);
            let before = epoch.loss - epoch.best_loss;
            (seen.judged - epoch.best_loss, before, seen.ece, seen.ece_by_chance)
        };
        let chosen: Vec<_> = courses.iter().map(chosen).collect();
        let gains: Vec<f64> = chosen.iter().map(|c| c.0).collect();
        let most = gains.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let before: Vec<f64> = chosen.iter().map(|c| c.1).collect();
        let errors: Vec<f64> = chosen.iter().map(|c| c.2).collect();
        let known: Vec<bool> = chosen.iter().filter_map(|c| Some(c.2 <= c.3?)).collect();
        let within = known.iter().filter(|within| **within).count();
        let _ = writeln!(
            text,
            "| {size} | {:.4}, {most:.4} | {:.4} | {:.3} | {within} of {} |",
            mean(&gains),
            mean(&before),
            mean(&errors),
            known.len()
        );
    }
    text
}

/// All tables.
pub(crate) fn report(courses: &[Course]) -> String {
    let cells = cells(courses);
    let all: Vec<_> = cells.iter().collect();
    let autos = [2, 3, 5, 8, 10, 20].map(Rule::Auto);
    let rules: Vec<Rule> = Rule::SEVEN.into_iter().chain(autos).collect();
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
    let _ = writeln!(text, "Calibration:\n\n{}", calibration(courses));
    for size in SIZES {
        let own: Vec<_> = all.iter().filter(|((_, of), _)| *of == size).copied().collect();
        let _ = writeln!(text, "{size} samples choose:\n\n{}", table(&rules, &own));
    }
    let mut names: Vec<&String> = all.iter().map(|((name, _), _)| name).collect();
    names.dedup();
    for name in names {
        let own: Vec<_> = all.iter().filter(|((of, _), _)| of == name).copied().collect();
        let _ = writeln!(text, "{name}:\n\n{}", table(&rules, &own));
    }
    text
}
