//! Probes a layer's outputs: what a linear classifier reads from them, and how much they change
//! when a picture is flipped or shifted.

use klubok_data::symmetric::{product, solve};
use klubok_nn::loss::predicted_class;

/// Ridge penalty `λ`, relative to the mean squared norm of a sample.
const RIDGE: f64 = 0.01;

/// Samples with their classes.
#[derive(Debug, Clone, Copy)]
pub struct Labelled<'a> {
    /// `[samples, width]`.
    pub values: &'a [f64],
    /// The label of each.
    pub classes: &'a [u32],
}

/// Returns the accuracy on `test` of a linear probe trained on `learn`: ridge regression of the
/// classes, `W = Xᵀ (X Xᵀ + λ I)⁻¹ Y` with centred `X` and `Y`. None if either set is empty.
///
/// # Panics
/// When the numbers of values and labels do not match.
pub fn linear_probe(learn: Labelled<'_>, test: Labelled<'_>, classes: usize) -> Option<f64> {
    let (n, tested) = (learn.classes.len(), test.classes.len());
    if n == 0 || tested == 0 {
        return None;
    }
    let width = learn.values.len() / n;
    let mean = column_means(learn.values, width);
    let centred = |values: &[f64]| -> Vec<f64> {
        values.iter().zip(mean.iter().cycle()).map(|(x, mean)| x - mean).collect()
    };
    let (x, t) = (centred(learn.values), centred(test.values));
    let mut products = product(&x, &x, width);
    let trace: f64 = (0..n).map(|i| products[i * n + i]).sum();
    let penalty = (RIDGE * trace / n as f64).max(f64::MIN_POSITIVE);
    (0..n).for_each(|i| products[i * n + i] += penalty);
    // One row per class: its indicator minus the class share.
    let mut y = Vec::with_capacity(classes * n);
    let mut class_shares = Vec::with_capacity(classes);
    for class in 0..classes {
        let is = learn.classes.iter().map(|&of| f64::from(u8::from(of as usize == class)));
        let share = is.clone().sum::<f64>() / n as f64;
        y.extend(is.map(|is| is - share));
        class_shares.push(share);
    }
    // The test scores are T Xᵀ (X Xᵀ + λ I)⁻¹ Y.
    let scores = product(&product(&t, &x, width), &solve(products, n, y)?, n);
    let right = scores.chunks_exact(classes).zip(test.classes).filter(|(row, class)| {
        let scores: Vec<f64> =
            row.iter().zip(&class_shares).map(|(score, share)| score + share).collect();
        predicted_class(&scores) == **class as usize
    });
    Some(right.count() as f64 / tested as f64)
}

/// Returns the mean of each column of `[rows, width]`.
fn column_means(values: &[f64], width: usize) -> Vec<f64> {
    let rows = (values.len() / width).max(1) as f64;
    let mut sums = vec![0.0; width];
    for row in values.chunks_exact(width) {
        sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
    }
    sums.into_iter().map(|sum| sum / rows).collect()
}

/// Returns the similarity of the outputs `a` of samples and the outputs `b` of the same samples
/// after a change: the mean cosine of their differences from the mean output. 1 means identical;
/// different samples have about 0. Both are `[samples, width]`.
pub fn similarity(a: &[f64], b: &[f64], width: usize) -> Option<f64> {
    let mean = column_means(a, width);
    let cosine = |(a, b): (&[f64], &[f64])| {
        let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
        for ((a, b), mean) in a.iter().zip(b).zip(&mean) {
            let (a, b) = (a - mean, b - mean);
            (ab, aa, bb) = (ab + a * b, aa + a * a, bb + b * b);
        }
        (aa * bb > 0.0).then(|| ab / (aa * bb).sqrt())
    };
    let cosines: Vec<f64> =
        a.chunks_exact(width).zip(b.chunks_exact(width)).filter_map(cosine).collect();
    (!cosines.is_empty()).then(|| cosines.iter().sum::<f64>() / cosines.len() as f64)
}

#[cfg(test)]
mod tests {
    use klubok_nn::rng::{Purpose, Stream};

    use super::*;

    /// Random points in the plane. The class is their side of a line, or random.
    fn points(n: usize, seed: u64, side: bool) -> (Vec<f64>, Vec<u32>) {
        let mut stream = Stream::new(seed, Purpose::Demo, 0, 0);
        let values: Vec<f64> = (0..2 * n).map(|_| stream.uniform() - 0.5).collect();
        let class = |at: &[f64]| {
            let by = if side { at[0] + 0.3 * at[1] - 0.1 } else { stream.uniform() - 0.5 };
            u32::from(by > 0.0)
        };
        let classes = values.chunks(2).map(class).collect();
        (values, classes)
    }

    fn probed(side: bool) -> f64 {
        let (learn, test) = (points(200, 1, side), points(400, 2, side));
        let of = |(values, classes)| Labelled { values, classes };
        linear_probe(of((&learn.0, &learn.1)), of((&test.0, &test.1)), 2).unwrap()
    }

    #[test]
    fn a_probe_finds_linear_structure_only() {
        assert!(probed(true) > 0.93, "{}", probed(true));
        assert!((probed(false) - 0.5).abs() < 0.12, "{}", probed(false));
        let none = Labelled { values: &[], classes: &[] };
        assert_eq!(linear_probe(none, none, 2), None);
    }

    #[test]
    fn constant_outputs_give_the_majority_share() {
        let same = Labelled { values: &[1.0; 6], classes: &[0, 0, 1] };
        let share = linear_probe(same, same, 2).unwrap();
        assert!((share - 2.0 / 3.0).abs() < 1e-12, "{share}");
    }

    #[test]
    fn similarity_is_1_for_identical_and_0_for_other_outputs() {
        let (a, _) = points(300, 3, true);
        let (b, _) = points(300, 4, true);
        assert!((similarity(&a, &a, 2).unwrap() - 1.0).abs() < 1e-9);
        let turned: Vec<f64> = a.iter().map(|x| 3.0 * x).collect();
        assert!(similarity(&a, &turned, 2).unwrap() > 0.99);
        assert!(similarity(&a, &b, 2).unwrap().abs() < 0.12);
        assert_eq!(similarity(&[1.0, 1.0], &[2.0, 2.0], 2), None);
    }
}
