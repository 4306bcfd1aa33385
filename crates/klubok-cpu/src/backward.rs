//! The backward pass of a block: `dx = dz W`, then the gradients of its parameters and their
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
    Form, Piece,
    fused::{Delta, Feature, FusedLayer, Gate},
    products,
    tile::{COLUMNS, PER_UPDATE, Tile},
    update::{Sums, Update},
    values::{GROUP, PER_VALUE, Values, pair_features, pair_samples},
};

/// What a tile needs to go back through activation, dropout and normalisation of its block.
#[derive(Clone, Copy)]
struct Through<'a> {
    isa: Isa,
    piece: Piece,
    stride: usize,
    gate: Gate,
    y: &'a [f32],
    slope: &'a [f32],
    norm: Option<ThroughNorm<'a>>,
}

#[derive(Clone, Copy)]
struct ThroughNorm<'a> {
    features: &'a [Feature],
    normalised: &'a [f32],
    gain: &'a [f32],
}

/// The gradient at a block's values, and where the gradients of its vectors go.
struct Gradients<'a> {
    delta: &'a mut [f32],
    sample_pairs: &'a mut [Pair],
    pairs: &'a mut [Pair],
    bias: &'a mut [f32],
    gain: &'a mut [f32],
    shift: &'a mut [f32],
}

impl FusedLayer {
    /// Turns the gradient at the last block's values into that at its product.
    pub(super) fn backward_output(&mut self, isa: Isa, pool: &mut Pool, piece: Piece) {
        let (width, tile) = (self.y.width, self.weight.tile);
        let work = tile * piece.rows * PER_VALUE;
        let (through, gradients) = self.through(isa, piece);
        pool.run(
            width.div_ceil(tile),
            work,
            gradients.parts(tile, through.stride),
            |i, part, _| {
                through.run(i * tile, &mut part.into());
            },
        );
    }

    /// Writes the gradient at the product of the block `before`, from that at this one's.
    pub(super) fn backward_input(
        &self,
        isa: Isa,
        pool: &mut Pool,
        before: &mut FusedLayer,
        piece: Piece,
    ) {
        let (width, tile) = (before.y.width, before.weight.tile);
        let groups = piece.rows.div_ceil(GROUP);
        let work = tile * piece.rows * (self.y.width + PER_VALUE);
        let (through, gradients) = before.through(isa, piece);
        pool.run(
            width.div_ceil(tile),
            work,
            gradients.parts(tile, through.stride),
            |i, part, scratch| {
                let (first, mut part) = (i * tile, Gradients::from(part));
                let (dz, weight) = (&self.delta, &self.weight);
                products::backward_input(isa, part.delta, dz, weight, first, groups, scratch);
                through.run(first, &mut part);
            },
        );
    }

    /// Computes the gradients of all parameters from that at the product, and with the last piece
    /// updates them in the fused form.
    pub(super) fn backward_parameters(
        &mut self,
        isa: Isa,
        pool: &mut Pool,
        x: &Values,
        piece: Piece,
        update: &Update,
        form: Form,
    ) {
        self.backward_weight(isa, pool, x, piece, update, form);
        if !piece.last {
            return;
        }
        for vector in self.vectors_mut() {
            let mut sums = Sums::default();
            update.finish(isa, &mut vector.gradient, &vector.value, vector.kind, &mut sums);
            vector.sums[0] = sums;
            if let Form::Fused(change) = form {
                vector.apply(isa, pool, change, update);
            }
        }
    }

