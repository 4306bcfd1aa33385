//! Products of matrices: `out[row][lane] = Σ_k scalars[k][row] · lanes[k][lane]`.
//!
//! One operand fills the lanes of the vectors, 16 numbers at a time; of the other, single numbers are repeated over all
//! lanes. Nothing is packed or copied: callers keep their matrices so that one side has 16 neighbours in memory.
//! The sum runs over `k` in order, in blocks of [`DEPTH`] whose results are added: it depends on shapes alone. On x86 it
//! is fused (one rounding for multiplication and addition), in portable code it is not.

use std::ptr;

use crate::isa::{Isa, Set};

/// Numbers in a group of lanes: one cache line.
pub const GROUP: usize = 16;
/// Terms that are summed before the result is written.
pub const DEPTH: usize = 256;

/// The operand that fills the lanes: number `(k, lane)` is at `k * step + lane / 16 * group + lane % 16`.
#[derive(Debug, Clone, Copy)]
pub struct Lanes<'a> {
    /// The numbers.
    pub values: &'a [f32],
    /// From one `k` to the next.
    pub step: usize,
    /// From one group of 16 to the next.
    pub group: usize,
}

/// The operand whose numbers are repeated: number `(k, row)` is at `k * step + row * stride`.
#[derive(Debug, Clone, Copy)]
pub struct Scalars<'a> {
    /// The numbers.
    pub values: &'a [f32],
    /// From one `k` to the next.
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
    /// Terms of each sum.
    pub depth: usize,
}

/// What will be read where the result stands, as soon as it is done: fetched from memory while the product computes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ahead<'a> {
    /// Up to three matrices; number `(row, lane)` is at `row * stride + lane`.
    pub values: [&'a [f32]; 3],
    /// From one row to the next.
    pub stride: usize,
}

/// Writes the product, or adds it if `add`: rows of `out` are `stride` apart.
///
/// # Panics
/// When an operand is too short for the size.
pub fn product(
    isa: Isa,
    out: &mut [f32],
    stride: usize,
    size: Size,
    lanes: Lanes<'_>,
    scalars: Scalars<'_>,
    ahead: Ahead<'_>,
    mut add: bool,
) {
    let Size { rows, groups, depth } = size;
    if rows == 0 || groups == 0 {
        return;
    }
    let reach = |n: usize, by: usize| (n - 1).saturating_mul(by);
    let last = reach(rows, stride).saturating_add(groups.saturating_mul(GROUP));
    assert!(last <= out.len(), "result too short");
    if depth == 0 {
        if !add {
            out.chunks_mut(stride).take(rows).for_each(|row| row[..groups * GROUP].fill(0.0));
        }
        return;
    }
    let last = reach(depth, lanes.step).saturating_add(reach(groups, lanes.group));
    assert!(last.saturating_add(GROUP) <= lanes.values.len(), "operand of lanes too short");
    let last = reach(depth, scalars.step).saturating_add(reach(rows, scalars.stride));
    assert!(last < scalars.values.len(), "operand of scalars too short");
    for k in (0..depth).step_by(DEPTH) {
        let block = Block {
            out: out.as_mut_ptr(),
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
            add,
        };
        match isa.set() {
            // SAFETY: an `Isa` exists only where the machine has it; all that the block reaches was checked above.
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => unsafe { avx512::block(block, rows, groups) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => unsafe { avx2::block(block, rows, groups) },
            // SAFETY: as above.
            Set::Portable => unsafe { portable::block(block, rows, groups) },
        }
        add = true;
    }
}

/// A product whose terms fit one pass, or a corner of one.
#[derive(Clone, Copy)]
struct Block {
    out: *mut f32,
    stride: usize,
    lanes: *const f32,
    lane_step: usize,
    group: usize,
    scalars: *const f32,
    scalar_step: usize,
    row: usize,
    depth: usize,
    ahead: [*const f32; 3],
    ahead_row: usize,
    add: bool,
}

impl Ahead<'_> {
    /// Null where there is nothing to fetch.
    fn pointers(&self) -> [*const f32; 3] {
        self.values.map(|values| if values.is_empty() { ptr::null() } else { values.as_ptr() })
    }
}

impl Block {
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
            *ahead = ahead.wrapping_add(row * self.ahead_row + group * GROUP);
        }
        self
    }
}

