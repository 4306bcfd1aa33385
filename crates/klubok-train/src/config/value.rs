//! One value of one key: parsed from a flag, and checked against the key's range.

use std::ops::{Bound, RangeBounds};

use toml::Value;

use super::keys::{Allowed, Arity, DefaultValue, Key, MAX_ENTRIES, MAX_TEXT_BYTES};

impl Key {
    /// Returns the default as TOML, `"auto"` where a rule derives it.
    pub(super) fn default_value(&self) -> Value {
        match self.default {
            DefaultValue::Auto(_) => Value::String("auto".into()),
            DefaultValue::Fixed(text) => Self::read_flag(text),
        }
    }

    /// Parses the text of a flag: `512,256` is a list, a bare word a string.
    pub(super) fn read_flag(text: &str) -> Value {
        let text = text.trim();
        let inner = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
        match inner {
            None if !text.contains(',') => scalar(text),
            _ => {
                let mut items: Vec<&str> =
                    split_outside_quotes(inner.unwrap_or(text)).map(str::trim).collect();
                // An empty list, or a trailing comma.
                if items == [""] || (items.len() > 2 && items.last() == Some(&"")) {
                    items.pop();
                }
                Value::Array(items.into_iter().map(scalar).collect())
            }
        }
    }

    /// Returns `value` in the key's own type (numbers as floats, one unit as a list of one), if it
    /// is allowed.
    pub(super) fn check(&self, value: &Value) -> Option<Value> {
        if matches!(self.default, DefaultValue::Auto(_)) && value.as_str() == Some("auto") {
            return Some(value.clone());
        }
        let each = |values: &[Value]| {
            let short = values.len() <= MAX_ENTRIES;
            let all = || values.iter().map(|v| self.allowed.check(v)).collect::<Option<_>>();
            short.then(all)?.map(Value::Array)
        };
        match (self.arity, value) {
            (Arity::List | Arity::OneOrEach, Value::Array(values)) => each(values),
            (Arity::List, value) => each(std::slice::from_ref(value)),
            (Arity::One | Arity::OneOrEach, value) => self.allowed.check(value),
        }
    }

    /// Describes the allowed values for the error about a value that is not.
    pub(super) fn expected(&self, value: Option<&Value>) -> String {
        let whole = |value: &Value| Some(value.as_integer()? as f64);
        let number = value.and_then(|value| value.as_float().or_else(|| whole(value)));
        match (self.allowed, number) {
            // The value is within the bounds, so rounding to single precision made it invalid.
            (Allowed::Number(min, max), Some(x)) if (min, max).contains(&x) => {
                format!("{}, in single precision too", self.range())
            }
            _ => self.range(),
        }
    }
}

impl Allowed {
    fn check(&self, value: &Value) -> Option<Value> {
        match (self, value) {
            (Allowed::Switch, Value::Boolean(_)) => Some(value.clone()),
            (Allowed::OneOf(words), Value::String(word)) => {
                words.contains(&word.as_str()).then(|| value.clone())
            }
            (Allowed::Whole(min, max), Value::Integer(n)) => {
                (min..=max).contains(&n).then(|| value.clone())
            }
            (Allowed::Text, Value::String(text)) => {
                (text.len() <= MAX_TEXT_BYTES).then(|| value.clone())
            }
            // A column may be named by a number.
            (Allowed::Text, Value::Integer(n)) => Some(Value::String(n.to_string())),
            (Allowed::Number(..), Value::Integer(n)) => self.check(&Value::Float(*n as f64)),
            (Allowed::Number(min, max), Value::Float(x)) => {
                // `+ 0.0` turns -0, which would be written as `-0.0`, into 0.
                within(*x, *min, *max).then_some(Value::Float(*x + 0.0))
            }
            _ => None,
        }
    }
}

/// Whether a number is within its bounds. Training uses `f32`: after rounding, the number must
/// still be finite and inside an open bound.
fn within(x: f64, min: Bound<f64>, max: Bound<f64>) -> bool {
    let open = [min, max].into_iter().filter_map(|bound| match bound {
        Bound::Excluded(bound) => Some(bound as f32),
        Bound::Included(_) | Bound::Unbounded => None,
    });
    let rounded = x as f32;
    (min, max).contains(&x) && rounded.is_finite() && open.into_iter().all(|b| b != rounded)
}

/// Splits at commas outside double quotes.
fn split_outside_quotes(text: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    text.split(move |c| {
        quoted ^= c == '"';
        c == ',' && !quoted
    })
}

