//! Do the labels have to do with the inputs? Three witnesses on the validation part: a linear
//! layer, a small network, and the class of the most similar training sample.
//!
//! Each witness gives every class of every sample a score, `a[i, c]`. With labels `l` the sum of
//! `a[i, l[i]]` is compared with what labels in a random order would give: its mean and variance
//! over all orders are known exactly (Hoeffding 1951, "A combinatorial central limit theorem"), so
//! nothing has to be shuffled. Labels are said to look shuffled only when no witness sees more than
//! chance, so that weak but real signals never raise an alarm.

use std::sync::Arc;

use klubok_nn::{
    backend::{DataId, Outputs},
    loss::predicted_class,
    network::{Network, OutputKind},
    plan::InputSpec,
    rows::{Field, Rows},
    state::{Numbers, State},
};
use klubok_train::{Result, batches::sample};
use serde::Serialize;

use super::{Lab, baselines::Confidences};

/// Training samples among which the most similar one is looked for, and samples for which it is, at
/// most.
const CANDIDATES: usize = 2000;
const ASKED: usize = 1000;
/// Values of all candidates together, at most.
const VALUES: usize = 16_000_000;

/// How strongly the labels of the validation part go with its inputs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Labels {
    /// Samples of the validation part.
    pub samples: usize,
    /// How far the linear layer's scores of the right classes are above chance, in standard
    /// deviations.
    pub linear_z: f64,
    /// The same of the small network's.
    pub small_network_z: f64,
    /// The same of the classes of the most similar samples.
    pub neighbours_z: f64,
    /// Share of the samples whose most similar training sample is of their class.
    pub neighbours_agree: f64,
    /// That share if labels were in a random order.
    pub neighbours_by_chance: f64,
    /// Samples that were asked for their most similar one; copies of training samples are left out.
    pub neighbours_asked: usize,
}

impl Labels {
    /// Asks the three witnesses.
    ///
    /// # Errors
    /// When the device fails.
    pub fn of(lab: &Lab<'_>, [linear, small]: &Confidences) -> Result<Self> {
        let data = lab.data;
        let classes = data.classes.len();
        let targets = |rows: &[u32]| -> Vec<usize> {
            rows.iter().map(|&row| data.targets[row as usize] as usize).collect()
        };
        let of_val = targets(&data.parts.val);
        let (asked, found) = neighbours(lab)?;
        let right = targets(&asked);
        let mut scores = vec![0.0; asked.len() * classes];
        for (i, &class) in targets(&found).iter().enumerate() {
            scores[i * classes + class] = 1.0;
        }
        let association = Association::of(&scores, &right, classes);
        let share = |sum: f64| sum / asked.len().max(1) as f64;
        Ok(Self {
            samples: of_val.len(),
            linear_z: Association::of(linear, &of_val, classes).z(),
            small_network_z: Association::of(small, &of_val, classes).z(),
            neighbours_z: association.z(),
            neighbours_agree: share(association.sum),
            neighbours_by_chance: share(association.mean),
            neighbours_asked: asked.len(),
        })
    }

    /// The witness that sees most, in standard deviations above chance.
    pub fn strongest(&self) -> f64 {
        self.linear_z.max(self.small_network_z).max(self.neighbours_z)
    }
}

/// A sum of scores over labels, and what random orders of the labels give.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Association {
    sum: f64,
    mean: f64,
    variance: f64,
}

impl Association {
    /// Of `scores [samples, classes]` and as many labels: with `a[i, j] = scores[i, label j]`, `n`
    /// samples, and `d[i, j] = a[i, j] - mean of row i - mean of column j + mean of all`, the mean
    /// over all orders is `Σ a / n`, the variance `Σ d² / (n - 1)`. Columns of one class are the
    /// same, so they are counted, not visited.
    fn of(scores: &[f64], labels: &[usize], classes: usize) -> Self {
        let n = labels.len() as f64;
        let mut counts = vec![0.0; classes];
        labels.iter().for_each(|&label| counts[label] += 1.0);
        let mut columns = vec![0.0; classes];
        let (mut sum, mut all) = (0.0, 0.0);
        for (row, &label) in scores.chunks_exact(classes).zip(labels) {
            sum += row[label];
            columns.iter_mut().zip(row).for_each(|(column, a)| *column += a / n);
            all += row.iter().zip(&counts).map(|(a, count)| a * count).sum::<f64>();
        }
        let mean = all / n;
        let mut squares = 0.0;
        for row in scores.chunks_exact(classes) {
            let of_row = row.iter().zip(&counts).map(|(a, count)| a * count).sum::<f64>() / n;
            for ((a, count), column) in row.iter().zip(&counts).zip(&columns) {
                squares += count * (a - of_row - column + mean / n).powi(2);
            }
        }
        Self { sum, mean, variance: squares / (n - 1.0).max(1.0) }
    }

    /// Standard deviations above the mean; 0 where nothing varies.
    fn z(&self) -> f64 {
        let z = (self.sum - self.mean) / self.variance.sqrt();
        if z.is_finite() { z } else { 0.0 }
    }
}

