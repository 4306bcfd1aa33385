//! The parts of data, and the names that people give them: one table for folders of pictures, columns of histories and
//! folders of event files.

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

/// Words for each part.
const WORDS: [(Part, &[&str]); 3] = [
    (
        Part::Train,
        &[
            "train",
            "training",
            "trainset",
            "trn",
            "обучение",
            "обучающая",
            "тренировка",
            "тренировочная",
        ],
    ),
    (
        Part::Val,
        &[
            "val",
            "valid",
            "validation",
            "validate",
            "valset",
            "validset",
            "dev",
            "devel",
            "development",
            "devset",
            "eval",
            "evaluation",
            "валидация",
            "валидационная",
            "проверка",
            "проверочная",
        ],
    ),
    (
        Part::Test,
        &[
            "test",
            "testing",
            "tst",
            "testset",
            "holdout",
            "heldout",
            "тест",
            "тестовая",
            "контроль",
            "контрольная",
        ],
    ),
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
    /// All of them, in order.
    pub const ALL: [Part; 3] = [Part::Train, Part::Val, Part::Test];

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

    /// The part that a folder's name speaks of and nothing else: `train`, `Training_Set`, `seg_train`, `val2017`,
    /// `test-images`. A name with any other word in it, such as `train_station`, is of none.
    pub fn of_folder(name: &str) -> Option<Part> {
        let words = words(name);
        let mut others = words.iter().filter(|word| !FILLERS.contains(&word.as_str()));
        match (others.next(), others.next()) {
            (Some(word), None) => Self::of_word(word),
            _ => None,
        }
    }
}

/// The words of a name in lower case: apart by anything but letters, or by a capital after a small letter. Numbers are
/// none.
fn words(name: &str) -> Vec<String> {
    let (mut apart, mut small) = (String::new(), false);
    for letter in name.chars() {
        if small && letter.is_uppercase() {
            apart.push(' ');
        }
        apart.push(if letter.is_alphabetic() { letter } else { ' ' });
        small = letter.is_lowercase();
    }
    apart.split_whitespace().map(str::to_lowercase).collect()
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
    fn other_names_are_of_none() {
        for name in
            ["cat", "train_station", "bullet train", "images", "", "123", "test_train", "devil"]
        {
            assert_eq!(Part::of_folder(name), None, "{name}");
        }
    }
}
