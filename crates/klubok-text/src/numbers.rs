//! Numbers for people, in the current language.

use std::{fmt::Display, time::Duration};

use klubok::train::evaluate::wilson;

use crate::{
    catalogue::{Lang, language},
    text,
};

/// Below this number of samples the interval is so asymmetric that both its ends are written.
const FEW_SAMPLES: usize = 30;

/// Formats an accuracy with the larger side of its 95 % interval: `58 % ± 3`, with a decimal if
/// that is narrow; `80 % (38-96)` for few samples.
pub fn accuracy(share: f64, samples: usize) -> String {
    if samples < FEW_SAMPLES {
        return format!("{} ({})", percent(share), bounds(share, samples));
    }
    let [low, high] = wilson(share, samples);
    let half = 100.0 * (share - low).max(high - share);
    let digits = usize::from(half < 0.95);
    decimal(format_args!("{:.digits$} % ± {half:.digits$}", 100.0 * share))
}

/// Replaces the decimal point of a formatted number by a comma in Russian.
pub fn decimal(number: impl Display) -> String {
    match language() {
        Lang::En => number.to_string(),
        Lang::Ru => number.to_string().replace('.', ","),
    }
}

/// Formats an accuracy with its interval and the chance level: `58 % ± 3 (guessing 50 %)`.
pub fn accuracy_and_chance(share: f64, samples: usize, chance: f64) -> String {
    let chance = percent(chance);
    if samples < FEW_SAMPLES {
        let bounds = bounds(share, samples);
        return text!(
            "word.accuracy_few",
            share = percent(share),
            bounds = bounds,
            chance = chance
        );
    }
    text!("word.accuracy", accuracy = accuracy(share, samples), chance = chance)
}

/// Formats the ends of the 95 % interval in percent: `38-96`.
fn bounds(share: f64, samples: usize) -> String {
    let [low, high] = wilson(share, samples).map(|end| 100.0 * end);
    format!("{low:.0}-{high:.0}")
}

/// Formats a coefficient of determination: `0.843`, far below 0 with three digits.
pub fn r_squared(r2: f64) -> String {
    if r2.abs() < 100.0 { decimal(format_args!("{r2:.3}")) } else { significant(r2) }
}

/// Formats a share: `50 %`.
pub fn percent(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}

/// Formats a loss with so many decimals, or as `4.4e13` from 10,000 on.
pub fn loss(loss: f64, digits: usize) -> String {
    if loss.abs() < 1e4 {
        decimal(format_args!("{loss:.digits$}"))
    } else {
        decimal(format_args!("{loss:.1e}"))
    }
}

/// Formats a number with five significant digits: `0.52341`, `1234.5`, `4.4000e13`.
pub fn significant(number: f64) -> String {
    let size = number.abs();
    if number != 0.0 && !(1e-4..1e6).contains(&size) {
        return decimal(format_args!("{number:.4e}"));
    }
    let whole = if size >= 1.0 { size.log10().floor() as usize } else { 0 };
    let digits = 4usize.saturating_sub(whole);
    decimal(format_args!("{number:.digits$}"))
}

/// Formats a learning rate with at most five decimals.
pub fn rate(rate: f64) -> String {
    decimal(rate_to_type(rate))
}

/// Formats a learning rate for a command line: with a decimal point in every language.
pub fn rate_to_type(rate: f64) -> String {
    match rate {
        1e-4..1e4 => format!("{rate:.5}").trim_end_matches('0').trim_end_matches('.').to_owned(),
        _ => format!("{rate:.1e}").replace(".0e", "e"),
    }
}

/// Formats a duration: `0.4 s`, `12 s`, `2 min 5 s`, `1 h 20 min`.
pub fn duration(seconds: f64) -> String {
    let whole = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX).as_secs_f64().round();
    let (hours, minutes) = ((whole / 3600.0).floor(), (whole % 3600.0 / 60.0).floor());
    if seconds < 9.95 {
        text!("word.seconds", s = decimal(format_args!("{seconds:.1}")))
    } else if hours > 0.0 {
        text!("word.hours", h = hours, m = minutes)
    } else if minutes > 0.0 {
        text!("word.minutes", m = minutes, s = whole % 60.0)
    } else {
        text!("word.seconds", s = whole)
    }
}

/// Formats a whole number in groups of three digits, separated by narrow no-break spaces: `20 000`.
pub fn thousands(n: usize) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::in_language;

    #[test]
    fn numbers_have_five_significant_digits() {
        let numbers = [0.0, 0.523_411, 3.25, -1234.56, 99_999.6, 4.4e13, 1e-9];
        assert_eq!(
            numbers.map(significant),
            ["0.0000", "0.5234", "3.2500", "-1234.6", "100000", "4.4000e13", "1.0000e-9"]
        );
    }

    #[test]
    fn an_accuracy_has_its_interval_and_the_chance_level() {
        assert_eq!(accuracy_and_chance(0.58, 1000, 0.5), "58 % ± 3 (guessing 50 %)");
        assert_eq!(accuracy(0.985, 10_000), "98.5 % ± 0.3");
        assert_eq!(accuracy(0.8, 30), "80 % ± 17");
        // With a symmetric interval, few samples would allow more than 100 %.
        assert_eq!(accuracy(0.8, 5), "80 % (38-96)");
        assert_eq!(accuracy_and_chance(0.8, 5, 0.5), "80 % (38-96; guessing 50 %)");
    }

    #[test]
    fn russian_has_a_decimal_comma_and_commands_have_a_point() {
        let numbers = || [accuracy(0.985, 10_000), rate(0.00123), rate(7.6e-7), duration(9.9)];
        let russian = ["98,5 % ± 0,3", "0,00123", "7,6e-7", "9,9 с"];
        assert_eq!(in_language(Lang::Ru, numbers), russian);
        let english = ["98.5 % ± 0.3", "0.00123", "7.6e-7", "9.9 s"];
        assert_eq!(in_language(Lang::En, numbers), english);
        assert_eq!(in_language(Lang::Ru, || rate_to_type(0.00123)), "0.00123");
    }

    #[test]
    fn durations_are_short() {
        let all: Vec<String> = [0.04, 9.9, 12.4, 125.0, 4800.0].map(duration).into();
        assert_eq!(all, ["0.0 s", "9.9 s", "12 s", "2 min 5 s", "1 h 20 min"]);
        assert!(!duration(f64::INFINITY).is_empty());
    }

    #[test]
    fn learning_rates_are_short() {
        let all: Vec<String> = [0.001, 0.000_972_9, 2.0, 7.6e-7, 1e29].map(rate).into();
        assert_eq!(all, ["0.001", "0.00097", "2", "7.6e-7", "1e29"]);
    }

    #[test]
    fn thousands_are_grouped() {
        assert_eq!(thousands(1_234_567), "1\u{202f}234\u{202f}567");
    }
}
