//! The three matrix products of a linear layer, for one tile of the result. The precision of the
//! operands, f32 or bf16, selects the kernel.

use klubok_kernels::{
    isa::Isa,
    product::{DEPTH, Lanes, Prefetch, Scalars, Size, matvec, product},
};

use super::{
    fused::Delta,
    parameter::Parameter,
    values::{GROUP, Values},
};

/// `z = x Wᵀ` for the features from `first` on; `z` is `[features][samples]`.
pub(super) fn forward(
    isa: Isa,
    z: &mut [f32],
    x: &Values,
    weight: &Parameter,
    first: usize,
    groups: usize,
) {
    let (stride, prefetch) = (x.stride, Prefetch::default());
    let (rows, packed) = (z.len() / stride, &weight.packed);
    if x.pairs.is_empty() {
        let size = Size { rows, groups, depth: x.width };
        let lanes = Lanes { values: &x.rows[..], step: stride, group: GROUP };
        let w = &weight.value[first * weight.stride..];
        let scalars = Scalars { values: w, step: 1, stride: weight.stride };
        product(isa, z, stride, size, lanes, scalars, prefetch, false);
    } else {
        let size = Size { rows, groups, depth: x.width.div_ceil(2) };
        let lanes = Lanes { values: &x.pairs[..], step: stride, group: GROUP };
        let w = &packed.rows[first * packed.stride..];
        let scalars = Scalars { values: w, step: 1, stride: packed.stride };
        product(isa, z, stride, size, lanes, scalars, prefetch, false);
    }
}

/// [`forward`] in f32 for a single sample `x`, as a matrix-vector product.
pub(super) fn forward_single(
    isa: Isa,
    z: &mut [f32],
    stride: usize,
    x: &[f32],
    weight: &Parameter,
    first: usize,
) {
    let w = &weight.value[first * weight.stride..];
    matvec(isa, z, stride, z.len() / stride, w, weight.stride, x);
}

/// Numbers of scratch memory that [`backward_input`] needs for a tile of `tile` inputs.
pub(super) fn backward_input_scratch(tile: usize) -> usize {
    DEPTH * copy_stride(tile)
}

/// Row stride of a copied tile of a weight: an odd number of cache lines, which spreads the rows
/// over the sets of a cache.
fn copy_stride(tile: usize) -> usize {
    (tile.div_ceil(GROUP) | 1) * GROUP
}

/// `dx = dz W` for the inputs from `first` on; `dx` is `[inputs][samples]`.
pub(super) fn backward_input(
    isa: Isa,
    dx: &mut [f32],
    dz: &Delta,
    weight: &Parameter,
    first: usize,
    groups: usize,
    scratch: &mut [f32],
) {
    let (stride, prefetch) = (dz.stride, Prefetch::default());
    let (rows, packed) = (dx.len() / stride, &weight.packed);
    if dz.pairs.is_empty() {
        // The numbers of a weight's column lie in different cache lines, often in different pages.
        // The product reads them once for every few groups of samples, so copy them together first.
        let copy_stride = copy_stride(rows);
        for from in (0..weight.rows).step_by(DEPTH) {
            let depth = DEPTH.min(weight.rows - from);
            let w = weight.value[from * weight.stride..].chunks_exact(weight.stride);
            for (copy, w) in scratch.chunks_exact_mut(copy_stride).zip(w).take(depth) {
                copy[..rows].copy_from_slice(&w[first..first + rows]);
            }
            let size = Size { rows, groups, depth };
            let lanes = Lanes { values: &dz.rows[from * stride..], step: stride, group: GROUP };
            let scalars = Scalars { values: &*scratch, step: copy_stride, stride: 1 };
            product(isa, dx, stride, size, lanes, scalars, prefetch, from > 0);
        }
    } else {
        let size = Size { rows, groups, depth: weight.rows.div_ceil(2) };
        let lanes = Lanes { values: &dz.pairs[..], step: stride, group: GROUP };
        let w = &packed.transposed[first * packed.transposed_stride..];
        let scalars = Scalars { values: w, step: 1, stride: packed.transposed_stride };
        product(isa, dx, stride, size, lanes, scalars, prefetch, false);
    }
}

/// `dW = dzᵀ x` for the outputs from `first` on and the inputs from `from` on, both multiples of
/// 16. Rows of `dw` are `stride` apart. `size` is the size of the tile, its depth the number of
/// samples. If `add`, adds to `dw`.
pub(super) fn backward_weight(
    isa: Isa,
    dw: &mut [f32],
    stride: usize,
    size: Size,
    dz: &Delta,
    x: &Values,
    (first, from): (usize, usize),
    prefetch: Prefetch<'_>,
    add: bool,
) {
    let panel = from / GROUP;
    if dz.sample_pairs.is_empty() {
        let panels = &x.panels[panel * x.panel()..];
        let lanes = Lanes { values: panels, step: GROUP, group: x.panel() };
        let values = &dz.rows[first * dz.stride..];
        let scalars = Scalars { values, step: 1, stride: dz.stride };
        product(isa, dw, stride, size, lanes, scalars, prefetch, add);
    } else {
        let size = Size { depth: size.depth.div_ceil(2), ..size };
        let panels = &x.paired_panels[panel * x.paired_panel()..];
        let lanes = Lanes { values: panels, step: GROUP, group: x.paired_panel() };
        let half = dz.stride / 2;
        let scalars = Scalars { values: &dz.sample_pairs[first * half..], step: 1, stride: half };
        product(isa, dw, stride, size, lanes, scalars, prefetch, add);
    }
}
