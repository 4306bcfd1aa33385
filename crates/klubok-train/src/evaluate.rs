//! Evaluates a network on a set of rows, in evaluation mode: loss, accuracy, and activity of the
//! hidden units. Goes through the rows in blocks, so memory does not grow with their number.

use klubok_data::{Dataset, Targets, settings::TargetKind};
use klubok_nn::{
    backend::{DataId, Outputs, Program},
    calibration::Calibration,
    error::PlanError,
    layers::activation::sigmoid,
    loss::{self, Target},
    plan::{LossKind, LossSpec, Op, Plan, Value},
};

use crate::{
    activity::{Activity, ActivityCount},
    error::Result,
    samples::Samples,
};

/// Rows per forward pass.
const BLOCK: usize = 512;
/// Limit of the logits kept to fit a temperature: 64 MiB. Beyond it, only every n-th row is kept.
const MAX_KEPT_LOGITS: usize = 1 << 24;

/// Infers `taps` of the rows block by block and hands each block to `each`.
///
/// # Errors
/// When the device fails, a tap is not kept, or `each` fails.
pub fn visit(
    program: &mut dyn Program,
    data: DataId,
    rows: &[u32],
    taps: &[Value],
    outputs: &mut Outputs,
    mut each: impl FnMut(&[u32], &Outputs) -> Result<()>,
) -> Result<()> {
    for block in rows.chunks(BLOCK) {
        program.infer(data, block, taps, outputs)?;
        each(block, outputs)?;
    }
    Ok(())
}

/// 97.5 % quantile of the normal distribution: the two tails together hold 5 %.
const Z: f64 = 1.959_963_984_540_054;

/// Returns the 95 % confidence interval of a share of `samples` by Wilson (1927): valid also for
/// few samples and near 0 or 1.
pub fn wilson(share: f64, samples: usize) -> [f64; 2] {
    if samples == 0 {
        return [0.0, 1.0];
    }
    // A rounded sum may be a little above 1.
    let (share, n) = (share.clamp(0.0, 1.0), samples as f64);
    let scale = 1.0 + Z * Z / n;
    let middle = (share + Z * Z / (2.0 * n)) / scale;
    let half = Z / scale * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    [(middle - half).max(0.0).min(share), (middle + half).min(1.0).max(share)]
}

/// Returns the chance accuracy: the share of the most frequent class.
pub fn chance_accuracy(class_counts: &[u64]) -> f64 {
    let counts: Vec<f64> = class_counts.iter().map(|&n| n as f64).collect();
    chance_of(TargetKind::Class, &counts, counts.iter().sum())
}

/// Returns the chance accuracy on the validation set of this data: of always predicting the most
/// frequent class or, for labels, each label as it is more often; 0 for numbers.
pub fn chance(data: &Dataset) -> f64 {
    let val = &data.parts.val;
    let (counts, samples) = data.weighted_counts(val);
    chance_of(data.targets.kind().into(), &counts, samples)
}

/// Returns the chance accuracy on `samples` samples, of which `counts` are of each class or have
/// each label; both may be sums of weights.
pub fn chance_of(target: TargetKind, counts: &[f64], samples: f64) -> f64 {
    match target {
        TargetKind::Class if samples > 0.0 => counts.iter().copied().fold(0.0, f64::max) / samples,
        TargetKind::Label if samples > 0.0 => {
            let share = |count: f64| count / samples;
            let shares = counts.iter().map(|&count| share(count).max(1.0 - share(count)));
            shares.sum::<f64>() / counts.len() as f64
        }
        TargetKind::Class | TargetKind::Label | TargetKind::Number => 0.0,
    }
}

/// Loss and accuracy over weighted samples.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Scores {
    /// Number of samples.
    pub samples: u64,
    /// Sum of their weights.
    pub weight: f64,
    /// Sum of the weights of all classes or labels that were predicted; 0 for numbers.
    pub answers: f64,
    /// Sum of the weights of the correct ones.
    pub correct: f64,
    /// Weighted sum of the losses.
    pub loss_sum: f64,
}

