//! Measures weight updates from copies of the weights after consecutive steps.

/// Powers of ten that the histogram of update sizes covers. Smaller sizes count in the lowest bin,
/// larger ones in the highest.
pub const POWERS: std::ops::Range<i32> = -12..2;
/// Bins per power of ten.
pub const BINS: usize = 2;

/// Two consecutive updates.
#[derive(Debug, Clone, PartialEq)]
pub struct Motion {
    /// Cosine of the angle between the updates: 1 is straight on, 0 a right angle, -1 back. None if
    /// nothing moved.
    pub cosine: Option<f64>,
    /// Norm of the second update.
    pub length: f64,
    /// That norm relative to the norm of the weights.
    pub relative: f64,
    /// Median absolute change in the second update, without zeros.
    pub typical: Option<f64>,
    /// Weights that the second update did not change.
    pub still: usize,
    /// Histogram of absolute changes in the second update, in [`BINS`] bins per power of ten over
    /// [`POWERS`].
    pub sizes: Vec<usize>,
}

impl Motion {
    /// Measures the two updates between three copies of the same weights.
    ///
    /// # Panics
    /// When the copies differ in length.
    pub fn of(before: &[f64], between: &[f64], after: &[f64]) -> Self {
        assert!(before.len() == between.len() && between.len() == after.len(), "three copies");
        let steps = before.iter().zip(between).zip(after);
        let (mut ab, mut aa, mut bb, mut ww) = (0.0, 0.0, 0.0, 0.0);
        let mut sizes = vec![0; POWERS.len() * BINS];
        let mut moved: Vec<f64> = Vec::new();
        for ((before, between), after) in steps {
            let (a, b) = (between - before, after - between);
            (ab, aa, bb, ww) = (ab + a * b, aa + a * a, bb + b * b, ww + after * after);
            if b != 0.0 {
                moved.push(b.abs());
                sizes[bin(b.abs())] += 1;
            }
        }
        let still = after.len() - moved.len();
        let middle = moved.len() / 2;
        let typical =
            (!moved.is_empty()).then(|| *moved.select_nth_unstable_by(middle, f64::total_cmp).1);
        Self {
            cosine: (aa * bb > 0.0).then(|| ab / (aa * bb).sqrt()),
            length: bb.sqrt(),
            relative: if ww > 0.0 { (bb / ww).sqrt() } else { 0.0 },
            typical,
            still,
            sizes,
        }
    }
}

/// Returns the bin of a size.
fn bin(size: f64) -> usize {
    let bins = BINS as f64;
    let at = ((size.log10() - f64::from(POWERS.start)) * bins).floor();
    (at.max(0.0) as usize).min(POWERS.len() * BINS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measures_angle_and_length() {
        let from = |step: [f64; 2]| Motion::of(&[0.0, 0.0], &[1.0, 0.0], &[1.0 + step[0], step[1]]);
        let cosines = [[0.5, 0.0], [-2.0, 0.0], [0.0, 0.1]].map(|step| from(step).cosine.unwrap());
        assert_eq!(cosines, [1.0, -1.0, 0.0]);
        assert_eq!(from([0.0, 0.0]).cosine, None);
        let around = from([0.0, 0.1]);
        assert!((around.length - 0.1).abs() < 1e-12);
        assert!((around.relative - 0.1 / 1.01f64.sqrt()).abs() < 1e-12);
        assert_eq!((around.still, around.typical), (1, Some(0.1)));
    }

    #[test]
    fn counts_sizes_by_powers_of_ten() {
        let zeros = [0.0; 5];
        let motion = Motion::of(&zeros, &zeros, &[2e-3, -2e-3, 5e-3, 1e-30, 1e30]);
        let at =
            |power: i32, half: usize| motion.sizes[(power - POWERS.start) as usize * BINS + half];
        assert_eq!((at(-3, 0), at(-3, 1)), (2, 1));
        assert_eq!((at(-12, 0), at(1, 1)), (1, 1));
        assert_eq!((motion.sizes.iter().sum::<usize>(), motion.still), (5, 0));
        assert_eq!(motion.typical, Some(2e-3));
    }
}
