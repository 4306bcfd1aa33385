//! Parses a cell: a number, or a missing value.
//!
//! Missing values are an empty cell, `NA` (Keras 3, R), `N/A`, `null`, `None` or a dash. A loss may
//! be `nan` or `inf`; whether it means divergence depends on the values after it (see
//! `tracker.rs`). An accuracy, a norm or a learning rate that is not a finite number counts as
//! missing: its column may mean something else than its name, which is no reason to refuse a
//! history.

use super::columns::Field;

/// Texts for a missing value, in lower case.
const MISSING: [&str; 11] =
    ["", "na", "n/a", "#n/a", "<na>", "null", "none", "nil", "missing", "-", "--"];
/// The largest epoch or step; Unix time in seconds is larger.
const MAX_POSITION: f64 = 1e9;

/// Parses a cell of this field; none if it is missing.
///
/// # Errors
/// When it is something else, with the kind of value that the field needs.
pub(super) fn number(text: &str, field: Field) -> Result<Option<f64>, &'static str> {
    let text = text.trim();
    // Most cells are numbers.
    if let Ok(value) = text.parse::<f64>() {
        return valid(value, field);
    }
    if let (Field::TrainAccuracy | Field::ValAccuracy, Some(percent)) =
        (field, text.strip_suffix('%'))
        && let Ok(percent) = percent.trim_end().parse::<f64>()
    {
        return valid(percent / 100.0, field);
    }
    match text.split_once(',') {
        _ if is_missing(text) || !is_needed(field) => Ok(None),
        Some((whole, part))
            if is_digits(whole.trim_start_matches(['-', '+'])) && is_digits(part) =>
        {
            Err("a number with a point for the decimal sign")
        }
        _ => Err(wanted(field)),
    }
}

/// True for a missing value.
pub(super) fn is_missing(text: &str) -> bool {
    // None of them is longer.
    text.len() <= 8 && MISSING.contains(&text.to_lowercase().as_str())
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Checks a number of this field; none if it counts as missing.
///
/// # Errors
/// As [`number`].
pub(super) fn valid(value: f64, field: Field) -> Result<Option<f64>, &'static str> {
    match field {
        Field::TrainLoss | Field::ValLoss => Ok(Some(value)),
        // Numeric tables have `nan` for a missing epoch.
        Field::Epoch | Field::Step if value.is_nan() => Ok(None),
        Field::Epoch | Field::Step if !(0.0..=MAX_POSITION).contains(&value) => Err(wanted(field)),
        // Some write -1 for an accuracy that was not measured.
        Field::TrainAccuracy | Field::ValAccuracy if value == -1.0 => Ok(None),
        Field::TrainAccuracy | Field::ValAccuracy
            if value.is_finite() && !(0.0..=MAX_PERCENT).contains(&value) =>
        {
            Err("a share between 0 and 1 or a percentage")
        }
        _ => Ok(Some(value).filter(|value| value.is_finite())),
    }
}

/// The largest percentage, with room for rounding.
const MAX_PERCENT: f64 = 100.1;

/// True for the fields that every history needs.
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
    fn tells_missing_values_from_zero_and_from_text() {
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
    fn keeps_non_finite_losses_and_drops_other_non_finite_values() {
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
    fn text_in_optional_fields_counts_as_missing() {
        for field in [Field::LearningRate, Field::GradNorm, Field::ValAccuracy] {
            assert_eq!(number("cosine", field), Ok(None));
        }
        let text = "epoch,train_loss,lr,lr_scheduler,lr_decay\n1,2,cosine,cosine,0.1\n2,1,0.5,cosine,0.1\n";
        let rows = super::super::parse(text.as_bytes(), "h").unwrap().epochs;
        assert_eq!((rows[0].learning_rate, rows[1].learning_rate), (None, Some(0.5)));
    }

    #[test]
    fn refuses_epochs_out_of_range() {
        for text in ["-1", "1e300", "inf", "1700000000", "first"] {
            assert_eq!(number(text, Field::Epoch), Err("the number of an epoch"), "{text}");
        }
        assert_eq!(number("1e9", Field::Step), Ok(Some(1e9)));
    }
}