impl Scores {
    /// Adds one sample with logits `z` and returns the predicted class, the first one on ties.
    ///
    /// # Errors
    /// When the target has no logit; `row` is for the message.
    pub fn add(&mut self, row: u32, z: &[f64], target: u32, weight: f64) -> Result<usize> {
        let Some(target_logit) = z.get(target as usize) else {
            let last = z.len().saturating_sub(1);
            return Err(PlanError::Label { row, label: target, last }.into());
        };
        let class = loss::predicted_class(z);
        self.samples += 1;
        self.weight += weight;
        self.answers += weight;
        self.correct += if class == target as usize { weight } else { 0.0 };
        self.loss_sum += weight * (loss::log_sum_exp(z) - target_logit);
        Ok(class)
    }

    /// Adds one sample with numbers or labels `y` as targets. The loss is `spec`'s; a label counts
    /// as predicted where its logit is above 0.
    fn add_values(&mut self, z: &[f64], y: &[f64], weight: f64, spec: &LossSpec, dz: &mut [f64]) {
        self.samples += 1;
        self.weight += weight;
        self.loss_sum += weight * loss::sample(dz, z, Target::Values(y), spec);
        if spec.kind == LossKind::BinaryCrossEntropy {
            let right = z.iter().zip(y).filter(|(z, y)| (**z > 0.0) == (**y > 0.5)).count();
            self.answers += weight * z.len() as f64;
            self.correct += weight * right as f64;
        }
    }

    /// Returns the mean loss; `None` without samples.
    pub fn loss(&self) -> Option<f64> {
        (self.weight > 0.0).then(|| self.loss_sum / self.weight)
    }

    /// Returns the accuracy, the share of correct classes or labels; `None` without any.
    pub fn accuracy(&self) -> Option<f64> {
        (self.answers > 0.0).then(|| self.correct / self.answers)
    }
}

/// Errors of predicted numbers, one of each kind per output.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NumberErrors {
    /// Root mean squared error.
    pub rmse: Vec<f64>,
    /// Mean absolute error.
    pub mae: Vec<f64>,
    /// Coefficient of determination, `1 - Σ (z - y)² / Σ (y - mean)²`. Where all `y` are the same
    /// it is 1 for a perfect prediction and 0 for any other.
    pub r2: Vec<f64>,
}

/// Accumulates the errors of predicted numbers over weighted samples.
#[derive(Debug, Clone, Default)]
pub struct NumberErrorSums {
    weight: f64,
    /// Per output: sums of squared errors, absolute errors, numbers, and squared numbers.
    sums: Vec<[f64; 4]>,
}

impl NumberErrorSums {
    /// Forgets all samples and expects `outputs` numbers per sample.
    pub fn clear(&mut self, outputs: usize) {
        self.weight = 0.0;
        self.sums.clear();
        self.sums.resize(outputs, [0.0; 4]);
    }

    /// Adds one sample with predictions `z` of the numbers `y`.
    pub fn add(&mut self, z: &[f64], y: &[f64], weight: f64) {
        self.weight += weight;
        for (sums, (z, y)) in self.sums.iter_mut().zip(z.iter().zip(y)) {
            let error = z - y;
            for (sum, value) in sums.iter_mut().zip([error * error, error.abs(), *y, y * y]) {
                *sum += weight * value;
            }
        }
    }

