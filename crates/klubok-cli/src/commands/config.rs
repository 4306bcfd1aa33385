//! `klubok config`: what a run would use, or everything that can be set.

use klubok::config::{DataKind, Preset, defaults_text};

use crate::{
    args,
    failure::Result,
    settings,
    terminal::{Screen, answer},
};

/// Prints settings as TOML that `-c` reads.
pub(crate) fn run(args: &args::Config) -> Result<()> {
    if args.defaults {
        return answer(defaults_text().trim_end());
    }
    let written = settings::written(&args.settings, Preset::Balanced, DataKind::Pictures, &[])?;
    let resolved = settings::resolve(&written.layers, Screen::new(false))?;
    answer(resolved.config.to_toml().trim_end())
}
