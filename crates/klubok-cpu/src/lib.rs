//! The CPU backend: compiles a plan into fused layers and runs whole training steps on a fixed set
//! of threads.
//!
//! A fused layer is `Linear [Norm] [Activate] [Dropout]`. Values have the layout
//! `[features][samples]`, so a tile (some features of all samples) is independent of the others: it
//! computes product, statistics, activation and dropout, and later their backward pass, while its
//! data is in cache.
//!
//! In the fused form the gradient of a weight never reaches memory: each tile is updated as soon as
//! its gradient is known. Gradients are kept if something needs all of them first (clipping by the
//! global norm, [`Program::gradients`]) and while a large batch goes through the network in
//! micro-batches, whose gradients are added.
//!
//! In bf16 a tile also writes its result as rounded pairs, the operands of later products; a tile
//! of a weight does so after its update. All else is in f32.
//!
//! Tiles depend only on shapes and sum in a fixed order, so results are bit-identical for any
//! number of threads.

mod backward;
mod compile;
mod forward;
mod fused;
mod input;
mod loss;
mod memory;
mod parameter;
mod products;
mod tile;
mod update;
mod values;

use std::sync::Arc;

pub use klubok_kernels::isa::Isa;
use klubok_kernels::{pool::Pool, update::UpdateStep};
use klubok_nn::{
    backend::{
        Backend, DataId, DeviceInfo, Figures, Numbers, Outputs, Program, State, Step, StepFigures,
        Weights,
    },
    error::{PlanError, Result},
    optim::clip,
    plan::{Plan, Precision, Value},
    rows::{Field, Rows},
    state,
};
pub use memory::Limits;

use self::{fused::FusedLayer, input::Input, loss::Targets, parameter::Parameter, update::Update};

/// Runs plans on the CPU.
#[derive(Debug, Clone, Copy)]
pub struct CpuBackend {
    threads: usize,
    isa: Isa,
    limits: Limits,
}

impl CpuBackend {
    /// A backend with `threads` threads (at least 1, possibly more than cores) and the fastest
    /// instruction set of the machine.
    pub fn new(threads: usize) -> Self {
        Self::with(threads, Isa::best())
    }

    /// A backend with an instruction set of [`Isa::available`].
    pub fn with(threads: usize, isa: Isa) -> Self {
        Self { threads: threads.max(1), isa, limits: Limits::UNKNOWN }
    }

    /// Sets the limits of memory and threads.
    pub fn within(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// A backend with the kernel path `kernel`, a name from [`Backend::info`]; `None` if the
    /// machine does not have it.
    pub fn named(threads: usize, precision: Precision, kernel: &str) -> Option<Self> {
        let isa = Isa::available_bf16().into_iter().find(|&isa| name(isa, precision) == kernel)?;
        Some(Self::with(threads, isa))
    }
}

/// Name of the kernel path.
fn name(isa: Isa, precision: Precision) -> &'static str {
    match precision {
        Precision::F32 => isa.name(),
        Precision::Bf16 => isa.name_bf16(),
    }
}

impl Backend for CpuBackend {
    fn info(&self, precision: Precision) -> DeviceInfo {
        let kernel = name(self.isa, precision).into();
        DeviceInfo { device: "cpu".into(), kernel, threads: self.threads }
    }

    fn compile(
        &self,
        plan: &Plan,
        max_batch: usize,
        data: &[Arc<dyn Rows>],
    ) -> Result<Box<dyn Program>> {
        Ok(Box::new(compile::program(*self, plan, max_batch, data)?))
    }
}

/// A compiled plan with all its memory.
struct CpuProgram {
    isa: Isa,
    pool: Pool,
    data: Vec<Arc<dyn Rows>>,
    /// Limit of rows per batch.
    max_batch: usize,
    /// Limit of rows per micro-batch.
    micro_batch: usize,
    update: Update,
    clip_norm: Option<f64>,
    input: Input,
    layers: Vec<FusedLayer>,
    targets: Targets,
    /// Location of each value of the plan: 0 is the input, `i` the output of layer `i`; `None` if
    /// the backend does not keep the value.
    taps: Vec<Option<usize>>,
    /// Numbers of parameters and of running statistics.
    counts: (usize, usize),
    figures: Figures,
}

/// Mode of a forward pass.
#[derive(Debug, Clone, Copy)]
enum Mode {
    /// Training: statistics of the batch, augmentation and dropout.
    Train {
        /// Index of the step.
        step: u64,
        /// Position of the first row in the global batch.
        first: u32,
        /// Update the running statistics.
        track: bool,
    },
    /// Evaluation: running statistics, no augmentation or dropout.
    Evaluate,
}

