//! Statements of the article about its network, on every kernel path and the reference.

#![expect(clippy::unwrap_used, reason = "a failure ends the test")]

mod article;
