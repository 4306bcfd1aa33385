//! Tests of products against plain sums.

use std::panic::{AssertUnwindSafe, catch_unwind};

use proptest::prelude::*;

use super::*;
use crate::{
    pack::{pair_neighbours, round},
    parts::{Columns, Parts as _, tests::sizes},
    transpose::{transpose, transpose_into},
};

/// Small integers: all products and sums are exact, in any order.
fn integers(len: usize, seed: usize) -> Vec<f32> {
    (0..len).map(|i| ((i * 7919 + seed * 104_729) % 17) as f32 - 8.0).collect()
}

proptest! {
    #[test]
    fn agrees_with_the_plain_sum(
        rows in 0usize..20, groups in 0usize..8, depth in 0usize..600, gap in 0usize..3, add: bool,
    ) {
        let lanes_of = groups * GROUP;
        let (step, stride) = (lanes_of + gap, lanes_of + gap);
        let x = integers(depth * step, 1);
        let s = integers(depth * (rows + gap), 2);
        let start = integers(rows * stride, 3);
        let size = Size { rows, groups, depth };
        let lanes = Lanes { values: &x, step, group: GROUP };
        let scalars = Scalars { values: &s, step: rows + gap, stride: 1 };
        for isa in Isa::available() {
            let mut out = start.clone();
            product(isa, &mut out, stride.max(1), size, lanes, scalars, Prefetch::default(), add);
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
fn operands_may_have_any_strides() {
    // Two groups of lanes 100 apart, and three contiguous rows of scalars.
    let x = integers(200, 1);
    let s = integers(3 * 5, 2);
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
            Prefetch::default(),
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
fn rounding_errors_stay_within_their_bound() {
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
            Prefetch::default(),
            false,
        );
        for (lane, &out) in out.iter().enumerate() {
            let terms = |k: usize| f64::from(s[k]) * f64::from(x[k * GROUP + lane]);
            let sum: f64 = (0..depth).map(terms).sum();
            let size: f64 = (0..depth).map(|k| terms(k).abs()).sum();
            // The error of a sum of n terms is at most n ε Σ|terms|, here with n = 256 terms + 20
            // blocks.
            let bound = (DEPTH + depth / DEPTH + 1) as f64 * f64::from(f32::EPSILON) / 2.0 * size;
            assert!((f64::from(out) - sum).abs() <= bound, "{} lane {lane}", isa.name());
        }
    }
}

#[test]
#[should_panic(expected = "operand of lanes too short")]
fn short_operands_panic() {
    let lanes = Lanes { values: &[0.0; 31], step: GROUP, group: GROUP };
    let scalars = Scalars { values: &[0.0; 2], step: 1, stride: 1 };
    let size = Size { rows: 1, groups: 1, depth: 2 };
    product(Isa::best(), &mut [0.0; 16], GROUP, size, lanes, scalars, Prefetch::default(), false);
}

/// A product of pairs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Case {
    pub(super) rows: usize,
    pub(super) groups: usize,
    pub(super) depth: usize,
    /// Padding between two rows of each matrix.
    pub(super) gap: usize,
    pub(super) add: bool,
}

/// Pairs of small integers, exact in bf16: all products and sums are exact, in any order.
fn integer_pairs(len: usize, seed: usize) -> (Vec<f32>, Vec<Pair>) {
    let numbers = integers(2 * len, seed);
    let mut pairs = vec![0; len];
    pair_neighbours(Isa::best(), &mut pairs, &numbers);
    (numbers, pairs)
}

/// Compares `compute`, a kernel for blocks of pairs, with the plain sum.
#[track_caller]
pub(super) fn check_pairs(case: Case, compute: impl Fn(Block<Pair>)) {
    let Case { rows, groups, depth, gap, add } = case;
    let stride = groups * GROUP + gap;
    let (x, x_pairs) = integer_pairs(depth * stride, 1);
    let (s, s_pairs) = integer_pairs(rows * (depth + gap), 2);
    let start = integers(rows * stride, 3);
    let lanes = Lanes { values: &x_pairs, step: stride, group: GROUP };
    let scalars = Scalars { values: &s_pairs, step: 1, stride: depth + gap };
    let mut out = start.clone();
    let size = Size { rows, groups, depth };
    blocks(&mut out, stride, size, lanes, scalars, Prefetch::default(), add).for_each(compute);
    for (at, &out) in out.iter().enumerate() {
        let (row, lane) = (at / stride, at % stride);
        let term = |k: usize| {
            let (s, x) = (2 * (row * (depth + gap) + k), 2 * (k * stride + lane));
            (s, x)
        };
        let sum: f32 = (0..depth).map(term).map(|(i, j)| s[i] * x[j] + s[i + 1] * x[j + 1]).sum();
        let inside = lane < groups * GROUP;
        let expected =
            if inside { sum } else { 0.0 } + if add || !inside { start[at] } else { 0.0 };
        assert_eq!(out, expected, "row {row} lane {lane} {case:?}");
    }
}

proptest! {
    #[test]
    fn pairs_agree_with_the_plain_sum(
        rows in 0usize..40, groups in 0usize..8, depth in 0usize..300, gap in 0usize..3, add: bool,
    ) {
        for isa in Isa::available_bf16() {
            check_pairs(Case { rows, groups, depth, gap, add }, |block| {
                // SAFETY: `blocks` checked the block for this size.
                unsafe { Pair::block(isa, block, rows, groups) }
            });
        }
    }
}

#[test]
fn rounding_errors_of_pairs_stay_within_their_bound() {
    let depth = 2000;
    let x: Vec<f32> = (0..2 * depth * GROUP).map(|i| (i as f32).sin()).collect();
    let s: Vec<f32> = (0..2 * depth).map(|i| (i as f32 * 0.7).cos()).collect();
    let pairs = |of: &[f32]| {
        let mut pairs = vec![0; of.len() / 2];
        pair_neighbours(Isa::best(), &mut pairs, of);
        pairs
    };
    let (x_pairs, s_pairs) = (pairs(&x), pairs(&s));
    let lanes = Lanes { values: &x_pairs, step: GROUP, group: GROUP };
    let scalars = Scalars { values: &s_pairs, step: 1, stride: depth };
    let size = Size { rows: 1, groups: 1, depth };
    for isa in Isa::available_bf16() {
        let mut out = [0.0; GROUP];
        product(isa, &mut out, GROUP, size, lanes, scalars, Prefetch::default(), false);
        for (lane, &out) in out.iter().enumerate() {
            let term = |i: usize| {
                let x = x[2 * (i / 2 * GROUP + lane) + i % 2];
                f64::from(round(s[i])) * f64::from(round(x))
            };
            let sum: f64 = (0..2 * depth).map(term).sum();
            let size: f64 = (0..2 * depth).map(|i| term(i).abs()).sum();
            // The bound of f32, with two terms per pair.
            let bound =
                (2 * DEPTH + depth / DEPTH + 1) as f64 * f64::from(f32::EPSILON) / 2.0 * size;
            assert!((f64::from(out) - sum).abs() <= bound, "{} lane {lane}", isa.name_bf16());
        }
    }
}

/// Calls `write` with the middle of a buffer. Asserts that it leaves the memory before and behind
/// unchanged, and everything unchanged if it panics.
#[track_caller]
fn stays_inside(len: usize, write: impl FnOnce(&mut [f32])) {
    const GUARD: usize = 4096;
    let mut buffer = vec![7.0; len + 2 * GUARD];
    let done = catch_unwind(AssertUnwindSafe(|| write(&mut buffer[GUARD..][..len]))).is_ok();
    let (before, rest) = buffer.split_at(GUARD);
    let (middle, behind) = rest.split_at(len);
    assert!(before.iter().chain(behind).all(|x| *x == 7.0), "wrote outside of the result");
    assert!(done || middle.iter().all(|x| *x == 7.0), "wrote and then panicked");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// For any sizes, safe functions either panic before they write, or write only to the result.
    #[test]
    fn absurd_sizes_panic_or_stay_inside(
        rows in sizes(), groups in sizes(), depth in sizes(), stride in sizes(), step in sizes(),
        group in sizes(), apart in sizes(), len in 0usize..400, given in 0usize..400, add: bool,
    ) {
        // A step of 0 allows any depth, and the sum would take forever.
        let (step, terms) = (step.max(1), apart.max(1));
        let x = vec![1.0; given];
        let pairs = vec![0x3F80_3F80; given];
        let size = Size { rows, groups, depth };
        let ahead = Prefetch { values: [&x; 3], stride: apart };
        for isa in Isa::available_bf16() {
            stays_inside(len, |out| {
                let lanes = Lanes { values: &x, step, group };
                let scalars = Scalars { values: &x, step: terms, stride: group };
                product(isa, out, stride, size, lanes, scalars, ahead, add);
            });
            stays_inside(len, |out| {
                let lanes = Lanes { values: &pairs[..], step, group };
                let scalars = Scalars { values: &pairs[..], step: 1, stride: apart };
                product(isa, out, stride, size, lanes, scalars, ahead, add);
            });
            stays_inside(len, |out| transpose(isa, out, stride, &x, step, rows, depth));
            stays_inside(len, |out| {
                let width = (stride % 30).max(1);
                let whole = len / width * width;
                // SAFETY: no other part is taken.
                let mut part = unsafe { Columns::new(&mut out[..whole], width, group).part(0) };
                transpose_into(isa, &mut part, apart, &x, step, rows, depth);
            });
            if has_matvec(isa) {
                // A stride of 0 allows any number of rows.
                let rows = if stride == 0 { rows % 100 } else { rows };
                stays_inside(len, |out| {
                    let apart = apart / GROUP * GROUP;
                    matvec(isa, out, stride, rows, &x, apart, &x[..apart.min(depth).min(given)]);
                });
            }
        }
    }
}

#[test]
#[should_panic(expected = "rows of the result overlap")]
fn overlapping_rows_of_the_result_panic() {
    let lanes = Lanes { values: &[0.0; 16], step: GROUP, group: GROUP };
    let scalars = Scalars { values: &[0.0; 3], step: 1, stride: 1 };
    let size = Size { rows: 3, groups: 1, depth: 1 };
    product(Isa::best(), &mut [0.0; 48], 15, size, lanes, scalars, Prefetch::default(), false);
}
