//! Losses of 16 samples at a time, one per lane, with the gradient of the logits.
//!
//! Matrices are `[outputs][samples]`, rows `stride` apart. For each sample, over its outputs:
//!
//! - Cross-entropy with smoothed target `t = (1 - s) y + s / outputs`:
//!   `L = Σ t (logsumexp(z) - z)`, `dz = weight (softmax(z) - t)`.
//! - All other losses are means of a function of `z` and `y`, see [`Pointwise`].

use crate::{
    isa::kernel,
    math::{exp, ln_1p_unit, sigmoid_pair},
    parts::ColumnBlock,
    product::GROUP,
};

/// Loss and correctness of one sample.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Outcome {
    /// Loss without the sample's weight.
    pub loss: f32,
    /// True if the predicted class, the first one with the largest logit, is the sample's.
    pub correct: bool,
}

/// Losses that are a mean over independent outputs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pointwise {
    /// `softplus(z) - z y`, slope `σ(z) - y`.
    BinaryCrossEntropy,
    /// `(z - y)²`, slope `2 (z - y)`.
    MeanSquared,
    /// `d²/2` if `|d| ≤ δ`, else `δ (|d| - δ/2)`, with `d = z - y`; slope `clamp(d, ±δ)`.
    Huber {
        /// `δ`, where the loss becomes linear.
        delta: f32,
    },
}

/// Logits of 16 samples, the columns `from..from + 16` of a matrix.
#[derive(Debug, Clone, Copy)]
pub struct Logits<'a> {
    /// The whole matrix.
    pub values: &'a [f32],
    /// Distance between two outputs.
    pub stride: usize,
    /// First sample.
    pub from: usize,
    /// Number of outputs.
    pub outputs: usize,
}

impl<'a> Logits<'a> {
    #[inline(always)]
    fn row(&self, output: usize) -> &'a [f32; GROUP] {
        lanes(self.values, output * self.stride + self.from)
    }
}

#[inline(always)]
fn lanes(values: &[f32], from: usize) -> &[f32; GROUP] {
    values[from..].first_chunk().expect("16 samples")
}

kernel! {
    /// Softmax and cross-entropy. Labels must be below the number of outputs. Lanes without a
    /// sample have weight 0.
    pub fn cross_entropy(
        dz: &mut ColumnBlock<'_>,
        z: Logits<'_>,
        labels: &[u32; GROUP],
        weights: &[f32; GROUP],
        smoothing: f32,
        outcomes: &mut [Outcome],
    ) {
        let mut largest = *z.row(0);
        let mut predicted = [0u32; GROUP];
        for output in 1..z.outputs {
            let row = z.row(output);
            for i in 0..GROUP {
                if row[i] > largest[i] {
                    (largest[i], predicted[i]) = (row[i], output as u32);
                }
            }
        }
        let (mut sums, mut shifted_sums) = ([0.0; GROUP], [0.0; GROUP]);
        for output in 0..z.outputs {
            let (row, dz) = (z.row(output), dz.row(output));
            for i in 0..GROUP {
                let x = row[i] - largest[i];
                dz[i] = exp(x);
                sums[i] += dz[i];
                shifted_sums[i] += x;
            }
        }
        let share = smoothing / z.outputs as f32;
        for output in 0..z.outputs {
            let dz = dz.row(output);
            for i in 0..GROUP {
                let own = if labels[i] == output as u32 { 1.0 - smoothing } else { 0.0 };
                dz[i] = weights[i] * (dz[i] / sums[i] - (own + share));
            }
        }
        for (i, outcome) in outcomes.iter_mut().enumerate() {
            let label = labels[i];
            let own = z.row(label as usize)[i] - largest[i];
            let smoothed = if smoothing > 0.0 { share * shifted_sums[i] } else { 0.0 };
            let loss = sums[i].ln() - (1.0 - smoothing) * own - smoothed;
            *outcome = Outcome { loss, correct: predicted[i] == label };
        }
    }
}

