//! Whether a sample is like those of a training part, or far from all of them.
//!
//! The samples' first principal components span a space. Two figures say where a sample `x` is, as
//! in statistical process control (Jackson and Mudholkar 1979): `T² = Σ (cᵢ / sᵢ)²`, with its
//! coordinates `cᵢ` and their standard deviations `sᵢ`, is how far it is from the mean within the
//! space; `Q = |x - mean|² - Σ cᵢ²` is how much of it the space does not hold. A sample is far when
//! a figure is outside of everything that samples of the training part show which took no part in
//! the components. `Q` has two limits, as what is nearer to the mean than any of them is none of
//! them. A third figure is the standard deviation of a sample's own values: a sample is far too
//! that has less than half of the least of them, as a blank picture has where others are drawings.

use klubok_nn::rows::{Field, Rows};
use serde::{Deserialize, Serialize};

use super::preprocess::{Preprocessing, each_row};
use crate::{components::Components, error::Result};

/// Axes that are kept, and samples that they are found from, at most.
pub const AXES: usize = 32;
const SAMPLES: usize = 256;
/// Samples that give the limits, at most.
const OTHERS: usize = 512;
/// Of the least contrast, the share below which a sample is far.
const FAINT: f64 = 0.5;
/// Least number of samples for axes, and for limits.
const FEW: usize = 32;
/// Share of the largest value below which there is only rounding.
const ROUNDING: f64 = 1e-7;
/// Values of the samples that axes are found from, at most: their products take a moment.
const VALUES: usize = 1 << 21;

/// What samples of a training part look like, in the network's input.
#[derive(Debug, Clone, PartialEq)]
pub struct Typical {
    /// Their mean: `[inputs]`.
    pub mean: Vec<f32>,
    /// Vectors of length 1 at right angles: `[axes, inputs]`.
    pub axes: Vec<f32>,
    /// Standard deviation along each.
    pub spread: Vec<f32>,
    /// Beyond which a sample is far.
    pub limits: Limits,
}

/// What samples that took no part in the axes show.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Smallest standard deviation of a sample's own values.
    pub contrast: f64,
    /// Largest `T²`.
    pub t_squared: f64,
    /// Smallest and largest `Q`.
    pub q: [f64; 2],
    /// Number of samples.
    pub samples: u64,
}

impl Typical {
    /// What the rows `train` look like; none where they are too few or too wide to tell.
    ///
    /// # Errors
    /// When rows cannot be read.
    pub fn measure(
        rows: &dyn Rows,
        preprocessing: &Preprocessing,
        train: &[u32],
    ) -> Result<Option<Self>> {
        let width = rows.fields()[Field::X.0].width;
        let many = SAMPLES.min(train.len() / 2).min(VALUES / width.max(1));
        if many < FEW {
            return Ok(None);
        }
        let (own, others) = divided(train, many);
        let kind = rows.fields()[Field::X.0].kind;
        let mut samples = Vec::with_capacity(many * width);
        each_row(rows, &own, |_, stored| {
            samples.extend(preprocessing.apply(kind, stored));
            Ok(())
        })?;
        let Components { mean, mut axes, mut spread } = Components::of(&samples, width, AXES);
        // Samples that are all the same differ by rounding.
        let largest = samples.iter().fold(1.0, |most: f64, x| most.max(x.abs()));
        spread.retain(|spread| *spread > ROUNDING * largest);
        axes.truncate(spread.len());
        drop(samples);
        let single = |values: &[f64]| values.iter().map(|&x| x as f32).collect::<Vec<f32>>();
        let limits = Limits {
            contrast: f64::INFINITY,
            t_squared: 0.0,
            q: [f64::INFINITY, 0.0],
            samples: others.len() as u64,
        };
        let axes = axes.iter().flat_map(|axis| single(axis)).collect();
        let mut typical = Self { mean: single(&mean), axes, spread: single(&spread), limits };
        each_row(rows, &others, |_, stored| {
            let sample = preprocessing.apply(kind, stored);
            let (t_squared, q) = typical.figures(&sample);
            let Limits { contrast: least, t_squared: most, q: [low, high], .. } =
                &mut typical.limits;
            (*most, *low, *high) = (most.max(t_squared), low.min(q), high.max(q));
            *least = least.min(contrast(&sample));
            Ok(())
        })?;
        Ok(typical.is_sound(width).then_some(typical))
    }

    /// Whether a sample, as the network's input, is far from those of the training part.
    pub fn is_far(&self, sample: &[f64]) -> bool {
        let Limits { contrast: least, t_squared: most, q: [low, high], .. } = self.limits;
        let (t_squared, q) = self.figures(sample);
        t_squared > most || !(low..=high).contains(&q) || contrast(sample) < FAINT * least
    }

    /// `T²` and `Q`.
    fn figures(&self, sample: &[f64]) -> (f64, f64) {
        let apart: Vec<f64> =
            sample.iter().zip(&self.mean).map(|(x, mean)| x - f64::from(*mean)).collect();
        let (mut t_squared, mut q) = (0.0, product(&apart, &apart));
        for (axis, spread) in self.axes.chunks_exact(apart.len()).zip(&self.spread) {
            let at = product(axis, &apart);
            t_squared += (at / f64::from(*spread)).powi(2);
            q -= at * at;
        }
        (t_squared, q.max(0.0))
    }

