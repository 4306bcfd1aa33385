//! Training steps on a copy of the network, which the caller times: the library uses no clock here.

use klubok_nn::{optim::schedule::LearningRate, state::Weights};
use klubok_train::Result;

use super::{Lab, affordable_steps, trial::Trial};

/// Budget of FLOPs.
const FLOPS: f64 = 1.5e11;
/// Minimum and maximum number of steps.
const STEPS: (u64, u64) = (12, 200);

/// A copy of the network in training.
pub struct Steps {
    trial: Trial,
    rate: LearningRate,
}

impl Steps {
    /// Compiles the network before its first step.
    ///
    /// # Errors
    /// When the device cannot run it.
    pub fn new(lab: &Lab<'_>) -> Result<Self> {
        let train = &lab.data.parts.train;
        let max_batch = largest_batch(train.len());
        let trial = Trial::new(lab, lab.config, &lab.task.preprocessing, train, max_batch)?;
        let rate = lab.config.train.rate(trial.steps_per_epoch());
        Ok(Self { trial, rate })
    }

    /// Number of steps to time: at most two epochs, so that the network does not memorise small
    /// data.
    pub fn count_to_time(&self, lab: &Lab<'_>) -> u64 {
        let max = (2 * self.per_epoch()).clamp(STEPS.0, STEPS.1);
        affordable_steps(FLOPS, &lab.task.network, lab.config.train.batch_size, STEPS.0, max)
    }

    /// Trains one step, as a real training would.
    ///
    /// # Errors
    /// When the device fails.
    pub fn step(&mut self) -> Result<()> {
        let rate = self.rate.at(self.trial.steps());
        self.trial.train(rate).map(|_| ())
    }

    /// Steps per epoch.
    pub fn per_epoch(&self) -> u64 {
        self.trial.steps_per_epoch()
    }

    /// Steps done.
    pub(super) fn done(&self) -> u64 {
        self.trial.steps()
    }

    /// Computes the gradient on some rows at the current weights.
    pub(super) fn gradient(&mut self, rows: &[u32], out: &mut Weights) -> Result<()> {
        self.trial.gradient(rows, out)
    }
}

/// Batch sizes for the noise scale, each with its number of draws.
pub(super) const DRAWS: [(usize, usize); 4] = [(16, 48), (64, 24), (256, 8), (1024, 4)];

/// The largest of these batch sizes for a training set of `samples`.
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
