//! How good a network is on a set of rows, in evaluation mode: loss, accuracy, and how active its
//! hidden units are. Goes through the rows in blocks, so memory does not grow with their number.

use crate::{
    backend::{DataId, Outputs, Program},
    error::{PlanError, Result},
    nn::loss,
    plan::{Op, Plan, Value},
};

/// Rows that are inferred together.
const BLOCK: usize = 512;

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

/// The 95 % interval of a share of `samples` by Wilson (1927): honest also for few samples and near 0 or 1.
pub fn wilson(share: f64, samples: usize) -> [f64; 2] {
    if samples == 0 {
        return [0.0, 1.0];
    }
    let n = samples as f64;
    let scale = 1.0 + Z * Z / n;
    let middle = (share + Z * Z / (2.0 * n)) / scale;
    let half = Z / scale * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    [(middle - half).clamp(0.0, share), (middle + half).clamp(share, 1.0)]
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
    /// Adds one sample by its logits `z` and returns the class of the largest, the first one on ties.
    ///
    /// # Errors
    /// When the target is not one of the logits; `row` is for the message.
    pub fn add(&mut self, row: u32, z: &[f64], target: u32) -> Result<usize> {
        let Some(of_target) = z.get(target as usize) else {
            let last = z.len().saturating_sub(1);
            return Err(PlanError::Label { row, label: target, last }.into());
        };
        let class = loss::answer(z);
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

/// How active the units of a hidden layer are on a set of samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Activity {
    /// Share of units x samples with an output above 0.
    pub active_fraction: f64,
    /// Share of units with the same output for every sample.
    pub dead_fraction: f64,
}

/// Counts the activity of one layer block by block.
#[derive(Debug, Clone)]
pub struct ActivityCount {
    samples: usize,
    active: u64,
    first: Vec<f32>,
    varies: Vec<bool>,
}

impl ActivityCount {
    /// A count for a layer of so many units.
    pub fn new(units: usize) -> Self {
        Self { samples: 0, active: 0, first: vec![0.0; units], varies: vec![false; units] }
    }

    /// Back to no sample.
    pub fn clear(&mut self) {
        (self.samples, self.active) = (0, 0);
        self.varies.fill(false);
    }

    /// Adds outputs of the layer, `[samples, units]`.
    pub fn add(&mut self, outputs: &[f32]) {
        for sample in outputs.chunks_exact(self.first.len()) {
            if self.samples == 0 {
                self.first.copy_from_slice(sample);
            }
            self.samples += 1;
            self.active += sample.iter().map(|&y| u64::from(y > 0.0)).sum::<u64>();
            for ((varies, first), y) in self.varies.iter_mut().zip(&self.first).zip(sample) {
                *varies |= y != first;
            }
        }
    }

    /// The shares; none without samples.
    pub fn activity(&self) -> Option<Activity> {
        let units = self.first.len();
        (self.samples > 0).then(|| Activity {
            active_fraction: self.active as f64 / (self.samples * units) as f64,
            dead_fraction: self.varies.iter().filter(|&&v| !v).count() as f64 / units as f64,
        })
    }
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
    outputs: Outputs,
    logits: Vec<f64>,
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
                Op::Activate { y, .. } => {
                    taps.push(*y);
                    counts.push((layer, ActivityCount::new(plan.widths[y.0])));
                }
                Op::Input { .. } | Op::Norm { .. } | Op::Noise { .. } => {}
            }
        }
        let logits = vec![0.0; plan.widths[plan.output.0]];
        let layers = plan.layers.len();
        Self { data, taps, counts, layers, outputs: Outputs::default(), logits }
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
        self.run(program, rows, targets, &taps)
    }

    /// Loss and accuracy, and the activity of each layer that has an activation.
    ///
    /// # Errors
    /// As [`Evaluator::scores`].
    pub fn scores_and_activity(
        &mut self,
        program: &mut dyn Program,
        rows: &[u32],
        targets: &[u32],
    ) -> Result<(Scores, Vec<Option<Activity>>)> {
        self.counts.iter_mut().for_each(|(_, count)| count.clear());
        let taps = self.taps.clone();
        let scores = self.run(program, rows, targets, &taps)?;
        let mut activity = vec![None; self.layers];
        for (layer, count) in &self.counts {
            activity[*layer] = count.activity();
        }
        Ok((scores, activity))
    }

    fn run(
        &mut self,
        program: &mut dyn Program,
        rows: &[u32],
        targets: &[u32],
        taps: &[Value],
    ) -> Result<Scores> {
        let Self { data, counts, outputs, logits, .. } = self;
        let mut scores = Scores::default();
        visit(program, *data, rows, taps, outputs, |rows, outputs| {
            let samples = outputs.values[0].chunks_exact(logits.len());
            for (&row, z) in rows.iter().zip(samples) {
                logits.iter_mut().zip(z).for_each(|(to, &z)| *to = f64::from(z));
                scores.add(row, logits, targets[row as usize])?;
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
    use crate::Error;

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
        assert!(matches!(error, Error::Plan(PlanError::Label { row: 7, label: 2, last: 1 })));
    }

    #[test]
    fn activity_by_hand() {
        let mut count = ActivityCount::new(4);
        assert_eq!(count.activity(), None);
        // Silent, always 2, sometimes active, always active.
        count.add(&[0.0, 2.0, 0.0, 1.0]);
        count.add(&[0.0, 2.0, 3.0, 2.0, 0.0, 2.0, 0.0, 3.0]);
        let expected = Activity { active_fraction: 7.0 / 12.0, dead_fraction: 0.5 };
        assert_eq!(count.activity(), Some(expected));
        count.clear();
        count.add(&[1.0, 1.0, 1.0, 1.0]);
        assert_eq!(count.activity(), Some(Activity { active_fraction: 1.0, dead_fraction: 1.0 }));
    }
}
