//! The seam between the mathematics and the devices.
//!
//! A [`Backend`] compiles a [`Plan`] once and then runs whole steps through a [`Program`].
//! [`crate::reference`] interprets the plan in f64 with the functions of `layers` and `optim`: it
//! is the law. [`crate::agreement`] holds every other backend to it.

use std::sync::Arc;

pub use crate::state::{Numbers, State, StateTensor, Weights};
use crate::{
    error::Result,
    plan::{Plan, Precision, Value},
    rows::Rows,
};

/// Data that a backend has attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DataId(pub usize);

/// One training step.
#[derive(Debug, Clone, Copy)]
pub struct Step<'a> {
    /// Number of the update, from 0: the counter of random numbers and of Adam's bias correction.
    pub index: u64,
    /// Rows of the batch.
    pub rows: &'a [u32],
    /// Place of the first row in the global batch (0 unless several ranks share it).
    pub first: u32,
    /// Sum of the weights of the global batch, which the loss is divided by.
    pub weight_sum: f64,
    /// Learning rate of this update.
    pub learning_rate: f64,
    /// Measure what it does to each parameter too. It never changes what is computed.
    pub observe: bool,
}

/// What the steps since the last [`Program::read`] measured. Reused: reading does not allocate once
/// grown.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    /// One entry a step.
    pub steps: Vec<StepFigures>,
    /// One entry a parameter for each step that was observed, step by step.
    pub params: Vec<ParamFigures>,
}

/// What a step measured.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct StepFigures {
    /// Loss of the batch in training mode, times `weight_sum`, without penalties.
    pub loss_sum: f64,
    /// Penalties `l1 Σ|w| + l2/2 Σw²` of the weights before the update.
    pub penalty: f64,
    /// Sum of the batch's weights.
    pub weight_sum: f64,
    /// Samples whose largest logit was their class's (classification only).
    pub correct: u32,
    /// Samples of the batch.
    pub samples: u32,
    /// What it did to the parameters is known too.
    pub observed: bool,
}

/// What a step did to one parameter.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ParamFigures {
    /// Σ g² of the gradient with penalties, before clipping.
    pub gradient_sq: f64,
    /// Σ Δw², over what the update changed.
    pub update_sq: f64,
    /// Σ w² after the update.
    pub value_sq: f64,
}

/// Values that [`Program::infer`] was asked for: `values[i]` is `[rows, width]` of tap `i`.
#[derive(Debug, Clone, Default)]
pub struct Outputs {
    /// One block a tap.
    pub values: Vec<Vec<f32>>,
}

/// What computes, for people and for the run's configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceInfo {
    /// `reference`, `cpu`, ...
    pub device: String,
    /// Which kernels run, such as `avx512`: part of what "the same bits" means.
    pub kernel: String,
    /// Threads in use.
    pub threads: usize,
}

/// A device that can compile plans.
pub trait Backend: Send + Sync {
    /// What computes in this precision.
    fn info(&self, precision: Precision) -> DeviceInfo;
    /// Compiles a plan for batches of up to `max_batch` rows: everything is allocated here. The
    /// program keeps `data`.
    ///
    /// # Errors
    /// When the plan uses something this backend cannot run, or needs more memory than there is.
    fn compile(
        &self,
        plan: &Plan,
        max_batch: usize,
        data: &[Arc<dyn Rows>],
    ) -> Result<Box<dyn Program>>;
}

/// A compiled plan. After compiling, no call allocates but those that store, and the first reads.
pub trait Program: Send {
    /// Sets weights, moments and running statistics.
    ///
    /// # Errors
    /// When a block does not have the plan's size.
    fn load(&mut self, state: &State) -> Result<()>;
    /// Copies everything that training changes.
    ///
    /// # Errors
    /// When the device fails.
    fn store(&self, state: &mut State) -> Result<()>;
    /// Copies one tensor of what training changes: a file can be written without a second copy of it
    /// all.
    ///
    /// # Errors
    /// When the device fails.
    fn store_tensor(&self, tensor: StateTensor) -> Result<Numbers>;
    /// Copies weights and running statistics only.
    ///
    /// # Errors
    /// When the device fails.
    fn store_weights(&self, weights: &mut Weights) -> Result<()>;
    /// One whole step: forward, loss, backward, update.
    ///
    /// # Errors
    /// On a label that the network does not have.
    fn train(&mut self, data: DataId, step: &Step<'_>) -> Result<()>;
    /// The gradient of one step with penalties, before clipping, into `out.params`; nothing is
    /// updated.
    ///
    /// # Errors
    /// As [`Program::train`].
    fn gradients(&mut self, data: DataId, step: &Step<'_>, out: &mut Weights) -> Result<()>;
    /// Values in evaluation mode for any number of rows.
    ///
    /// # Errors
    /// When a tap is not a value this backend keeps.
    fn infer(
        &mut self,
        data: DataId,
        rows: &[u32],
        taps: &[Value],
        out: &mut Outputs,
    ) -> Result<()>;
    /// What the steps since the last call measured: the only point where host and device must meet.
    fn read(&mut self, out: &mut Figures);
}
