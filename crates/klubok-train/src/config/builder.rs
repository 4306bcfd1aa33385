//! Gathers settings from their sources, later over earlier: defaults, preset, file, flags.

use std::{collections::BTreeMap, path::Path};

use klubok_files::bounded;
use serde::Deserialize;
use toml::{
    Spanned, Value,
    de::{DeTable, DeValue, ValueDeserializer},
};
use toml_parser::{Source, lexer::TokenKind};

use super::{
    Config, ConfigError, DataKind, KEYS, Key, Machine, Note, Preset, TargetKind,
    find::{find, nearest},
    keys::DefaultValue,
    notes,
    setting::{Origin, Setting},
    value::written,
};

/// Nesting limit of lists and tables, and of the parts of a dotted key. The parser has its own
/// limit, but its search for the end of an error recurses as deep as the brackets go.
const MAX_DEPTH: usize = 16;
/// Characters of a key or value shown in a message.
const MAX_SHOWN_CHARS: usize = 80;

/// The settings written so far, over the defaults. Clone it for the variants of a comparison.
#[derive(Debug, Clone)]
pub struct ConfigBuilder {
    kind: DataKind,
    /// What the target of the data is, where known.
    task: Option<TargetKind>,
    settings: BTreeMap<&'static str, Setting>,
    run: Option<toml::Table>,
}

/// Settings resolved from all sources.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// The settings, all concrete.
    pub config: Config,
    /// Remarks for the user.
    pub notes: Vec<Note>,
    /// The table `[run]` of the file; a run's `config.toml` has it beside the settings.
    pub run: Option<toml::Table>,
}

impl ConfigBuilder {
    /// Starts from the defaults with a preset over them.
    pub fn new(preset: Preset, kind: DataKind) -> Self {
        let mut builder = Self { kind, task: None, settings: BTreeMap::new(), run: None };
        apply_preset(&mut builder, preset);
        builder
    }

    /// Sets what the target of the data is; settings that do not fit it are then refused.
    #[must_use]
    pub fn for_target(self, task: TargetKind) -> Self {
        Self { task: Some(task), ..self }
    }

    /// Returns the target columns of a table, and what they are if a setting says so.
    pub fn target(&self) -> (Vec<String>, Option<TargetKind>) {
        let value = |path| find(path).map(|key| self.value(key));
        let columns = value("data.target").and_then(|value| value.try_into().ok());
        let task = value("data.task").and_then(|value| value.try_into().ok());
        (columns.unwrap_or_default(), task)
    }

    /// Returns the current value of a key; it may be `"auto"`.
    pub(super) fn value(&self, key: &Key) -> Value {
        let setting = self.settings.get(key.path);
        setting.map_or_else(|| key.default_value(), |setting| setting.value.clone())
    }

    /// Applies a TOML file over the settings so far.
    ///
    /// # Errors
    /// When the file cannot be read, is not TOML, or has an unknown key or a value out of its
    /// range.
    pub fn file(&mut self, path: &Path) -> crate::Result<()> {
        let text = bounded::read_to_string(path, bounded::MAX_SETTINGS_BYTES)?;
        Ok(self.text(&text, &path.display().to_string())?)
    }

    /// Applies TOML over the settings so far; `file` names it in messages.
    ///
    /// # Errors
    /// When it is not TOML, or has an unknown key or a value out of its range. The builder then
    /// stays unchanged.
    pub fn text(&mut self, text: &str, file: &str) -> Result<(), ConfigError> {
        let mut next = self.clone();
        next.add(text, file, |line| Origin::File { file: file.into(), line })?;
        *self = next;
        Ok(())
    }

