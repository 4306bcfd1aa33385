//! Finds the key that a user meant.

use super::{KEYS, Key};

/// Returns the key with this path.
pub fn find(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.path == path)
}

/// Length in bytes of the longest word compared with the keys: the time of an edit distance grows
/// with it.
const MAX_LENGTH: usize = 60;

/// Returns the known key nearest to `path`, if any is near: by spelling, by name without the
/// section, or by the name it has in other tools.
pub fn nearest(path: &str) -> Option<&'static str> {
    if path.len() > MAX_LENGTH {
        return None;
    }
    let name = path.rsplit('.').next().unwrap_or(path).to_lowercase();
    if let Some((_, key)) = ALIASES.iter().find(|(word, _)| *word == name) {
        return Some(key);
    }
    let near = |key: &Key| {
        let whole = strsim::normalized_damerau_levenshtein(path, key.path);
        whole.max(strsim::normalized_damerau_levenshtein(&name, key.name()))
    };
    let best = KEYS.iter().max_by(|a, b| near(a).total_cmp(&near(b)))?;
    (near(best) >= 0.5).then_some(best.path)
}

/// Names that other tools use for these keys.
const ALIASES: &[(&str, &str)] = &[
    ("lr", "train.learning_rate"),
    ("batch", "train.batch_size"),
    ("eps", "train.epsilon"),
    ("wd", "regularization.weight_decay"),
    ("layers", "model.hidden"),
    ("colour", "data.color"),
    ("scheduler", "train.schedule"),
];