/// The part of a batch that goes through the network at once.
///
/// The values of a micro-batch stay in cache between passes over them; those of a large batch would
/// not. The size of micro-batches depends only on shapes.
#[derive(Debug, Clone, Copy)]
struct MicroBatch {
    rows: usize,
    /// True for the first one: its gradients replace the old ones; those of later ones are added.
    first: bool,
    /// True for the last one: after it, the gradients of the batch are complete.
    last: bool,
}

/// Use of the gradients in a step.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Form {
    /// Each tile of a parameter is updated as soon as its gradient is known.
    Fused(UpdateStep),
    /// All gradients are kept in memory.
    Kept,
}

impl Program for CpuProgram {
    fn load(&mut self, state: &State) -> Result<()> {
        let [params, running] = [(&state.params, self.counts.0), (&state.running, self.counts.1)];
        for (what, (tensors, expected)) in [("parameters", params), ("running statistics", running)]
        {
            if tensors.len() != expected {
                let what = what.to_owned();
                return Err(PlanError::ShapeMismatch { what, expected, got: tensors.len() });
            }
        }
        for layer in &mut self.layers {
            for parameter in layer.parameters_mut() {
                parameter.load(&state.params[parameter.index], &state.moments)?;
                parameter.pack(self.isa, &mut self.pool);
            }
            layer.load_running(&state.running)?;
        }
        Ok(())
    }

    fn store(&self, state: &mut State) -> Result<()> {
        self.collect(&mut state.params, parameter::Parameter::values);
        let moments = self.update.rule.moments().len();
        state.moments.resize_with(moments, Vec::new);
        for (m, tensors) in state.moments.iter_mut().enumerate() {
            self.collect(tensors, |parameter| parameter.moment(m));
        }
        self.collect_running(&mut state.running);
        Ok(())
    }

    fn store_tensor(&self, tensor: state::StateTensor) -> Result<Numbers> {
        let mut parameters = self.layers.iter().flat_map(FusedLayer::parameters);
        let mut parameter = |p| parameters.find(|parameter| parameter.index == p);
        let values = match tensor {
            state::StateTensor::Param(p) => parameter(p).map(Parameter::values),
            state::StateTensor::Moment(m, p) => parameter(p).map(|parameter| parameter.moment(m)),
            state::StateTensor::Running(r) => {
                let mut all = Vec::new();
                self.collect_running(&mut all);
                return Ok(all.swap_remove(r));
            }
        };
        Ok(Numbers::F32(values.unwrap_or_default()))
    }

    fn store_weights(&self, weights: &mut Weights) -> Result<()> {
        self.collect(&mut weights.params, parameter::Parameter::values);
        self.collect_running(&mut weights.running);
        Ok(())
    }

    fn train(&mut self, data: DataId, step: &Step<'_>) -> Result<()> {
        // Clipping needs the norm of every gradient.
        self.update.measure = step.observe || self.clip_norm.is_some();
        let form = match self.clip_norm {
            None => Form::Fused(self.update.step(step.learning_rate, step.index, 1.0)),
            Some(_) => Form::Kept,
        };
        let mut figures = self.differentiate(data, step, true, form)?;
        if let Some(max_norm) = self.clip_norm {
            let parameters = || self.layers.iter().flat_map(FusedLayer::parameters);
            let squares: f64 = parameters().map(|p| p.figures().0.gradient_sq).sum();
            let factor = clip::factor(squares.sqrt(), max_norm);
            let update_step = self.update.step(step.learning_rate, step.index, factor);
            for layer in &mut self.layers {
                for parameter in layer.parameters_mut() {
                    parameter.apply(self.isa, &mut self.pool, update_step, &self.update);
                }
            }
        }
        figures.observed = step.observe;
        let from = self.figures.params.len();
        let observed = if step.observe { self.counts.0 } else { 0 };
        self.figures.params.resize_with(from + observed, Default::default);
        for parameter in self.layers.iter().flat_map(FusedLayer::parameters) {
            let (sums, penalty) = parameter.figures();
            figures.penalty += penalty;
            if step.observe {
                self.figures.params[from + parameter.index] = sums;
            }
        }
        self.figures.steps.push(figures);
        Ok(())
    }

    fn gradients(&mut self, data: DataId, step: &Step<'_>, out: &mut Weights) -> Result<()> {
        self.differentiate(data, step, false, Form::Kept)?;
        self.collect(&mut out.params, parameter::Parameter::gradient);
        out.running.clear();
        Ok(())
    }

    fn infer(
        &mut self,
        data: DataId,
        rows: &[u32],
        taps: &[Value],
        out: &mut Outputs,
    ) -> Result<()> {
        out.values.resize_with(taps.len(), Vec::new);
        out.values.iter_mut().for_each(Vec::clear);
        for tap in taps {
            if self.taps.get(tap.0).copied().flatten().is_none() {
                let what = format!("a program that keeps value {}", tap.0);
                return Err(PlanError::Unsupported { backend: "cpu", what });
            }
        }
        for rows in rows.chunks(self.micro_batch) {
            self.forward(data, rows, Mode::Evaluate)?;
            for (tap, out) in taps.iter().zip(&mut out.values) {
                let values = match self.taps[tap.0] {
                    None | Some(0) => &self.input.y,
                    Some(layer) => &self.layers[layer - 1].y,
                };
                values.append_samples(self.isa, rows.len(), out);
            }
        }
        Ok(())
    }

