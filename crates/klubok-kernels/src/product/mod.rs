//! Products of matrices: `out[row][lane] = Σ_k scalars[k][row] · lanes[k][lane]`, of f32 or of
//! pairs of bf16.
//!
//! One operand fills the lanes of the vectors, 16 numbers at a time; of the other, single numbers
//! are repeated over all lanes. Nothing is packed or copied: callers keep their matrices so that
//! one side has 16 neighbours in memory. The sum runs over `k` in order, in blocks of [`DEPTH`]
//! whose results are added: it depends on shapes alone. On x86 it is fused (one rounding for
//! multiplication and addition), in portable code it is not.
//!
//! With pairs, `k` counts pairs and both terms of one are added, in f32; in which order, and
//! whether between them is rounded, is the instruction's own matter.

#[cfg(target_arch = "x86_64")]
mod amx;
mod micro;
mod single;

use std::ptr;

pub use single::{has_matvec, single};

use crate::{
    buffer::Number,
    isa::{Bf16Path, Isa, Set},
    pack::Pair,
};

/// Numbers in a group of lanes: one cache line.
pub const GROUP: usize = 16;
/// Bf16Path, or pairs of them, that are summed before the result is written.
pub const DEPTH: usize = 256;

/// Groups that go through all rows before the next ones: with [`DEPTH`] they stay in the
/// second-level cache.
const WIDTH: usize = 8;

/// What products are of: f32, or pairs of bf16.
pub trait Operand: Number {
    /// Computes a block with the instructions of `isa`.
    ///
    /// # Safety
    /// All that the block reaches can be read and its result written.
    #[doc(hidden)]
    unsafe fn block(isa: Isa, block: Block<Self>, rows: usize, groups: usize);
}

/// The operand that fills the lanes: number `(k, lane)` is at `k * step + lane / 16 * group + lane
/// % 16`.
#[derive(Debug, Clone, Copy)]
pub struct Lanes<'a, T = f32> {
    /// The numbers.
    pub values: &'a [T],
    /// From one `k` to the next.
    pub step: usize,
    /// From one group of 16 to the next.
    pub group: usize,
}

/// The operand whose numbers are repeated: number `(k, row)` is at `k * step + row * stride`.
#[derive(Debug, Clone, Copy)]
pub struct Scalars<'a, T = f32> {
    /// The numbers.
    pub values: &'a [T],
    /// From one `k` to the next; of pairs it must be 1.
    pub step: usize,
    /// From one row to the next.
    pub stride: usize,
}

/// Size of a product.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Rows of the result.
    pub rows: usize,
    /// Groups of 16 lanes of the result.
    pub groups: usize,
    /// Bf16Path of each sum, or pairs of them.
    pub depth: usize,
}

/// What will be read where the result stands, as soon as it is done: fetched from memory while the
/// product computes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Prefetch<'a> {
    /// Up to three matrices; number `(row, lane)` is at `row * stride + lane`.
    pub values: [&'a [f32]; 3],
    /// From one row to the next.
    pub stride: usize,
}

impl Prefetch<'_> {
    /// Null where there is nothing to fetch.
    fn pointers(&self) -> [*const f32; 3] {
        self.values.map(|values| if values.is_empty() { ptr::null() } else { values.as_ptr() })
    }
}

/// Writes the product, or adds it if `add`: rows of `out` are `stride` apart.
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
    ahead: Prefetch<'_>,
    add: bool,
) {
    for block in blocks(out, stride, size, lanes, scalars, ahead, add) {
        for first in (0..size.groups).step_by(WIDTH) {
            // SAFETY: all that the block reaches was checked.
            unsafe { T::block(isa, block.at(0, first), size.rows, WIDTH.min(size.groups - first)) };
        }
    }
}

/// The product in passes of [`DEPTH`] terms, each of which adds to the one before.
fn blocks<'a, T: Operand>(
    out: &'a mut [f32],
    stride: usize,
    size: Size,
    lanes: Lanes<'a, T>,
    scalars: Scalars<'a, T>,
    ahead: Prefetch<'a>,
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
        ahead: if depth - k > DEPTH { [ptr::null(); 3] } else { ahead.pointers() },
        ahead_row: ahead.stride,
        add: add || k > 0,
    })
}

fn check<T: Copy>(
    out: &[f32],
    stride: usize,
    size: Size,
    lanes: Lanes<'_, T>,
    scalars: Scalars<'_, T>,
) {
    let Size { rows, groups, depth } = size;
    let reach = |n: usize, by: usize| n.saturating_sub(1).saturating_mul(by);
    let width = groups.saturating_mul(GROUP);
    assert!(reach(rows, stride).saturating_add(width) <= out.len(), "result too short");
    assert!(rows == 1 || width <= stride, "rows of the result overlap");
    if depth > 0 {
        let last = reach(depth, lanes.step).saturating_add(reach(groups, lanes.group));
        assert!(last.saturating_add(GROUP) <= lanes.values.len(), "operand of lanes too short");
        let last = reach(depth, scalars.step).saturating_add(reach(rows, scalars.stride));
        assert!(last < scalars.values.len(), "operand of scalars too short");
    }
}

impl Operand for f32 {
    unsafe fn block(isa: Isa, block: Block<Self>, rows: usize, groups: usize) {
        // SAFETY: an `Isa` exists only where the machine has it; the rest is the caller's word.
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
            match (isa.terms(), isa.set()) {
                #[cfg(target_arch = "x86_64")]
                (Bf16Path::Amx, _) => amx::block(block, rows, groups),
                #[cfg(target_arch = "x86_64")]
                (Bf16Path::Avx512, _) => micro::avx512_pairs::block(block, rows, groups),
                #[cfg(target_arch = "x86_64")]
                (Bf16Path::Apart, Set::Avx512) => micro::avx512_apart::block(block, rows, groups),
                #[cfg(target_arch = "x86_64")]
                (Bf16Path::Apart, Set::Avx2) => micro::avx2_apart::block(block, rows, groups),
                (_, Set::Portable) => micro::portable_apart::block(block, rows, groups),
            }
        }
    }
}

/// A product whose terms fit one pass, or a corner of one.
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
    ahead: [*const f32; 3],
    ahead_row: usize,
    add: bool,
}

impl<T> Block<T> {
    /// The same from another row and group on.
    ///
    /// # Safety
    /// The result has this row and group.
    #[inline(always)]
    unsafe fn at(mut self, row: usize, group: usize) -> Self {
        // SAFETY: within the operands, as the result has this row and group.
        unsafe {
            self.out = self.out.add(row * self.stride + group * GROUP);
            self.lanes = self.lanes.add(group * self.group);
            self.scalars = self.scalars.add(row * self.row);
        }
        for ahead in self.ahead.iter_mut().filter(|ahead| !ahead.is_null()) {
            // Nothing checked this matrix: it is fetched, and never read.
            let at = row.wrapping_mul(self.ahead_row).wrapping_add(group * GROUP);
            *ahead = ahead.wrapping_add(at);
        }
        self
    }
}

#[cfg(test)]
mod tests;
