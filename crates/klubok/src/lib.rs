//! klubok trains multilayer perceptrons and shows how they learn.

pub mod backend;
pub mod bounded;
pub mod check;
pub mod components;
pub mod config;
pub mod data;
pub mod error;
pub mod format;
pub mod limits;
pub mod look;
pub mod nn;
pub mod observe;
pub mod optim;
pub mod part;
pub mod plan;
pub mod rng;
pub mod rows;
pub mod state;
pub mod train;

pub use error::{Error, Result};
