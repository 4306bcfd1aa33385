//! Settings of a configuration, written in one line: `hidden=64,32 optimizer=sgd learning_rate=0.1
//! l2=0.01`.

use anyhow::{Context, Result};

/// Sections of klubok's settings, with their keys. All other keys are in `train`, except `preset`,
/// which is a flag.
const SECTIONS: [(&str, &[&str]); 4] = [
    ("data", &["size", "color", "fit", "val_fraction", "split_seed", "normalize"]),
    (
        "model",
        &[
            "hidden",
            "activation",
            "init",
            "output_init",
            "prior_bias",
            "batch_norm",
            "dropout",
            "input_dropout",
        ],
    ),
    ("regularization", &["l1", "l2", "weight_decay", "max_norm", "label_smoothing"]),
    ("augment", &["flip", "shift"]),
];

/// Keys and values; a later value replaces an earlier one of the same key.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Settings(Vec<(String, String)>);

impl Settings {
    /// Reads lines of settings; later ones override earlier ones.
    ///
    /// # Errors
    /// When a word is not `key=value`.
    pub(crate) fn read(lines: &[&str]) -> Result<Self> {
        let mut settings: Vec<(String, String)> = Vec::new();
        for word in lines.iter().flat_map(|line| line.split_whitespace()) {
            let (key, value) = word.split_once('=').with_context(|| format!("`{word}`: no `=`"))?;
            settings.retain(|(other, _)| other != key);
            settings.push((key.into(), value.into()));
        }
        Ok(Self(settings))
    }

    /// The value of a setting, if it is set.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(other, _)| other == key).map(|(_, value)| value.as_str())
    }

    /// The settings as flags of `klubok`.
    pub(crate) fn flags(&self) -> Vec<String> {
        let mut flags = vec!["--preset".to_owned(), self.get("preset").unwrap_or("plain").into()];
        for (key, value) in self.0.iter().filter(|(key, _)| key != "preset") {
            let section = SECTIONS.iter().find(|(_, keys)| keys.contains(&key.as_str()));
            let section = section.map_or("train", |(section, _)| section);
            let list = key == "hidden" || value.contains(',');
            let value = if list { format!("[{}]", value.trim_matches('-')) } else { value.clone() };
            flags.extend(["--set".to_owned(), format!("{section}.{key}={value}")]);
        }
        flags
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_settings_replace_earlier_ones_and_get_their_section() {
        let settings = Settings::read(&["hidden=64,32 l2=0.1 epochs=9", "epochs=5"]).unwrap();
        let expected = [
            "--preset",
            "plain",
            "--set",
            "model.hidden=[64,32]",
            "--set",
            "regularization.l2=0.1",
            "--set",
            "train.epochs=5",
        ];
        assert_eq!(settings.flags(), expected);
        assert_eq!((settings.get("epochs"), settings.get("seed")), (Some("5"), None));
        assert!(Settings::read(&["hidden"]).is_err());
        let none = Settings::read(&["hidden=- preset=balanced"]).unwrap().flags();
        assert_eq!(none, ["--preset", "balanced", "--set", "model.hidden=[]"]);
    }
}
