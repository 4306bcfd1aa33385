//! Writes a trained network for programs without klubok.
//!
//! Every format is written from one [`Folded`] network, so that all of them compute the same:
//! batch normalisation, the temperature and the scale of predicted numbers are in its weights, and
//! what is left are sums, activations and the last step to a prediction.

pub mod c;
mod folded;

pub use folded::{Answer, Dense, Folded};
