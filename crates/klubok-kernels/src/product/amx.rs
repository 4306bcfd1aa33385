//! Products of pairs by tiles: `C += A B`, where C holds 16 rows of 16 sums, A 16 rows of 16 pairs,
//! B 16 pairs of 16 lanes.
//!
//! Two tiles of A and two of B give four of C, so that each tile that is loaded is used twice. Rows
//! that fill no tile make A and C shorter; pairs that fill none are copied into zeros.

use std::{arch::asm, ptr};

use super::{Block, GROUP};
use crate::pack::Pair;

/// Rows of a tile, and pairs or sums in one of its rows.
const TILE: usize = 16;
/// Bytes of a row.
const ROW: usize = 64;

/// Tiles of sums: upper and lower rows, one group and the next.
const C00: usize = 0;
const C01: usize = 1;
const C10: usize = 2;
const C11: usize = 3;
/// Upper and lower rows.
const A0: usize = 4;
const A1: usize = 5;
/// One group and the next.
const B0: usize = 6;
const B1: usize = 7;

/// What can be done with the eight tiles of a thread.
trait Tiles {
    /// Sets the rows of the tiles of upper and lower sums and their `A`; all other rows and columns
    /// are 16.
    unsafe fn configure(upper: usize, lower: usize);
    /// Sets a tile to 0.
    unsafe fn clear<const T: usize>();
    /// Reads a tile whose rows are `stride` bytes apart.
    unsafe fn load<const T: usize>(from: *const u8, stride: usize);
    /// Writes a tile.
    unsafe fn store<const T: usize>(to: *mut u8, stride: usize);
    /// `C += A B`.
    unsafe fn multiply<const C: usize, const A: usize, const B: usize>();
    /// Gives the tiles up, which makes switching threads cheap again.
    unsafe fn release();
}

/// # Safety
/// As [`super::Operand::block`], on a machine where [`crate::amx::is_usable`].
pub(super) unsafe fn block(block: Block<Pair>, rows: usize, groups: usize) {
    // SAFETY: the caller's word.
    unsafe { by_tiles::<Hardware>(block, rows, groups) }
}

unsafe fn by_tiles<T: Tiles>(block: Block<Pair>, rows: usize, groups: usize) {
    // SAFETY: corners of the block lie in it; tiles are used as configured.
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

/// Rows of the upper and of the lower tiles.
fn halves(rows: usize) -> (usize, usize) {
    (rows.min(TILE), rows.saturating_sub(TILE).min(TILE))
}

/// `HIGH` tiles of rows times `WIDE` groups, all terms.
unsafe fn corner_of<T: Tiles, const HIGH: usize, const WIDE: usize>(
    block: Block<Pair>,
    upper: usize,
    lower: usize,
) {
    // SAFETY: the caller vouches for the rows and groups of this corner.
    unsafe {
        fetch(block, upper + lower, WIDE);
        start::<T, HIGH, WIDE>(block);
        let whole = block.depth - block.depth % TILE;
        for k in (0..whole).step_by(TILE) {
            let scalars = block.scalars.add(k);
            let lanes = block.lanes.add(k * block.lane_step);
            // Of a single row it may be anything, and is not used.
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

/// Fetches what the caller will read next.
unsafe fn fetch(block: Block<Pair>, rows: usize, groups: usize) {
    use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
    for ahead in block.ahead.into_iter().filter(|ahead| !ahead.is_null()) {
        for at in 0..rows * groups {
            let row = (at / groups).wrapping_mul(block.ahead_row);
            let at = row.wrapping_add(at % groups * GROUP);
            // SAFETY: fetching ahead reads nothing.
            unsafe { _mm_prefetch::<_MM_HINT_T1>(ahead.wrapping_add(at).cast()) };
        }
    }
}

/// Where a tile of sums stands in the result.
unsafe fn place(block: &Block<Pair>, high: usize, wide: usize) -> *mut u8 {
    // SAFETY: the corner has this tile.
    unsafe { block.out.add(high * TILE * block.stride + wide * GROUP).cast() }
}

/// Starts the sums, at 0 or at what is there.
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
        T::load::<C00>(place(&block, 0, 0), stride);
        if WIDE > 1 {
            T::load::<C01>(place(&block, 0, 1), stride);
        }
        if HIGH > 1 {
            T::load::<C10>(place(&block, 1, 0), stride);
        }
        if HIGH > 1 && WIDE > 1 {
            T::load::<C11>(place(&block, 1, 1), stride);
        }
    }
}

/// Adds 16 pairs of terms to every sum: rows of `a` are `row` apart and its lower tile `down`,
/// those of `b` `step` and its second group `right`.
unsafe fn terms<T: Tiles, const HIGH: usize, const WIDE: usize>(
    a: *const Pair,
    row: usize,
    down: usize,
    b: *const Pair,
    step: usize,
    right: usize,
) {
    let [row, step] = [row, step].map(|pairs| pairs.wrapping_mul(size_of::<Pair>()));
    // SAFETY: the corner has these tiles, and these terms.
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

/// Writes the sums.
unsafe fn finish<T: Tiles, const HIGH: usize, const WIDE: usize>(block: Block<Pair>) {
    let stride = block.stride.wrapping_mul(size_of::<f32>());
    // SAFETY: the corner has these tiles.
    unsafe {
        T::store::<C00>(place(&block, 0, 0), stride);
        if WIDE > 1 {
            T::store::<C01>(place(&block, 0, 1), stride);
        }
        if HIGH > 1 {
            T::store::<C10>(place(&block, 1, 0), stride);
        }
        if HIGH > 1 && WIDE > 1 {
            T::store::<C11>(place(&block, 1, 1), stride);
        }
    }
}

/// The processor's own tiles. Between two of these calls nothing else touches them: compilers do
/// not use tiles.
struct Hardware;

/// Palette 1: rows of a tile and bytes of a row.
#[repr(C, align(64))]
struct Palette {
    number: u8,
    start_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

// SAFETY of all below: the instructions exist on the machines that come here, and touch only tiles
// and the given memory.
impl Tiles for Hardware {
    unsafe fn configure(upper: usize, lower: usize) {
        let mut palette = Palette {
            number: 1,
            start_row: 0,
            reserved: [0; 14],
            row_bytes: [0; 16],
            rows: [0; 16],
        };
        // A tile of no rows cannot be used, not even cleared: one that is idle keeps all of them.
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

    /// The instructions as Intel's manual describes them, so that the way they are used is tested
    /// everywhere.
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
                    // SAFETY: the caller's word.
                    r.tiles[T][row] =
                        unsafe { from.add(row * stride).cast::<[u32; TILE]>().read_unaligned() };
                }
            });
        }

        unsafe fn store<const T: usize>(to: *mut u8, stride: usize) {
            with(|r| {
                for row in 0..r.rows[T] {
                    // SAFETY: the caller's word.
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
    fn tiles_are_used_as_they_should() {
        for rows in [1, 15, 16, 17, 31, 32, 33, 70] {
            for (groups, depth, add) in
                [(1, 16, false), (2, 1, true), (3, 33, false), (4, 40, true)]
            {
                check_pairs(Case { rows, groups, depth, gap: 3, add }, |block| {
                    // SAFETY: the block is checked by its maker, and these tiles exist anywhere.
                    unsafe { by_tiles::<Emulated>(block, rows, groups) }
                });
            }
        }
    }
}
