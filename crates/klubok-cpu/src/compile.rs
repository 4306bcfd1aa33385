//! From a plan to a program: operations are grouped into blocks, then all memory is allocated.

use std::sync::Arc;

use klubok_kernels::{
    activation::Function,
    buffer::{Buffer, NoMemory},
    dropout,
    pool::{Pool, PoolError},
};
use klubok_nn::{
    backend::Figures,
    error::{PlanError, Result},
    plan::{Activation, InputSpec, Op, Param, ParamSpec, Plan, Precision, Running, Value},
    rows::Rows,
};

use super::{
    CpuBackend, CpuProgram,
    fused::{Dropout, Feature, FusedLayer, Norm, tile_features},
    input::{self, Input},
    loss::Targets,
    memory,
    parameter::Parameter,
    products::backward_input_scratch,
    tile::{COLUMNS, padded},
    update::Update,
    values::{GROUP, spread_scratch},
};

/// Steps whose figures fit before they are read.
const STEPS: usize = 16;

/// Most rows that go through a network at once: their values are some MiB, and adding up their
/// gradients takes little beside computing them.
const MOST: usize = 512;

/// A plan as a chain of blocks.
struct Chain<'a> {
    prepare: &'a InputSpec,
    width: usize,
    dropout: Option<Dropout>,
    layers: Vec<Link>,
    /// Where each value can be read: 0 is the input, then the blocks.
    taps: Vec<Option<usize>>,
}

/// Operations that run as one.
struct Link {
    w: Param,
    b: Option<Param>,
    norm: Option<([Param; 2], [Running; 2])>,
    f: Option<Function>,
    dropout: Option<Dropout>,
}

/// Compiles a plan for batches of up to `max_batch` rows.
///
/// # Errors
/// When the plan is not a chain of blocks, the data does not fit it, or it needs more memory or
/// threads than there are.
pub(super) fn program(
    backend: CpuBackend,
    plan: &Plan,
    max_batch: usize,
    data: &[Arc<dyn Rows>],
) -> Result<CpuProgram> {
    let max_batch = max_batch.max(1);
    let chain = Chain::new(plan)?;
    let most = chain.piece(max_batch);
    input::check(data, chain.width)?;
    let needed = needed(plan, &chain, (max_batch, most), backend.threads, data);
    memory::check_machine(needed, backend.limits)?;
    let program = allocate(backend, plan, chain, (max_batch, most), data).map_err(|e| match e {
        PoolError::Memory(_) => memory::refused(needed, backend.limits),
        PoolError::Threads { got, wanted } => PlanError::Threads { got, wanted },
    })?;
    // What is still to come is small, but for copies of parameters, which are saved one after the
    // other.
    let largest = plan.params.iter().map(ParamSpec::len).max().unwrap_or(0);
    memory::check(largest as f64, backend.limits)
        .map_err(|_| memory::refused(needed, backend.limits))?;
    Ok(program)
}

/// Takes all memory and starts all threads.
fn allocate(
    backend: CpuBackend,
    plan: &Plan,
    chain: Chain<'_>,
    (max_batch, most): (usize, usize),
    data: &[Arc<dyn Rows>],
) -> std::result::Result<CpuProgram, PoolError> {
    let last = chain.layers.len() - 1;
    let layers = chain.layers.iter().enumerate();
    let layers: std::result::Result<_, NoMemory> =
        layers.map(|(i, link)| link.block(plan, most, i == 0, i == last)).collect();
    let outputs = plan.widths[plan.output.0];
    let counts = (plan.params.len(), plan.running.len());
    Ok(CpuProgram {
        isa: backend.isa,
        layers: layers?,
        data: data.to_vec(),
        max_batch,
        most,
        update: Update::new(&plan.update),
        clip_norm: plan.update.clip_norm,
        input: Input::new(
            chain.prepare,
            chain.width,
            chain.dropout,
            plan.seed,
            most,
            plan.precision,
            data,
        )?,
        targets: Targets::new(&plan.loss, outputs, most, padded(most))?,
        pool: pool(backend, scratch(plan, chain.width, most))?,
        taps: chain.taps,
        counts,
        figures: Figures {
            steps: Vec::with_capacity(STEPS),
            params: Vec::with_capacity(STEPS * counts.0),
        },
    })
}

/// The threads, if the system's limits allow so many.
fn pool(backend: CpuBackend, scratch: usize) -> std::result::Result<Pool, PoolError> {
    let threads = backend.threads;
    match (backend.limits.available_threads)() {
        Some(others) if others < threads.saturating_sub(1) as u64 => {
            Err(PoolError::Threads { got: 1 + others as usize, wanted: threads })
        }
        _ => Pool::new(threads, scratch),
    }
}

impl<'a> Chain<'a> {
    fn new(plan: &'a Plan) -> Result<Self> {
        let Some(Op::Input { y, prepare }) = plan.ops.first() else {
            return Err(unsupported("a plan that does not begin with its input"));
        };
        let width = plan.widths[y.0];
        let taps = vec![None; plan.widths.len()];
        let mut chain = Self { prepare, width, dropout: None, layers: vec![], taps };
        chain.taps[y.0] = Some(0);
        let mut last = *y;
        for op in &plan.ops[1..] {
            chain.append(op, last, plan.seed)?;
            last = op.writes();
            chain.taps[last.0] = Some(chain.layers.len());
        }
        if chain.layers.is_empty() || chain.taps[plan.output.0] != Some(chain.layers.len()) {
            return Err(unsupported("a plan whose output is not its last layer"));
        }
        Ok(chain)
    }

