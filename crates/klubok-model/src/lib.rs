//! A trained network with everything needed to predict, its file, and predictions of single
//! samples.

mod card;
mod error;
mod model;
mod predict;
mod preprocess;
pub mod tensors;
#[cfg(test)]
mod tests;
pub mod typical;

pub use card::{Card, Errors, Training, Validation};
pub use error::{Flaw, ModelError, Result};
pub use model::Model;
pub use predict::Scratch;
pub use preprocess::{Fit, Input, Preprocessing, Target};
pub use typical::Typical;

/// Format version of written files. Earlier versions are readable, later ones are not.
pub const FORMAT: u64 = 4;
/// Format version of a model without a [`Target`], which earlier versions read.
const FORMAT_WITHOUT_TARGET: u64 = 3;
