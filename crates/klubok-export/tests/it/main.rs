//! What is written computes what klubok predicts.

#![expect(clippy::unwrap_used, reason = "a test ends where something fails")]

mod models;
mod source;
