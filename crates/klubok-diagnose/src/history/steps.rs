//! Arranges figures over steps into epochs. Each figure may count steps of its own: training steps,
//! epochs, or the batches of an epoch, which start again.
//!
//! If steps do not match, the order of writing shows which figures belong together: training
//! figures belong to the next validation after them. If that is ambiguous too, the history is an
//! error.

use super::{
    HistoryError, Row,
    columns::Field,
    figures::Series,
    rows::{Figures, Unit, arrange, combine, consecutive},
};

/// When and where a figure was written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    /// The step in the source.
    pub(super) step: f64,
    /// The order of writing: the number of the record, or the time in seconds.
    pub(super) order: f64,
}

type Values = Vec<(Point, f64)>;

/// Arranges one row per epoch. `in_order` is true if the order of writing is exact, by record, and
/// not only by clock time.
///
/// # Errors
/// When the series seem to be of more than one training, or it is ambiguous which figures belong
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
        remove_initial_validation(train, val, epochs.as_ref());
    }
    let main = val.as_ref().or(train.as_ref());
    if let Some((name, step)) = main.and_then(|s| Some((s.name.clone(), find_restart(s)?))) {
        return Err(HistoryError::Restarts { path: path.to_owned(), name, step });
    }
    let mut units_match = true;
    if let (Some(train), Some(val)) = (&mut train, &mut val) {
        units_match =
            find_restart(train).is_none() && !units_differ(&train.values, &val.values, in_order);
        if !units_match && !join_by_order(train, val, &mut series) {
            return Err(HistoryError::Mixed {
                path: path.to_owned(),
                train: format!("`{}` at steps {}", train.name, range(&train.values)),
                val: format!("`{}` at steps {}", val.name, range(&val.values)),
            });
        }
    }
    // Keras has `epoch` in the names of figures per epoch.
    let named = train.iter().chain(&val).any(|series| series.name.contains("epoch"));
    let all = series.into_iter().chain(train).chain(val);
    let figures: Figures = all.map(|s| (s.column.field, combine_steps(s))).collect();
    let by_epochs = figures.get(&Field::TrainLoss).is_some_and(|values| {
        named && consecutive(&values.iter().map(|value| value.0).collect::<Vec<_>>())
    });
    if let Some(epochs) = epochs.as_ref().filter(|_| units_match)
        && let Some(figures) = over_epochs(&figures, &epochs.values)
    {
        return Ok(arrange(&figures, Unit::Epochs));
    }
    let mut rows = arrange(&figures, if by_epochs { Unit::Epochs } else { Unit::Steps });
    if let Some(epochs) = epochs.filter(|_| units_match) {
        renumber(&mut rows, &epochs.values, &figures);
    }
    Ok(rows)
}

/// True if the rows' epochs are counted from steps: the last row has the later step `last`, or
/// there is no validation to mark epochs. `last` is NaN without steps.
pub(super) fn is_by_steps(rows: &[Row], last: f64, has_val: bool) -> bool {
    let is_earlier = rows.last().is_some_and(|row| row.epoch < last);
    is_earlier || !has_val && !last.is_nan()
}

