//! Matrix products `out[row][lane] = Σ_k scalars[k][row] · lanes[k][lane]`, of f32 or of pairs of
//! bf16.
//!
//! One operand fills the lanes of the vectors, 16 numbers at a time. The other operand supplies
//! scalars, which are broadcast to all lanes. Products pack and copy nothing: callers choose
//! layouts in which one operand has 16 neighbours in memory.
//!
//! A sum runs over `k` in order, in blocks of [`DEPTH`] terms, and the results of the blocks are
//! added. So its order depends on shapes only. On x86, multiplication and addition are fused (one
//! rounding); in portable code they are not.
//!
//! With pairs, `k` counts pairs. Both terms of a pair are added in f32; their order and the
//! rounding between them depend on the instruction.

#[cfg(target_arch = "x86_64")]
mod amx;
mod dots;
mod matvec;
mod micro;

use std::ptr;

pub use dots::dots;
pub use matvec::{has_matvec, matvec};

use crate::{
    buffer::Number,
    isa::{Bf16Path, Isa, Set},
    pack::Pair,
};

/// Numbers in a group of lanes, one cache line.
pub const GROUP: usize = 16;
/// Terms, or pairs of them, per block of a sum. Each block is added to the result in memory.
pub const DEPTH: usize = 256;

/// Groups per pass over all rows: with [`DEPTH`] terms they stay in the L2 cache.
const GROUPS_PER_PASS: usize = 8;

/// Operand type of a product: f32, or pairs of bf16.
pub trait Operand: Number {
    /// Computes a block with the instructions of `isa`.
    ///
    /// # Safety
    /// The operands of the block are readable and its result is writable.
    #[doc(hidden)]
    unsafe fn block(isa: Isa, block: Block<Self>, rows: usize, groups: usize);
}

/// The operand that fills the lanes. Number `(k, lane)` is at
/// `k * step + lane / 16 * group + lane % 16`.
#[derive(Debug, Clone, Copy)]
pub struct Lanes<'a, T = f32> {
    /// The numbers.
    pub values: &'a [T],
    /// Distance from one `k` to the next.
    pub step: usize,
    /// Distance from one group of 16 lanes to the next.
    pub group: usize,
}

/// The operand of scalars. Number `(k, row)` is at `k * step + row * stride`.
#[derive(Debug, Clone, Copy)]
pub struct Scalars<'a, T = f32> {
    /// The numbers.
    pub values: &'a [T],
    /// Distance from one `k` to the next; must be 1 for pairs.
    pub step: usize,
    /// Distance from one row to the next.
    pub stride: usize,
}

/// Size of a product.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Rows of the result.
    pub rows: usize,
    /// Groups of 16 lanes of the result.
    pub groups: usize,
    /// Terms of each sum, or pairs of them.
    pub depth: usize,
}

/// Matrices to prefetch while the product computes, at the positions of the result. The caller
/// reads them next.
#[derive(Debug, Clone, Copy, Default)]
pub struct Prefetch<'a> {
    /// Up to three matrices. Number `(row, lane)` is at `row * stride + lane`.
    pub values: [&'a [f32]; 3],
    /// Distance from one row to the next.
    pub stride: usize,
}

impl Prefetch<'_> {
    /// Pointers to the matrices; null for empty ones.
    fn pointers(&self) -> [*const f32; 3] {
        self.values.map(|values| if values.is_empty() { ptr::null() } else { values.as_ptr() })
    }
}

/// Writes the product to `out`, or adds it if `add`. Rows of `out` are `stride` apart.
///
/// # Panics
/// When an operand is too short for the size, rows of the result overlap, or the step of scalar
/// pairs is not 1.
pub fn product<T: Operand>(
    isa: Isa,
    out: &mut [f32],
    stride: usize,
    size: Size,
    lanes: Lanes<'_, T>,
    scalars: Scalars<'_, T>,
    prefetch: Prefetch<'_>,
    add: bool,
) {
    for block in blocks(out, stride, size, lanes, scalars, prefetch, add) {
        for first in (0..size.groups).step_by(GROUPS_PER_PASS) {
            let groups = GROUPS_PER_PASS.min(size.groups - first);
            // SAFETY: `blocks` checked operands and result.
            unsafe { T::block(isa, block.at(0, first), size.rows, groups) };
        }
    }
}

