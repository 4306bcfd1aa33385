//! The libraries that klubok is compared with.

use clap::ValueEnum;

/// A library to compare with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Library {
    /// `PyTorch`: eager and compiled, in f32 and with bf16 autocast.
    Torch,
    /// JAX: one compiled step.
    Jax,
    /// scikit-learn: `MLPClassifier`.
    Sklearn,
    /// Burn on its own CPU backend.
    Burn,
    /// Candle on the CPU.
    Candle,
    /// ONNX Runtime: predictions only.
    Onnx,
}

impl Library {
    /// True if its peer is a Rust program, not a Python script.
    pub(crate) fn is_rust(self) -> bool {
        matches!(self, Self::Burn | Self::Candle)
    }
}
