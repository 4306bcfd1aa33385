//! What computes.

use klubok::{backend::Backend, config::Config, device};
use klubok_text::text;

use crate::{failure::Result, terminal::Screen};

/// The device and kernel that the settings name.
///
/// # Errors
/// When this machine lacks the kernel.
pub(crate) fn device(config: &Config) -> Result<Box<dyn Backend>> {
    let train = &config.train;
    Ok(device::open(train.device, train.kernel, train.threads, train.precision)?)
}

/// The settings of a run as this machine can compute them: where it lacks the run's kernel, with
/// the fastest that it has, which is said.
pub(crate) fn here(mut config: Config, screen: Screen) -> Config {
    if device(&config).is_err() {
        let before = config.train.kernel.name();
        config.train.kernel = device::fastest(config.train.precision);
        let here = config.train.kernel.name();
        screen.say(text!("resume.other_kernel", kernel = before, here = here));
    }
    config
}
