//! Figures over steps, where each figure may count steps of its own: updates in one, epochs in the
//! other, or the batches of an epoch, which begin anew.
//!
//! Where steps do not agree, the order of writing tells which figures belong together: what was
//! written in training before a validation belongs to it. Where that does not tell it either, the
//! history is refused.

use super::{
    HistoryError, Row,
    columns::Field,
    figures::Series,
    rows::{Clock, Figures, arrange, consecutive, fold},
};

/// When and where a figure was written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    /// The step that the source gives it.
    pub(super) step: f64,
    /// Its place among all: the number of its record, or the time in seconds.
    pub(super) order: f64,
}

type Values = Vec<(Point, f64)>;

/// One row an epoch. `in_order` says that the points of all series stand in one order of writing,
/// and not only in that of their clocks.
///
/// # Errors
/// When the series seem to be of more than one training, or it cannot be said which figures belong
/// together.
pub(super) fn by_steps(
    mut series: Vec<Series<Point>>,
    in_order: bool,
    path: &str,
) -> Result<Vec<Row>, HistoryError> {
    series.iter_mut().for_each(|s| s.values.sort_by(|a, b| a.0.order.total_cmp(&b.0.order)));
    let take = |series: &mut Vec<Series<Point>>, field| {
        let at = series.iter().position(|s| s.column.field == field)?;
        Some(series.swap_remove(at))
    };
    let epochs = take(&mut series, Field::Epoch);
    let mut train = take(&mut series, Field::TrainLoss);
    let mut val = take(&mut series, Field::ValLoss);
    if let (Some(train), Some(val)) = (&train, &mut val) {
        leave_start(train, val, epochs.as_ref());
    }
    let main = val.as_ref().or(train.as_ref());
    if let Some((name, step)) = main.and_then(|s| Some((s.name.clone(), restart(s)?))) {
        return Err(HistoryError::Restarts { path: path.to_owned(), name, step });
    }
    let mut agree = true;
    if let (Some(train), Some(val)) = (&mut train, &mut val) {
        agree = restart(train).is_none() && !differ(&train.values, &val.values, in_order);
        if !agree && !join(train, val, &mut series) {
            return Err(HistoryError::Mixed {
                path: path.to_owned(),
                train: format!("`{}` at steps {}", train.name, range(&train.values)),
                val: format!("`{}` at steps {}", val.name, range(&val.values)),
            });
        }
    }
    // Keras names what it writes once an epoch.
    let named = train.iter().chain(&val).any(|series| series.name.contains("epoch"));
    let all = series.into_iter().chain(train).chain(val);
    let figures: Figures = all.map(|s| (s.column.field, folded(s))).collect();
    let by_epochs = figures.get(&Field::TrainLoss).is_some_and(|values| {
        named && consecutive(&values.iter().map(|value| value.0).collect::<Vec<_>>())
    });
    if let Some(epochs) = epochs.as_ref().filter(|_| agree)
        && let Some(figures) = at_epochs(&figures, &epochs.values)
    {
        return Ok(arrange(&figures, Clock::Epochs));
    }
    let mut rows = arrange(&figures, if by_epochs { Clock::Epochs } else { Clock::Steps });
    if let Some(epochs) = epochs.filter(|_| agree) {
        number(&mut rows, &epochs.values, &figures);
    }
    Ok(rows)
}

/// Whether what is called epochs are steps: the last row was written at this later step, or without
/// a validation nothing tells that they are epochs. NaN stands for no steps.
pub(super) fn is_by_steps(rows: &[Row], last: f64, has_val: bool) -> bool {
    let is_earlier = rows.last().is_some_and(|row| row.epoch < last);
    is_earlier || !has_val && !last.is_nan()
}

/// Takes a validation away that was made before the first step of training, unless its epoch is one
/// of its own: it is of none.
fn leave_start(train: &Series<Point>, val: &mut Series<Point>, epochs: Option<&Series<Point>>) {
    let ([(trained, _), ..], [(first, _), (second, _), ..]) = (&train.values[..], &val.values[..])
    else {
        return;
    };
    let epoch = |of: &Point| {
        let known = epochs?.values.iter().find(|(at, _)| at.step == of.step);
        known.map(|(_, epoch)| *epoch)
    };
    let before = first.step == 0.0 && trained.step > 0.0 && trained.order > first.order;
    if before && epoch(first) == epoch(second) {
        val.values.remove(0);
    }
}

