//! Model files: a trained network in one file.

pub mod atomic;
mod card;
mod error;
mod model;
pub mod tensors;
#[cfg(test)]
mod tests;

pub use atomic::write_atomically;
pub use card::{Card, Training, Validation};
pub use error::{Flaw, ModelError, Result};
pub use model::{FORMAT, Model};
