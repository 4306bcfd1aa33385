//! How good a network is on a set of rows, in evaluation mode: loss, accuracy, and how active its
//! hidden units are. Goes through the rows in blocks, so memory does not grow with their number.

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

/// Rows that are inferred together.
const BLOCK: usize = 512;
/// Most logits that are kept to fit a temperature to: 64 MiB of them. Of more rows, every so many
/// are.
const KEPT: usize = 1 << 24;

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

/// 97.5 % point of the normal distribution: both sides together leave 5 % out.
const Z: f64 = 1.959_963_984_540_054;

/// The 95 % interval of a share of `samples` by Wilson (1927): honest also for few samples and near
/// 0 or 1.
pub fn wilson(share: f64, samples: usize) -> [f64; 2] {
    if samples == 0 {
        return [0.0, 1.0];
    }
    // A sum that is rounded may be a little more than 1.
    let (share, n) = (share.clamp(0.0, 1.0), samples as f64);
    let scale = 1.0 + Z * Z / n;
    let middle = (share + Z * Z / (2.0 * n)) / scale;
    let half = Z / scale * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    [(middle - half).max(0.0).min(share), (middle + half).min(1.0).max(share)]
}

/// The share of the most frequent class: what always guessing that class would reach.
pub fn chance(class_counts: &[u64]) -> f64 {
    let samples: u64 = class_counts.iter().sum();
    class_counts.iter().max().copied().unwrap_or(0) as f64 / samples.max(1) as f64
}

/// Loss and accuracy over samples, each weighing the same.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Scores {
    /// Number of samples.
    pub samples: u64,
    /// Samples whose largest logit is their class's.
    pub correct: u64,
    /// Sum of the cross-entropy.
    pub loss_sum: f64,
}

impl Scores {
    /// Adds one sample by its logits `z` and returns the class of the largest, the first one on
    /// ties.
    ///
    /// # Errors
    /// When the target is not one of the logits; `row` is for the message.
    pub fn add(&mut self, row: u32, z: &[f64], target: u32) -> Result<usize> {
        let Some(of_target) = z.get(target as usize) else {
            let last = z.len().saturating_sub(1);
            return Err(PlanError::Label { row, label: target, last }.into());
        };
        let class = loss::predicted_class(z);
        self.samples += 1;
        self.correct += u64::from(class == target as usize);
        self.loss_sum += loss::log_sum_exp(z) - of_target;
        Ok(class)
    }

    /// Mean loss; none without samples.
    pub fn loss(&self) -> Option<f64> {
        (self.samples > 0).then(|| self.loss_sum / self.samples as f64)
    }

    /// Share of right answers; none without samples.
    pub fn accuracy(&self) -> Option<f64> {
        (self.samples > 0).then(|| self.correct as f64 / self.samples as f64)
    }
}

/// What is known of a part that training does not see.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Validated {
    /// Loss and accuracy, as the network has them.
    pub scores: Scores,
    /// The temperature that fits these samples best; none without samples.
    pub calibrated: Option<Calibrated>,
}

/// A temperature, and how good confidences are with it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Calibrated {
    /// From logits to confidences.
    pub calibration: Calibration,
    /// Mean cross-entropy of these confidences.
    pub loss: f64,
}

/// How much the answers differ from sample to sample.
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

    /// Adds one sample by its logits.
    fn add(&mut self, z: &[f64]) {
        let total = loss::log_sum_exp(z);
        self.samples += 1;
        for (sum, z) in self.sums.iter_mut().zip(z) {
            let p = (z - total).exp();
            *sum += p;
            self.squares += p * p;
        }
    }

    /// `√(Σ var p)`, the variance of each class's probability over the samples: 0 when all get the
    /// same answer.
    fn value(&self) -> Option<f64> {
        let n = self.samples as f64;
        let means: f64 = self.sums.iter().map(|sum| (sum / n).powi(2)).sum();
        (self.samples > 0).then(|| (self.squares / n - means).max(0.0).sqrt())
    }
}

/// What is known of the fixed sample of the training part.
#[derive(Debug, Clone, PartialEq)]
pub struct Sampled {
    /// Loss and accuracy.
    pub scores: Scores,
    /// `√(Σ var p)` over the samples, summed over the classes; none without samples.
    pub prediction_spread: Option<f64>,
    /// Activity of each layer that has an activation.
    pub activity: Vec<Option<Activity>>,
}