/// The step at which a series begins anew, or says a second thing of the same step.
fn restart(series: &Series<Point>) -> Option<f64> {
    let mean = series.column.mean || series.column.field.is_of_training();
    let again = |a: &(Point, f64), b: &(Point, f64)| {
        b.0.step < a.0.step || (b.0.step == a.0.step && !mean && a.1.total_cmp(&b.1).is_ne())
    };
    series.values.windows(2).find(|pair| again(&pair[0], &pair[1])).map(|pair| pair[1].0.step)
}

/// Do two series count their steps in different units? One has whole numbers that follow one
/// another, and the other goes on far beyond them, though it was written at the same time.
fn differ(one: &Values, other: &Values, in_order: bool) -> bool {
    let end = |values: &Values| values.last().map_or(0.0, |value| value.0.step);
    let (short, long) = if end(one) < end(other) { (one, other) } else { (other, one) };
    let gap = |values: &Values| match (values.first(), values.len()) {
        (Some(first), n @ 2..) => (end(values) - first.0.step) / (n - 1) as f64,
        _ => 0.0,
    };
    let apart = end(long) - end(short) > (2.0 * gap(short).max(gap(long))).max(0.5 * end(short));
    let counts = short.len() > 1 && short.windows(2).all(|p| p[1].0.step == p[0].0.step + 1.0);
    if !(apart && counts) {
        return false;
    }
    // A validation that was given up early: each was written with the training of its own step.
    let with_its_step = |&(point, _): &(Point, f64)| {
        let steps = long.partition_point(|value| value.0.step <= point.step);
        let written = long.partition_point(|value| value.0.order <= point.order);
        steps.abs_diff(written) <= 1
    };
    !(in_order && short.iter().all(with_its_step))
}

/// Gives training the steps of the validations by the order of writing; of two series of one length
/// that were written by turns, each pair belongs together. False when the order does not tell.
fn join(train: &mut Series<Point>, val: &mut Series<Point>, others: &mut [Series<Point>]) -> bool {
    let ends: Values = val.values.clone();
    if ends.windows(2).any(|pair| pair[1].0.order <= pair[0].0.order) {
        return false;
    }
    let place = |point: &Point| ends.partition_point(|end| end.0.order < point.order);
    let mut counts = vec![0usize; ends.len() + 1];
    train.values.iter().for_each(|(point, _)| counts[place(point)] += 1);
    let (tail, within) = (counts[ends.len()], &counts[..ends.len()]);
    if within.contains(&0) || tail > within.iter().copied().max().unwrap_or(0) {
        return false;
    }
    // Of validations at updates and training by epochs, the latter have the numbers of epochs.
    let by_turns = tail == 0 && within.iter().all(|&count| count == 1);
    let numbers: Vec<f64> = if by_turns && restart(train).is_none() {
        let epochs = train.values.iter().zip(&val.values).map(|(a, b)| a.0.step.min(b.0.step));
        epochs.collect()
    } else {
        ends.iter().map(|end| end.0.step).collect()
    };
    let last = numbers.last().map_or(0.0, |last| last + 1.0);
    // Figures that count as validations do belong to those, even if they were written after them.
    let counted =
        |point: &Point| ends.binary_search_by(|end| end.0.step.total_cmp(&point.step)).ok();
    for series in others.iter_mut().chain([&mut *val]) {
        let counts = series.values.iter().all(|(point, _)| counted(point).is_some());
        for (point, _) in &mut series.values {
            let at = counted(point).filter(|_| counts).unwrap_or_else(|| place(point));
            point.step = numbers.get(at).copied().unwrap_or(last);
        }
    }
    for (point, _) in &mut train.values {
        point.step = numbers.get(place(point)).copied().unwrap_or(last);
    }
    true
}

/// The values by rising steps, several at one step as one.
fn folded(mut series: Series<Point>) -> Vec<(f64, f64)> {
    let mean = series.column.mean || series.column.field.is_of_training();
    series.values.sort_by(|a, b| a.0.step.total_cmp(&b.0.step));
    let groups = series.values.chunk_by(|a, b| a.0.step == b.0.step);
    let one =
        |group: &[(Point, f64)]| Some((group[0].0.step, fold(group.iter().map(|v| v.1), mean)?));
    groups.filter_map(one).collect()
}