kernel! {
    /// Mean over the outputs of a pointwise loss. `targets` have the layout of the logits.
    pub fn pointwise(
        kind: Pointwise,
        dz: &mut ColumnBlock<'_>,
        z: Logits<'_>,
        targets: &[f32],
        weights: &[f32; GROUP],
        outcomes: &mut [Outcome],
    ) {
        match kind {
            Pointwise::BinaryCrossEntropy => mean(dz, z, targets, weights, outcomes, |z, y| {
                // softplus(z) - z y = max(0, z) - z y + ln(1 + e^-|z|). The first two terms, which
                // could cancel, are z (1 - y) for z > 0 and -z y otherwise.
                let linear = if z > 0.0 { z * (1.0 - y) } else { -(z * y) };
                (linear + ln_1p_unit(exp(-z.abs())), sigmoid_pair(z).0 - y)
            }),
            Pointwise::MeanSquared => mean(dz, z, targets, weights, outcomes, |z, y| {
                ((z - y) * (z - y), 2.0 * (z - y))
            }),
            Pointwise::Huber { delta } => mean(dz, z, targets, weights, outcomes, |z, y| {
                let d = z - y;
                if d.abs() <= delta {
                    (0.5 * d * d, d)
                } else {
                    (delta * (d.abs() - 0.5 * delta), if d < 0.0 { -delta } else { delta })
                }
            }),
        }
    }
}

