//! Settings from flags, files and presets.

use std::path::PathBuf;

use klubok::{
    config::{ConfigBuilder, DataKind, Preset, Resolved, TargetKind},
    data::{builtin::BuiltIn, table::Reason},
    device,
};
use klubok_text::{shell::quoted, text, translated};

use crate::{
    failure::Result,
    flags::{PartFlags, SettingFlags},
    loading,
    terminal::Screen,
};

/// Settings before `auto` is resolved: preset, file, `--set` and flags, each over the one before.
pub(crate) struct UnresolvedSettings {
    /// Preset at the bottom.
    pub(crate) preset: Preset,
    /// Everything above it.
    pub(crate) builder: ConfigBuilder,
}

/// Collects settings for a kind of data. Without `--preset` they begin with `preset` and `over`.
///
/// # Errors
/// When the file cannot be read, a key is unknown or a value out of its range.
pub(crate) fn from_flags(
    settings: &SettingFlags,
    preset: Preset,
    kind: DataKind,
    over: &[(&str, &str)],
) -> Result<UnresolvedSettings> {
    let named = settings.preset.as_deref().map(str::parse).transpose()?;
    let preset = named.unwrap_or(preset);
    let mut builder = ConfigBuilder::new(preset, kind);
    for (key, value) in over.iter().filter(|_| named.is_none()) {
        builder.set(key, value)?;
    }
    if let Some(file) = &settings.config {
        builder.file(file)?;
    }
    for (key, value) in settings.assignments() {
        builder.set(&key, &value)?;
    }
    Ok(UnresolvedSettings { preset, builder })
}

/// Collects settings for this data, as [`from_flags`] does, and finds out what its target is.
///
/// # Errors
/// As [`from_flags`]; when the data is missing.
pub(crate) fn for_data(
    settings: &SettingFlags,
    preset: Preset,
    source: &str,
    screen: Screen,
) -> Result<UnresolvedSettings> {
    let kind = DataKind::of(source)?;
    let UnresolvedSettings { preset, builder } = from_flags(settings, preset, kind, &[])?;
    let target = target_kind(source, kind, &builder, screen)?;
    Ok(UnresolvedSettings { preset, builder: builder.for_target(target) })
}

/// Returns what the target of the data is. Of a table without such a setting the values decide, and
/// a message says what was taken and why.
fn target_kind(
    source: &str,
    kind: DataKind,
    builder: &ConfigBuilder,
    screen: Screen,
) -> Result<TargetKind> {
    if kind != DataKind::Table {
        let built_in = source.strip_prefix("demo:").and_then(BuiltIn::from_name);
        return Ok(built_in.map_or(TargetKind::Class, |set| set.kind().into()));
    }
    let (columns, task) = builder.target();
    if let (Some(task), false) = (task, columns.is_empty()) {
        return Ok(task);
    }
    let (target, reason) = loading::table_target(source, &columns, screen)?;
    let names = columns.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    screen.message(match reason {
        Reason::Text => text!("load.target_text", names = names),
        Reason::FewNumbers { distinct } => {
            text!("load.target_few", names = names, n = distinct)
        }
        Reason::ManyNumbers => text!("load.target_many", names = names),
        Reason::RareNumbers { distinct } => {
            text!("load.target_rare", names = names, n = distinct)
        }
        Reason::Fractions => text!("load.target_fractions", names = names),
        Reason::ZerosAndOnes => text!("load.target_labels", names = names),
        Reason::SeveralNumbers => text!("load.target_several", names = names),
        Reason::NoTarget | Reason::Asked | Reason::Model => return Ok(target),
    });
    Ok(target)
}

/// Writes settings and parts as flags again, each with a space before it.
pub(crate) fn to_flags(settings: &SettingFlags, parts: &PartFlags) -> String {
    let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
    let named = [
        ("--val", path(&parts.val)),
        ("--test", path(&parts.test)),
        ("-c", path(&settings.config)),
        ("--preset", settings.preset.clone()),
    ];
    let named = named.into_iter().filter_map(|(flag, value)| Some((flag, value?)));
    let set = settings.assignments().into_iter();
    let set = set.map(|(key, value)| ("--set", format!("{key}={value}")));
    let flag = |(flag, value): (&str, String)| [" ", flag, " ", &quoted(&value)].concat();
    named.chain(set).map(flag).collect()
}

/// Resolves settings and prints notes on them.
///
/// # Errors
/// When values contradict each other.
pub(crate) fn resolve(builder: &ConfigBuilder, screen: Screen) -> Result<Resolved> {
    let resolved = builder.clone().resolve(&device::machine())?;
    for note in &resolved.notes {
        screen.message(format!("{}: {}", text!("word.note"), translated(&note.to_string())));
    }
    Ok(resolved)
}

/// Number of threads to use: 0 requests one a core.
pub(crate) fn thread_count(requested: usize) -> usize {
    if requested == 0 { device::machine().cores } else { requested }
}
