//! A parameter with its gradient and moments, cut into tiles of whole rows.
//!
//! Weights are `[out, in]`, everything else is one row. Rows are padded to whole vectors with zeros, which stay zeros under
//! every rule: their gradient is 0.

use klubok_kernels::{
    activation::scale,
    buffer::Buffer,
    isa::Isa,
    parts::Chunks,
    pool::Pool,
    reduce::{squared_distance, squares},
    update::{self, Change, Rule as Kernel, penalise},
};

use super::super::{Numbers, ParamFigures};
use crate::{
    error::{PlanError, Result},
    optim::{Rule, UpdateSpec},
    plan::{ParamKind, ParamSpec},
};

/// Columns of a weight whose gradient is computed at once: with 64 rows of it they fill a part of the second-level cache.
pub(super) const COLUMNS: usize = 256;

/// Length of a padded row: whole vectors, and no multiple of 1 KiB, whose rows would fall on the same lines of a cache.
pub(super) fn padded(len: usize) -> usize {
    let whole = len.next_multiple_of(16);
    if whole.is_multiple_of(256) { whole + 16 } else { whole }
}

/// A trained parameter.
pub(super) struct Parameter {
    /// Number in the plan.
    pub(super) index: usize,
    pub(super) rows: usize,
    pub(super) columns: usize,
    /// From one row to the next.
    pub(super) stride: usize,
    /// Rows of a tile.
    pub(super) tile: usize,
    pub(super) kind: ParamKind,
    name: String,
    pub(super) value: Buffer,
    /// Written only where gradients are kept; until then its pages cost no memory.
    pub(super) gradient: Buffer,
    /// As many as the rule has, then empty ones.
    pub(super) moments: [Buffer; 2],
    /// One a tile.
    pub(super) sums: Vec<Sums>,
}

/// What the update of a tile measured.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sums {
    pub(super) figures: ParamFigures,
    pub(super) penalty: f64,
}

/// A tile that is being updated: whole rows, `stride` apart.
pub(super) struct Tile<'a> {
    pub(super) value: &'a mut [f32],
    pub(super) moments: [&'a mut [f32]; 2],
    pub(super) sums: &'a mut Sums,
    pub(super) stride: usize,
}

impl Parameter {
    pub(super) fn new(spec: &ParamSpec, index: usize, tile: usize, moments: usize) -> Self {
        let (rows, columns) = match *spec.shape {
            [rows, columns] => (rows, columns),
            _ => (1, spec.len()),
        };
        let stride = padded(columns);
        let block = || Buffer::new(rows * stride);
        Self {
            index,
            rows,
            columns,
            stride,
            tile,
            kind: spec.kind,
            name: spec.name.clone(),
            value: block(),
            gradient: block(),
            moments: std::array::from_fn(|m| if m < moments { block() } else { Buffer::default() }),
            sums: vec![Sums::default(); rows.div_ceil(tile)],
        }
    }

    /// Sets values and moments; moments that are not given are zero.
    pub(super) fn load(&mut self, values: &Numbers, moments: &[Vec<Numbers>]) -> Result<()> {
        let (rows, columns, stride) = (self.rows, self.columns, self.stride);
        let set = |to: &mut Buffer, from: &Numbers| {
            let (got, expected) = (from.len(), rows * columns);
            if got != expected {
                let what = self.name.clone();
                return Err(PlanError::ShapeMismatch { what, expected, got });
            }
            let from = from.to_f32();
            for (to, from) in to.chunks_exact_mut(stride).zip(from.chunks_exact(columns)) {
                to[..columns].copy_from_slice(from);
            }
            Ok(())
        };
        set(&mut self.value, values)?;
        for (m, moment) in self.moments.iter_mut().enumerate().filter(|(_, m)| !m.is_empty()) {
            match moments.get(m).and_then(|blocks| blocks.get(self.index)) {
                Some(from) => set(moment, from)?,
                None => moment.fill(0.0),
            }
        }
        Ok(())
    }

    pub(super) fn values(&self) -> Vec<f32> {
        self.canonical(&self.value)
    }

    pub(super) fn moment(&self, m: usize) -> Vec<f32> {
        self.canonical(&self.moments[m])
    }

    pub(super) fn gradient(&self) -> Vec<f32> {
        self.canonical(&self.gradient)
    }

    fn canonical(&self, block: &Buffer) -> Vec<f32> {
        block.chunks_exact(self.stride).flat_map(|row| &row[..self.columns]).copied().collect()
    }

    /// Sums over all tiles, in their order, and the penalty.
    pub(super) fn figures(&self) -> (ParamFigures, f64) {
        let mut all = Sums::default();
        for Sums { figures, penalty } in &self.sums {
            all.figures.gradient_sq += figures.gradient_sq;
            all.figures.update_sq += figures.update_sq;
            all.figures.value_sq += figures.value_sq;
            all.penalty += penalty;
        }
        (all.figures, all.penalty)
    }

