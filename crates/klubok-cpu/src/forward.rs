//! The forward pass of a block: a tile is the product for some features of all samples, then all
//! that follows it.

use klubok_kernels::{
    activation::{self, Function, multiply, scale},
    dropout::{self, Draw, FEATURES},
    isa::Isa,
    norm,
    parts::Chunks,
    pool::Pool,
    product::has_matvec,
    transpose::transpose,
};
use klubok_nn::layers::batch_norm::{EPSILON, MOMENTUM};

use super::{
    Mode,
    fused::{Feature, FusedLayer, Gate},
    products,
    values::{GROUP, PER_VALUE, Values, spread},
};

impl FusedLayer {
    /// Writes `y` from `x`, in training also what the backward pass needs.
    pub(super) fn forward(
        &mut self,
        isa: Isa,
        pool: &mut Pool,
        x: &Values,
        batch: usize,
        mode: Mode,
    ) {
        let (width, stride) = (self.y.width, self.y.stride);
        let (groups, f) = (batch.div_ceil(GROUP), self.f);
        let samples = groups * GROUP;
        let tile = self.weight.tile;
        let training = matches!(mode, Mode::Train { .. });
        let stored = training && self.gate == Gate::Stored;
        let draw = self.dropout.and_then(|dropout| dropout.draw(mode));
        let alone = !training && batch == 1 && x.pairs.is_empty() && has_matvec(isa);
        if alone {
            transpose(isa, &mut self.alone, x.width, &x.rows, x.stride, x.width, 1);
        }
        let alone = alone.then_some(&self.alone[..x.width]);
        let (weight, bias) = (&self.weight, self.bias.as_ref().map(|b| &*b.value));
        let (features, normalised, scales) = match &mut self.norm {
            Some(n) => (
                &mut n.features[..],
                &mut n.normalised[..],
                Some((&*n.gain.value, &*n.shift.value)),
            ),
            None => (&mut [][..], &mut [][..], None),
        };
        let parts = (
            self.y.by_features(tile),
            Chunks::new(&mut self.slope, tile * stride),
            Chunks::new(normalised, tile * stride),
            Chunks::new(features, tile),
        );
        let work = tile * samples * (x.width + PER_VALUE);
        pool.run(
            width.div_ceil(tile),
            work,
            parts,
            |i, (values, slope, normalised, features), scratch| {
                let first = i * tile;
                let y = &mut *values.0;
                match alone {
                    Some(x) => products::forward_one(isa, y, stride, x, weight, first),
                    None => products::forward(isa, y, x, weight, first, groups),
                }
                let mut bias = bias.map_or(&[][..], |bias| &bias[first..first + y.len() / stride]);
                if let Some((gain, shift)) = scales {
                    let normalised = normalised.chunks_exact_mut(stride);
                    let rows = y.chunks_exact_mut(stride).zip(normalised).enumerate();
                    for (row, (z, normalised)) in rows {
                        let (z, normalised) = (&mut z[..samples], &mut normalised[..samples]);
                        scale(isa, z, 1.0, bias.get(row).copied().unwrap_or(0.0));
                        let (gain, shift) = (gain[first + row], shift[first + row]);
                        normalise(isa, z, normalised, &mut features[row], gain, shift, batch, mode);
                    }
                    bias = &[];
                }
                let slope = if stored { slope } else { &mut [] };
                if stored || f != Function::Identity || !bias.is_empty() {
                    activation::forward(isa, f, y, stride, samples, bias, slope);
                }
                if let Some(draw) = draw {
                    drop_some(isa, draw, first, y, slope, stride, samples, scratch);
                }
                spread(isa, values, stride, batch, training, scratch);
            },
        );
    }
}

/// Normalises one feature of all samples, by the batch in training and by the running statistics in
/// evaluation.
fn normalise(
    isa: Isa,
    z: &mut [f32],
    normalised: &mut [f32],
    feature: &mut Feature,
    gain: f32,
    shift: f32,
    batch: usize,
    mode: Mode,
) {
    let (mean, variance) = match mode {
        Mode::Train { .. } => norm::statistics(isa, &z[..batch]),
        Mode::Evaluate => (f64::from(feature.mean), f64::from(feature.variance)),
    };
    feature.deviation = (variance + EPSILON).sqrt() as f32;
    norm::forward(isa, z, normalised, mean as f32, feature.deviation, gain, shift);
    if let Mode::Train { track: true, .. } = mode {
        let follow = |running: f32, new: f64| {
            let running = f64::from(running);
            (running + MOMENTUM * (new - running)) as f32
        };
        // As the reference: a batch of one has no unbiased variance.
        let unbiased = batch as f64 / (batch.max(2) - 1) as f64;
        feature.mean = follow(feature.mean, mean);
        feature.variance = follow(feature.variance, variance * unbiased);
    }
}

/// Multiplies rows of features from number `first` on, and their slopes unless empty, by the
/// factors of dropout.
fn drop_some(
    isa: Isa,
    draw: Draw,
    first: usize,
    y: &mut [f32],
    slope: &mut [f32],
    stride: usize,
    samples: usize,
    scratch: &mut [f32],
) {
    let factors = &mut scratch[..FEATURES * samples];
    for (block, y) in y.chunks_mut(FEATURES * stride).enumerate() {
        dropout::factors(isa, factors, samples, draw, (first / FEATURES + block) as u32);
        for (y, factors) in y.chunks_exact_mut(stride).zip(factors.chunks_exact(samples)) {
            multiply(isa, &mut y[..samples], factors);
        }
        let slope = slope.chunks_exact_mut(stride).skip(block * FEATURES);
        for (slope, factors) in slope.zip(factors.chunks_exact(samples)) {
            multiply(isa, &mut slope[..samples], factors);
        }
    }
}
