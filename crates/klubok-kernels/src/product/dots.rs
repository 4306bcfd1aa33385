//! Dot products of a vector with the rows of a matrix: a layer on a single sample.
//!
//! Terms of a row fill the lanes, so rows have any length and memory is read in order.
//! [`matvec`](super::matvec()) takes longer, but gives the bits of [`product`](super::product).
//!
//! Term `k` is added in lane `k % 16`, then the lanes are added pairwise. So the order of a sum
//! depends only on its length. AVX-512 and AVX2 fuse multiplication and addition and give the same
//! bits. Portable code has 8 lanes and does not fuse.

use super::GROUP;
use crate::isa::{Isa, Set};

/// Writes `out[row] = Σ_k w[row][k] · x[k]`. Rows of `w` are as long as `x` and lie side by side.
///
/// # Panics
/// When `w` does not have as many rows as `out` has numbers.
pub fn dots(isa: Isa, out: &mut [f32], w: &[f32], x: &[f32]) {
    assert!(out.len().checked_mul(x.len()) == Some(w.len()), "a row of the matrix for each sum");
    match isa.set() {
        // SAFETY: an `Isa` exists only on machines with these instructions.
        #[cfg(target_arch = "x86_64")]
        Set::Avx512 => unsafe { avx512::dots(out, w, x) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Set::Avx2 => unsafe { avx2::dots(out, w, x) },
        Set::Portable => portable::dots(out, w, x),
    }
}

/// Defines `dots` for vectors of `$lanes` numbers. `load_rest` fills up a vector with zeros.
/// `$rows` lists how many rows can share the loads of `x`, largest first.
macro_rules! dots {
    (
        $vector:ty, $lanes:ident, $(#[$feature:meta])?
        zero: $zero:expr, load: $load:expr, load_rest: $load_rest:expr,
        multiply_add: $multiply_add:expr, sum: $sum:expr, rows: [$($rows:literal),*]
    ) => {
        $(#[$feature])?
        pub(super) fn dots(out: &mut [f32], w: &[f32], x: &[f32]) {
            let mut row = 0;
            while row < out.len() {
                let w = &w[row * x.len()..];
                row += $(if let Some(out) = out[row..].first_chunk_mut::<$rows>() {
                    group(out, w, x);
                    $rows
                } else)* {
                    unreachable!("a group may have one row")
                };
            }
        }

        $(#[$feature])?
        #[inline]
        fn group<const N: usize>(out: &mut [f32; N], w: &[f32], x: &[f32]) {
            let len = x.len();
            let (x, x_rest) = x.as_chunks::<$lanes>();
            let mut rows: [(&[[f32; $lanes]], &[f32]); N] = [(&[], &[]); N];
            for n in 0..N {
                let (row, rest) = w[n * len..][..len].as_chunks();
                rows[n] = (&row[..x.len()], rest);
            }
            let mut sums: [$vector; N] = [$zero; N];
            for k in 0..x.len() {
                let x = $load(&x[k]);
                for n in 0..N {
                    sums[n] = $multiply_add($load(&rows[n].0[k]), x, sums[n]);
                }
            }
            if !x_rest.is_empty() {
                let x = $load_rest(x_rest);
                for n in 0..N {
                    sums[n] = $multiply_add($load_rest(rows[n].1), x, sums[n]);
                }
            }
            for n in 0..N {
                out[n] = $sum(sums[n]);
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use std::arch::x86_64::{
        __m512, _mm256_castpd_ps, _mm512_castpd512_pd256, _mm512_castps_pd, _mm512_extractf64x4_pd,
        _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_maskz_loadu_ps, _mm512_setzero_ps,
    };

    use super::{GROUP, avx2};

    dots! {
        __m512, GROUP, #[target_feature(enable = "avx512f")]
        zero: _mm512_setzero_ps(), load: load, load_rest: load_rest,
        multiply_add: _mm512_fmadd_ps, sum: sum, rows: [8, 4, 2, 1]
    }

    #[target_feature(enable = "avx512f")]
    #[inline]
    fn load(from: &[f32; GROUP]) -> __m512 {
        // SAFETY: the array has as many numbers as the vector has lanes.
        unsafe { _mm512_loadu_ps(from.as_ptr()) }
    }

    #[target_feature(enable = "avx512f")]
    #[inline]
    fn load_rest(from: &[f32]) -> __m512 {
        let mask = (1u32 << from.len().min(GROUP)) - 1;
        // SAFETY: the mask selects no more lanes than the slice has numbers.
        unsafe { _mm512_maskz_loadu_ps(mask as u16, from.as_ptr()) }
    }

    #[target_feature(enable = "avx512f")]
    #[inline]
    fn sum(x: __m512) -> f32 {
        let x = _mm512_castps_pd(x);
        let (first, second) = (_mm512_castpd512_pd256(x), _mm512_extractf64x4_pd::<1>(x));
        avx2::sum([_mm256_castpd_ps(first), _mm256_castpd_ps(second)])
    }
}

/// Two vectors side by side: the lanes are those of AVX-512.
#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::{
        __m256, _mm_add_ps, _mm_add_ss, _mm_cvtss_f32, _mm_movehdup_ps, _mm_movehl_ps,
        _mm256_add_ps, _mm256_castps256_ps128, _mm256_extractf128_ps, _mm256_fmadd_ps,
        _mm256_loadu_ps, _mm256_loadu_si256, _mm256_maskload_ps, _mm256_setzero_ps,
    };

    use super::GROUP;

    /// Numbers in a vector.
    const LANES: usize = GROUP / 2;

    dots! {
        [__m256; 2], GROUP, #[target_feature(enable = "avx2,fma")]
        zero: [_mm256_setzero_ps(); 2], load: load, load_rest: load_rest,
        multiply_add: multiply_add, sum: sum, rows: [4, 2, 1]
    }

    #[target_feature(enable = "avx2,fma")]
    #[inline]
    fn multiply_add(x: [__m256; 2], y: [__m256; 2], sum: [__m256; 2]) -> [__m256; 2] {
        [_mm256_fmadd_ps(x[0], y[0], sum[0]), _mm256_fmadd_ps(x[1], y[1], sum[1])]
    }

    #[target_feature(enable = "avx2,fma")]
    #[inline]
    fn load(from: &[f32; GROUP]) -> [__m256; 2] {
        let from = from.as_ptr();
        // SAFETY: the array has as many numbers as the vectors have lanes.
        unsafe { [_mm256_loadu_ps(from), _mm256_loadu_ps(from.add(LANES))] }
    }

    #[target_feature(enable = "avx2,fma")]
    #[inline]
    fn load_rest(from: &[f32]) -> [__m256; 2] {
        let (first, second) = from.split_at(from.len().min(LANES));
        [load_part(first), load_part(second)]
    }

    #[target_feature(enable = "avx2,fma")]
    #[inline]
    fn load_part(from: &[f32]) -> __m256 {
        /// The mask of `n` numbers begins `n` before the middle.
        const MASKS: [i32; 2 * LANES] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];
        let mask: &[i32; LANES] =
            MASKS[LANES - from.len().min(LANES)..].first_chunk().unwrap_or(&[0; LANES]);
        // SAFETY: the array fills the vector, and the mask selects no more lanes than the slice has
        // numbers.
        unsafe { _mm256_maskload_ps(from.as_ptr(), _mm256_loadu_si256(mask.as_ptr().cast())) }
    }

    /// Adds the lanes pairwise.
    #[target_feature(enable = "avx2,fma")]
    #[inline]
    pub(super) fn sum([first, second]: [__m256; 2]) -> f32 {
        let x = _mm256_add_ps(first, second);
        let x = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps::<1>(x));
        let x = _mm_add_ps(x, _mm_movehl_ps(x, x));
        _mm_cvtss_f32(_mm_add_ss(x, _mm_movehdup_ps(x)))
    }
}

mod portable {
    const LANES: usize = 8;

    type Vector = [f32; LANES];

    // Compilers fail to keep the sums of several rows in vectors.
    dots! {
        Vector, LANES,
        zero: [0.0; LANES], load: |from: &Vector| *from, load_rest: load_rest,
        multiply_add: multiply_add, sum: sum, rows: [1]
    }

    #[inline(always)]
    fn load_rest(from: &[f32]) -> Vector {
        std::array::from_fn(|i| from.get(i).copied().unwrap_or(0.0))
    }

    #[inline(always)]
    fn multiply_add(x: Vector, y: Vector, sum: Vector) -> Vector {
        std::array::from_fn(|i| sum[i] + x[i] * y[i])
    }

    #[inline(always)]
    fn sum([a, b, c, d, e, f, g, h]: Vector) -> f32 {
        ((a + e) + (c + g)) + ((b + f) + (d + h))
    }
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use proptest::prelude::*;

    use super::*;

    /// `len` numbers between NaN, which any sum with a neighbour becomes.
    fn guarded(len: usize, number: impl Fn(usize) -> f32) -> Vec<f32> {
        let nan = || [f32::NAN; GROUP].into_iter();
        nan().chain((0..len).map(number)).chain(nan()).collect()
    }

    fn inside(guarded: &[f32]) -> &[f32] {
        &guarded[GROUP..guarded.len() - GROUP]
    }

    /// Checks the sums of every instruction set against f64.
    fn check(rows: usize, depth: usize, seed: u32) {
        let number = |i: usize| ((i as f32 + seed as f32) * 0.7).sin();
        let (w, x) = (guarded(rows * depth, number), guarded(depth, |i| number(3 * i)));
        let (w, x) = (inside(&w), inside(&x));
        let mut fused: Option<Vec<f32>> = None;
        for isa in Isa::available() {
            let (mut out, mut again) = (vec![f32::NAN; rows], vec![7.0; rows]);
            dots(isa, &mut out, w, x);
            dots(isa, &mut again, w, x);
            assert_eq!(out, again, "{rows} x {depth} {}", isa.name());
            for (row, out) in out.iter().enumerate() {
                let terms = (0..depth).map(|k| f64::from(w[row * depth + k]) * f64::from(x[k]));
                let (sum, size): (f64, f64) =
                    terms.fold((0.0, 0.0), |(sum, size), term| (sum + term, size + term.abs()));
                // At most one rounding per addition and two per term.
                let roundings = (depth.div_ceil(8) + 5) as f64;
                let bound = roundings * f64::from(f32::EPSILON) * size;
                assert!((f64::from(*out) - sum).abs() <= bound, "{row}, {depth} {}", isa.name());
            }
            if isa.set() != Set::Portable {
                assert_eq!(*fused.get_or_insert_with(|| out.clone()), out, "{rows} x {depth}");
            }
        }
    }

    #[test]
    fn a_product_by_hand() {
        for isa in Isa::available() {
            let mut out = [9.0; 2];
            dots(isa, &mut out, &[1.0, 0.0, -1.0, 0.5, 0.5, 0.5], &[1.0, 2.0, 3.0]);
            assert_eq!(out, [-2.0, 3.0]);
            dots(isa, &mut out, &[], &[]);
            assert_eq!(out, [0.0; 2]);
            dots(isa, &mut [], &[], &[1.0]);
        }
    }

    #[test]
    fn all_remainders_of_rows_and_terms() {
        for rows in 0..20 {
            (0..36).for_each(|depth| check(rows, depth, 1));
        }
    }

    #[test]
    fn a_matrix_of_another_size_panics() {
        for isa in Isa::available() {
            for (rows, w) in [(2, 5), (2, 7), (0, 3), (3, 0)] {
                let result =
                    catch_unwind(|| dots(isa, &mut vec![0.0; rows], &vec![1.0; w], &[1.0; 3]));
                assert!(result.is_err(), "{rows} rows of 3 in {w} numbers");
            }
        }
    }

    proptest! {
        #[test]
        fn agrees_with_f64(rows in 1usize..40, depth in 0usize..700, seed in 0u32..1000) {
            check(rows, depth, seed);
        }
    }
}