/// Defines `tile::<V, N>`: `V` vectors times `N` rows, all sums in registers; and `block`, which cuts a block into tiles.
///
/// `$tiles` lists the numbers of groups and rows of a tile, largest first: a block is cut greedily, rows first.
macro_rules! micro_kernel {
    (
        $vector:ty, $lanes:literal, $(#[$feature:meta])?
        zero: $zero:expr, load: $load:expr, store: $store:expr, splat: $splat:expr,
        multiply_add: $multiply_add:expr, add: $add:expr, fetch: $fetch:expr,
        groups: [$($groups:literal),*], rows: $rows:tt
    ) => {
        /// Vectors of a group.
        const PER_GROUP: usize = GROUP / $lanes;

        $(#[$feature])?
        #[inline]
        unsafe fn tile<const V: usize, const N: usize>(block: Block) {
            // SAFETY: the caller vouches for `N` rows and `V` vectors of the block.
            unsafe {
                let mut sums: [[$vector; V]; N] = [[$zero; V]; N];
                for ahead in block.ahead.into_iter().filter(|ahead| !ahead.is_null()) {
                    for at in (0..N * V).step_by(PER_GROUP) {
                        $fetch(ahead.wrapping_add(at / V * block.ahead_row + at % V * $lanes));
                    }
                }
                let (mut lanes, mut scalars) = (block.lanes, block.scalars);
                for _ in 0..block.depth {
                    let mut x: [$vector; V] = [$zero; V];
                    for v in 0..V {
                        let at = v / PER_GROUP * block.group + (v & (PER_GROUP - 1)) * $lanes;
                        x[v] = $load(lanes.add(at));
                    }
                    for n in 0..N {
                        let scalar = $splat(scalars.add(n * block.row));
                        for v in 0..V {
                            sums[n][v] = $multiply_add(x[v], scalar, sums[n][v]);
                        }
                    }
                    lanes = lanes.wrapping_add(block.lane_step);
                    scalars = scalars.wrapping_add(block.scalar_step);
                }
                for n in 0..N {
                    for v in 0..V {
                        let out = block.out.add(n * block.stride + v * $lanes);
                        let sum = if block.add { $add($load(out), sums[n][v]) } else { sums[n][v] };
                        $store(out, sum);
                    }
                }
            }
        }

        $(#[$feature])?
        pub(super) unsafe fn block(block: Block, rows: usize, groups: usize) {
            let mut row = 0;
            while row < rows {
                row += micro_kernel!(@rows block, row, rows, groups, [$($groups),*], $rows);
            }
        }
    };
    (@rows $block:ident, $row:ident, $rows:ident, $groups:ident, $sizes:tt, [$($n:literal),*]) => {
        $(if $rows - $row >= $n {
            let mut group = 0;
            while group < $groups {
                // SAFETY: the tile ends within the block.
                group += unsafe {
                    micro_kernel!(@groups $block, $row, group, $groups, $n, $sizes)
                };
            }
            $n
        } else)* {
            unreachable!("a tile may have one row")
        }
    };
    (@groups $block:ident, $row:ident, $group:ident, $groups:ident, $n:literal, [$($v:literal),*]) => {
        $(if $groups - $group >= $v {
            tile::<{ $v * PER_GROUP }, $n>($block.at($row, $group));
            $v
        } else)* {
            unreachable!("a tile may have one group")
        }
    };
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use std::arch::x86_64::{
        __m512, _MM_HINT_T1, _mm_prefetch, _mm512_add_ps, _mm512_fmadd_ps, _mm512_loadu_ps,
        _mm512_set1_ps, _mm512_setzero_ps, _mm512_storeu_ps,
    };

    use super::{Block, GROUP};

    // 3 x 8 sums, 3 vectors and a scalar fill 28 of 32 registers.
    micro_kernel! {
        __m512, 16, #[target_feature(enable = "avx512f")]
        zero: _mm512_setzero_ps(), load: _mm512_loadu_ps, store: _mm512_storeu_ps,
        splat: |at: *const f32| _mm512_set1_ps(*at), multiply_add: _mm512_fmadd_ps, add: _mm512_add_ps,
        fetch: |at: *const f32| _mm_prefetch::<_MM_HINT_T1>(at.cast()),
        groups: [3, 2, 1], rows: [8, 4, 2, 1]
    }
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::{
        __m256, _MM_HINT_T1, _mm_prefetch, _mm256_add_ps, _mm256_broadcast_ss, _mm256_fmadd_ps,
        _mm256_loadu_ps, _mm256_setzero_ps, _mm256_storeu_ps,
    };

    use super::{Block, GROUP};

    // 2 x 6 sums, 2 vectors and a scalar fill 15 of 16 registers.
    micro_kernel! {
        __m256, 8, #[target_feature(enable = "avx2,fma")]
        zero: _mm256_setzero_ps(), load: _mm256_loadu_ps, store: _mm256_storeu_ps,
        splat: |at: *const f32| _mm256_broadcast_ss(&*at), multiply_add: _mm256_fmadd_ps,
        add: _mm256_add_ps, fetch: |at: *const f32| _mm_prefetch::<_MM_HINT_T1>(at.cast()),
        groups: [1], rows: [6, 4, 2, 1]
    }
}

mod portable {
    use super::{Block, GROUP};

    type Vector = [f32; 8];

    #[inline(always)]
    fn zip(a: Vector, b: Vector, f: impl Fn(f32, f32) -> f32) -> Vector {
        std::array::from_fn(|i| f(a[i], b[i]))
    }

    #[inline(always)]
    fn add(a: Vector, b: Vector) -> Vector {
        zip(a, b, |a, b| a + b)
    }

    #[inline(always)]
    fn multiply_add(a: Vector, b: Vector, c: Vector) -> Vector {
        add(zip(a, b, |a, b| a * b), c)
    }

    micro_kernel! {
        Vector, 8,
        zero: [0.0; 8], load: |at: *const f32| at.cast::<Vector>().read(),
        store: |at: *mut f32, x: Vector| at.cast::<Vector>().write(x),
        splat: |at: *const f32| [*at; 8], multiply_add: multiply_add, add: add, fetch: |_: *const f32| (),
        groups: [1], rows: [2, 1]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Small whole numbers: every product and sum is exact, in any order.
    fn whole_numbers(len: usize, seed: usize) -> Vec<f32> {
        (0..len).map(|i| ((i * 7919 + seed * 104_729) % 17) as f32 - 8.0).collect()
    }

    proptest! {
        #[test]
        fn agrees_with_the_plain_sum(
            rows in 0usize..20, groups in 0usize..8, depth in 0usize..600, gap in 0usize..3, add: bool,
        ) {
            let lanes_of = groups * GROUP;
            let (step, stride) = (lanes_of + gap, lanes_of + gap);
            let x = whole_numbers(depth * step, 1);
            let s = whole_numbers(depth * (rows + gap), 2);
            let start = whole_numbers(rows * stride, 3);
            let size = Size { rows, groups, depth };
            let lanes = Lanes { values: &x, step, group: GROUP };
            let scalars = Scalars { values: &s, step: rows + gap, stride: 1 };
            for isa in Isa::available() {
                let mut out = start.clone();
                product(isa, &mut out, stride.max(1), size, lanes, scalars, Ahead::default(), add);
                for row in 0..rows {
                    for lane in 0..stride {
                        let at = row * stride + lane;
                        let sum: f32 = (0..depth)
                            .map(|k| s[k * (rows + gap) + row] * x.get(k * step + lane).unwrap_or(&0.0))
                            .sum();
                        let expected = match (lane < lanes_of, add) {
                            (false, _) => start[at],
                            (true, true) => start[at] + sum,
                            (true, false) => sum,
                        };
                        prop_assert_eq!(out[at], expected, "{} row {} lane {}", isa.name(), row, lane);
                    }
                }
            }
        }
    }

    #[test]
    fn rows_and_groups_may_lie_anywhere() {
        // Two groups that are 100 apart, three rows whose numbers follow each other.
        let x = whole_numbers(200, 1);
        let s = whole_numbers(3 * 5, 2);
        let lanes = Lanes { values: &x, step: GROUP, group: 100 };
        let scalars = Scalars { values: &s, step: 1, stride: 5 };
        for isa in Isa::available() {
            let mut out = [0.0; 3 * 32];
            product(
                isa,
                &mut out,
                32,
                Size { rows: 3, groups: 2, depth: 5 },
                lanes,
                scalars,
                Ahead::default(),
                false,
            );
            for (row, out) in out.chunks_exact(32).enumerate() {
                for (lane, &out) in out.iter().enumerate() {
                    let at = |k: usize| k * GROUP + lane / GROUP * 100 + lane % GROUP;
                    let sum: f32 = (0..5).map(|k| s[row * 5 + k] * x[at(k)]).sum();
                    assert_eq!(out, sum, "{} row {row} lane {lane}", isa.name());
                }
            }
        }
    }

    #[test]
    fn rounding_stays_within_its_bound() {
        let depth = 5000;
        let x: Vec<f32> = (0..depth * GROUP).map(|i| (i as f32).sin()).collect();
        let s: Vec<f32> = (0..depth).map(|i| (i as f32 * 0.7).cos()).collect();
        let lanes = Lanes { values: &x, step: GROUP, group: GROUP };
        let scalars = Scalars { values: &s, step: 1, stride: 1 };
        for isa in Isa::available() {
            let mut out = [0.0; GROUP];
            product(
                isa,
                &mut out,
                GROUP,
                Size { rows: 1, groups: 1, depth },
                lanes,
                scalars,
                Ahead::default(),
                false,
            );
            for (lane, &out) in out.iter().enumerate() {
                let terms = |k: usize| f64::from(s[k]) * f64::from(x[k * GROUP + lane]);
                let sum: f64 = (0..depth).map(terms).sum();
                let size: f64 = (0..depth).map(|k| terms(k).abs()).sum();
                // A sum of n terms errs by at most n ε Σ|terms|; here n is 256 terms and 20 blocks.
                let bound =
                    (DEPTH + depth / DEPTH + 1) as f64 * f64::from(f32::EPSILON) / 2.0 * size;
                assert!((f64::from(out) - sum).abs() <= bound, "{} lane {lane}", isa.name());
            }
        }
    }

    #[test]
    #[should_panic(expected = "operand of lanes too short")]
    fn short_operands_are_refused() {
        let lanes = Lanes { values: &[0.0; 31], step: GROUP, group: GROUP };
        let scalars = Scalars { values: &[0.0; 2], step: 1, stride: 1 };
        let size = Size { rows: 1, groups: 1, depth: 2 };
        product(Isa::best(), &mut [0.0; 16], GROUP, size, lanes, scalars, Ahead::default(), false);
    }
}
