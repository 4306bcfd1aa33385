//! Cutting buffers so that every tile of a run writes to a part of its own.

use std::marker::PhantomData;

/// Something that a run cuts into parts, one a tile.
///
/// # Safety
/// Parts of different tiles never overlap.
pub unsafe trait Parts: Sync {
    /// What a tile gets.
    type Part;
    /// The part of a tile.
    ///
    /// # Safety
    /// Each tile's part is taken at most once.
    unsafe fn part(&self, tile: usize) -> Self::Part;
}

// SAFETY: there is nothing to overlap.
unsafe impl Parts for () {
    type Part = ();

    unsafe fn part(&self, _tile: usize) {}
}

/// A slice in pieces of equal length: tile `t` gets piece `t`, which is shorter at the end and empty beyond it.
#[derive(Debug)]
pub struct Chunks<'a, T> {
    start: *mut T,
    len: usize,
    chunk: usize,
    slice: PhantomData<&'a mut [T]>,
}

impl<'a, T> Chunks<'a, T> {
    /// Pieces of `chunk` values.
    pub fn new(slice: &'a mut [T], chunk: usize) -> Self {
        Self { start: slice.as_mut_ptr(), len: slice.len(), chunk, slice: PhantomData }
    }
}

// SAFETY: every piece goes to one tile only, as `&mut [T]`, which may be sent where `T` may.
unsafe impl<T: Send> Sync for Chunks<'_, T> {}

// SAFETY: piece `t` ends where piece `t + 1` begins.
unsafe impl<'a, T: Send> Parts for Chunks<'a, T> {
    type Part = &'a mut [T];

    unsafe fn part(&self, tile: usize) -> &'a mut [T] {
        let from = tile.saturating_mul(self.chunk).min(self.len);
        let len = self.chunk.min(self.len - from);
        // SAFETY: within the slice, and by the contract nobody else has this piece.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(from), len) }
    }
}

/// A matrix in blocks of whole columns: tile `t` gets columns `t * block..` of every row.
#[derive(Debug)]
pub struct Columns<'a, T = f32> {
    matrix: ColumnBlock<'a, T>,
    block: usize,
}

/// Some columns of a matrix.
#[derive(Debug)]
pub struct ColumnBlock<'a, T = f32> {
    start: *mut T,
    rows: usize,
    width: usize,
    stride: usize,
    slice: PhantomData<&'a mut [T]>,
}

impl<'a, T> Columns<'a, T> {
    /// Blocks of `block` columns of a matrix whose rows are `stride` apart.
    ///
    /// # Panics
    /// When the slice is not a whole number of rows, unless it is empty.
    pub fn new(matrix: &'a mut [T], stride: usize, block: usize) -> Self {
        let (rows, stride) =
            if matrix.is_empty() { (0, 0) } else { (matrix.len() / stride, stride) };
        assert_eq!(matrix.len(), rows * stride, "the matrix ends within a row");
        let start = matrix.as_mut_ptr();
        let matrix = ColumnBlock { start, rows, width: stride, stride, slice: PhantomData };
        Self { matrix, block }
    }
}

// SAFETY: every column goes to one tile only.
unsafe impl<T: Send> Sync for Columns<'_, T> {}
// SAFETY: a block is the only way to its columns, as `&mut [T]` would be.
unsafe impl<T: Send> Send for ColumnBlock<'_, T> {}

// SAFETY: block `t` ends where block `t + 1` begins, in every row.
unsafe impl<'a, T: Send> Parts for Columns<'a, T> {
    type Part = ColumnBlock<'a, T>;

    unsafe fn part(&self, tile: usize) -> ColumnBlock<'a, T> {
        let ColumnBlock { start, rows, stride, slice, .. } = self.matrix;
        let from = tile.saturating_mul(self.block).min(stride);
        let width = self.block.min(stride - from);
        // SAFETY: within the first row, or at its end.
        ColumnBlock { start: unsafe { start.add(from) }, rows, width, stride, slice }
    }
}

impl<T> ColumnBlock<'_, T> {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Where rows from number `first` on begin, for `rows` of them and `width` columns.
    ///
    /// # Panics
    /// When there are fewer.
    pub(crate) fn corner(&mut self, first: usize, rows: usize, width: usize) -> (*mut T, usize) {
        assert!(first + rows <= self.rows && width <= self.width, "no such corner");
        // SAFETY: within the matrix, or at its end.
        (unsafe { self.start.add(first * self.stride) }, self.stride)
    }

    /// The columns of one row.
    ///
    /// # Panics
    /// When there is no such row.
    #[inline(always)]
    pub fn row(&mut self, row: usize) -> &mut [T] {
        assert!(row < self.rows, "no such row");
        // SAFETY: within the matrix, and the block is borrowed alone.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(row * self.stride), self.width) }
    }
}

// SAFETY: each member keeps its own promise.
unsafe impl<P: Parts, const N: usize> Parts for [P; N] {
    type Part = [P::Part; N];

    unsafe fn part(&self, tile: usize) -> Self::Part {
        // SAFETY: the members' parts are taken as often as the array's.
        std::array::from_fn(|i| unsafe { self[i].part(tile) })
    }
}

macro_rules! tuple {
    ($($part:ident $index:tt),*) => {
        // SAFETY: each member keeps its own promise.
        unsafe impl<$($part: Parts),*> Parts for ($($part,)*) {
            type Part = ($($part::Part,)*);

            unsafe fn part(&self, tile: usize) -> Self::Part {
                // SAFETY: the members' parts are taken as often as the tuple's.
                unsafe { ($(self.$index.part(tile),)*) }
            }
        }
    };
}
tuple!(A 0, B 1);
tuple!(A 0, B 1, C 2);
tuple!(A 0, B 1, C 2, D 3);
tuple!(A 0, B 1, C 2, D 3, E 4);