/// Removes a validation from before the first training step, which belongs to no epoch, unless it
/// has an epoch of its own.
fn remove_initial_validation(
    train: &Series<Point>,
    val: &mut Series<Point>,
    epochs: Option<&Series<Point>>,
) {
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

/// The step at which a series starts again, or has a second value for the same step.
fn find_restart(series: &Series<Point>) -> Option<f64> {
    let mean = series.column.mean || series.column.field.is_per_step();
    let restarts = |a: &(Point, f64), b: &(Point, f64)| {
        b.0.step < a.0.step || (b.0.step == a.0.step && !mean && a.1.total_cmp(&b.1).is_ne())
    };
    series.values.windows(2).find(|pair| restarts(&pair[0], &pair[1])).map(|pair| pair[1].0.step)
}

/// True if two series count steps in different units: one has consecutive numbers, and the other
/// continues far beyond them although it was written at the same time.
fn units_differ(one: &Values, other: &Values, in_order: bool) -> bool {
    let end = |values: &Values| values.last().map_or(0.0, |value| value.0.step);
    let (short, long) = if end(one) < end(other) { (one, other) } else { (other, one) };
    let gap = |values: &Values| match (values.first(), values.len()) {
        (Some(first), n @ 2..) => (end(values) - first.0.step) / (n - 1) as f64,
        _ => 0.0,
    };
    let continues =
        end(long) - end(short) > (2.0 * gap(short).max(gap(long))).max(0.5 * end(short));
    let counts = short.len() > 1 && short.windows(2).all(|p| p[1].0.step == p[0].0.step + 1.0);
    if !(continues && counts) {
        return false;
    }
    // The units match if validation only stopped early: each was written beside the training figure
    // of its step.
    let with_its_step = |&(point, _): &(Point, f64)| {
        let steps = long.partition_point(|value| value.0.step <= point.step);
        let written = long.partition_point(|value| value.0.order <= point.order);
        steps.abs_diff(written) <= 1
    };
    !(in_order && short.iter().all(with_its_step))
}

/// Assigns the steps of validations to training figures by the order of writing. If the two
/// alternate, each pair belongs together. Returns false if the order is ambiguous.
fn join_by_order(
    train: &mut Series<Point>,
    val: &mut Series<Point>,
    others: &mut [Series<Point>],
) -> bool {
    let ends: Values = val.values.clone();
    if ends.windows(2).any(|pair| pair[1].0.order <= pair[0].0.order) {
        return false;
    }
    let index = |point: &Point| ends.partition_point(|end| end.0.order < point.order);
    let mut counts = vec![0usize; ends.len() + 1];
    train.values.iter().for_each(|(point, _)| counts[index(point)] += 1);
    let (tail, within) = (counts[ends.len()], &counts[..ends.len()]);
    if within.contains(&0) || tail > within.iter().copied().max().unwrap_or(0) {
        return false;
    }
    // With validations at steps and training by epochs, the smaller numbers are the epochs.
    let alternate = tail == 0 && within.iter().all(|&count| count == 1);
    let numbers: Vec<f64> = if alternate && find_restart(train).is_none() {
        let epochs = train.values.iter().zip(&val.values).map(|(a, b)| a.0.step.min(b.0.step));
        epochs.collect()
    } else {
        ends.iter().map(|end| end.0.step).collect()
    };
    let last = numbers.last().map_or(0.0, |last| last + 1.0);
    // Figures with the steps of validations belong to them, even if written later.
    let same_step =
        |point: &Point| ends.binary_search_by(|end| end.0.step.total_cmp(&point.step)).ok();
    for series in others.iter_mut().chain([&mut *val]) {
        let all_same = series.values.iter().all(|(point, _)| same_step(point).is_some());
        for (point, _) in &mut series.values {
            let at = same_step(point).filter(|_| all_same).unwrap_or_else(|| index(point));
            point.step = numbers.get(at).copied().unwrap_or(last);
        }
    }
    for (point, _) in &mut train.values {
        point.step = numbers.get(index(point)).copied().unwrap_or(last);
    }
    true
}

/// Sorts values by step and combines those of the same step.
fn combine_steps(mut series: Series<Point>) -> Vec<(f64, f64)> {
    let mean = series.column.mean || series.column.field.is_per_step();
    series.values.sort_by(|a, b| a.0.step.total_cmp(&b.0.step));
    let groups = series.values.chunk_by(|a, b| a.0.step == b.0.step);
    let one =
        |group: &[(Point, f64)]| Some((group[0].0.step, combine(group.iter().map(|v| v.1), mean)?));
    groups.filter_map(one).collect()
}

/// Replaces steps by epochs, as a table with a column of epochs has them. None unless every step of
/// a loss has an epoch, and every validation an epoch of its own.
fn over_epochs(figures: &Figures, epochs: &Values) -> Option<Figures> {
    let mut known: Vec<(f64, f64)> = epochs.iter().map(|(at, epoch)| (at.step, *epoch)).collect();
    known.sort_by(|a, b| a.0.total_cmp(&b.0));
    known.dedup();
    // Steps and epochs must increase together; if not, epochs were written apart from their
    // figures.
    if known.windows(2).any(|pair| pair[1].0 == pair[0].0 || pair[1].1 < pair[0].1) {
        return None;
    }
    let epoch_of = |step: f64| {
        let at = known.partition_point(|known| known.0 < step);
        known.get(at).filter(|known| known.0 == step).map(|known| known.1)
    };
    let mut placed = Figures::new();
    for (&field, values) in figures {
        let at = values.iter().map(|&(step, value)| Some((epoch_of(step)?, value)));
        let values: Vec<(f64, f64)> =
            if field.is_loss() { at.collect::<Option<_>>()? } else { at.flatten().collect() };
        let groups = || values.chunk_by(|a, b| a.0 == b.0);
        if field == Field::ValLoss && groups().any(|group| group.len() > 1) {
            return None;
        }
        let one = |group: &[(f64, f64)]| {
            Some((group[0].0, combine(group.iter().map(|v| v.1), field.is_per_step())?))
        };
        placed.insert(field, groups().filter_map(one).collect());
    }
    Some(placed)
}

/// Numbers rows by the epochs at their steps, if these increase.
fn renumber(rows: &mut [Row], epochs: &Values, figures: &Figures) {
    let reference = figures.get(&Field::ValLoss).or_else(|| figures.get(&Field::TrainLoss));
    let Some(steps) = reference.filter(|steps| steps.len() == rows.len()) else { return };
    let epoch_of = |step: f64| {
        let at = epochs.partition_point(|value| value.0.step < step);
        epochs.get(at).or(epochs.last()).map(|value| value.1)
    };
    let numbers: Option<Vec<f64>> = steps.iter().map(|step| epoch_of(step.0)).collect();
    if let Some(numbers) = numbers
        && numbers.windows(2).all(|pair| pair[0] < pair[1])
    {
        rows.iter_mut().zip(numbers).for_each(|(row, number)| row.epoch = number);
    }
}

/// The range of steps as text: `0 to 399`.
fn range(values: &Values) -> String {
    let steps = || values.iter().map(|value| value.0.step);
    format!("{} to {}", steps().fold(f64::INFINITY, f64::min), steps().fold(0.0, f64::max))
}

#[cfg(test)]
mod tests {
    use super::{super::columns::meaning, *};

    /// Arranges (name, step, value) in the order of writing.
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
    fn leaves_out_a_validation_before_training() {
        let text = "step,train_loss,val_loss\n0,,2.3\n50,0.9,0.8\n100,0.7,0.6\n";
        let rows = super::super::tests::losses(text);
        assert_eq!(rows, [(1.0, Some(0.9), Some(0.8)), (2.0, Some(0.7), Some(0.6))]);
        // Both count steps from 0.
        let text = "step,train_loss,val_loss\n0,1.0,2.3\n1,0.9,0.8\n";
        assert_eq!(super::super::tests::losses(text).len(), 2);
    }

    #[test]
    fn joins_steps_and_epochs_by_the_order_of_writing() {
        // Four steps per epoch, 20 epochs; validations count epochs from 0 or from 1.
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
    fn accuracies_after_a_validation_belong_to_its_epoch() {
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
    fn reads_batch_numbers_that_restart_in_every_epoch() {
        let mut written = Vec::new();
        for epoch in 1..6 {
            (0..3).for_each(|i| written.push(("train_loss", i, f64::from(epoch))));
            written.push(("val_loss", epoch, 1.0));
        }
        let rows = losses(&read(&written, true).unwrap());
        assert_eq!(rows[4], (5.0, Some(5.0), Some(1.0)));
    }

    #[test]
    fn reads_validations_at_steps_and_training_by_epochs() {
        let mut written = Vec::new();
        for epoch in 0..9 {
            written.push(("train_loss", epoch, 1.0));
            written.push(("val_loss", 50 * (epoch + 1), 2.0));
        }
        let rows = losses(&read(&written, true).unwrap());
        assert_eq!((rows.len(), rows[8]), (9, (8.0, Some(1.0), Some(2.0))));
    }

    #[test]
    fn refuses_an_ambiguous_order() {
        let train = (0..40).map(|i| ("train_loss", i, 1.0));
        let val = (0..10).map(|i| ("val_loss", i, 1.0));
        let error = read(&train.chain(val).collect::<Vec<_>>(), true).unwrap_err().to_string();
        assert!(error.contains("0 to 39") && error.contains("0 to 9"), "{error}");
    }

    #[test]
    fn a_validation_that_stopped_early_keeps_its_steps() {
        let mut written = Vec::new();
        for epoch in 0..20 {
            written.push(("train_loss", epoch, 1.0));
            written.extend((epoch < 4).then_some(("val_loss", epoch, 2.0)));
        }
        let rows = losses(&read(&written, true).unwrap());
        assert_eq!((rows.len(), rows[3].2, rows[4].2), (20, Some(2.0), None));
        assert!(read(&written, false).is_err(), "clock times of two files are ambiguous");
    }

    #[test]
    fn refuses_steps_that_start_again() {
        for name in ["val_loss", "train_loss"] {
            let written: Vec<_> = (0..8).map(|i| (name, i % 4, f64::from(i))).collect();
            let error = read(&written, true).unwrap_err().to_string();
            assert!(error.contains("more than one training"), "{error}");
        }
    }

    #[test]
    fn tells_validation_every_ten_epochs_from_every_ten_steps() {
        let epochs = |train: &'static str, val: &'static str| {
            let mut written = Vec::new();
            for at in 0..60 {
                written.push((train, at, 1.0));
                written.extend((at % 10 == 9).then_some((val, at, 2.0)));
            }
            read(&written, true).unwrap().len()
        };
        assert_eq!(epochs("train/epoch_loss", "validation/epoch_loss"), 60);
        assert_eq!(epochs("train_loss", "val_loss"), 6);
    }

    #[test]
    fn numbers_the_steps_of_lightning_by_its_epochs() {
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
