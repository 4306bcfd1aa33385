//! Columns of words beside those of figures: which part of the data a row is of (`phase`, `split`),
//! which training (`fold`, `run`), and losses of validation that no rule chooses among
//! (`eval_mnli_loss`).

use std::collections::BTreeMap;

use klubok_data::part::Part;
use twox_hash::XxHash3_128;

use super::{HistoryError, cells::is_missing, columns::words, short, shortened};

/// Names of columns that say a part.
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
/// Names of columns that say a training.
const TRAININGS: [&str; 9] =
    ["fold", "run", "trial", "seed", "version", "experiment", "repeat", "repetition", "replicate"];
/// Words that say nothing beside those.
const FILLERS: [&str; 5] = ["id", "name", "number", "index", "data"];
/// Most columns that are followed, and most of their cells.
const MOST_COLUMNS: usize = 1000;
const MOST_CELLS: usize = 8_000_000;
/// Names of losses that are kept for the note on them.
pub(super) const MOST_NAMES: usize = 6;

/// Longest name in that note: names of sets differ at their ends.
pub(super) const LONGEST: usize = 64;

/// The number of a column of words.
#[derive(Debug, Clone, Copy)]
pub(super) enum Label {
    Part(usize),
    Training(usize),
    Aside(usize),
}

/// All columns of words of a table.
#[derive(Debug, Default)]
pub(super) struct Labels {
    parts: Vec<OfPart>,
    trainings: Vec<OfTraining>,
    asides: Vec<(String, bool)>,
    cells: usize,
}

/// A column whose words may be those of parts.
#[derive(Debug)]
pub(super) struct OfPart {
    pub(super) name: String,
    /// Its name says that they are.
    telling: bool,
    /// Of the rows that have a word: the part, or none where it is another word.
    pub(super) rows: Vec<(u32, Option<Part>)>,
    dead: bool,
}

/// A column that says the training.
#[derive(Debug)]
struct OfTraining {
    name: String,
    /// Each by its hash: names may differ at their ends only.
    numbers: BTreeMap<u128, (u32, String)>,
    rows: Vec<(u32, u32)>,
}

impl Labels {
    /// A column of a name that means no figure; none where its words would mean nothing.
    pub(super) fn column(&mut self, name: &str) -> Option<Label> {
        if self.parts.len() + self.trainings.len() + self.asides.len() >= MOST_COLUMNS {
            return None;
        }
        if is_other_loss(name) {
            self.asides.push((shortened(name, LONGEST), false));
            return Some(Label::Aside(self.asides.len() - 1));
        }
        let apart = words(name);
        let mut telling = apart.split_whitespace().filter(|word| !FILLERS.contains(word));
        let word = telling.next().filter(|_| telling.next().is_none());
        let (name, rows) = (short(name), Vec::new());
        if word.is_some_and(|word| TRAININGS.contains(&word)) {
            self.trainings.push(OfTraining { name, numbers: BTreeMap::new(), rows: Vec::new() });
            return Some(Label::Training(self.trainings.len() - 1));
        }
        let telling = PARTS.contains(&apart.trim()) || word.is_some_and(|w| PARTS.contains(&w));
        self.parts.push(OfPart { name, telling, rows, dead: false });
        Some(Label::Part(self.parts.len() - 1))
    }

