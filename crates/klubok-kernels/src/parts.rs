//! Splits buffers into disjoint parts, so that the tiles of a run write in parallel.

use std::marker::PhantomData;

/// Memory that a run splits into parts, one per tile.
///
/// # Safety
/// Parts of different tiles never overlap.
pub unsafe trait Parts: Sync {
    /// The part of a tile.
    type Part;
    /// Returns the part of a tile.
    ///
    /// # Safety
    /// The caller takes the part of each tile at most once.
    unsafe fn part(&self, tile: usize) -> Self::Part;
}

// SAFETY: parts without memory cannot overlap.
unsafe impl Parts for () {
    type Part = ();

    unsafe fn part(&self, _tile: usize) {}
}

/// A slice in chunks of equal length: tile `t` gets chunk `t`. The last chunk may be shorter; those
/// beyond the slice are empty.
#[derive(Debug)]
pub struct Chunks<'a, T> {
    start: *mut T,
    len: usize,
    chunk: usize,
    slice: PhantomData<&'a mut [T]>,
}

impl<'a, T> Chunks<'a, T> {
    /// Splits a slice into chunks of `chunk` values.
    pub fn new(slice: &'a mut [T], chunk: usize) -> Self {
        Self { start: slice.as_mut_ptr(), len: slice.len(), chunk, slice: PhantomData }
    }
}

// SAFETY: every chunk goes to one tile only, as `&mut [T]`, which is `Send` if `T` is.
unsafe impl<T: Send> Sync for Chunks<'_, T> {}

// SAFETY: chunk `t` ends where chunk `t + 1` begins.
unsafe impl<'a, T: Send> Parts for Chunks<'a, T> {
    type Part = &'a mut [T];

    unsafe fn part(&self, tile: usize) -> &'a mut [T] {
        let from = tile.saturating_mul(self.chunk).min(self.len);
        let len = self.chunk.min(self.len - from);
        // SAFETY: within the slice, and by the contract no other reference to the chunk exists.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(from), len) }
    }
}

/// A matrix in blocks of columns: tile `t` gets the columns from `t * block` on, of all rows.
#[derive(Debug)]
pub struct Columns<'a, T = f32> {
    matrix: ColumnBlock<'a, T>,
    block: usize,
}

/// A block of columns of a matrix.
#[derive(Debug)]
pub struct ColumnBlock<'a, T = f32> {
    start: *mut T,
    rows: usize,
    width: usize,
    stride: usize,
    slice: PhantomData<&'a mut [T]>,
}

