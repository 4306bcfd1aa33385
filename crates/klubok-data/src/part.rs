//! The parts of data, and the names that people give them: one table for folders of pictures,
//! columns of histories and folders of event files.

use unicode_normalization::UnicodeNormalization as _;

/// Longest name that means something, in bytes.
pub const LONGEST: usize = 1000;

klubok_nn::listed! {
    /// A part of the data.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
    pub enum Part {
        /// For training.
        Train,
        /// For choosing the best epoch.
        Val,
        /// Never read by training.
        Test,
    }
}

/// Words for each part, in lower case, a line a language: English, Russian, German, French,
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

/// Words that say nothing beside that of a part, as in `training_set` or `seg_train`.
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

    /// The part of this very name, as files of klubok have it.
    pub fn from_name(name: &str) -> Option<Part> {
        Self::ALL.into_iter().find(|part| part.name() == name)
    }

    /// The part that a word in lower case stands for: `validation`, `dev`, `testing`.
    pub fn of_word(word: &str) -> Option<Part> {
        WORDS.iter().find(|(_, words)| words.contains(&word)).map(|(part, _)| *part)
    }

    /// The part that a folder's name speaks of and nothing else: `train`, `Training_Set`,
    /// `seg_train`, `val2017`, `test-images`. A name with any other word in it, such as
    /// `train_station`, is of none.
    pub fn of_folder(name: &str) -> Option<Part> {
        let words = words(name, char::is_alphabetic);
        let mut others = words.split_whitespace().filter(|word| !FILLERS.contains(word));
        match (others.next(), others.next()) {
            (Some(word), None) => Self::of_word(word),
            _ => None,
        }
    }

    /// True when a name has words and each says nothing, as in `images`.
    pub fn says_nothing(name: &str) -> bool {
        let words = words(name, char::is_alphabetic);
        !words.trim().is_empty() && words.split_whitespace().all(|word| FILLERS.contains(&word))
    }

    /// The part at the beginning or at the end of a name that has other words too, and those:
    /// `asl_alphabet_train` is of training and `asl alphabet`. Such a name alone proves nothing:
    /// `train_station`, `steam train`.
    pub fn at_an_end(name: &str) -> Option<(Part, String)> {
        let words = words(name, char::is_alphabetic);
        let mut meant: Vec<&str> =
            words.split_whitespace().filter(|word| !FILLERS.contains(word)).collect();
        let (first, last) = (Self::of_word(meant.first()?), Self::of_word(meant.last()?));
        let part = match (first, last) {
            (None, Some(part)) => meant.pop().map(|_| part),
            (Some(part), None) => Some(part).filter(|_| !meant.remove(0).is_empty()),
            _ => None,
        };
        Some((part?, meant.join(" ")))
    }
}

/// The name in lower case, its words apart: anything but `letters` divides them, and so does a
/// capital after a small letter. macOS writes an accent as a sign of its own after its letter: both
/// are one letter here. What is longer than names are has none.
pub fn words(name: &str, letters: impl Fn(char) -> bool) -> String {
    let name = Some(name).filter(|name| name.len() <= LONGEST).unwrap_or_default();
    let (mut apart, mut small) = (String::new(), false);
    for letter in name.nfc() {
        if small && letter.is_uppercase() {
            apart.push(' ');
        }
        apart.push(if letters(letter) { letter } else { ' ' });
        small = letter.is_lowercase();
    }
    apart.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_parts_are_known_in_many_forms() {
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
    fn other_languages_have_parts_too() {
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
                let apart: String = name.nfd().collect();
                assert_eq!(Part::of_folder(&apart), Some(part), "{apart}");
            }
        }
    }

    #[test]
    fn a_part_may_stand_at_an_end() {
        for (name, part, rest) in [
            ("asl_alphabet_train", Part::Train, "asl alphabet"),
            ("x_test", Part::Test, "x"),
            ("Final_Training", Part::Train, "final"),
            ("train_station", Part::Train, "station"),
            ("valSmall", Part::Val, "small"),
        ] {
            assert_eq!(Part::at_an_end(name), Some((part, rest.to_owned())), "{name}");
        }
        for name in
            ["train", "training_set", "cat", "a train station", "train_test", "", "x_trainer"]
        {
            assert_eq!(Part::at_an_end(name), None, "{name}");
        }
    }

    #[test]
    fn other_names_are_of_none() {
        for name in
            ["cat", "train_station", "bullet train", "images", "", "123", "test_train", "devil"]
        {
            assert_eq!(Part::of_folder(name), None, "{name}");
        }
    }
}