    /// Applies one setting from a flag: `512,256` is a list, a bare word a string.
    ///
    /// # Errors
    /// When the key is unknown or the value out of its range.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), ConfigError> {
        let known = known(key, || Origin::Flag)?;
        self.put(known, Some(&Key::read_flag(value)), value, Origin::Flag)
    }

    /// Applies one setting with a value in TOML.
    ///
    /// # Errors
    /// As [`ConfigBuilder::set`].
    pub fn set_value(&mut self, key: &str, value: &Value) -> Result<(), ConfigError> {
        let known = known(key, || Origin::Flag)?;
        self.put(known, Some(value), &written(value), Origin::Flag)
    }

    /// Applies one setting written `key=value`.
    ///
    /// # Errors
    /// As [`ConfigBuilder::set`], and when there is no `=`.
    pub fn assign(&mut self, text: &str) -> Result<(), ConfigError> {
        let (key, value) =
            text.split_once('=').ok_or_else(|| ConfigError::Assignment { text: text.into() })?;
        self.set(key.trim(), value)
    }

    /// Resolves all sources: every `"auto"` gets a concrete value for this machine.
    ///
    /// # Errors
    /// When values that are valid by themselves conflict.
    pub fn resolve(self, machine: &Machine) -> Result<Resolved, ConfigError> {
        let task = self.task.unwrap_or_default();
        let config = super::resolve::config(&self.settings, self.kind, task, machine);
        super::resolve::check(&config, self.kind, self.task)?;
        let notes = notes::notes(&config, &self.settings, self.kind);
        Ok(Resolved { config, notes, run: self.run })
    }

    /// Parses a run's own `config.toml`, with its table `[run]`. It passes the checks of any
    /// settings file, and may leave nothing open. A missing fixed key takes its default: an
    /// earlier klubok did not know it.
    ///
    /// # Errors
    /// As [`ConfigBuilder::text`] and [`ConfigBuilder::resolve`], and when a value is `"auto"`, or
    /// missing where that means `"auto"`.
    pub fn parse_run(text: &str, file: &str) -> Result<Resolved, ConfigError> {
        // The bound of a shift depends on the data, which may be gone. A larger shift repeats the
        // edge and does no harm.
        let mut builder = Self::new(Preset::Plain, DataKind::Points);
        // `target` was a setting once, though nothing used it.
        builder.text(&text.replace("\ntarget = \"\"", "\n"), file)?;
        let (settings, file) = (builder.settings.clone(), file.to_owned());
        let resolved = builder.resolve(&Machine::plain(1))?;
        let is_open = |key: &&Key| match settings.get(key.path) {
            Some(Setting { value, .. }) => written(value) != resolved.config.written(key),
            // An earlier klubok had none of these keys: names decided the layout, there were
            // classes only, `[run]` held the kernel.
            None if ["data.layout", "data.task"].contains(&key.path) => false,
            None if key.path == "train.kernel" => {
                !resolved.run.as_ref().is_some_and(|run| run.contains_key("kernel"))
            }
            None => matches!(key.default, DefaultValue::Auto(_)),
        };
        match KEYS.iter().find(is_open) {
            Some(key) => Err(ConfigError::Open { key: key.path, file }),
            None => Ok(resolved),
        }
    }

    /// Adds all settings of a text; on an error, those before it stay.
    fn add(
        &mut self,
        text: &str,
        file: &str,
        origin: impl Fn(usize) -> Origin,
    ) -> Result<(), ConfigError> {
        let line = |at: usize| text[..at].matches('\n').count() + 1;
        if let Some(at) = too_deep(text) {
            let message = format!("lists, tables or keys more than {MAX_DEPTH} deep");
            return Err(ConfigError::Syntax { file: file.into(), line: line(at), message });
        }
        let table = DeTable::parse(text).map_err(|error| ConfigError::Syntax {
            file: file.into(),
            line: line(error.span().map_or(0, |span| span.start)),
            message: error.message().into(),
        })?;
        for entry in entries(table.into_inner()) {
            let origin = || origin(line(entry.at));
            let written = &text[entry.value.span()];
            let value = Value::deserialize(ValueDeserializer::from(entry.value.clone())).ok();
            match (entry.path.as_str(), value) {
                ("run", Some(Value::Table(run))) => self.run = Some(run),
                (path, _) if is_section(path) => {
                    return Err(ConfigError::Value {
                        key: path.into(),
                        value: short(written),
                        allowed: format!("a section: `[{path}]` and its keys below"),
                        origin: origin(),
                    });
                }
                (path, value) => {
                    let key = known(path, origin)?;
                    self.put(key, value.as_ref(), written, origin())?;
                }
            }
        }
        Ok(())
    }

    fn put(
        &mut self,
        key: &'static Key,
        value: Option<&Value>,
        written: &str,
        origin: Origin,
    ) -> Result<(), ConfigError> {
        match value.and_then(|value| key.check(value)) {
            Some(value) => {
                self.settings.insert(key.path, Setting { value, origin });
                Ok(())
            }
            None => Err(ConfigError::Value {
                key: key.path.into(),
                value: short(written.trim().trim_matches('"')),
                allowed: key.expected(value),
                origin,
            }),
        }
    }
}

