//! Row-major symmetric matrices `[n, n]`: eigenvectors, and the solution of linear equations.

use klubok_kernels::{double, isa::Isa};

/// Minimum norm of a row of a matrix with largest value 1. The square of a smaller norm would
/// underflow.
const MIN_NORM: f64 = 1e-100;
/// Maximum QL iterations per eigenvalue; two are usual.
const MAX_ITERATIONS: usize = 50;

/// Returns `x yᵀ` with `x [m, width]` and `y [n, width]`.
///
/// # Panics
/// When the sizes do not match.
pub fn product(x: &[f64], y: &[f64], width: usize) -> Vec<f64> {
    let rows = |of: &[f64]| of.len().checked_div(width).unwrap_or(0);
    let mut out = vec![0.0; rows(x) * rows(y)];
    double::product(Isa::best(), &mut out, x, y, width);
    out
}

/// Returns the eigenvalues in no order, and for each a row with its eigenvector of length 1.
///
/// Householder reflections (1958) make the matrix tridiagonal; implicitly shifted QL steps
/// (Bowdler, Martin, Reinsch and Wilkinson 1968) compute its eigenvalues.
///
/// # Panics
/// When the matrix is not square.
pub fn eigen(mut matrix: Vec<f64>, n: usize) -> (Vec<f64>, Vec<f64>) {
    assert_eq!(matrix.len(), n * n, "a square of side {n}");
    // Scaling avoids overflow and underflow of squares.
    let largest = matrix.iter().fold(0.0, |most: f64, value| most.max(value.abs()));
    if largest == 0.0 || !matrix.iter().all(|value| value.is_finite()) {
        return (vec![0.0; n], identity(n));
    }
    matrix.iter_mut().for_each(|value| *value /= largest);
    let (mut diagonal, mut off_diagonal, mut vectors) = tridiagonal(matrix, n);
    ql_iterations(&mut diagonal, &mut off_diagonal, &mut vectors);
    diagonal.iter_mut().for_each(|value| *value *= largest);
    (diagonal, vectors)
}

/// Returns the tridiagonal `d` as diagonal and off-diagonal, and the rows `t`, with `a = tᵀ d t`.
fn tridiagonal(mut a: Vec<f64>, n: usize) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let (mut off_diagonal, mut betas) = (vec![0.0; n], vec![0.0; n]);
    let (mut p, mut turned) = (vec![0.0; n], identity(n));
    let isa = Isa::best();
    for k in 0..n.saturating_sub(2) {
        let (head, tail) = a.split_at_mut((k + 1) * n);
        let v = &mut head[k * n + k + 1..];
        let length = dot(isa, v, v).sqrt();
        if length < MIN_NORM {
            v.fill(0.0);
            continue;
        }
        off_diagonal[k] = if v[0] > 0.0 { -length } else { length };
        v[0] -= off_diagonal[k];
        betas[k] = 2.0 / dot(isa, v, v);
        // With H = I - β v vᵀ, H A H = A - v wᵀ - w vᵀ, where p = β A v and w = p - β/2 (pᵀ v) v.
        let p = &mut p[k + 1..];
        for (p, row) in p.iter_mut().zip(tail.chunks_exact(n)) {
            *p = betas[k] * dot(isa, &row[k + 1..], v);
        }
        let half = betas[k] / 2.0 * dot(isa, p, v);
        p.iter_mut().zip(&*v).for_each(|(p, v)| *p -= half * v);
        for (i, row) in tail.chunks_exact_mut(n).enumerate() {
            let (vi, wi) = (v[i], p[i]);
            for (value, (v, w)) in row[k + 1..].iter_mut().zip(v.iter().zip(&*p)) {
                *value -= vi * w + wi * v;
            }
        }
    }
    if n > 1 {
        off_diagonal[n - 2] = a[(n - 2) * n + n - 1];
    }
    // Applies the reflections in reverse, each to the block behind its own row: t = ... H₁ H₀.
    for k in (0..n.saturating_sub(2)).rev() {
        let v = &a[k * n + k + 1..(k + 1) * n];
        for row in turned[(k + 1) * n..].chunks_exact_mut(n) {
            let row = &mut row[k + 1..];
            let along = betas[k] * dot(isa, row, v);
            row.iter_mut().zip(v).for_each(|(value, v)| *value -= along * v);
        }
    }
    ((0..n).map(|i| a[i * n + i]).collect(), off_diagonal, turned)
}

