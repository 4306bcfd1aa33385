//! Compiles a plan: groups its operations into fused layers, then allocates all memory.

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
    plan::{InputSpec, Op, Param, ParamSpec, Plan, Precision, Running, Value},
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
    values::{GROUP, layout_scratch},
};

/// Steps whose measurements fit without allocation until the next read.
const STEP_CAPACITY: usize = 16;

/// Limit of rows per micro-batch: its values take some MiB, and adding up the gradients takes
/// little time compared to computing them.
const MAX_MICRO_BATCH: usize = 512;

/// A plan as a chain of fused layers.
struct Chain<'a> {
    prepare: &'a InputSpec,
    width: usize,
    dropout: Option<Dropout>,
    layers: Vec<LayerOps>,
    /// Location of each value of the plan: 0 is the input, `i` the output of layer `i`; `None` if
    /// the backend does not keep the value.
    taps: Vec<Option<usize>>,
}

/// The operations of a fused layer.
struct LayerOps {
    w: Param,
    b: Option<Param>,
    norm: Option<([Param; 2], [Running; 2])>,
    f: Option<Function>,
    dropout: Option<Dropout>,
}

/// Compiles a plan for batches of up to `max_batch` rows.
///
/// # Errors
/// When the plan is not a chain of fused layers, the data does not fit it, or memory or threads do
/// not suffice.
pub(super) fn program(
    backend: CpuBackend,
    plan: &Plan,
    max_batch: usize,
    data: &[Arc<dyn Rows>],
) -> Result<CpuProgram> {
    plan.check_dimensions()?;
    let max_batch = max_batch.max(1);
    let chain = Chain::new(plan)?;
    let micro_batch = chain.micro_batch(max_batch);
    input::check(data, chain.width)?;
    let needed = needed(plan, &chain, (max_batch, micro_batch), backend.threads, data);
    memory::check_machine(needed, backend.limits)?;
    let program =
        allocate(backend, plan, chain, (max_batch, micro_batch), data).map_err(|e| match e {
            PoolError::Memory(_) => memory::out_of_memory(needed, backend.limits),
            PoolError::Threads { got, wanted } => PlanError::Threads { got, wanted },
        })?;
    // Later allocations are small except for the copies of parameters in a save, one at a time.
    let largest = plan.params.iter().map(ParamSpec::len).max().unwrap_or(0);
    memory::check(largest as f64, backend.limits)
        .map_err(|_| memory::out_of_memory(needed, backend.limits))?;
    Ok(program)
}

/// Allocates all memory and starts all threads.
fn allocate(
    backend: CpuBackend,
    plan: &Plan,
    chain: Chain<'_>,
    (max_batch, micro_batch): (usize, usize),
    data: &[Arc<dyn Rows>],
) -> std::result::Result<CpuProgram, PoolError> {
    let last = chain.layers.len() - 1;
    let layers = chain.layers.iter().enumerate();
    let layers: std::result::Result<_, NoMemory> =
        layers.map(|(i, layer)| layer.compile(plan, micro_batch, i == 0, i == last)).collect();
    let outputs = plan.widths[plan.output.0];
    let counts = (plan.params.len(), plan.running.len());
    Ok(CpuProgram {
        isa: backend.isa,
        layers: layers?,
        data: data.to_vec(),
        max_batch,
        micro_batch,
        update: Update::new(&plan.update),
        clip_norm: plan.update.clip_norm,
        input: Input::new(
            chain.prepare,
            chain.width,
            chain.dropout,
            plan.seed,
            micro_batch,
            plan.precision,
            data,
        )?,
        targets: Targets::new(&plan.loss, outputs, micro_batch, padded(micro_batch))?,
        pool: pool(backend, scratch(plan, chain.width, micro_batch))?,
        taps: chain.taps,
        counts,
        figures: Figures {
            steps: Vec::with_capacity(STEP_CAPACITY),
            params: Vec::with_capacity(STEP_CAPACITY * counts.0),
        },
    })
}

