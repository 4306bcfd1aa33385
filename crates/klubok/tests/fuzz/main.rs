//! Fuzz tests of every reader with almost valid inputs, one file per kind of input.
//!
//! The plain suite runs some hundreds of inputs per reader; `cargo xtask test --full` runs a
//! million.

#![expect(clippy::unwrap_used, reason = "a test ends where something fails")]

mod folders;
mod histories;
mod idx;
mod model;
mod pictures;
mod run;
mod settings;
mod tables;
