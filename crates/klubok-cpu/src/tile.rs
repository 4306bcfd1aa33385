//! A tile of a parameter, some of its rows: updated at once, while it is in cache.

use std::ops::Range;

use klubok_kernels::{
    activation::scale,
    buffer::{Buffer, NoMemory},
    isa::Isa,
    pack::{Pair, as_pairs, pair_neighbours, pair_rows},
    parts::{Chunks, ColumnBlock, Columns},
    reduce::{squared_distance, squares},
    transpose::transpose_into,
    update::{self, UpdateStep},
};

use super::update::Sums;

/// Length of a padded row: whole vectors, but no multiple of 1 KiB, because rows with such a stride
/// would compete for the same sets of a cache.
pub(super) fn padded(len: usize) -> usize {
    let whole = len.next_multiple_of(16);
    if whole.is_multiple_of(256) { whole + 16 } else { whole }
}

/// Columns of a weight whose gradient is computed at once: with 64 rows they fill part of the L2
/// cache.
pub(super) const COLUMNS: usize = 256;

/// Cost of an update per value, in multiply-adds of a product.
pub(super) const PER_UPDATE: usize = 32;

/// A tile with the memory that an update reads and writes.
pub(super) struct Tile<'a> {
    pub(super) value: &'a mut [f32],
    moments: [&'a mut [f32]; 2],
    pub(super) sums: &'a mut Sums,
    packed: &'a mut [Pair],
    transposed: ColumnBlock<'a, Pair>,
    shape: Shape,
}

/// Shape of a parameter, for its tiles.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) columns: usize,
    /// Distance from one row to the next.
    pub(super) stride: usize,
    /// Distance from one row of pairs to the next; 0 in f32.
    pub(super) packed: usize,
}

impl Shape {
    /// Number and length of the contiguous runs that cover `columns` columns of `rows` rows. Short
    /// rows lie side by side and form a single run.
    pub(super) fn runs(self, rows: usize, columns: usize) -> (usize, usize) {
        if self.stride <= COLUMNS { (1, rows * self.stride) } else { (rows, columns) }
    }
}

/// A parameter in tiles: values, two moments, sums, and the tiles of [`Packed`].
pub(super) type Tiles<'a> = (
    Chunks<'a, f32>,
    Chunks<'a, f32>,
    Chunks<'a, f32>,
    Chunks<'a, Sums>,
    (Chunks<'a, Pair>, Columns<'a, Pair>),
);
/// One tile of [`Tiles`].
pub(super) type Part<'a> = (
    &'a mut [f32],
    &'a mut [f32],
    &'a mut [f32],
    &'a mut [Sums],
    (&'a mut [Pair], ColumnBlock<'a, Pair>),
);

/// A weight as pairs of bf16, rewritten after every update.
#[derive(Default)]
pub(super) struct Packed {
    /// `[out][in / 2]`.
    pub(super) rows: Buffer<Pair>,
    /// Distance from one row to the next.
    pub(super) stride: usize,
    /// `[in][out / 2]`, for the gradient of the input; empty in the first layer.
    pub(super) transposed: Buffer<Pair>,
    /// Distance from one row of `transposed` to the next.
    pub(super) transposed_stride: usize,
}

impl Packed {
    /// Allocates a weight `[rows, columns]`, and its transpose if `transposed`.
    ///
    /// # Errors
    /// When the memory does not suffice.
    pub(super) fn new(rows: usize, columns: usize, transposed: bool) -> Result<Self, NoMemory> {
        let [stride, transposed_stride] = [columns, rows].map(|n| padded(n.div_ceil(2)));
        let len = if transposed { columns * transposed_stride } else { 0 };
        let (rows, transposed) = (Buffer::new(rows * stride)?, Buffer::new(len)?);
        Ok(Self { rows, stride, transposed, transposed_stride })
    }

    /// Splits the weight into tiles of `tile` rows, an even number.
    pub(super) fn tiles(&mut self, tile: usize) -> (Chunks<'_, Pair>, Columns<'_, Pair>) {
        (
            Chunks::new(&mut self.rows, tile * self.stride),
            Columns::new(&mut self.transposed, self.transposed_stride, tile / 2),
        )
    }
}

