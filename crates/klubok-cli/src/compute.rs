//! Replaces a kernel that this machine lacks.

use klubok::{config::Config, device};
use klubok_text::text;

use crate::terminal::Screen;

/// Returns the settings with a kernel that this machine has. Replaces a missing kernel by the
/// fastest available one, with a message.
pub(crate) fn with_available_kernel(mut config: Config, screen: Screen) -> Config {
    if device::of(&config).is_err() {
        let before = config.train.kernel.name();
        config.train.kernel = device::fastest(config.train.precision);
        let here = config.train.kernel.name();
        screen.message(text!("resume.other_kernel", kernel = before, here = here));
    }
    config
}