impl<'a, T> Columns<'a, T> {
    /// Splits a matrix into blocks of `block` columns. Rows are `stride` apart.
    ///
    /// # Panics
    /// When the slice is not a whole number of rows. An empty slice is valid with any stride.
    pub fn new(matrix: &'a mut [T], stride: usize, block: usize) -> Self {
        assert!(stride > 0 || matrix.is_empty(), "rows of nothing");
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
// SAFETY: a block has exclusive access to its columns, like `&mut [T]`.
unsafe impl<T: Send> Send for ColumnBlock<'_, T> {}

// SAFETY: block `t` ends where block `t + 1` begins, in every row.
unsafe impl<'a, T: Send> Parts for Columns<'a, T> {
    type Part = ColumnBlock<'a, T>;

    unsafe fn part(&self, tile: usize) -> ColumnBlock<'a, T> {
        let ColumnBlock { start, rows, stride, slice, .. } = self.matrix;
        let from = tile.saturating_mul(self.block).min(stride);
        let width = self.block.min(stride - from);
        // SAFETY: within the first row or at its end.
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

    /// Pointer to `rows` rows of `width` columns from row `first` on, and the stride.
    ///
    /// # Panics
    /// When the block has fewer rows or columns.
    pub(crate) fn corner(&mut self, first: usize, rows: usize, width: usize) -> (*mut T, usize) {
        let after = self.rows.checked_sub(first);
        assert!(after.is_some_and(|after| rows <= after) && width <= self.width, "no such corner");
        // With 0 rows the pointer may lie beyond the matrix; nothing dereferences it then.
        (self.start.wrapping_add(first * self.stride), self.stride)
    }

    /// The columns of one row.
    ///
    /// # Panics
    /// When the block has no such row.
    #[inline(always)]
    pub fn row(&mut self, row: usize) -> &mut [T] {
        assert!(row < self.rows, "no such row");
        // SAFETY: within the matrix, and the block is borrowed exclusively.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(row * self.stride), self.width) }
    }
}

// SAFETY: every member is `Parts`, so its parts are disjoint.
unsafe impl<P: Parts, const N: usize> Parts for [P; N] {
    type Part = [P::Part; N];

    unsafe fn part(&self, tile: usize) -> Self::Part {
        // SAFETY: each call takes one part of every member.
        std::array::from_fn(|i| unsafe { self[i].part(tile) })
    }
}

macro_rules! tuple {
    ($($part:ident $index:tt),*) => {
        // SAFETY: every member is `Parts`, so its parts are disjoint.
        unsafe impl<$($part: Parts),*> Parts for ($($part,)*) {
            type Part = ($($part::Part,)*);

            unsafe fn part(&self, tile: usize) -> Self::Part {
                // SAFETY: each call takes one part of every member.
                unsafe { ($(self.$index.part(tile),)*) }
            }
        }
    };
}
tuple!(A 0, B 1);
tuple!(A 0, B 1, C 2);
tuple!(A 0, B 1, C 2, D 3);
tuple!(A 0, B 1, C 2, D 3, E 4);

#[cfg(test)]
pub(crate) mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use proptest::prelude::*;

    use super::*;

    /// Usual sizes, and sizes whose sums and products overflow.
    pub(crate) fn sizes() -> impl Strategy<Value = usize> {
        prop_oneof![0usize..20, (0usize..40).prop_map(|n| usize::MAX - n), any::<usize>()]
    }

    proptest! {
        /// For any sizes, parts of different tiles are disjoint and stay inside the buffer.
        #[test]
        fn parts_never_overlap(len in 0usize..60, stride in sizes(), size in sizes(), tiles in prop::collection::vec(sizes(), 1..6)) {
            let mut taken = vec![0u8; len];
            let mut tiles = tiles;
            tiles.sort_unstable();
            tiles.dedup();
            let chunks = Chunks::new(&mut taken, size);
            for &tile in &tiles {
                // SAFETY: each tile occurs once.
                unsafe { chunks.part(tile) }.iter_mut().for_each(|taken| *taken += 1);
            }
            prop_assert!(taken.iter().all(|&taken| taken <= 1));
            taken.fill(0);
            let columns = catch_unwind(AssertUnwindSafe(|| Columns::new(&mut taken, stride, size).block));
            prop_assert_eq!(columns.is_ok(), len == 0 || stride > 0 && len.is_multiple_of(stride));
            if columns.is_err() {
                return Ok(());
            }
            let columns = Columns::new(&mut taken, stride, size);
            for &tile in &tiles {
                // SAFETY: each tile occurs once.
                let mut block = unsafe { columns.part(tile) };
                for row in 0..block.rows() {
                    block.row(row).iter_mut().for_each(|taken| *taken += 1);
                }
            }
            prop_assert!(taken.iter().all(|&taken| taken <= 1));
        }

        /// A corner lies inside its block or panics.
        #[test]
        fn corners_lie_inside(first in sizes(), rows in sizes(), width in sizes()) {
            let mut matrix = vec![0u8; 12 * 10];
            // SAFETY: no other part is taken.
            let mut block = unsafe { Columns::new(&mut matrix, 10, 4).part(1) };
            let corner = catch_unwind(AssertUnwindSafe(|| block.corner(first, rows, width)));
            let inside = u128::from(first as u64) + u128::from(rows as u64) <= 12 && width <= 4;
            prop_assert_eq!(corner.is_ok(), inside);
            if let Ok((start, stride)) = corner {
                let from = matrix.as_ptr() as usize + 4 + first * 10;
                prop_assert_eq!((start as usize, stride), (from, 10));
            }
        }
    }

    #[test]
    #[should_panic(expected = "no such corner")]
    fn a_corner_whose_end_overflows_panics() {
        let mut matrix = vec![0.0; 64];
        // SAFETY: no other part is taken.
        unsafe { Columns::new(&mut matrix, 4, 4).part(0) }.corner(usize::MAX - 15, 16, 4);
    }

    #[test]
    #[should_panic(expected = "rows of nothing")]
    fn a_stride_of_zero_panics() {
        let _ = Columns::new(&mut [0.0], 0, 4);
    }
}
