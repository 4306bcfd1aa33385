//! klubok trains multilayer perceptrons and shows how they learn.
//!
//! This crate is the entry point for programs: it re-exports what they need from the other crates.

pub mod device;
mod error;
pub mod evaluation;
pub mod predictor;

pub use klubok_cpu as cpu;
pub use klubok_data::{self as data, components};
pub use klubok_diagnose::{self as diagnose, check};
pub use klubok_files::{self as files, bounded, limits};
pub use klubok_inspect as inspect;
pub use klubok_model as model;
pub use klubok_nn::{self as nn, agreement, backend, optim, plan, reference, rng, rows, state};
pub use klubok_train::{self as train, config};

pub use error::{Error, Result};
