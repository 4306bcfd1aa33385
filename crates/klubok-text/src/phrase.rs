//! Translates sentences that other code writes in English: the help of arguments, the meanings of
//! settings, and the errors of the library, the system and the page's server.
//!
//! `lang/phrases.toml` has each sentence with its Russian, `{places}` in both. The words around the
//! places identify a sentence. The value of a place may be such a sentence again, unless it is
//! in quotes.

use std::{collections::BTreeMap, sync::OnceLock};

use crate::catalogue::{Lang, fill, language};

/// A sentence with places.
struct Phrase {
    /// Texts around the places, one more than places.
    words: Vec<&'static str>,
    places: Vec<&'static str>,
    russian: &'static str,
}

/// English and Russian sentences, by section.
fn catalogue() -> &'static BTreeMap<String, BTreeMap<String, String>> {
    static CATALOGUE: OnceLock<BTreeMap<String, BTreeMap<String, String>>> = OnceLock::new();
    CATALOGUE
        .get_or_init(|| toml::from_str(include_str!("../lang/phrases.toml")).unwrap_or_default())
}

/// Phrases with the longest fixed text first: they match most exactly.
fn phrases() -> &'static [Phrase] {
    static PHRASES: OnceLock<Vec<Phrase>> = OnceLock::new();
    PHRASES.get_or_init(|| {
        let all = catalogue().values().flatten();
        let mut phrases: Vec<Phrase> =
            all.map(|(english, russian)| phrase(english, russian)).collect();
        phrases.sort_by_key(|phrase| std::cmp::Reverse(phrase.words.concat().len()));
        phrases
    })
}

fn phrase(english: &'static str, russian: &'static str) -> Phrase {
    let (mut words, mut places) = (Vec::new(), Vec::new());
    let mut rest = english;
    while let Some((before, (place, after))) =
        rest.split_once('{').and_then(|(before, after)| Some((before, after.split_once('}')?)))
    {
        words.push(before);
        places.push(place);
        rest = after;
    }
    words.push(rest);
    Phrase { words, places, russian }
}

impl Phrase {
    /// Returns the values of the places if `text` is this sentence.
    fn match_text<'t>(&self, text: &'t str) -> Option<Vec<&'t str>> {
        let (first, rest) = self.words.split_first()?;
        let mut text = text.strip_prefix(first)?;
        let Some((last, between)) = rest.split_last() else {
            return text.is_empty().then(Vec::new);
        };
        text = text.strip_suffix(last)?;
        let mut found = Vec::new();
        for words in between {
            let (value, after) = text.split_once(words)?;
            found.push(value);
            text = after;
        }
        found.push(text);
        // `{n}` is a number: a value with letters belongs to another phrase.
        let is_number = |text: &str| text.chars().all(|c| !c.is_alphabetic());
        let numbers = self.places.iter().zip(&found).filter(|(place, _)| **place == "n");
        // A name in backticks ends at the next one: what goes on beyond it is another phrase.
        let ends = |(place, found): (usize, &&str)| !self.is_name(place) || !found.contains('`');
        let fits = numbers.map(|(_, found)| found).all(|found| is_number(found))
            && found.iter().enumerate().all(ends);
        fits.then_some(found)
    }

    /// Whether a place is in quotes: a name, which is the same in both languages.
    fn is_name(&self, place: usize) -> bool {
        let is_between =
            |quote| self.words[place].ends_with(quote) && self.words[place + 1].starts_with(quote);
        is_between('`') || is_between('\'')
    }

    fn fill(&self, found: &[&str]) -> String {
        let values: Vec<(&str, String)> = self
            .places
            .iter()
            .zip(found)
            .enumerate()
            .map(|(i, (place, value))| {
                (*place, if self.is_name(i) { (*value).to_owned() } else { russian(value) })
            })
            .collect();
        let values: Vec<_> = values.iter().map(|(place, value)| (*place, value as _)).collect();
        fill(self.russian, &values)
    }
}

fn russian(text: &str) -> String {
    let found = phrases().iter().find_map(|phrase| Some((phrase, phrase.match_text(text)?)));
    found.map_or_else(|| text.to_owned(), |(phrase, found)| phrase.fill(&found))
}

/// Translates a sentence to the current language. An unknown one stays as it is.
pub fn translated(sentence: &str) -> String {
    match language() {
        Lang::En => sentence.to_owned(),
        Lang::Ru => russian(sentence),
    }
}

/// Translates a text without places to a static string; none in English or if unknown.
pub fn translated_static(sentence: &str) -> Option<&'static str> {
    let known = catalogue().values().find_map(|phrases| phrases.get(sentence))?;
    (language() == Lang::Ru).then_some(known)
}