    /// A cell of a column of words; `row` counts from 0.
    pub(super) fn cell(&mut self, label: Label, row: u32, text: &str) {
        if self.is_done(label) {
            return;
        }
        let text = text.trim();
        if is_missing(text) {
            return;
        }
        let full = self.cells >= MOST_CELLS;
        match label {
            Label::Aside(i) => self.asides[i].1 |= text.parse::<f64>().is_ok(),
            Label::Part(i) => {
                let column = &mut self.parts[i];
                let part = Part::of_folder(text);
                // Any other column of words: the first other word tells so, and nothing is kept of
                // it.
                if full || (part.is_none() && !column.telling) {
                    (column.dead, column.rows) = (true, Vec::new());
                } else {
                    column.rows.push((row, part));
                    self.cells += 1;
                }
            }
            Label::Training(i) => {
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

    /// True where no further cell of a column tells anything.
    pub(super) fn is_done(&self, label: Label) -> bool {
        match label {
            Label::Part(i) => self.parts[i].dead,
            Label::Training(_) => false,
            Label::Aside(i) => self.asides[i].1,
        }
    }

    /// The column that says the parts of rows: by its name, or because all its words are those of
    /// parts, training among them.
    pub(super) fn part(&self) -> Option<&OfPart> {
        let has = |column: &OfPart, part| column.rows.iter().any(|row| row.1 == Some(part));
        let by_words =
            |c: &&OfPart| has(c, Part::Train) && (has(c, Part::Val) || has(c, Part::Test));
        let by_name = |c: &&OfPart| c.telling && Part::ALL.iter().any(|part| has(c, *part));
        let mut live = self.parts.iter().filter(|column| !column.dead);
        live.clone().find(by_name).or_else(|| live.find(by_words))
    }

    /// Losses of validation under names of their own that have values.
    pub(super) fn asides(&self) -> Vec<String> {
        let known = self.asides.iter().filter(|(_, has_values)| *has_values);
        known.take(MOST_NAMES).map(|(name, _)| name.clone()).collect()
    }

    /// Several trainings where a column names them: several names, each for several rows. `at` is
    /// where the row stands (its epoch or step; none where it has neither): a training that went on
    /// under another name rises there.
    pub(super) fn several(
        &self,
        path: &str,
        at: impl Fn(u32) -> Option<f64>,
        used: impl Fn(u32) -> bool,
    ) -> Result<(), HistoryError> {
        for column in &self.trainings {
            let rows = || column.rows.iter().filter(|row| used(row.0));
            let count = rows().count();
            let mut seen = vec![false; column.numbers.len()];
            rows().for_each(|row| seen[row.1 as usize] = true);
            let distinct = seen.iter().filter(|seen| **seen).count();
            if distinct < 2 || count < 2 * distinct {
                continue;
            }
            let pairs = || rows().zip(rows().skip(1));
            let blocks = pairs().filter(|(a, b)| a.1 != b.1).count() + 1;
            let rises = pairs()
                .filter(|(a, b)| a.1 != b.1)
                .all(|(a, b)| at(a.0).zip(at(b.0)).is_some_and(|(before, after)| before < after));
            if blocks == distinct && rises {
                continue;
            }
            let mut names: Vec<&(u32, String)> =
                column.numbers.values().filter(|(i, _)| seen[*i as usize]).collect();
            names.sort_unstable();
            let [one, other, ..] = &names[..] else { continue };
            let (path, one, other) = (path.to_owned(), one.1.clone(), other.1.clone());
            return Err(HistoryError::Trainings { path, column: column.name.clone(), one, other });
        }
        Ok(())
    }
}

/// A loss of a part that is not for training, of a set or a kind of its own: `eval_mnli_loss`,
/// `val/box_loss`.
pub(super) fn is_other_loss(name: &str) -> bool {
    // Most names are none: the words of those are not looked for.
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
    fn a_row_is_of_the_part_that_its_column_names() {
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
    fn batches_of_a_validation_are_averaged() {
        let mut text = "epoch,phase,batch,loss\n".to_owned();
        for epoch in 1..4 {
            writeln!(text, "{epoch},train,0,{epoch}\n{epoch},train,1,{epoch}").unwrap();
            writeln!(text, "{epoch},val,0,0.5\n{epoch},val,1,0.25").unwrap();
        }
        assert_eq!(losses(&text)[1], (2.0, Some(2.0), Some(0.375)));
        // Validations at steps that go on are several of one epoch, of which the last counts.
        let mut text = "epoch,phase,step,loss\n".to_owned();
        for epoch in 1..4 {
            let step = 100 * epoch;
            writeln!(text, "{epoch},train,{step},1").unwrap();
            writeln!(text, "{epoch},val,{},0.5\n{epoch},val,{},0.25", step + 1, step + 2).unwrap();
        }
        assert_eq!(losses(&text)[1], (2.0, Some(1.0), Some(0.25)));
    }

    #[test]
    fn trainings_may_differ_at_the_ends_of_their_names() {
        let mut text = "run,train_loss,val_loss\n".to_owned();
        for run in ["resnet50_cifar10_adam_lr_0.1", "resnet50_cifar10_adam_lr_0.01"] {
            writeln!(text, "{run},3,3\n{run},2,2\n{run},1,1").unwrap();
        }
        let error = parse(text.as_bytes(), "h").unwrap_err().to_string();
        assert!(error.contains("`run`") && error.contains("resnet50"), "{error}");
    }

    #[test]
    fn rows_that_are_sorted_by_part_are_merged() {
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
    fn rows_by_turns_need_no_epoch_and_others_do() {
        let text = "mode,loss\ntrain,9\neval,7\ntrain,8\neval,6\ntrain,7\neval,5\n";
        assert_eq!(losses(text), expected(1.0));
        let text = "mode,loss\neval,7\ntrain,9\neval,6\ntrain,8\neval,5\ntrain,7\n";
        assert_eq!(losses(text), expected(1.0));
        let error = refused("mode,loss\ntrain,9\ntrain,8\ntrain,7\neval,7\neval,6\n");
        assert!(error.contains("3 rows of train") && error.contains("2 of val"), "{error}");
    }

    #[test]
    fn what_mmcv_writes() {
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
    fn a_row_whose_part_is_not_said_is_refused() {
        for word in ["", "minival"] {
            let error = refused(&format!("epoch,phase,loss\n1,train,1\n1,{word},2\n2,train,1\n"));
            assert!(error.contains("in column `phase`, row 2"), "{error}");
        }
        let error = refused("epoch,split,loss,val_loss\n1,test,1,2\n2,test,1,3\n");
        assert!(error.contains("`loss` and `val_loss`"), "{error}");
    }

    #[test]
    fn figures_that_name_their_part_keep_it() {
        let text = "epoch,split,loss,val_loss\n0,train,9,7\n1,train,8,6\n2,train,7,5\n";
        assert_eq!(losses(text), expected(0.0));
        let text = "epoch,note,train_loss,val_loss\n0,test,9,7\n1,val,8,6\n2,train,7,5\n";
        assert_eq!(losses(text), expected(0.0));
    }

    #[test]
    fn several_trainings_are_told_by_their_column() {
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
        let on = "run,epoch,train_loss,val_loss\n1,0,9,7\n1,1,8,6\n2,2,7,5\n2,3,7,5\n";
        assert_eq!(losses(on)[..3], expected(0.0), "it went on");
        let one = "fold,train_loss,val_loss\n0,9,7\n0,8,6\n0,7,5\n";
        assert_eq!(losses(one), expected(1.0));
    }

    #[test]
    fn losses_of_several_sets_are_not_denied() {
        let text = "epoch,loss,eval_mnli_loss,eval_sst_loss,val_x_loss\n1,1,2,3,\n2,1,2,3,\n";
        let history = parse(text.as_bytes(), "h").unwrap();
        let columns = ["eval_mnli_loss", "eval_sst_loss"].map(str::to_owned).to_vec();
        assert_eq!(history.notes, [Note::OtherLosses { columns }]);
        let text = "epoch,loss,eval_loss,eval_sst_loss\n1,1,2,3\n2,1,2,3\n";
        assert_eq!(parse(text.as_bytes(), "h").unwrap().notes, []);
    }
}
