//! The backward pass of a block: `dx = dz W`, then the gradients of its parameters and their update.

use klubok_kernels::{
    activation::{multiply, relu_backward},
    isa::Isa,
    norm,
    parts::Chunks,
    pool::Pool,
    product::{Ahead, Lanes, Scalars, Size, product},
    reduce::sum,
};

use super::{
    Form,
    block::{Block, Feature, GROUP, Gate, Values, tile_features},
    parameter::{COLUMNS, Sums, Tile, Update},
};

/// What a tile needs to go back through activation, noise and normalisation of its block.
#[derive(Clone, Copy)]
struct Through<'a> {
    isa: Isa,
    batch: usize,
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
    bias: &'a mut [f32],
    gain: &'a mut [f32],
    shift: &'a mut [f32],
}

impl Block {
    /// Turns the gradient at the last block's values into that at its product.
    pub(super) fn backward_output(&mut self, isa: Isa, pool: &mut Pool, batch: usize) {
        let tile = tile_features(self.y.width);
        let (through, gradients) = self.through(isa, batch);
        let (stride, width) = (through.stride, gradients.delta.len() / through.stride);
        pool.run(width.div_ceil(tile), gradients.parts(tile, stride), |i, part, _| {
            through.run(i * tile, &mut part.into());
        });
    }

    /// Writes the gradient at the product of the block `before`, from that at this one's.
    pub(super) fn backward_input(
        &self,
        isa: Isa,
        pool: &mut Pool,
        before: &mut Block,
        batch: usize,
    ) {
        let tile = tile_features(before.y.width);
        let (outputs, weight, delta) = (self.y.width, &self.weight, &*self.delta);
        let groups = batch.div_ceil(GROUP);
        let (through, gradients) = before.through(isa, batch);
        let (stride, width) = (through.stride, gradients.delta.len() / through.stride);
        pool.run(width.div_ceil(tile), gradients.parts(tile, stride), |i, part, _| {
            let first = i * tile;
            let mut part = Gradients::from(part);
            let size = Size { rows: part.delta.len() / stride, groups, depth: outputs };
            let lanes = Lanes { values: delta, step: stride, group: GROUP };
            let scalars =
                Scalars { values: &weight.value[first..], step: weight.stride, stride: 1 };
            product(isa, part.delta, stride, size, lanes, scalars, Ahead::default(), false);
            through.run(first, &mut part);
        });
    }

    /// Computes the gradients of all parameters from that at the product, and updates them in the fused form.
    pub(super) fn backward_parameters(
        &mut self,
        isa: Isa,
        pool: &mut Pool,
        x: &Values,
        batch: usize,
        update: &Update,
        form: Form,
    ) {
        self.backward_weight(isa, pool, x, batch, update, form);
        for vector in self.vectors_mut() {
            let mut sums = Sums::default();
            update.finish(isa, &mut vector.gradient, &vector.value, vector.kind, &mut sums);
            vector.sums[0] = sums;
            if let Form::Fused { learning_rate, step } = form {
                let change = update.change(learning_rate, step, 1.0, vector);
                vector.apply(isa, pool, change, None);
            }
        }
    }

