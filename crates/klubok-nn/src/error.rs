//! What a backend cannot take.

/// A network, state or batch that a backend cannot take.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// Two shapes that must agree do not.
    #[error("`{what}` has {got} values where the network expects {expected}")]
    ShapeMismatch {
        /// The tensor or field.
        what: String,
        /// Number of values the plan asks for.
        expected: usize,
        /// Number of values that were given.
        got: usize,
    },
    /// The plan uses something that this backend cannot run.
    #[error("the {backend} backend cannot run {what}")]
    Unsupported {
        /// Name of the backend.
        backend: &'static str,
        /// What it cannot do.
        what: String,
    },
    /// The network needs more memory than can be had.
    #[error(
        "the network needs about {} of memory, {}", amount(*needed),
        available.map_or("which cannot be had".into(), |bytes| format!("{} can be had", amount(bytes)))
    )]
    Memory {
        /// Estimated need in bytes.
        needed: u64,
        /// What the system lets this process have, where it says so.
        available: Option<u64>,
    },
    /// The system gives fewer threads than were asked for.
    #[error("{wanted} threads were asked for, the system gives {got}")]
    Threads {
        /// Threads that can be had, this one included.
        got: usize,
        /// Threads that were asked for.
        wanted: usize,
    },
    /// A label is not one of the network's outputs.
    #[error("row {row} has label {label}, the network knows the labels 0 to {last}")]
    Label {
        /// Row of the data, from 0.
        row: u32,
        /// The label found.
        label: u32,
        /// The largest label that is allowed.
        last: usize,
    },
}

/// Result of this crate.
pub type Result<T, E = PlanError> = std::result::Result<T, E>;

/// An amount of memory in words.
pub fn amount(bytes: u64) -> String {
    let mib = bytes as f64 / f64::from(1 << 20);
    if mib < 1000.0 { format!("{:.0} MiB", mib.ceil()) } else { format!("{:.1} GiB", mib / 1024.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_said_in_their_unit() {
        let mib = 1 << 20;
        for (bytes, words) in [(0, "0 MiB"), (30 * mib, "30 MiB"), (1536 * mib, "1.5 GiB")] {
            assert_eq!(amount(bytes), words);
        }
    }
}
