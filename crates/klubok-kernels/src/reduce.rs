//! Sums in fixed lanes: the order of a sum depends only on its length.

use crate::isa::kernel;

/// Partial sums.
const LANES: usize = 8;

/// `Σ f(x, y)` in f64. Element `i` is added in lane `i % 8`, then the lanes are added pairwise.
#[inline(always)]
pub(crate) fn sum_of(x: &[f32], y: &[f32], f: impl Fn(f64, f64) -> f64) -> f64 {
    let mut lanes = [0.0; LANES];
    let (whole_x, rest_x) = x.as_chunks::<LANES>();
    let (whole_y, rest_y) = y.as_chunks::<LANES>();
    for (x, y) in whole_x.iter().zip(whole_y) {
        for i in 0..LANES {
            lanes[i] += f(f64::from(x[i]), f64::from(y[i]));
        }
    }
    for (lane, (x, y)) in lanes.iter_mut().zip(rest_x.iter().zip(rest_y)) {
        *lane += f(f64::from(*x), f64::from(*y));
    }
    let [a, b, c, d, e, f, g, h] = lanes;
    ((a + e) + (c + g)) + ((b + f) + (d + h))
}

kernel! {
    /// `Σ x` over the first `len` values of every row, as f32. Rows are `stride` apart. If `add`,
    /// adds to the old `sums`.
    pub fn row_sums(sums: &mut [f32], x: &[f32], stride: usize, len: usize, add: bool) {
        for (sum, x) in sums.iter_mut().zip(x.chunks(stride)) {
            let before = if add { *sum } else { 0.0 };
            *sum = before + sum_of(&x[..len], &x[..len], |x, _| x) as f32;
        }
    }
}

kernel! {
    /// `Σ x²`.
    pub fn squares(x: &[f32]) -> f64 {
        sum_of(x, x, |x, _| x * x)
    }
}

kernel! {
    /// `Σ (x - y)²`.
    pub fn squared_distance(x: &[f32], y: &[f32]) -> f64 {
        sum_of(x, y, |x, y| (x - y) * (x - y))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::Isa;

    #[test]
    fn row_sums_write_or_add() {
        for isa in Isa::available() {
            let mut sums = [9.0; 3];
            row_sums(isa, &mut sums, &[1.0, 2.0, 50.0, 3.0, 4.0, 50.0], 3, 2, false);
            assert_eq!(sums, [3.0, 7.0, 9.0]);
            row_sums(isa, &mut sums, &[1.0, 1.0, 50.0], 3, 2, true);
            assert_eq!(sums, [5.0, 7.0, 9.0]);
        }
    }

    #[test]
    fn sums_agree_with_plain_loops_on_every_instruction_set() {
        for len in [0, 1, 7, 8, 9, 100, 1003] {
            let x: Vec<f32> = (0..len).map(|i| (i as f32 * 0.7).sin()).collect();
            let y: Vec<f32> = (0..len).map(|i| (i as f32 * 0.3).cos()).collect();
            let plain = |f: fn(f64, f64) -> f64| -> f64 {
                x.iter().zip(&y).map(|(x, y)| f(f64::from(*x), f64::from(*y))).sum()
            };
            let expected = [plain(|x, _| x * x), plain(|x, y| (x - y) * (x - y))];
            let sums = |isa| [squares(isa, &x), squared_distance(isa, &x, &y)];
            for isa in Isa::available() {
                assert_eq!(sums(isa), sums(Isa::best()), "{len} {}", isa.name());
                for (sum, expected) in sums(isa).into_iter().zip(expected) {
                    assert!((sum - expected).abs() < 1e-9, "{len} {}", isa.name());
                }
            }
        }
    }
}
