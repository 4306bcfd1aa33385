//! Products of pairs by AMX tiles: `C += A B`, where C holds 16 rows of 16 sums, A 16 rows of 16
//! pairs, and B 16 pairs of 16 lanes.
//!
//! Two tiles of A and two of B yield four tiles of C, so every loaded tile is used twice. If the
//! rows do not fill a tile, A and C have fewer rows. If the pairs do not fill a tile, they are
//! copied and padded with zeros.

use std::{arch::asm, ptr};

use super::{Block, GROUP};
use crate::pack::Pair;

/// Rows of a tile; also pairs or sums in a row.
const TILE: usize = 16;
/// Bytes of a row of a tile.
const ROW: usize = 64;

// Tile registers. `C..`: sums of the upper or lower rows (first digit) in the first or second group
// (second digit). `A.`: the upper or lower rows. `B.`: the first or second group.
const C00: usize = 0;
const C01: usize = 1;
const C10: usize = 2;
const C11: usize = 3;
const A0: usize = 4;
const A1: usize = 5;
const B0: usize = 6;
const B1: usize = 7;

/// Operations on the eight tile registers of a thread.
trait Tiles {
    /// Sets the row counts of the upper and lower tiles of `C` and `A`. All other sizes are 16.
    unsafe fn configure(upper: usize, lower: usize);
    /// Sets a tile to 0.
    unsafe fn clear<const T: usize>();
    /// Reads a tile whose rows are `stride` bytes apart.
    unsafe fn load<const T: usize>(from: *const u8, stride: usize);
    /// Writes a tile.
    unsafe fn store<const T: usize>(to: *mut u8, stride: usize);
    /// `C += A B`.
    unsafe fn multiply<const C: usize, const A: usize, const B: usize>();
    /// Releases the tiles, which makes thread switches inexpensive again.
    unsafe fn release();
}

/// # Safety
/// As [`super::Operand::block`], on a machine where [`crate::amx::is_usable`].
pub(super) unsafe fn block(block: Block<Pair>, rows: usize, groups: usize) {
    // SAFETY: by the contract.
    unsafe { by_tiles::<Hardware>(block, rows, groups) }
}

/// Computes a block in corners of up to 32 rows and 2 groups.
unsafe fn by_tiles<T: Tiles>(block: Block<Pair>, rows: usize, groups: usize) {
    // SAFETY: corners lie inside the block, and tiles are used as configured.
    unsafe {
        for row in (0..rows).step_by(2 * TILE) {
            let (upper, lower) = halves(rows - row);
            T::configure(upper, lower);
            for group in (0..groups).step_by(2) {
                let corner = block.at(row, group);
                match (lower > 0, groups - group > 1) {
                    (false, false) => corner_of::<T, 1, 1>(corner, upper, lower),
                    (false, true) => corner_of::<T, 1, 2>(corner, upper, lower),
                    (true, false) => corner_of::<T, 2, 1>(corner, upper, lower),
                    (true, true) => corner_of::<T, 2, 2>(corner, upper, lower),
                }
            }
        }
        T::release();
    }
}

/// Row counts of the upper and lower tiles.
fn halves(rows: usize) -> (usize, usize) {
    (rows.min(TILE), rows.saturating_sub(TILE).min(TILE))
}

/// Computes a corner of `HIGH` tiles of rows and `WIDE` groups, with all terms.
unsafe fn corner_of<T: Tiles, const HIGH: usize, const WIDE: usize>(
    block: Block<Pair>,
    upper: usize,
    lower: usize,
) {
    // SAFETY: the caller guarantees the rows and groups of this corner.
    unsafe {
        prefetch(block, upper + lower, WIDE);
        start::<T, HIGH, WIDE>(block);
        let whole = block.depth - block.depth % TILE;
        for k in (0..whole).step_by(TILE) {
            let scalars = block.scalars.add(k);
            let lanes = block.lanes.add(k * block.lane_step);
            // With a single tile of rows, `down` is unused and may overflow.
            let (down, right) = (block.row.wrapping_mul(TILE), block.group);
            terms::<T, HIGH, WIDE>(scalars, block.row, down, lanes, block.lane_step, right);
        }
        if whole < block.depth {
            let rest = block.depth - whole;
            let (mut a, mut b) = ([[[0; TILE]; TILE]; 2], [[[0; TILE]; TILE]; 2]);
            for (row, a) in a.iter_mut().flatten().take(upper + lower).enumerate() {
                let from = block.scalars.add(row * block.row + whole);
                ptr::copy_nonoverlapping(from, a.as_mut_ptr(), rest);
            }
            for (group, b) in b.iter_mut().take(WIDE).enumerate() {
                for (k, b) in b.iter_mut().take(rest).enumerate() {
                    let from = block.lanes.add((whole + k) * block.lane_step + group * block.group);
                    ptr::copy_nonoverlapping(from, b.as_mut_ptr(), TILE);
                }
            }
            let (a, b) = (a.as_ptr().cast(), b.as_ptr().cast());
            terms::<T, HIGH, WIDE>(a, TILE, TILE * TILE, b, TILE, TILE * TILE);
        }
        finish::<T, HIGH, WIDE>(block);
    }
}

