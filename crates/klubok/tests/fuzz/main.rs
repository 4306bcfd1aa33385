//! Every reader against inputs that are nearly right, one file a kind of input.
//!
//! The plain suite gives each some hundreds; `cargo xtask test --full` gives each a million.

#![expect(clippy::unwrap_used, reason = "a test ends where something fails")]

mod folders;
mod histories;
mod idx;
mod model;
mod pictures;
mod run;
mod settings;
