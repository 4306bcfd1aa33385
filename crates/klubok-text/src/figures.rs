//! The figures of a verdict, as its sentence says them.

use std::cell::Cell;

use klubok::train::event::Verdict;

use crate::numbers::{decimal, percent};

/// The figures of a verdict. One that is asked for and is not there, or is no number, makes the
/// sentence around it unsayable.
pub(crate) struct Figures<'a> {
    verdict: &'a Verdict,
    missing: Cell<bool>,
}

impl<'a> Figures<'a> {
    /// Of this verdict; none was asked for yet.
    pub(crate) fn new(verdict: &'a Verdict) -> Self {
        Self { verdict, missing: Cell::new(false) }
    }

    /// Whether one that was asked for is missing.
    pub(crate) fn are_missing(&self) -> bool {
        self.missing.get()
    }

    /// True of a figure that is there.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.verdict.evidence.get(key).is_some_and(|figure| figure.is_finite())
    }

    pub(crate) fn get(&self, key: &str) -> f64 {
        let figure = self.verdict.evidence.get(key).copied().filter(|figure| figure.is_finite());
        self.missing.set(self.missing.get() || figure.is_none());
        figure.unwrap_or(0.0)
    }

    pub(crate) fn loss(&self, key: &str) -> String {
        digits(self.get(key))
    }

    pub(crate) fn share(&self, key: &str) -> String {
        percent(self.get(key))
    }

    /// `hidden1 95 %, hidden2 60 %`: the layers of a verdict, in the order of the network.
    pub(crate) fn layers(&self, shown: impl Fn(f64) -> String) -> String {
        let number = |name: &str| match name.strip_prefix("hidden") {
            Some(number) => number.parse::<usize>().ok(),
            None => (name == "output").then_some(usize::MAX),
        };
        let mut layers: Vec<(usize, String)> = Vec::new();
        for (name, &figure) in &self.verdict.evidence {
            layers.extend(number(name).map(|n| (n, format!("{name} {}", shown(figure)))));
            self.missing.set(self.missing.get() || !figure.is_finite());
        }
        self.missing.set(self.missing.get() || layers.is_empty());
        layers.sort();
        layers.into_iter().map(|(_, layer)| layer).collect::<Vec<_>>().join(", ")
    }
}

/// A loss with the digits that count.
pub(crate) fn digits(loss: f64) -> String {
    match loss.abs() {
        0.01..1000.0 => decimal(format_args!("{loss:.3}")),
        _ => decimal(format_args!("{loss:.1e}")),
    }
}
