//! Splits the training set into training and validation set: classes by their shares, all else by
//! chance.

use klubok_nn::rng::{Purpose, Stream};

use crate::Targets;

/// Splits `train` into training and validation set, both in ascending order: each class as
/// [`stratified`] does, or all rows of other targets together.
pub(super) fn split(
    targets: &Targets,
    train: &[u32],
    outputs: usize,
    fraction: f64,
    seed: u64,
) -> (Vec<u32>, Vec<u32>) {
    match targets.classes() {
        Some(classes) => stratified(|row| classes[row as usize], train, outputs, fraction, seed),
        None => stratified(|_| 0, train, 1, fraction, seed),
    }
}

/// Splits `train` into training and validation set, both in ascending order.
///
/// Each class gives `round(fraction * n)` of its `n` rows, chosen at random by `seed`: at least one
/// and never all if it has two or more, none if it has one.
fn stratified(
    class: impl Fn(u32) -> u32,
    train: &[u32],
    classes: usize,
    fraction: f64,
    seed: u64,
) -> (Vec<u32>, Vec<u32>) {
    let mut members = vec![Vec::new(); classes];
    for &row in train {
        members[class(row) as usize].push(row);
    }
    let (mut kept, mut val) = (Vec::new(), Vec::new());
    for (class, mut rows) in members.into_iter().enumerate() {
        Stream::new(seed, Purpose::Split, 0, class as u64).shuffle(&mut rows);
        let share = (fraction * rows.len() as f64).round() as usize;
        let share = if rows.len() < 2 { 0 } else { share.clamp(1, rows.len() - 1) };
        val.extend_from_slice(&rows[..share]);
        kept.extend_from_slice(&rows[share..]);
    }
    kept.sort_unstable();
    val.sort_unstable();
    (kept, val)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Interleaved rows of three classes with 10, 25 and 3 rows.
    fn targets() -> Vec<u32> {
        let mut targets = Vec::new();
        for i in 0..25 {
            targets
                .extend([(0, 10), (1, 25), (2, 3)].iter().filter(|(_, n)| i < *n).map(|(c, _)| c));
        }
        targets
    }

    fn parts(fraction: f64, seed: u64) -> (Vec<u32>, Vec<u32>) {
        let targets = targets();
        let all: Vec<u32> = (0..targets.len() as u32).collect();
        let (train, val) = stratified(|row| targets[row as usize], &all, 3, fraction, seed);
        let mut both = [train.clone(), val.clone()].concat();
        both.sort_unstable();
        assert_eq!(both, all, "every row is in one part");
        assert!(train.is_sorted() && val.is_sorted());
        (train, val)
    }

    fn shares(fraction: f64) -> [usize; 3] {
        let (targets, (_, val)) = (targets(), parts(fraction, 0));
        [0, 1, 2].map(|c| val.iter().filter(|&&row| targets[row as usize] == c).count())
    }

    #[test]
    fn every_class_gives_its_share() {
        assert_eq!(shares(0.2), [2, 5, 1]);
        assert_eq!(shares(0.1), [1, 3, 1]);
        assert_eq!(shares(0.5), [5, 13, 2]);
    }

    #[test]
    fn no_class_gives_none_or_all() {
        assert_eq!(shares(0.001), [1, 1, 1]);
        assert_eq!(shares(0.999), [9, 24, 2]);
        assert_eq!(
            stratified(|row| row.min(1), &[0, 1, 2], 2, 0.2, 0).0[0],
            0,
            "a single row stays"
        );
    }

    #[test]
    fn the_seed_determines_the_split() {
        assert_eq!(parts(0.2, 7), parts(0.2, 7));
        assert_ne!(parts(0.2, 7), parts(0.2, 8));
    }

    #[test]
    fn classes_are_split_independently() {
        let (all, targets) = ((0..20).collect::<Vec<u32>>(), [[0; 10], [1; 10]].concat());
        let class = |row: u32| targets[row as usize];
        let (_, both) = stratified(class, &all, 2, 0.3, 0);
        let (_, second) = stratified(class, &all[10..], 2, 0.3, 0);
        assert_eq!(both[3..], second);
    }
}
