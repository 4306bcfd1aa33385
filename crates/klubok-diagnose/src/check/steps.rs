//! Real steps of the real network, on a copy: whoever calls times them, for the library has no
//! clock here.

use klubok_nn::{optim::schedule::LearningRate, state::Weights};
use klubok_train::Result;

use super::{Lab, affordable, trial::Trial};

/// What the steps may cost, and the least and most of them.
const FLOPS: f64 = 1.5e11;
const STEPS: (u64, u64) = (12, 200);

/// A copy of the network in training.
pub struct Steps {
    trial: Trial,
    rate: LearningRate,
}

impl Steps {
    /// The network before its first step.
    ///
    /// # Errors
    /// When the device cannot run it.
    pub fn new(lab: &Lab<'_>) -> Result<Self> {
        let train = &lab.data.parts.train;
        let largest = largest_batch(train.len());
        let trial = Trial::new(lab, lab.config, &lab.task.preprocessing, train, largest)?;
        let rate = lab.config.train.rate(trial.steps_per_epoch());
        Ok(Self { trial, rate })
    }

    /// How many steps are worth timing: at most two epochs, so that small data is not known by
    /// heart after them.
    pub fn enough(&self, lab: &Lab<'_>) -> u64 {
        let most = (2 * self.per_epoch()).clamp(STEPS.0, STEPS.1);
        affordable(FLOPS, &lab.task.network, lab.config.train.batch_size, STEPS.0, most)
    }

    /// One step, as training would do it.
    ///
    /// # Errors
    /// When the device fails.
    pub fn step(&mut self) -> Result<()> {
        let rate = self.rate.at(self.trial.steps());
        self.trial.train(rate).map(|_| ())
    }

    /// Steps of an epoch.
    pub fn per_epoch(&self) -> u64 {
        self.trial.steps_per_epoch()
    }

    /// Steps done.
    pub(super) fn done(&self) -> u64 {
        self.trial.steps()
    }

    /// The gradient on some rows after the steps done.
    pub(super) fn gradient(&mut self, rows: &[u32], out: &mut Weights) -> Result<()> {
        self.trial.gradient(rows, out)
    }
}

/// Sizes of the batches and how many are drawn of each.
pub(super) const DRAWS: [(usize, usize); 4] = [(16, 48), (64, 24), (256, 8), (1024, 4)];

/// Rows of the largest batch that is drawn from so many samples.
fn largest_batch(samples: usize) -> usize {
    DRAWS.iter().map(|(size, _)| *size).filter(|size| *size <= samples / 2).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_batch_is_at_most_half_of_the_data() {
        assert_eq!([31, 32, 600, 5000].map(largest_batch), [0, 16, 256, 1024]);
    }
}
