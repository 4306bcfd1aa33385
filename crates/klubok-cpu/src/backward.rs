//! The backward pass of a fused layer: `dx = dz W`, then the gradients of its parameters and their
//! update.

use klubok_kernels::{
    activation::{multiply, relu_backward},
    isa::Isa,
    norm,
    pack::Pair,
    parts::Chunks,
    pool::Pool,
    product::{Prefetch, Size},
    reduce::row_sums,
};

use super::{
    Form, MicroBatch,
    fused::{Delta, Feature, FusedLayer, Gate},
    products,
    tile::{COLUMNS, PER_UPDATE, Tile},
    update::{Sums, Update},
    values::{GROUP, PER_VALUE, Values, pair_features, pair_samples},
};

/// Everything that a tile needs for the backward pass of activation, dropout and normalisation.
#[derive(Clone, Copy)]
struct ElementwiseBackward<'a> {
    isa: Isa,
    micro_batch: MicroBatch,
    stride: usize,
    gate: Gate,
    y: &'a [f32],
    slope: &'a [f32],
    norm: Option<NormBackward<'a>>,
}

/// The part of [`ElementwiseBackward`] for normalisation.
#[derive(Clone, Copy)]
struct NormBackward<'a> {
    features: &'a [Feature],
    normalised: &'a [f32],
    gain: &'a [f32],
}

/// Memory of a fused layer's gradients: of its output, and of its bias, gain and shift.
struct Gradients<'a> {
    delta: &'a mut [f32],
    sample_pairs: &'a mut [Pair],
    pairs: &'a mut [Pair],
    bias: &'a mut [f32],
    gain: &'a mut [f32],
    shift: &'a mut [f32],
}

impl FusedLayer {
    /// Backward pass of the last layer from its output to its linear part.
    pub(super) fn backward_output(&mut self, isa: Isa, pool: &mut Pool, micro_batch: MicroBatch) {
        let (width, tile) = (self.y.width, self.weight.tile);
        let work = tile * micro_batch.rows * PER_VALUE;
        let (elementwise, gradients) = self.elementwise(isa, micro_batch);
        pool.run(
            width.div_ceil(tile),
            work,
            gradients.parts(tile, elementwise.stride),
            |i, part, _| {
                elementwise.run(i * tile, &mut part.into());
            },
        );
    }

    /// Backward pass from the linear part of this layer to that of the layer `before`.
    pub(super) fn backward_input(
        &self,
        isa: Isa,
        pool: &mut Pool,
        before: &mut FusedLayer,
        micro_batch: MicroBatch,
    ) {
        let (width, tile) = (before.y.width, before.weight.tile);
        let groups = micro_batch.rows.div_ceil(GROUP);
        let work = tile * micro_batch.rows * (self.y.width + PER_VALUE);
        let (elementwise, gradients) = before.elementwise(isa, micro_batch);
        pool.run(
            width.div_ceil(tile),
            work,
            gradients.parts(tile, elementwise.stride),
            |i, part, scratch| {
                let (first, mut part) = (i * tile, Gradients::from(part));
                let (dz, weight) = (&self.delta, &self.weight);
                products::backward_input(isa, part.delta, dz, weight, first, groups, scratch);
                elementwise.run(first, &mut part);
            },
        );
    }

    /// Computes the gradients of all parameters from the gradient of the linear part. With the last
    /// micro-batch and in the fused form, it also updates them.
    pub(super) fn backward_parameters(
        &mut self,
        isa: Isa,
        pool: &mut Pool,
        x: &Values,
        micro_batch: MicroBatch,
        update: &Update,
        form: Form,
    ) {
        self.backward_weight(isa, pool, x, micro_batch, update, form);
        if !micro_batch.last {
            return;
        }
        for vector in self.vectors_mut() {
            let mut sums = Sums::default();
            update.finish(isa, &mut vector.gradient, &vector.value, vector.kind, &mut sums);
            vector.sums[0] = sums;
            if let Form::Fused(step) = form {
                vector.apply(isa, pool, step, update);
            }
        }
    }

