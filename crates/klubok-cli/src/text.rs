//! What people read, from one catalogue a language (`lang/en.toml`, `lang/ru.toml`).
//!
//! [`text!`] takes a key and the values of its `{places}`. Tests hold both catalogues to the same
//! keys and places, and to the keys that the code uses.

use std::{collections::BTreeMap, fmt::Display, sync::OnceLock};

/// A language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Lang {
    /// English.
    En,
    /// Russian.
    Ru,
}

type Catalogue = BTreeMap<String, BTreeMap<String, String>>;

static CHOSEN: OnceLock<(Lang, Catalogue)> = OnceLock::new();

/// Chooses the language of this process: the flag, else `KLUBOK_LANG`, the locale, English.
pub(crate) fn choose(flag: Option<Lang>) {
    let locale = ["KLUBOK_LANG", "LC_ALL", "LC_MESSAGES", "LANG"]
        .into_iter()
        .filter_map(|name| std::env::var(name).ok())
        .find(|value| !value.is_empty());
    let lang = flag.unwrap_or(match locale {
        Some(locale) if locale.to_lowercase().starts_with("ru") => Lang::Ru,
        _ => Lang::En,
    });
    CHOSEN.get_or_init(|| (lang, catalogue(lang)));
}

fn catalogue(lang: Lang) -> Catalogue {
    let source = match lang {
        Lang::En => include_str!("../lang/en.toml"),
        Lang::Ru => include_str!("../lang/ru.toml"),
    };
    toml::from_str(source).unwrap_or_default()
}

/// The text of `section.name` in the chosen language, its `{places}` filled. Use [`text!`].
pub(crate) fn lookup(key: &str, values: &[(&str, &dyn Display)]) -> String {
    let (_, catalogue) = CHOSEN.get_or_init(|| (Lang::En, catalogue(Lang::En)));
    let (section, name) = key.split_once('.').unwrap_or((key, ""));
    let mut text = match catalogue.get(section).and_then(|texts| texts.get(name)) {
        Some(text) => text.clone(),
        None => key.to_owned(),
    };
    for (place, value) in values {
        text = text.replace(&format!("{{{place}}}"), &value.to_string());
    }
    text
}

/// A text of the catalogue: `text!("train.best", epoch = 3)`.
macro_rules! text {
    ($key:literal $(, $place:ident = $value:expr)* $(,)?) => {
        $crate::text::lookup($key, &[$((stringify!($place), &$value as &dyn std::fmt::Display)),*])
    };
}
pub(crate) use text;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// `section.name` with its places, sorted.
    fn shape(lang: Lang) -> BTreeMap<String, BTreeSet<String>> {
        let mut shape = BTreeMap::new();
        for (section, texts) in catalogue(lang) {
            for (name, text) in texts {
                assert!(!text.trim().is_empty(), "{section}.{name} is empty in {lang:?}");
                let places = text.split('{').skip(1).filter_map(|s| s.split('}').next());
                shape.insert(format!("{section}.{name}"), places.map(str::to_owned).collect());
            }
        }
        shape
    }

    /// Keys in `text!("...")` anywhere in the sources.
    fn used() -> BTreeSet<String> {
        fn walk(folder: &std::path::Path, keys: &mut BTreeSet<String>) {
            for entry in fs_err::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    walk(&path, keys);
                } else if path.file_name().unwrap() != "text.rs" {
                    let source = fs_err::read_to_string(&path).unwrap();
                    for call in source.split("text!(").skip(1) {
                        keys.insert(call.trim_start()[1..].split('"').next().unwrap().to_owned());
                    }
                }
            }
        }
        let mut keys = BTreeSet::new();
        walk(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut keys);
        keys
    }

    #[test]
    fn both_languages_have_the_same_texts_and_places() {
        let (en, ru) = (shape(Lang::En), shape(Lang::Ru));
        assert!(en.len() > 20, "the English catalogue does not parse");
        for (key, places) in &en {
            assert_eq!(ru.get(key), Some(places), "`{key}` in Russian");
        }
        assert_eq!(en.len(), ru.len(), "texts that only Russian has");
    }

    #[test]
    fn every_text_that_the_code_uses_exists_and_none_is_idle() {
        let en: BTreeSet<String> = shape(Lang::En).into_keys().collect();
        assert_eq!(en, used());
    }
}
