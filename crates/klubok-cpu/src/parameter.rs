//! A parameter with its gradient and moments.
//!
//! Weights are `[out, in]`, all else is one row. Rows are padded with zeros to whole vectors. The
//! gradient of the padding is 0, so it stays 0 under every update rule.

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
    /// Index in the plan.
    pub(super) index: usize,
    pub(super) rows: usize,
    pub(super) columns: usize,
    /// Distance from one row to the next.
    pub(super) stride: usize,
    /// Rows per tile.
    pub(super) tile: usize,
    pub(super) kind: ParamKind,
    name: String,
    pub(super) value: Buffer,
    /// Written only if gradients are kept; until then its pages take no memory.
    pub(super) gradient: Buffer,
    /// The moments of the rule; unused ones are empty.
    pub(super) moments: [Buffer; 2],
    /// One per tile.
    pub(super) sums: Vec<Sums>,
    /// The values as pairs, for products of bf16; empty in f32.
    pub(super) packed: Packed,
}

impl Parameter {
    /// Allocates a parameter with `moments` moments.
    ///
    /// # Errors
    /// When the memory does not suffice.
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
        let buffer = |needed| Buffer::new(if needed { rows * stride } else { 0 });
        Ok(Self {
            index,
            rows,
            columns,
            stride,
            tile,
            kind: spec.kind,
            name: spec.name.clone(),
            value: buffer(true)?,
            gradient: buffer(true)?,
            moments: [buffer(moments > 0)?, buffer(moments > 1)?],
            sums: memory::filled(rows.div_ceil(tile), Sums::default())?,
            packed: Packed::default(),
        })
    }

    /// Sets values and moments. Missing moments become zero.
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
            match moments.get(m).and_then(|tensors| tensors.get(self.index)) {
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

    /// Copies values without their padding.
    fn canonical(&self, padded: &Buffer) -> Vec<f32> {
        // Full capacity at once: growing would take twice the memory.
        let mut values = Vec::with_capacity(self.rows * self.columns);
        let rows = padded.chunks_exact(self.stride).map(|row| &row[..self.columns]);
        rows.for_each(|row| values.extend_from_slice(row));
        values
    }

    /// Measurements and penalty, summed over all tiles in their order.
    pub(super) fn figures(&self) -> (ParamFigures, f64) {
        let mut total = Sums::default();
        for Sums { figures, penalty } in &self.sums {
            total.figures.gradient_sq += figures.gradient_sq;
            total.figures.update_sq += figures.update_sq;
            total.figures.value_sq += figures.value_sq;
            total.penalty += penalty;
        }
        (total.figures, total.penalty)
    }

    /// Splits the parameter into tiles of whole rows; also returns the kept gradient.
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

    /// Updates the whole parameter by its kept gradient.
    pub(super) fn apply(&mut self, isa: Isa, pool: &mut Pool, step: UpdateStep, update: &Update) {
        let is_weight = self.kind == ParamKind::Weight;
        let (max_norm, shrink) =
            if is_weight { (update.max_norm, step.shrink) } else { (None, 1.0) };
        let step = UpdateStep { shrink, ..step };
        let (stride, size, shape) = (self.stride, self.tile * self.stride, self.shape());
        let tiles = self.rows.div_ceil(self.tile);
        let (parts, gradient) = self.tiles();
        let gradient = &**gradient;
        pool.run(tiles, size * PER_UPDATE, parts, |i, part, scratch| {
            let mut tile = Tile::new(part, shape);
            let (old, scratch) = tile.begin(max_norm, scratch);
            let gradient = &gradient[i * size..][..tile.value.len()];
            for from in (0..stride).step_by(COLUMNS) {
                let (runs, len) = shape.runs(gradient.len() / stride, COLUMNS.min(stride - from));
                for row in 0..runs {
                    let g = &gradient[row * stride + from..][..len];
                    tile.update(isa, step, row, from, g, update.measure);
                }
            }
            tile.apply_max_norm(isa, max_norm, old);
            tile.pack(isa, 0..shape.columns, scratch);
        });
    }

    /// Packs the values into pairs, for products of bf16.
    pub(super) fn pack(&mut self, isa: Isa, pool: &mut Pool) {
        let (shape, tiles) = (self.shape(), self.rows.div_ceil(self.tile));
        let work = self.tile * self.stride * PER_UPDATE;
        let (parts, _) = self.tiles();
        pool.run(tiles, work, parts, |_, part, scratch| {
            Tile::new(part, shape).pack(isa, 0..shape.columns, scratch);
        });
    }

    /// The shape of the parameter, for its tiles.
    pub(super) fn shape(&self) -> Shape {
        let Self { columns, stride, .. } = *self;
        Shape { columns, stride, packed: self.packed.stride }
    }
}
