//! The CPU: compiles a plan into blocks and runs whole steps on a fixed set of threads.
//!
//! A block is `Linear [Norm] [Activate] [Dropout]`. Values are kept feature by feature, samples
//! side by side, so that a tile of a block (some of its features) has everything it needs: product,
//! statistics, activation, dropout and the way back through them happen while it is in cache. The
//! gradient of a weight is never written to memory: its tile is updated as soon as it is known,
//! unless something needs the whole gradient first (clipping by norm, [`Program::gradients`]) or
//! the batch is so large that it goes through the network in pieces, whose gradients are added.
//!
//! In bf16 a block writes, beside what it computed, what products read of it rounded and in pairs;
//! a weight's tile does so as soon as it is updated. Everything between products is in f32.
//!
//! Tiles depend on shapes alone and sum in a fixed order: the number of threads changes no bit.

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

/// Runs plans in f32 on the processor.
#[derive(Debug, Clone, Copy)]
pub struct CpuBackend {
    threads: usize,
    isa: Isa,
    limits: Limits,
}

impl CpuBackend {
    /// With so many threads (at least 1; they may exceed the cores) and the best instructions that
    /// the machine has.
    pub fn new(threads: usize) -> Self {
        Self::with(threads, Isa::best())
    }

    /// With instructions of choice, one of [`Isa::available`].
    pub fn with(threads: usize, isa: Isa) -> Self {
        Self { threads: threads.max(1), isa, limits: Limits::UNKNOWN }
    }

    /// The same, within what the system lets this process have.
    pub fn within(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// With the kernel of this name, as [`Backend::info`] gives it, if the machine has it.
    pub fn named(threads: usize, precision: Precision, kernel: &str) -> Option<Self> {
        let isa = Isa::available_bf16().into_iter().find(|&isa| name(isa, precision) == kernel)?;
        Some(Self::with(threads, isa))
    }
}

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
    /// Most rows of a batch.
    max_batch: usize,
    /// Most rows of a piece of it.
    most: usize,
    update: Update,
    clip_norm: Option<f64>,
    input: Input,
    layers: Vec<FusedLayer>,
    targets: Targets,
    /// Where each value of the plan can be read: 0 is the input, then the blocks.
    taps: Vec<Option<usize>>,
    /// Number of parameters and of running statistics.
    counts: (usize, usize),
    figures: Figures,
}

/// What a forward pass is for.
#[derive(Debug, Clone, Copy)]
enum Mode {
    /// Batch statistics, which the running ones follow if `track`, and dropout.
    Train {
        /// Number of the step.
        step: u64,
        /// Place of the first row in the global batch.
        first: u32,
        /// Move the running statistics.
        track: bool,
    },
    /// Running statistics, no dropout.
    Evaluate,
}

/// A part of a batch that goes through the network at once. What one pass over a large batch leaves
/// behind is in no cache when the next pass reads it; that of a piece is. Where the piece ends
/// depends on shapes alone.
#[derive(Debug, Clone, Copy)]
struct Piece {
    rows: usize,
    /// Its gradients are not added to those of others before it.
    first: bool,
    /// After it, the gradients are those of the batch.
    last: bool,
}

/// What happens to a gradient.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Form {
    /// The parameter is updated as soon as its gradient is known.
    Fused(UpdateStep),
    /// All gradients are kept.
    Kept,
}

impl Program for CpuProgram {
    fn load(&mut self, state: &State) -> Result<()> {
        let [params, running] = [(&state.params, self.counts.0), (&state.running, self.counts.1)];
        for (what, (layers, expected)) in [("parameters", params), ("running statistics", running)]
        {
            if layers.len() != expected {
                let what = what.to_owned();
                return Err(PlanError::ShapeMismatch { what, expected, got: layers.len() });
            }
        }
        for block in &mut self.layers {
            for parameter in block.parameters_mut() {
                parameter.load(&state.params[parameter.index], &state.moments)?;
                parameter.pack(self.isa, &mut self.pool);
            }
            block.load_running(&state.running)?;
        }
        Ok(())
    }

    fn store(&self, state: &mut State) -> Result<()> {
        self.collect(&mut state.params, parameter::Parameter::values);
        let moments = self.update.rule.moments().len();
        state.moments.resize_with(moments, Vec::new);
        for (m, layers) in state.moments.iter_mut().enumerate() {
            self.collect(layers, |parameter| parameter.moment(m));
        }
        self.collect_running(&mut state.running);
        Ok(())
    }

