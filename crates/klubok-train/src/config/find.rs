//! Which key is meant by what somebody wrote.

use super::{KEYS, Key};

/// The key of this path, if there is one.
pub fn find(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.path == path)
}

/// Bytes of the longest word that may have been meant for a key: how far it is from one takes time
/// that grows with it.
const LONGEST: usize = 60;

/// The known key that is nearest to `path`, if any is near: by spelling, by its name without the
/// section, or by what other tools call it.
pub fn nearest(path: &str) -> Option<&'static str> {
    if path.len() > LONGEST {
        return None;
    }
    let name = path.rsplit('.').next().unwrap_or(path).to_lowercase();
    if let Some((_, key)) = ELSEWHERE.iter().find(|(word, _)| *word == name) {
        return Some(key);
    }
    let near = |key: &Key| {
        let whole = strsim::normalized_damerau_levenshtein(path, key.path);
        whole.max(strsim::normalized_damerau_levenshtein(&name, key.name()))
    };
    let best = KEYS.iter().max_by(|a, b| near(a).total_cmp(&near(b)))?;
    (near(best) >= 0.5).then_some(best.path)
}

/// What other tools call our keys.
const ELSEWHERE: &[(&str, &str)] = &[
    ("lr", "train.learning_rate"),
    ("batch", "train.batch_size"),
    ("eps", "train.epsilon"),
    ("wd", "regularization.weight_decay"),
    ("layers", "model.hidden"),
    ("colour", "data.color"),
    ("scheduler", "train.schedule"),
];
