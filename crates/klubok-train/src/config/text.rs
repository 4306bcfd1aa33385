//! Settings as readable TOML: a run's `config.toml`, and the table of defaults.

use std::fmt::Write;

use toml::Table;

use super::{
    Config, ConfigBuilder, DataKind, KEYS, Key, Preset, keys::DefaultValue, value::written,
};

impl Config {
    /// Writes all settings as TOML, each with a short comment.
    /// [`ConfigBuilder::text`](super::ConfigBuilder::text) reads the same settings back.
    pub fn to_toml(&self) -> String {
        let table = Table::try_from(self).unwrap_or_default();
        sections(|text, key| {
            let _ = writeln!(text, "{} = {}  # {}", key.name(), value(&table, key), key.meaning);
        })
    }

    /// Returns the value of a key, as [`Config::to_toml`] writes it.
    pub fn written(&self, key: &Key) -> String {
        value(&Table::try_from(self).unwrap_or_default(), key)
    }
}

fn value(table: &Table, key: &Key) -> String {
    let value = table.get(key.section()).and_then(|section| section.get(key.name()));
    value.map_or_else(|| key.default_value().to_string(), written)
}

/// Writes every setting as usable TOML, with meaning, range, source and its value in a preset for
/// pictures. Comments give the values of other kinds of data and other presets where they differ.
pub fn defaults_text(preset: Preset) -> String {
    let name = preset.name();
    let head = format!(
        "# What `klubok train` uses on folders of pictures: the preset {name}. Where IDX files (such \
         as MNIST), points (demo:spirals, demo:curve), tables or another preset have another value, that is said.\n\n"
    );
    let value = |preset, kind, key: &Key| written(&ConfigBuilder::new(preset, kind).value(key));
    let body = sections(|text, key| {
        let own = value(preset, DataKind::Pictures, key);
        let _ = writeln!(text, "\n# {}", key.meaning);
        let _ = writeln!(text, "# allowed: {}", key.range());
        if let DefaultValue::Auto(rule) = key.default {
            let _ = writeln!(text, "# auto: {rule}");
        }
        let of_preset = preset.source(DataKind::Pictures, key);
        let _ = writeln!(text, "# source: {}", of_preset.unwrap_or(key.source));
        let kinds = [
            ("IDX files", DataKind::Idx),
            ("points", DataKind::Points),
            ("tables", DataKind::Table),
        ];
        for (of, kind) in kinds {
            let other = value(preset, kind, key);
            if other != own {
                let _ = writeln!(text, "# {of}: {other}");
            }
        }
        for other in Preset::ALL.into_iter().filter(|&other| other != preset) {
            let its = value(other, DataKind::Pictures, key);
            if its != own {
                let _ = writeln!(text, "# preset {}: {its}", other.name());
            }
        }
        let _ = writeln!(text, "{} = {own}", key.name());
    });
    head + &body
}

fn sections(line: impl Fn(&mut String, &Key)) -> String {
    let mut text = String::new();
    let mut section = "";
    for key in KEYS {
        if key.section() != section {
            section = key.section();
            let gap = if text.is_empty() { "" } else { "\n" };
            let _ = writeln!(text, "{gap}[{section}]");
        }
        line(&mut text, key);
    }
    text
}

#[cfg(test)]
mod tests {
    use klubok_nn::plan::Activation;
    use proptest::prelude::*;
    use serde::Deserialize;
    use toml::Value;

    use super::{
        super::{
            Machine,
            keys::{Allowed, Arity},
        },
        *,
    };

    fn read(text: &str) -> Config {
        let mut builder = ConfigBuilder::new(Preset::Plain, DataKind::Pictures);
        builder.text(text, "config.toml").unwrap();
        builder.resolve(&Machine::plain(1)).unwrap().config
    }

    fn balanced() -> Config {
        ConfigBuilder::new(Preset::Balanced, DataKind::Pictures)
            .resolve(&Machine::plain(5))
            .unwrap()
            .config
    }

    #[test]
    fn table_and_structs_have_the_same_keys() {
        let config = balanced();
        let table = Table::try_from(&config).unwrap();
        let mut paths: Vec<String> = table
            .iter()
            .flat_map(|(section, keys)| {
                keys.as_table().unwrap().keys().map(move |key| format!("{section}.{key}"))
            })
            .collect();
        paths.sort();
        let mut known: Vec<&str> = KEYS.iter().map(|key| key.path).collect();
        known.sort_unstable();
        assert_eq!(paths, known);
    }

    #[test]
    fn every_default_is_allowed() {
        for key in KEYS {
            assert!(key.check(&key.default_value()).is_some(), "{}", key.path);
        }
    }