    /// Returns the errors; `scales` multiplies those of each output, or is empty. `None` without
    /// samples.
    pub fn errors(&self, scales: &[f64]) -> Option<NumberErrors> {
        if self.weight <= 0.0 || self.sums.is_empty() {
            return None;
        }
        let mut errors = NumberErrors::default();
        for (output, [squared, absolute, sum, squares]) in self.sums.iter().enumerate() {
            let scale = scales.get(output).copied().unwrap_or(1.0);
            let variation = squares - sum * sum / self.weight;
            // Rounding errors of equal numbers are no variation.
            let varies = variation > 1e-12 * squares;
            errors.rmse.push(scale * (squared / self.weight).sqrt());
            errors.mae.push(scale * absolute / self.weight);
            let exact = f64::from(u8::from(*squared == 0.0));
            errors.r2.push(if varies { 1.0 - squared / variation } else { exact });
        }
        Some(errors)
    }
}

/// Evaluation on the validation set.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ValidationEvaluation {
    /// Uncalibrated loss and accuracy.
    pub scores: Scores,
    /// The loss after temperature scaling; `None` without samples or classes.
    pub calibrated: Option<CalibratedLoss>,
    /// Errors of predicted numbers in their own units; `None` for other targets.
    pub errors: Option<NumberErrors>,
}

/// The loss after temperature scaling.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CalibratedLoss {
    /// The fitted temperature.
    pub calibration: Calibration,
    /// Mean cross-entropy of the calibrated confidences.
    pub loss: f64,
}

/// Accumulates how much predictions differ from sample to sample.
#[derive(Debug, Clone, Default)]
struct Spread {
    samples: u64,
    sums: Vec<f64>,
    squares: f64,
}

impl Spread {
    fn clear(&mut self, classes: usize) {
        (self.samples, self.squares) = (0, 0.0);
        self.sums.clear();
        self.sums.resize(classes, 0.0);
    }

    /// Adds one sample with logits `z`.
    fn add(&mut self, z: &[f64], kind: LossKind) {
        let total = match kind {
            LossKind::CrossEntropy => loss::log_sum_exp(z),
            _ => 0.0,
        };
        self.samples += 1;
        for (sum, z) in self.sums.iter_mut().zip(z) {
            let p = match kind {
                LossKind::CrossEntropy => (z - total).exp(),
                LossKind::BinaryCrossEntropy => sigmoid(*z),
                LossKind::MeanSquared | LossKind::Huber { .. } => *z,
            };
            *sum += p;
            self.squares += p * p;
        }
    }

    /// Returns `√(Σ var p)`, with the variance of each output's prediction over the samples: 0 when
    /// all samples get the same prediction.
    fn value(&self) -> Option<f64> {
        let n = self.samples as f64;
        let means: f64 = self.sums.iter().map(|sum| (sum / n).powi(2)).sum();
        (self.samples > 0).then(|| (self.squares / n - means).max(0.0).sqrt())
    }
}

/// Evaluation on the fixed training sample.
#[derive(Debug, Clone, PartialEq)]
pub struct SampleEvaluation {
    /// Loss and accuracy.
    pub scores: Scores,
    /// `√(Σ var p)`: variance of the predictions over the samples, summed over the outputs (the
    /// probabilities of classes or labels, numbers in the network's units); `None` without samples.
    pub prediction_spread: Option<f64>,
    /// Activity of each layer that has an activation.
    pub activity: Vec<Option<Activity>>,
}

/// Evaluates a network on rows of one data set; allocates its buffers once.
#[derive(Debug)]
pub struct Evaluator {
    data: DataId,
    /// The logits, then the outputs of the hidden layers' activations.
    taps: Vec<Value>,
    /// One per tap after the first: its layer and its count.
    counts: Vec<(usize, ActivityCount)>,
    layers: usize,
    loss: LossSpec,
    spread: Spread,
    errors: NumberErrorSums,
    outputs: Outputs,
    logits: Vec<f64>,
    /// Targets of a sample, and the gradient of its loss, which nobody needs.
    values: [Vec<f64>; 2],
    /// Logits, classes and, with sample weights, weights of the rows that fit the temperature.
    kept: (Vec<f32>, Vec<u32>, Vec<f64>),
}

