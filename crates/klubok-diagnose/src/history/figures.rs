//! Series of figures over positions, and the choice of one series per field.

use std::collections::BTreeSet;

use super::{
    HistoryError,
    columns::{Column, Field},
};

/// The values of one column or tag, in the order of the source.
#[derive(Debug, Clone)]
pub(super) struct Series<P> {
    pub(super) name: String,
    pub(super) column: Column,
    pub(super) values: Vec<(P, f64)>,
}

/// The chosen series: one per field, in the order of the fields.
pub(super) struct Chosen<P> {
    pub(super) series: Vec<Series<P>>,
    /// Pairs of names: the series in use, and one of equal rank that was left out.
    pub(super) left_out: Vec<(String, String)>,
}

/// Chooses for each field the series whose name fits best.
///
/// Leaves out single values beside longer series: they are summaries, such as the `train_loss` at
/// the end of Hugging Face's log. Refuses two different losses of equal rank; of two accuracies the
/// first counts.
///
/// # Errors
/// When two different losses of one part have equal rank.
pub(super) fn choose<P: Copy + PartialEq>(
    mut all: Vec<Series<P>>,
    path: &str,
) -> Result<Chosen<P>, HistoryError> {
    all.retain(|series| !series.values.is_empty());
    name_accuracies(&mut all);
    let fields: BTreeSet<Field> = all.iter().map(|s| s.column.field).collect();
    let mut chosen = Chosen { series: Vec::new(), left_out: Vec::new() };
    for field in fields {
        let indices = (0..all.len()).filter(|&i| all[i].column.field == field);
        let has_curve = indices.clone().any(|i| all[i].values.len() > 1);
        let fits = |&i: &usize| !has_curve || all[i].values.len() > 1;
        let fitting: Vec<usize> = indices.filter(fits).collect();
        let Some(&best) = fitting.iter().min_by_key(|&&i| all[i].column.rank) else { continue };
        let rank = all[best].column.rank;
        for &other in fitting.iter().filter(|&&i| i != best && all[i].column.rank == rank) {
            if same(&all[best].values, &all[other].values) {
                continue;
            }
            let (one, other) = (all[best].name.clone(), all[other].name.clone());
            if field.is_loss() {
                return Err(HistoryError::Ambiguous { path: path.to_owned(), one, other });
            }
            chosen.left_out.push((one, other));
        }
        let values = std::mem::take(&mut all[best].values);
        let (name, column) = (all[best].name.clone(), all[best].column);
        chosen.series.push(Series { name, column, values });
    }
    Ok(chosen)
}

/// Takes an accuracy without a part for the validation accuracy, if both losses name their parts
/// and no validation accuracy does: fastai and most tables of this form mean that.
fn name_accuracies<P>(all: &mut [Series<P>]) {
    let named = |field| all.iter().any(|s| s.column.field == field && s.column.names_part);
    let losses = named(Field::TrainLoss) && named(Field::ValLoss);
    if !losses || named(Field::ValAccuracy) {
        return;
    }
    let bare = |s: &&mut Series<P>| s.column.field == Field::TrainAccuracy && !s.column.names_part;
    all.iter_mut().filter(bare).for_each(|series| series.column.field = Field::ValAccuracy);
}

fn same<P: PartialEq>(one: &[(P, f64)], other: &[(P, f64)]) -> bool {
    let equal = |a: &(P, f64), b: &(P, f64)| a.0 == b.0 && a.1.total_cmp(&b.1).is_eq();
    one.len() == other.len() && one.iter().zip(other).all(|(a, b)| equal(a, b))
}

#[cfg(test)]
mod tests {
    use super::{super::columns::meaning, *};

    fn series(names: &[(&str, &[f64])]) -> Vec<Series<usize>> {
        let values = |values: &[f64]| values.iter().copied().enumerate().collect();
        let one = |(name, list): &(&str, &[f64])| Series {
            name: (*name).to_owned(),
            column: meaning(name).unwrap(),
            values: values(list),
        };
        names.iter().map(one).collect()
    }

    #[track_caller]
    fn chosen(names: &[(&str, &[f64])]) -> Vec<(Field, String)> {
        let chosen = choose(series(names), "h").unwrap();
        chosen.series.into_iter().map(|s| (s.column.field, s.name)).collect()
    }

    #[test]
    fn leaves_out_a_summary_beside_a_series() {
        let all: &[(&str, &[f64])] = &[("loss", &[0.9, 0.5, 0.4]), ("train_loss", &[0.6])];
        assert_eq!(chosen(all), [(Field::TrainLoss, "loss".to_owned())]);
    }

    #[test]
    fn an_accuracy_without_a_part_is_of_validation_beside_losses_of_both_parts() {
        let two: &[f64] = &[0.5, 0.4];
        let field = |names: &[&str]| {
            let all: Vec<(&str, &[f64])> = names.iter().map(|name| (*name, two)).collect();
            chosen(&all).into_iter().find(|(_, name)| name == "accuracy").map(|(field, _)| field)
        };
        let val = Some(Field::ValAccuracy);
        assert_eq!(field(&["train_loss", "valid_loss", "accuracy"]), val);
        assert_eq!(field(&["loss", "val_loss", "accuracy"]), Some(Field::TrainAccuracy), "Keras");
        let named = ["train_loss", "val_loss", "accuracy", "val_accuracy"];
        assert_eq!(field(&named), Some(Field::TrainAccuracy));
        assert_eq!(field(&["train_loss", "val_loss", "accuracy", "train_accuracy"]), val);
        assert_eq!(field(&["train_loss", "accuracy"]), Some(Field::TrainAccuracy));
    }

    #[test]
    fn refuses_two_losses_of_one_part_and_takes_the_first_of_two_accuracies() {
        let (one, other): (&[f64], &[f64]) = (&[0.5, 0.4], &[0.5, 0.3]);
        let error = choose(series(&[("val_loss", one), ("valid_loss", other)]), "h").err();
        assert!(
            error.is_some_and(|error| error.to_string().contains("`val_loss` and `valid_loss`"))
        );
        assert_eq!(chosen(&[("val_loss", one), ("valid_loss", one)]).len(), 1);
        assert!(choose(series(&[("loss", one), ("loss", other)]), "h").is_err());
        let all = series(&[("loss", one), ("acc", one), ("accuracy", other)]);
        assert_eq!(choose(all, "h").unwrap().left_out, [("acc".to_owned(), "accuracy".to_owned())]);
    }
}
