//! Products for a single sample, where all lanes but one would be empty: 16 rows of the other
//! operand fill them instead.
//!
//! A square of 16 rows and 16 terms is turned in registers, and its columns are added one after the
//! other: each sum has the terms, the order and the roundings of [`product`](super::product), and
//! so the same bits.

use super::{DEPTH, GROUP};
use crate::isa::{Isa, Set};

/// Rows at once, two squares that take turns: of more rows, more is on its way from memory.
const ROWS: usize = 2 * GROUP;

/// True where [`single`] can run.
pub fn has_matvec(isa: Isa) -> bool {
    match isa.set() {
        #[cfg(target_arch = "x86_64")]
        Set::Avx512 => true,
        _ => false,
    }
}

/// Writes `out[row * stride] = Σ_k w[row * apart + k] · x[k]` for so many rows.
///
/// # Panics
/// When [`has_matvec`] is false, `apart` is not a multiple of 16, or an operand or the result is
/// too short.
pub fn single(
    isa: Isa,
    out: &mut [f32],
    stride: usize,
    rows: usize,
    w: &[f32],
    apart: usize,
    x: &[f32],
) {
    assert!(apart.is_multiple_of(GROUP) && x.len() <= apart, "rows of whole vectors");
    let Some(last) = rows.checked_sub(1) else { return };
    // Beyond these checks nothing wraps.
    assert!(rows.checked_mul(apart).is_some_and(|end| end <= w.len()), "operand too short");
    assert!(last.checked_mul(stride).is_some_and(|last| last < out.len()), "result too short");
    for first in (0..rows).step_by(ROWS) {
        let many = ROWS.min(rows - first);
        let w = &w[first * apart..][..many * apart];
        let sums = match isa.set() {
            // SAFETY: an `Isa` exists only where the machine has it, and `w` is `many` rows of at
            // least `x.len()`.
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => unsafe { avx512::sums(w.as_ptr(), many, apart, x) },
            _ => panic!("no such kernel"),
        };
        for (row, sum) in sums.as_flattened()[..many].iter().enumerate() {
            out[(first + row) * stride] = *sum;
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use std::arch::x86_64::{
        __m512, _mm512_add_ps, _mm512_castsi512_ps, _mm512_fmadd_ps, _mm512_loadu_epi32,
        _mm512_set1_ps, _mm512_setzero_ps, _mm512_setzero_si512, _mm512_storeu_ps,
    };

    use super::{DEPTH, GROUP};
    use crate::transpose::wide::turn;

    /// # Safety
    /// `w` is `rows` rows, 1 to [`ROWS`] of them, each `apart` long, a multiple of 16 that is no
    /// less than the length of `x`.
    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn sums(
        w: *const f32,
        rows: usize,
        apart: usize,
        x: &[f32],
    ) -> [[f32; GROUP]; 2] {
        let mut totals = [_mm512_setzero_ps(); 2];
        for (pass, x) in x.chunks(DEPTH).enumerate() {
            let mut sums = [_mm512_setzero_ps(); 2];
            for (step, x) in x.chunks(GROUP).enumerate() {
                // SAFETY: within the rows, whose length is a multiple of 16.
                unsafe {
                    let w = w.add(pass * DEPTH + step * GROUP);
                    sums[0] = add_columns(sums[0], w, 0, rows, apart, x);
                    sums[1] = add_columns(sums[1], w, GROUP, rows, apart, x);
                }
            }
            for (total, sum) in totals.iter_mut().zip(sums) {
                *total = if pass == 0 { sum } else { _mm512_add_ps(*total, sum) };
            }
        }
        let mut sums = [[0.0; GROUP]; 2];
        for (to, total) in sums.iter_mut().zip(totals) {
            // SAFETY: as many numbers as lanes.
            unsafe { _mm512_storeu_ps(to.as_mut_ptr(), total) };
        }
        sums
    }

    /// `sum` and the columns of the square that begins at `w` in row number `from`, each times its
    /// number of `x`. Rows that there are not stand for the last one.
    ///
    /// # Safety
    /// The square, as far as there are rows of it, can be read.
    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn add_columns(
        mut sum: __m512,
        w: *const f32,
        from: usize,
        rows: usize,
        apart: usize,
        x: &[f32],
    ) -> __m512 {
        let mut square = [_mm512_setzero_si512(); GROUP];
        for (row, to) in square.iter_mut().enumerate() {
            let row = (from + row).min(rows - 1);
            // SAFETY: the caller's word.
            *to = unsafe { _mm512_loadu_epi32(w.add(row * apart).cast()) };
        }
        turn(&mut square);
        // A known number of columns stays in registers.
        if let Ok(x) = <&[f32; GROUP]>::try_from(x) {
            for k in 0..GROUP {
                sum = _mm512_fmadd_ps(_mm512_set1_ps(x[k]), _mm512_castsi512_ps(square[k]), sum);
            }
        } else {
            for (x, column) in x.iter().zip(square) {
                sum = _mm512_fmadd_ps(_mm512_set1_ps(*x), _mm512_castsi512_ps(column), sum);
            }
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use proptest::prelude::*;

    use super::*;
    use crate::product::{Lanes, Prefetch, Scalars, Size, product};

    #[test]
    fn rows_that_wrap_are_refused() {
        let isa = Isa::best();
        if !has_matvec(isa) {
            return;
        }
        // So many rows so far apart end where they begin.
        let far = usize::MAX / 32 + 1;
        let cases = [(32, far, 1, 1), (2 * far, 16, 1, 16), (2, 16, usize::MAX - 15, 16)];
        for (rows, apart, stride, terms) in cases {
            let mut out = [7.0; 64];
            let refused = catch_unwind(AssertUnwindSafe(|| {
                single(isa, &mut out, stride, rows, &[1.0; 64], apart, &vec![1.0; terms]);
            }));
            let message = *refused.unwrap_err().downcast::<&str>().unwrap();
            assert!(message.ends_with("too short"), "{message}");
            assert_eq!(out, [7.0; 64]);
        }
    }

    proptest! {
        #[test]
        fn it_is_the_product_to_the_bit(rows in 1usize..70, depth in 0usize..600) {
            let apart = depth.next_multiple_of(GROUP);
            let w: Vec<f32> = (0..rows * apart).map(|i| (i as f32 * 0.7).sin()).collect();
            let x: Vec<f32> = (0..depth).map(|i| (i as f32 * 0.3).cos()).collect();
            let lanes: Vec<f32> = x.iter().flat_map(|x| [*x; GROUP]).collect();
            for isa in Isa::available().into_iter().filter(|isa| has_matvec(*isa)) {
                let (mut expected, mut got) = (vec![0.0; rows * GROUP], vec![0.0; rows * 3]);
                let lanes = Lanes { values: &lanes, step: GROUP, group: GROUP };
                let scalars = Scalars { values: &w, step: 1, stride: apart };
                let size = Size { rows, groups: 1, depth };
                product(isa, &mut expected, GROUP, size, lanes, scalars, Prefetch::default(), false);
                single(isa, &mut got, 3, rows, &w, apart, &x);
                for row in 0..rows {
                    prop_assert_eq!(got[row * 3].to_bits(), expected[row * GROUP].to_bits());
                }
            }
        }
    }
}