/// What to measure in addition to loss and accuracy.
#[derive(Clone, Copy, PartialEq)]
enum Extra {
    Nothing,
    Spread,
    /// Keeps the logits of every n-th row.
    Logits(usize),
}

impl Evaluator {
    /// Prepares an evaluator of networks with this plan.
    pub fn new(plan: &Plan, data: DataId) -> Self {
        let mut taps = vec![plan.output];
        let mut counts = Vec::new();
        let mut layer = 0;
        for op in &plan.ops {
            match op {
                Op::Linear { w, .. } => layer = plan.params[w.0].layer,
                Op::Activate { y, f, .. } => {
                    taps.push(*y);
                    counts.push((layer, ActivityCount::new(plan.widths[y.0], *f)));
                }
                Op::Input { .. } | Op::Norm { .. } | Op::Dropout { .. } => {}
            }
        }
        let logits = vec![0.0; plan.widths[plan.output.0]];
        Self {
            data,
            taps,
            counts,
            layers: plan.layers.len(),
            // Evaluations count neither class weights nor label smoothing.
            loss: LossSpec { kind: plan.loss.kind, ..LossSpec::CROSS_ENTROPY },
            spread: Spread::default(),
            errors: NumberErrorSums::default(),
            outputs: Outputs::default(),
            values: [logits.clone(), logits.clone()],
            logits,
            kept: Default::default(),
        }
    }

    /// Measures loss and accuracy on these rows.
    ///
    /// # Errors
    /// When the device fails, or the network has no such class.
    pub fn scores(
        &mut self,
        program: &mut dyn Program,
        rows: &[u32],
        samples: &Samples,
    ) -> Result<Scores> {
        let taps = self.taps[..1].to_vec();
        self.run(program, rows, samples, &taps, Extra::Nothing)
    }

    /// Measures loss and accuracy, and fits the temperature.
    ///
    /// # Errors
    /// As [`Evaluator::scores`].
    pub fn validate(
        &mut self,
        program: &mut dyn Program,
        rows: &[u32],
        samples: &Samples,
    ) -> Result<ValidationEvaluation> {
        let (taps, outputs) = (self.taps[..1].to_vec(), self.logits.len());
        let each = rows.len().div_ceil((MAX_KEPT_LOGITS / outputs.max(1)).max(1)).max(1);
        let (logits, classes, weights) = &mut self.kept;
        logits.clear();
        classes.clear();
        weights.clear();
        let scores = self.run(program, rows, samples, &taps, Extra::Logits(each))?;
        let (logits, classes, weights) = &self.kept;
        let calibration = Calibration::fit(logits, outputs, classes, weights);
        let loss = calibration.loss(logits, outputs, classes, weights);
        Ok(ValidationEvaluation {
            scores,
            calibrated: loss.map(|loss| CalibratedLoss { calibration, loss }),
            errors: match self.loss.kind {
                LossKind::CrossEntropy | LossKind::BinaryCrossEntropy => None,
                LossKind::MeanSquared | LossKind::Huber { .. } => {
                    self.errors.errors(&samples.scales)
                }
            },
        })
    }

    /// Evaluates the fixed training sample.
    ///
    /// # Errors
    /// As [`Evaluator::scores`].
    pub fn evaluate_sample(
        &mut self,
        program: &mut dyn Program,
        rows: &[u32],
        samples: &Samples,
    ) -> Result<SampleEvaluation> {
        self.counts.iter_mut().for_each(|(_, count)| count.clear());
        self.spread.clear(self.logits.len());
        let taps = self.taps.clone();
        let scores = self.run(program, rows, samples, &taps, Extra::Spread)?;
        let mut activity = vec![None; self.layers];
        for (layer, count) in &self.counts {
            activity[*layer] = count.activity();
        }
        Ok(SampleEvaluation { scores, prediction_spread: self.spread.value(), activity })
    }

