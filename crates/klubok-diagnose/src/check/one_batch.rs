//! One batch by heart: a network that cannot learn a few samples will not learn many.
//!
//! "Overfit a single batch of only a few examples" (Karpathy 2019). Nothing regularises, and Adam
//! trains whatever the settings say, because the question is what the network can hold, not how
//! fast it gets there. Where it fails, a wide copy tries the same batch: if that can, the network
//! is too small; if not, something keeps it from learning at all.

use klubok_train::{
    Result,
    batches::sample,
    config::{Config, OneOrEach},
};
use serde::Serialize;

use super::{
    Lab, affordable,
    trial::{Trial, loss, unregularised},
};

/// Samples of the batch.
const SAMPLES: usize = 32;
/// A loss below which every sample is known for certain: its class has about 95 % on average.
const LEARNT: f64 = 0.05;
/// Learning rates of Adam that are tried in turn: its usual one, and one for small networks.
const RATES: [f64; 2] = [1e-3, 1e-2];
/// What a try may cost, and its least and most steps.
const FLOPS: f64 = 2e11;
const STEPS: (u64, u64) = (200, 6000);
/// Units of the wide copy's only hidden layer.
pub(super) const WIDE: usize = 256;

/// How well one batch was learnt by heart.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct OneBatch {
    /// Samples of the batch.
    pub samples: usize,
    /// True when all of them were learnt.
    pub learnt: bool,
    /// Steps that it took, or that were tried in vain.
    pub steps: u64,
    /// The loss before the first step.
    pub first_loss: f64,
    /// The loss at the end.
    pub loss: f64,
    /// Share of the samples that the network is right about at the end.
    pub accuracy: f64,
    /// Where they were not learnt: whether a wide copy of the network learns them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wide_copy_learnt: Option<bool>,
}

impl OneBatch {
    /// Trains on one batch until it is known by heart, or the steps are used up.
    ///
    /// # Errors
    /// When the device fails.
    pub fn of(lab: &Lab<'_>) -> Result<Self> {
        let config = unregularised(lab.config);
        let rows = distinct(lab);
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

/// Training rows of different content: the same content under two classes cannot be learnt.
fn distinct(lab: &Lab<'_>) -> Vec<u32> {
    let hash = |row: &u32| lab.data.hashes[*row as usize];
    let mut rows = sample(&lab.data.parts.train, 4 * SAMPLES, lab.config.train.seed);
    rows.sort_by_key(hash);
    rows.dedup_by_key(|row| hash(row));
    rows.truncate(SAMPLES);
    rows
}

/// The first rate that learns the batch, or the one that came furthest.
fn best_of_rates(lab: &Lab<'_>, config: &Config, rows: &[u32]) -> Result<OneBatch> {
    let mut best: Option<OneBatch> = None;
    for rate in RATES {
        let tried = learn(lab, config, rows, rate)?;
        let further = best.is_none_or(|best| !best.loss.is_finite() || tried.loss < best.loss);
        if tried.learnt || further {
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
    let most = affordable(FLOPS, &network, rows.len(), STEPS.0, STEPS.1);
    let mut trial = Trial::new(lab, &config, &lab.task.preprocessing, rows, 0)?;
    let mut first_loss = f64::NAN;
    loop {
        let figures = trial.train(rate)?;
        let (loss, steps) = (loss(&figures), trial.steps() - 1);
        if steps == 0 {
            first_loss = loss;
        }
        let all = figures.correct == figures.samples;
        let learnt = all && loss < LEARNT;
        if learnt || steps == most || !loss.is_finite() {
            let samples = figures.samples as usize;
            let accuracy = f64::from(figures.correct) / samples.max(1) as f64;
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
