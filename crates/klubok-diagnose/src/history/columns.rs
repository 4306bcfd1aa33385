//! Maps column names to fields: names of klubok, Keras, Lightning, fastai and common variants.

use klubok_data::part::{self, Part};

/// A figure of an epoch, or the epoch or step itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Field {
    Epoch,
    Step,
    TrainLoss,
    ValLoss,
    TrainAccuracy,
    ValAccuracy,
    GradNorm,
    LearningRate,
}

impl Field {
    /// True for losses.
    pub(super) fn is_loss(self) -> bool {
        matches!(self, Field::TrainLoss | Field::ValLoss)
    }

    /// True for figures of every training step, whose mean is the epoch's.
    pub(super) fn is_per_step(self) -> bool {
        matches!(self, Field::TrainLoss | Field::TrainAccuracy | Field::GradNorm)
    }
}

/// The meaning of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) field: Field,
    /// Of several columns for one field, the lowest rank counts.
    pub(super) rank: u8,
    /// True for values of steps, whose mean is the epoch's.
    pub(super) mean: bool,
    /// True if the name includes the part of the data.
    pub(super) names_part: bool,
}

/// The meaning of a column by its name; none if the name is unknown.
pub(super) fn meaning(name: &str) -> Option<Column> {
    let split = words(name);
    let mut words: Vec<&str> = split.split_whitespace().collect();
    let is_number = |word: &&str| word.bytes().all(|byte| byte.is_ascii_digit());
    let plain = |field, rank| Some(Column { field, rank, mean: false, names_part: false });
    // Hugging Face writes `train/learning_rate` and `train/grad_norm` in event files.
    let has_prefix = words.first().is_some_and(|word| Part::of_word(word) == Some(Part::Train));
    let figure = if has_prefix { &words[1..] } else { &words[..] };
    match *figure {
        ["learning", "rate"] | ["epoch", "learning", "rate"] => {
            return plain(Field::LearningRate, 0);
        }
        ["grad" | "gradient", "norm"] | ["grad", .., "norm", "total"] => {
            return plain(Field::GradNorm, 0);
        }
        _ => {}
    }
    match words[..] {
        ["epoch" | "epochs"] => return plain(Field::Epoch, 0),
        // The name in event files of Hugging Face.
        ["train", "epoch"] => return plain(Field::Epoch, 1),
        ["trainer", "global", "step"] | ["global", "step"] => return plain(Field::Step, 0),
        ["step" | "steps"] => return plain(Field::Step, 1),
        ["iteration" | "iterations" | "iter"] => return plain(Field::Step, 2),
        ["batch"] => return plain(Field::Step, 3),
        // The loss of klubok in evaluation mode on a fixed sample.
        ["train", "eval", "loss"] => {
            return Some(Column {
                field: Field::TrainLoss,
                rank: 0,
                mean: false,
                names_part: true,
            });
        }
        // `lr`, `lr-Adam`, `lr/pg0`, `lr_0` are rates; `lr_scheduler` and `lr_patience` are not.
        ["lr", ref rest @ ..] if rest.iter().all(is_number) || is_group(name) => {
            return plain(Field::LearningRate, 0);
        }
        _ => {}
    }
    let mean = words.last() == Some(&"step");
    words.truncate(words.len() - usize::from(mean));
    words.retain(|word| *word != "epoch");
    let part = take_part(&mut words);
    let loss = is_loss(&words)?;
    Some(column(loss, mean, part))
}

/// The column of a loss or an accuracy of this part.
fn column(loss: bool, mean: bool, part: Option<Part>) -> Column {
    let field = match (loss, part) {
        (true, None | Some(Part::Train)) => Field::TrainLoss,
        (false, None | Some(Part::Train)) => Field::TrainAccuracy,
        (true, _) => Field::ValLoss,
        (false, _) => Field::ValAccuracy,
    };
    let rank = match part {
        Some(Part::Test) => 4,
        _ if mean => 3,
        None => 2,
        Some(_) => 1,
    };
    Column { field, rank, mean, names_part: part.is_some() }
}

impl Column {
    /// True for a loss or an accuracy whose name does not include a part.
    pub(super) fn is_bare(self) -> bool {
        !self.names_part && matches!(self.field, Field::TrainLoss | Field::TrainAccuracy)
    }

