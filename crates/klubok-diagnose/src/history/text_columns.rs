//! Text columns: the part of the data of each row (`phase`, `split`), the training (`fold`, `run`),
//! and partial validation losses, among which no rule chooses (`eval_mnli_loss`).

use std::collections::BTreeMap;

use klubok_data::part::Part;
use twox_hash::XxHash3_128;

use super::{HistoryError, cells::is_missing, columns::words, short, shortened};

/// Names of columns with parts.
const PARTS: [&str; 13] = [
    "phase",
    "split",
    "mode",
    "set",
    "subset",
    "stage",
    "part",
    "partition",
    "type",
    "kind",
    "dataset",
    "data",
    "loop",
];
/// Names of columns with trainings.
const TRAININGS: [&str; 9] =
    ["fold", "run", "trial", "seed", "version", "experiment", "repeat", "repetition", "replicate"];
/// Words that add no meaning to these names.
const FILLERS: [&str; 5] = ["id", "name", "number", "index", "data"];
/// Maximum number of text columns.
const MAX_COLUMNS: usize = 1000;
/// Maximum number of their cells.
const MAX_CELLS: usize = 8_000_000;
/// Maximum number of names in the note on other losses.
pub(super) const MAX_NAMES: usize = 6;

/// Maximum length of a name in that note; long, because names of sets differ at their ends.
pub(super) const MAX_NAME_LENGTH: usize = 64;

/// A text column, by its index among those of its kind.
#[derive(Debug, Clone, Copy)]
pub(super) enum TextColumn {
    Part(usize),
    Training(usize),
    OtherLoss(usize),
}

/// All text columns of a table.
#[derive(Debug, Default)]
pub(super) struct TextColumns {
    parts: Vec<PartColumn>,
    trainings: Vec<TrainingColumn>,
    /// Name, and whether the column has values.
    other_losses: Vec<(String, bool)>,
    cells: usize,
}

/// A column that may contain parts.
#[derive(Debug)]
pub(super) struct PartColumn {
    pub(super) name: String,
    /// True if its name is one of [`PARTS`].
    has_part_name: bool,
    /// The part of each row with text; none for any other text.
    pub(super) rows: Vec<(u32, Option<Part>)>,
    /// True if it contains other text and not parts.
    is_other: bool,
}

/// A column that contains trainings.
#[derive(Debug)]
struct TrainingColumn {
    name: String,
    /// Trainings by hash, because their shortened names may be equal.
    numbers: BTreeMap<u128, (u32, String)>,
    rows: Vec<(u32, u32)>,
}

impl TextColumns {
    /// Adds a column whose name means no figure; none if there are too many.
    pub(super) fn column(&mut self, name: &str) -> Option<TextColumn> {
        if self.parts.len() + self.trainings.len() + self.other_losses.len() >= MAX_COLUMNS {
            return None;
        }
        if is_other_loss(name) {
            self.other_losses.push((shortened(name, MAX_NAME_LENGTH), false));
            return Some(TextColumn::OtherLoss(self.other_losses.len() - 1));
        }
        let split = words(name);
        let mut meaningful = split.split_whitespace().filter(|word| !FILLERS.contains(word));
        let word = meaningful.next().filter(|_| meaningful.next().is_none());
        let (name, rows) = (short(name), Vec::new());
        if word.is_some_and(|word| TRAININGS.contains(&word)) {
            self.trainings.push(TrainingColumn {
                name,
                numbers: BTreeMap::new(),
                rows: Vec::new(),
            });
            return Some(TextColumn::Training(self.trainings.len() - 1));
        }
        let has_part_name =
            PARTS.contains(&split.trim()) || word.is_some_and(|w| PARTS.contains(&w));
        self.parts.push(PartColumn { name, has_part_name, rows, is_other: false });
        Some(TextColumn::Part(self.parts.len() - 1))
    }