    fn store_tensor(&self, tensor: state::StateTensor) -> Result<Numbers> {
        let of = |p| self.layers.iter().flat_map(FusedLayer::parameters).find(|of| of.index == p);
        let values = match tensor {
            state::StateTensor::Param(p) => of(p).map(Parameter::values),
            state::StateTensor::Moment(m, p) => of(p).map(|parameter| parameter.moment(m)),
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
            None => Form::Fused(self.update.change(step.learning_rate, step.index, 1.0)),
            Some(_) => Form::Kept,
        };
        let mut figures = self.differentiate(data, step, true, form)?;
        if let Some(largest) = self.clip_norm {
            let parameters = || self.layers.iter().flat_map(FusedLayer::parameters);
            let squares: f64 = parameters().map(|p| p.figures().0.gradient_sq).sum();
            let factor = clip::factor(squares.sqrt(), largest);
            let change = self.update.change(step.learning_rate, step.index, factor);
            for block in &mut self.layers {
                for parameter in block.parameters_mut() {
                    parameter.apply(self.isa, &mut self.pool, change, &self.update);
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
        for rows in rows.chunks(self.most) {
            self.forward(data, rows, Mode::Evaluate)?;
            for (tap, out) in taps.iter().zip(&mut out.values) {
                let values = match self.taps[tap.0] {
                    None | Some(0) => &self.input.y,
                    Some(block) => &self.layers[block - 1].y,
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
    /// Loss and gradients of one step; in the fused form the parameters are updated, too.
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
        for rows in step.rows.chunks(self.most) {
            let part = Step { rows, first: step.first + from as u32, ..*step };
            self.targets.gather(&*self.data[data.0], &part)?;
            let mode = Mode::Train { step: step.index, first: part.first, track };
            self.forward(data, rows, mode)?;
            self.loss(&part, &mut figures);
            let first = from == 0;
            from += rows.len();
            self.backward(Piece { rows: rows.len(), first, last: from == got }, form);
        }
        Ok(figures)
    }

    /// All values for the rows of a piece.
    fn forward(&mut self, data: DataId, rows: &[u32], mode: Mode) -> Result<()> {
        self.input.forward(self.isa, &mut self.pool, &*self.data[data.0], rows, mode)?;
        for i in 0..self.layers.len() {
            let (before, rest) = self.layers.split_at_mut(i);
            let x = before.last().map_or(&self.input.y, |block| &block.y);
            rest[0].forward(self.isa, &mut self.pool, x, rows.len(), mode);
        }
        Ok(())
    }

    fn loss(&mut self, step: &Step<'_>, figures: &mut StepFigures) {
        let Some(last) = self.layers.last_mut() else { unreachable!("a plan has a block") };
        let (y, delta) = (&last.y, &mut last.delta.rows);
        self.targets.loss(self.isa, &mut self.pool, y, delta, step, figures);
    }

    /// From the gradient at the output back to the first block; weights change only after what is
    /// before them is done.
    fn backward(&mut self, piece: Piece, form: Form) {
        let (isa, pool) = (self.isa, &mut self.pool);
        if let Some(last) = self.layers.last_mut() {
            last.backward_output(isa, pool, piece);
        }
        for i in (0..self.layers.len()).rev() {
            let (before, rest) = self.layers.split_at_mut(i);
            let block = &mut rest[0];
            if let Some(before) = before.last_mut() {
                block.backward_input(isa, pool, before, piece);
            }
            let x = before.last().map_or(&self.input.y, |block| &block.y);
            block.backward_parameters(isa, pool, x, piece, &self.update, form);
        }
    }

    /// One block of numbers a parameter, in the order of the plan.
    fn collect(&self, out: &mut Vec<Numbers>, of: impl Fn(&Parameter) -> Vec<f32>) {
        out.clear();
        out.resize_with(self.counts.0, || Numbers::F32(vec![]));
        for parameter in self.layers.iter().flat_map(FusedLayer::parameters) {
            out[parameter.index] = Numbers::F32(of(parameter));
        }
    }

    fn collect_running(&self, out: &mut Vec<Numbers>) {
        out.clear();
        out.resize_with(self.counts.1, || Numbers::F32(vec![]));
        self.layers.iter().for_each(|block| block.store_running(out));
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
