//! Matrix-vector products, for a single sample: 16 rows of the matrix fill the lanes, because the
//! sample alone would fill one.
//!
//! A square of 16 rows and 16 terms is transposed in registers, then its columns are added one
//! after the other. Each sum has the terms, order and roundings of [`product`](super::product), so
//! the bits are the same.

use super::{DEPTH, GROUP};
use crate::isa::{Isa, Set};

/// Rows per pass: two squares alternate, to keep more loads in flight.
const ROWS: usize = 2 * GROUP;

/// True if [`matvec`] runs on `isa`.
pub fn has_matvec(isa: Isa) -> bool {
    match isa.set() {
        #[cfg(target_arch = "x86_64")]
        Set::Avx512 => true,
        _ => false,
    }
}

/// Writes `out[row * stride] = Σ_k w[row * w_stride + k] · x[k]` for each of `rows` rows.
///
/// # Panics
/// When [`has_matvec`] is false, `w_stride` is not a multiple of 16, or an operand or the result is
/// too short.
pub fn matvec(
    isa: Isa,
    out: &mut [f32],
    stride: usize,
    rows: usize,
    w: &[f32],
    w_stride: usize,
    x: &[f32],
) {
    assert!(w_stride.is_multiple_of(GROUP) && x.len() <= w_stride, "rows of whole vectors");
    let Some(last) = rows.checked_sub(1) else { return };
    // After these checks no offset overflows.
    assert!(rows.checked_mul(w_stride).is_some_and(|end| end <= w.len()), "operand too short");
    assert!(last.checked_mul(stride).is_some_and(|last| last < out.len()), "result too short");
    for first in (0..rows).step_by(ROWS) {
        let count = ROWS.min(rows - first);
        let w = &w[first * w_stride..][..count * w_stride];
        let sums = match isa.set() {
            // SAFETY: an `Isa` exists only on machines that have it, and `w` is `count` rows of at
            // least `x.len()`.
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => unsafe { avx512::sums(w.as_ptr(), count, w_stride, x) },
            _ => panic!("no such kernel"),
        };
        for (row, sum) in sums.as_flattened()[..count].iter().enumerate() {
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
    use crate::transpose::wide::transpose16;

    /// # Safety
    /// `w` holds `rows` rows, from 1 to [`ROWS`]. `w_stride`, their length, is a multiple of 16 and
    /// at least the length of `x`.
    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn sums(
        w: *const f32,
        rows: usize,
        w_stride: usize,
        x: &[f32],
    ) -> [[f32; GROUP]; 2] {
        let mut totals = [_mm512_setzero_ps(); 2];
        for (pass, x) in x.chunks(DEPTH).enumerate() {
            let mut sums = [_mm512_setzero_ps(); 2];
            for (step, x) in x.chunks(GROUP).enumerate() {
                // SAFETY: within the rows, whose length is a multiple of 16.
                unsafe {
                    let w = w.add(pass * DEPTH + step * GROUP);
                    sums[0] = add_columns(sums[0], w, 0, rows, w_stride, x);
                    sums[1] = add_columns(sums[1], w, GROUP, rows, w_stride, x);
                }
            }
            for (total, sum) in totals.iter_mut().zip(sums) {
                *total = if pass == 0 { sum } else { _mm512_add_ps(*total, sum) };
            }
        }
        let mut sums = [[0.0; GROUP]; 2];
        for (to, total) in sums.iter_mut().zip(totals) {
            // SAFETY: the array has as many numbers as the vector has lanes.
            unsafe { _mm512_storeu_ps(to.as_mut_ptr(), total) };
        }
        sums
    }

    /// Adds to `sum` the columns of the square at `w` and row `from`, each times its element of
    /// `x`. The last row replaces missing rows.
    ///
    /// # Safety
    /// The existing rows of the square are readable.
    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn add_columns(
        mut sum: __m512,
        w: *const f32,
        from: usize,
        rows: usize,
        w_stride: usize,
        x: &[f32],
    ) -> __m512 {
        let mut square = [_mm512_setzero_si512(); GROUP];
        for (row, to) in square.iter_mut().enumerate() {
            let row = (from + row).min(rows - 1);
            // SAFETY: by the contract.
            *to = unsafe { _mm512_loadu_epi32(w.add(row * w_stride).cast()) };
        }
        transpose16(&mut square);
        // With a constant number of columns the square stays in registers.
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
    fn offsets_that_overflow_are_refused() {
        let isa = Isa::best();
        if !has_matvec(isa) {
            return;
        }
        // With this stride the offset of row 32 wraps to 0.
        let far = usize::MAX / 32 + 1;
        let cases = [(32, far, 1, 1), (2 * far, 16, 1, 16), (2, 16, usize::MAX - 15, 16)];
        for (rows, w_stride, stride, terms) in cases {
            let mut out = [7.0; 64];
            let refused = catch_unwind(AssertUnwindSafe(|| {
                matvec(isa, &mut out, stride, rows, &[1.0; 64], w_stride, &vec![1.0; terms]);
            }));
            let message = *refused.unwrap_err().downcast::<&str>().unwrap();
            assert!(message.ends_with("too short"), "{message}");
            assert_eq!(out, [7.0; 64]);
        }
    }

    proptest! {
        #[test]
        fn gives_the_bits_of_the_product(rows in 1usize..70, depth in 0usize..600) {
            let w_stride = depth.next_multiple_of(GROUP);
            let w: Vec<f32> = (0..rows * w_stride).map(|i| (i as f32 * 0.7).sin()).collect();
            let x: Vec<f32> = (0..depth).map(|i| (i as f32 * 0.3).cos()).collect();
            let lanes: Vec<f32> = x.iter().flat_map(|x| [*x; GROUP]).collect();
            for isa in Isa::available().into_iter().filter(|isa| has_matvec(*isa)) {
                let (mut expected, mut got) = (vec![0.0; rows * GROUP], vec![0.0; rows * 3]);
                let lanes = Lanes { values: &lanes, step: GROUP, group: GROUP };
                let scalars = Scalars { values: &w, step: 1, stride: w_stride };
                let size = Size { rows, groups: 1, depth };
                product(isa, &mut expected, GROUP, size, lanes, scalars, Prefetch::default(), false);
                matvec(isa, &mut got, 3, rows, &w, w_stride, &x);
                for row in 0..rows {
                    prop_assert_eq!(got[row * 3].to_bits(), expected[row * GROUP].to_bits());
                }
            }
        }
    }
}
