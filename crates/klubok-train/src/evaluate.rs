//! Evaluates a network on a set of rows, in evaluation mode: loss, accuracy, and activity of the
//! hidden units. Goes through the rows in blocks, so memory does not grow with their number.

use klubok_nn::{
    backend::{DataId, Outputs, Program},
    calibration::Calibration,
    error::PlanError,
    loss,
    plan::{Op, Plan, Value},
};

use crate::{
    activity::{Activity, ActivityCount},
    error::Result,
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
    let samples: u64 = class_counts.iter().sum();
    class_counts.iter().max().copied().unwrap_or(0) as f64 / samples.max(1) as f64
}

/// Loss and accuracy over samples of equal weight.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Scores {
    /// Number of samples.
    pub samples: u64,
    /// Number of samples whose class has the largest logit.
    pub correct: u64,
    /// Sum of the cross-entropy.
    pub loss_sum: f64,
}

impl Scores {
    /// Adds one sample with logits `z` and returns the predicted class, the first one on ties.
    ///
    /// # Errors
    /// When the target has no logit; `row` is for the message.
    pub fn add(&mut self, row: u32, z: &[f64], target: u32) -> Result<usize> {
        let Some(target_logit) = z.get(target as usize) else {
            let last = z.len().saturating_sub(1);
            return Err(PlanError::Label { row, label: target, last }.into());
        };
        let class = loss::predicted_class(z);
        self.samples += 1;
        self.correct += u64::from(class == target as usize);
        self.loss_sum += loss::log_sum_exp(z) - target_logit;
        Ok(class)
    }

    /// Returns the mean loss; `None` without samples.
    pub fn loss(&self) -> Option<f64> {
        (self.samples > 0).then(|| self.loss_sum / self.samples as f64)
    }

    /// Returns the accuracy; `None` without samples.
    pub fn accuracy(&self) -> Option<f64> {
        (self.samples > 0).then(|| self.correct as f64 / self.samples as f64)
    }
}

/// Evaluation on the validation set.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ValidationEvaluation {
    /// Uncalibrated loss and accuracy.
    pub scores: Scores,
    /// The loss after temperature scaling; `None` without samples.
    pub calibrated: Option<CalibratedLoss>,
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
    fn add(&mut self, z: &[f64]) {
        let total = loss::log_sum_exp(z);
        self.samples += 1;
        for (sum, z) in self.sums.iter_mut().zip(z) {
            let p = (z - total).exp();
            *sum += p;
            self.squares += p * p;
        }
    }

    /// Returns `√(Σ var p)`, with the variance of each class's probability over the samples: 0 when
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
    /// `√(Σ var p)`: variance over the samples, summed over the classes; `None` without samples.
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
    spread: Spread,
    outputs: Outputs,
    logits: Vec<f64>,
    /// Logits and classes of the rows that fit the temperature.
    kept: (Vec<f32>, Vec<u32>),
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
        let layers = plan.layers.len();
        let (spread, outputs, kept) = (Spread::default(), Outputs::default(), Default::default());
        Self { data, taps, counts, layers, spread, outputs, logits, kept }
    }

    /// Measures loss and accuracy on these rows; `targets` has the class of every row of the data.
    ///
    /// # Errors
    /// When the device fails, or the network has no such class.
    pub fn scores(
        &mut self,
        program: &mut dyn Program,
        rows: &[u32],
        targets: &[u32],
    ) -> Result<Scores> {
        let taps = self.taps[..1].to_vec();
        self.run(program, rows, targets, &taps, Extra::Nothing)
    }

    /// Measures loss and accuracy, and fits the temperature.
    ///
    /// # Errors
    /// As [`Evaluator::scores`].
    pub fn validate(
        &mut self,
        program: &mut dyn Program,
        rows: &[u32],
        targets: &[u32],
    ) -> Result<ValidationEvaluation> {
        let (taps, outputs) = (self.taps[..1].to_vec(), self.logits.len());
        let each = rows.len().div_ceil((MAX_KEPT_LOGITS / outputs.max(1)).max(1)).max(1);
        self.kept.0.clear();
        self.kept.1.clear();
        let scores = self.run(program, rows, targets, &taps, Extra::Logits(each))?;
        let (logits, classes) = &self.kept;
        let calibration = Calibration::fit(logits, outputs, classes);
        let loss = calibration.loss(logits, outputs, classes);
        Ok(ValidationEvaluation {
            scores,
            calibrated: loss.map(|loss| CalibratedLoss { calibration, loss }),
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
        targets: &[u32],
    ) -> Result<SampleEvaluation> {
        self.counts.iter_mut().for_each(|(_, count)| count.clear());
        self.spread.clear(self.logits.len());
        let taps = self.taps.clone();
        let scores = self.run(program, rows, targets, &taps, Extra::Spread)?;
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
        targets: &[u32],
        taps: &[Value],
        extra: Extra,
    ) -> Result<Scores> {
        let Self { data, counts, spread, outputs, logits, kept, .. } = self;
        let (mut scores, mut visited) = (Scores::default(), 0);
        visit(program, *data, rows, taps, outputs, |rows, outputs| {
            let samples = outputs.values[0].chunks_exact(logits.len());
            for (&row, z) in rows.iter().zip(samples) {
                logits.iter_mut().zip(z).for_each(|(to, &z)| *to = f64::from(z));
                let class = targets[row as usize];
                scores.add(row, logits, class)?;
                match extra {
                    Extra::Spread => spread.add(logits),
                    Extra::Logits(each) if visited % each == 0 => {
                        kept.0.extend_from_slice(z);
                        kept.1.push(class);
                    }
                    _ => {}
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
        assert_eq!(scores.add(0, &logits, 0).unwrap(), 0);
        assert!((scores.loss().unwrap() - 0.356_67).abs() < 1e-5);
        assert_eq!(scores.add(1, &logits, 1).unwrap(), 0);
        assert!((scores.loss().unwrap() - f64::midpoint(0.356_67, 1.203_97)).abs() < 1e-5);
        assert_eq!(scores.accuracy(), Some(0.5));
    }

    #[test]
    fn large_logits_have_a_finite_loss_and_ties_go_to_the_first_class() {
        let mut scores = Scores::default();
        scores.add(0, &[1e30, -1e30], 1).unwrap();
        assert!(scores.loss().unwrap().is_finite());
        assert_eq!(scores.add(1, &[2.0, 2.0], 1).unwrap(), 0);
    }

    #[test]
    fn a_label_beyond_the_outputs_is_an_error() {
        let error = Scores::default().add(7, &[0.0, 0.0], 2).unwrap_err();
        assert!(matches!(error, RunError::Plan(PlanError::Label { row: 7, label: 2, last: 1 })));
    }

    #[test]
    fn the_spread_is_0_for_equal_predictions_and_largest_for_certain_ones() {
        let spread = |samples: &[[f64; 2]]| {
            let mut spread = Spread::default();
            spread.clear(2);
            samples.iter().for_each(|z| spread.add(z));
            spread.value()
        };
        assert_eq!(spread(&[]), None);
        assert!(spread(&[[0.3, -2.0]; 5]).unwrap() < 1e-7);
        // Half of the samples are certainly of one class, half of the other: variance 1/4 each.
        let certain = spread(&[[900.0, 0.0], [0.0, 900.0]]).unwrap();
        assert!((certain - 0.5f64.sqrt()).abs() < 1e-12, "{certain}");
    }
}
