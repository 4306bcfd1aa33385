//! When a network is looked at.

/// When to look at a network.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct At {
    /// The last known network up to this step; none for the current one.
    pub(super) step: Option<u64>,
    /// Whether a person asked for it just now: then it does not wait for the time that the page's
    /// own refreshing may take.
    pub(super) asked: bool,
}