/// The same figures over epochs, where the epoch is written at every step of a loss and each
/// validation has one of its own: what a table with a column of epochs tells, and then the rows are
/// the same.
fn at_epochs(figures: &Figures, epochs: &Values) -> Option<Figures> {
    let mut known: Vec<(f64, f64)> = epochs.iter().map(|(at, epoch)| (at.step, *epoch)).collect();
    known.sort_by(|a, b| a.0.total_cmp(&b.0));
    known.dedup();
    // Steps and epochs rise together, or the epoch is written at another time than its figures.
    if known.windows(2).any(|pair| pair[1].0 == pair[0].0 || pair[1].1 < pair[0].1) {
        return None;
    }
    let of = |step: f64| {
        let at = known.partition_point(|known| known.0 < step);
        known.get(at).filter(|known| known.0 == step).map(|known| known.1)
    };
    let mut placed = Figures::new();
    for (&field, values) in figures {
        let at = values.iter().map(|&(step, value)| Some((of(step)?, value)));
        let values: Vec<(f64, f64)> =
            if field.is_loss() { at.collect::<Option<_>>()? } else { at.flatten().collect() };
        let groups = || values.chunk_by(|a, b| a.0 == b.0);
        if field == Field::ValLoss && groups().any(|group| group.len() > 1) {
            return None;
        }
        let one = |group: &[(f64, f64)]| {
            Some((group[0].0, fold(group.iter().map(|v| v.1), field.is_of_training())?))
        };
        placed.insert(field, groups().filter_map(one).collect());
    }
    Some(placed)
}

/// Numbers rows by the epochs that were written at their steps, where these rise.
fn number(rows: &mut [Row], epochs: &Values, figures: &Figures) {
    let reference = figures.get(&Field::ValLoss).or_else(|| figures.get(&Field::TrainLoss));
    let Some(marks) = reference.filter(|marks| marks.len() == rows.len()) else { return };
    let of = |step: f64| {
        let at = epochs.partition_point(|value| value.0.step < step);
        epochs.get(at).or(epochs.last()).map(|value| value.1)
    };
    let numbers: Option<Vec<f64>> = marks.iter().map(|mark| of(mark.0)).collect();
    if let Some(numbers) = numbers
        && numbers.windows(2).all(|pair| pair[0] < pair[1])
    {
        rows.iter_mut().zip(numbers).for_each(|(row, number)| row.epoch = number);
    }
}

/// `0 to 399`.
fn range(values: &Values) -> String {
    let steps = || values.iter().map(|value| value.0.step);
    format!("{} to {}", steps().fold(f64::INFINITY, f64::min), steps().fold(0.0, f64::max))
}

#[cfg(test)]
mod tests {
    use super::{super::columns::meaning, *};

    /// Series by what was written in order: (name, step, value).
    fn read(written: &[(&str, u32, f64)], in_order: bool) -> Result<Vec<Row>, HistoryError> {
        let mut all: Vec<Series<Point>> = Vec::new();
        for (order, &(name, step, value)) in written.iter().enumerate() {
            let point = Point { step: f64::from(step), order: order as f64 };
            match all.iter_mut().find(|series| series.name == name) {
                Some(series) => series.values.push((point, value)),
                None => all.push(Series {
                    name: name.to_owned(),
                    column: meaning(name).unwrap(),
                    values: vec![(point, value)],
                }),
            }
        }
        by_steps(all, in_order, "h")
    }

    fn losses(rows: &[Row]) -> Vec<(f64, Option<f64>, Option<f64>)> {
        rows.iter().map(|row| (row.epoch, row.train_loss, row.val_loss)).collect()
    }

    #[test]
    fn a_validation_before_training_is_of_no_epoch() {
        let text = "step,train_loss,val_loss\n0,,2.3\n50,0.9,0.8\n100,0.7,0.6\n";
        let rows = super::super::tests::losses(text);
        assert_eq!(rows, [(1.0, Some(0.9), Some(0.8)), (2.0, Some(0.7), Some(0.6))]);
        // Steps from 0 that both count.
        let text = "step,train_loss,val_loss\n0,1.0,2.3\n1,0.9,0.8\n";
        assert_eq!(super::super::tests::losses(text).len(), 2);
    }

