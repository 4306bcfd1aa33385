//! `klubok config`: what a run would use, or everything that can be set.

use klubok::config::{DataKind, Preset, defaults_text};

use crate::{
    args,
    failure::Result,
    phrase::said,
    settings,
    terminal::{Screen, answer},
};

/// Prints settings as TOML that `-c` reads.
pub(crate) fn run(args: &args::Config) -> Result<()> {
    if args.defaults {
        let preset = args.settings.preset.as_deref().unwrap_or("balanced").parse()?;
        return answer(explained(&defaults_text(preset)).trim_end());
    }
    let written = settings::written(&args.settings, Preset::Balanced, DataKind::Pictures, &[])?;
    let resolved = settings::resolve(&written.layers, Screen::new(false))?;
    answer(explained(&resolved.config.to_toml()))
}

/// Settings with their comments in the chosen language; the rest is TOML.
fn explained(settings: &str) -> String {
    let lines = settings.lines().map(|line| match line.rsplit_once("# ") {
        Some((setting, comment)) => format!("{setting}# {}", said(comment)),
        None => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}