/// Rotates the off-diagonal to zero, and the rows with it.
fn ql_iterations(diagonal: &mut [f64], off_diagonal: &mut [f64], rows: &mut [f64]) {
    let n = diagonal.len();
    for l in 0..n {
        for _ in 0..MAX_ITERATIONS {
            let small = |m: &usize| {
                off_diagonal[*m].abs()
                    <= f64::EPSILON * (diagonal[*m].abs() + diagonal[*m + 1].abs())
            };
            let m = (l..n - 1).find(small).unwrap_or(n - 1);
            if m == l {
                break;
            }
            let half = (diagonal[l + 1] - diagonal[l]) / (2.0 * off_diagonal[l]);
            let shift = off_diagonal[l] / (half + (half * half + 1.0).sqrt().copysign(half));
            let (mut g, mut s, mut c, mut p) = (diagonal[m] - diagonal[l] + shift, 1.0, 1.0, 0.0);
            let mut i = m;
            while i > l {
                i -= 1;
                let (f, b) = (s * off_diagonal[i], c * off_diagonal[i]);
                let r = (f * f + g * g).sqrt();
                off_diagonal[i + 1] = r;
                if r == 0.0 {
                    // The matrix splits here; the next iteration continues.
                    diagonal[i + 1] -= p;
                    i += 1;
                    break;
                }
                (s, c) = (f / r, g / r);
                g = diagonal[i + 1] - p;
                let r = (diagonal[i] - g) * s + 2.0 * c * b;
                p = s * r;
                diagonal[i + 1] = g + p;
                g = c * r - b;
                let (low, high) = rows[i * n..(i + 2) * n].split_at_mut(n);
                for (low, high) in low.iter_mut().zip(high) {
                    (*low, *high) = (c * *low - s * *high, s * *low + c * *high);
                }
            }
            if i == l {
                diagonal[l] -= p;
                off_diagonal[l] = g;
            }
            off_diagonal[m] = 0.0;
        }
    }
}

/// Solves `A X = Y` by Cholesky, `A = L Lᵀ`, with `Y` and `X` as rows `[k, n]`, one per right-hand
/// side. None if `A` is not positive definite.
///
/// # Panics
/// When the sizes do not match.
pub fn solve(mut a: Vec<f64>, n: usize, mut y: Vec<f64>) -> Option<Vec<f64>> {
    assert_eq!(a.len(), n * n, "a square of side {n}");
    if n == 0 {
        return Some(y);
    }
    let isa = Isa::best();
    for i in 0..n {
        let (above, row) = a.split_at_mut(i * n);
        for j in 0..i {
            let other = &above[j * n..];
            row[j] = (row[j] - dot(isa, &row[..j], &other[..j])) / other[j];
        }
        let rest = row[i] - dot(isa, &row[..i], &row[..i]);
        if rest.is_nan() || rest <= 0.0 {
            return None;
        }
        row[i] = rest.sqrt();
    }
    for x in y.chunks_exact_mut(n) {
        for i in 0..n {
            x[i] = (x[i] - dot(isa, &a[i * n..][..i], &x[..i])) / a[i * n + i];
        }
        for i in (0..n).rev() {
            x[i] /= a[i * n + i];
            let (before, at) = x.split_at_mut(i);
            before.iter_mut().zip(&a[i * n..]).for_each(|(x, l)| *x -= l * at[0]);
        }
    }
    Some(y)
}

fn identity(n: usize) -> Vec<f64> {
    (0..n * n).map(|i| f64::from(u8::from(i / n == i % n))).collect()
}

fn dot(isa: Isa, x: &[f64], y: &[f64]) -> f64 {
    let mut out = [0.0];
    if !x.is_empty() {
        double::product(isa, &mut out, x, y, x.len());
    }
    out[0]
}

#[cfg(test)]
mod tests {
    use klubok_nn::rng::{Purpose, Stream};
    use proptest::prelude::*;

    use super::*;

    /// `Σ λᵢ vᵢ vᵢᵀ`.
    fn reconstruct(values: &[f64], vectors: &[f64]) -> Vec<f64> {
        let n = values.len();
        let mut a = vec![0.0; n * n];
        for (value, v) in values.iter().zip(vectors.chunks(n)) {
            for i in 0..n {
                (0..n).for_each(|j| a[i * n + j] += value * v[i] * v[j]);
            }
        }
        a
    }

