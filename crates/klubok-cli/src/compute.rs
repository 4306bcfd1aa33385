//! What computes.

use klubok::{
    backend::{Backend, cpu::CpuBackend},
    config::{Config, Device},
};

use crate::{terminal::Screen, text::text};

/// The device that the settings name, with the best kernel for it.
pub(crate) fn device(config: &Config) -> Box<dyn Backend> {
    match config.train.device {
        Device::Cpu => cpu(config.train.threads),
    }
}

/// The device and kernel that a run began with; where this machine lacks the kernel, the best it
/// has, which is said.
pub(crate) fn device_of_run(config: &Config, kernel: &str, screen: Screen) -> Box<dyn Backend> {
    let train = &config.train;
    let same = match train.device {
        Device::Cpu => CpuBackend::named(train.threads, train.precision, kernel),
    };
    if let Some(backend) = same {
        return Box::new(backend);
    }
    let backend = device(config);
    let here = backend.info(train.precision).kernel;
    screen.say(text!("resume.other_kernel", kernel = kernel, here = here));
    backend
}

/// The processor with so many threads.
pub(crate) fn cpu(threads: usize) -> Box<dyn Backend> {
    Box::new(CpuBackend::new(threads))
}
