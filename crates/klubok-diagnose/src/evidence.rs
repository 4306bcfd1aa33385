//! The figures behind a phase or a verdict.

use klubok_train::event::Evidence;

/// Collects numbers by name, finite ones only.
pub(super) fn evidence(numbers: &[(&str, f64)]) -> Evidence {
    let finite = numbers.iter().filter(|(_, number)| number.is_finite());
    finite.map(|&(name, number)| (name.to_owned(), number)).collect()
}

/// The result of a rule on one record of metrics.
pub(super) enum Finding {
    /// The rule does not hold: clears its verdict.
    No,
    /// Undecided: neither raises nor clears the verdict.
    Undecided,
    /// The rule holds, on this evidence.
    Holds(Evidence),
}

impl Finding {
    /// Holds unless the evidence is empty.
    pub(super) fn from_evidence(evidence: Evidence) -> Self {
        if evidence.is_empty() { Self::No } else { Self::Holds(evidence) }
    }
}