    #[test]
    fn updates_and_epochs_are_told_apart_by_the_order_of_writing() {
        // Four updates an epoch, 20 epochs; validations are counted from 0, from 1.
        for first in [0, 1] {
            let mut written = Vec::new();
            for epoch in 0..20 {
                (0..4).for_each(|i| written.push(("loss/train", 4 * epoch + i, f64::from(epoch))));
                written.push(("loss/val", first + epoch, 1.0));
            }
            let rows = losses(&read(&written, true).unwrap());
            assert_eq!(rows.len(), 20);
            assert_eq!(rows[3], (f64::from(first + 3), Some(3.0), Some(1.0)));
        }
    }

    #[test]
    fn accuracies_that_are_written_after_the_validation_are_of_its_epoch() {
        let mut written = Vec::new();
        for epoch in 0..20 {
            (0..4).for_each(|i| written.push(("loss/train", 4 * epoch + i, 1.0)));
            for name in ["loss/val", "acc/train", "acc/val"] {
                written.push((name, epoch, f64::from(epoch) / 20.0));
            }
        }
        let rows = read(&written, true).unwrap();
        let expected = (Some(0.15), Some(0.15), Some(0.15));
        assert_eq!((rows[3].val_loss, rows[3].train_accuracy, rows[3].val_accuracy), expected);
    }

    #[test]
    fn batches_that_begin_anew_in_each_epoch() {
        let mut written = Vec::new();
        for epoch in 1..6 {
            (0..3).for_each(|i| written.push(("train_loss", i, f64::from(epoch))));
            written.push(("val_loss", epoch, 1.0));
        }
        let rows = losses(&read(&written, true).unwrap());
        assert_eq!(rows[4], (5.0, Some(5.0), Some(1.0)));
    }

    #[test]
    fn validations_at_updates_beside_training_by_epochs() {
        let mut written = Vec::new();
        for epoch in 0..9 {
            written.push(("train_loss", epoch, 1.0));
            written.push(("val_loss", 50 * (epoch + 1), 2.0));
        }
        let rows = losses(&read(&written, true).unwrap());
        assert_eq!((rows.len(), rows[8]), (9, (8.0, Some(1.0), Some(2.0))));
    }

    #[test]
    fn what_the_order_does_not_tell_is_refused() {
        let train = (0..40).map(|i| ("train_loss", i, 1.0));
        let val = (0..10).map(|i| ("val_loss", i, 1.0));
        let error = read(&train.chain(val).collect::<Vec<_>>(), true).unwrap_err().to_string();
        assert!(error.contains("0 to 39") && error.contains("0 to 9"), "{error}");
    }

    #[test]
    fn a_validation_that_was_given_up_early_keeps_its_steps() {
        let mut written = Vec::new();
        for epoch in 0..20 {
            written.push(("train_loss", epoch, 1.0));
            written.extend((epoch < 4).then_some(("val_loss", epoch, 2.0)));
        }
        let rows = losses(&read(&written, true).unwrap());
        assert_eq!((rows.len(), rows[3].2, rows[4].2), (20, Some(2.0), None));
        assert!(read(&written, false).is_err(), "clocks of two files tell less");
    }

    #[test]
    fn steps_that_begin_anew_are_of_a_second_training() {
        for name in ["val_loss", "train_loss"] {
            let written: Vec<_> = (0..8).map(|i| (name, i % 4, f64::from(i))).collect();
            let error = read(&written, true).unwrap_err().to_string();
            assert!(error.contains("more than one training"), "{error}");
        }
    }

    #[test]
    fn validation_in_every_tenth_epoch_and_after_every_tenth_step() {
        let of = |train: &'static str, val: &'static str| {
            let mut written = Vec::new();
            for at in 0..60 {
                written.push((train, at, 1.0));
                written.extend((at % 10 == 9).then_some((val, at, 2.0)));
            }
            read(&written, true).unwrap().len()
        };
        assert_eq!(of("train/epoch_loss", "validation/epoch_loss"), 60);
        assert_eq!(of("train_loss", "val_loss"), 6);
    }

    #[test]
    fn epochs_of_lightning_number_its_steps() {
        let mut written = Vec::new();
        for epoch in 0..4 {
            let step = 50 * epoch + 49;
            written.push(("epoch", step, f64::from(epoch)));
            written.push(("train_loss", step, 1.0));
            written.push(("val_loss", step, 2.0));
        }
        let epochs: Vec<f64> = read(&written, true).unwrap().iter().map(|row| row.epoch).collect();
        assert_eq!(epochs, [0.0, 1.0, 2.0, 3.0]);
    }
}
