//! The simple gradient noise scale: how much the gradients of batches differ.
//!
//! `McCandlish` et al. 2018, "An empirical model of large-batch training", appendix A: over batches
//! of `B` samples `E|G_B|² = |G|² + S / B`, with the true gradient `G` and the trace `S` of the
//! covariance of the per-sample gradients. Two batch sizes give both. `S / |G|²` is the batch size
//! at which noise and gradient are equal: below it a step of twice the samples is nearly twice as
//! good, above it hardly better. Measured after some steps, because at the start all gradients
//! point the same way; the noise scale grows during training.

use klubok_nn::{
    rng::{Purpose, Stream},
    state::Weights,
};
use klubok_train::Result;
use serde::Serialize;

use super::{
    Lab,
    steps::{DRAWS, Steps},
};

/// The gradient noise scale and the measurements behind it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NoiseScale {
    /// One entry per batch size.
    pub batches: Vec<Spread>,
    /// The simple noise scale in samples; none if noise hides the gradient.
    pub noise_scale: Option<f64>,
    /// Training steps before the measurement.
    pub after_steps: u64,
}

/// The gradients of batches of one size.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// Samples per batch.
    pub batch_size: usize,
    /// Number of batches.
    pub draws: usize,
    /// Root mean square of the gradient norm.
    pub grad_norm: f64,
    /// Share of `|G|²` that is noise, `S / B`, by the fit over all sizes; 0 to 1.
    pub noise_share: f64,
}

impl NoiseScale {
    /// Draws batches and measures their gradients at the current weights.
    ///
    /// # Errors
    /// When the device fails.
    pub fn measure(lab: &Lab<'_>, steps: &mut Steps) -> Result<Option<Self>> {
        let train = &lab.data.parts.train;
        let mut random = Stream::new(lab.config.train.seed, Purpose::Check, 0, 0);
        let mut rows = train.clone();
        let (mut gradient, mut means) = (Weights::default(), Vec::new());
        for (size, draws) in DRAWS.into_iter().filter(|(size, _)| *size <= train.len() / 2) {
            let mut sum = 0.0;
            for _ in 0..draws {
                draw(&mut rows, size, &mut random);
                steps.gradient(&rows[..size], &mut gradient)?;
                sum += squared_norm(&gradient);
            }
            means.push((size, draws, sum / draws as f64));
        }
        Ok(estimate(&means, steps.done()))
    }
}

/// Moves a random selection to the front: the first steps of a Fisher-Yates shuffle.
fn draw(rows: &mut [u32], size: usize, random: &mut Stream) {
    for i in 0..size {
        let j = i + random.below((rows.len() - i) as u32) as usize;
        rows.swap(i, j);
    }
}

fn squared_norm(gradient: &Weights) -> f64 {
    let sum_of_squares = |values: Vec<f64>| values.iter().map(|g| g * g).sum::<f64>();
    gradient.params.iter().map(|values| sum_of_squares(values.to_f64())).sum()
}

/// Estimates from the smallest and the largest batch size: `|G|² = (B m_B - b m_b) / (B - b)`,
/// `S = (m_b - m_B) / (1/b - 1/B)`.
fn estimate(means: &[(usize, usize, f64)], after_steps: u64) -> Option<NoiseScale> {
    let (&(small, _, of_small), &(large, _, of_large)) = (means.first()?, means.last()?);
    if small == large || means.iter().any(|mean| !mean.2.is_finite()) {
        return None;
    }
    let (b, big) = (small as f64, large as f64);
    let signal = (big * of_large - b * of_small) / (big - b);
    let noise = (of_small - of_large) / (1.0 / b - 1.0 / big);
    let share = |of_batch: f64| match of_batch.max(0.0) {
        0.0 => 0.0,
        of_batch => of_batch / (signal.max(0.0) + of_batch),
    };
    let spread = |&(batch_size, draws, mean): &(usize, usize, f64)| Spread {
        batch_size,
        draws,
        grad_norm: mean.sqrt(),
        noise_share: share(noise / batch_size as f64),
    };
    Some(NoiseScale {
        batches: means.iter().map(spread).collect(),
        noise_scale: (signal > 0.0 && noise >= 0.0).then_some(noise / signal),
        after_steps,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signal_and_noise_by_hand() {
        // |G|² = 4, S = 32: batches of 8 have 8, of 16 have 6, of 32 have 5; the noise scale is 8.
        let noise = estimate(&[(8, 1, 8.0), (16, 1, 6.0), (32, 1, 5.0)], 7).unwrap();
        assert!((noise.noise_scale.unwrap() - 8.0).abs() < 1e-12, "{noise:?}");
        let shares: Vec<f64> = noise.batches.iter().map(|spread| spread.noise_share).collect();
        assert!((shares[0] - 0.5).abs() < 1e-12 && (shares[2] - 0.2).abs() < 1e-12, "{shares:?}");
        assert_eq!((noise.batches[2].grad_norm, noise.after_steps), (5f64.sqrt(), 7));
    }

    #[test]
    fn pure_noise_has_no_scale_and_one_size_or_nan_no_estimate() {
        // Pure noise: |G_B|² falls as 1/B.
        let noise = estimate(&[(8, 1, 8.0), (32, 1, 2.0)], 0).unwrap();
        assert_eq!((noise.noise_scale, noise.batches[1].noise_share), (None, 1.0));
        assert_eq!(estimate(&[(8, 1, 8.0)], 0), None);
        assert_eq!(estimate(&[], 0), None);
        assert_eq!(estimate(&[(8, 1, f64::NAN), (32, 1, 2.0)], 0), None);
    }
}
