//! Writes a trained network for programs without klubok.
//!
//! Every format is written from one [`Folded`] network, so that all of them compute the same:
//! batch normalisation, the temperature and the scale of predicted numbers are in its weights, and
//! what is left are sums, activations and the last step to a prediction.
//!
//! [`c`] and [`rust`] write source files that need nothing, not even a mathematical library, and
//! test themselves: they hold a few samples with klubok's own predictions. [`onnx`] writes a graph
//! for runtimes.

pub mod c;
mod folded;
mod int8;
pub mod onnx;
pub mod rust;
mod samples;
mod source;

pub use folded::{Answer, Dense, Folded};
pub use int8::int8;
pub use samples::{Sample, Samples, samples};

/// How the weights of a file are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WeightFormat {
    /// As they are.
    #[default]
    F32,
    /// In 8 bits, with a scale for each unit. Biases stay `f32`.
    Int8,
}
