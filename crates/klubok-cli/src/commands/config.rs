//! `klubok config`: prints the settings that a run would use, or every setting.

use klubok::config::{DataKind, Preset, defaults_text};
use klubok_text::translated;

use crate::{
    args,
    failure::Result,
    settings,
    terminal::{MAX_REPORT_WIDTH, Screen, columns, print_stdout},
    wrap::wrap_line,
};

/// Prints settings as TOML that `-c` reads.
pub(crate) fn run(args: &args::Config) -> Result<()> {
    if args.defaults {
        let preset = args.settings.preset.as_deref().unwrap_or("balanced").parse()?;
        return print_stdout(localized(&defaults_text(preset)).trim_end());
    }
    let written = settings::from_flags(&args.settings, Preset::Balanced, DataKind::Pictures, &[])?;
    let resolved = settings::resolve(&written.builder, Screen::new(false))?;
    print_stdout(localized(&resolved.config.to_toml()))
}

/// Smallest width of a comment beside its setting, even if the line gets too long.
const COMMENT: usize = 40;

/// Translates and wraps the comments of settings; the rest stays valid TOML.
fn localized(settings: &str) -> String {
    let width = columns().min(MAX_REPORT_WIDTH);
    let lines = settings.lines().map(|line| match line.split_once("# ") {
        Some((setting, comment)) => {
            let beside = setting.chars().count() + 2;
            let comment =
                wrap_line(&translated(comment), width.saturating_sub(beside).max(COMMENT));
            let below = format!("\n{}# ", " ".repeat(beside - 2));
            format!("{setting}# {}", comment.replace('\n', &below))
        }
        None => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use klubok_text::in_russian;

    use super::*;

    #[test]
    fn russian_defaults_have_short_lines_and_are_valid_toml() {
        for preset in Preset::ALL {
            let text = in_russian(|| localized(&defaults_text(preset)));
            assert!(text.parse::<toml::Table>().is_ok(), "{text}");
            for line in text.lines() {
                assert!(line.chars().count() <= MAX_REPORT_WIDTH, "{line}");
                // A wrapped comment may continue with a list of values.
                let russian = |c: char| matches!(c, 'а'..='я' | 'А'..='Я');
                let is_named = line.starts_with("# ") && line.contains(": ");
                assert!(!is_named || line.contains(russian), "{line}");
            }
        }
    }
}
