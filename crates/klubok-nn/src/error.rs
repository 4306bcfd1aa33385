//! Errors of this crate.

/// A backend rejects a network, a state or a batch.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// A tensor or field has the wrong number of values.
    #[error("`{what}` has {got} values where the network expects {expected}")]
    ShapeMismatch {
        /// Name of the tensor or field.
        what: String,
        /// Number of values in the plan.
        expected: usize,
        /// Number of values found.
        got: usize,
    },
    /// The backend cannot run some part of the plan.
    #[error("the {backend} backend cannot run {what}")]
    Unsupported {
        /// Name of the backend.
        backend: &'static str,
        /// The unsupported part of the plan.
        what: String,
    },
    /// A parameter is neither a matrix nor a vector.
    #[error("`{parameter}` has the shape {shape:?}: a parameter is a matrix or a vector")]
    Dimensions {
        /// Name of the parameter.
        parameter: String,
        /// Its shape.
        shape: Vec<usize>,
    },
    /// The network needs more memory than the process can get.
    #[error(
        "the network needs about {} of memory, {}", format_bytes(*needed),
        available.map_or("which cannot be had".into(), |bytes| format!("{} can be had", format_bytes(bytes)))
    )]
    Memory {
        /// Estimated need in bytes.
        needed: u64,
        /// Bytes that the process can get, if known.
        available: Option<u64>,
    },
    /// The system gives the process too few threads.
    #[error("{wanted} threads were asked for, the system gives {got}")]
    Threads {
        /// Threads available, the calling one included.
        got: usize,
        /// Threads requested.
        wanted: usize,
    },
    /// A label is not one of the network's outputs.
    #[error("row {row} has label {label}, the network knows the labels 0 to {last}")]
    Label {
        /// Row of the data, from 0.
        row: u32,
        /// The label found.
        label: u32,
        /// The largest valid label.
        last: usize,
    },
}

/// Result of this crate.
pub type Result<T, E = PlanError> = std::result::Result<T, E>;

/// Formats an amount of memory for people: MiB below 1000 MiB, GiB above.
pub fn format_bytes(bytes: u64) -> String {
    let mib = bytes as f64 / f64::from(1 << 20);
    if mib < 1000.0 { format!("{:.0} MiB", mib.ceil()) } else { format!("{:.1} GiB", mib / 1024.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_bytes_in_mib_and_gib() {
        let mib = 1 << 20;
        for (bytes, text) in [(0, "0 MiB"), (30 * mib, "30 MiB"), (1536 * mib, "1.5 GiB")] {
            assert_eq!(format_bytes(bytes), text);
        }
    }
}
