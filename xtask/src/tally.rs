//! How many checks passed.

/// The result of a step.
#[derive(Default)]
pub(crate) struct Tally {
    /// Number of passed tests or checks.
    pub(crate) passed: u32,
    /// Number of failed ones.
    pub(crate) failed: u32,
    /// What to add in the table.
    pub(crate) note: String,
}

impl Tally {
    /// The tally of a step with a single check.
    pub(crate) fn of(good: bool) -> Self {
        Self { passed: u32::from(good), failed: u32::from(!good), note: String::new() }
    }

    /// The tally of a step that cannot run here.
    pub(crate) fn left_out(reason: &str) -> Self {
        Self { note: format!("left out: {reason}"), ..Self::default() }
    }
}