    /// Adds a cell; `row` counts from 0.
    pub(super) fn cell(&mut self, column: TextColumn, row: u32, text: &str) {
        if self.is_done(column) {
            return;
        }
        let text = text.trim();
        if is_missing(text) {
            return;
        }
        let full = self.cells >= MAX_CELLS;
        match column {
            TextColumn::OtherLoss(i) => self.other_losses[i].1 |= text.parse::<f64>().is_ok(),
            TextColumn::Part(i) => {
                let column = &mut self.parts[i];
                let part = Part::of_folder(text);
                // The first text that is no part rules out a column with another name.
                if full || (part.is_none() && !column.has_part_name) {
                    (column.is_other, column.rows) = (true, Vec::new());
                } else {
                    column.rows.push((row, part));
                    self.cells += 1;
                }
            }
            TextColumn::Training(i) => {
                let column = &mut self.trainings[i];
                if !full {
                    let next = column.numbers.len() as u32;
                    let hash = XxHash3_128::oneshot(text.as_bytes());
                    let number = column.numbers.entry(hash).or_insert_with(|| (next, short(text)));
                    column.rows.push((row, number.0));
                    self.cells += 1;
                }
            }
        }
    }

    /// True if further cells of a column change nothing.
    pub(super) fn is_done(&self, column: TextColumn) -> bool {
        match column {
            TextColumn::Part(i) => self.parts[i].is_other,
            TextColumn::Training(_) => false,
            TextColumn::OtherLoss(i) => self.other_losses[i].1,
        }
    }

    /// The column with the parts of rows: by its name, or because all its cells are parts,
    /// including training.
    pub(super) fn part(&self) -> Option<&PartColumn> {
        let has = |column: &PartColumn, part| column.rows.iter().any(|row| row.1 == Some(part));
        let by_cells =
            |c: &&PartColumn| has(c, Part::Train) && (has(c, Part::Val) || has(c, Part::Test));
        let by_name =
            |c: &&PartColumn| c.has_part_name && Part::ALL.iter().any(|part| has(c, *part));
        let mut candidates = self.parts.iter().filter(|column| !column.is_other);
        candidates.clone().find(by_name).or_else(|| candidates.find(by_cells))
    }

    /// The first few names of partial validation losses with values.
    pub(super) fn other_losses(&self) -> Vec<String> {
        let known = self.other_losses.iter().filter(|(_, has_values)| *has_values);
        known.take(MAX_NAMES).map(|(name, _)| name.clone()).collect()
    }

    /// Checks that no column names several trainings with several rows each. `at` returns the epoch
    /// or step of a row, if it has one. A training that resumed under another name passes, because
    /// its position increases at the change.
    ///
    /// # Errors
    /// [`HistoryError::SeveralTrainings`].
    pub(super) fn check_one_training(
        &self,
        path: &str,
        at: impl Fn(u32) -> Option<f64>,
        used: impl Fn(u32) -> bool,
    ) -> Result<(), HistoryError> {
        for column in &self.trainings {
            let rows = || column.rows.iter().filter(|row| used(row.0));
            let count = rows().count();
            let mut present = vec![false; column.numbers.len()];
            rows().for_each(|row| present[row.1 as usize] = true);
            let distinct = present.iter().filter(|present| **present).count();
            if distinct < 2 || count < 2 * distinct {
                continue;
            }
            let pairs = || rows().zip(rows().skip(1));
            let blocks = pairs().filter(|(a, b)| a.1 != b.1).count() + 1;
            let increases = pairs()
                .filter(|(a, b)| a.1 != b.1)
                .all(|(a, b)| at(a.0).zip(at(b.0)).is_some_and(|(before, after)| before < after));
            if blocks == distinct && increases {
                continue;
            }
            let mut names: Vec<&(u32, String)> =
                column.numbers.values().filter(|(i, _)| present[*i as usize]).collect();
            names.sort_unstable();
            let [one, other, ..] = &names[..] else { continue };
            let (path, column) = (path.to_owned(), column.name.clone());
            let (one, other) = (one.1.clone(), other.1.clone());
            return Err(HistoryError::SeveralTrainings { path, column, one, other });
        }
        Ok(())
    }
}

