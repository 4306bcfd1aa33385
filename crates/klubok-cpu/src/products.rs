//! The three products of a linear layer, for one tile of the result, in f32 or in bf16: whichever
//! its operands hold.

use klubok_kernels::{
    isa::Isa,
    product::{DEPTH, Lanes, Prefetch, Scalars, Size, product, single},
};

use super::{
    fused::Delta,
    parameter::Parameter,
    values::{GROUP, Values},
};

/// `z = x Wᵀ` for features from number `first` on: `[features][samples]`.
pub(super) fn forward(
    isa: Isa,
    z: &mut [f32],
    x: &Values,
    weight: &Parameter,
    first: usize,
    groups: usize,
) {
    let (stride, ahead) = (x.stride, Prefetch::default());
    let (rows, packed) = (z.len() / stride, &weight.packed);
    if x.pairs.is_empty() {
        let size = Size { rows, groups, depth: x.width };
        let lanes = Lanes { values: &x.rows[..], step: stride, group: GROUP };
        let w = &weight.value[first * weight.stride..];
        let scalars = Scalars { values: w, step: 1, stride: weight.stride };
        product(isa, z, stride, size, lanes, scalars, ahead, false);
    } else {
        let size = Size { rows, groups, depth: x.width.div_ceil(2) };
        let lanes = Lanes { values: &x.pairs[..], step: stride, group: GROUP };
        let w = &packed.rows[first * packed.stride..];
        let scalars = Scalars { values: w, step: 1, stride: packed.stride };
        product(isa, z, stride, size, lanes, scalars, ahead, false);
    }
}

/// [`forward`] in f32 for one sample, where the kernel has a way of its own: `x` is its inputs.
pub(super) fn forward_one(
    isa: Isa,
    z: &mut [f32],
    stride: usize,
    x: &[f32],
    weight: &Parameter,
    first: usize,
) {
    let apart = weight.stride;
    single(isa, z, stride, z.len() / stride, &weight.value[first * apart..], apart, x);
}

/// Numbers of scratch that [`backward_input`] takes for a tile of so many inputs.
pub(super) fn backward_input_scratch(tile: usize) -> usize {
    DEPTH * apart(tile)
}

/// From one row of a copied part of a weight to the next: an odd number of lines, which spreads
/// rows over a cache.
fn apart(tile: usize) -> usize {
    (tile.div_ceil(GROUP) | 1) * GROUP
}

/// `dx = dz W` for inputs from number `first` on: `[inputs][samples]`.
pub(super) fn backward_input(
    isa: Isa,
    dx: &mut [f32],
    dz: &Delta,
    weight: &Parameter,
    first: usize,
    groups: usize,
    scratch: &mut [f32],
) {
    let (stride, ahead) = (dz.stride, Prefetch::default());
    let (rows, packed) = (dx.len() / stride, &weight.packed);
    if dz.pairs.is_empty() {
        // A column of a weight has each number in another line, often in another page: what is read
        // once for every few groups of samples is first brought together.
        let apart = apart(rows);
        for from in (0..weight.rows).step_by(DEPTH) {
            let depth = DEPTH.min(weight.rows - from);
            let w = weight.value[from * weight.stride..].chunks_exact(weight.stride);
            for (copy, w) in scratch.chunks_exact_mut(apart).zip(w).take(depth) {
                copy[..rows].copy_from_slice(&w[first..first + rows]);
            }
            let size = Size { rows, groups, depth };
            let lanes = Lanes { values: &dz.rows[from * stride..], step: stride, group: GROUP };
            let scalars = Scalars { values: &*scratch, step: apart, stride: 1 };
            product(isa, dx, stride, size, lanes, scalars, ahead, from > 0);
        }
    } else {
        let size = Size { rows, groups, depth: weight.rows.div_ceil(2) };
        let lanes = Lanes { values: &dz.pairs[..], step: stride, group: GROUP };
        let w = &packed.turned[first * packed.turned_stride..];
        let scalars = Scalars { values: w, step: 1, stride: packed.turned_stride };
        product(isa, dx, stride, size, lanes, scalars, ahead, false);
    }
}

/// `dW = dzᵀ x` for outputs from number `first` on and inputs from number `from` on, both multiples
/// of 16: rows of `dw` are `stride` apart. `size` is that of the tile, its depth the number of
/// samples. It is added to what is there if `add`.
pub(super) fn backward_weight(
    isa: Isa,
    dw: &mut [f32],
    stride: usize,
    size: Size,
    dz: &Delta,
    x: &Values,
    (first, from): (usize, usize),
    ahead: Prefetch<'_>,
    add: bool,
) {
    let panel = from / GROUP;
    if dz.sample_pairs.is_empty() {
        let panels = &x.panels[panel * x.panel()..];
        let lanes = Lanes { values: panels, step: GROUP, group: x.panel() };
        let values = &dz.rows[first * dz.stride..];
        let scalars = Scalars { values, step: 1, stride: dz.stride };
        product(isa, dw, stride, size, lanes, scalars, ahead, add);
    } else {
        let size = Size { depth: size.depth.div_ceil(2), ..size };
        let panels = &x.paired_panels[panel * x.paired_panel()..];
        let lanes = Lanes { values: panels, step: GROUP, group: x.paired_panel() };
        let half = dz.stride / 2;
        let scalars = Scalars { values: &dz.sample_pairs[first * half..], step: 1, stride: half };
        product(isa, dw, stride, size, lanes, scalars, ahead, add);
    }
}
