//! What a layer's outputs are good for: what a straight cut through them can tell, and how much
//! they change when a picture is flipped or shifted.

use klubok_data::symmetric::{product, solve};
use klubok_nn::loss::predicted_class;

/// How much the probe's weights are held back, by the mean square length of a sample.
const RIDGE: f64 = 0.01;

/// Samples with their classes.
#[derive(Debug, Clone, Copy)]
pub struct Labelled<'a> {
    /// `[samples, width]`.
    pub values: &'a [f64],
    /// The class of each.
    pub classes: &'a [u32],
}

/// Share of right answers on `test` of a linear probe of `learn`: ridge regression of the classes,
/// `W = Xᵀ (X Xᵀ + λ I)⁻¹ Y` with centred `X` and `Y`. None when there is nothing to learn from or
/// to test on.
///
/// # Panics
/// When values and classes do not agree.
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
    let held = (RIDGE * trace / n as f64).max(f64::MIN_POSITIVE);
    (0..n).for_each(|i| products[i * n + i] += held);
    // A row a class: who is of it, less the share that is.
    let mut y = Vec::with_capacity(classes * n);
    let mut usual = Vec::with_capacity(classes);
    for class in 0..classes {
        let is = learn.classes.iter().map(|&of| f64::from(u8::from(of as usize == class)));
        let share = is.clone().sum::<f64>() / n as f64;
        y.extend(is.map(|is| is - share));
        usual.push(share);
    }
    // The scores of what is tested are T Xᵀ (X Xᵀ + λ I)⁻¹ Y.
    let scores = product(&product(&t, &x, width), &solve(products, n, y)?, n);
    let right = scores.chunks_exact(classes).zip(test.classes).filter(|(row, class)| {
        let scores: Vec<f64> = row.iter().zip(&usual).map(|(score, usual)| score + usual).collect();
        predicted_class(&scores) == **class as usize
    });
    Some(right.count() as f64 / tested as f64)
}

/// The mean of each column of `[rows, width]`.
fn column_means(values: &[f64], width: usize) -> Vec<f64> {
    let rows = (values.len() / width).max(1) as f64;
    (0..width).map(|i| values.iter().skip(i).step_by(width).sum::<f64>() / rows).collect()
}

/// How alike the outputs `a` of samples stay to the outputs `b` of the same samples, changed: the
/// mean cosine of the angle between the two as seen from the mean output. 1 is the same; two
/// different samples have about 0. Both are `[samples, width]`.
pub fn alike(a: &[f64], b: &[f64], width: usize) -> Option<f64> {
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

    /// Random points in the plane; the class says on which side of a line they are, or nothing.
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
    fn a_probe_finds_what_a_straight_cut_tells_and_nothing_else() {
        assert!(probed(true) > 0.93, "{}", probed(true));
        assert!((probed(false) - 0.5).abs() < 0.12, "{}", probed(false));
        let none = Labelled { values: &[], classes: &[] };
        assert_eq!(linear_probe(none, none, 2), None);
    }

    #[test]
    fn outputs_that_are_all_the_same_tell_nothing() {
        let same = Labelled { values: &[1.0; 6], classes: &[0, 0, 1] };
        let share = linear_probe(same, same, 2).unwrap();
        assert!((share - 2.0 / 3.0).abs() < 1e-12, "{share}");
    }

    #[test]
    fn likeness_is_one_for_the_same_and_none_for_others() {
        let (a, _) = points(300, 3, true);
        let (b, _) = points(300, 4, true);
        assert!((alike(&a, &a, 2).unwrap() - 1.0).abs() < 1e-9);
        let turned: Vec<f64> = a.iter().map(|x| 3.0 * x).collect();
        assert!(alike(&a, &turned, 2).unwrap() > 0.99);
        assert!(alike(&a, &b, 2).unwrap().abs() < 0.12);
        assert_eq!(alike(&[1.0, 1.0], &[2.0, 2.0], 2), None);
    }
}
