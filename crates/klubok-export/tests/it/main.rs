//! What is written computes what klubok predicts.

#![expect(clippy::unwrap_used, reason = "a test ends where something fails")]

mod interpreter;
mod models;
mod onnx;
mod source;
