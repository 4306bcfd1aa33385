//! The output of a fused layer or of the input, in the layouts that products read.
//!
//! The forward pass reads rows, `[features][samples]`. The gradient of a weight reads panels, with
//! features in the lanes; only training writes them. In bf16, products read pairs instead: pairs of
//! features with samples in the lanes, and panels of pairs of samples with features in the lanes.

use klubok_kernels::{
    buffer::{Buffer, NoMemory},
    isa::Isa,
    pack::{Pair, as_pairs, pair_neighbours, pair_rows},
    parts::{Chunks, ColumnBlock, Columns},
    product,
    transpose::{transpose, transpose_into},
};
use klubok_nn::plan::Precision;

/// Features per panel, and samples per group.
pub(super) const GROUP: usize = product::GROUP;

/// Cost per value without the product (activation, layouts), in multiply-adds of a product.
pub(super) const PER_VALUE: usize = 16;

/// Values of up to `stride` samples.
pub(super) struct Values {
    pub(super) width: usize,
    /// Distance from one feature to the next in `rows`, and from one pair of features to the next
    /// in `pairs`.
    pub(super) stride: usize,
    /// `[features][samples]`.
    pub(super) rows: Buffer,
    /// `[features / 16][samples][16]` in f32.
    pub(super) panels: Buffer,
    /// `[features / 2][samples]` in bf16.
    pub(super) pairs: Buffer<Pair>,
    /// `[features / 16][samples / 2][16]` in bf16.
    pub(super) paired_panels: Buffer<Pair>,
}

impl Values {
    /// Allocates values in the layouts that products of precision `read` need; only rows with
    /// `None`.
    ///
    /// # Errors
    /// When the memory does not suffice.
    pub(super) fn new(
        width: usize,
        stride: usize,
        read: Option<Precision>,
    ) -> Result<Self, NoMemory> {
        let panels = width.div_ceil(GROUP);
        let [f32, bf16] = [Precision::F32, Precision::Bf16].map(|p| usize::from(read == Some(p)));
        Ok(Self {
            width,
            stride,
            rows: Buffer::new(width * stride)?,
            panels: Buffer::new(f32 * panels * panel(stride))?,
            pairs: Buffer::new(bf16 * width.div_ceil(2) * stride)?,
            paired_panels: Buffer::new(bf16 * panels * panel(stride / 2))?,
        })
    }

    /// Length of a panel.
    pub(super) fn panel(&self) -> usize {
        panel(self.stride)
    }

    /// Length of a panel of pairs.
    pub(super) fn paired_panel(&self) -> usize {
        panel(self.stride / 2)
    }

    /// Splits the values into tiles of `tile` features, a multiple of 16.
    pub(super) fn by_features(&mut self, tile: usize) -> ByFeatures<'_> {
        let (stride, panel, paired) = (self.stride, self.panel(), self.paired_panel());
        (
            Chunks::new(&mut self.rows, tile * stride),
            Chunks::new(&mut self.panels, tile / GROUP * panel),
            Chunks::new(&mut self.pairs, tile / 2 * stride),
            Chunks::new(&mut self.paired_panels, tile / GROUP * paired),
        )
    }

    /// Splits the values into tiles of 16 samples.
    pub(super) fn by_samples(&mut self) -> BySamples<'_> {
        let (stride, panel, paired) = (self.stride, self.panel(), self.paired_panel());
        (
            Columns::new(&mut self.rows, stride, GROUP),
            Columns::new(&mut self.panels, panel, GROUP * GROUP),
            Columns::new(&mut self.pairs, stride, GROUP),
            Columns::new(&mut self.paired_panels, paired, GROUP * GROUP / 2),
        )
    }

    /// Appends the values to `out` as `[samples, width]`.
    pub(super) fn append_samples(&self, isa: Isa, samples: usize, out: &mut Vec<f32>) {
        let from = out.len();
        out.resize(from + samples * self.width, 0.0);
        let (width, stride) = (self.width, self.stride);
        transpose(isa, &mut out[from..], width, &self.rows, stride, width, samples);
    }
}

type ByFeatures<'a> = (Chunks<'a, f32>, Chunks<'a, f32>, Chunks<'a, Pair>, Chunks<'a, Pair>);
type BySamples<'a> = (Columns<'a, f32>, Columns<'a, f32>, Columns<'a, Pair>, Columns<'a, Pair>);

/// A tile of some features.
pub(super) type Features<'a> = (&'a mut [f32], &'a mut [f32], &'a mut [Pair], &'a mut [Pair]);
/// A tile of 16 samples.
pub(super) type Samples<'a> =
    (ColumnBlock<'a>, ColumnBlock<'a>, ColumnBlock<'a, Pair>, ColumnBlock<'a, Pair>);