/// Judges a network on rows of one set of data; everything it needs is allocated once.
#[derive(Debug)]
pub struct Evaluator {
    data: DataId,
    /// The logits, then the outputs of the hidden layers' activations.
    taps: Vec<Value>,
    /// One a tap after the first: the layer it belongs to, and its count.
    counts: Vec<(usize, ActivityCount)>,
    layers: usize,
    spread: Spread,
    outputs: Outputs,
    logits: Vec<f64>,
    /// Logits and classes of the rows that a temperature is fitted to.
    kept: (Vec<f32>, Vec<u32>),
}

/// What is measured of rows beside loss and accuracy.
#[derive(Clone, Copy, PartialEq)]
enum Besides {
    Nothing,
    Spread,
    /// Of every so manyth row.
    Logits(usize),
}

impl Evaluator {
    /// An evaluator of networks with this plan.
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

    /// Loss and accuracy on these rows; `targets` has the class of every row of the data.
    ///
    /// # Errors
    /// When the device fails, or a class is not one of the network's.
    pub fn scores(
        &mut self,
        program: &mut dyn Program,
        rows: &[u32],
        targets: &[u32],
    ) -> Result<Scores> {
        let taps = self.taps[..1].to_vec();
        self.run(program, rows, targets, &taps, Besides::Nothing)
    }

    /// The same, and the best temperature.
    ///
    /// # Errors
    /// As [`Evaluator::scores`].
    pub fn validated(
        &mut self,
        program: &mut dyn Program,
        rows: &[u32],
        targets: &[u32],
    ) -> Result<Validated> {
        let (taps, outputs) = (self.taps[..1].to_vec(), self.logits.len());
        let each = rows.len().div_ceil((KEPT / outputs.max(1)).max(1)).max(1);
        self.kept.0.clear();
        self.kept.1.clear();
        let scores = self.run(program, rows, targets, &taps, Besides::Logits(each))?;
        let (logits, classes) = &self.kept;
        let calibration = Calibration::fit(logits, outputs, classes);
        let loss = calibration.loss(logits, outputs, classes);
        Ok(Validated { scores, calibrated: loss.map(|loss| Calibrated { calibration, loss }) })
    }

    /// What is known of the fixed sample of the training part.
    ///
    /// # Errors
    /// As [`Evaluator::scores`].
    pub fn sampled(
        &mut self,
        program: &mut dyn Program,
        rows: &[u32],
        targets: &[u32],
    ) -> Result<Sampled> {
        self.counts.iter_mut().for_each(|(_, count)| count.clear());
        self.spread.clear(self.logits.len());
        let taps = self.taps.clone();
        let scores = self.run(program, rows, targets, &taps, Besides::Spread)?;
        let mut activity = vec![None; self.layers];
        for (layer, count) in &self.counts {
            activity[*layer] = count.activity();
        }
        Ok(Sampled { scores, prediction_spread: self.spread.value(), activity })
    }

    /// Share of units of each hidden layer that are silent on the sample that
    /// [`Evaluator::sampled`] saw last and on these rows, too. Ends with the block in which the
    /// last unit speaks.
    ///
    /// # Errors
    /// When the device fails.
    pub fn silent_on(
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
            open.retain(|&i| values.next().is_some_and(|values| !counts[i].1.look_at(values)));
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
        besides: Besides,
    ) -> Result<Scores> {
        let Self { data, counts, spread, outputs, logits, kept, .. } = self;
        let (mut scores, mut seen) = (Scores::default(), 0);
        visit(program, *data, rows, taps, outputs, |rows, outputs| {
            let samples = outputs.values[0].chunks_exact(logits.len());
            for (&row, z) in rows.iter().zip(samples) {
                logits.iter_mut().zip(z).for_each(|(to, &z)| *to = f64::from(z));
                let class = targets[row as usize];
                scores.add(row, logits, class)?;
                match besides {
                    Besides::Spread => spread.add(logits),
                    Besides::Logits(each) if seen % each == 0 => {
                        kept.0.extend_from_slice(z);
                        kept.1.push(class);
                    }
                    _ => {}
                }
                seen += 1;
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
    fn an_interval_is_one_whatever_is_asked() {
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
    fn a_spread_is_0_for_one_answer_and_largest_for_certain_ones() {
        let spread = |samples: &[[f64; 2]]| {
            let mut spread = Spread::default();
            spread.clear(2);
            samples.iter().for_each(|z| spread.add(z));
            spread.value()
        };
        assert_eq!(spread(&[]), None);
        assert!(spread(&[[0.3, -2.0]; 5]).unwrap() < 1e-7);
        // Certain of one class for half of the samples, of the other for the rest: variance 1/4
        // each.
        let certain = spread(&[[900.0, 0.0], [0.0, 900.0]]).unwrap();
        assert!((certain - 0.5f64.sqrt()).abs() < 1e-12, "{certain}");
    }
}
