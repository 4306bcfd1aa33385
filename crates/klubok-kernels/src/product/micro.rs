//! Micro-kernels: products of a few vectors and a few rows with all sums in registers, for each
//! instruction set and operand.

use super::{Block, GROUP};

/// Defines `tile::<V, N>`, the product of `V` vectors and `N` rows, and `block`, which splits a
/// block into tiles.
///
/// `$groups` and `$rows` list the sizes of tiles, largest first. A block is split greedily, rows
/// first.
macro_rules! micro_kernel {
    (
        $operand:ty as $lane:ty, $vector:ty, $lanes:literal, $(#[$feature:meta])?
        lane: $load_lane:expr, splat: $splat:expr, multiply_add: $multiply_add:expr,
        zero: $zero:expr, load: $load:expr, store: $store:expr, add: $add:expr, fetch: $fetch:expr,
        groups: [$($groups:literal),*], rows: $rows:tt
    ) => {
        /// Vectors per group.
        const PER_GROUP: usize = GROUP / $lanes;

        $(#[$feature])?
        #[inline]
        unsafe fn tile<const V: usize, const N: usize>(block: Block<$operand>) {
            // SAFETY: the caller guarantees `N` rows and `V` vectors of the block.
            unsafe {
                let mut sums: [[$vector; V]; N] = [[$zero; V]; N];
                // Spread the prefetches evenly over the sum, one row at a time: many at once would
                // stall each other and the loads behind them.
                let prefetch_rows = if block.prefetch[0].is_null() { 0 } else { block.prefetch.len() * N };
                let every = (block.depth / (block.prefetch.len() * N)).max(1);
                let (mut fetched, mut wait) = (0, if prefetch_rows > 0 { 1 } else { usize::MAX });
                let (mut lanes, mut scalars) = (block.lanes, block.scalars);
                for _ in 0..block.depth {
                    wait -= 1;
                    if wait == 0 {
                        let matrix = block.prefetch[fetched / N];
                        if !matrix.is_null() {
                            for v in (0..V).step_by(PER_GROUP) {
                                let row = (fetched % N).wrapping_mul(block.prefetch_stride);
                                $fetch(matrix.wrapping_add(row.wrapping_add(v * $lanes)));
                            }
                        }
                        fetched += 1;
                        wait = if fetched < prefetch_rows { every } else { usize::MAX };
                    }
                    let mut x: [$lane; V] = [$load_lane(lanes); V];
                    for v in 1..V {
                        let at = v / PER_GROUP * block.group + (v & (PER_GROUP - 1)) * $lanes;
                        x[v] = $load_lane(lanes.add(at));
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
        pub(in crate::product) unsafe fn block(block: Block<$operand>, rows: usize, groups: usize) {
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
pub(super) mod avx512 {
    use std::arch::x86_64::{
        __m512, _MM_HINT_T1, _mm_prefetch, _mm512_add_ps, _mm512_fmadd_ps, _mm512_loadu_ps,
        _mm512_set1_ps, _mm512_setzero_ps, _mm512_storeu_ps,
    };

    use super::{Block, GROUP};

    // 3 x 8 sums, 3 vectors and a scalar fill 28 of 32 registers.
    micro_kernel! {
        f32 as __m512, __m512, 16, #[target_feature(enable = "avx512f")]
        lane: _mm512_loadu_ps, splat: |at: *const f32| _mm512_set1_ps(*at),
        multiply_add: _mm512_fmadd_ps,
        zero: _mm512_setzero_ps(), load: _mm512_loadu_ps, store: _mm512_storeu_ps, add: _mm512_add_ps,
        fetch: |at: *const f32| _mm_prefetch::<_MM_HINT_T1>(at.cast()),
        groups: [3, 2, 1], rows: [8, 4, 2, 1]
    }
}

/// Pairs, by the instruction that multiplies and adds both terms.
#[cfg(target_arch = "x86_64")]
pub(super) mod avx512_pairs {
    use std::arch::x86_64::{
        __m512, __m512bh, __m512i, _MM_HINT_T1, _mm_prefetch, _mm512_add_ps, _mm512_dpbf16_ps,
        _mm512_loadu_epi32, _mm512_loadu_ps, _mm512_set1_epi32, _mm512_setzero_ps,
        _mm512_storeu_ps,
    };

    use super::{Block, GROUP};
    use crate::pack::Pair;

    /// # Safety
    /// None: both types are 512 bits without invalid values.
    #[inline(always)]
    unsafe fn halves(pairs: __m512i) -> __m512bh {
        // SAFETY: as above.
        unsafe { std::mem::transmute(pairs) }
    }

    micro_kernel! {
        Pair as __m512bh, __m512, 16, #[target_feature(enable = "avx512f,avx512bf16")]
        lane: |at: *const Pair| halves(_mm512_loadu_epi32(at.cast())),
        splat: |at: *const Pair| halves(_mm512_set1_epi32(at.cast::<i32>().read())),
        multiply_add: |x, scalar, sum| _mm512_dpbf16_ps(sum, x, scalar),
        zero: _mm512_setzero_ps(), load: _mm512_loadu_ps, store: _mm512_storeu_ps, add: _mm512_add_ps,
        fetch: |at: *const f32| _mm_prefetch::<_MM_HINT_T1>(at.cast()),
        groups: [3, 2, 1], rows: [8, 4, 2, 1]
    }
}

/// Pairs, unpacked into two f32.
#[cfg(target_arch = "x86_64")]
pub(super) mod avx512_unpacked {
    use std::arch::x86_64::{
        __m512, __m512i, _MM_HINT_T1, _mm_prefetch, _mm512_add_ps, _mm512_and_si512,
        _mm512_castsi512_ps, _mm512_fmadd_ps, _mm512_loadu_epi32, _mm512_loadu_ps,
        _mm512_set1_epi32, _mm512_setzero_ps, _mm512_slli_epi32, _mm512_storeu_ps,
    };

    use super::{Block, GROUP};
    use crate::pack::Pair;

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn multiply_add(x: __m512i, y: __m512i, sum: __m512) -> __m512 {
        let upper = _mm512_set1_epi32(0xFFFF_0000_u32 as i32);
        let second = |x| _mm512_castsi512_ps(_mm512_and_si512(x, upper));
        let first = |x| _mm512_castsi512_ps(_mm512_slli_epi32::<16>(x));
        _mm512_fmadd_ps(first(x), first(y), _mm512_fmadd_ps(second(x), second(y), sum))
    }

    micro_kernel! {
        Pair as __m512i, __m512, 16, #[target_feature(enable = "avx512f")]
        lane: |at: *const Pair| _mm512_loadu_epi32(at.cast()),
        splat: |at: *const Pair| _mm512_set1_epi32(at.cast::<i32>().read()),
        multiply_add: multiply_add,
        zero: _mm512_setzero_ps(), load: _mm512_loadu_ps, store: _mm512_storeu_ps, add: _mm512_add_ps,
        fetch: |at: *const f32| _mm_prefetch::<_MM_HINT_T1>(at.cast()),
        groups: [3, 2, 1], rows: [4, 2, 1]
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) mod avx2 {
    use std::arch::x86_64::{
        __m256, _MM_HINT_T1, _mm_prefetch, _mm256_add_ps, _mm256_broadcast_ss, _mm256_fmadd_ps,
        _mm256_loadu_ps, _mm256_setzero_ps, _mm256_storeu_ps,
    };

    use super::{Block, GROUP};

    // 2 x 6 sums, 2 vectors and a scalar fill 15 of 16 registers.
    micro_kernel! {
        f32 as __m256, __m256, 8, #[target_feature(enable = "avx2,fma")]
        lane: _mm256_loadu_ps, splat: |at: *const f32| _mm256_broadcast_ss(&*at),
        multiply_add: _mm256_fmadd_ps,
        zero: _mm256_setzero_ps(), load: _mm256_loadu_ps, store: _mm256_storeu_ps, add: _mm256_add_ps,
        fetch: |at: *const f32| _mm_prefetch::<_MM_HINT_T1>(at.cast()),
        groups: [1], rows: [6, 4, 2, 1]
    }
}

/// Pairs, unpacked into two f32.
#[cfg(target_arch = "x86_64")]
pub(super) mod avx2_unpacked {
    use std::arch::x86_64::{
        __m256, __m256i, _MM_HINT_T1, _mm_prefetch, _mm256_add_ps, _mm256_and_si256,
        _mm256_castsi256_ps, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_loadu_si256,
        _mm256_set1_epi32, _mm256_setzero_ps, _mm256_slli_epi32, _mm256_storeu_ps,
    };

    use super::{Block, GROUP};
    use crate::pack::Pair;

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn multiply_add(x: __m256i, y: __m256i, sum: __m256) -> __m256 {
        let upper = _mm256_set1_epi32(0xFFFF_0000_u32 as i32);
        let second = |x| _mm256_castsi256_ps(_mm256_and_si256(x, upper));
        let first = |x| _mm256_castsi256_ps(_mm256_slli_epi32::<16>(x));
        _mm256_fmadd_ps(first(x), first(y), _mm256_fmadd_ps(second(x), second(y), sum))
    }

    micro_kernel! {
        Pair as __m256i, __m256, 8, #[target_feature(enable = "avx2,fma")]
        lane: |at: *const Pair| _mm256_loadu_si256(at.cast()),
        splat: |at: *const Pair| _mm256_set1_epi32(at.cast::<i32>().read()),
        multiply_add: multiply_add,
        zero: _mm256_setzero_ps(), load: _mm256_loadu_ps, store: _mm256_storeu_ps, add: _mm256_add_ps,
        fetch: |at: *const f32| _mm_prefetch::<_MM_HINT_T1>(at.cast()),
        groups: [1], rows: [4, 2, 1]
    }
}

type Vector<T = f32> = [T; 8];

#[inline(always)]
fn zip<T: Copy>(a: Vector<T>, b: Vector<T>, f: impl Fn(T, T) -> f32) -> Vector {
    std::array::from_fn(|i| f(a[i], b[i]))
}

#[inline(always)]
fn add(a: Vector, b: Vector) -> Vector {
    zip(a, b, |a, b| a + b)
}

pub(super) mod portable {
    use super::{Block, GROUP, Vector, add, zip};

    micro_kernel! {
        f32 as Vector, Vector, 8,
        lane: |at: *const f32| at.cast::<Vector>().read(), splat: |at: *const f32| [*at; 8],
        multiply_add: |a, b, sum| add(zip(a, b, |a, b| a * b), sum),
        zero: [0.0; 8], load: |at: *const f32| at.cast::<Vector>().read(),
        store: |at: *mut f32, x: Vector| at.cast::<Vector>().write(x),
        add: add, fetch: |_: *const f32| (),
        groups: [1], rows: [2, 1]
    }
}

/// Pairs, unpacked into two f32.
pub(super) mod portable_unpacked {
    use super::{Block, GROUP, Vector, add, zip};
    use crate::pack::Pair;

    #[inline(always)]
    fn first(x: Pair) -> f32 {
        f32::from_bits(x << 16)
    }

    #[inline(always)]
    fn second(x: Pair) -> f32 {
        f32::from_bits(x & 0xFFFF_0000)
    }

    micro_kernel! {
        Pair as Vector<Pair>, Vector, 8,
        lane: |at: *const Pair| at.cast::<Vector<Pair>>().read(), splat: |at: *const Pair| [*at; 8],
        multiply_add: |a, b, sum| {
            let sum = add(zip(a, b, |a, b| second(a) * second(b)), sum);
            add(zip(a, b, |a, b| first(a) * first(b)), sum)
        },
        zero: [0.0; 8], load: |at: *const f32| at.cast::<Vector>().read(),
        store: |at: *mut f32, x: Vector| at.cast::<Vector>().write(x),
        add: add, fetch: |_: *const f32| (),
        groups: [1], rows: [2, 1]
    }
}