/// Length of a panel. One extra cache line keeps neighbouring panels from competing for the same
/// sets of a cache.
fn panel(samples: usize) -> usize {
    (samples + 1) * GROUP
}

/// Numbers of scratch memory that [`lay_out_features`] needs.
pub(super) fn layout_scratch(stride: usize) -> usize {
    GROUP * stride / 2
}

/// Writes the other layouts of a tile of features from its rows; panels only in training.
pub(super) fn lay_out_features(
    isa: Isa,
    tile: Features<'_>,
    stride: usize,
    batch: usize,
    training: bool,
    scratch: &mut [f32],
) {
    let (rows, panels, pairs, paired_panels) = tile;
    let rows = &*rows;
    if training && !panels.is_empty() {
        for (panel, rows) in panels.chunks_exact_mut(panel(stride)).zip(rows.chunks(GROUP * stride))
        {
            transpose(isa, panel, GROUP, rows, stride, rows.len() / stride, batch);
        }
    }
    pair_features(isa, pairs, rows, stride, batch);
    if training && !paired_panels.is_empty() {
        let (half, samples) = (stride / 2, batch.div_ceil(2));
        let pairs = &mut as_pairs(scratch)[..GROUP * half];
        let panels = paired_panels.chunks_exact_mut(panel(half));
        for (panel, rows) in panels.zip(rows.chunks(GROUP * stride)) {
            pair_samples(isa, pairs, half, rows, stride, batch);
            transpose(isa, panel, GROUP, pairs, half, rows.len() / stride, samples);
        }
    }
}

/// Packs pairs of rows, as many as fit: `[features / 2][samples]`.
pub(super) fn pair_features(
    isa: Isa,
    pairs: &mut [Pair],
    rows: &[f32],
    stride: usize,
    batch: usize,
) {
    let samples = batch.next_multiple_of(GROUP);
    for (pairs, rows) in pairs.chunks_exact_mut(stride).zip(rows.chunks(2 * stride)) {
        let (first, second) = rows.split_at(stride);
        let second = (!second.is_empty()).then(|| &second[..samples]);
        pair_rows(isa, &mut pairs[..samples], &first[..samples], second);
    }
}

/// Packs pairs of neighbours in each row: `[features][samples / 2]`, rows `half` apart.
pub(super) fn pair_samples(
    isa: Isa,
    pairs: &mut [Pair],
    half: usize,
    rows: &[f32],
    stride: usize,
    batch: usize,
) {
    for (pairs, row) in pairs.chunks_exact_mut(half).zip(rows.chunks_exact(stride)) {
        pair_neighbours(isa, pairs, &row[..batch]);
    }
}

/// Writes a tile of 16 samples from `x`, `[samples][features]`; panels only in training. Rows of
/// `x` are `x_stride` apart, a multiple of 16, and padded with zeros. In bf16, only inference
/// writes `rows`, for callers that read the input.
pub(super) fn lay_out_samples(
    isa: Isa,
    tile: Samples<'_>,
    x: &[f32],
    x_stride: usize,
    width: usize,
    training: bool,
    scratch: &mut [f32],
) {
    let (mut rows, mut panels, mut pairs, mut paired_panels) = tile;
    if pairs.rows() == 0 || !training {
        transpose_into(isa, &mut rows, 0, x, x_stride, GROUP, width);
    }
    if training {
        copy_panels(&mut panels, x, x_stride);
    }
    if pairs.rows() > 0 {
        let half = x_stride / 2;
        let scratch = &mut as_pairs(scratch)[..GROUP * half];
        pair_samples(isa, scratch, half, x, x_stride, width);
        transpose_into(isa, &mut pairs, 0, scratch, half, GROUP, width.div_ceil(2));
        if training {
            pair_features(isa, scratch, x, x_stride, width);
            copy_panels(&mut paired_panels, scratch, x_stride);
        }
    }
}

/// Copies rows of features into panels of 16 features.
fn copy_panels<T: Copy>(panels: &mut ColumnBlock<'_, T>, x: &[T], x_stride: usize) {
    let width = panels.rows() * GROUP;
    for (sample, x) in x.chunks_exact(x_stride).take(panels.width() / GROUP).enumerate() {
        for (panel, x) in x[..width].as_chunks::<GROUP>().0.iter().enumerate() {
            panels.row(panel).as_chunks_mut::<GROUP>().0[sample] = *x;
        }
    }
}
