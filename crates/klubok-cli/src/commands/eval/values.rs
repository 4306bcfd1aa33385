//! What `klubok eval` prints of labels and numbers.

use klubok::evaluation::{LabelEvaluation, NumberEvaluation};
use klubok_text::{
    numbers::{accuracy_and_chance, loss, percent, r_squared, significant, thousands},
    text,
};

use crate::terminal::{numbers, table, words};

/// Writes accuracy and loss of labels.
pub(super) fn label_scores(of: &LabelEvaluation) -> String {
    text!(
        "eval.label_scores",
        accuracy = accuracy_and_chance(of.accuracy, of.samples, of.chance),
        exact = percent(of.exact),
        loss = loss(of.loss, 4)
    )
}

/// Writes the table by label.
pub(super) fn label_table(of: &LabelEvaluation) -> String {
    let head = [
        words(text!("eval.label")),
        numbers(text!("eval.precision")),
        numbers(text!("eval.recall")),
        numbers(text!("eval.f1")),
        numbers(text!("eval.average_precision")),
        numbers(text!("eval.support")),
    ];
    let share = |share: Option<f64>| share.map_or("-".to_owned(), percent);
    let row = |label: &klubok::evaluation::LabelFigures| {
        vec![
            label.label.clone(),
            share(label.precision),
            share(label.recall),
            share(label.f1),
            share(label.average_precision),
            thousands(label.support),
        ]
    };
    table(&head, &of.per_label.iter().map(row).collect::<Vec<_>>())
}

/// Writes the errors of numbers.
pub(super) fn number_scores(of: &NumberEvaluation) -> String {
    text!(
        "eval.number_scores",
        rmse = significant(of.rmse),
        mae = significant(of.mae),
        r2 = r_squared(of.r2)
    )
}

/// Writes the table by number; none for a single one.
pub(super) fn number_table(of: &NumberEvaluation) -> Option<String> {
    if of.per_output.len() < 2 {
        return None;
    }
    let head = [words(text!("eval.number")), numbers("RMSE"), numbers("MAE"), numbers("R²")];
    let row = |number: &klubok::evaluation::NumberFigures| {
        vec![
            number.output.clone(),
            significant(number.rmse),
            significant(number.mae),
            r_squared(number.r2),
        ]
    };
    Some(table(&head, &of.per_output.iter().map(row).collect::<Vec<_>>()))
}