    /// Updates the whole parameter by the gradient that was kept.
    pub(super) fn apply(
        &mut self,
        isa: Isa,
        pool: &mut Pool,
        change: Change,
        max_norm: Option<f32>,
    ) {
        let max_norm = max_norm.filter(|_| self.kind == ParamKind::Weight);
        let (stride, tile) = (self.stride, self.tile * self.stride);
        let [first, second] = &mut self.moments;
        let parts = (
            Chunks::new(&mut self.value, tile),
            Chunks::new(first, tile),
            Chunks::new(second, tile),
            Chunks::new(&mut self.sums, 1),
        );
        let gradient = &*self.gradient;
        pool.run(
            self.rows.div_ceil(self.tile),
            parts,
            |i, (value, first, second, sums), scratch| {
                let gradient = &gradient[i * tile..][..value.len()];
                let mut part = Tile { value, moments: [first, second], sums: &mut sums[0], stride };
                let old = part.begin(max_norm, scratch);
                for row in 0..gradient.len() / stride {
                    for from in (0..stride).step_by(COLUMNS) {
                        let to = stride.min(from + COLUMNS);
                        let g = &gradient[row * stride..][from..to];
                        part.update(isa, change, row, from, g);
                    }
                }
                part.limit(isa, max_norm, old);
            },
        );
    }
}

impl Tile<'_> {
    /// Keeps a copy of the tile if [`Tile::limit`] will need one.
    pub(super) fn begin<'s>(&mut self, max_norm: Option<f32>, scratch: &'s mut [f32]) -> &'s [f32] {
        (self.sums.figures.update_sq, self.sums.figures.value_sq) = (0.0, 0.0);
        if max_norm.is_none() {
            return &[];
        }
        let old = &mut scratch[..self.value.len()];
        old.copy_from_slice(self.value);
        old
    }

    /// Values and moments from column `from` of the first row on.
    pub(super) fn from(&self, from: usize) -> [&[f32]; 3] {
        let [first, second] = &self.moments;
        [&*self.value, first, second].map(|of| of.get(from..).unwrap_or_default())
    }

    /// Moves the values of `row` from column `from` on along `g`.
    pub(super) fn update(&mut self, isa: Isa, change: Change, row: usize, from: usize, g: &[f32]) {
        let at = row * self.stride + from;
        let range = at..at + g.len();
        let [first, second] = self
            .moments
            .each_mut()
            .map(|moment| if moment.is_empty() { &mut [][..] } else { &mut moment[range.clone()] });
        let (moved, size) =
            update::update(isa, change, &mut self.value[range.clone()], g, first, second);
        self.sums.figures.update_sq += moved;
        self.sums.figures.value_sq += size;
    }

    /// Scales rows down to a norm of at most `max_norm`, and measures anew against the `old` values.
    pub(super) fn limit(&mut self, isa: Isa, max_norm: Option<f32>, old: &[f32]) {
        let Some(largest) = max_norm else { return };
        (self.sums.figures.update_sq, self.sums.figures.value_sq) = (0.0, 0.0);
        let rows = self.value.chunks_exact_mut(self.stride).zip(old.chunks_exact(self.stride));
        for (row, old) in rows {
            let norm = squares(isa, row).sqrt();
            if norm > f64::from(largest) {
                scale(isa, row, (f64::from(largest) / norm) as f32, 0.0);
            }
            self.sums.figures.update_sq += squared_distance(isa, row, old);
            self.sums.figures.value_sq += squares(isa, row);
        }
    }
}

/// How parameters change, in f32.
#[derive(Debug, Clone, Copy)]
pub(super) struct Update {
    pub(super) rule: Rule,
    pub(super) l1: f32,
    pub(super) l2: f32,
    pub(super) weight_decay: f64,
    pub(super) max_norm: Option<f32>,
}

impl Update {
    pub(super) fn new(spec: &UpdateSpec) -> Self {
        Self {
            rule: spec.rule,
            l1: spec.l1 as f32,
            l2: spec.l2 as f32,
            weight_decay: spec.weight_decay,
            max_norm: spec.max_norm.map(|largest| largest as f32),
        }
    }

    /// Adds penalties to a part of a gradient and measures it.
    pub(super) fn finish(
        &self,
        isa: Isa,
        g: &mut [f32],
        w: &[f32],
        kind: ParamKind,
        sums: &mut Sums,
    ) {
        if kind == ParamKind::Weight && (self.l1 != 0.0 || self.l2 != 0.0) {
            sums.penalty += penalise(isa, g, w, self.l1, self.l2);
        }
        sums.figures.gradient_sq += update::squares(isa, g);
    }

    /// The change of a parameter in one step, its gradient scaled by `clip`.
    pub(super) fn change(
        &self,
        learning_rate: f64,
        step: u64,
        clip: f64,
        of: &Parameter,
    ) -> Change {
        let mut rate = learning_rate;
        let rule = match self.rule {
            Rule::Sgd { momentum: 0.0, .. } => Kernel::Plain,
            Rule::Sgd { momentum, nesterov } => {
                Kernel::Momentum { keep: momentum as f32, nesterov }
            }
            Rule::RmsProp { decay, epsilon, momentum } => Kernel::RmsProp {
                keep: decay as f32,
                take: (1.0 - decay) as f32,
                epsilon: epsilon as f32,
                momentum: (momentum != 0.0).then_some(momentum as f32),
            },
            Rule::Adam { beta1, beta2, epsilon } => {
                let start = |beta: f64| 1.0 - beta.powf((step + 1) as f64);
                rate /= start(beta1);
                Kernel::Adam {
                    keep: [beta1 as f32, beta2 as f32],
                    take: [(1.0 - beta1) as f32, (1.0 - beta2) as f32],
                    epsilon: epsilon as f32,
                    root: (1.0 / start(beta2).sqrt()) as f32,
                }
            }
        };
        let decay = if of.kind == ParamKind::Weight { self.weight_decay } else { 0.0 };
        let shrink = (1.0 - learning_rate * decay) as f32;
        Change { rule, rate: rate as f32, shrink, clip: clip as f32 }
    }
}
