//! Matrix products in f64, for analyses such as principal components and linear probes.

use crate::isa::kernel;

/// Partial sums of a dot product.
const LANES: usize = 8;
/// Rows of the second matrix in one pass over a row of the first.
const ROWS_AT_ONCE: usize = 4;

/// Dot products of `x` with each row. Element `i` is added in lane `i % 8`, then the lanes are
/// added pairwise.
#[inline(always)]
fn dots<const N: usize>(x: &[f64], rows: [&[f64]; N]) -> [f64; N] {
    let mut lanes = [[0.0; LANES]; N];
    let (whole, rest) = x.as_chunks::<LANES>();
    let rows = rows.map(|row| row[..x.len()].as_chunks::<LANES>());
    for (chunk, x) in whole.iter().enumerate() {
        for (lanes, (row, _)) in lanes.iter_mut().zip(&rows) {
            for i in 0..LANES {
                lanes[i] += x[i] * row[chunk][i];
            }
        }
    }
    for (lanes, (_, row)) in lanes.iter_mut().zip(&rows) {
        for (lane, (x, y)) in lanes.iter_mut().zip(rest.iter().zip(*row)) {
            *lane += x * y;
        }
    }
    lanes.map(|[a, b, c, d, e, f, g, h]| ((a + e) + (c + g)) + ((b + f) + (d + h)))
}

kernel! {
    /// `out = x yᵀ` with `x [m, width]`, `y [n, width]` and `out [m, n]`. An empty `out` is valid.
    pub fn product(out: &mut [f64], x: &[f64], y: &[f64], width: usize) {
        if out.is_empty() {
            return;
        }
        let n = y.len() / width;
        assert_eq!(out.len() * width, x.len() * n, "x yᵀ does not have this size");
        for (out, x) in out.chunks_exact_mut(n).zip(x.chunks_exact(width)) {
            let (blocks, rest) = out.as_chunks_mut::<ROWS_AT_ONCE>();
            let mut rows = y.chunks_exact(ROWS_AT_ONCE * width);
            for (out, rows) in blocks.iter_mut().zip(&mut rows) {
                *out = dots(x, [0, 1, 2, 3].map(|i| &rows[i * width..]));
            }
            for (out, row) in rest.iter_mut().zip(rows.remainder().chunks_exact(width)) {
                [*out] = dots(x, [row]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::isa::Isa;

    #[test]
    fn a_product_by_hand() {
        let mut out = [0.0; 6];
        let (x, y) = ([1.0, 2.0, 3.0, 4.0], [1.0, 0.0, 0.0, 1.0, 1.0, 1.0]);
        product(Isa::best(), &mut out, &x, &y, 2);
        assert_eq!(out, [1.0, 2.0, 3.0, 3.0, 4.0, 7.0]);
    }

    proptest! {
        #[test]
        fn every_instruction_set_gives_the_same_bits(
            (m, n, width) in (1..6usize, 1..11usize, 1..40usize), seed in any::<u64>(),
        ) {
            let value = |i: usize| (seed.wrapping_mul(2 * i as u64 + 1) >> 40) as f64 / 1e6 - 8.0;
            let x: Vec<f64> = (0..m * width).map(value).collect();
            let y: Vec<f64> = (0..n * width).map(|i| value(i + 1000)).collect();
            let compute = |isa| {
                let mut out = vec![0.0; m * n];
                product(isa, &mut out, &x, &y, width);
                out
            };
            let best = compute(Isa::best());
            for isa in Isa::available() {
                prop_assert_eq!(&compute(isa), &best);
            }
            for (i, x) in x.chunks(width).enumerate() {
                for (j, y) in y.chunks(width).enumerate() {
                    let plain: f64 = x.iter().zip(y).map(|(x, y)| x * y).sum();
                    let length: f64 = x.iter().zip(y).map(|(x, y)| (x * y).abs()).sum();
                    prop_assert!((best[i * n + j] - plain).abs() <= 1e-14 * length);
                }
            }
        }
    }
}
