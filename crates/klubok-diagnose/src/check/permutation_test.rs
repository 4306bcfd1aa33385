//! Permutation test: do the labels depend on the inputs? Scores the validation set with three
//! classifiers: a linear layer, a small network, and the nearest training sample.
//!
//! Each classifier gives every class `c` of every sample `i` a score `a[i, c]`. The statistic is
//! the sum of `a[i, l[i]]` over the labels `l`. Its mean and variance over all permutations of the
//! labels are known exactly (Hoeffding 1951, "A combinatorial central limit theorem"), so the test
//! needs no shuffling. Labels look shuffled only if all three classifiers stay at chance level, so
//! a weak but real signal never raises the verdict.

use std::sync::Arc;

use klubok_data::Targets;
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

use super::{Lab, baselines::Predictions};

/// Maximum training samples for the nearest-neighbour search.
const MAX_CANDIDATES: usize = 2000;
/// Maximum validation samples for the nearest-neighbour search.
const MAX_QUERIES: usize = 1000;
/// Maximum values of all candidates together.
const MAX_VALUES: usize = 16_000_000;

/// How strongly the labels of the validation set depend on its inputs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PermutationTest {
    /// Size of the validation set.
    pub samples: usize,
    /// Standard deviations by which the linear layer's scores exceed chance level.
    pub linear_z: f64,
    /// The same for the small network.
    pub small_network_z: f64,
    /// The same for the nearest neighbours.
    pub neighbours_z: f64,
    /// Share of the samples whose nearest training sample has their class; none unless the target
    /// is classes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub neighbours_agree: Option<f64>,
    /// The expected share with permuted labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub neighbours_by_chance: Option<f64>,
    /// Samples in the nearest-neighbour search, which leaves out copies of training samples.
    pub neighbours_asked: usize,
}

impl PermutationTest {
    /// Runs the test with all three classifiers.
    ///
    /// # Errors
    /// When the device fails.
    pub fn run(lab: &Lab<'_>, predictions: &Predictions) -> Result<Self> {
        let (queries, neighbours) = nearest_neighbours(lab)?;
        match lab.data.targets.classes() {
            Some(classes) => Ok(Self::of_classes(lab, classes, predictions, &queries, &neighbours)),
            None => Ok(Self::of_values(lab, predictions, &queries, &neighbours)),
        }
    }

    /// Runs the test on numbers or labels: the scores are products of prediction and target.
    fn of_values(
        lab: &Lab<'_>,
        [linear, small]: &Predictions,
        queries: &[u32],
        neighbours: &[u32],
    ) -> Self {
        let (samples, val) = (&lab.task.samples, &lab.data.parts.val);
        let outputs = samples.outputs;
        let values = |rows: &[u32]| match samples.targets.select(rows, outputs) {
            Targets::Numbers(values) | Targets::Labels(values) => {
                values.into_iter().map(f64::from).collect::<Vec<_>>()
            }
            Targets::Classes(_) => Vec::new(),
        };
        let (of_val, of_queries) = (values(val), values(queries));
        Self {
            samples: val.len(),
            linear_z: Statistic::of_products(linear, &of_val, outputs).z(),
            small_network_z: Statistic::of_products(small, &of_val, outputs).z(),
            neighbours_z: Statistic::of_products(&values(neighbours), &of_queries, outputs).z(),
            neighbours_agree: None,
            neighbours_by_chance: None,
            neighbours_asked: queries.len(),
        }
    }

    /// Runs the test on classes.
    fn of_classes(
        lab: &Lab<'_>,
        of: &[u32],
        [linear, small]: &Predictions,
        queries: &[u32],
        neighbours: &[u32],
    ) -> Self {
        let data = lab.data;
        let classes = data.outputs.len();
        let targets = |rows: &[u32]| -> Vec<usize> {
            rows.iter().map(|&row| of[row as usize] as usize).collect()
        };
        let val_labels = targets(&data.parts.val);
        let query_labels = targets(queries);
        let mut scores = vec![0.0; queries.len() * classes];
        for (i, &class) in targets(neighbours).iter().enumerate() {
            scores[i * classes + class] = 1.0;
        }
        let statistic = Statistic::new(&scores, &query_labels, classes);
        let share = |sum: f64| sum / queries.len().max(1) as f64;
        Self {
            samples: val_labels.len(),
            linear_z: Statistic::new(linear, &val_labels, classes).z(),
            small_network_z: Statistic::new(small, &val_labels, classes).z(),
            neighbours_z: statistic.z(),
            neighbours_agree: Some(share(statistic.sum)),
            neighbours_by_chance: Some(share(statistic.mean)),
            neighbours_asked: queries.len(),
        }
    }

    /// The largest z score of the three classifiers.
    pub fn largest_z(&self) -> f64 {
        self.linear_z.max(self.small_network_z).max(self.neighbours_z)
    }
}

/// The sum of scores over the labels, with its mean and variance over all permutations.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Statistic {
    sum: f64,
    mean: f64,
    variance: f64,
}

