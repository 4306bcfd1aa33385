//! What computes.

use klubok::{
    backend::Backend,
    config::{Config, Device},
    device,
    nn::plan::Precision,
};

use crate::{terminal::Screen, text::text};

/// The device that the settings name, with the best kernel for it.
pub(crate) fn device(config: &Config) -> Box<dyn Backend> {
    let train = &config.train;
    device::open(train.device, None, train.threads, train.precision)
        .expect("every machine has a best kernel")
}

/// The device and kernel that a run began with; where this machine lacks the kernel, the best it
/// has, which is said.
pub(crate) fn device_of_run(config: &Config, kernel: &str, screen: Screen) -> Box<dyn Backend> {
    let train = &config.train;
    let same = device::open(train.device, Some(kernel), train.threads, train.precision);
    same.unwrap_or_else(|| {
        let backend = device(config);
        let here = backend.info(train.precision).kernel;
        screen.say(text!("resume.other_kernel", kernel = kernel, here = here));
        backend
    })
}

/// The processor with so many threads.
pub(crate) fn cpu(threads: usize) -> Box<dyn Backend> {
    device::open(Device::Cpu, None, threads, Precision::F32).expect("every machine has a processor")
}