    #[track_caller]
    fn same(a: &[f64], b: &[f64], tolerance: f64) {
        assert_eq!(a.len(), b.len());
        for (a, b) in a.iter().zip(b) {
            assert!((a - b).abs() <= tolerance, "{a} {b}");
        }
    }

    #[test]
    fn solves_a_matrix_by_hand() {
        // Eigenvalues 3 and 1 along (1, 1) and (1, -1).
        let (values, vectors) = eigen(vec![2.0, 1.0, 1.0, 2.0], 2);
        let mut sorted = values.clone();
        sorted.sort_by(f64::total_cmp);
        same(&sorted, &[1.0, 3.0], 1e-15);
        same(&reconstruct(&values, &vectors), &[2.0, 1.0, 1.0, 2.0], 1e-15);
        same(&solve(vec![2.0, 1.0, 1.0, 2.0], 2, vec![3.0, 3.0]).unwrap(), &[1.0, 1.0], 1e-15);
    }

    #[test]
    fn a_matrix_that_is_not_positive_definite_has_no_solution() {
        assert!(solve(vec![1.0, 2.0, 2.0, 1.0], 2, vec![1.0, 1.0]).is_none());
        assert!(solve(vec![f64::NAN], 1, vec![1.0]).is_none());
    }

    #[test]
    fn non_finite_and_empty_matrices_terminate() {
        for wrong in [f64::NAN, f64::INFINITY] {
            let (values, _) = eigen(vec![1.0, wrong, wrong, 1.0], 2);
            assert_eq!(values, [0.0, 0.0]);
        }
        assert_eq!(eigen(vec![], 0), (vec![], vec![]));
        assert_eq!((product(&[], &[], 3), solve(vec![], 0, vec![])), (vec![], Some(vec![])));
        assert_eq!(eigen(vec![7.0], 1), (vec![7.0], vec![1.0]));
    }

    /// Two samples, each repeated: after two steps only accumulated rounding errors remain.
    #[test]
    fn repeated_samples_have_two_eigenvalues() {
        let x: Vec<f64> =
            (0..256).flat_map(|i| if i % 2 == 0 { [0.3, 0.7] } else { [0.9, -0.4] }).collect();
        let (values, vectors) = eigen(product(&x, &x, 2), 256);
        assert!(values.iter().chain(&vectors).all(|value| value.is_finite()));
        assert_eq!(values.iter().filter(|value| value.abs() > 1e-9).count(), 2);
    }

    proptest! {
        /// Covers eigenvalues of 0: samples that span fewer dimensions than there are samples.
        #[test]
        fn eigenvalues_and_eigenvectors_reconstruct_the_matrix(
            n in 1..40usize, width in 1..40usize, seed in any::<u64>(), scale in -150..150i32,
        ) {
            let mut stream = Stream::new(seed, Purpose::Demo, 0, 0);
            let scale = 10f64.powi(scale);
            let x: Vec<f64> = (0..n * width).map(|_| scale * (stream.uniform() - 0.5)).collect();
            let a = product(&x, &x, width);
            let largest = a.iter().fold(0.0, |most: f64, value| most.max(value.abs()));
            let (values, vectors) = eigen(a.clone(), n);
            same(&reconstruct(&values, &vectors), &a, 1e-13 * n as f64 * largest);
            let lengths = product(&vectors, &vectors, n);
            same(&lengths, &identity(n), 1e-13 * n as f64);
        }

        #[test]
        fn the_solution_satisfies_the_equation(n in 1..30usize, k in 1..4usize, seed in any::<u64>()) {
            let mut stream = Stream::new(seed, Purpose::Demo, 0, 0);
            let mut some = |count| (0..count).map(|_| stream.uniform() - 0.5).collect::<Vec<f64>>();
            let (x, wanted) = (some(n * 2 * n), some(k * n));
            let mut a = product(&x, &x, 2 * n);
            (0..n).for_each(|i| a[i * n + i] += 0.1);
            let y = product(&wanted, &a, n);
            same(&solve(a, n, y).unwrap(), &wanted, 1e-9);
        }
    }
}