    /// Computes the gradient of the weight, and updates the weight in the fused form.
    fn backward_weight(
        &mut self,
        isa: Isa,
        pool: &mut Pool,
        x: &Values,
        micro_batch: MicroBatch,
        update: &Update,
        form: Form,
    ) {
        let MicroBatch { rows: batch, first, last } = micro_batch;
        let step = match form {
            Form::Fused(step) if last => Some(step),
            _ => None,
        };
        let (delta, weight) = (&self.delta, &mut self.weight);
        let (tile, kind, shape) = (weight.tile, weight.kind, weight.shape());
        let (tiles, stride) = (weight.rows.div_ceil(tile), shape.stride);
        let (parts, kept) = weight.tiles();
        let whole = first && last;
        let kept = if form == Form::Kept || !whole { &mut kept[..] } else { &mut [] };
        let parts = (parts, Chunks::new(kept, tile * stride));
        pool.run(tiles, tile * stride * (batch + PER_UPDATE), parts, |i, (part, kept), scratch| {
            let mut part = Tile::new(part, shape);
            *part.sums = Sums::default();
            let rows = part.value.len() / stride;
            let (gradient, scratch) = scratch.split_at_mut(tile * COLUMNS);
            let max_norm = update.max_norm.filter(|_| step.is_some());
            let (old, scratch) = part.begin(max_norm, scratch);
            for from in (0..shape.columns).step_by(COLUMNS) {
                let columns = COLUMNS.min(shape.columns.next_multiple_of(GROUP) - from);
                let size = Size { rows, groups: columns / GROUP, depth: batch };
                let (out, out_stride) = if kept.is_empty() {
                    (&mut *gradient, stride.min(COLUMNS))
                } else {
                    (&mut kept[from..], stride)
                };
                let values = if last { part.from(from) } else { Default::default() };
                let (at, prefetch) = ((i * tile, from), Prefetch { values, stride });
                products::backward_weight(
                    isa, out, out_stride, size, delta, x, at, prefetch, !first,
                );
                if !last {
                    continue;
                }
                let (runs, len) = shape.runs(rows, columns);
                for row in 0..runs {
                    let g = &mut out[row * out_stride..][..len];
                    let w = &part.value[row * stride + from..][..len];
                    update.finish(isa, g, w, kind, part.sums);
                    if let Some(step) = step {
                        part.update(isa, step, row, from, g, update.measure);
                    }
                }
                if step.is_some() && max_norm.is_none() {
                    part.pack(isa, from..shape.columns.min(from + COLUMNS), scratch);
                }
            }
            if max_norm.is_some() {
                part.apply_max_norm(isa, max_norm, old);
                part.pack(isa, 0..shape.columns, scratch);
            }
        });
    }

    /// Splits the layer into the inputs and outputs of its elementwise backward pass.
    fn elementwise(
        &mut self,
        isa: Isa,
        micro_batch: MicroBatch,
    ) -> (ElementwiseBackward<'_>, Gradients<'_>) {
        let (norm, gain, shift) = match &mut self.norm {
            Some(n) => (
                Some(NormBackward {
                    features: &n.features,
                    normalised: &n.normalised,
                    gain: &n.gain.value,
                }),
                &mut n.gain.gradient[..],
                &mut n.shift.gradient[..],
            ),
            None => (None, &mut [][..], &mut [][..]),
        };
        let elementwise = ElementwiseBackward {
            isa,
            micro_batch,
            stride: self.y.stride,
            gate: self.gate,
            y: &self.y.rows,
            slope: &self.slope,
            norm,
        };
        let bias = self.bias.as_mut().map_or(&mut [][..], |bias| &mut bias.gradient);
        let Delta { rows: delta, sample_pairs, pairs, .. } = &mut self.delta;
        (elementwise, Gradients { delta, sample_pairs, pairs, bias, gain, shift })
    }
}

/// [`Gradients`] in tiles.
type Parts<'a> = (Chunks<'a, f32>, (Chunks<'a, Pair>, Chunks<'a, Pair>), [Chunks<'a, f32>; 3]);
/// One tile of [`Parts`].
type Part<'a> = (&'a mut [f32], (&'a mut [Pair], &'a mut [Pair]), [&'a mut [f32]; 3]);

impl<'a> Gradients<'a> {
    fn parts(self, tile: usize, stride: usize) -> Parts<'a> {
        let Self { delta, sample_pairs, pairs, bias, gain, shift } = self;
        let sample_pairs = Chunks::new(sample_pairs, tile * stride / 2);
        let pairs = Chunks::new(pairs, tile / 2 * stride);
        let vectors = [bias, gain, shift].map(|gradient| Chunks::new(gradient, tile));
        (Chunks::new(delta, tile * stride), (sample_pairs, pairs), vectors)
    }
}

impl<'a> From<Part<'a>> for Gradients<'a> {
    fn from((delta, (sample_pairs, pairs), [bias, gain, shift]): Part<'a>) -> Self {
        Self { delta, sample_pairs, pairs, bias, gain, shift }
    }
}

impl ElementwiseBackward<'_> {
    /// Runs the backward pass for the rows of `part`, features from `first` on.
    fn run(&self, first: usize, part: &mut Gradients<'_>) {
        let (isa, stride, batch) = (self.isa, self.stride, self.micro_batch.rows);
        let at = first * stride..first * stride + part.delta.len();
        match self.gate {
            Gate::Open => {}
            Gate::Positive(factor) => relu_backward(isa, part.delta, &self.y[at], factor),
            Gate::Stored => multiply(isa, part.delta, &self.slope[at]),
        }
        if let Some(n) = self.norm {
            for (row, dy) in part.delta.chunks_exact_mut(stride).enumerate() {
                let feature = first + row;
                let normalised = &n.normalised[feature * stride..][..batch];
                let (dy, deviation) = (&mut dy[..batch], n.features[feature].deviation);
                let (gain, shift) = norm::backward(isa, dy, normalised, deviation, n.gain[feature]);
                (part.gain[row], part.shift[row]) = (gain as f32, shift as f32);
            }
        }
        row_sums(isa, part.bias, part.delta, stride, batch, !self.micro_batch.first);
        let delta = &*part.delta;
        pair_samples(isa, part.sample_pairs, stride / 2, delta, stride, batch);
        pair_features(isa, part.pairs, delta, stride, batch);
    }
}
