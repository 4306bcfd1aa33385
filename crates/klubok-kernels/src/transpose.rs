//! Transposes matrices of 32-bit numbers, from rows `[features][samples]` to panels of 16 features
//! and back.
//!
//! A panel holds 16 features: `panel[sample * 16 + feature]`. The forward pass reads rows, with 16
//! samples in the lanes of a vector. The gradient of a weight reads panels, with 16 inputs in the
//! lanes.

use crate::{
    buffer::Number,
    isa::{Isa, Set},
    parts::ColumnBlock,
};

/// Types of 32 bits.
pub trait Word: Number {}
impl Word for f32 {}
impl Word for u32 {}

/// Writes `out[column][row] = x[row][column]` for a matrix of `rows` x `columns`. Rows of `x` are
/// `x_stride` apart, rows of `out` are `out_stride` apart.
///
/// # Panics
/// When a slice is too short for the matrix.
pub fn transpose<T: Word>(
    isa: Isa,
    out: &mut [T],
    out_stride: usize,
    x: &[T],
    x_stride: usize,
    rows: usize,
    columns: usize,
) {
    if rows == 0 || columns == 0 {
        return;
    }
    assert!(extent(columns, out_stride, rows) <= out.len(), "result too short");
    assert!(extent(rows, x_stride, columns) <= x.len(), "matrix too short");
    // SAFETY: the sizes are checked.
    unsafe {
        let (to, from) = (out.as_mut_ptr().cast(), x.as_ptr().cast());
        squares(isa, to, out_stride, from, x_stride, rows, columns);
    }
}

/// As [`transpose`], into a block of columns of a matrix, from its row `first` on.
///
/// # Panics
/// When the block or `x` is too small.
pub fn transpose_into<T: Word>(
    isa: Isa,
    out: &mut ColumnBlock<'_, T>,
    first: usize,
    x: &[T],
    x_stride: usize,
    rows: usize,
    columns: usize,
) {
    if rows == 0 || columns == 0 {
        return;
    }
    let (to, out_stride) = out.corner(first, columns, rows);
    assert!(extent(rows, x_stride, columns) <= x.len(), "matrix too short");
    // SAFETY: the sizes are checked.
    unsafe { squares(isa, to.cast(), out_stride, x.as_ptr().cast(), x_stride, rows, columns) }
}

/// Length of `n` rows that are `stride` apart, the last one `width` long.
fn extent(n: usize, stride: usize, width: usize) -> usize {
    (n - 1).saturating_mul(stride).saturating_add(width)
}

/// Transposes in squares of 16 or 8, and the rest number by number.
///
/// # Safety
/// The matrix is readable and the result is writable.
unsafe fn squares(
    isa: Isa,
    to: *mut u32,
    out_stride: usize,
    from: *const u32,
    x_stride: usize,
    rows: usize,
    columns: usize,
) {
    let largest = match isa.set() {
        #[cfg(target_arch = "x86_64")]
        Set::Avx512 => 16,
        #[cfg(target_arch = "x86_64")]
        Set::Avx2 => 8,
        Set::Portable => 1,
    };
    let side = |remaining: usize, limit: usize| match remaining.min(limit) {
        16.. => 16,
        8.. => 8,
        _ => 1,
    };
    let mut row = 0;
    while row < rows {
        let high = side(rows - row, largest);
        let mut column = 0;
        while column < columns {
            let side = side(columns - column, high);
            if side == 1 {
                break;
            }
            for row in (row..row + high).step_by(side) {
                // SAFETY: the square lies within both matrices; an `Isa` exists only on machines
                // that have it.
                #[cfg(target_arch = "x86_64")]
                unsafe {
                    let to = to.add(column * out_stride + row);
                    let from = from.add(row * x_stride + column);
                    match side {
                        16 => wide::avx512(to, out_stride, from, x_stride),
                        _ => avx2(to, out_stride, from, x_stride),
                    }
                }
            }
            column += side;
        }
        for row in row..row + high {
            for column in column..columns {
                // SAFETY: within both matrices.
                unsafe { *to.add(column * out_stride + row) = *from.add(row * x_stride + column) };
            }
        }
        row += high;
    }
}

