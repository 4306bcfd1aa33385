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
pub use model::Model;

/// Format version of written files. Earlier versions are readable, later ones are not.
pub const FORMAT: u64 = 3;