    /// Rows of a piece of a batch, all about as long. Normalisation needs the whole batch at once.
    fn piece(&self, max_batch: usize) -> usize {
        if self.layers.iter().any(|link| link.norm.is_some()) {
            return max_batch;
        }
        let pieces = max_batch.div_ceil(MOST);
        max_batch.div_ceil(pieces).next_multiple_of(GROUP).min(max_batch)
    }

    fn append(&mut self, op: &Op, last: Value, seed: u64) -> Result<()> {
        let out_of_order =
            || unsupported("operations other than linear, norm, activation, dropout");
        match op {
            Op::Linear { x, w, b, .. } if *x == last => {
                self.layers.push(Link { w: *w, b: *b, norm: None, f: None, dropout: None });
            }
            Op::Norm { x, gain, shift, mean, variance, .. } if *x == last => {
                let link = self.layers.last_mut().ok_or_else(out_of_order)?;
                if link.norm.is_some() || link.f.is_some() || link.dropout.is_some() {
                    return Err(out_of_order());
                }
                link.norm = Some(([*gain, *shift], [*mean, *variance]));
                self.taps[x.0] = None;
            }
            Op::Activate { x, f, .. } if *x == last => {
                let link = self.layers.last_mut().ok_or_else(out_of_order)?;
                if link.f.is_some() || link.dropout.is_some() {
                    return Err(out_of_order());
                }
                link.f = Some(function(*f));
                self.taps[x.0] = None;
            }
            Op::Dropout { x, p, stream, .. } if *x == last => {
                let dropout =
                    self.layers.last_mut().map_or(&mut self.dropout, |link| &mut link.dropout);
                if dropout.is_some() {
                    return Err(out_of_order());
                }
                *dropout = Some(Dropout::new(seed, *stream, *p));
            }
            _ => return Err(out_of_order()),
        }
        Ok(())
    }
}

impl Link {
    fn block(
        &self,
        plan: &Plan,
        max_batch: usize,
        first: bool,
        last: bool,
    ) -> std::result::Result<FusedLayer, NoMemory> {
        let moments = plan.update.rule.moments().len();
        let parameter =
            |param: Param, tile| Parameter::new(&plan.params[param.0], param.0, tile, moments);
        let width = plan.params[self.w.0].shape[0];
        let norm = |([gain, shift], running): ([Param; 2], [Running; 2])| {
            let [mean, variance] = running.map(|running| plan.running[running.0].start);
            Ok(Norm {
                gain: parameter(gain, 1)?,
                shift: parameter(shift, 1)?,
                index: running.map(|running| running.0),
                names: running.map(|running| plan.running[running.0].name.clone()),
                features: memory::filled(width, Feature { mean, variance, deviation: 1.0 })?,
                normalised: Buffer::new(width * padded(max_batch))?,
            })
        };
        FusedLayer::new(
            parameter(self.w, tile_features(width, max_batch))?,
            self.b.map(|b| parameter(b, 1)).transpose()?,
            self.norm.map(norm).transpose()?,
            self.f.unwrap_or(Function::Identity),
            self.dropout,
            max_batch,
            plan.precision,
            first,
            last,
        )
    }
}

fn function(f: Activation) -> Function {
    match f {
        Activation::Relu => Function::Relu,
        Activation::LeakyRelu => Function::LeakyRelu,
        Activation::Gelu => Function::Gelu,
        Activation::Silu => Function::Silu,
        Activation::Selu => Function::Selu,
        Activation::Mish => Function::Mish,
        Activation::Tanh => Function::Tanh,
        Activation::Sigmoid => Function::Sigmoid,
        Activation::Identity => Function::Identity,
    }
}

/// Numbers that a thread needs for itself: rows of the input, or factors of dropout, or pairs of a
/// panel, or a tile of inputs of a weight, or a tile of a gradient, with max-norm of old weights,
/// in bf16 of pairs.
fn scratch(plan: &Plan, inputs: usize, max_batch: usize) -> usize {
    let weights = plan.params.iter().filter_map(|param| match *param.shape {
        [rows, columns] => {
            let tile = tile_features(rows, max_batch);
            let old = if plan.update.max_norm.is_some() { padded(columns) } else { 0 };
            let packed = if plan.precision == Precision::Bf16 { tile / 2 * COLUMNS } else { 0 };
            let inputs = backward_input_scratch(tile_features(columns, max_batch));
            Some((tile * (COLUMNS + old) + packed).max(inputs))
        }
        _ => None,
    });
    let samples = padded(max_batch);
    let values = (dropout::FEATURES * samples).max(spread_scratch(samples));
    weights.max().unwrap_or(0).max(values).max(input::scratch(inputs))
}

/// About how many f32 the program will take, gradients that only [`super::Program::gradients`] asks
/// for left out.
fn needed(
    plan: &Plan,
    chain: &Chain<'_>,
    (max_batch, most): (usize, usize),
    threads: usize,
    data: &[Arc<dyn Rows>],
) -> f64 {
    let kept = plan.update.clip_norm.is_some() || most < max_batch;
    let copies = 1 + plan.update.rule.moments().len() + usize::from(kept);
    let params: f64 = plan.params.iter().map(|param| param.len() as f64).sum();
    // Rows, panels, gradient, and where there is a normalisation or a smooth activation, up to two
    // more.
    let widths: f64 = chain.layers.iter().map(|link| plan.params[link.w.0].shape[0] as f64).sum();
    let values = padded(most) as f64 * (5.0 * widths + 4.0 * chain.width as f64);
    let scratch = scratch(plan, chain.width, most + GROUP) as f64 * threads as f64;
    // Rows as they are stored, and moved.
    let stored = 2.0 * most as f64 * input::bytes(data) as f64 / size_of::<f32>() as f64;
    copies as f64 * params + values + scratch + stored
}

fn unsupported(what: &str) -> PlanError {
    PlanError::Unsupported { backend: "cpu", what: what.into() }
}