/// Squares of 16 x 16, in four rounds. With d = 2ᴿ, round `R` splits the matrix into squares of
/// side 2d and swaps the two off-diagonal squares of side d in each.
#[cfg(target_arch = "x86_64")]
pub(crate) mod wide {
    use std::arch::x86_64::{
        __m512i, _mm512_loadu_epi32, _mm512_permutex2var_epi32, _mm512_setzero_si512,
        _mm512_storeu_epi32,
    };

    /// Source of each lane of the upper row after each round: 0 to 15 are lanes of the upper row,
    /// 16 to 31 lanes of the lower row.
    const UPPER: [[i32; 16]; 4] = lanes(false);
    /// The same for the lower row.
    const LOWER: [[i32; 16]; 4] = lanes(true);

    const fn lanes(lower: bool) -> [[i32; 16]; 4] {
        let mut all = [[0; 16]; 4];
        let mut round = 0;
        while round < 4 {
            let d = 1 << round;
            let mut c = 0;
            while c < 16 {
                all[round][c as usize] = match (lower, c & d == 0) {
                    (false, true) => c,
                    (false, false) => 16 + c - d,
                    (true, true) => c + d,
                    (true, false) => 16 + c,
                };
                c += 1;
            }
            round += 1;
        }
        all
    }

    /// One round. `R` is a constant so that all rows stay in registers.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn round<const R: usize>(rows: &mut [__m512i; 16]) {
        // SAFETY: the arrays hold 16 numbers each.
        let (upper, lower) = unsafe {
            (_mm512_loadu_epi32(UPPER[R].as_ptr()), _mm512_loadu_epi32(LOWER[R].as_ptr()))
        };
        let d = 1 << R;
        for pair in 0..8 {
            let i = pair / d * 2 * d + pair % d;
            let (a, b) = (rows[i], rows[i + d]);
            rows[i] = _mm512_permutex2var_epi32(a, upper, b);
            rows[i + d] = _mm512_permutex2var_epi32(a, lower, b);
        }
    }

    /// Transposes a square of 16 rows in registers.
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(crate) fn transpose16(rows: &mut [__m512i; 16]) {
        round::<0>(rows);
        round::<1>(rows);
        round::<2>(rows);
        round::<3>(rows);
    }

    /// # Safety
    /// 16 rows of 16 numbers are readable and writable.
    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn avx512(out: *mut u32, out_stride: usize, x: *const u32, x_stride: usize) {
        let mut rows: [__m512i; 16] = [_mm512_setzero_si512(); 16];
        for (i, row) in rows.iter_mut().enumerate() {
            // SAFETY: by the contract.
            *row = unsafe { _mm512_loadu_epi32(x.add(i * x_stride).cast()) };
        }
        transpose16(&mut rows);
        for (i, row) in rows.iter().enumerate() {
            // SAFETY: by the contract.
            unsafe { _mm512_storeu_epi32(out.add(i * out_stride).cast(), *row) };
        }
    }
}

