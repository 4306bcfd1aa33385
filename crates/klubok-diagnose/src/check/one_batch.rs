//! Overfits one batch: a network that cannot learn a few samples cannot learn many.
//!
//! "Overfit a single batch of only a few examples" (Karpathy 2019). Trains with Adam and without
//! regularisation, whatever the settings: this tests the capacity of the network, not its speed. If
//! the network fails, a wide copy gets the same batch. If the copy overfits it, the network is too
//! small; if not, something else keeps the network from learning.

use klubok_train::{
    Result,
    batches::sample,
    config::{Config, Loss, OneOrEach},
};
use serde::Serialize;

use super::{
    Lab, affordable_steps,
    trial::{Trial, loss, unregularised},
};

/// Samples in the batch.
const SAMPLES: usize = 32;
/// The network has learned the batch at a lower loss: a mean confidence of about 95 % in the right
/// class or label, or 5 % of the variance of a number left.
const LEARNED_LOSS: f64 = 0.05;
/// Learning rates for Adam, tried in turn: its usual one, and one for small networks.
const RATES: [f64; 2] = [1e-3, 1e-2];
/// Budget of FLOPs for one try.
const FLOPS: f64 = 2e11;
/// Minimum and maximum number of steps of one try.
const STEPS: (u64, u64) = (200, 6000);
/// Units of the wide copy's only hidden layer.
pub(super) const WIDE: usize = 256;

/// How well the network overfits one batch.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct OneBatch {
    /// Samples in the batch.
    pub samples: usize,
    /// True when the network learned all of them.
    pub learnt: bool,
    /// Steps until then, or all steps.
    pub steps: u64,
    /// The loss before the first step.
    pub first_loss: f64,
    /// The loss at the end.
    pub loss: f64,
    /// The accuracy at the end; none unless the target is classes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<f64>,
    /// If the network did not learn all samples: whether a wide copy did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wide_copy_learnt: Option<bool>,
}

impl OneBatch {
    /// Trains on one batch until the network has learned it, or the steps run out.
    ///
    /// # Errors
    /// When the device fails.
    pub fn run(lab: &Lab<'_>) -> Result<Self> {
        let config = unregularised(lab.config);
        let rows = distinct_rows(lab);
        let tried = best_of_rates(lab, &config, &rows)?;
        if tried.learnt {
            return Ok(tried);
        }
        let mut wide = config;
        wide.model.activation = OneOrEach::One(wide.model.activation.get(0));
        wide.model.hidden = vec![WIDE];
        let wide = best_of_rates(lab, &wide, &rows)?;
        Ok(Self { wide_copy_learnt: Some(wide.learnt), ..tried })
    }
}

/// Training rows with distinct content: no network can learn two labels for the same content.
fn distinct_rows(lab: &Lab<'_>) -> Vec<u32> {
    let hash = |row: &u32| lab.data.hashes[*row as usize];
    let mut rows = sample(&lab.data.parts.train, 4 * SAMPLES, lab.config.train.seed);
    rows.sort_by_key(hash);
    rows.dedup_by_key(|row| hash(row));
    rows.truncate(SAMPLES);
    rows
}

/// The result of the first rate that learns the batch, or the one with the lowest loss.
fn best_of_rates(lab: &Lab<'_>, config: &Config, rows: &[u32]) -> Result<OneBatch> {
    let mut best: Option<OneBatch> = None;
    for rate in RATES {
        let tried = learn(lab, config, rows, rate)?;
        let better = best.is_none_or(|best| !best.loss.is_finite() || tried.loss < best.loss);
        if tried.learnt || better {
            best = Some(tried);
        }
        if tried.learnt {
            break;
        }
    }
    best.ok_or(klubok_train::RunError::NoSamples)
}

fn learn(lab: &Lab<'_>, config: &Config, rows: &[u32], rate: f64) -> Result<OneBatch> {
    let mut config = config.clone();
    config.train.batch_size = rows.len();
    let network = config.network(lab.task.network.inputs, lab.task.network.outputs);
    let max = affordable_steps(FLOPS, &network, rows.len(), STEPS.0, STEPS.1);
    let mut trial = Trial::new(lab, &config, &lab.task.preprocessing, rows, 0)?;
    let mut first_loss = f64::NAN;
    loop {
        let figures = trial.train(rate)?;
        let (loss, steps) = (loss(&figures), trial.steps() - 1);
        if steps == 0 {
            first_loss = loss;
        }
        let is_class = config.train.loss == Loss::CrossEntropy;
        let all_correct = !is_class || figures.correct == figures.samples;
        let learnt = all_correct && loss < LEARNED_LOSS;
        if learnt || steps == max || !loss.is_finite() {
            let samples = figures.samples as usize;
            let accuracy = is_class.then(|| f64::from(figures.correct) / samples.max(1) as f64);
            let wide_copy_learnt = None;
            return Ok(OneBatch {
                samples,
                learnt,
                steps,
                first_loss,
                loss,
                accuracy,
                wide_copy_learnt,
            });
        }
    }
}