    /// Whether it can be computed with, for so many inputs.
    pub fn is_sound(&self, inputs: usize) -> bool {
        let Self { mean, axes, spread, limits } = self;
        let Limits { contrast, t_squared, q: [low, high], .. } = limits;
        let finite = |values: &[f32]| values.iter().all(|x| x.is_finite());
        mean.len() == inputs
            && (1..=AXES).contains(&spread.len())
            && Some(axes.len()) == spread.len().checked_mul(inputs)
            && finite(mean)
            && finite(axes)
            && spread.iter().all(|s| s.is_finite() && *s > 0.0)
            && [contrast, t_squared, low, high].iter().all(|x| x.is_finite() && **x >= 0.0)
            && low <= high
    }
}

/// Standard deviation of a sample's own values.
fn contrast(sample: &[f64]) -> f64 {
    let n = sample.len() as f64;
    let mean = sample.iter().sum::<f64>() / n;
    (sample.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt()
}

/// So many of `rows`, evenly, and of the others those that give the limits.
fn divided(rows: &[u32], many: usize) -> (Vec<u32>, Vec<u32>) {
    let is_own = |i: usize| i * many / rows.len() != (i + 1) * many / rows.len();
    let (own, others): (Vec<usize>, Vec<usize>) = (0..rows.len()).partition(|&i| is_own(i));
    let each = others.len().div_ceil(OTHERS).max(1);
    let row = |i: usize| rows[i];
    (own.into_iter().map(row).collect(), others.into_iter().step_by(each).map(row).collect())
}

/// `Σ aᵢ bᵢ` in eight sums, which a processor adds at once.
fn product<A: Copy + Into<f64>>(a: &[A], b: &[f64]) -> f64 {
    let (a, rest_a) = a.as_chunks::<8>();
    let (b, rest_b) = b.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for (a, b) in a.iter().zip(b) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += (*a).into() * b;
        }
    }
    sums.iter().sum::<f64>() + rest_a.iter().zip(rest_b).map(|(a, b)| (*a).into() * b).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use klubok_nn::{
        plan::Picture,
        rng::{Purpose, Stream},
        rows::MemoryRows,
    };

    use super::*;
    use crate::{Input, settings::Fit};

    const SIDE: usize = 8;

    fn preprocessing() -> Preprocessing {
        let picture = Picture { width: SIDE, height: SIDE, channels: 1 };
        let input = Input::Pictures(picture);
        Preprocessing { input, fit: Fit::Squash, mean: vec![100.0], std: vec![50.0] }
    }

    /// Slopes from one side to the other of any direction and strength, with some noise.
    fn slopes(seed: u64, many: usize) -> Vec<u8> {
        let mut stream = Stream::new(seed, Purpose::Demo, 0, 0);
        let mut pixels = Vec::new();
        for _ in 0..many {
            let (a, b) = (stream.uniform() * 20.0 - 10.0, stream.uniform() * 20.0 - 10.0);
            for i in 0..SIDE * SIDE {
                let (x, y) = ((i % SIDE) as f64 - 3.5, (i / SIDE) as f64 - 3.5);
                pixels.push((110.0 + a * x + b * y + 16.0 * (stream.uniform() - 0.5)) as u8);
            }
        }
        pixels
    }

    fn typical(many: usize) -> Option<Typical> {
        let rows = MemoryRows::pictures(slopes(1, many), SIDE * SIDE, &vec![0; many]);
        let train: Vec<u32> = (0..many as u32).collect();
        Typical::measure(&rows, &preprocessing(), &train).unwrap()
    }

    fn far(typical: &Typical, pixels: &[u8]) -> bool {
        typical.is_far(&preprocessing().apply(klubok_nn::rows::Kind::Pixels, pixels))
    }

    #[test]
    fn pictures_of_the_same_kind_are_near_and_others_are_far() {
        let typical = typical(600).unwrap();
        assert_eq!(typical.limits.samples, 344);
        let new = slopes(2, 500);
        let strange = new.chunks(SIDE * SIDE).filter(|pixels| far(&typical, pixels)).count();
        assert!(strange <= 10, "{strange} of 500 are far");
        let board: Vec<u8> =
            (0..64).map(|i| if (i + i / SIDE).is_multiple_of(2) { 60 } else { 160 }).collect();
        let steep: Vec<u8> = (0..64).map(|i| (i % SIDE * 36) as u8).collect();
        for (name, pixels) in [("blank", vec![110; 64]), ("a board", board), ("steep", steep)] {
            assert!(far(&typical, &pixels), "{name}");
        }
    }

    #[test]
    fn few_or_equal_samples_tell_nothing() {
        assert_eq!(typical(63), None);
        assert!(typical(64).is_some());
        let rows = MemoryRows::pictures(vec![7; 6400], 64, &[0; 100]);
        let train: Vec<u32> = (0..100).collect();
        assert_eq!(Typical::measure(&rows, &preprocessing(), &train).unwrap(), None);
    }

    #[test]
    fn no_sample_gives_both_axes_and_limits() {
        for (all, many) in [(64, 32), (65, 32), (600, 256), (100_000, 256)] {
            let rows: Vec<u32> = (0..all).map(|i| 3 * i).collect();
            let (own, others) = divided(&rows, many);
            assert_eq!(own.len(), many);
            assert!(
                (FEW..=OTHERS).contains(&others.len()) && others.iter().all(|i| !own.contains(i))
            );
        }
    }

    #[test]
    fn what_cannot_be_computed_with_is_found() {
        let good = typical(100).unwrap();
        assert!(good.is_sound(64) && !good.is_sound(63));
        let mut wrong = vec![good; 5];
        wrong[0].spread[0] = 0.0;
        wrong[1].mean[3] = f32::NAN;
        wrong[2].limits.q = [2.0, 1.0];
        wrong[3].limits.t_squared = f64::INFINITY;
        wrong[4].axes.pop();
        assert!(wrong.iter().all(|typical| !typical.is_sound(64)));
    }
}
