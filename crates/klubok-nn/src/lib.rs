//! The mathematics of a multilayer perceptron in plain Rust.
//!
//! [`network`] describes a network and lowers it to a [`plan`], a closed list of operations.
//! [`layers`] has one file per layer, with forward and backward side by side in f64.
//! [`mod@reference`] executes a plan with those functions and with [`loss`] and [`optim`].
//! [`agreement`] checks every other [`backend`] against this reference.

pub mod agreement;
pub mod backend;
pub mod calibration;
pub mod error;
#[cfg(test)]
mod gradient;
pub mod init;
pub mod layers;
mod listed;
pub mod loss;
pub mod network;
pub mod optim;
pub mod plan;
pub mod reference;
pub mod rng;
pub mod rows;
pub mod state;

pub use error::{PlanError, Result};