/// Whether a sentence as a whole has a Russian translation; parts that have one do not count.
pub fn is_translated(sentence: &str) -> bool {
    let has_words = |phrase: &Phrase| phrase.words.concat().contains(char::is_alphabetic);
    let matches = |phrase: &Phrase| has_words(phrase) && phrase.match_text(sentence).is_some();
    phrases().iter().any(matches)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use klubok::config::{DataKind, DefaultValue, KEYS, Note, Preset};

    use super::*;
    use crate::catalogue::in_russian;

    /// Code before a sentence that users may see.
    const PREFIXES: [&str; 9] = [
        "#[error(",
        "Failure::failed(",
        "Failure::usage(",
        "ok_or(",
        "Err(",
        "busy(",
        "unread(",
        "refused(",
        "let sentence =",
    ];

    /// Collects English sentences of the sources, each place as `{}`.
    fn sentences(folder: &Path, prefixes: &[&str], all: &mut Vec<String>) {
        for entry in fs_err::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sentences(&path, prefixes, all);
            } else if path.extension().is_some_and(|ending| ending == "rs")
                && !path.ends_with("phrase.rs")
            {
                let source = fs_err::read_to_string(&path).unwrap();
                for prefix in prefixes {
                    all.extend(source.split(prefix).skip(1).filter_map(literal));
                }
            }
        }
    }

    /// Returns the string literal at the start of a piece of source, if any.
    fn literal(source: &str) -> Option<String> {
        let mut source = source.trim_start();
        if let Some(after) = source.strip_prefix("StatusCode::") {
            source = after.split_once(',')?.1.trim_start();
        }
        source =
            source.strip_prefix("format!(").unwrap_or(source).trim_start().strip_prefix('"')?;
        let mut text = String::new();
        let mut chars = source.chars();
        loop {
            match chars.next()? {
                '"' => return Some(text),
                '\\' => match chars.next()? {
                    '\n' => chars = chars.as_str().trim_start().chars(),
                    other => text.push(other),
                },
                '{' => {
                    chars.by_ref().find(|c| *c == '}')?;
                    text.push_str("{}");
                }
                other => text.push(other),
            }
        }
    }

    #[test]
    fn every_error_message_has_a_russian_translation() {
        let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let mut all = Vec::new();
        for entry in std::fs::read_dir(crates).unwrap() {
            let folder = entry.unwrap().path();
            sentences(&folder.join("src"), &PREFIXES[..1], &mut all);
        }
        assert!(all.len() > 120, "{} errors of the library", all.len());
        sentences(&crates.join("klubok-page/src"), &PREFIXES[1..], &mut all);
        sentences(&crates.join("klubok-cli/src"), &PREFIXES[1..], &mut all);
        assert!(all.len() > 170, "{} errors together", all.len());
        // A message of one place alone is that of another error.
        all.retain(|sentence| sentence != "{}" && !is_translated(sentence));
        assert!(all.is_empty(), "not in lang/phrases.toml:\n{all:#?}");
    }

    #[test]
    fn every_text_on_settings_has_a_russian_translation() {
        for key in KEYS {
            let range = key.range();
            let rule = match key.default {
                DefaultValue::Auto(rule) => rule,
                DefaultValue::Fixed(_) => "the article",
            };
            let of_presets = Preset::ALL.map(|preset| preset.source(DataKind::Pictures, key));
            let sources = of_presets.into_iter().flatten().chain([key.source]);
            for text in sources.chain([key.meaning, rule, range.as_str()]) {
                // A single name or value is the same in both languages.
                assert!(!text.contains(' ') || is_translated(text), "`{}`: {text}", key.path);
            }
        }
        let note = Note::Unused { key: "train.restarts", because: "`train.optimizer` is sgd" };
        let russian = in_russian(|| translated(&note.to_string()));
        assert_eq!(russian, "`train.restarts` ни на что не влияет: `train.optimizer` — sgd");
    }

    #[test]
    fn a_sentence_is_matched_by_the_words_around_its_places() {
        let russian = |sentence: &str| in_russian(|| translated(sentence));
        assert_eq!(
            russian("unknown key `a, b` in line 3 of `x.toml`, the nearest known key is `c`"),
            "нет такого ключа: `a, b` в строке 3 файла `x.toml`; ближайший — `c`"
        );
        assert_eq!(
            russian(
                "`model.dropout` is `a list of 3`, but `model.hidden` has 2 layers: give one value, or a list of 2"
            ),
            "`model.dropout` — список длины 3, но в `model.hidden` 2 слоя: дайте одно значение или список длины 2"
        );
        // Names are never translated.
        assert_eq!(russian("there is nothing at `the loss`"), "по пути `the loss` ничего нет");
        // A sentence may end in another one that has names as well.
        assert_eq!(
            russian("`r/config.toml` is damaged: `train.kernel` is `zzz`, it must be one of a, b"),
            "`r/config.toml` повреждён: `train.kernel` равно `zzz`, а должно быть одним из: a, b"
        );
        assert_eq!(russian("nobody knows this"), "nobody knows this");
        // A number ends before the next word.
        let endings = "5 of .pem, 3 without an ending, 2 of .md";
        assert_eq!(russian(endings), ".pem — 5, без окончания 3, .md — 2");
        assert_eq!(translated("there is nothing at `x`"), "there is nothing at `x`");
    }

    #[test]
    fn russian_has_only_places_of_the_english_sentence() {
        for phrase in phrases() {
            let places =
                phrase.russian.split('{').skip(1).map(|s| s.split(['}', '|']).next().unwrap());
            for place in places {
                assert!(phrase.places.contains(&place), "{{{place}}} in: {}", phrase.russian);
            }
            assert!(phrase.words.concat().chars().any(|c| !c.is_whitespace()));
        }
    }
}
