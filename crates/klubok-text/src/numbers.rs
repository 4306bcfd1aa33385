//! Numbers as people write them, in the chosen language.

use std::{fmt::Display, time::Duration};

use klubok::train::evaluate::wilson;

use crate::{
    catalogue::{Lang, language},
    text,
};

/// Below so many samples an interval lies so unevenly around the accuracy that its ends are said.
const FEW: usize = 30;

/// `58 % ± 3`: an accuracy with its 95 % interval, whose larger side counts; a decimal where it is
/// narrow. Of few samples `80 % (38-96)`.
pub fn accuracy(share: f64, samples: usize) -> String {
    if samples < FEW {
        return format!("{} ({})", percent(share), bounds(share, samples));
    }
    let [low, high] = wilson(share, samples);
    let half = 100.0 * (share - low).max(high - share);
    let digits = usize::from(half < 0.95);
    decimal(format_args!("{:.digits$} % ± {half:.digits$}", 100.0 * share))
}

/// A number that was written with a decimal point, for people: in Russian it has a comma.
pub fn decimal(number: impl Display) -> String {
    match language() {
        Lang::En => number.to_string(),
        Lang::Ru => number.to_string().replace('.', ","),
    }
}

/// `58 % ± 3 (guessing 50 %)`.
pub fn accuracy_and_chance(share: f64, samples: usize, chance: f64) -> String {
    let chance = percent(chance);
    if samples < FEW {
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

/// `38-96`: the ends of the 95 % interval, in percent.
fn bounds(share: f64, samples: usize) -> String {
    let [low, high] = wilson(share, samples).map(|end| 100.0 * end);
    format!("{low:.0}-{high:.0}")
}

/// `50 %`.
pub fn percent(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}

/// A loss with so many decimals; from ten thousand on `4.4e13`.
pub fn loss(loss: f64, digits: usize) -> String {
    if loss.abs() < 1e4 {
        decimal(format_args!("{loss:.digits$}"))
    } else {
        decimal(format_args!("{loss:.1e}"))
    }
}

/// A learning rate with two or three digits that count.
pub fn rate(rate: f64) -> String {
    decimal(rate_to_type(rate))
}

/// The same as a command takes it, in any language.
pub fn rate_to_type(rate: f64) -> String {
    match rate {
        1e-4..1e4 => format!("{rate:.5}").trim_end_matches('0').trim_end_matches('.').to_owned(),
        _ => format!("{rate:.1e}").replace(".0e", "e"),
    }
}

/// `0.4 s`, `12 s`, `2 min 5 s`, `1 h 20 min`.
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

/// `20 000`: digits in groups of three, apart by a narrow space that keeps lines together.
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
    fn an_accuracy_stands_with_its_interval_and_chance() {
        assert_eq!(accuracy_and_chance(0.58, 1000, 0.5), "58 % ± 3 (guessing 50 %)");
        assert_eq!(accuracy(0.985, 10_000), "98.5 % ± 0.3");
        assert_eq!(accuracy(0.8, 30), "80 % ± 17");
        // Of few samples more than 100 % would seem to be within the interval.
        assert_eq!(accuracy(0.8, 5), "80 % (38-96)");
        assert_eq!(accuracy_and_chance(0.8, 5, 0.5), "80 % (38-96; guessing 50 %)");
    }

    #[test]
    fn russian_has_a_decimal_comma_and_commands_have_a_point() {
        let said = || [accuracy(0.985, 10_000), rate(0.00123), rate(7.6e-7), duration(9.9)];
        let russian = ["98,5 % ± 0,3", "0,00123", "7,6e-7", "9,9 с"];
        assert_eq!(in_language(Lang::Ru, said), russian);
        let english = ["98.5 % ± 0.3", "0.00123", "7.6e-7", "9.9 s"];
        assert_eq!(in_language(Lang::En, said), english);
        assert_eq!(in_language(Lang::Ru, || rate_to_type(0.00123)), "0.00123");
    }

    #[test]
    fn times_are_short() {
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
    fn thousands_stand_in_groups_of_three() {
        assert_eq!(thousands(1_234_567), "1\u{202f}234\u{202f}567");
    }
}
