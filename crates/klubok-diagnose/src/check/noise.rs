//! How much the gradients of batches differ: the simple noise scale.
//!
//! `McCandlish` et al. 2018, "An empirical model of large-batch training", appendix A: over batches
//! of `B` samples `E|G_B|² = |G|² + S / B`, with the true gradient `G` and the trace `S` of the
//! covariance of the gradients of single samples. Two sizes give both, and `S / |G|²` is the batch
//! size at which noise and gradient are equal: below it twice the samples make a step nearly twice
//! as good, above it hardly better. It is measured after some steps, as at the very start all
//! gradients point the same way, and it grows while training goes on.

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

/// The spread of the gradients of batches.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Noise {
    /// One entry a batch size.
    pub batches: Vec<Spread>,
    /// The simple noise scale, a batch size; none where the noise leaves nothing of the gradient to
    /// be seen.
    pub noise_scale: Option<f64>,
    /// Steps that had been trained.
    pub after_steps: u64,
}

/// The gradients of batches of one size.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// Samples of a batch.
    pub batch_size: usize,
    /// Batches that were drawn.
    pub draws: usize,
    /// Root of the mean of `|G|²`.
    pub grad_norm: f64,
    /// Share of `|G|²` that is noise, `S / B`, by the fit over all sizes; 0 to 1.
    pub noise_share: f64,
}

impl Noise {
    /// Draws batches and measures their gradients, after the steps done.
    ///
    /// # Errors
    /// When the device fails.
    pub fn of(lab: &Lab<'_>, steps: &mut Steps) -> Result<Option<Self>> {
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

/// Brings a random choice to the front (Fisher and Yates, the first steps of it).
fn draw(rows: &mut [u32], size: usize, random: &mut Stream) {
    for i in 0..size {
        let j = i + random.below((rows.len() - i) as u32) as usize;
        rows.swap(i, j);
    }
}

fn squared_norm(gradient: &Weights) -> f64 {
    let of = |values: Vec<f64>| values.iter().map(|g| g * g).sum::<f64>();
    gradient.params.iter().map(|values| of(values.to_f64())).sum()
}

/// From the smallest and the largest size: `|G|² = (B m_B - b m_b) / (B - b)`, `S = (m_b - m_B) /
/// (1/b - 1/B)`.
fn estimate(means: &[(usize, usize, f64)], after_steps: u64) -> Option<Noise> {
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
    Some(Noise {
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
    fn noise_alone_has_no_scale_and_one_size_or_no_number_no_estimate() {
        // Pure noise: |G_B|² falls as 1/B.
        let noise = estimate(&[(8, 1, 8.0), (32, 1, 2.0)], 0).unwrap();
        assert_eq!((noise.noise_scale, noise.batches[1].noise_share), (None, 1.0));
        assert_eq!(estimate(&[(8, 1, 8.0)], 0), None);
        assert_eq!(estimate(&[], 0), None);
        assert_eq!(estimate(&[(8, 1, f64::NAN), (32, 1, 2.0)], 0), None);
    }
}