/// Checks the sizes and splits a product into blocks of [`DEPTH`] terms.
fn blocks<'a, T: Operand>(
    out: &'a mut [f32],
    stride: usize,
    size: Size,
    lanes: Lanes<'a, T>,
    scalars: Scalars<'a, T>,
    prefetch: Prefetch<'a>,
    add: bool,
) -> impl Iterator<Item = Block<T>> + use<'a, T> {
    let Size { rows, groups, mut depth } = size;
    if rows == 0 || groups == 0 {
        depth = 0;
    } else {
        check(out, stride, size, lanes, scalars);
        if depth == 0 && !add {
            (0..rows).for_each(|row| out[row * stride..][..groups * GROUP].fill(0.0));
        }
    }
    let out = out.as_mut_ptr();
    (0..depth).step_by(DEPTH).map(move |k| Block {
        out,
        stride,
        lanes: lanes.values[k * lanes.step..].as_ptr(),
        lane_step: lanes.step,
        group: lanes.group,
        scalars: scalars.values[k * scalars.step..].as_ptr(),
        scalar_step: scalars.step,
        row: scalars.stride,
        depth: DEPTH.min(depth - k),
        prefetch: if depth - k > DEPTH { [ptr::null(); 3] } else { prefetch.pointers() },
        prefetch_stride: prefetch.stride,
        add: add || k > 0,
    })
}

/// Panics if an operand or the result is too short, or rows of the result overlap.
fn check<T: Copy>(
    out: &[f32],
    stride: usize,
    size: Size,
    lanes: Lanes<'_, T>,
    scalars: Scalars<'_, T>,
) {
    let Size { rows, groups, depth } = size;
    let offset_of_last = |n: usize, by: usize| n.saturating_sub(1).saturating_mul(by);
    let width = groups.saturating_mul(GROUP);
    assert!(offset_of_last(rows, stride).saturating_add(width) <= out.len(), "result too short");
    assert!(rows == 1 || width <= stride, "rows of the result overlap");
    if depth > 0 {
        let last =
            offset_of_last(depth, lanes.step).saturating_add(offset_of_last(groups, lanes.group));
        assert!(last.saturating_add(GROUP) <= lanes.values.len(), "operand of lanes too short");
        let last = offset_of_last(depth, scalars.step)
            .saturating_add(offset_of_last(rows, scalars.stride));
        assert!(last < scalars.values.len(), "operand of scalars too short");
    }
}

impl Operand for f32 {
    unsafe fn block(isa: Isa, block: Block<Self>, rows: usize, groups: usize) {
        // SAFETY: an `Isa` exists only on machines that have it; the caller guarantees the rest.
        unsafe {
            match isa.set() {
                #[cfg(target_arch = "x86_64")]
                Set::Avx512 => micro::avx512::block(block, rows, groups),
                #[cfg(target_arch = "x86_64")]
                Set::Avx2 => micro::avx2::block(block, rows, groups),
                Set::Portable => micro::portable::block(block, rows, groups),
            }
        }
    }
}

impl Operand for Pair {
    unsafe fn block(isa: Isa, block: Block<Self>, rows: usize, groups: usize) {
        assert!(block.scalar_step == 1, "scalar pairs lie side by side");
        // SAFETY: as above.
        unsafe {
            match (isa.bf16_path(), isa.set()) {
                #[cfg(target_arch = "x86_64")]
                (Bf16Path::Amx, _) => amx::block(block, rows, groups),
                #[cfg(target_arch = "x86_64")]
                (Bf16Path::Avx512, _) => micro::avx512_pairs::block(block, rows, groups),
                #[cfg(target_arch = "x86_64")]
                (Bf16Path::Unpacked, Set::Avx512) => {
                    micro::avx512_unpacked::block(block, rows, groups);
                }
                #[cfg(target_arch = "x86_64")]
                (Bf16Path::Unpacked, Set::Avx2) => micro::avx2_unpacked::block(block, rows, groups),
                (_, Set::Portable) => micro::portable_unpacked::block(block, rows, groups),
            }
        }
    }
}

/// A product of at most [`DEPTH`] terms, or a corner of one.
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub struct Block<T> {
    out: *mut f32,
    stride: usize,
    lanes: *const T,
    lane_step: usize,
    group: usize,
    scalars: *const T,
    scalar_step: usize,
    row: usize,
    depth: usize,
    prefetch: [*const f32; 3],
    prefetch_stride: usize,
    add: bool,
}

impl<T> Block<T> {
    /// The corner of the block from `row` and `group` on.
    ///
    /// # Safety
    /// The result has this row and group.
    #[inline(always)]
    unsafe fn at(mut self, row: usize, group: usize) -> Self {
        // SAFETY: the result has this row and group, so the offsets lie within the operands.
        unsafe {
            self.out = self.out.add(row * self.stride + group * GROUP);
            self.lanes = self.lanes.add(group * self.group);
            self.scalars = self.scalars.add(row * self.row);
        }
        for prefetch in self.prefetch.iter_mut().filter(|prefetch| !prefetch.is_null()) {
            // The size of this matrix is unchecked: a prefetch never faults.
            let at = row.wrapping_mul(self.prefetch_stride).wrapping_add(group * GROUP);
            *prefetch = prefetch.wrapping_add(at);
        }
        self
    }
}

#[cfg(test)]
mod tests;
