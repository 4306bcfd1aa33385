//! The forward pass of a fused layer. A tile computes some features of all samples: the product,
//! then normalisation, activation, dropout and the layouts for later products.

use klubok_kernels::{
    activation::{self, Function, multiply, scale},
    dropout::{self, FEATURES, MaskSpec},
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
    values::{GROUP, PER_VALUE, Values, lay_out_features},
};

impl FusedLayer {
    /// Computes `y` from `x`; in training, also saves what the backward pass reads.
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
        let mask = self.dropout.and_then(|dropout| dropout.mask(mode));
        let is_matvec = !training && batch == 1 && x.pairs.is_empty() && has_matvec(isa);
        if is_matvec {
            transpose(isa, &mut self.single_input, x.width, &x.rows, x.stride, x.width, 1);
        }
        let single_input = is_matvec.then_some(&self.single_input[..x.width]);
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
                match single_input {
                    Some(x) => products::forward_single(isa, y, stride, x, weight, first),
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
                if let Some(mask) = mask {
                    apply_dropout(isa, mask, first, y, slope, stride, samples, scratch);
                }
                lay_out_features(isa, values, stride, batch, training, scratch);
            },
        );
    }
}

/// Normalises one feature of all samples, in training by the statistics of the batch, in evaluation
/// by the running ones.
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
        let moved = |running: f32, new: f64| {
            let running = f64::from(running);
            (running + MOMENTUM * (new - running)) as f32
        };
        // As in the reference: a batch of one has no unbiased variance.
        let unbiased = batch as f64 / (batch.max(2) - 1) as f64;
        feature.mean = moved(feature.mean, mean);
        feature.variance = moved(feature.variance, variance * unbiased);
    }
}

/// Multiplies values and slopes of the features from `first` on by the dropout mask. `slope` may be
/// empty.
fn apply_dropout(
    isa: Isa,
    spec: MaskSpec,
    first: usize,
    y: &mut [f32],
    slope: &mut [f32],
    stride: usize,
    samples: usize,
    scratch: &mut [f32],
) {
    let mask = &mut scratch[..FEATURES * samples];
    for (block, y) in y.chunks_mut(FEATURES * stride).enumerate() {
        dropout::mask(isa, mask, samples, spec, (first / FEATURES + block) as u32);
        for (y, mask) in y.chunks_exact_mut(stride).zip(mask.chunks_exact(samples)) {
            multiply(isa, &mut y[..samples], mask);
        }
        let slope = slope.chunks_exact_mut(stride).skip(block * FEATURES);
        for (slope, mask) in slope.zip(mask.chunks_exact(samples)) {
            multiply(isa, &mut slope[..samples], mask);
        }
    }
}
