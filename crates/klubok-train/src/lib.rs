//! Settings, the training loop, its events, checkpoints and the run folder.
//!
//! [`trainer::Trainer`] trains in memory; [`session`] connects it to a [`run_dir::RunDir`] on disk.

pub mod act;
pub mod activity;
pub mod batches;
pub mod best;
pub mod cadence;
pub mod checkpoint;
pub mod config;
pub mod control;
pub mod distance;
mod error;
pub mod evaluate;
pub mod event;
pub mod film;
pub mod histogram;
pub mod log;
pub mod logs;
pub mod meter;
pub mod metrics;
pub mod pace;
pub mod progress;
pub mod run_dir;
pub mod run_info;
pub mod samples;
pub mod session;
pub mod setup;
pub mod task;
pub mod tensorboard;
pub mod trainer;
pub mod validation;

pub use error::{Result, RunError};