/// Mean over the outputs of `f(z, y)`, which returns loss and slope.
#[inline(always)]
fn mean(
    dz: &mut ColumnBlock<'_>,
    z: Logits<'_>,
    targets: &[f32],
    weights: &[f32; GROUP],
    outcomes: &mut [Outcome],
    f: impl Fn(f32, f32) -> (f32, f32),
) {
    let outputs = z.outputs as f32;
    let mut sums = [0.0; GROUP];
    for output in 0..z.outputs {
        let (row, dz) = (z.row(output), dz.row(output));
        let y = lanes(targets, output * z.stride + z.from);
        for i in 0..GROUP {
            let (loss, slope) = f(row[i], y[i]);
            sums[i] += loss;
            dz[i] = weights[i] / outputs * slope;
        }
    }
    for (outcome, sum) in outcomes.iter_mut().zip(sums) {
        *outcome = Outcome { loss: sum / outputs, correct: false };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        isa::Isa,
        parts::{Columns, Parts},
    };

    const STRIDE: usize = 32;
    const FROM: usize = 16;

    fn matrix(rows: usize, scale: f32, speed: f32) -> Vec<f32> {
        (0..rows * STRIDE).map(|i| (i as f32 * speed).sin() * scale).collect()
    }

    /// Runs a kernel on the second 16 columns; returns gradient and outcomes of 13 samples.
    fn run(
        outputs: usize,
        f: impl Fn(&mut ColumnBlock<'_>, &mut [Outcome]),
    ) -> (Vec<f32>, [Outcome; 13]) {
        let mut dz = vec![0.0; outputs * STRIDE];
        let mut outcomes = [Outcome::default(); 13];
        // SAFETY: no other part is taken.
        let mut block = unsafe { Columns::new(&mut dz, STRIDE, GROUP).part(1) };
        f(&mut block, &mut outcomes);
        (dz, outcomes)
    }

    /// Loss and slope at `(z, y)` in f64.
    type Reference = Box<dyn Fn(f64, f64) -> (f64, f64)>;

    proptest! {
        #[test]
        fn cross_entropy_agrees_with_f64(outputs in 1usize..40, smoothing in 0.0f32..0.5, scale in 0.1f32..40.0) {
            let z = matrix(outputs, scale, 0.7);
            let labels: [u32; GROUP] = std::array::from_fn(|i| (i * 5 % outputs) as u32);
            let weights: [f32; GROUP] = std::array::from_fn(|i| 0.1 * i as f32);
            for isa in Isa::available() {
                let logits = Logits { values: &z, stride: STRIDE, from: FROM, outputs };
                let (dz, outcomes) = run(outputs, |block, outcomes| {
                    cross_entropy(isa, block, logits, &labels, &weights, smoothing, outcomes);
                });
                for (i, outcome) in outcomes.iter().enumerate() {
                    let z: Vec<f64> = (0..outputs).map(|o| f64::from(z[o * STRIDE + FROM + i])).collect();
                    let largest = z.iter().copied().fold(f64::MIN, f64::max);
                    let total = largest + z.iter().map(|z| (z - largest).exp()).sum::<f64>().ln();
                    let mut loss = 0.0;
                    for (o, z) in z.iter().enumerate() {
                        let own = f64::from(u8::from(labels[i] as usize == o)) * (1.0 - f64::from(smoothing));
                        let target = own + f64::from(smoothing) / outputs as f64;
                        loss += target * (total - z);
                        let expected = f64::from(weights[i]) * ((z - total).exp() - target);
                        prop_assert!((f64::from(dz[o * STRIDE + FROM + i]) - expected).abs() < 3e-6);
                    }
                    prop_assert!((f64::from(outcome.loss) - loss).abs() < 1e-5 * (1.0 + loss), "{outcome:?} {loss}");
                    let predicted = (1..outputs).fold(0, |best, o| if z[o] > z[best] { o } else { best });
                    prop_assert_eq!(outcome.correct, predicted == labels[i] as usize);
                }
                prop_assert!(dz.chunks(STRIDE).all(|row| row[..FROM].iter().all(|&d| d == 0.0)));
            }
        }

        #[test]
        fn pointwise_losses_agree_with_f64(outputs in 1usize..9, scale in 0.1f32..60.0) {
            let (z, y) = (matrix(outputs, scale, 0.7), matrix(outputs, 1.0, 1.1));
            let weights: [f32; GROUP] = std::array::from_fn(|i| 0.1 * i as f32);
            let softplus = |z: f64| z.max(0.0) + (-z.abs()).exp().ln_1p();
            let sigmoid = |z: f64| 1.0 / (1.0 + (-z).exp());
            let kinds: [(Pointwise, Reference); 3] = [
                (Pointwise::BinaryCrossEntropy, Box::new(move |z, y| (softplus(z) - z * y, sigmoid(z) - y))),
                (Pointwise::MeanSquared, Box::new(|z, y| ((z - y).powi(2), 2.0 * (z - y)))),
                (Pointwise::Huber { delta: 0.75 }, Box::new(|z, y| {
                    let d: f64 = z - y;
                    let beyond = 0.75 * (d.abs() - 0.375);
                    (if d.abs() <= 0.75 { d * d / 2.0 } else { beyond }, d.clamp(-0.75, 0.75))
                })),
            ];
            for (isa, (kind, reference)) in Isa::available().into_iter().flat_map(|isa| kinds.iter().map(move |k| (isa, k))) {
                let logits = Logits { values: &z, stride: STRIDE, from: FROM, outputs };
                let (dz, outcomes) = run(outputs, |block, outcomes| {
                    pointwise(isa, *kind, block, logits, &y, &weights, outcomes);
                });
                for (i, outcome) in outcomes.iter().enumerate() {
                    let mut loss = 0.0;
                    for o in 0..outputs {
                        let at = o * STRIDE + FROM + i;
                        let (value, slope) = reference(f64::from(z[at]), f64::from(y[at]));
                        loss += value / outputs as f64;
                        let expected = f64::from(weights[i]) * slope / outputs as f64;
                        let bound = 1e-6 * (1.0 + expected.abs());
                        prop_assert!((f64::from(dz[at]) - expected).abs() < bound, "{kind:?} {expected}");
                    }
                    prop_assert!((f64::from(outcome.loss) - loss).abs() < 1e-5 * (1.0 + loss.abs()), "{kind:?}");
                }
            }
        }
    }

    #[test]
    fn the_article_s_example_and_a_tie() {
        let mut z = vec![0.0; 2 * STRIDE];
        (z[FROM], z[STRIDE + FROM]) = (0.7f32.ln(), 0.3f32.ln());
        let logits = Logits { values: &z, stride: STRIDE, from: FROM, outputs: 2 };
        let (dz, outcomes) = run(2, |block, outcomes| {
            cross_entropy(Isa::best(), block, logits, &[0; 16], &[1.0; 16], 0.0, outcomes);
        });
        assert!((outcomes[0].loss - 0.35667).abs() < 5e-6);
        assert!((dz[FROM] + 0.3).abs() < 1e-6 && (dz[STRIDE + FROM] - 0.3).abs() < 1e-6);
        // The logits of the second sample are equal, which predicts the first class.
        assert!(outcomes[1].correct);
    }

    #[test]
    fn logits_of_a_thousand_and_nan() {
        let mut z = vec![0.0; 2 * STRIDE];
        (z[FROM], z[FROM + 1]) = (1000.0, f32::NAN);
        let logits = Logits { values: &z, stride: STRIDE, from: FROM, outputs: 2 };
        let (_, outcomes) = run(2, |block, outcomes| {
            cross_entropy(Isa::best(), block, logits, &[1; 16], &[1.0; 16], 0.0, outcomes);
        });
        assert_eq!(outcomes[0].loss, 1000.0);
        assert!(outcomes[1].loss.is_nan());
    }
}
