//! What computes.

use klubok::{
    backend::{Backend, cpu::CpuBackend},
    config::{Config, Device},
};

/// The device that the settings name.
pub(crate) fn device(config: &Config) -> Box<dyn Backend> {
    match config.train.device {
        Device::Cpu => cpu(config.train.threads),
    }
}

/// The processor with so many threads.
pub(crate) fn cpu(threads: usize) -> Box<dyn Backend> {
    Box::new(CpuBackend::new(threads))
}