    /// The same column with a part from elsewhere, such as the file's name.
    pub(super) fn with_part(self, part: Part) -> Self {
        column(self.field.is_loss(), self.mean, Some(part))
    }
}

/// Splits a name into words and numbers, in lower case: `valLoss`, `Loss/val` and `val_loss` are
/// two words each.
pub(super) fn words(name: &str) -> String {
    part::words(name, char::is_alphanumeric)
}

/// True when a word of the name means a part of the data.
pub(super) fn names_part(name: &str) -> bool {
    words(name).split_whitespace().any(|word| Part::of_word(word).is_some())
}

/// Removes the word for a part if it comes first or last; `train/train_loss` has it twice.
fn take_part(words: &mut Vec<&str>) -> Option<Part> {
    let first = words.first().and_then(|word| Part::of_word(word));
    let part = first.or_else(|| words.last().and_then(|word| Part::of_word(word)))?;
    words.retain(|word| Part::of_word(word) != Some(part));
    Some(part)
}

/// True for the learning rate of an optimiser or a parameter group, `lr-NAME` or `lr/NAME`.
fn is_group(name: &str) -> bool {
    name.to_lowercase().split_once("lr").is_some_and(|(_, rest)| rest.starts_with(['-', '/']))
}

/// Whether the words mean a loss (true) or an accuracy (false); none otherwise.
fn is_loss(words: &[&str]) -> Option<bool> {
    match words {
        // Detectron adds up the losses of its heads.
        ["loss"] | ["total", "loss"] => Some(true),
        // Top-k accuracy is another figure.
        _ if words.iter().any(|word| word.starts_with("top")) => None,
        ["acc" | "accuracy"] | [.., "categorical" | "binary" | "multiclass", "accuracy"] => {
            Some(false)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn is(name: &str, field: Option<Field>) {
        assert_eq!(meaning(name).map(|column| column.field), field, "{name}");
    }

    #[test]
    fn understands_names_of_many_tools() {
        for name in
            ["loss", "train_loss", "Train Loss", "train_loss_epoch", "Loss/train", "total_loss"]
        {
            is(name, Some(Field::TrainLoss));
        }
        for name in ["val_loss", "valid_loss", "validation/epoch_loss", "Loss/val", "eval_loss"] {
            is(name, Some(Field::ValLoss));
        }
        for name in ["accuracy", "train_acc", "acc", "sparse_categorical_accuracy"] {
            is(name, Some(Field::TrainAccuracy));
        }
        is("val_sparse_categorical_accuracy", Some(Field::ValAccuracy));
        is("top_k_categorical_accuracy", None);
        is("val_top5_accuracy", None);
        is("train/learning_rate", Some(Field::LearningRate));
        is("train/grad_norm", Some(Field::GradNorm));
        for name in [
            "lr",
            "lr-Adam",
            "lr-Adam/pg1",
            "LR",
            "lr/pg0",
            "lr/NAME",
            "lr_0",
            " lr ",
            "learning_rate",
        ] {
            is(name, Some(Field::LearningRate));
        }
        for name in ["lr_scheduler", "lr_decay", "lr_patience", "lrScheduler", "lr decay"] {
            is(name, None);
        }
        is("grad_2.0_norm_total", Some(Field::GradNorm));
        for name in ["trainLoss", "train/train_loss", "Training Loss"] {
            is(name, Some(Field::TrainLoss));
        }
        for name in ["validation_loss", "testing_loss", "valLoss", "dev/loss", "Validation Loss"] {
            is(name, Some(Field::ValLoss));
        }
        is("train/epoch", Some(Field::Epoch));
        for name in ["step", "global_step", "trainer/global_step", "iteration"] {
            is(name, Some(Field::Step));
        }
        for name in ["seconds", "lossless", "name", "", "age", "val", "train/val_loss", "loss.1"] {
            is(name, None);
        }
    }

    #[test]
    fn the_better_measure_has_the_lower_rank() {
        let rank = |name| meaning(name).unwrap().rank;
        assert!(rank("train_eval_loss") < rank("train_loss"));
        assert!(rank("train_loss_epoch") < rank("loss"));
        assert!(rank("loss") < rank("train_loss_step") && meaning("train_loss_step").unwrap().mean);
        assert!(rank("val_loss") < rank("test_loss"));
    }
}