/// Prefetches the matrices of [`super::Prefetch`].
unsafe fn prefetch(block: Block<Pair>, rows: usize, groups: usize) {
    use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
    for matrix in block.prefetch.into_iter().filter(|matrix| !matrix.is_null()) {
        for at in 0..rows * groups {
            let row = (at / groups).wrapping_mul(block.prefetch_stride);
            let at = row.wrapping_add(at % groups * GROUP);
            // SAFETY: a prefetch never faults.
            unsafe { _mm_prefetch::<_MM_HINT_T1>(matrix.wrapping_add(at).cast()) };
        }
    }
}

/// Address of a tile of sums in the result.
unsafe fn address(block: &Block<Pair>, high: usize, wide: usize) -> *mut u8 {
    // SAFETY: the corner has this tile.
    unsafe { block.out.add(high * TILE * block.stride + wide * GROUP).cast() }
}

/// Initialises the sums, with 0 or with the result so far.
unsafe fn start<T: Tiles, const HIGH: usize, const WIDE: usize>(block: Block<Pair>) {
    let stride = block.stride.wrapping_mul(size_of::<f32>());
    // SAFETY: the corner has these tiles.
    unsafe {
        if !block.add {
            T::clear::<C00>();
            T::clear::<C01>();
            T::clear::<C10>();
            T::clear::<C11>();
            return;
        }
        T::load::<C00>(address(&block, 0, 0), stride);
        if WIDE > 1 {
            T::load::<C01>(address(&block, 0, 1), stride);
        }
        if HIGH > 1 {
            T::load::<C10>(address(&block, 1, 0), stride);
        }
        if HIGH > 1 && WIDE > 1 {
            T::load::<C11>(address(&block, 1, 1), stride);
        }
    }
}

/// Adds 16 pairs of terms to every sum. Rows of `a` are `row` apart, and its lower tile begins
/// `down` behind the upper one. Rows of `b` are `step` apart, and its second group begins at
/// `right`.
unsafe fn terms<T: Tiles, const HIGH: usize, const WIDE: usize>(
    a: *const Pair,
    row: usize,
    down: usize,
    b: *const Pair,
    step: usize,
    right: usize,
) {
    let [row, step] = [row, step].map(|pairs| pairs.wrapping_mul(size_of::<Pair>()));
    // SAFETY: the corner has these tiles and terms.
    unsafe {
        T::load::<B0>(b.cast(), step);
        T::load::<A0>(a.cast(), row);
        T::multiply::<C00, A0, B0>();
        if WIDE > 1 {
            T::load::<B1>(b.add(right).cast(), step);
            T::multiply::<C01, A0, B1>();
        }
        if HIGH > 1 {
            T::load::<A1>(a.add(down).cast(), row);
            T::multiply::<C10, A1, B0>();
        }
        if HIGH > 1 && WIDE > 1 {
            T::multiply::<C11, A1, B1>();
        }
    }
}

/// Writes the sums to the result.
unsafe fn finish<T: Tiles, const HIGH: usize, const WIDE: usize>(block: Block<Pair>) {
    let stride = block.stride.wrapping_mul(size_of::<f32>());
    // SAFETY: the corner has these tiles.
    unsafe {
        T::store::<C00>(address(&block, 0, 0), stride);
        if WIDE > 1 {
            T::store::<C01>(address(&block, 0, 1), stride);
        }
        if HIGH > 1 {
            T::store::<C10>(address(&block, 1, 0), stride);
        }
        if HIGH > 1 && WIDE > 1 {
            T::store::<C11>(address(&block, 1, 1), stride);
        }
    }
}

/// The tile registers of the processor. Compilers do not use tiles, so they keep their contents
/// between calls.
struct Hardware;

/// Tile configuration of palette 1: rows of each tile and bytes per row.
#[repr(C, align(64))]
struct Palette {
    number: u8,
    start_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

// SAFETY of all functions below: callers run on a machine with AMX. The instructions access only
// tiles and the given memory.
impl Tiles for Hardware {
    unsafe fn configure(upper: usize, lower: usize) {
        let mut palette = Palette {
            number: 1,
            start_row: 0,
            reserved: [0; 14],
            row_bytes: [0; 16],
            rows: [0; 16],
        };
        // A tile of 0 rows is invalid even for clearing: unused tiles get all rows.
        let lower = if lower == 0 { TILE } else { lower };
        for (tile, rows) in [
            (C00, upper),
            (C01, upper),
            (C10, lower),
            (C11, lower),
            (A0, upper),
            (A1, lower),
            (B0, TILE),
            (B1, TILE),
        ] {
            palette.rows[tile] = rows as u8;
            palette.row_bytes[tile] = ROW as u16;
        }
        // SAFETY: see above.
        unsafe {
            asm!("ldtilecfg [{palette}]", palette = in(reg) &raw const palette,
                options(readonly, nostack, preserves_flags));
        }
    }