/// A key and its value in a file.
struct Entry<'t> {
    path: String,
    /// Byte offset of the key.
    at: usize,
    value: Spanned<DeValue<'t>>,
}

/// Lists the values of a file by `section.name`, in the order of the text. Anything that is not a
/// name in a section (a nested table, a value outside a section, an empty unknown section) keeps
/// its own path.
fn entries(table: DeTable<'_>) -> Vec<Entry<'_>> {
    let mut entries = Vec::new();
    for (section, content) in table {
        let at = section.span().start;
        let path = section.into_inner().into_owned();
        match content.get_ref() {
            DeValue::Table(table) if path != "run" && (is_section(&path) || !table.is_empty()) => {
                entries.extend(table.iter().map(|(name, value)| Entry {
                    path: format!("{path}.{}", name.get_ref()),
                    at: name.span().start,
                    value: value.clone(),
                }));
            }
            _ => entries.push(Entry { path, at, value: content }),
        }
    }
    entries.sort_by_key(|entry| entry.at);
    entries
}

/// Returns the byte offset at which the text nests deeper than [`MAX_DEPTH`].
fn too_deep(text: &str) -> Option<usize> {
    let (mut dots, mut open) = (0, Vec::new());
    for token in Source::new(text).lex() {
        match token.kind() {
            TokenKind::Dot => dots += 1,
            TokenKind::Atom
            | TokenKind::Whitespace
            | TokenKind::BasicString
            | TokenKind::LiteralString => {}
            kind => {
                dots = 0;
                match kind {
                    TokenKind::LeftSquareBracket => open.push(TokenKind::RightSquareBracket),
                    TokenKind::LeftCurlyBracket => open.push(TokenKind::RightCurlyBracket),
                    // A bracket of another kind closes nothing.
                    kind if open.last() == Some(&kind) => drop(open.pop()),
                    _ => {}
                }
            }
        }
        if dots >= MAX_DEPTH || open.len() > MAX_DEPTH {
            return Some(token.span().start());
        }
    }
    None
}

fn short(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN_CHARS) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

fn is_section(path: &str) -> bool {
    KEYS.iter().any(|key| key.section() == path)
}

fn known(path: &str, origin: impl Fn() -> Origin) -> Result<&'static Key, ConfigError> {
    find(path).ok_or_else(|| ConfigError::UnknownKey {
        key: short(path),
        nearest: nearest(path),
        origin: origin(),
    })
}

