//! Facts about a data set, counted from its pictures and labels alone.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::draw::{Drawn, Part};

/// Number of pictures at most that are classified by their nearest neighbour.
const MAX_COMPARED: usize = 200;

/// Facts about a data set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Facts {
    /// Share of the largest training class: the chance accuracy.
    pub(crate) largest_class: f64,
    /// Number of classes.
    pub(crate) classes: usize,
    /// Number of validation pictures (of training pictures without a validation set).
    pub(crate) val: usize,
    /// Share of pixels with the same value in all training pictures.
    pub(crate) constant: f64,
    /// Share of validation pictures that are in the training set too; without a validation set,
    /// share of pictures that occur more than once.
    pub(crate) copies: f64,
    /// Share of training pictures that occur under another label too.
    pub(crate) clashes: f64,
    /// Accuracy of the nearest training picture as a classifier of validation pictures.
    pub(crate) neighbour: f64,
    /// Mean, standard deviation, minimum and maximum of all training pixels.
    pub(crate) pixels: [f64; 4],
}

/// Counts the facts about a data set.
pub(crate) fn facts(drawn: &Drawn) -> Facts {
    let Drawn { train, val } = drawn;
    let mut labels: BTreeMap<&[u8], BTreeSet<u8>> = BTreeMap::new();
    let mut times: BTreeMap<&[u8], usize> = BTreeMap::new();
    for (picture, label) in train.pictures.iter().zip(&train.labels) {
        labels.entry(picture).or_default().insert(*label);
        *times.entry(picture).or_default() += 1;
    }
    let train_share = |is: &dyn Fn(&[u8]) -> bool| share(&train.pictures, is);
    Facts {
        largest_class: largest_class(&train.labels),
        classes: train.labels.iter().collect::<BTreeSet<_>>().len(),
        val: if val.labels.is_empty() { train.labels.len() } else { val.labels.len() },
        constant: constant(&train.pictures),
        copies: if val.pictures.is_empty() {
            train_share(&|picture| times[picture] > 1)
        } else {
            share(&val.pictures, &|picture| times.contains_key(picture))
        },
        clashes: train_share(&|picture| labels[picture].len() > 1),
        neighbour: neighbour(train, val),
        pixels: pixels(&train.pictures),
    }
}

fn share(pictures: &[Vec<u8>], is: &dyn Fn(&[u8]) -> bool) -> f64 {
    pictures.iter().filter(|picture| is(picture)).count() as f64 / pictures.len().max(1) as f64
}

/// Share of the most frequent label.
pub(crate) fn largest_class(labels: &[u8]) -> f64 {
    let mut counts = [0usize; 256];
    labels.iter().for_each(|&label| counts[usize::from(label)] += 1);
    counts.into_iter().max().unwrap_or(0) as f64 / labels.len().max(1) as f64
}

fn constant(pictures: &[Vec<u8>]) -> f64 {
    let Some(first) = pictures.first() else { return 0.0 };
    let same = |at: &usize| pictures.iter().all(|picture| picture[*at] == first[*at]);
    (0..first.len()).filter(same).count() as f64 / first.len().max(1) as f64
}

/// Accuracy of the nearest neighbour; without a validation set the first half of the training set
/// classifies the second.
fn neighbour(train: &Part, val: &Part) -> f64 {
    let half = train.labels.len() / 2;
    let (known, queries, truth) = if val.labels.is_empty() {
        (&train.pictures[..half], &train.pictures[half..], &train.labels[half..])
    } else {
        (&train.pictures[..], &val.pictures[..], &val.labels[..])
    };
    let distance = |a: &[u8], b: &[u8]| -> u64 {
        a.iter().zip(b).map(|(a, b)| u64::from(a.abs_diff(*b)).pow(2)).sum()
    };
    let correct = |(picture, label): &(&Vec<u8>, &u8)| {
        let nearest = (0..known.len()).min_by_key(|&i| distance(&known[i], picture));
        nearest.is_some_and(|i| train.labels[i] == **label)
    };
    let count = queries.len().min(MAX_COMPARED);
    queries.iter().zip(truth).take(count).filter(correct).count() as f64 / count.max(1) as f64
}

fn pixels(pictures: &[Vec<u8>]) -> [f64; 4] {
    let all = || pictures.iter().flatten().map(|&pixel| f64::from(pixel));
    let n = all().count().max(1) as f64;
    let mean = all().sum::<f64>() / n;
    let variance = all().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
    [mean, variance.sqrt(), all().fold(255.0, f64::min), all().fold(0.0, f64::max)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(pictures: &[[u8; 2]], labels: &[u8]) -> Part {
        let pictures = pictures.iter().map(|picture| picture.to_vec()).collect();
        Part { pictures, labels: labels.to_vec() }
    }

    #[test]
    fn facts_about_four_pictures_match_hand_counts() {
        let train = part(&[[0, 7], [0, 9], [0, 9], [0, 3]], &[0, 0, 1, 0]);
        let val = part(&[[0, 3], [0, 8]], &[0, 0]);
        let found = facts(&Drawn { train, val });
        let expected = Facts {
            largest_class: 0.75,
            classes: 2,
            val: 2,
            constant: 0.5,
            copies: 0.5,
            clashes: 0.5,
            neighbour: 1.0,
            // The mean square of 0, 7, 0, 9, 0, 9, 0, 3 is 27.5, and 27.5 - 3.5² = 15.25.
            pixels: [3.5, 15.25f64.sqrt(), 0.0, 9.0],
        };
        assert_eq!(found, expected);
    }
}
