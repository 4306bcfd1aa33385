//! A multilayer perceptron, plainly.
//!
//! [`network`] describes one; [`layers`] has a file a layer, forward and backward side by side in
//! f64, and lowers it to a [`plan`]: a closed list of operations. [`mod@reference`] interprets a
//! plan with those functions and those of [`loss`] and [`optim`]: it is the law, and [`agreement`]
//! holds every other [`backend`] to it.

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
