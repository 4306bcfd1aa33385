//! Published rules of other tools, evaluated on the same runs. They are reimplemented from papers
//! and repositories with the published default constants, and read klubok's logs.

pub(crate) mod autotrainer;
pub(crate) mod umlaut;

use super::{fault::Fault, outcome::Outcome, settings::Settings};

/// Findings of a set of rules in a run, under its authors' names.
pub(crate) type Findings = Vec<&'static str>;

/// A set of rules.
pub(crate) struct Peer {
    /// Name in tables.
    pub(crate) name: &'static str,
    /// Returns the findings in a run.
    pub(crate) evaluate: fn(&Outcome, &Settings) -> Findings,
    /// True if a finding names a fault, by the most generous reading of its authors' words.
    pub(crate) matches: fn(&str, Fault) -> bool,
    /// Faults that it has no rule for, or whose rule needs figures that the log lacks.
    pub(crate) limits: &'static str,
}

/// All sets of rules. The first two are as published; the others drop or soften a rule that does
/// not suit klubok's logs.
pub(crate) const PEERS: [Peer; 4] =
    [autotrainer::PEER, umlaut::PEER, autotrainer::LATER, umlaut::WITHOUT_RANGE];