    fn read(&mut self, out: &mut Figures) {
        out.steps.clone_from(&self.figures.steps);
        out.params.clone_from(&self.figures.params);
        self.figures.steps.clear();
        self.figures.params.clear();
    }
}

impl CpuProgram {
    /// Computes loss and gradients of one step. In the fused form it also updates the parameters.
    fn differentiate(
        &mut self,
        data: DataId,
        step: &Step<'_>,
        track: bool,
        form: Form,
    ) -> Result<StepFigures> {
        let (got, expected) = (step.rows.len(), self.max_batch);
        if got == 0 || got > expected {
            let what = "rows of the batch".into();
            return Err(PlanError::ShapeMismatch { what, expected, got });
        }
        let (mut figures, mut from) = (StepFigures::default(), 0);
        for rows in step.rows.chunks(self.micro_batch) {
            let part = Step { rows, first: step.first + from as u32, ..*step };
            self.targets.gather(&*self.data[data.0], &part)?;
            let mode = Mode::Train { step: step.index, first: part.first, track };
            self.forward(data, rows, mode)?;
            self.loss(&part, &mut figures);
            let first = from == 0;
            from += rows.len();
            let last = from == got;
            self.backward(MicroBatch { rows: rows.len(), first, last }, form);
        }
        Ok(figures)
    }

    /// Computes all values for the rows of a micro-batch.
    fn forward(&mut self, data: DataId, rows: &[u32], mode: Mode) -> Result<()> {
        self.input.forward(self.isa, &mut self.pool, &*self.data[data.0], rows, mode)?;
        for i in 0..self.layers.len() {
            let (before, rest) = self.layers.split_at_mut(i);
            let x = before.last().map_or(&self.input.y, |layer| &layer.y);
            rest[0].forward(self.isa, &mut self.pool, x, rows.len(), mode);
        }
        Ok(())
    }

    /// Computes the loss and the gradient of the output.
    fn loss(&mut self, step: &Step<'_>, figures: &mut StepFigures) {
        let Some(last) = self.layers.last_mut() else { unreachable!("a plan has a layer") };
        let (y, delta) = (&last.y, &mut last.delta.rows);
        self.targets.loss(self.isa, &mut self.pool, y, delta, step, figures);
    }

    /// Runs the backward pass from the output to the first layer. Each layer computes the gradient
    /// of its input before it updates its weight.
    fn backward(&mut self, micro_batch: MicroBatch, form: Form) {
        let (isa, pool) = (self.isa, &mut self.pool);
        if let Some(last) = self.layers.last_mut() {
            last.backward_output(isa, pool, micro_batch);
        }
        for i in (0..self.layers.len()).rev() {
            let (before, rest) = self.layers.split_at_mut(i);
            let layer = &mut rest[0];
            if let Some(before) = before.last_mut() {
                layer.backward_input(isa, pool, before, micro_batch);
            }
            let x = before.last().map_or(&self.input.y, |layer| &layer.y);
            layer.backward_parameters(isa, pool, x, micro_batch, &self.update, form);
        }
    }

    /// Collects one tensor per parameter, in the order of the plan.
    fn collect(&self, out: &mut Vec<Numbers>, values: impl Fn(&Parameter) -> Vec<f32>) {
        out.clear();
        out.resize_with(self.counts.0, || Numbers::F32(vec![]));
        for parameter in self.layers.iter().flat_map(FusedLayer::parameters) {
            out[parameter.index] = Numbers::F32(values(parameter));
        }
    }

    /// Collects the running statistics, in the order of the plan.
    fn collect_running(&self, out: &mut Vec<Numbers>) {
        out.clear();
        out.resize_with(self.counts.1, || Numbers::F32(vec![]));
        self.layers.iter().for_each(|layer| layer.store_running(out));
    }
}

/// Checks that a field has the kind and width that the network expects.
fn check_field(
    data: &dyn Rows,
    field: Field,
    what: &str,
    expected: usize,
    fits: impl Fn(klubok_nn::rows::Kind) -> bool,
) -> Result<()> {
    let spec = data.fields().get(field.0);
    let got = spec.filter(|spec| fits(spec.kind)).map_or(0, |spec| spec.width);
    if got == expected {
        return Ok(());
    }
    Err(PlanError::ShapeMismatch { what: what.into(), expected, got })
}

#[cfg(test)]
mod tests;
