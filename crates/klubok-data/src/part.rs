//! The splits of a data set and their usual names: one table for folders of pictures, columns of
//! histories and folders of event files.

use unicode_normalization::UnicodeNormalization as _;

/// Maximum bytes of a name that is parsed.
pub const MAX_NAME_BYTES: usize = 1000;

klubok_nn::listed! {
    /// A split of the data.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
    pub enum Part {
        /// Training set.
        Train,
        /// Validation set: chooses the best epoch.
        Val,
        /// Test set: training never reads it.
        Test,
    }
}

/// Words for each split, in lower case, one line per language: English, Russian, German, French,
/// Spanish, Portuguese and Italian, Chinese.
#[rustfmt::skip]
const WORDS: [(Part, &[&str]); 3] = [
    (Part::Train, &[
        "train", "training", "trainset", "trn", "trainval",
        "обучение", "обучающая", "тренировка", "тренировочная", "трейн",
        "trainingsdaten", "trainingsbilder", "trainingsmenge",
        "entrainement", "entraînement", "apprentissage",
        "entrenamiento", "treinamento", "treino", "addestramento",
        "训练", "训练集", "訓練", "訓練集",
    ]),
    (Part::Val, &[
        "val", "valid", "validation", "validate", "valset", "validset", "dev", "devel", "development", "devset", "eval",
        "evaluation",
        "валидация", "валидационная", "проверка", "проверочная",
        "validierung", "validierungsdaten", "validierungsbilder",
        "validación", "validacion", "validação", "validacao", "validazione",
        "验证", "验证集", "驗證", "驗證集",
    ]),
    (Part::Test, &[
        "test", "testing", "tst", "testset", "holdout", "heldout",
        "тест", "тестовая", "контроль", "контрольная",
        "testdaten", "testbilder", "testmenge",
        "prueba", "pruebas", "teste",
        "测试", "测试集", "測試", "測試集",
    ]),
];

/// Words without meaning beside a split name, as in `training_set` or `seg_train`.
const FILLERS: [&str; 20] = [
    "set",
    "data",
    "dataset",
    "image",
    "images",
    "img",
    "imgs",
    "picture",
    "pictures",
    "photo",
    "photos",
    "split",
    "seg",
    "part",
    "folder",
    "files",
    "samples",
    "выборка",
    "набор",
    "данные",
];

impl Part {
    /// `train`, `val` or `test`.
    pub fn name(self) -> &'static str {
        match self {
            Part::Train => "train",
            Part::Val => "val",
            Part::Test => "test",
        }
    }

    /// Returns the split of exactly this name, as in klubok's files.
    pub fn from_name(name: &str) -> Option<Part> {
        Self::ALL.into_iter().find(|part| part.name() == name)
    }

    /// Returns the split that a lower-case word stands for: `validation`, `dev`, `testing`.
    pub fn of_word(word: &str) -> Option<Part> {
        WORDS.iter().find(|(_, words)| words.contains(&word)).map(|(part, _)| *part)
    }

    /// Returns the split that a folder's name stands for: `train`, `Training_Set`, `seg_train`,
    /// `val2017`, `test-images`. None for a name with any other word, such as `train_station`.
    pub fn of_folder(name: &str) -> Option<Part> {
        let words = words(name, char::is_alphabetic);
        let mut others = words.split_whitespace().filter(|word| !FILLERS.contains(word));
        match (others.next(), others.next()) {
            (Some(word), None) => Self::of_word(word),
            _ => None,
        }
    }

    /// Returns true if a name consists of meaningless words only, as in `images`.
    pub fn is_generic_name(name: &str) -> bool {
        let words = words(name, char::is_alphabetic);
        !words.trim().is_empty() && words.split_whitespace().all(|word| FILLERS.contains(&word))
    }

    /// Returns the split named by the first or last word of a name, and the other words:
    /// `asl_alphabet_train` gives training and `asl alphabet`. Such a name alone proves nothing:
    /// `train_station`, `steam train`.
    pub fn from_prefix_or_suffix(name: &str) -> Option<(Part, String)> {
        let words = words(name, char::is_alphabetic);
        let mut meaningful: Vec<&str> =
            words.split_whitespace().filter(|word| !FILLERS.contains(word)).collect();
        let (first, last) = (Self::of_word(meaningful.first()?), Self::of_word(meaningful.last()?));
        let part = match (first, last) {
            (None, Some(part)) => meaningful.pop().map(|_| part),
            (Some(part), None) => Some(part).filter(|_| !meaningful.remove(0).is_empty()),
            _ => None,
        };
        Some((part?, meaningful.join(" ")))
    }
}

/// Returns the name in lower case with its words separated. Anything but `letters` separates words,
/// and so does a capital after a small letter. macOS stores an accent as a separate character after
/// its letter; both count as one letter. A name over the limit has no words.
pub fn words(name: &str, letters: impl Fn(char) -> bool) -> String {
    let name = Some(name).filter(|name| name.len() <= MAX_NAME_BYTES).unwrap_or_default();
    let (mut separated, mut small) = (String::new(), false);
    for letter in name.nfc() {
        if small && letter.is_uppercase() {
            separated.push(' ');
        }
        separated.push(if letters(letter) { letter } else { ' ' });
        small = letter.is_lowercase();
    }
    separated.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recognises_split_names_in_many_forms() {
        let names = [
            (Part::Train, "train Training TRAINING_SET seg_train trainSet train2017 обучающая"),
            (Part::Val, "val valid validation_set dev eval Val2017 images-val проверочная_выборка"),
            (Part::Test, "test testing test_set seg_test TestImages test1 holdout тест"),
        ];
        for (part, names) in names {
            for name in names.split(' ') {
                assert_eq!(Part::of_folder(name), Some(part), "{name}");
            }
        }
    }

    #[test]
    fn recognises_split_names_in_other_languages() {
        let names = [
            (
                Part::Train,
                "Trainingsdaten entrainement entraînement entrenamiento 训练集 трейн trainval",
            ),
            (Part::Val, "Validierung validación validazione 验证集"),
            (Part::Test, "Testdaten prueba teste 测试集"),
        ];
        for (part, names) in names {
            for name in names.split(' ') {
                assert_eq!(Part::of_folder(name), Some(part), "{name}");
                let decomposed: String = name.nfd().collect();
                assert_eq!(Part::of_folder(&decomposed), Some(part), "{decomposed}");
            }
        }
    }

    #[test]
    fn recognises_split_names_as_prefix_or_suffix() {
        for (name, part, rest) in [
            ("asl_alphabet_train", Part::Train, "asl alphabet"),
            ("x_test", Part::Test, "x"),
            ("Final_Training", Part::Train, "final"),
            ("train_station", Part::Train, "station"),
            ("valSmall", Part::Val, "small"),
        ] {
            assert_eq!(Part::from_prefix_or_suffix(name), Some((part, rest.to_owned())), "{name}");
        }
        for name in
            ["train", "training_set", "cat", "a train station", "train_test", "", "x_trainer"]
        {
            assert_eq!(Part::from_prefix_or_suffix(name), None, "{name}");
        }
    }

    #[test]
    fn other_names_are_not_splits() {
        for name in
            ["cat", "train_station", "bullet train", "images", "", "123", "test_train", "devil"]
        {
            assert_eq!(Part::of_folder(name), None, "{name}");
        }
    }
}
