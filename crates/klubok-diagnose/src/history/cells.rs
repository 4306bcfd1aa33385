//! What a cell holds: a number, or nothing.
//!
//! Missing is what people and programs write where nothing was measured: an empty cell, `NA` (Keras
//! 3, R), `N/A`, `null`, `None`, a dash. `nan` and `inf` are numbers that a training arrived at,
//! and stay: whether a loss that is not finite tells of a divergence follows from what comes after
//! it (see `tracker.rs`). An accuracy, a norm or a learning rate that is not finite, or is no
//! number at all, says nothing and is missing: the column may mean something else than its name,
//! and no history is refused for it.

use super::columns::Field;

/// What is written for a missing value, in lower case.
const MISSING: [&str; 11] =
    ["", "na", "n/a", "#n/a", "<na>", "null", "none", "nil", "missing", "-", "--"];
/// The largest number of an epoch or a step; a moment of the clock in seconds is larger.
const LARGEST: f64 = 1e9;

/// What stands in a cell of this field.
///
/// # Errors
/// With what should be there, when it is something else.
pub(super) fn number(text: &str, field: Field) -> Result<Option<f64>, &'static str> {
    let text = text.trim();
    // Most cells are numbers: the names of nothing are looked up for the others.
    if let Ok(value) = text.parse::<f64>() {
        return known(value, field);
    }
    if let (Field::TrainAccuracy | Field::ValAccuracy, Some(percent)) =
        (field, text.strip_suffix('%'))
        && let Ok(percent) = percent.trim_end().parse::<f64>()
    {
        return known(percent / 100.0, field);
    }
    match text.split_once(',') {
        _ if is_missing(text) || !is_needed(field) => Ok(None),
        Some((whole, part)) if digits(whole.trim_start_matches(['-', '+'])) && digits(part) => {
            Err("a number with a point for the decimal sign")
        }
        _ => Err(wanted(field)),
    }
}

/// True of what is written where there is nothing.
pub(super) fn is_missing(text: &str) -> bool {
    // Longer than any of them.
    text.len() <= 8 && MISSING.contains(&text.to_lowercase().as_str())
}

fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A number of this field, none where it says nothing.
///
/// # Errors
/// As [`number`].
pub(super) fn known(value: f64, field: Field) -> Result<Option<f64>, &'static str> {
    match field {
        Field::TrainLoss | Field::ValLoss => Ok(Some(value)),
        // Tables of numbers alone have `nan` for an epoch that is not known.
        Field::Epoch | Field::Step if value.is_nan() => Ok(None),
        Field::Epoch | Field::Step if !(0.0..=LARGEST).contains(&value) => Err(wanted(field)),
        // -1 is what some write where they did not measure.
        Field::TrainAccuracy | Field::ValAccuracy if value == -1.0 => Ok(None),
        Field::TrainAccuracy | Field::ValAccuracy
            if value.is_finite() && !(0.0..=PERCENT).contains(&value) =>
        {
            Err("a share between 0 and 1 or a percentage")
        }
        _ => Ok(Some(value).filter(|value| value.is_finite())),
    }
}

/// The largest percentage, as it comes out of sums that are rounded.
const PERCENT: f64 = 100.1;

/// True of what no history can do without.
fn is_needed(field: Field) -> bool {
    field.is_loss() || matches!(field, Field::Epoch | Field::Step)
}

fn wanted(field: Field) -> &'static str {
    match field {
        Field::Epoch => "the number of an epoch",
        Field::Step => "the number of a step",
        _ => "a number",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_no_number() {
        for text in ["", " ", "NA", "N/A", "null", "None", "<NA>", "-", "na "] {
            assert_eq!(number(text, Field::ValLoss), Ok(None), "{text}");
        }
        for text in ["0", "0.0", " 0 "] {
            assert_eq!(number(text, Field::ValLoss), Ok(Some(0.0)), "{text}");
        }
        for text in ["cat", "1 2", "0.5%", "tensor(0.5)"] {
            assert_eq!(number(text, Field::ValLoss), Err("a number"), "{text}");
        }
        for text in ["0,5", "-12,75"] {
            let wanted = Err("a number with a point for the decimal sign");
            assert_eq!(number(text, Field::ValLoss), wanted, "{text}");
        }
    }

    #[test]
    fn a_loss_that_is_not_finite_is_a_fact_and_anything_else_is_not() {
        assert!(number("NaN", Field::TrainLoss).is_ok_and(|x| x.is_some_and(f64::is_nan)));
        assert_eq!(number("inf", Field::ValLoss), Ok(Some(f64::INFINITY)));
        assert_eq!(number("nan", Field::ValAccuracy), Ok(None));
        assert_eq!(number("-1", Field::ValAccuracy), Ok(None));
        for text in ["-5", "101", "500", "1e300"] {
            let wanted = Err("a share between 0 and 1 or a percentage");
            assert_eq!(number(text, Field::ValAccuracy), wanted, "{text}");
        }
        assert_eq!(number("74.5%", Field::ValAccuracy), Ok(Some(0.745)));
        assert_eq!(number("0.5 %", Field::TrainAccuracy), Ok(Some(0.005)));
        assert_eq!(number("100.0001", Field::TrainAccuracy), Ok(Some(100.000_1)));
        assert_eq!(number("nan", Field::Epoch), Ok(None));
    }

    #[test]
    fn what_is_no_number_is_missing_where_a_history_can_do_without() {
        for field in [Field::LearningRate, Field::GradNorm, Field::ValAccuracy] {
            assert_eq!(number("cosine", field), Ok(None));
        }
        let text = "epoch,train_loss,lr,lr_scheduler,lr_decay\n1,2,cosine,cosine,0.1\n2,1,0.5,cosine,0.1\n";
        let rows = super::super::parse(text.as_bytes(), "h").unwrap().epochs;
        assert_eq!((rows[0].learning_rate, rows[1].learning_rate), (None, Some(0.5)));
    }

    #[test]
    fn epochs_have_numbers_that_epochs_can_have() {
        for text in ["-1", "1e300", "inf", "1700000000", "first"] {
            assert_eq!(number(text, Field::Epoch), Err("the number of an epoch"), "{text}");
        }
        assert_eq!(number("1e9", Field::Step), Ok(Some(1e9)));
    }
}
