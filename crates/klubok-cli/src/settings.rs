//! From flags to settings.

use std::path::PathBuf;

use klubok::{
    config::{ConfigBuilder, DataKind, Preset, Resolved},
    data::{self, SourceKind},
    device,
};
use klubok_text::{shell::quoted, text, translated};

use crate::{
    args::{Parts, Settings},
    failure::Result,
    terminal::Screen,
};

/// Settings as written: preset, then the file, then `--set` and the everyday flags over each other.
pub(crate) struct Written {
    /// The preset that they begin with.
    pub(crate) preset: Preset,
    /// Everything over the defaults.
    pub(crate) builder: ConfigBuilder,
}

/// Settings for this kind of data; without `--preset` they begin with `preset` and `over` over it.
///
/// # Errors
/// When the file cannot be read, a key is unknown or a value out of its range.
pub(crate) fn written(
    settings: &Settings,
    preset: Preset,
    kind: DataKind,
    over: &[(&str, &str)],
) -> Result<Written> {
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
    Ok(Written { preset, builder })
}

/// Flags that say the same again, each with a space before it.
pub(crate) fn flags(settings: &Settings, parts: &Parts) -> String {
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

/// All builder together; what a person should know about them is said.
///
/// # Errors
/// When values do not go together.
pub(crate) fn resolve(builder: &ConfigBuilder, screen: Screen) -> Result<Resolved> {
    let resolved = builder.clone().resolve(&device::machine())?;
    for note in &resolved.notes {
        screen.say(format!("{}: {}", text!("word.note"), translated(&note.to_string())));
    }
    Ok(resolved)
}

/// What settings depend on, for this data.
///
/// # Errors
/// When there is no such data.
pub(crate) fn kind_of(source: &str) -> Result<DataKind> {
    Ok(match data::kind_of(source)? {
        SourceKind::Idx => DataKind::Idx,
        SourceKind::Demo if source == "demo:spirals" => DataKind::Points,
        SourceKind::Pictures | SourceKind::Demo => DataKind::Pictures,
    })
}

/// Threads that were asked for: 0 is one a core.
pub(crate) fn threads(asked: usize) -> usize {
    if asked == 0 { device::machine().cores } else { asked }
}
