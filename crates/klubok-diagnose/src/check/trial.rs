//! A network that is trained for an experiment and thrown away.

use klubok_data::preprocess::Preprocessing;
use klubok_nn::{
    backend::{DataId, Figures, Program, Step, StepFigures, Weights},
    plan::{Op, Plan},
};
use klubok_train::{
    Result, RunError,
    batches::Batches,
    config::{Config, Optimizer},
    evaluate::{Evaluator, Scores},
    trainer::{row_weights, weight_sum},
};

use crate::check::Lab;

/// A network under way.
pub(super) struct Trial {
    plan: Plan,
    program: Box<dyn Program>,
    batches: Batches,
    weights: Option<Vec<f64>>,
    figures: Figures,
    step: u64,
}

impl Trial {
    /// A network that `config` describes, from its start, on `rows`; `largest` is the most rows of
    /// a batch that will be asked for beside the settings' own.
    pub(super) fn new(
        lab: &Lab<'_>,
        config: &Config,
        preprocessing: &Preprocessing,
        rows: &[u32],
        largest: usize,
    ) -> Result<Self> {
        let data = lab.data;
        let counts = data.class_counts(&data.parts.train);
        let network = config.network(lab.task.network.inputs, lab.task.network.outputs);
        let seed = config.train.seed;
        let prepare = preprocessing.prepare(config.augment());
        let plan = network.lower(prepare, config.loss_spec(&counts), config.update_spec(), seed);
        let plan = Plan { precision: config.train.precision, ..plan };
        let normalises = plan.ops.iter().any(|op| matches!(op, Op::Norm { .. }));
        let mut batches = Batches::new(rows, config.train.batch_size, seed, normalises);
        if batches.is_empty() {
            return Err(RunError::NoSamples);
        }
        batches.start_epoch(0);
        let most = batches.max_batch().max(largest);
        let mut program = lab.backend.compile(&plan, most, std::slice::from_ref(&data.rows))?;
        program.load(&network.start(&config.start(&counts), seed))?;
        let weights = row_weights(data, &plan.loss.class_weights)?;
        Ok(Self { plan, program, batches, weights, figures: Figures::default(), step: 0 })
    }

    /// Updates in a pass over the rows.
    pub(super) fn steps_per_epoch(&self) -> u64 {
        self.batches.len() as u64
    }

    /// Updates done.
    pub(super) fn steps(&self) -> u64 {
        self.step
    }

    /// One update with the next batch: what the batch measured before it.
    pub(super) fn train(&mut self, learning_rate: f64) -> Result<StepFigures> {
        let (epoch, position) =
            (self.step / self.steps_per_epoch(), self.step % self.steps_per_epoch());
        if position == 0 && epoch > 0 {
            self.batches.start_epoch(epoch);
        }
        let rows = self.batches.batch(position as usize);
        let weight_sum = weight_sum(self.weights.as_deref(), rows);
        let (index, observe) = (self.step, false);
        let step = Step { index, rows, first: 0, weight_sum, learning_rate, observe };
        self.program.train(DataId(0), &step)?;
        self.program.read(&mut self.figures);
        self.step += 1;
        Ok(self.figures.steps.last().copied().unwrap_or_default())
    }

    /// The gradient of the loss on these rows, as the next update would see it.
    pub(super) fn gradient(&mut self, rows: &[u32], out: &mut Weights) -> Result<()> {
        let weight_sum = weight_sum(self.weights.as_deref(), rows);
        let (index, learning_rate, observe) = (self.step, 0.0, false);
        let step = Step { index, rows, first: 0, weight_sum, learning_rate, observe };
        Ok(self.program.gradients(DataId(0), &step, out)?)
    }

    /// Loss and right answers in evaluation mode.
    pub(super) fn scores(&mut self, rows: &[u32], targets: &[u32]) -> Result<Scores> {
        Evaluator::new(&self.plan, DataId(0)).scores(&mut *self.program, rows, targets)
    }

    /// Logits in evaluation mode, `[rows, classes]`.
    pub(super) fn logits(&mut self, rows: &[u32]) -> Result<Vec<f32>> {
        let mut outputs = klubok_nn::backend::Outputs::default();
        self.program.infer(DataId(0), rows, &[self.plan.output], &mut outputs)?;
        Ok(outputs.values.swap_remove(0))
    }
}

/// The mean loss that a step measured, penalties left out.
pub(super) fn loss(figures: &StepFigures) -> f64 {
    figures.loss_sum / figures.weight_sum
}

/// The same settings with nothing that keeps a network from learning by heart, and Adam at a
/// constant rate.
pub(super) fn unregularised(config: &Config) -> Config {
    let mut free = config.clone();
    free.model.dropout = klubok_train::config::OneOrEach::One(0.0);
    free.model.input_dropout = 0.0;
    free.model.prior_bias = false;
    let regularization = &mut free.regularization;
    (regularization.l1, regularization.l2, regularization.weight_decay) = (0.0, 0.0, 0.0);
    (regularization.max_norm, regularization.label_smoothing) = (0.0, 0.0);
    (free.augment.flip, free.augment.shift) = (false, 0);
    free.train.optimizer = Optimizer::Adam;
    (free.train.beta1, free.train.beta2, free.train.epsilon) = (0.9, 0.999, 1e-8);
    free.train.clip_norm = 0.0;
    free.train.class_weights = klubok_train::config::ClassWeights::None;
    free
}
