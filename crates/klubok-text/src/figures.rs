//! The figures of a verdict, formatted for its sentence.

use std::cell::Cell;

use klubok::train::event::Verdict;

use crate::numbers::{decimal, percent};

/// Reads the figures of a verdict and remembers whether a requested one was missing or not finite:
/// a sentence with figures is then impossible.
pub(crate) struct Figures<'a> {
    verdict: &'a Verdict,
    missing: Cell<bool>,
}

impl<'a> Figures<'a> {
    /// Creates a reader of this verdict's figures.
    pub(crate) fn new(verdict: &'a Verdict) -> Self {
        Self { verdict, missing: Cell::new(false) }
    }

    /// Whether a requested figure was missing.
    pub(crate) fn are_missing(&self) -> bool {
        self.missing.get()
    }

    /// Whether the verdict has this figure.
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

    /// Lists the layers in the order of the network: `hidden1 95 %, hidden2 60 %`.
    pub(crate) fn layers(&self, format: impl Fn(f64) -> String) -> String {
        let number = |name: &str| match name.strip_prefix("hidden") {
            Some(number) => number.parse::<usize>().ok(),
            None => (name == "output").then_some(usize::MAX),
        };
        let mut layers: Vec<(usize, String)> = Vec::new();
        for (name, &figure) in &self.verdict.evidence {
            layers.extend(number(name).map(|n| (n, format!("{name} {}", format(figure)))));
            self.missing.set(self.missing.get() || !figure.is_finite());
        }
        self.missing.set(self.missing.get() || layers.is_empty());
        layers.sort();
        layers.into_iter().map(|(_, layer)| layer).collect::<Vec<_>>().join(", ")
    }
}

/// Formats a loss: three decimals, or two significant digits if it is tiny or huge.
pub(crate) fn digits(loss: f64) -> String {
    match loss.abs() {
        0.01..1000.0 => decimal(format_args!("{loss:.3}")),
        _ => decimal(format_args!("{loss:.1e}")),
    }
}