    unsafe fn clear<const T: usize>() {
        // SAFETY: see above.
        unsafe { asm!("tilezero tmm{t}", t = const T, options(nomem, nostack, preserves_flags)) }
    }

    unsafe fn load<const T: usize>(from: *const u8, stride: usize) {
        // SAFETY: see above.
        unsafe {
            asm!("tileloadd tmm{t}, [{from} + {stride}]", t = const T, from = in(reg) from,
                stride = in(reg) stride, options(readonly, nostack, preserves_flags));
        }
    }

    unsafe fn store<const T: usize>(to: *mut u8, stride: usize) {
        // SAFETY: see above.
        unsafe {
            asm!("tilestored [{to} + {stride}], tmm{t}", t = const T, to = in(reg) to,
                stride = in(reg) stride, options(nostack, preserves_flags));
        }
    }

    unsafe fn multiply<const C: usize, const A: usize, const B: usize>() {
        // SAFETY: see above.
        unsafe {
            asm!("tdpbf16ps tmm{c}, tmm{a}, tmm{b}", c = const C, a = const A, b = const B,
                options(nomem, nostack, preserves_flags));
        }
    }

    unsafe fn release() {
        // SAFETY: see above.
        unsafe { asm!("tilerelease", options(nomem, nostack, preserves_flags)) }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::product::tests::{Case, check_pairs};

    /// Emulates the instructions as Intel's manual describes them, to test their use on any
    /// machine.
    struct Emulated;

    #[derive(Default)]
    struct Registers {
        rows: [usize; 8],
        tiles: [[[u32; TILE]; TILE]; 8],
    }

    thread_local! {
        static REGISTERS: RefCell<Registers> = RefCell::default();
    }

    fn with<R>(run: impl FnOnce(&mut Registers) -> R) -> R {
        REGISTERS.with_borrow_mut(run)
    }

    impl Tiles for Emulated {
        unsafe fn configure(upper: usize, lower: usize) {
            let rows = [upper, upper, lower, lower, upper, lower, TILE, TILE];
            with(|r| *r = Registers { rows, ..Registers::default() });
        }

        unsafe fn clear<const T: usize>() {
            with(|r| r.tiles[T] = Default::default());
        }

        unsafe fn load<const T: usize>(from: *const u8, stride: usize) {
            with(|r| {
                r.tiles[T] = Default::default();
                for row in 0..r.rows[T] {
                    // SAFETY: by the contract.
                    r.tiles[T][row] =
                        unsafe { from.add(row * stride).cast::<[u32; TILE]>().read_unaligned() };
                }
            });
        }

        unsafe fn store<const T: usize>(to: *mut u8, stride: usize) {
            with(|r| {
                for row in 0..r.rows[T] {
                    // SAFETY: by the contract.
                    unsafe {
                        to.add(row * stride).cast::<[u32; TILE]>().write_unaligned(r.tiles[T][row]);
                    }
                }
            });
        }

        unsafe fn multiply<const C: usize, const A: usize, const B: usize>() {
            let half = |pair: u32, upper: bool| {
                f32::from_bits(if upper { pair & 0xFFFF_0000 } else { pair << 16 })
            };
            with(|r| {
                for (row, k, lane) in (0..r.rows[C])
                    .flat_map(|m| (0..TILE).flat_map(move |k| (0..TILE).map(move |n| (m, k, n))))
                {
                    let (a, b) = (r.tiles[A][row][k], r.tiles[B][k][lane]);
                    let sum = &mut r.tiles[C][row][lane];
                    for upper in [false, true] {
                        *sum = (f32::from_bits(*sum) + half(a, upper) * half(b, upper)).to_bits();
                    }
                }
            });
        }

        unsafe fn release() {
            with(|r| r.rows = [0; 8]);
        }
    }

    #[test]
    fn emulated_tiles_compute_the_product() {
        for rows in [1, 15, 16, 17, 31, 32, 33, 70] {
            for (groups, depth, add) in
                [(1, 16, false), (2, 1, true), (3, 33, false), (4, 40, true)]
            {
                check_pairs(Case { rows, groups, depth, gap: 3, add }, |block| {
                    // SAFETY: `blocks` checked the block, and emulated tiles need no AMX.
                    unsafe { by_tiles::<Emulated>(block, rows, groups) }
                });
            }
        }
    }
}