    fn backward_weight(
        &mut self,
        isa: Isa,
        pool: &mut Pool,
        x: &Values,
        batch: usize,
        update: &Update,
        form: Form,
    ) {
        let change = match form {
            Form::Fused { learning_rate, step } => {
                Some(update.change(learning_rate, step, 1.0, &self.weight))
            }
            Form::Kept => None,
        };
        let weight = &mut self.weight;
        let (stride, tile, kind) = (weight.stride, weight.tile, weight.kind);
        let (delta, samples, panel) = (&*self.delta, self.y.stride, x.panel());
        let columns = weight.columns.next_multiple_of(GROUP);
        let [first, second] = &mut weight.moments;
        let kept = if form == Form::Kept { &mut weight.gradient[..] } else { &mut [] };
        let parts = (
            Chunks::new(&mut weight.value, tile * stride),
            Chunks::new(first, tile * stride),
            Chunks::new(second, tile * stride),
            Chunks::new(kept, tile * stride),
            Chunks::new(&mut weight.sums, 1),
        );
        pool.run(
            weight.rows.div_ceil(tile),
            parts,
            |i, (value, first, second, kept, sums), scratch| {
                sums[0] = Sums::default();
                let rows = value.len() / stride;
                let dz = &delta[i * tile * samples..];
                let (gradient, scratch) = scratch.split_at_mut(tile * COLUMNS);
                let mut part = Tile { value, moments: [first, second], sums: &mut sums[0], stride };
                let old = part.begin(update.max_norm.filter(|_| change.is_some()), scratch);
                for from in (0..columns).step_by(COLUMNS) {
                    let many = COLUMNS.min(columns - from);
                    let size = Size { rows, groups: many / GROUP, depth: batch };
                    let panels = &x.panels[from / GROUP * panel..];
                    let lanes = Lanes { values: panels, step: GROUP, group: panel };
                    let scalars = Scalars { values: dz, step: 1, stride: samples };
                    let (out, apart) = match change {
                        Some(_) => (&mut *gradient, COLUMNS),
                        None => (&mut kept[from..], stride),
                    };
                    let ahead = Ahead { values: part.from(from), stride };
                    product(isa, out, apart, size, lanes, scalars, ahead, false);
                    for row in 0..rows {
                        let g = &mut out[row * apart..][..many];
                        let w = &part.value[row * stride + from..][..many];
                        update.finish(isa, g, w, kind, part.sums);
                        if let Some(change) = change {
                            part.update(isa, change, row, from, g);
                        }
                    }
                }
                if change.is_some() {
                    part.limit(isa, update.max_norm, old);
                }
            },
        );
    }

    fn through(&mut self, isa: Isa, batch: usize) -> (Through<'_>, Gradients<'_>) {
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
            batch,
            stride: self.y.stride,
            gate: self.gate,
            y: &self.y.rows,
            slope: &self.slope,
            norm,
        };
        let bias = self.bias.as_mut().map_or(&mut [][..], |bias| &mut bias.gradient);
        (through, Gradients { delta: &mut self.delta, bias, gain, shift })
    }
}

type Parts<'a> = (Chunks<'a, f32>, Chunks<'a, f32>, Chunks<'a, f32>, Chunks<'a, f32>);
type Part<'a> = (&'a mut [f32], &'a mut [f32], &'a mut [f32], &'a mut [f32]);

impl<'a> Gradients<'a> {
    fn parts(self, tile: usize, stride: usize) -> Parts<'a> {
        let Self { delta, bias, gain, shift } = self;
        let vector = |of| Chunks::new(of, tile);
        (Chunks::new(delta, tile * stride), vector(bias), vector(gain), vector(shift))
    }
}

impl<'a> From<Part<'a>> for Gradients<'a> {
    fn from((delta, bias, gain, shift): Part<'a>) -> Self {
        Self { delta, bias, gain, shift }
    }
}

impl Through<'_> {
    /// Takes the rows of `part`, of features from number `first` on, back to the product.
    fn run(&self, first: usize, part: &mut Gradients<'_>) {
        let (isa, samples) = (self.isa, self.batch.next_multiple_of(GROUP));
        for (row, dy) in part.delta.chunks_exact_mut(self.stride).enumerate() {
            let feature = first + row;
            let at = feature * self.stride..feature * self.stride + samples;
            match self.gate {
                Gate::Open => {}
                Gate::Positive(factor) => {
                    relu_backward(isa, &mut dy[..samples], &self.y[at.clone()], factor);
                }
                Gate::Stored => multiply(isa, &mut dy[..samples], &self.slope[at.clone()]),
            }
            let dy = &mut dy[..self.batch];
            if let Some(n) = self.norm {
                let normalised = &n.normalised[at][..self.batch];
                let deviation = n.features[feature].deviation;
                let (gain, shift) = norm::backward(isa, dy, normalised, deviation, n.gain[feature]);
                (part.gain[row], part.shift[row]) = (gain as f32, shift as f32);
            }
            if let Some(bias) = part.bias.get_mut(row) {
                *bias = sum(isa, dy) as f32;
            }
        }
    }
}