/// True for a partial validation or test loss, of one set or one term: `eval_mnli_loss`,
/// `val/box_loss`.
pub(super) fn is_other_loss(name: &str) -> bool {
    // A quick check, because most names are not losses.
    if !name.as_bytes().windows(4).any(|part| part.eq_ignore_ascii_case(b"loss")) {
        return false;
    }
    let words = words(name);
    let has = |fits: &dyn Fn(&str) -> bool| words.split_whitespace().any(fits);
    has(&|word| word == "loss")
        && has(&|word| matches!(Part::of_word(word), Some(Part::Val | Part::Test)))
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::super::{Note, parse, tests::losses};

    type Losses = Vec<(f64, Option<f64>, Option<f64>)>;

    fn expected(first: f64) -> Losses {
        (0..3)
            .map(|i| (first + f64::from(i), Some(f64::from(9 - i)), Some(f64::from(7 - i))))
            .collect()
    }

    fn refused(text: &str) -> String {
        parse(text.as_bytes(), "h").unwrap_err().to_string()
    }

    #[test]
    fn a_column_names_the_part_of_each_row() {
        for name in ["phase", "split", "Mode", "data_split", "subset", "stage", "type", "whatever"]
        {
            for (train, val) in [("train", "val"), ("TRAIN", "Eval"), ("training", "test")] {
                let mut text = format!("epoch,{name},loss\n");
                for i in 0..3 {
                    writeln!(text, "{i},{train},{}\n{i},{val},{}", 9 - i, 7 - i).unwrap();
                }
                assert_eq!(losses(&text), expected(0.0), "{name} {train} {val}");
            }
        }
    }

    #[test]
    fn averages_batches_of_a_validation() {
        let mut text = "epoch,phase,batch,loss\n".to_owned();
        for epoch in 1..4 {
            writeln!(text, "{epoch},train,0,{epoch}\n{epoch},train,1,{epoch}").unwrap();
            writeln!(text, "{epoch},val,0,0.5\n{epoch},val,1,0.25").unwrap();
        }
        assert_eq!(losses(&text)[1], (2.0, Some(2.0), Some(0.375)));
        // At increasing steps these are several validations of one epoch, and the last counts.
        let mut text = "epoch,phase,step,loss\n".to_owned();
        for epoch in 1..4 {
            let step = 100 * epoch;
            writeln!(text, "{epoch},train,{step},1").unwrap();
            writeln!(text, "{epoch},val,{},0.5\n{epoch},val,{},0.25", step + 1, step + 2).unwrap();
        }
        assert_eq!(losses(&text)[1], (2.0, Some(1.0), Some(0.25)));
    }

    #[test]
    fn tells_trainings_apart_by_their_full_names() {
        let mut text = "run,train_loss,val_loss\n".to_owned();
        for run in ["resnet50_cifar10_adam_lr_0.1", "resnet50_cifar10_adam_lr_0.01"] {
            writeln!(text, "{run},3,3\n{run},2,2\n{run},1,1").unwrap();
        }
        let error = parse(text.as_bytes(), "h").unwrap_err().to_string();
        assert!(error.contains("`run`") && error.contains("resnet50"), "{error}");
    }

    #[test]
    fn merges_rows_that_are_sorted_by_part() {
        let rows = |head: &str, row: fn(&str, u32, u32) -> String| {
            let mut text = format!("{head}\n");
            (0..3).for_each(|i| text += &row("train", i, 9 - i));
            (0..3).for_each(|i| text += &row("val", i, 7 - i));
            (0..3).for_each(|i| text += &row("test", i, 5));
            losses(&text)
        };
        let epochs = rows("epoch,split,loss", |part, i, loss| format!("{i},{part},{loss}\n"));
        assert_eq!(epochs, expected(0.0));
        let steps = rows("step,split,loss", |part, i, loss| format!("{i},{part},{loss}\n"));
        assert_eq!(steps, expected(0.0));
        let none = rows("split,loss", |part, _, loss| format!("{part},{loss}\n"));
        assert_eq!(none, expected(1.0));
    }

    #[test]
    fn alternating_rows_need_no_epoch() {
        let text = "mode,loss\ntrain,9\neval,7\ntrain,8\neval,6\ntrain,7\neval,5\n";
        assert_eq!(losses(text), expected(1.0));
        let text = "mode,loss\neval,7\ntrain,9\neval,6\ntrain,8\neval,5\ntrain,7\n";
        assert_eq!(losses(text), expected(1.0));
        let error = refused("mode,loss\ntrain,9\ntrain,8\ntrain,7\neval,7\neval,6\n");
        assert!(error.contains("3 rows of train") && error.contains("2 of val"), "{error}");
    }

    #[test]
    fn reads_a_log_of_mmcv() {
        let mut text = "{\"env_info\": \"x\"}\n".to_owned();
        for i in 1..4 {
            for step in [50, 100] {
                let loss = f64::from(10 - i) + f64::from(step - 75) / 100.0;
                writeln!(
                    text,
                    "{{\"mode\":\"train\",\"epoch\":{i},\"iter\":{step},\"loss\":{loss}}}"
                )
                .unwrap();
            }
            writeln!(text, "{{\"mode\":\"val\",\"epoch\":{i},\"iter\":20,\"loss\":{}}}", 8 - i)
                .unwrap();
        }
        assert_eq!(losses(&text), expected(1.0));
        let lists = "{\"epoch\": [1, 1, 2, 2, 3, 3], \"loss\": [9, 7, 8, 6, 7, 5], \
                      \"phase\": [\"train\", \"val\", \"train\", \"val\", \"train\", \"val\"]}";
        assert_eq!(losses(lists), expected(1.0));
    }

    #[test]
    fn refuses_a_row_of_unknown_part() {
        for word in ["", "minival"] {
            let error = refused(&format!("epoch,phase,loss\n1,train,1\n1,{word},2\n2,train,1\n"));
            assert!(error.contains("in column `phase`, row 2"), "{error}");
        }
        let error = refused("epoch,split,loss,val_loss\n1,test,1,2\n2,test,1,3\n");
        assert!(error.contains("`loss` and `val_loss`"), "{error}");
    }

    #[test]
    fn a_part_in_a_column_name_takes_precedence() {
        let text = "epoch,split,loss,val_loss\n0,train,9,7\n1,train,8,6\n2,train,7,5\n";
        assert_eq!(losses(text), expected(0.0));
        let text = "epoch,note,train_loss,val_loss\n0,test,9,7\n1,val,8,6\n2,train,7,5\n";
        assert_eq!(losses(text), expected(0.0));
    }

    #[test]
    fn refuses_several_trainings_by_their_column() {
        for text in [
            "fold,train_loss,val_loss\n0,9,7\n0,8,6\n1,9,7\n1,8,6\n",
            "run_id,step,train_loss,val_loss\na,0,9,7\nb,0,8,7\na,1,8,6\nb,1,7,6\n",
            "fold,epoch,train_loss,val_loss\n0,0,9,7\n0,1,8,6\n1,0,9,7\n1,1,8,6\n",
            "seed,epoch,train_loss\n0,0,9\n1,0,8\n0,1,8\n1,1,7\n",
        ] {
            let error = refused(text);
            let names = ["`fold`", "`run_id`", "`seed`"];
            assert!(names.iter().any(|name| error.contains(name)), "{text} {error}");
            assert!(error.contains("more than one training"), "{text} {error}");
        }
        let resumed = "run,epoch,train_loss,val_loss\n1,0,9,7\n1,1,8,6\n2,2,7,5\n2,3,7,5\n";
        assert_eq!(losses(resumed)[..3], expected(0.0), "resumed under another name");
        let one = "fold,train_loss,val_loss\n0,9,7\n0,8,6\n0,7,5\n";
        assert_eq!(losses(one), expected(1.0));
    }

    #[test]
    fn notes_losses_of_several_sets() {
        let text = "epoch,loss,eval_mnli_loss,eval_sst_loss,val_x_loss\n1,1,2,3,\n2,1,2,3,\n";
        let history = parse(text.as_bytes(), "h").unwrap();
        let columns = ["eval_mnli_loss", "eval_sst_loss"].map(str::to_owned).to_vec();
        assert_eq!(history.notes, [Note::OtherLosses { columns }]);
        let text = "epoch,loss,eval_loss,eval_sst_loss\n1,1,2,3\n2,1,2,3\n";
        assert_eq!(parse(text.as_bytes(), "h").unwrap().notes, []);
    }
}