/// Transposes 8 x 8: interleaves pairs of rows, then pairs of pairs, then swaps halves.
///
/// # Safety
/// 8 rows of 8 numbers are readable and writable.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn avx2(out: *mut u32, out_stride: usize, x: *const u32, x_stride: usize) {
    use std::arch::x86_64::{
        __m256, _mm256_loadu_ps, _mm256_permute2f128_ps, _mm256_setzero_ps, _mm256_shuffle_ps,
        _mm256_storeu_ps, _mm256_unpackhi_ps, _mm256_unpacklo_ps,
    };

    // SAFETY: by the contract.
    unsafe {
        let mut rows: [__m256; 8] = [_mm256_setzero_ps(); 8];
        for (i, row) in rows.iter_mut().enumerate() {
            *row = _mm256_loadu_ps(x.add(i * x_stride).cast());
        }
        let mut pairs = rows;
        for i in [0, 2, 4, 6] {
            pairs[i] = _mm256_unpacklo_ps(rows[i], rows[i + 1]);
            pairs[i + 1] = _mm256_unpackhi_ps(rows[i], rows[i + 1]);
        }
        // Four rows of column `i` in the lower half, and of column `4 + i` in the upper half.
        let mut fours = pairs;
        for i in [0, 4] {
            fours[i] = _mm256_shuffle_ps::<0x44>(pairs[i], pairs[i + 2]);
            fours[i + 1] = _mm256_shuffle_ps::<0xEE>(pairs[i], pairs[i + 2]);
            fours[i + 2] = _mm256_shuffle_ps::<0x44>(pairs[i + 1], pairs[i + 3]);
            fours[i + 3] = _mm256_shuffle_ps::<0xEE>(pairs[i + 1], pairs[i + 3]);
        }
        for i in 0..4 {
            let (lower, upper) = (fours[i], fours[i + 4]);
            let store =
                |column: usize, row| _mm256_storeu_ps(out.add(column * out_stride).cast(), row);
            store(i, _mm256_permute2f128_ps::<0x20>(lower, upper));
            store(i + 4, _mm256_permute2f128_ps::<0x31>(lower, upper));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::parts::{Columns, Parts};

    proptest! {
        #[test]
        fn transposes_matrices_of_any_size(rows in 0usize..50, columns in 0usize..50, gap in 0usize..3) {
            let (x_stride, out_stride) = (columns + gap, rows + 2 * gap);
            let x: Vec<f32> = (0..rows * x_stride).map(|i| i as f32).collect();
            for isa in Isa::available() {
                let mut out = vec![-1.0; columns * out_stride];
                transpose(isa, &mut out, out_stride, &x, x_stride, rows, columns);
                for (i, &out) in out.iter().enumerate() {
                    let (column, row) = (i / out_stride, i % out_stride);
                    let expected = if row < rows { x[row * x_stride + column] } else { -1.0 };
                    prop_assert_eq!(out, expected, "{}", isa.name());
                }
            }
        }
    }

    #[test]
    fn transposes_into_columns_of_a_matrix() {
        let (rows, columns, stride) = (20, 35, 50);
        let x: Vec<f32> = (0..rows * columns).map(|i| i as f32).collect();
        for isa in Isa::available() {
            let mut matrix = vec![-1.0; 40 * stride];
            // SAFETY: no other part is taken.
            let mut part = unsafe { Columns::new(&mut matrix, stride, 24).part(1) };
            transpose_into(isa, &mut part, 3, &x, columns, rows, columns);
            for (at, &out) in matrix.iter().enumerate() {
                let (column, row) = (at / stride, at % stride);
                let inside = (3..3 + columns).contains(&column) && (24..24 + rows).contains(&row);
                let expected = if inside { x[(row - 24) * columns + column - 3] } else { -1.0 };
                assert_eq!(out, expected, "{} {column} {row}", isa.name());
            }
        }
    }

    #[test]
    #[should_panic(expected = "no such corner")]
    fn a_first_row_that_overflows_panics() {
        let mut matrix = vec![0.0; 64 * 16];
        // SAFETY: no other part is taken.
        let mut part = unsafe { Columns::new(&mut matrix, 16, 16).part(0) };
        transpose_into(Isa::best(), &mut part, usize::MAX - 15, &[1.0; 16 * 16], 16, 16, 16);
    }

    #[test]
    #[should_panic(expected = "result too short")]
    fn short_results_panic() {
        transpose(Isa::best(), &mut [0u32; 5], 2, &[0; 6], 3, 2, 3);
    }
}
