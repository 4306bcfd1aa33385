//! The published rules of others, held to the same runs. They are told again from their papers and
//! repositories, with the constants that are published as default, on what klubok wrote down of the
//! run.

pub(crate) mod autotrainer;
pub(crate) mod umlaut;

use super::{fault::Fault, outcome::Outcome, settings::Settings};

/// What a set of rules says of a run, by the names of its authors.
pub(crate) type Names = Vec<&'static str>;

/// A set of rules.
pub(crate) struct Peer {
    /// Its name, and where it is published.
    pub(crate) name: &'static str,
    /// What it says of a run.
    pub(crate) judge: fn(&Outcome, &Settings) -> Names,
    /// Whether one of its names names a fault, as generously as its authors' words allow.
    pub(crate) names: fn(&str, Fault) -> bool,
    /// Names that it has no rule for, or whose rule needs what is not in the log.
    pub(crate) cannot: &'static str,
}

/// All of them; the first two are as published, the others leave out or soften a rule that does not
/// suit klubok's logs.
pub(crate) const PEERS: [Peer; 4] =
    [autotrainer::PEER, umlaut::PEER, autotrainer::LATER, umlaut::WITHOUT_RANGE];
