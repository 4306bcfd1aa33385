//! Whole networks, run by the reference.

#![expect(clippy::unwrap_used, reason = "a test ends where something fails")]

mod golden;
mod gradients;
