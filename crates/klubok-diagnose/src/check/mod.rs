//! Before training: is the data, the network and the machinery of learning sound? Small
//! experiments, one file each.
//!
//! The order is that of Karpathy's recipe (2019): look at the data, verify the loss at the start,
//! over-fit one batch, compare with baselines that ignore the input or only weigh it; then the
//! questions of the tuning playbook (Google 2023), which batch size and which learning rate. Every
//! experiment trains copies that are thrown away, takes a number of steps that follows from the
//! sizes alone, and repeats to the same bits.

pub mod baselines;
pub mod card;
pub mod gradient_check;
pub mod labels;
pub mod noise;
pub mod one_batch;
pub mod range_test;
pub mod start;
pub mod steps;
mod trial;
mod verdicts;

use klubok_data::{Dataset, preprocess::Preprocessing, survey::Survey};
use klubok_nn::{backend::Backend, network::Network};
use klubok_train::{Result, config::Config, event::Verdict, task::Task};
use serde::Serialize;

use self::{
    baselines::Baselines, card::Card, gradient_check::GradientCheck, labels::Labels, noise::Noise,
    one_batch::OneBatch, range_test::RangeTest, start::InitialLoss, steps::Steps,
};

/// What the experiments are made with.
pub struct Lab<'a> {
    /// The settings that are checked.
    pub config: &'a Config,
    /// The data.
    pub data: &'a Dataset,
    /// What computes.
    pub backend: &'a dyn Backend,
    /// The network that the settings describe, as training would begin with it.
    pub task: Task,
    /// Normalised inputs, whatever the settings say: the baselines should not suffer from them.
    normalised: Preprocessing,
}

impl<'a> Lab<'a> {
    /// A lab for what these settings make of this data; the training part is read once or twice.
    ///
    /// # Errors
    /// As [`Task::new`].
    pub fn new(config: &'a Config, data: &'a Dataset, backend: &'a dyn Backend) -> Result<Self> {
        let task = Task::new(config, data)?;
        let normalised = if config.data.normalize {
            task.preprocessing.clone()
        } else {
            let (input, fit) = (&data.input, config.data.fit);
            Preprocessing::measure(&*data.rows, input, fit, &data.parts.train)?
        };
        Ok(Self { config, data, backend, task, normalised })
    }
}

klubok_nn::listed! {
    /// An experiment that begins now.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Experiment {
        /// Counts, copies, constant inputs.
        Data,
        /// The loss before any update.
        InitialLoss,
        /// One batch by heart.
        OneBatch,
        /// Gradients against differences.
        Gradients,
        /// What knows nothing, and what only weighs the inputs.
        Baselines,
        /// Do labels have to do with inputs?
        Labels,
        /// Spread of the gradients of batches.
        Noise,
        /// The learning rate, from tiny to far too large.
        RangeTest,
    }
}

/// All that was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Findings {
    /// Facts about the data.
    pub data: Survey,
    /// The network, layer by layer.
    pub network: Card,
    /// The loss before any update.
    pub initial_loss: InitialLoss,
    /// How well one batch is learnt by heart.
    pub one_batch: OneBatch,
    /// Gradients against differences.
    pub gradient_check: GradientCheck,
    /// What is reached without a deep network.
    pub baselines: Baselines,
    /// Whether labels have to do with inputs.
    pub labels: Labels,
    /// Spread of the gradients of batches; none where there are too few samples or numbers fail.
    pub gradient_noise: Option<Noise>,
    /// The loss at rising learning rates.
    pub learning_rate: RangeTest,
    /// What is wrong, the worst first.
    pub verdicts: Vec<Verdict>,
}

/// Makes all experiments in turn and says each before it begins. `steps` have trained for a while
/// already.
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
    let initial_loss = InitialLoss::of(lab)?;
    begin(Experiment::OneBatch);
    let one_batch = OneBatch::of(lab)?;
    begin(Experiment::Gradients);
    let gradient_check = GradientCheck::of(lab)?;
    begin(Experiment::Baselines);
    let (baselines, confidences) = baselines::baselines(lab)?;
    begin(Experiment::Labels);
    let labels = Labels::of(lab, &confidences)?;
    begin(Experiment::Noise);
    let gradient_noise = Noise::of(lab, steps)?;
    begin(Experiment::RangeTest);
    let learning_rate = RangeTest::of(lab)?;
    let mut findings = Findings {
        network: Card::of(lab),
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

/// Steps of `batch` samples that so many FLOPs pay for, at least `least` and at most `most`: two a
/// parameter and sample for each of forward, gradient of weights and gradient of inputs.
fn affordable(flops: f64, network: &Network, batch: usize, least: u64, most: u64) -> u64 {
    let steps = flops / (6.0 * network.parameters() as f64 * batch as f64);
    (steps as u64).clamp(least, most)
}

#[cfg(test)]
mod tests {
    use klubok_train::config::{ConfigBuilder, DataKind, Machine, Preset};

    use super::*;

    #[test]
    fn steps_follow_from_the_sizes() {
        let config = ConfigBuilder::new(Preset::Plain, DataKind::Points)
            .resolve(&Machine::plain(1))
            .unwrap();
        // 10 inputs, 512, 256, 2: 5,632 + 131,328 + 514 = 137,474 parameters.
        let network = config.config.network(10, 2);
        let a_step = 6.0 * 137_474.0 * 32.0;
        assert_eq!(affordable(100.5 * a_step, &network, 32, 1, 1000), 100);
        assert_eq!(affordable(100.5 * a_step, &network, 32, 200, 1000), 200);
        assert_eq!(affordable(100.5 * a_step, &network, 32, 1, 50), 50);
    }
}
