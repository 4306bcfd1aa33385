//! Tests of whole networks on the reference backend.

#![expect(clippy::unwrap_used, reason = "a failure ends the test")]

mod golden;
mod gradients;
