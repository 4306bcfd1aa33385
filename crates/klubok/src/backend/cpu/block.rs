//! A block, `Linear [Norm] [Activate] [Noise]`, with its memory.

use klubok_kernels::{activation::Function, buffer::Buffer, dropout::Draw, philox::Key, product};

use super::{
    super::Numbers,
    Pass,
    parameter::{Parameter, padded},
};
use crate::{
    error::{PlanError, Result},
    nn::dropout,
    rng::{Purpose, key},
};

/// Features of a panel, samples of a group.
pub(super) const GROUP: usize = product::GROUP;

/// Features of a tile: enough tiles to share, each large enough to keep what it reads in use.
pub(super) fn tile_features(width: usize) -> usize {
    GROUP * (width / 256).clamp(1, 4)
}

/// What a block or the input hands on, in the two layouts that products read.
#[derive(Default)]
pub(super) struct Values {
    pub(super) width: usize,
    /// From one feature to the next in `rows`.
    pub(super) stride: usize,
    /// `[features][samples]`.
    pub(super) rows: Buffer,
    /// `[features / 16][samples][16]`, written in training only.
    pub(super) panels: Buffer,
}

impl Values {
    pub(super) fn new(width: usize, stride: usize) -> Self {
        let panels = Buffer::new(width.div_ceil(GROUP) * Self::panel_of(stride));
        Self { width, stride, rows: Buffer::new(width * stride), panels }
    }

    /// Length of a panel. The line that is left over keeps neighbouring panels from falling on the same lines of a cache.
    pub(super) fn panel(&self) -> usize {
        Self::panel_of(self.stride)
    }

    fn panel_of(stride: usize) -> usize {
        (stride + 1) * GROUP
    }

    /// Appends `[samples, width]` to `out`.
    pub(super) fn append_samples(&self, samples: usize, out: &mut Vec<f32>) {
        let from = out.len();
        out.resize(from + samples * self.width, 0.0);
        for (feature, row) in self.rows.chunks_exact(self.stride).enumerate() {
            let column = out[from + feature..].iter_mut().step_by(self.width);
            column.zip(row).for_each(|(out, x)| *out = *x);
        }
    }
}

/// Dropout of a block or the input.
#[derive(Debug, Clone, Copy)]
pub(super) struct Noise {
    key: Key,
    threshold: u32,
    pub(super) scale: f32,
}

impl Noise {
    pub(super) fn new(seed: u64, stream: u32, chance: f32) -> Self {
        let threshold = dropout::threshold(chance);
        let scale = (65536.0 / (65536.0 - f64::from(threshold))) as f32;
        Self { key: key(seed, Purpose::Dropout, stream), threshold, scale }
    }

    /// The numbers to draw in this pass: none in evaluation.
    pub(super) fn draw(&self, pass: Pass) -> Option<Draw> {
        let Pass::Train { step, first, .. } = pass else { return None };
        let Self { key, threshold, scale } = *self;
        Some(Draw { key, step, place: first, threshold, scale })
    }
}

/// How the gradient at a block's values becomes that before its activation and noise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Gate {
    /// It already is.
    Open,
    /// Times this where the value is positive, 0 elsewhere.
    Positive(f32),
    /// Times the slopes that the forward pass stored.
    Stored,
}

impl Gate {
    fn new(f: Function, noise: Option<Noise>) -> Self {
        match (f, noise) {
            (Function::Identity, None) => Gate::Open,
            (Function::Relu, noise) => Gate::Positive(noise.map_or(1.0, |noise| noise.scale)),
            _ => Gate::Stored,
        }
    }
}

/// Batch normalisation of a block.
pub(super) struct Norm {
    pub(super) gain: Parameter,
    pub(super) shift: Parameter,
    /// Numbers of the running statistics in the plan, mean and variance.
    pub(super) index: [usize; 2],
    /// Their names.
    pub(super) names: [String; 2],
    /// One a feature.
    pub(super) features: Vec<Feature>,
    /// x̂, `[features][samples]`.
    pub(super) normalised: Buffer,
}

/// Statistics of one feature.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Feature {
    /// Running mean.
    pub(super) mean: f32,
    /// Running variance.
    pub(super) variance: f32,
    /// √(variance + ε) of the last batch.
    pub(super) deviation: f32,
}

/// A block with its memory.
pub(super) struct Block {
    pub(super) weight: Parameter,
    pub(super) bias: Option<Parameter>,
    pub(super) norm: Option<Norm>,
    pub(super) f: Function,
    pub(super) noise: Option<Noise>,
    pub(super) gate: Gate,
    pub(super) y: Values,
    /// f'(z) times the factor of dropout, `[features][samples]`, if the gate wants it stored.
    pub(super) slope: Buffer,
    /// The gradient at `y`, then at the result of the product, `[features][samples]`.
    pub(super) delta: Buffer,
}

impl Block {
    /// A block for up to `max_batch` samples.
    pub(super) fn new(
        weight: Parameter,
        bias: Option<Parameter>,
        norm: Option<Norm>,
        f: Function,
        noise: Option<Noise>,
        max_batch: usize,
    ) -> Self {
        let (width, stride) = (weight.rows, padded(max_batch));
        let gate = Gate::new(f, noise);
        let slope = if gate == Gate::Stored { width * stride } else { 0 };
        let (slope, delta) = (Buffer::new(slope), Buffer::new(width * stride));
        Self { weight, bias, norm, f, noise, gate, y: Values::new(width, stride), slope, delta }
    }

    pub(super) fn parameters(&self) -> impl Iterator<Item = &Parameter> {
        let norm = self.norm.iter().flat_map(|norm| [&norm.gain, &norm.shift]);
        [&self.weight].into_iter().chain(&self.bias).chain(norm)
    }

    pub(super) fn parameters_mut(&mut self) -> impl Iterator<Item = &mut Parameter> {
        let norm = self.norm.iter_mut().flat_map(|norm| [&mut norm.gain, &mut norm.shift]);
        [&mut self.weight].into_iter().chain(&mut self.bias).chain(norm)
    }

    /// Everything but the weights.
    pub(super) fn vectors_mut(&mut self) -> impl Iterator<Item = &mut Parameter> {
        self.parameters_mut().skip(1)
    }

    pub(super) fn load_running(&mut self, running: &[Numbers]) -> Result<()> {
        let Some(norm) = &mut self.norm else { return Ok(()) };
        let (expected, names) = (norm.features.len(), &norm.names);
        for (index, name) in norm.index.iter().zip(names) {
            let got = running[*index].len();
            if got != expected {
                return Err(PlanError::ShapeMismatch { what: name.clone(), expected, got }.into());
            }
        }
        let [mean, variance] = norm.index.map(|index| running[index].to_f32());
        for (feature, (mean, variance)) in norm.features.iter_mut().zip(mean.iter().zip(&variance))
        {
            *feature = Feature { mean: *mean, variance: *variance, ..*feature };
        }
        Ok(())
    }

    pub(super) fn store_running(&self, running: &mut [Numbers]) {
        let Some(norm) = &self.norm else { return };
        let of = |f: fn(&Feature) -> f32| Numbers::F32(norm.features.iter().map(f).collect());
        running[norm.index[0]] = of(|feature| feature.mean);
        running[norm.index[1]] = of(|feature| feature.variance);
    }
}