/// Starts the threads, if the limits allow it.
fn pool(backend: CpuBackend, scratch: usize) -> std::result::Result<Pool, PoolError> {
    let threads = backend.threads;
    match (backend.limits.available_threads)() {
        Some(available) if available < threads.saturating_sub(1) as u64 => {
            Err(PoolError::Threads { got: 1 + available as usize, wanted: threads })
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

    /// Rows per micro-batch, about equal for all. Batch normalisation needs the whole batch at
    /// once.
    fn micro_batch(&self, max_batch: usize) -> usize {
        if self.layers.iter().any(|layer| layer.norm.is_some()) {
            return max_batch;
        }
        let count = max_batch.div_ceil(MAX_MICRO_BATCH);
        max_batch.div_ceil(count).next_multiple_of(GROUP).min(max_batch)
    }

    /// Appends an operation that reads the value `last`.
    fn append(&mut self, op: &Op, last: Value, seed: u64) -> Result<()> {
        let out_of_order =
            || unsupported("operations other than linear, norm, activation, dropout");
        match op {
            Op::Linear { x, w, b, .. } if *x == last => {
                self.layers.push(LayerOps { w: *w, b: *b, norm: None, f: None, dropout: None });
            }
            Op::Norm { x, gain, shift, mean, variance, .. } if *x == last => {
                let layer = self.layers.last_mut().ok_or_else(out_of_order)?;
                if layer.norm.is_some() || layer.f.is_some() || layer.dropout.is_some() {
                    return Err(out_of_order());
                }
                layer.norm = Some(([*gain, *shift], [*mean, *variance]));
                self.taps[x.0] = None;
            }
            Op::Activate { x, f, .. } if *x == last => {
                let layer = self.layers.last_mut().ok_or_else(out_of_order)?;
                if layer.f.is_some() || layer.dropout.is_some() {
                    return Err(out_of_order());
                }
                layer.f = Some((*f).into());
                self.taps[x.0] = None;
            }
            Op::Dropout { x, p, stream, .. } if *x == last => {
                let dropout =
                    self.layers.last_mut().map_or(&mut self.dropout, |layer| &mut layer.dropout);
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

impl LayerOps {
    /// Allocates the fused layer.
    fn compile(
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

/// Numbers of scratch memory per thread, the maximum over its uses: rows of the input; a dropout
/// mask; pairs of a panel; a tile of a weight's inputs; or a tile of a gradient, with old weights
/// for max-norm and pairs for bf16.
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
    let values = (dropout::FEATURES * samples).max(layout_scratch(samples));
    weights.max().unwrap_or(0).max(values).max(input::scratch(inputs))
}

/// Estimates the memory of the program in f32, without the gradients that only
/// [`super::Program::gradients`] needs.
fn needed(
    plan: &Plan,
    chain: &Chain<'_>,
    (max_batch, micro_batch): (usize, usize),
    threads: usize,
    data: &[Arc<dyn Rows>],
) -> f64 {
    let kept = plan.update.clip_norm.is_some() || micro_batch < max_batch;
    let copies = 1 + plan.update.rule.moments().len() + usize::from(kept);
    let params: f64 = plan.params.iter().map(|param| param.len() as f64).sum();
    // Rows, panels and gradient, and up to two more for a normalisation and a smooth activation.
    let widths: f64 = chain.layers.iter().map(|layer| plan.params[layer.w.0].shape[0] as f64).sum();
    let values = padded(micro_batch) as f64 * (5.0 * widths + 4.0 * chain.width as f64);
    let scratch = scratch(plan, chain.width, micro_batch + GROUP) as f64 * threads as f64;
    // Stored rows and augmented rows.
    let stored = 2.0 * micro_batch as f64 * input::bytes(data) as f64 / size_of::<f32>() as f64;
    copies as f64 * params + values + scratch + stored
}

fn unsupported(what: &str) -> PlanError {
    PlanError::Unsupported { backend: "cpu", what: what.into() }
}