    fn backward_weight(
        &mut self,
        isa: Isa,
        pool: &mut Pool,
        x: &Values,
        piece: Piece,
        update: &Update,
        form: Form,
    ) {
        let Piece { rows: batch, first, last } = piece;
        let change = match form {
            Form::Fused(change) if last => Some(change),
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
            let max_norm = update.max_norm.filter(|_| change.is_some());
            let (old, scratch) = part.begin(max_norm, scratch);
            for from in (0..shape.columns).step_by(COLUMNS) {
                let many = COLUMNS.min(shape.columns.next_multiple_of(GROUP) - from);
                let size = Size { rows, groups: many / GROUP, depth: batch };
                let (out, apart) = if kept.is_empty() {
                    (&mut *gradient, stride.min(COLUMNS))
                } else {
                    (&mut kept[from..], stride)
                };
                let values = if last { part.from(from) } else { Default::default() };
                let (at, ahead) = ((i * tile, from), Prefetch { values, stride });
                products::backward_weight(isa, out, apart, size, delta, x, at, ahead, !first);
                if !last {
                    continue;
                }
                let (lines, len) = shape.lines(rows, many);
                for row in 0..lines {
                    let g = &mut out[row * apart..][..len];
                    let w = &part.value[row * stride + from..][..len];
                    update.finish(isa, g, w, kind, part.sums);
                    if let Some(change) = change {
                        part.update(isa, change, row, from, g, update.measure);
                    }
                }
                if change.is_some() && max_norm.is_none() {
                    part.pack(isa, from..shape.columns.min(from + COLUMNS), scratch);
                }
            }
            if max_norm.is_some() {
                part.limit(isa, max_norm, old);
                part.pack(isa, 0..shape.columns, scratch);
            }
        });
    }

    fn through(&mut self, isa: Isa, piece: Piece) -> (Through<'_>, Gradients<'_>) {
        let (norm, gain, shift) = match &mut self.norm {
            Some(n) => (
                Some(ThroughNorm {
                    features: &n.features,
                    normalised: &n.normalised,
                    gain: &n.gain.value,
                }),
                &mut n.gain.gradient[..],
                &mut n.shift.gradient[..],
            ),
            None => (None, &mut [][..], &mut [][..]),
        };
        let through = Through {
            isa,
            piece,
            stride: self.y.stride,
            gate: self.gate,
            y: &self.y.rows,
            slope: &self.slope,
            norm,
        };
        let bias = self.bias.as_mut().map_or(&mut [][..], |bias| &mut bias.gradient);
        let Delta { rows: delta, sample_pairs, pairs, .. } = &mut self.delta;
        (through, Gradients { delta, sample_pairs, pairs, bias, gain, shift })
    }
}

type Parts<'a> = (Chunks<'a, f32>, (Chunks<'a, Pair>, Chunks<'a, Pair>), [Chunks<'a, f32>; 3]);
type Part<'a> = (&'a mut [f32], (&'a mut [Pair], &'a mut [Pair]), [&'a mut [f32]; 3]);

impl<'a> Gradients<'a> {
    fn parts(self, tile: usize, stride: usize) -> Parts<'a> {
        let Self { delta, sample_pairs, pairs, bias, gain, shift } = self;
        let sample_pairs = Chunks::new(sample_pairs, tile * stride / 2);
        let pairs = Chunks::new(pairs, tile / 2 * stride);
        let vectors = [bias, gain, shift].map(|of| Chunks::new(of, tile));
        (Chunks::new(delta, tile * stride), (sample_pairs, pairs), vectors)
    }
}

impl<'a> From<Part<'a>> for Gradients<'a> {
    fn from((delta, (sample_pairs, pairs), [bias, gain, shift]): Part<'a>) -> Self {
        Self { delta, sample_pairs, pairs, bias, gain, shift }
    }
}

impl Through<'_> {
    /// Takes the rows of `part`, of features from number `first` on, back to the product.
    fn run(&self, first: usize, part: &mut Gradients<'_>) {
        let (isa, stride, batch) = (self.isa, self.stride, self.piece.rows);
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
        row_sums(isa, part.bias, part.delta, stride, batch, !self.piece.first);
        let delta = &*part.delta;
        pair_samples(isa, part.sample_pairs, stride / 2, delta, stride, batch);
        pair_features(isa, part.pairs, delta, stride, batch);
    }
}
