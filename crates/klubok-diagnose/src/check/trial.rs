//! A temporary network for one experiment.

use klubok_model::Preprocessing;
use klubok_nn::{
    backend::{DataId, Figures, Program, Step, StepFigures, Weights},
    plan::{Op, Plan},
};
use klubok_train::{
    Result, RunError,
    batches::Batches,
    config::{Config, Optimizer},
    evaluate::{Evaluator, Scores},
    samples::{Samples, weight_sum},
};

use crate::check::Lab;

/// A network in training.
pub(super) struct Trial {
    plan: Plan,
    program: Box<dyn Program>,
    batches: Batches,
    samples: Samples,
    figures: Figures,
    step: u64,
}

impl Trial {
    /// Compiles the network of `config` with its initial weights, to train on `rows`. `max_batch`
    /// is the largest batch for [`Self::gradient`]; training takes the batch size of the settings.
    pub(super) fn new(
        lab: &Lab<'_>,
        config: &Config,
        preprocessing: &Preprocessing,
        rows: &[u32],
        max_batch: usize,
    ) -> Result<Self> {
        let data = lab.data;
        let train = &data.parts.train;
        let counts = data.class_counts(train);
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
        let max_batch = batches.max_batch().max(max_batch);
        let samples = Samples::new(data, preprocessing, &plan.loss.class_weights);
        let mut program =
            lab.backend.compile(&plan, max_batch, std::slice::from_ref(&samples.rows))?;
        let start = config.start(&data.output_counts(train), train.len() as u64);
        program.load(&network.start(&start, seed))?;
        Ok(Self { plan, program, batches, samples, figures: Figures::default(), step: 0 })
    }

    /// Steps per epoch.
    pub(super) fn steps_per_epoch(&self) -> u64 {
        self.batches.len() as u64
    }

    /// Steps done.
    pub(super) fn steps(&self) -> u64 {
        self.step
    }

    /// Trains on the next batch; returns the batch's figures before the update.
    pub(super) fn train(&mut self, learning_rate: f64) -> Result<StepFigures> {
        let (epoch, position) =
            (self.step / self.steps_per_epoch(), self.step % self.steps_per_epoch());
        if position == 0 && epoch > 0 {
            self.batches.start_epoch(epoch);
        }
        let rows = self.batches.batch(position as usize);
        let weight_sum = weight_sum(self.samples.train_weights.as_deref(), rows);
        let (index, observe) = (self.step, false);
        let step = Step { index, rows, first: 0, weight_sum, learning_rate, observe };
        self.program.train(DataId(0), &step)?;
        self.program.read(&mut self.figures);
        self.step += 1;
        Ok(self.figures.steps.last().copied().unwrap_or_default())
    }

    /// Computes the gradient of the loss on these rows, as in the next step.
    pub(super) fn gradient(&mut self, rows: &[u32], out: &mut Weights) -> Result<()> {
        let weight_sum = weight_sum(self.samples.train_weights.as_deref(), rows);
        let (index, learning_rate, observe) = (self.step, 0.0, false);
        let step = Step { index, rows, first: 0, weight_sum, learning_rate, observe };
        Ok(self.program.gradients(DataId(0), &step, out)?)
    }

    /// Evaluates loss and accuracy.
    pub(super) fn scores(&mut self, rows: &[u32]) -> Result<Scores> {
        Evaluator::new(&self.plan, DataId(0)).scores(&mut *self.program, rows, &self.samples)
    }

    /// Computes logits in evaluation mode, `[rows, outputs]`.
    pub(super) fn logits(&mut self, rows: &[u32]) -> Result<Vec<f32>> {
        let mut outputs = klubok_nn::backend::Outputs::default();
        self.program.infer(DataId(0), rows, &[self.plan.output], &mut outputs)?;
        Ok(outputs.values.swap_remove(0))
    }
}

/// Mean loss of a step, without penalties.
pub(super) fn loss(figures: &StepFigures) -> f64 {
    figures.loss_sum / figures.weight_sum
}

/// The same settings without regularisation, and with Adam's default coefficients.
pub(super) fn unregularised(config: &Config) -> Config {
    let mut plain = config.clone();
    plain.model.dropout = klubok_train::config::OneOrEach::One(0.0);
    plain.model.input_dropout = 0.0;
    plain.model.prior_bias = false;
    let regularization = &mut plain.regularization;
    (regularization.l1, regularization.l2, regularization.weight_decay) = (0.0, 0.0, 0.0);
    (regularization.max_norm, regularization.label_smoothing) = (0.0, 0.0);
    (plain.augment.flip, plain.augment.shift) = (false, 0);
    plain.train.optimizer = Optimizer::Adam;
    (plain.train.beta1, plain.train.beta2, plain.train.epsilon) = (0.9, 0.999, 1e-8);
    plain.train.clip_norm = 0.0;
    plain.train.class_weights = klubok_train::config::ClassWeights::None;
    plain
}
