//! Experiments before training, one file each: checks the data, the network and the gradients.
//!
//! The order is that of Karpathy's recipe (2019): inspect the data, verify the initial loss,
//! overfit one batch, compare with a baseline that ignores the input and a linear one. Then come
//! the questions of the tuning playbook (Google 2023): batch size and learning rate. Every
//! experiment trains temporary copies, takes a number of steps that depends on sizes alone, and
//! repeats to the same bits.

pub mod baselines;
pub mod gradient_check;
pub mod initial_loss;
pub mod noise_scale;
pub mod one_batch;
pub mod permutation_test;
pub mod range_test;
pub mod steps;
pub mod summary;
mod trial;
mod verdicts;

use klubok_data::{Dataset, preprocess, survey::Survey};
use klubok_model::Preprocessing;
use klubok_nn::{backend::Backend, network::Network};
use klubok_train::{Result, config::Config, event::Verdict, task::Task};
use serde::Serialize;

use self::{
    baselines::Baselines, gradient_check::GradientCheck, initial_loss::InitialLoss,
    noise_scale::NoiseScale, one_batch::OneBatch, permutation_test::PermutationTest,
    range_test::RangeTest, steps::Steps, summary::NetworkSummary,
};

/// The inputs of the experiments.
pub struct Lab<'a> {
    /// The settings to check.
    pub config: &'a Config,
    /// The data.
    pub data: &'a Dataset,
    /// The backend.
    pub backend: &'a dyn Backend,
    /// The network and its plan, as training would begin.
    pub task: Task,
    /// Preprocessing that normalises, whatever the settings, so that the baselines do not suffer.
    normalised: Preprocessing,
}

impl<'a> Lab<'a> {
    /// Prepares the experiments; reads the training set once or twice.
    ///
    /// # Errors
    /// As [`Task::new`].
    pub fn new(config: &'a Config, data: &'a Dataset, backend: &'a dyn Backend) -> Result<Self> {
        let task = Task::new(config, data)?;
        let normalised = if config.data.normalize {
            task.preprocessing.clone()
        } else {
            preprocess::measure(data, config.data.fit)?
        };
        Ok(Self { config, data, backend, task, normalised })
    }
}

klubok_nn::listed! {
    /// An experiment.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Experiment {
        /// Counts, copies, constant inputs.
        Data,
        /// The loss before any update.
        InitialLoss,
        /// Overfitting one batch.
        OneBatch,
        /// Gradients against finite differences.
        Gradients,
        /// Class shares, a linear layer, a small network.
        Baselines,
        /// Whether the labels depend on the inputs.
        Labels,
        /// The gradient noise scale.
        NoiseScale,
        /// The learning rate range test.
        RangeTest,
    }
}

/// The results of all experiments.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Findings {
    /// Facts about the data.
    pub data: Survey,
    /// The network, layer by layer.
    pub network: NetworkSummary,
    /// The loss before any update.
    pub initial_loss: InitialLoss,
    /// How well the network overfits one batch.
    pub one_batch: OneBatch,
    /// Gradients against finite differences.
    pub gradient_check: GradientCheck,
    /// Loss and accuracy of the baselines.
    pub baselines: Baselines,
    /// Whether the labels depend on the inputs.
    pub labels: PermutationTest,
    /// The gradient noise scale; none with too few samples or without finite gradients.
    pub gradient_noise: Option<NoiseScale>,
    /// The learning rate range test.
    pub learning_rate: RangeTest,
    /// The verdicts, the most severe first.
    pub verdicts: Vec<Verdict>,
}

/// Runs all experiments in turn and calls `begin` before each. `steps` has trained for some steps.
///
/// # Errors
/// When rows cannot be read, or the device fails.
pub fn check(
    lab: &Lab<'_>,
    steps: &mut Steps,
    begin: &mut dyn FnMut(Experiment),
) -> Result<Findings> {
    begin(Experiment::Data);
    let data = Survey::of(lab.data)?;
    begin(Experiment::InitialLoss);
    let initial_loss = InitialLoss::measure(lab)?;
    begin(Experiment::OneBatch);
    let one_batch = OneBatch::run(lab)?;
    begin(Experiment::Gradients);
    let gradient_check = GradientCheck::run(lab)?;
    begin(Experiment::Baselines);
    let (baselines, predictions) = baselines::baselines(lab)?;
    begin(Experiment::Labels);
    let labels = PermutationTest::run(lab, &predictions)?;
    begin(Experiment::NoiseScale);
    let gradient_noise = NoiseScale::measure(lab, steps)?;
    begin(Experiment::RangeTest);
    let learning_rate = RangeTest::run(lab)?;
    let mut findings = Findings {
        network: NetworkSummary::new(lab),
        data,
        initial_loss,
        one_batch,
        gradient_check,
        baselines,
        labels,
        gradient_noise,
        learning_rate,
        verdicts: Vec::new(),
    };
    findings.verdicts = verdicts::verdicts(&findings, lab.config);
    Ok(findings)
}

/// Number of steps within a budget of FLOPs, from `min` to `max`. A step takes two FLOPs per
/// parameter and sample for each of the forward pass, the weight gradients and the input gradients.
fn affordable_steps(flops: f64, network: &Network, batch: usize, min: u64, max: u64) -> u64 {
    let steps = flops / (6.0 * network.parameters() as f64 * batch as f64);
    (steps as u64).clamp(min, max)
}

#[cfg(test)]
mod tests {
    use klubok_train::config::{ConfigBuilder, DataKind, Machine, Preset};

    use super::*;

    #[test]
    fn steps_depend_on_sizes_alone() {
        let config = ConfigBuilder::new(Preset::Plain, DataKind::Points)
            .resolve(&Machine::plain(1))
            .unwrap();
        // 10 inputs, 512, 256, 2: 5,632 + 131,328 + 514 = 137,474 parameters.
        let network = config.config.network(10, 2);
        let a_step = 6.0 * 137_474.0 * 32.0;
        assert_eq!(affordable_steps(100.5 * a_step, &network, 32, 1, 1000), 100);
        assert_eq!(affordable_steps(100.5 * a_step, &network, 32, 200, 1000), 200);
        assert_eq!(affordable_steps(100.5 * a_step, &network, 32, 1, 50), 50);
    }
}
