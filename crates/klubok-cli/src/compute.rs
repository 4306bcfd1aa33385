//! Opens the computing device that the settings name.

use klubok::{backend::Backend, config::Config, device};
use klubok_text::text;

use crate::{failure::Result, terminal::Screen};

/// Opens the device with the kernel that the settings name.
///
/// # Errors
/// When this machine lacks the kernel.
pub(crate) fn open_device(config: &Config) -> Result<Box<dyn Backend>> {
    let train = &config.train;
    Ok(device::open(train.device, train.kernel, train.threads, train.precision)?)
}

/// Returns the settings with a kernel that this machine has. Replaces a missing kernel by the
/// fastest available one, with a message.
pub(crate) fn with_available_kernel(mut config: Config, screen: Screen) -> Config {
    if open_device(&config).is_err() {
        let before = config.train.kernel.name();
        config.train.kernel = device::fastest(config.train.precision);
        let here = config.train.kernel.name();
        screen.message(text!("resume.other_kernel", kernel = before, here = here));
    }
    config
}
