//! Which column of a history means what: names of klubok, Keras, Lightning and what people write.

/// A figure of an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Epoch,
    TrainLoss,
    ValLoss,
    TrainAccuracy,
    ValAccuracy,
    GradNorm,
    LearningRate,
}

/// What a column is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) field: Field,
    /// Of several columns for one field, the lowest counts.
    pub(super) rank: u8,
    /// Its values are of steps: their mean is the epoch's.
    pub(super) mean: bool,
}

const VAL: [&str; 5] = ["val", "valid", "validation", "eval", "dev"];
const TRAIN: [&str; 2] = ["train", "training"];

/// The meaning of a column by its name; none when it has none for us.
pub(super) fn meaning(name: &str) -> Option<Column> {
    let name = name.trim().trim_start_matches('\u{feff}').to_lowercase();
    let words: Vec<&str> = name.split(|c: char| !c.is_alphanumeric()).collect();
    let mut words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
    let plain = |field| Some(Column { field, rank: 0, mean: false });
    match words[..] {
        ["epoch" | "epochs"] => return plain(Field::Epoch),
        // What klubok measures in evaluation mode on a fixed sample.
        ["train", "eval", "loss"] => return plain(Field::TrainLoss),
        ["lr", ..] | ["learning", "rate"] => return plain(Field::LearningRate),
        ["grad" | "gradient", "norm"] | ["grad", .., "norm", "total"] => {
            return plain(Field::GradNorm);
        }
        _ => {}
    }
    let mut column = Column { field: Field::Epoch, rank: 1, mean: false };
    if words.last() == Some(&"step") {
        (column.rank, column.mean) = (3, true);
        words.pop();
    }
    words.retain(|word| *word != "epoch");
    let mut taken = |names: &[&str]| {
        let at = words.iter().position(|word| names.contains(word));
        at.is_some_and(|at| (at == 0 || at + 1 == words.len()) && !words.remove(at).is_empty())
    };
    let val = if taken(&VAL) {
        true
    } else if taken(&["test"]) {
        column.rank = 4;
        true
    } else {
        column.rank += u8::from(!taken(&TRAIN));
        false
    };
    column.field = match (quantity(&words)?, val) {
        ("loss", false) => Field::TrainLoss,
        ("loss", true) => Field::ValLoss,
        (_, false) => Field::TrainAccuracy,
        (_, true) => Field::ValAccuracy,
    };
    Some(column)
}

fn quantity(words: &[&str]) -> Option<&'static str> {
    match words {
        ["loss"] => Some("loss"),
        ["acc" | "accuracy"] | [.., "categorical" | "binary" | "multiclass", "accuracy"] => {
            Some("accuracy")
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
    fn names_of_many_tools_are_understood() {
        for name in ["loss", "train_loss", "Train Loss", "train_loss_epoch", "Loss/train"] {
            is(name, Some(Field::TrainLoss));
        }
        for name in ["val_loss", "valid_loss", "validation/epoch_loss", "Loss/val", "eval_loss"] {
            is(name, Some(Field::ValLoss));
        }
        for name in ["accuracy", "train_acc", "acc", "sparse_categorical_accuracy"] {
            is(name, Some(Field::TrainAccuracy));
        }
        is("val_sparse_categorical_accuracy", Some(Field::ValAccuracy));
        is("lr-Adam", Some(Field::LearningRate));
        is("grad_2.0_norm_total", Some(Field::GradNorm));
        for name in ["step", "seconds", "lossless", "name", "", "age", "val"] {
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
