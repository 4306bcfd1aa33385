//! Measures the statistics of typical training samples ([`klubok_model::typical`]).

use klubok_model::{
    Preprocessing, Typical,
    typical::{Limits, MAX_AXES, contrast},
};
use klubok_nn::rows::{Field, Rows};

use crate::{components::Components, error::Result, preprocess::each_row};

/// Maximum samples for the axes.
const MAX_SAMPLES: usize = 256;
/// Maximum samples that determine the limits.
const MAX_HELD_OUT: usize = 512;
/// Minimum number of samples for the axes, and for the limits.
const MIN_SAMPLES: usize = 32;
/// Spreads below this share of the largest value are rounding errors.
const ROUNDING_SHARE: f64 = 1e-7;
/// Maximum values of the samples for the axes, to bound the time of their product.
const MAX_VALUES: usize = 1 << 21;

/// Measures the rows `train`. None if they are too few or too wide.
///
/// # Errors
/// When rows cannot be read.
pub fn measure(
    rows: &dyn Rows,
    preprocessing: &Preprocessing,
    train: &[u32],
) -> Result<Option<Typical>> {
    let width = rows.fields()[Field::X.0].width;
    let count = MAX_SAMPLES.min(train.len() / 2).min(MAX_VALUES / width.max(1));
    if count < MIN_SAMPLES {
        return Ok(None);
    }
    let (own, held_out) = divide(train, count);
    let kind = rows.fields()[Field::X.0].kind;
    let mut samples = Vec::with_capacity(count * width);
    each_row(rows, &own, |_, stored| {
        samples.extend(preprocessing.apply(kind, stored));
        Ok(())
    })?;
    let Components { mean, mut axes, mut spread } = Components::of(&samples, width, MAX_AXES);
    // Identical samples differ by rounding.
    let largest = samples.iter().fold(1.0, |most: f64, x| most.max(x.abs()));
    spread.retain(|spread| *spread > ROUNDING_SHARE * largest);
    axes.truncate(spread.len());
    drop(samples);
    let single = |values: &[f64]| values.iter().map(|&x| x as f32).collect::<Vec<f32>>();
    let limits = Limits {
        contrast: f64::INFINITY,
        t_squared: 0.0,
        q: [f64::INFINITY, 0.0],
        samples: held_out.len() as u64,
    };
    let axes = axes.iter().flat_map(|axis| single(axis)).collect();
    let mut typical = Typical { mean: single(&mean), axes, spread: single(&spread), limits };
    each_row(rows, &held_out, |_, stored| {
        let sample = preprocessing.apply(kind, stored);
        let (t_squared, q) = typical.statistics(&sample);
        let Limits { contrast: min_contrast, t_squared: max_t_squared, q: [low, high], .. } =
            &mut typical.limits;
        (*max_t_squared, *low, *high) = (max_t_squared.max(t_squared), low.min(q), high.max(q));
        *min_contrast = min_contrast.min(contrast(&sample));
        Ok(())
    })?;
    Ok(typical.is_sound(width).then_some(typical))
}

/// Divides `rows` evenly into `count` rows for the axes and held-out rows for the limits.
fn divide(rows: &[u32], count: usize) -> (Vec<u32>, Vec<u32>) {
    let is_own = |i: usize| i * count / rows.len() != (i + 1) * count / rows.len();
    let (own, held_out): (Vec<usize>, Vec<usize>) = (0..rows.len()).partition(|&i| is_own(i));
    let each = held_out.len().div_ceil(MAX_HELD_OUT).max(1);
    let row = |i: usize| rows[i];
    (own.into_iter().map(row).collect(), held_out.into_iter().step_by(each).map(row).collect())
}

#[cfg(test)]
mod tests {
    use klubok_nn::{
        plan::Picture,
        rng::{Purpose, Stream},
        rows::MemoryRows,
    };

    use super::*;
    use klubok_model::{Fit, Input};

    const SIDE: usize = 8;

    fn preprocessing() -> Preprocessing {
        let picture = Picture { width: SIDE, height: SIDE, channels: 1 };
        let input = Input::Pictures(picture);
        Preprocessing { input, fit: Fit::Squash, mean: vec![100.0], std: vec![50.0], target: None }
    }

    /// Linear gradients of random direction and strength, with some noise.
    fn gradients(seed: u64, count: usize) -> Vec<u8> {
        let mut stream = Stream::new(seed, Purpose::Demo, 0, 0);
        let mut pixels = Vec::new();
        for _ in 0..count {
            let (a, b) = (stream.uniform() * 20.0 - 10.0, stream.uniform() * 20.0 - 10.0);
            for i in 0..SIDE * SIDE {
                let (x, y) = ((i % SIDE) as f64 - 3.5, (i / SIDE) as f64 - 3.5);
                pixels.push((110.0 + a * x + b * y + 16.0 * (stream.uniform() - 0.5)) as u8);
            }
        }
        pixels
    }

    fn typical(count: usize) -> Option<Typical> {
        let rows = MemoryRows::pictures(gradients(1, count), SIDE * SIDE, &vec![0; count]);
        let train: Vec<u32> = (0..count as u32).collect();
        measure(&rows, &preprocessing(), &train).unwrap()
    }

    fn far(typical: &Typical, pixels: &[u8]) -> bool {
        typical.is_far(&preprocessing().apply(klubok_nn::rows::Kind::Pixels, pixels))
    }

    #[test]
    fn similar_pictures_are_near_and_others_far() {
        let typical = typical(600).unwrap();
        assert_eq!(typical.limits.samples, 344);
        let new = gradients(2, 500);
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
    fn few_or_identical_samples_give_no_statistics() {
        assert_eq!(typical(63), None);
        assert!(typical(64).is_some());
        let rows = MemoryRows::pictures(vec![7; 6400], 64, &[0; 100]);
        let train: Vec<u32> = (0..100).collect();
        assert_eq!(measure(&rows, &preprocessing(), &train).unwrap(), None);
    }

    #[test]
    fn axes_and_limits_use_different_samples() {
        for (all, count) in [(64, 32), (65, 32), (600, 256), (100_000, 256)] {
            let rows: Vec<u32> = (0..all).map(|i| 3 * i).collect();
            let (own, held_out) = divide(&rows, count);
            assert_eq!(own.len(), count);
            assert!(
                (MIN_SAMPLES..=MAX_HELD_OUT).contains(&held_out.len())
                    && held_out.iter().all(|i| !own.contains(i))
            );
        }
    }

    #[test]
    fn invalid_statistics_are_detected() {
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