impl Statistic {
    /// Computes the statistic from `scores [samples, classes]` and `labels [samples]`. With `a[i,
    /// j] = scores[i, label j]`, `n` samples, and `d[i, j] = a[i, j] - mean of row i - mean of
    /// column j + mean of all`, the mean over all permutations is `Σ a / n`, the variance `Σ d² /
    /// (n - 1)`. Columns of one class are equal, so each class is visited once and weighted by its
    /// count.
    fn new(scores: &[f64], labels: &[usize], classes: usize) -> Self {
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

    /// Computes the statistic `Σ zᵢ · yᵢ` of predictions and targets, both `[samples, outputs]`.
    /// Its mean over all permutations of the targets is `n z̄ · ȳ`, its variance
    /// `Σ C_z C_y / (n - 1)` over all pairs of outputs, with the sums of products of
    /// deviations `C`.
    fn of_products(z: &[f64], y: &[f64], outputs: usize) -> Self {
        let n = (y.len() / outputs.max(1)) as f64;
        let mean = |values: &[f64], output: usize| {
            values.iter().skip(output).step_by(outputs).sum::<f64>() / n
        };
        let means = |values: &[f64]| (0..outputs).map(|k| mean(values, k)).collect::<Vec<_>>();
        let (z_mean, y_mean) = (means(z), means(y));
        let products = |values: &[f64], mean: &[f64], a: usize, b: usize| {
            let rows = values.chunks_exact(outputs);
            rows.map(|row| (row[a] - mean[a]) * (row[b] - mean[b])).sum::<f64>()
        };
        let mut variance = 0.0;
        for a in 0..outputs {
            for b in 0..outputs {
                variance += products(z, &z_mean, a, b) * products(y, &y_mean, a, b);
            }
        }
        Self {
            sum: z.iter().zip(y).map(|(z, y)| z * y).sum(),
            mean: n * z_mean.iter().zip(&y_mean).map(|(z, y)| z * y).sum::<f64>(),
            variance: variance / (n - 1.0).max(1.0),
        }
    }

    /// Standard deviations above the mean; 0 if the variance is 0.
    fn z(&self) -> f64 {
        let z = (self.sum - self.mean) / self.variance.sqrt();
        if z.is_finite() { z } else { 0.0 }
    }
}

/// Validation samples, and for each its nearest training sample: `argmin |x - r|` equals
/// `argmax (x·r - |r|²/2)`, a linear layer with the training samples as weights.
fn nearest_neighbours(lab: &Lab<'_>) -> Result<(Vec<u32>, Vec<u32>)> {
    let data = lab.data;
    let width = lab.task.network.inputs;
    let seed = lab.config.train.seed;
    let max = MAX_CANDIDATES.min(MAX_VALUES / width.max(1)).max(2);
    let candidates = sample(&data.parts.train, max, seed);
    let mut known: Vec<u128> =
        data.parts.train.iter().map(|&row| data.hashes[row as usize]).collect();
    known.sort_unstable();
    let mut queries = sample(&data.parts.val, MAX_QUERIES, seed);
    queries.retain(|&row| known.binary_search(&data.hashes[row as usize]).is_err());
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
    for block in queries.chunks(BLOCK) {
        program.infer(DataId(0), block, &[plan.output], &mut outputs)?;
        for z in outputs.values[0].chunks_exact(candidates.len()) {
            let z: Vec<f64> = z.iter().map(|&z| f64::from(z)).collect();
            found.push(candidates[predicted_class(&z)]);
        }
    }
    Ok((queries, found))
}

/// Samples per forward pass of the search.
const BLOCK: usize = 256;

/// Prepares the network's inputs for some rows, `[rows, width]`.
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
    fn mean_and_variance_by_hand() {
        // Two samples, two classes. In order 3 + 4, swapped 1 + 2: mean 5, variance 4.
        let statistic = Statistic::new(&[3.0, 1.0, 2.0, 4.0], &[0, 1], 2);
        assert_eq!(statistic, Statistic { sum: 7.0, mean: 5.0, variance: 4.0 });
        assert_eq!(statistic.z(), 1.0);
    }

    #[test]
    fn mean_and_variance_match_random_permutations() {
        let mut random = Stream::new(1, Purpose::Check, 0, 0);
        let scores: Vec<f64> = (0..60).map(|_| random.uniform()).collect();
        let mut labels: Vec<usize> = (0..20).map(|i| [0, 0, 1, 2][i % 4]).collect();
        let expected = Statistic::new(&scores, &labels, 3);
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
    fn products_match_random_permutations() {
        let mut random = Stream::new(2, Purpose::Check, 0, 0);
        let mut numbers = || (0..40).map(|_| random.uniform()).collect::<Vec<f64>>();
        let (z, y) = (numbers(), numbers());
        let expected = Statistic::of_products(&z, &y, 2);
        let mut order: Vec<usize> = (0..20).collect();
        let sums: Vec<f64> = (0..20_000)
            .map(|_| {
                random.shuffle(&mut order);
                let of =
                    |(i, &j): (usize, &usize)| z[2 * i] * y[2 * j] + z[2 * i + 1] * y[2 * j + 1];
                order.iter().enumerate().map(of).sum()
            })
            .collect();
        let mean = sums.iter().sum::<f64>() / sums.len() as f64;
        let variance = sums.iter().map(|sum| (sum - mean).powi(2)).sum::<f64>() / sums.len() as f64;
        assert!((mean - expected.mean).abs() < 0.03, "{mean} {expected:?}");
        assert!((variance / expected.variance - 1.0).abs() < 0.05, "{variance} {expected:?}");
    }

    #[test]
    fn z_is_zero_without_variance() {
        assert_eq!(Statistic::of_products(&[1.0, 1.0], &[0.0, 1.0], 1).z(), 0.0);
        assert_eq!(Statistic::new(&[1.0, 0.0, 1.0, 0.0], &[0, 1], 2).z(), 0.0);
        assert_eq!(Statistic::new(&[], &[], 2).z(), 0.0);
    }
}