/// Samples of the validation part and for each its most similar training sample: `argmin |x - r|`,
/// which is `argmax (x·r - |r|²/2)`, a linear layer whose weights are the training samples.
fn neighbours(lab: &Lab<'_>) -> Result<(Vec<u32>, Vec<u32>)> {
    let data = lab.data;
    let width = lab.task.network.inputs;
    let seed = lab.config.train.seed;
    let most = CANDIDATES.min(VALUES / width.max(1)).max(2);
    let candidates = sample(&data.parts.train, most, seed);
    let mut known: Vec<u128> =
        data.parts.train.iter().map(|&row| data.hashes[row as usize]).collect();
    known.sort_unstable();
    let mut asked = sample(&data.parts.val, ASKED, seed);
    asked.retain(|&row| known.binary_search(&data.hashes[row as usize]).is_err());
    if candidates.len() < 2 {
        return Ok((Vec::new(), Vec::new()));
    }
    let prepare = lab.normalised.prepare(klubok_nn::plan::Augment::default());
    let weights = inputs(&*data.rows, &candidates, &prepare)?;
    let halves = weights.chunks_exact(width).map(|r| -r.iter().map(|x| x * x).sum::<f32>() / 2.0);
    let halves: Vec<f32> = halves.collect();
    let network = Network {
        inputs: width,
        input_dropout: 0.0,
        hidden: Vec::new(),
        outputs: candidates.len(),
        answer: OutputKind::Classes,
    };
    let plan = network.lower_for_inference(prepare);
    let rows: Arc<dyn Rows> = data.rows.clone();
    let mut program = lab.backend.compile(&plan, BLOCK, &[rows])?;
    let params = vec![Numbers::F32(weights), Numbers::F32(halves)];
    program.load(&State { params, moments: vec![], running: vec![] })?;
    let (mut outputs, mut found) = (Outputs::default(), Vec::new());
    for block in asked.chunks(BLOCK) {
        program.infer(DataId(0), block, &[plan.output], &mut outputs)?;
        for z in outputs.values[0].chunks_exact(candidates.len()) {
            let z: Vec<f64> = z.iter().map(|&z| f64::from(z)).collect();
            found.push(candidates[predicted_class(&z)]);
        }
    }
    Ok((asked, found))
}

/// Samples that are compared at a time.
const BLOCK: usize = 256;

/// The network's input of some rows, `[rows, width]`.
fn inputs(rows: &dyn Rows, which: &[u32], prepare: &InputSpec) -> Result<Vec<f32>> {
    let spec = &rows.fields()[Field::X.0];
    let mut bytes = vec![0; spec.bytes()];
    let mut x = Vec::with_capacity(which.len() * spec.width);
    for row in which {
        rows.gather(Field::X, std::slice::from_ref(row), &mut bytes)?;
        for (f, bytes) in bytes.chunks_exact(spec.kind.bytes()).enumerate() {
            let stored = spec.kind.number(bytes) as f32;
            let channel = f % prepare.factor.len();
            x.push(stored * prepare.factor[channel] + prepare.offset[channel]);
        }
    }
    Ok(x)
}

#[cfg(test)]
mod tests {
    use klubok_nn::rng::{Purpose, Stream};

    use super::*;

    #[test]
    fn moments_over_all_orders_by_hand() {
        // Two samples, two classes. In their order 3 + 4, exchanged 1 + 2: mean 5, variance 4.
        let association = Association::of(&[3.0, 1.0, 2.0, 4.0], &[0, 1], 2);
        assert_eq!(association, Association { sum: 7.0, mean: 5.0, variance: 4.0 });
        assert_eq!(association.z(), 1.0);
    }

    #[test]
    fn moments_are_those_of_random_orders() {
        let mut random = Stream::new(1, Purpose::Check, 0, 0);
        let scores: Vec<f64> = (0..60).map(|_| random.uniform()).collect();
        let mut labels: Vec<usize> = (0..20).map(|i| [0, 0, 1, 2][i % 4]).collect();
        let expected = Association::of(&scores, &labels, 3);
        let sums: Vec<f64> = (0..20_000)
            .map(|_| {
                random.shuffle(&mut labels);
                labels.iter().enumerate().map(|(i, &label)| scores[3 * i + label]).sum()
            })
            .collect();
        let mean = sums.iter().sum::<f64>() / sums.len() as f64;
        let variance = sums.iter().map(|sum| (sum - mean).powi(2)).sum::<f64>() / sums.len() as f64;
        assert!((mean - expected.mean).abs() < 0.03, "{mean} {expected:?}");
        assert!((variance / expected.variance - 1.0).abs() < 0.05, "{variance} {expected:?}");
    }

    #[test]
    fn what_never_varies_says_nothing() {
        assert_eq!(Association::of(&[1.0, 0.0, 1.0, 0.0], &[0, 1], 2).z(), 0.0);
        assert_eq!(Association::of(&[], &[], 2).z(), 0.0);
    }
}