    /// Measures the share of each hidden layer's units that are silent both on the last sample of
    /// [`Evaluator::evaluate_sample`] and on these rows. Stops early when no silent unit is left.
    ///
    /// # Errors
    /// When the device fails.
    pub fn silent_fractions(
        &mut self,
        program: &mut dyn Program,
        rows: &[u32],
    ) -> Result<Vec<Option<f64>>> {
        let Self { data, taps, counts, outputs, layers, .. } = self;
        let mut open: Vec<usize> =
            (0..counts.len()).filter(|&i| counts[i].1.silent_fraction() > 0.0).collect();
        for block in rows.chunks(BLOCK) {
            if open.is_empty() {
                break;
            }
            let of_open: Vec<Value> = open.iter().map(|&i| taps[i + 1]).collect();
            program.infer(*data, block, &of_open, outputs)?;
            let mut values = outputs.values.iter();
            open.retain(|&i| {
                values.next().is_some_and(|values| !counts[i].1.retain_silent(values))
            });
        }
        let mut silent = vec![None; *layers];
        for (layer, count) in counts {
            silent[*layer] = Some(count.silent_fraction());
        }
        Ok(silent)
    }

    fn run(
        &mut self,
        program: &mut dyn Program,
        rows: &[u32],
        samples: &Samples,
        taps: &[Value],
        extra: Extra,
    ) -> Result<Scores> {
        let Self { data, counts, spread, errors, outputs, logits, values, kept, loss, .. } = self;
        let (mut scores, mut visited) = (Scores::default(), 0);
        let [y, dz] = values;
        errors.clear(logits.len());
        visit(program, *data, rows, taps, outputs, |rows, outputs| {
            for (&row, z) in rows.iter().zip(outputs.values[0].chunks_exact(logits.len())) {
                logits.iter_mut().zip(z).for_each(|(to, &z)| *to = f64::from(z));
                let weight = samples.weight(row);
                match &*samples.targets {
                    Targets::Classes(classes) => {
                        let class = classes[row as usize];
                        scores.add(row, logits, class, weight)?;
                        if let Extra::Logits(each) = extra
                            && visited % each == 0
                        {
                            kept.0.extend_from_slice(z);
                            kept.1.push(class);
                            if samples.weights.is_some() {
                                kept.2.push(weight);
                            }
                        }
                    }
                    Targets::Numbers(all) | Targets::Labels(all) => {
                        let own = &all[row as usize * y.len()..];
                        y.iter_mut().zip(own).for_each(|(to, &y)| *to = f64::from(y));
                        scores.add_values(logits, y, weight, loss, dz);
                        errors.add(logits, y, weight);
                    }
                }
                if extra == Extra::Spread {
                    spread.add(logits, loss.kind);
                }
                visited += 1;
            }
            for ((_, count), values) in counts.iter_mut().zip(&outputs.values[1..]) {
                count.add(values);
            }
            Ok(())
        })?;
        Ok(scores)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RunError;

    #[test]
    fn the_interval_is_valid_for_any_share() {
        assert_eq!(wilson(1.000_000_1, 100), wilson(1.0, 100));
        assert_eq!(wilson(-3.0, 100), wilson(0.0, 100));
        assert_eq!(wilson(f64::NAN, 100), [0.0, 1.0], "nothing is known");
    }

    #[test]
    fn scores_by_hand() {
        let mut scores = Scores::default();
        assert_eq!(scores.loss(), None);
        // p = [0.7, 0.3]: -ln 0.7 = 0.35667 for the first class, -ln 0.3 = 1.20397 for the second.
        let logits = [0.7f64.ln(), 0.3f64.ln()];
        assert_eq!(scores.add(0, &logits, 0, 1.0).unwrap(), 0);
        assert!((scores.loss().unwrap() - 0.356_67).abs() < 1e-5);
        assert_eq!(scores.add(1, &logits, 1, 1.0).unwrap(), 0);
        assert!((scores.loss().unwrap() - f64::midpoint(0.356_67, 1.203_97)).abs() < 1e-5);
        assert_eq!(scores.accuracy(), Some(0.5));
    }

    #[test]
    fn large_logits_have_a_finite_loss_and_ties_go_to_the_first_class() {
        let mut scores = Scores::default();
        scores.add(0, &[1e30, -1e30], 1, 1.0).unwrap();
        assert!(scores.loss().unwrap().is_finite());
        assert_eq!(scores.add(1, &[2.0, 2.0], 1, 1.0).unwrap(), 0);
    }

    #[test]
    fn a_label_beyond_the_outputs_is_an_error() {
        let error = Scores::default().add(7, &[0.0, 0.0], 2, 1.0).unwrap_err();
        assert!(matches!(error, RunError::Plan(PlanError::Label { row: 7, label: 2, last: 1 })));
    }

    #[test]
    fn the_spread_is_0_for_equal_predictions_and_largest_for_certain_ones() {
        let spread = |samples: &[[f64; 2]]| {
            let mut spread = Spread::default();
            spread.clear(2);
            samples.iter().for_each(|z| spread.add(z, LossKind::CrossEntropy));
            spread.value()
        };
        assert_eq!(spread(&[]), None);
        assert!(spread(&[[0.3, -2.0]; 5]).unwrap() < 1e-7);
        // Half of the samples are certainly of one class, half of the other: variance 1/4 each.
        let certain = spread(&[[900.0, 0.0], [0.0, 900.0]]).unwrap();
        assert!((certain - 0.5f64.sqrt()).abs() < 1e-12, "{certain}");
    }

    #[test]
    fn labels_count_one_by_one_and_weights_as_repeats() {
        let spec = LossSpec { kind: LossKind::BinaryCrossEntropy, ..LossSpec::CROSS_ENTROPY };
        let mut scores = Scores::default();
        scores.add_values(&[2.0, -1.0], &[1.0, 1.0], 1.0, &spec, &mut [0.0; 2]);
        assert_eq!(scores.accuracy(), Some(0.5));
        let loss = f64::midpoint((-2f64).exp().ln_1p(), 1f64.exp().ln_1p());
        assert!((scores.loss().unwrap() - loss).abs() < 1e-12);
        let mut twice = scores;
        scores.add_values(&[3.0, 3.0], &[1.0, 1.0], 2.0, &spec, &mut [0.0; 2]);
        for _ in 0..2 {
            twice.add_values(&[3.0, 3.0], &[1.0, 1.0], 1.0, &spec, &mut [0.0; 2]);
        }
        assert_eq!((scores.accuracy(), scores.loss()), (twice.accuracy(), twice.loss()));
        assert_eq!(scores.accuracy(), Some(5.0 / 6.0));
    }

    #[test]
    fn errors_of_numbers_by_hand() {
        // sklearn.metrics: r2_score([1, 2, 3], [1, 2, 5]) is -1, mean squared error 4/3.
        let mut sums = NumberErrorSums::default();
        sums.clear(1);
        assert_eq!(sums.errors(&[]), None);
        for (z, y) in [(1.0, 1.0), (2.0, 2.0), (5.0, 3.0)] {
            sums.add(&[z], &[y], 1.0);
        }
        let errors = sums.errors(&[10.0]).unwrap();
        assert!((errors.rmse[0] - 10.0 * (4f64 / 3.0).sqrt()).abs() < 1e-12);
        assert!((errors.mae[0] - 10.0 * 2.0 / 3.0).abs() < 1e-12);
        assert!((errors.r2[0] + 1.0).abs() < 1e-12);
        sums.clear(1);
        (0..3).for_each(|_| sums.add(&[0.3], &[0.3], 2.0));
        assert_eq!(sums.errors(&[]).unwrap().r2, [1.0]);
        sums.add(&[0.4], &[0.3], 1.0);
        assert_eq!(sums.errors(&[]).unwrap().r2, [0.0]);
    }
}
