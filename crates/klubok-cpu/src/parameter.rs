//! A parameter with its gradient and moments.
//!
//! Weights are `[out, in]`, everything else is one row. Rows are padded to whole vectors with
//! zeros, which stay zeros under every rule: their gradient is 0.

use klubok_kernels::{
    buffer::{Buffer, NoMemory},
    isa::Isa,
    parts::Chunks,
    pool::Pool,
    update::UpdateStep,
};
use klubok_nn::{
    backend::{Numbers, ParamFigures},
    error::{PlanError, Result},
    plan::{ParamKind, ParamSpec},
};

use super::{
    memory,
    tile::{COLUMNS, PER_UPDATE, Packed, Shape, Tile, Tiles, padded},
    update::{Sums, Update},
};

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
    /// The values as products of bf16 read them; empty unless they do.
    pub(super) packed: Packed,
}

impl Parameter {
    /// Room for a parameter and so many moments.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub(super) fn new(
        spec: &ParamSpec,
        index: usize,
        tile: usize,
        moments: usize,
    ) -> std::result::Result<Self, NoMemory> {
        let (rows, columns) = match *spec.shape {
            [rows, columns] => (rows, columns),
            _ => (1, spec.len()),
        };
        let stride = padded(columns);
        let block = |wanted| Buffer::new(if wanted { rows * stride } else { 0 });
        Ok(Self {
            index,
            rows,
            columns,
            stride,
            tile,
            kind: spec.kind,
            name: spec.name.clone(),
            value: block(true)?,
            gradient: block(true)?,
            moments: [block(moments > 0)?, block(moments > 1)?],
            sums: memory::filled(rows.div_ceil(tile), Sums::default())?,
            packed: Packed::default(),
        })
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
        // Of known size: growing would take twice the memory.
        let mut all = Vec::with_capacity(self.rows * self.columns);
        block.chunks_exact(self.stride).for_each(|row| all.extend_from_slice(&row[..self.columns]));
        all
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

    /// Tiles of whole rows with all that belongs to them; and the gradients that are kept.
    pub(super) fn tiles(&mut self) -> (Tiles<'_>, &mut Buffer) {
        let size = self.tile * self.stride;
        let [first, second] = &mut self.moments;
        let tiles = (
            Chunks::new(&mut self.value, size),
            Chunks::new(first, size),
            Chunks::new(second, size),
            Chunks::new(&mut self.sums, 1),
            self.packed.tiles(self.tile),
        );
        (tiles, &mut self.gradient)
    }

    /// Updates the whole parameter by the gradient that was kept.
    pub(super) fn apply(&mut self, isa: Isa, pool: &mut Pool, change: UpdateStep, update: &Update) {
        let weight = self.kind == ParamKind::Weight;
        let (max_norm, shrink) =
            if weight { (update.max_norm, change.shrink) } else { (None, 1.0) };
        let change = UpdateStep { shrink, ..change };
        let (stride, size, shape) = (self.stride, self.tile * self.stride, self.shape());
        let tiles = self.rows.div_ceil(self.tile);
        let (parts, gradient) = self.tiles();
        let gradient = &**gradient;
        pool.run(tiles, size * PER_UPDATE, parts, |i, part, scratch| {
            let mut tile = Tile::new(part, shape);
            let (old, scratch) = tile.begin(max_norm, scratch);
            let gradient = &gradient[i * size..][..tile.value.len()];
            for from in (0..stride).step_by(COLUMNS) {
                let (lines, len) = shape.lines(gradient.len() / stride, COLUMNS.min(stride - from));
                for row in 0..lines {
                    let g = &gradient[row * stride + from..][..len];
                    tile.update(isa, change, row, from, g, update.measure);
                }
            }
            tile.limit(isa, max_norm, old);
            tile.pack(isa, 0..shape.columns, scratch);
        });
    }

    /// Writes what products of bf16 read from the values.
    pub(super) fn pack(&mut self, isa: Isa, pool: &mut Pool) {
        let (shape, tiles) = (self.shape(), self.rows.div_ceil(self.tile));
        let work = self.tile * self.stride * PER_UPDATE;
        let (parts, _) = self.tiles();
        pool.run(tiles, work, parts, |_, part, scratch| {
            Tile::new(part, shape).pack(isa, 0..shape.columns, scratch);
        });
    }

    /// What tiles must know of their parameter.
    pub(super) fn shape(&self) -> Shape {
        let Self { columns, stride, .. } = *self;
        Shape { columns, stride, packed: self.packed.stride }
    }
}
