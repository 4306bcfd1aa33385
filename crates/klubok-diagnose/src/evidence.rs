//! The figures that a phase or a verdict rests on.

use klubok_train::event::Evidence;

/// Numbers by name; what is no number says nothing and is left out.
pub(super) fn evidence(numbers: &[(&str, f64)]) -> Evidence {
    let finite = numbers.iter().filter(|(_, number)| number.is_finite());
    finite.map(|&(name, number)| (name.to_owned(), number)).collect()
}

/// What a rule finds on a line.
pub(super) enum Finding {
    /// It does not hold.
    No,
    /// It may begin here, or go on: what is said is neither said anew nor taken back.
    Open,
    /// It holds, and this is what it rests on.
    Holds(Evidence),
}

impl Finding {
    pub(super) fn of(evidence: Evidence) -> Self {
        if evidence.is_empty() { Self::No } else { Self::Holds(evidence) }
    }
}