impl<'a> Tile<'a> {
    /// Assembles a tile from its parts.
    pub(super) fn new(part: Part<'a>, shape: Shape) -> Self {
        let (value, first, second, sums, (packed, transposed)) = part;
        Self { value, moments: [first, second], sums: &mut sums[0], packed, transposed, shape }
    }

    /// Begins an update. Returns a copy of the tile if [`Tile::apply_max_norm`] needs one, and the
    /// rest of the scratch memory.
    pub(super) fn begin<'s>(
        &mut self,
        max_norm: Option<f32>,
        scratch: &'s mut [f32],
    ) -> (&'s [f32], &'s mut [f32]) {
        (self.sums.figures.update_sq, self.sums.figures.value_sq) = (0.0, 0.0);
        let len = if max_norm.is_some() { self.value.len() } else { 0 };
        let (old, scratch) = scratch.split_at_mut(len);
        old.copy_from_slice(&self.value[..len]);
        (old, scratch)
    }

    /// Values and moments from column `from` of the first row on.
    pub(super) fn from(&self, from: usize) -> [&[f32]; 3] {
        let [first, second] = &self.moments;
        [&*self.value, first, second].map(|values| values.get(from..).unwrap_or_default())
    }

    /// Updates the values of `row` from column `from` on by the gradient `g`.
    pub(super) fn update(
        &mut self,
        isa: Isa,
        step: UpdateStep,
        row: usize,
        from: usize,
        g: &[f32],
        measure: bool,
    ) {
        let at = row * self.shape.stride + from;
        let range = at..at + g.len();
        let [first, second] = self
            .moments
            .each_mut()
            .map(|moment| if moment.is_empty() { &mut [][..] } else { &mut moment[range.clone()] });
        let (update_sq, value_sq) =
            update::update(isa, step, &mut self.value[range.clone()], g, first, second, measure);
        self.sums.figures.update_sq += update_sq;
        self.sums.figures.value_sq += value_sq;
    }

    /// Scales rows down to a norm of at most `max_norm`, and measures the update against the `old`
    /// values.
    pub(super) fn apply_max_norm(&mut self, isa: Isa, max_norm: Option<f32>, old: &[f32]) {
        let Some(max_norm) = max_norm else { return };
        (self.sums.figures.update_sq, self.sums.figures.value_sq) = (0.0, 0.0);
        let rows =
            self.value.chunks_exact_mut(self.shape.stride).zip(old.chunks_exact(self.shape.stride));
        for (row, old) in rows {
            let norm = squares(isa, row).sqrt();
            if norm > f64::from(max_norm) {
                scale(isa, row, (f64::from(max_norm) / norm) as f32, 0.0);
            }
            self.sums.figures.update_sq += squared_distance(isa, row, old);
            self.sums.figures.value_sq += squares(isa, row);
        }
    }

    /// Packs some columns, from a multiple of 16 on, into pairs. Does nothing in f32.
    pub(super) fn pack(&mut self, isa: Isa, columns: Range<usize>, scratch: &mut [f32]) {
        let Shape { stride, packed, .. } = self.shape;
        if packed == 0 {
            return;
        }
        for from in columns.clone().step_by(COLUMNS) {
            let count = COLUMNS.min(columns.end - from);
            let rows = || self.value.chunks_exact(stride).map(|row| &row[from..][..count]);
            for (packed, row) in self.packed.chunks_exact_mut(packed).zip(rows()) {
                pair_neighbours(isa, &mut packed[from / 2..], row);
            }
            if self.transposed.rows() == 0 {
                continue;
            }
            let pairs = &mut as_pairs(scratch)[..rows().len().div_ceil(2) * COLUMNS];
            for (i, pairs) in pairs.chunks_exact_mut(COLUMNS).enumerate() {
                let first = rows().nth(2 * i).unwrap_or_default();
                pair_rows(isa, pairs, first, rows().nth(2 * i + 1));
            }
            let pair_rows = pairs.len() / COLUMNS;
            transpose_into(isa, &mut self.transposed, from, pairs, COLUMNS, pair_rows, count);
        }
    }
}
