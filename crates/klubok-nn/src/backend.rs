//! The interface between the mathematics and the devices.
//!
//! A [`Backend`] compiles a [`Plan`] once; the resulting [`Program`] runs whole training steps.
//! [`mod@crate::reference`] interprets the plan in f64. [`crate::agreement`] checks every other
//! backend against it.

use std::sync::Arc;

pub use crate::state::{Numbers, State, StateTensor, Weights};
use crate::{
    error::Result,
    plan::{Plan, Precision, Value},
    rows::Rows,
};

/// Index into the `data` of [`Backend::compile`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DataId(pub usize);

/// One training step.
#[derive(Debug, Clone, Copy)]
pub struct Step<'a> {
    /// Index of the update, from 0. Random numbers and Adam's bias correction count by it.
    pub index: u64,
    /// Row numbers of the batch.
    pub rows: &'a [u32],
    /// Position of the first row in the global batch; 0 unless several processes share a batch.
    pub first: u32,
    /// Sum of the weights of the global batch, the divisor of the loss.
    pub weight_sum: f64,
    /// Learning rate of this update.
    pub learning_rate: f64,
    /// Also measure gradient, update and value of each parameter. Measuring changes no result.
    pub observe: bool,
}

/// Measurements of the steps since the last [`Program::read`].
///
/// Reuse it: once it has grown, reading does not allocate.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    /// One entry per step.
    pub steps: Vec<StepFigures>,
    /// One entry per parameter for each observed step, step after step.
    pub params: Vec<ParamFigures>,
}

/// Measurements of one step.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct StepFigures {
    /// Loss of the batch in training mode, times `weight_sum`, without penalties.
    pub loss_sum: f64,
    /// Penalties `l1 Σ|w| + l2/2 Σw²` of the weights before the update.
    pub penalty: f64,
    /// Sum of the weights of the batch.
    pub weight_sum: f64,
    /// Number of samples whose predicted class is correct (cross-entropy only).
    pub correct: u32,
    /// Number of samples of the batch.
    pub samples: u32,
    /// True when [`Figures::params`] has entries of this step.
    pub observed: bool,
}

/// Measurements of one parameter in one step.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ParamFigures {
    /// `Σ g²` of the gradient with penalties, before clipping.
    pub gradient_sq: f64,
    /// `Σ Δw²` of the update, with decay and max-norm.
    pub update_sq: f64,
    /// `Σ w²` after the update.
    pub value_sq: f64,
}

/// Output of [`Program::infer`].
#[derive(Debug, Clone, Default)]
pub struct Outputs {
    /// One matrix per tap: `values[i]` is `[rows, width]` of tap `i`.
    pub values: Vec<Vec<f32>>,
}

/// Name of a device and its kernels, for people and for the configuration of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceInfo {
    /// `reference`, `cpu`, ...
    pub device: String,
    /// Kernel path, such as `avx512`. Results are bit-identical only on the same path.
    pub kernel: String,
    /// Number of threads.
    pub threads: usize,
}

/// A device that compiles plans.
pub trait Backend: Send + Sync {
    /// Device and kernels for this precision.
    fn info(&self, precision: Precision) -> DeviceInfo;
    /// Compiles a plan for batches of up to `max_batch` rows and allocates all memory. The program
    /// keeps `data`.
    ///
    /// # Errors
    /// When the backend cannot run the plan, or the memory does not suffice.
    fn compile(
        &self,
        plan: &Plan,
        max_batch: usize,
        data: &[Arc<dyn Rows>],
    ) -> Result<Box<dyn Program>>;
}

/// A compiled plan. Only the `store` calls and the first calls of `read` allocate memory.
pub trait Program: Send {
    /// Sets parameters, moments and running statistics.
    ///
    /// # Errors
    /// When a tensor does not have the size in the plan.
    fn load(&mut self, state: &State) -> Result<()>;
    /// Copies the whole state.
    ///
    /// # Errors
    /// When the device fails.
    fn store(&self, state: &mut State) -> Result<()>;
    /// Copies one tensor of the state. A caller can write a file without a copy of the whole state.
    ///
    /// # Errors
    /// When the device fails.
    fn store_tensor(&self, tensor: StateTensor) -> Result<Numbers>;
    /// Copies parameters and running statistics, without moments.
    ///
    /// # Errors
    /// When the device fails.
    fn store_weights(&self, weights: &mut Weights) -> Result<()>;
    /// Runs one whole step: forward pass, loss, backward pass, update.
    ///
    /// # Errors
    /// When a label is not one of the network's classes.
    fn train(&mut self, data: DataId, step: &Step<'_>) -> Result<()>;
    /// Writes the gradient of one step into `out.params`, with penalties and before clipping.
    /// Updates nothing.
    ///
    /// # Errors
    /// As [`Program::train`].
    fn gradients(&mut self, data: DataId, step: &Step<'_>, out: &mut Weights) -> Result<()>;
    /// Computes the values `taps` in evaluation mode, for any number of rows.
    ///
    /// # Errors
    /// When the backend does not keep the value of a tap.
    fn infer(
        &mut self,
        data: DataId,
        rows: &[u32],
        taps: &[Value],
        out: &mut Outputs,
    ) -> Result<()>;
    /// Reads the measurements since the last call. In training, only this call must wait for the
    /// device.
    fn read(&mut self, out: &mut Figures);
}
