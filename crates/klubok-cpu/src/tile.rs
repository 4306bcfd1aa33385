//! A tile of a parameter, some of its rows: what is updated at once, while it is in cache.

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

/// Length of a padded row: whole vectors, and no multiple of 1 KiB, whose rows would fall on the
/// same lines of a cache.
pub(super) fn padded(len: usize) -> usize {
    let whole = len.next_multiple_of(16);
    if whole.is_multiple_of(256) { whole + 16 } else { whole }
}

/// Columns of a weight whose gradient is computed at once: with 64 rows of it they fill a part of
/// the second-level cache.
pub(super) const COLUMNS: usize = 256;

/// What it takes to update a value, in multiply-adds of a product.
pub(super) const PER_UPDATE: usize = 32;

/// A tile that is being updated.
pub(super) struct Tile<'a> {
    pub(super) value: &'a mut [f32],
    moments: [&'a mut [f32]; 2],
    pub(super) sums: &'a mut Sums,
    packed: &'a mut [Pair],
    turned: ColumnBlock<'a, Pair>,
    shape: Shape,
}

/// What a tile must know of its parameter.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) columns: usize,
    /// From one row to the next.
    pub(super) stride: usize,
    /// From one row of pairs to the next; 0 without pairs.
    pub(super) packed: usize,
}

impl Shape {
    /// In how many pieces of which length some columns of some rows are updated: rows that are
    /// short lie side by side, and are one piece.
    pub(super) fn lines(self, rows: usize, columns: usize) -> (usize, usize) {
        if self.stride <= COLUMNS { (1, rows * self.stride) } else { (rows, columns) }
    }
}

/// A parameter in tiles: values, two moments, sums, and what [`Packed::tiles`] makes.
pub(super) type Tiles<'a> = (
    Chunks<'a, f32>,
    Chunks<'a, f32>,
    Chunks<'a, f32>,
    Chunks<'a, Sums>,
    (Chunks<'a, Pair>, Columns<'a, Pair>),
);
/// One of them.
pub(super) type Part<'a> = (
    &'a mut [f32],
    &'a mut [f32],
    &'a mut [f32],
    &'a mut [Sums],
    (&'a mut [Pair], ColumnBlock<'a, Pair>),
);

/// A weight in bf16, rewritten whenever it changes.
#[derive(Default)]
pub(super) struct Packed {
    /// `[out][in / 2]`.
    pub(super) rows: Buffer<Pair>,
    /// From one row to the next.
    pub(super) stride: usize,
    /// `[in][out / 2]`, where the gradient at the input is wanted.
    pub(super) turned: Buffer<Pair>,
    /// From one row of them to the next.
    pub(super) turned_stride: usize,
}

impl Packed {
    /// Room for a weight `[rows, columns]`.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub(super) fn new(rows: usize, columns: usize, turned: bool) -> Result<Self, NoMemory> {
        let [stride, turned_stride] = [columns, rows].map(|n| padded(n.div_ceil(2)));
        let len = if turned { columns * turned_stride } else { 0 };
        let (rows, turned) = (Buffer::new(rows * stride)?, Buffer::new(len)?);
        Ok(Self { rows, stride, turned, turned_stride })
    }

    /// Cut into tiles of so many rows of the weight, an even number.
    pub(super) fn tiles(&mut self, tile: usize) -> (Chunks<'_, Pair>, Columns<'_, Pair>) {
        (
            Chunks::new(&mut self.rows, tile * self.stride),
            Columns::new(&mut self.turned, self.turned_stride, tile / 2),
        )
    }
}

impl<'a> Tile<'a> {
    /// The tile of a parameter.
    pub(super) fn new(part: Part<'a>, shape: Shape) -> Self {
        let (value, first, second, sums, (packed, turned)) = part;
        Self { value, moments: [first, second], sums: &mut sums[0], packed, turned, shape }
    }

    /// Keeps a copy of the tile if [`Tile::limit`] will need one; and what is left of the scratch.
    pub(super) fn begin<'s>(
        &mut self,
        max_norm: Option<f32>,
        scratch: &'s mut [f32],
    ) -> (&'s [f32], &'s mut [f32]) {
        (self.sums.figures.update_sq, self.sums.figures.value_sq) = (0.0, 0.0);
        let kept = if max_norm.is_some() { self.value.len() } else { 0 };
        let (old, scratch) = scratch.split_at_mut(kept);
        old.copy_from_slice(&self.value[..kept]);
        (old, scratch)
    }

    /// Values and moments from column `from` of the first row on.
    pub(super) fn from(&self, from: usize) -> [&[f32]; 3] {
        let [first, second] = &self.moments;
        [&*self.value, first, second].map(|of| of.get(from..).unwrap_or_default())
    }

    /// Moves the values of `row` from column `from` on along `g`.
    pub(super) fn update(
        &mut self,
        isa: Isa,
        change: UpdateStep,
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
        let (moved, size) =
            update::update(isa, change, &mut self.value[range.clone()], g, first, second, measure);
        self.sums.figures.update_sq += moved;
        self.sums.figures.value_sq += size;
    }

    /// Scales rows down to a norm of at most `max_norm`, and measures anew against the `old`
    /// values.
    pub(super) fn limit(&mut self, isa: Isa, max_norm: Option<f32>, old: &[f32]) {
        let Some(largest) = max_norm else { return };
        (self.sums.figures.update_sq, self.sums.figures.value_sq) = (0.0, 0.0);
        let rows =
            self.value.chunks_exact_mut(self.shape.stride).zip(old.chunks_exact(self.shape.stride));
        for (row, old) in rows {
            let norm = squares(isa, row).sqrt();
            if norm > f64::from(largest) {
                scale(isa, row, (f64::from(largest) / norm) as f32, 0.0);
            }
            self.sums.figures.update_sq += squared_distance(isa, row, old);
            self.sums.figures.value_sq += squares(isa, row);
        }
    }

    /// Writes some columns, from a multiple of 16 on, as products of bf16 read them.
    pub(super) fn pack(&mut self, isa: Isa, columns: Range<usize>, scratch: &mut [f32]) {
        let Shape { stride, packed, .. } = self.shape;
        if packed == 0 {
            return;
        }
        for from in columns.clone().step_by(COLUMNS) {
            let many = COLUMNS.min(columns.end - from);
            let rows = || self.value.chunks_exact(stride).map(|row| &row[from..][..many]);
            for (packed, row) in self.packed.chunks_exact_mut(packed).zip(rows()) {
                pair_neighbours(isa, &mut packed[from / 2..], row);
            }
            if self.turned.rows() == 0 {
                continue;
            }
            let pairs = &mut as_pairs(scratch)[..rows().len().div_ceil(2) * COLUMNS];
            for (i, pairs) in pairs.chunks_exact_mut(COLUMNS).enumerate() {
                let first = rows().nth(2 * i).unwrap_or_default();
                pair_rows(isa, pairs, first, rows().nth(2 * i + 1));
            }
            let high = pairs.len() / COLUMNS;
            transpose_into(isa, &mut self.turned, from, pairs, COLUMNS, high, many);
        }
    }
}