    /// Returns the variants that serde accepts for a key, from its error for an unknown one.
    fn words_of_struct(key: &Key) -> Vec<String> {
        let message = if key.path == "model.activation" {
            Activation::deserialize(Value::String("no such word".into())).unwrap_err().to_string()
        } else {
            let mut table = Table::try_from(balanced()).unwrap();
            table[key.section()][key.name()] = Value::String("no such word".into());
            Config::deserialize(table).unwrap_err().to_string()
        };
        let expected = message.lines().next().unwrap().split_once("expected").unwrap().1;
        expected.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    }

    #[test]
    fn table_and_structs_have_the_same_words() {
        for key in KEYS {
            if let Allowed::OneOf(words) = key.allowed {
                // `"auto"` is resolved before a struct is made, except in `train.monitor`: there
                // it is the name of a rule.
                let is_open = |word: &str| word == "auto" && key.path != "train.monitor";
                let words: Vec<&str> = words.iter().copied().filter(|w| !is_open(w)).collect();
                assert_eq!(words_of_struct(key), words, "{}", key.path);
            }
        }
    }

    #[test]
    fn the_printed_defaults_are_the_ones_in_use() {
        for preset in Preset::ALL {
            let used =
                ConfigBuilder::new(preset, DataKind::Pictures).resolve(&Machine::plain(1)).unwrap();
            assert_eq!(read(&defaults_text(preset)), used.config);
        }
        let text = defaults_text(Preset::Balanced);
        assert!(text.contains("epsilon = 1e-8"));
        assert!(text.contains("# IDX files: [512, 256]\n"), "{text}");
        assert!(text.contains("# preset article: [512, 256, 128]\n# preset plain: [512, 256]"));
    }

    #[test]
    fn every_value_of_a_preset_has_a_source() {
        for preset in Preset::ALL {
            for key in KEYS {
                let value = ConfigBuilder::new(preset, DataKind::Pictures).value(key);
                let is_own = value != key.default_value();
                let source = preset.source(DataKind::Pictures, key);
                assert!(!is_own || source.is_some(), "{} in {}", key.path, preset.name());
            }
        }
        let text = defaults_text(Preset::Balanced);
        assert!(text.contains("# source: Srivastava et al. 2014\n"), "{text}");
        assert!(defaults_text(Preset::Plain).contains("# source: the plain network\n"));
    }

    #[test]
    fn a_written_file_has_every_key() {
        let table: Table = balanced().to_toml().parse().unwrap();
        for key in KEYS {
            assert!(table[key.section()].get(key.name()).is_some(), "{}", key.path);
        }
        let open = balanced().to_toml().replace("monitor = \"auto\"", "");
        assert!(!open.contains("= \"auto\""));
        assert_eq!(Config::deserialize(table).unwrap(), balanced());
    }

    /// Generates any allowed value of a key, as TOML.
    fn any_value(key: &'static Key) -> BoxedStrategy<Value> {
        let one = match key.allowed {
            Allowed::Switch => any::<bool>().prop_map(Value::Boolean).boxed(),
            Allowed::OneOf(words) => {
                proptest::sample::select(words).prop_map(|w| Value::String(w.into())).boxed()
            }
            Allowed::Whole(min, max) => (min..=max).prop_map(Value::Integer).boxed(),
            Allowed::Text => any::<String>().prop_map(Value::String).boxed(),
            Allowed::Number(..) => prop_oneof![0.0..1.0, 1e-30..1e30f64]
                .prop_map(Value::Float)
                .prop_filter("in range", |v| key.check(v).is_some())
                .boxed(),
        };
        match key.arity {
            Arity::List => proptest::collection::vec(one, 0..4).prop_map(Value::Array).boxed(),
            Arity::One | Arity::OneOrEach => one,
        }
    }

    /// Generates some keys, each with an allowed value.
    fn any_changes() -> impl Strategy<Value = Vec<(&'static Key, Value)>> {
        let keys: Vec<&'static Key> = KEYS.iter().collect();
        proptest::sample::subsequence(keys, 0..12).prop_flat_map(|keys| {
            let change = |key| any_value(key).prop_map(move |value| (key, value));
            keys.into_iter().map(change).collect::<Vec<_>>()
        })
    }

    proptest! {
        #[test]
        fn settings_survive_a_round_trip(changes in any_changes()) {
            let mut builder = ConfigBuilder::new(Preset::Balanced, DataKind::Pictures);
            for (key, value) in changes {
                let text = format!("{} = {value}", key.path);
                prop_assert!(builder.text(&text, "a.toml").is_ok(), "{text}");
            }
            if let Ok(resolved) = builder.resolve(&Machine::plain(7)) {
                prop_assert_eq!(read(&resolved.config.to_toml()), resolved.config);
            }
        }
    }
}
