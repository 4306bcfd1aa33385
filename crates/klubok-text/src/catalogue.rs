//! What people read, from one catalogue a language (`lang/en.toml`, `lang/ru.toml`).
//!
//! [`text!`] takes a key and the values of its `{places}`. Tests hold both catalogues to the same
//! keys and places, and to the keys that the code uses.

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

static CHOSEN: OnceLock<Lang> = OnceLock::new();
static CATALOGUES: [OnceLock<Catalogue>; 2] = [const { OnceLock::new() }; 2];

thread_local! {
    /// The language of [`both`], instead of the chosen one.
    static FOR_NOW: Cell<Option<Lang>> = const { Cell::new(None) };
}

/// A text in every language.
#[derive(Debug, Clone, Serialize)]
pub struct Both {
    en: String,
    ru: String,
}

/// What `write` makes of the catalogue, in every language: for the page, where the reader chooses.
pub fn both(write: impl Fn() -> String) -> Both {
    Both { en: in_language(Lang::En, &write), ru: in_language(Lang::Ru, &write) }
}

/// What is written in this language, whichever is chosen.
pub fn in_language<T>(lang: Lang, write: impl Fn() -> T) -> T {
    FOR_NOW.set(Some(lang));
    let written = write();
    FOR_NOW.set(None);
    written
}

/// The same in English: for what programs read.
pub fn english(write: impl Fn() -> String) -> String {
    both(write).en
}

/// The same in Russian.
pub fn in_russian(write: impl Fn() -> String) -> String {
    both(write).ru
}

/// Chooses the language of this process, once.
pub fn choose(lang: Lang) {
    CHOSEN.get_or_init(|| lang);
}

/// The language that is spoken.
pub fn language() -> Lang {
    FOR_NOW.get().unwrap_or_else(|| *CHOSEN.get_or_init(|| Lang::En))
}

fn catalogue(lang: Lang) -> &'static Catalogue {
    let source = match lang {
        Lang::En => include_str!("../lang/en.toml"),
        Lang::Ru => include_str!("../lang/ru.toml"),
    };
    CATALOGUES[lang as usize].get_or_init(|| toml::from_str(source).unwrap_or_default())
}

/// Sections that the page reads.
const PAGE: [&str; 5] = ["evidence", "page", "phase", "verdict", "word"];

/// All texts that the page reads, as `section.name`.
pub fn of_page(lang: Lang) -> BTreeMap<String, &'static str> {
    let sections = PAGE.iter().filter_map(|name| Some((name, catalogue(lang).get(*name)?)));
    let texts = sections.flat_map(|(section, texts)| {
        texts.iter().map(move |(name, text)| (format!("{section}.{name}"), text.as_str()))
    });
    texts.collect()
}

/// The text of `section.name` in the chosen language, its `{places}` filled: what a value would
/// command a terminal is made visible, so a painted value cannot be filled in. Use [`text!`].
pub fn lookup(key: &str, values: &[(&str, &dyn Display)]) -> String {
    let lang = language();
    let (section, name) = key.split_once('.').unwrap_or((key, ""));
    let text = match catalogue(lang).get(section).and_then(|texts| texts.get(name)) {
        Some(text) => text.clone(),
        None => key.to_owned(),
    };
    filled(&text, values)
}

/// A text with its places filled, each once: what a value says about places is only said. A place
/// with forms, `{n|epoch|epochs}` or `{n|эпоха|эпохи|эпох}`, is the form that the number takes.
pub(crate) fn filled(text: &str, values: &[(&str, &dyn Display)]) -> String {
    let (mut whole, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((before, after)) = rest.split_once('{') {
        whole.push_str(before);
        let value = after.split_once('}').and_then(|(place, after)| {
            let (name, forms) = place.split_once('|').unwrap_or((place, ""));
            let (_, value) = values.iter().find(|(known, _)| *known == name)?;
            let value = clean(value);
            Some((if forms.is_empty() { value } else { form(&value, forms).to_owned() }, after))
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

/// The form of a word after a number: of two forms for one and for others, of three the Russian
/// ones for 1, 2 and 5. What is no whole number takes the one for 2 of three, the other of two.
fn form<'f>(number: &str, forms: &'f str) -> &'f str {
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

/// A text of the catalogue: `text!("train.best", epoch = 3)`.
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
    fn places_are_filled_once() {
        let (name, n): (&dyn Display, &dyn Display) = (&"{n} cats", &3);
        let text = filled("`{name}`: {n}, {other} {", &[("n", n), ("name", name)]);
        assert_eq!(text, "`{n} cats`: 3, {other} {");
    }

    #[test]
    fn words_agree_with_their_number() {
        let said = |n: &str, text: &str| filled(text, &[("n", &n)]);
        let russian = ["0", "1", "2", "5", "11", "14", "21", "112", "1\u{202f}003", "0.5"]
            .map(|n| said(n, "{n} {n|эпоха|эпохи|эпох}"));
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
        let english = ["0", "1", "2"].map(|n| said(n, "{n} {n|epoch|epochs}"));
        assert_eq!(english, ["0 epochs", "1 epoch", "2 epochs"]);
    }

    /// `section.name` with its places, sorted.
    fn shape(lang: Lang) -> BTreeMap<String, BTreeSet<String>> {
        let mut shape = BTreeMap::new();
        for (section, texts) in catalogue(lang) {
            for (name, text) in texts {
                assert!(!text.trim().is_empty(), "{section}.{name} is empty in {lang:?}");
                let places = text.split('{').skip(1).filter_map(|s| s.split(['}', '|']).next());
                shape.insert(format!("{section}.{name}"), places.map(str::to_owned).collect());
            }
        }
        shape
    }

    /// Keys in `text!("...")` anywhere in the sources, and in any string of the page.
    fn used() -> BTreeSet<String> {
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
            PAGE.contains(&section) && !name.is_empty() && name.chars().all(plain)
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
