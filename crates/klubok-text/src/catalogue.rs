//! Catalogues of texts, one for each language (`lang/en.toml`, `lang/ru.toml`).
//!
//! [`crate::text!`] takes a key and the values of its `{places}`. Tests check that both catalogues
//! have the same keys and places, and exactly the keys that the code uses.

use std::{cell::Cell, collections::BTreeMap, fmt::Display, sync::OnceLock};

use serde::Serialize;

use crate::escape::clean;

/// A language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lang {
    /// English.
    En,
    /// Russian.
    Ru,
}

type Catalogue = BTreeMap<String, BTreeMap<String, String>>;

static CHOSEN_LANGUAGE: OnceLock<Lang> = OnceLock::new();
static CATALOGUES: [OnceLock<Catalogue>; 2] = [const { OnceLock::new() }; 2];

thread_local! {
    /// Language inside [`in_language`], instead of the chosen one.
    static LANGUAGE_OVERRIDE: Cell<Option<Lang>> = const { Cell::new(None) };
}

/// A text in both languages.
#[derive(Debug, Clone, Serialize)]
pub struct Bilingual {
    en: String,
    ru: String,
}

/// Writes a text in both languages: for the page, where the reader chooses.
pub fn bilingual(write: impl Fn() -> String) -> Bilingual {
    Bilingual { en: in_language(Lang::En, &write), ru: in_language(Lang::Ru, &write) }
}

/// Calls `write` in this language instead of the chosen one.
pub fn in_language<T>(lang: Lang, write: impl Fn() -> T) -> T {
    LANGUAGE_OVERRIDE.set(Some(lang));
    let written = write();
    LANGUAGE_OVERRIDE.set(None);
    written
}

/// Writes a text in English: for programs.
pub fn in_english(write: impl Fn() -> String) -> String {
    in_language(Lang::En, write)
}

/// Writes a text in Russian.
pub fn in_russian(write: impl Fn() -> String) -> String {
    in_language(Lang::Ru, write)
}

/// Chooses the language of this process. Only the first call counts.
pub fn choose(lang: Lang) {
    CHOSEN_LANGUAGE.get_or_init(|| lang);
}

/// Returns the current language.
pub fn language() -> Lang {
    LANGUAGE_OVERRIDE.get().unwrap_or_else(|| *CHOSEN_LANGUAGE.get_or_init(|| Lang::En))
}

fn catalogue(lang: Lang) -> &'static Catalogue {
    let source = match lang {
        Lang::En => include_str!("../lang/en.toml"),
        Lang::Ru => include_str!("../lang/ru.toml"),
    };
    CATALOGUES[lang as usize].get_or_init(|| toml::from_str(source).unwrap_or_default())
}

/// Sections of the catalogue that the page's scripts use.
const PAGE_SECTIONS: [&str; 7] = ["evidence", "page", "phase", "race", "say", "verdict", "word"];

/// Returns the texts of the page by their keys, `section.name`.
pub fn page_texts(lang: Lang) -> BTreeMap<String, &'static str> {
    let sections =
        PAGE_SECTIONS.iter().filter_map(|name| Some((name, catalogue(lang).get(*name)?)));
    let texts = sections.flat_map(|(section, texts)| {
        texts.iter().map(move |(name, text)| (format!("{section}.{name}"), text.as_str()))
    });
    texts.collect()
}

/// Looks up the text of `section.name` in the current language and fills its `{places}`. Escapes
/// control characters in values, so a value cannot be styled. Use [`crate::text!`].
pub fn lookup(key: &str, values: &[(&str, &dyn Display)]) -> String {
    let lang = language();
    let (section, name) = key.split_once('.').unwrap_or((key, ""));
    let text = match catalogue(lang).get(section).and_then(|texts| texts.get(name)) {
        Some(text) => text.clone(),
        None => key.to_owned(),
    };
    fill(&text, values)
}

/// Fills the places of a text; places inside values stay. A place with forms, `{n|epoch|epochs}` or
/// `{n|эпоха|эпохи|эпох}`, becomes the form of the word for the number.
pub(crate) fn fill(text: &str, values: &[(&str, &dyn Display)]) -> String {
    let (mut whole, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((before, after)) = rest.split_once('{') {
        whole.push_str(before);
        let value = after.split_once('}').and_then(|(place, after)| {
            let (name, forms) = place.split_once('|').unwrap_or((place, ""));
            let (_, value) = values.iter().find(|(known, _)| *known == name)?;
            let value = clean(value);
            Some((
                if forms.is_empty() { value } else { plural_form(&value, forms).to_owned() },
                after,
            ))
        });
        rest = if let Some((value, after)) = value {
            whole.push_str(&value);
            after
        } else {
            whole.push('{');
            after
        };
    }
    whole + rest
}

/// Chooses the form of a word after a number: of two forms singular or plural, of three the Russian
/// ones for 1, 2 and 5. A number that is not whole takes the plural, or the form for 2.
fn plural_form<'f>(number: &str, forms: &'f str) -> &'f str {
    let forms: Vec<&str> = forms.split('|').collect();
    let digits: String = number.chars().filter(|c| !c.is_whitespace()).collect();
    let number = digits.parse::<u64>().ok();
    let which = match (forms.len(), number) {
        (2, number) => usize::from(number != Some(1)),
        (_, Some(n)) if (11..=14).contains(&(n % 100)) => 2,
        (_, Some(n)) if n % 10 == 1 => 0,
        (_, Some(n)) if !(2..=4).contains(&(n % 10)) => 2,
        _ => 1,
    };
    forms.get(which).unwrap_or(&"")
}