fn scalar(text: &str) -> Value {
    let word = || Value::String(unquoted(text).into());
    match text {
        "true" => Value::Boolean(true),
        "false" => Value::Boolean(false),
        _ if text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) => {
            let digits = text.replace('_', "");
            let whole = digits.parse().map(Value::Integer);
            whole.or_else(|_| digits.parse().map(Value::Float)).unwrap_or_else(|_| word())
        }
        _ => word(),
    }
}

fn unquoted(text: &str) -> &str {
    let inside = |quote| text.strip_prefix(quote).and_then(|t: &str| t.strip_suffix(quote));
    inside('"').or_else(|| inside('\'')).unwrap_or(text)
}

/// Formats a value as TOML; very small and large numbers have an exponent.
pub(super) fn written(value: &Value) -> String {
    match value {
        Value::Float(x) => format!("{x:?}"),
        Value::Array(values) => {
            format!("[{}]", values.iter().map(written).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Key, find};

    #[test]
    fn the_error_mentions_single_precision_when_rounding_broke_the_value() {
        let expected = |path: &str, text: &str| {
            let key = find(path).unwrap();
            key.expected(Some(&Key::read_flag(text)))
        };
        assert_eq!(
            expected("train.momentum", "0.99999999999"),
            "a number of at least 0 and below 1, or \"auto\", in single precision too"
        );
        assert!(expected("train.learning_rate", "1e-60").ends_with(", in single precision too"));
        assert!(!expected("train.learning_rate", "-1").contains("precision"));
    }

    #[test]
    fn the_length_of_a_list_is_limited() {
        let key = find("model.hidden").unwrap();
        let list = |n| key.check(&Key::read_flag(&vec!["1"; n].join(",")));
        assert!(list(1000).is_some() && list(1001).is_none());
    }

    #[track_caller]
    fn check(path: &str, text: &str, expected: Option<&str>) {
        let key = find(path).unwrap();
        let got = key.check(&Key::read_flag(text)).map(|v| v.to_string());
        assert_eq!(got.as_deref(), expected, "{path}={text}");
    }

    #[test]
    fn parses_lists_with_or_without_brackets() {
        check("model.hidden", "512,256", Some("[512, 256]"));
        check("model.hidden", "[512,256]", Some("[512, 256]"));
        check("model.hidden", "64", Some("[64]"));
        check("model.hidden", "[]", Some("[]"));
        check("model.hidden", "512,-1", None);
        check("model.hidden", "512,0", None);
        check("model.hidden", "512,256,", Some("[512, 256]"));
        check("model.hidden", "512,,256", None);
        check("model.hidden", ",", None);
        check("model.hidden", "[ ]", Some("[]"));
        check("model.activation", "tanh,relu", Some(r#"["tanh", "relu"]"#));
        check("model.activation", r#"["tanh", 'relu']"#, Some(r#"["tanh", "relu"]"#));
        check("model.dropout", "0.5,0", Some("[0.5, 0.0]"));
        check("train.epochs", "5,6", None);
        check("data.target", r#"["a,b","c"]"#, Some(r#"["a,b", "c"]"#));
        check("data.target", "price", Some(r#"["price"]"#));
        check("data.target", "7", Some(r#"["7"]"#));
        check("data.weight", "", Some(r#""""#));
    }

    #[test]
    fn numbers_outside_their_range_are_refused() {
        check("model.dropout", "0", Some("0.0"));
        check("model.dropout", "-0.0", Some("0.0"));
        check("model.dropout", ".5", Some("0.5"));
        check("model.dropout", "1", None);
        check("model.dropout", "-0.1", None);
        check("train.learning_rate", "1e-2", Some("0.01"));
        check("train.learning_rate", "0", None);
        check("train.learning_rate", "-1", None);
        check("train.learning_rate", "nan", None);
        check("train.learning_rate", "inf", None);
        check("train.learning_rate", "1e300", None);
        check("train.beta1", "1", None);
        check("train.beta1", "0.999999999", None);
        check("data.val_fraction", "1", None);
        check("train.epochs", "0", None);
        check("train.epochs", "1_000", Some("1000"));
        check("train.epochs", "2.5", None);
        check("train.seed", "99999999999999999999", None);
    }

    #[test]
    fn unknown_words_and_switches_are_refused() {
        check("train.optimizer", "adam", Some(r#""adam""#));
        check("train.optimizer", "\"adam\"", Some(r#""adam""#));
        check("train.optimizer", "adma", None);
        check("train.nesterov", "true", Some("true"));
        check("train.nesterov", "yes", None);
        check("train.momentum", "auto", Some(r#""auto""#));
        check("train.epochs", "auto", None);
    }
}
