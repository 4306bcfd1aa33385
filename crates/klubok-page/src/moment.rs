//! When a network is looked at.

/// When to look at a network.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct At {
    /// The last known network up to this step; none for the current one.
    pub(super) step: Option<u64>,
    /// Whether a person asked for it just now: then nothing waits for a budget. The page's own
    /// refreshing does.
    pub(super) asked: bool,
}