fn apply_preset(builder: &mut ConfigBuilder, preset: Preset) {
    builder
        .add(preset.toml(builder.kind), preset.name(), |_| Origin::Preset(preset))
        .expect("a test loads every preset");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn builder() -> ConfigBuilder {
        ConfigBuilder::new(Preset::Plain, DataKind::Pictures)
    }

    #[track_caller]
    fn refused(text: &str, message: &str) {
        let error = builder().text(text, "a.toml").unwrap_err();
        assert_eq!(error.to_string(), message);
    }

    #[test]
    fn later_sources_override_earlier_ones() {
        let mut builder = ConfigBuilder::new(Preset::Article, DataKind::Pictures);
        let config = builder.clone().resolve(&Machine::plain(2)).unwrap().config;
        assert_eq!((config.train.epochs, config.train.learning_rate), (60, 0.01));
        builder.text("[train]\nepochs = 7\nlearning_rate = 0.5", "a.toml").unwrap();
        builder.assign("train.epochs=9").unwrap();
        let config = builder.resolve(&Machine::plain(2)).unwrap().config;
        assert_eq!((config.train.epochs, config.train.learning_rate), (9, 0.5));
    }

    #[test]
    fn a_file_with_an_error_leaves_the_builder_unchanged() {
        let mut builder = builder();
        builder.text("[train]\nepochs = 7\nlearning_rate = -1", "a.toml").unwrap_err();
        assert_eq!(builder.resolve(&Machine::plain(1)).unwrap().config.train.epochs, 30);
    }

    #[test]
    fn returns_the_run_table() {
        let mut builder = builder();
        builder.text("[run]\nseconds = 3\n[run.more]\nx = 1\n[train]\nseed = 5", "a").unwrap();
        let resolved = builder.resolve(&Machine::plain(1)).unwrap();
        assert_eq!(resolved.run.unwrap()["seconds"], Value::Integer(3));
        assert_eq!(resolved.config.train.seed, 5);
    }

    #[test]
    fn refuses_nesting_that_would_overflow_the_stack() {
        let deep = "a.".repeat(1 << 20);
        let message =
            "line 2 of `a.toml` is not valid TOML: lists, tables or keys more than 16 deep";
        for text in [
            format!("\n{deep}b = 1"),
            format!("\n[{deep}b]"),
            format!("\nx = {{{deep}b = 1}}"),
            format!("\n{}b = 1", "'='.\"=\" . ".repeat(1 << 20)),
            format!("\nx = {}", "{".repeat(1 << 20)),
            format!("\nx = {}", "[{".repeat(1 << 20)),
            format!("\nx = {}", "{]".repeat(1 << 20)),
            format!("\nx = {}", "{[}".repeat(1 << 20)),
            format!("\n{}", "[".repeat(1 << 20)),
        ] {
            let error = builder().text(&text, "a.toml").unwrap_err().to_string();
            assert_eq!(error, message);
        }
        let rates = vec!["0.5"; 100].join(", ");
        let text = format!("[model]\nhidden = {:?}\ndropout = [{rates}]", vec![2; 100]);
        builder().text(&text, "a.toml").unwrap();
    }

    #[test]
    fn messages_shorten_a_very_long_key_or_value() {
        let long = "y".repeat(1 << 20);
        let start = std::time::Instant::now();
        for text in [format!("[train]\n{long} = 1"), format!("[train]\nepochs = '{long}'")] {
            let error = builder().text(&text, "a.toml").unwrap_err().to_string();
            assert!(error.len() < 300 && error.contains("yyy..."), "{error}");
        }
        assert!(start.elapsed().as_secs() < 5);
    }

    #[test]
    fn an_unknown_key_error_names_the_nearest_key_and_the_line() {
        refused(
            "[train]\nepochs = 1\nlearning_rat = 0.1\n",
            "unknown key `train.learning_rat` in line 3 of `a.toml`, the nearest known key is `train.learning_rate`",
        );
        refused(
            "[optimizer]\nlr = 0.1\n",
            "unknown key `optimizer.lr` in line 2 of `a.toml`, the nearest known key is `train.learning_rate`",
        );
        refused(
            "epochs = 3",
            "unknown key `epochs` in line 1 of `a.toml`, the nearest known key is `train.epochs`",
        );
        refused("\n[zzzz]\n", "unknown key `zzzz` in line 2 of `a.toml`");
        refused("[data]\nqqqqqqq = 1", "unknown key `data.qqqqqqq` in line 2 of `a.toml`");
        let error = builder().assign("train.epoch=3").unwrap_err().to_string();
        assert_eq!(error, "unknown key `train.epoch`, the nearest known key is `train.epochs`");
    }

    #[test]
    fn an_invalid_value_error_names_key_value_range_and_line() {
        refused(
            "[train]\nlearning_rate = -1",
            "`train.learning_rate` is `-1` in line 2 of `a.toml`, it must be a number above 0, or \"auto\"",
        );
        refused(
            "model = { dropout = 1 }",
            "`model.dropout` is `1` in line 1 of `a.toml`, it must be a number of at least 0 and below 1, or a list with one a hidden layer",
        );
        refused(
            "train.optimizer = \"adma\"",
            "`train.optimizer` is `adma` in line 1 of `a.toml`, it must be one of sgd, rmsprop, adam, adamw",
        );
        refused(
            "[train]\nseed = 99999999999999999999",
            "`train.seed` is `99999999999999999999` in line 2 of `a.toml`, it must be a whole number of at least 0",
        );
        refused(
            "[train.epochs]\nx = 1",
            "`train.epochs` is `[train.epochs]` in line 1 of `a.toml`, it must be a whole number from 1 to 1000000",
        );
        refused(
            "train = 3",
            "`train` is `3` in line 1 of `a.toml`, it must be a section: `[train]` and its keys below",
        );
        let error = builder().assign("model.hidden=512,-256").unwrap_err().to_string();
        assert_eq!(
            error,
            "`model.hidden` is `512,-256`, it must be a list of at most 1000, each entry a whole number from 1 to 1000000"
        );
    }

    #[test]
    fn a_syntax_error_names_the_line() {
        let error = builder().text("[train]\nepochs = = 3", "a.toml").unwrap_err().to_string();
        assert!(error.starts_with("line 2 of `a.toml` is not valid TOML: "), "{error}");
        let error =
            builder().text("[train]\nseed = 1\nseed = 2", "a.toml").unwrap_err().to_string();
        assert!(error.starts_with("line 3 of `a.toml` is not valid TOML: duplicate"), "{error}");
    }

    #[test]
    fn a_flag_needs_an_equals_sign() {
        let error = builder().assign("train.epochs").unwrap_err().to_string();
        assert!(error.contains("`train.epochs`") && error.contains("key=value"), "{error}");
    }

    #[test]
    fn settings_of_a_run_are_checked_and_concrete() {
        let written = builder().resolve(&Machine::plain(3)).unwrap().config;
        let text = written.to_toml();
        let read = |text: &str| {
            ConfigBuilder::parse_run(text, "config.toml").map(|resolved| resolved.config)
        };
        assert_eq!(read(&text).unwrap(), written);
        // Earlier versions of klubok had fewer keys.
        assert_eq!(read(&text.replace("output_init", "#")).unwrap(), written);
        assert_eq!(read(&text.replace("\nlimit =", "\ntarget = \"\"\n#")).unwrap(), written);
        let refused = |from: &str, to: &str, words: &str| {
            assert!(text.contains(from), "{from}");
            let error = read(&text.replacen(from, to, 1)).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        };
        refused("size = 64", "size = 0", "`data.size` is `0` in line");
        refused("dropout = 0.0", "dropout = nan", "`model.dropout` is `nan`");
        refused("dropout = 0.0", "dropout = []", "`model.dropout` is `a list of 0`");
        refused("threads = 3", "threads = 4095", "`train.threads` is `4095`");
        refused("threads = 3", "threads = 0", "leaves `train.threads` open");
        refused("precision = \"f32\"", "precision = \"auto\"", "leaves `train.precision` open");
        refused("beta2 = 0.999", "beta2 = \"auto\"", "leaves `train.beta2` open");
        refused("learning_rate = ", "#", "leaves `train.learning_rate` open");
        refused("warmup_epochs = 1.5", "warmup_epochs = inf", "`train.warmup_epochs` is `inf`");
    }

    #[test]
    fn the_error_names_a_missing_file() {
        let error = builder().file(Path::new("no/such.toml")).unwrap_err().to_string();
        assert!(error.contains("no/such.toml"), "{error}");
    }
}