/// Looks up a text of the catalogue: `text!("train.best", epoch = 3)`.
#[macro_export]
macro_rules! text {
    ($key:literal $(, $place:ident = $value:expr)* $(,)?) => {
        $crate::lookup($key, &[$((stringify!($place), &$value as &dyn std::fmt::Display)),*])
    };
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn places_inside_values_are_not_filled() {
        let (name, n): (&dyn Display, &dyn Display) = (&"{n} cats", &3);
        let text = fill("`{name}`: {n}, {other} {", &[("n", n), ("name", name)]);
        assert_eq!(text, "`{n} cats`: 3, {other} {");
    }

    #[test]
    fn words_agree_with_their_number() {
        let counted = |n: &str, text: &str| fill(text, &[("n", &n)]);
        let russian = ["0", "1", "2", "5", "11", "14", "21", "112", "1\u{202f}003", "0.5"]
            .map(|n| counted(n, "{n} {n|эпоха|эпохи|эпох}"));
        assert_eq!(
            russian,
            [
                "0 эпох",
                "1 эпоха",
                "2 эпохи",
                "5 эпох",
                "11 эпох",
                "14 эпох",
                "21 эпоха",
                "112 эпох",
                "1\u{202f}003 эпохи",
                "0.5 эпохи"
            ]
        );
        let english = ["0", "1", "2"].map(|n| counted(n, "{n} {n|epoch|epochs}"));
        assert_eq!(english, ["0 epochs", "1 epoch", "2 epochs"]);
    }

    /// Returns the keys of a catalogue with their places.
    fn keys_and_places(lang: Lang) -> BTreeMap<String, BTreeSet<String>> {
        let mut keys = BTreeMap::new();
        for (section, texts) in catalogue(lang) {
            for (name, text) in texts {
                assert!(!text.trim().is_empty(), "{section}.{name} is empty in {lang:?}");
                let places = text.split('{').skip(1).filter_map(|s| s.split(['}', '|']).next());
                keys.insert(format!("{section}.{name}"), places.map(str::to_owned).collect());
            }
        }
        keys
    }

    /// Collects the keys in `text!("...")` of the sources and in strings of the page.
    fn used_keys() -> BTreeSet<String> {
        fn walk(folder: &std::path::Path, keys: &mut BTreeSet<String>) {
            for entry in fs_err::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let ending = path.extension().unwrap_or_default().to_string_lossy().into_owned();
                match ending.as_str() {
                    _ if path.is_dir() => walk(&path, keys),
                    "js" | "html" => {
                        let source = fs_err::read_to_string(&path).unwrap();
                        let strings = source.split('"').filter(|string| is_key_of_page(string));
                        keys.extend(strings.map(str::to_owned));
                    }
                    "rs" if path.file_name().unwrap() != "catalogue.rs" => {
                        let source = fs_err::read_to_string(&path).unwrap();
                        for call in source.split("text!(").skip(1) {
                            let key = call.trim_start()[1..].split('"').next().unwrap();
                            keys.insert(key.to_owned());
                        }
                    }
                    _ => {}
                }
            }
        }
        fn is_key_of_page(string: &str) -> bool {
            let Some((section, name)) = string.split_once('.') else { return false };
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            PAGE_SECTIONS.contains(&section) && !name.is_empty() && name.chars().all(plain)
        }
        let mut keys = BTreeSet::new();
        for own in ["klubok-text", "klubok-page", "klubok-cli"] {
            let crates = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
            walk(&crates.join(own).join("src"), &mut keys);
        }
        keys
    }

    #[test]
    fn both_languages_have_the_same_texts_and_places() {
        let (en, ru) = (keys_and_places(Lang::En), keys_and_places(Lang::Ru));
        assert!(en.len() > 20, "the English catalogue does not parse");
        for (key, places) in &en {
            assert_eq!(ru.get(key), Some(places), "`{key}` in Russian");
        }
        assert_eq!(en.len(), ru.len(), "texts that only Russian has");
    }

    #[test]
    fn the_catalogue_has_exactly_the_keys_that_the_code_uses() {
        let en: BTreeSet<String> = keys_and_places(Lang::En).into_keys().collect();
        assert_eq!(en, used_keys());
    }
}
