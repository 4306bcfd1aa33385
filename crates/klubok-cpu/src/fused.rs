//! A fused layer, `Linear [Norm] [Activate] [Dropout]`, with its memory.

use klubok_kernels::{
    activation::Function,
    buffer::{Buffer, NoMemory},
    dropout::MaskSpec,
    pack::Pair,
    philox::Key,
};
use klubok_nn::{
    backend::Numbers,
    error::{PlanError, Result},
    layers::dropout,
    plan::Precision,
    rng::{Purpose, key},
};

use super::{
    Mode,
    parameter::Parameter,
    tile::{Packed, padded},
    values::{GROUP, Values},
};

/// Features per tile: small enough for the threads to share the tiles, large enough for a tile to
/// reuse what it reads. A large batch does not fit into a cache, so its tiles are twice as large
/// and read the batch half as often.
pub(super) fn tile_features(width: usize, max_batch: usize) -> usize {
    if max_batch < 1024 {
        GROUP * (width / 256).clamp(1, 4)
    } else {
        GROUP * (width / 128).clamp(1, 8)
    }
}

/// Dropout of a fused layer or of the input.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dropout {
    key: Key,
    threshold: u32,
    pub(super) scale: f32,
}

impl Dropout {
    pub(super) fn new(seed: u64, stream: u32, p: f32) -> Self {
        let threshold = dropout::threshold(p);
        let scale = (65536.0 / (65536.0 - f64::from(threshold))) as f32;
        Self { key: key(seed, Purpose::Dropout, stream), threshold, scale }
    }

    /// The mask of this pass; `None` in evaluation.
    pub(super) fn mask(&self, mode: Mode) -> Option<MaskSpec> {
        let Mode::Train { step, first, .. } = mode else { return None };
        let Self { key, threshold, scale } = *self;
        Some(MaskSpec { key, step, position: first, threshold, scale })
    }
}

/// Backward pass of activation and dropout.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Gate {
    /// Identity: the gradient passes unchanged.
    Open,
    /// ReLU: multiplies the gradient by the scale of dropout if the value is positive, else by 0.
    Positive(f32),
    /// Multiplies the gradient by the slopes that the forward pass stored.
    Stored,
}

impl Gate {
    fn new(f: Function, dropout: Option<Dropout>) -> Self {
        match (f, dropout) {
            (Function::Identity, None) => Gate::Open,
            (Function::Relu, dropout) => {
                Gate::Positive(dropout.map_or(1.0, |dropout| dropout.scale))
            }
            _ => Gate::Stored,
        }
    }
}

/// Batch normalisation of a fused layer.
pub(super) struct Norm {
    pub(super) gain: Parameter,
    pub(super) shift: Parameter,
    /// Indices of running mean and variance in the plan.
    pub(super) index: [usize; 2],
    /// Names of running mean and variance.
    pub(super) names: [String; 2],
    /// One per feature.
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

/// A fused layer with its memory.
pub(super) struct FusedLayer {
    pub(super) weight: Parameter,
    pub(super) bias: Option<Parameter>,
    pub(super) norm: Option<Norm>,
    pub(super) f: Function,
    pub(super) dropout: Option<Dropout>,
    pub(super) gate: Gate,
    pub(super) y: Values,
    /// Input of a single sample, for a matrix-vector product.
    pub(super) single_input: Buffer,
    /// `f'(z)` times the dropout mask, `[features][samples]`; empty unless the gate is
    /// [`Gate::Stored`].
    pub(super) slope: Buffer,
    pub(super) delta: Delta,
}

/// The gradient of a fused layer's output, then of its linear part.
pub(super) struct Delta {
    /// Distance from one feature to the next.
    pub(super) stride: usize,
    /// `[features][samples]`.
    pub(super) rows: Buffer,
    /// `[features][samples / 2]` in bf16, `stride / 2` apart, for the gradient of the weight.
    pub(super) sample_pairs: Buffer<Pair>,
    /// `[features / 2][samples]` in bf16, for the gradient of the input; empty in the first layer.
    pub(super) pairs: Buffer<Pair>,
}

impl FusedLayer {
    /// Allocates a fused layer for up to `max_batch` samples. The `first` layer needs no gradient
    /// of its input, and no product reads the output of the `last` one.
    ///
    /// # Errors
    /// When the memory does not suffice.
    pub(super) fn new(
        mut weight: Parameter,
        bias: Option<Parameter>,
        norm: Option<Norm>,
        f: Function,
        dropout: Option<Dropout>,
        max_batch: usize,
        precision: Precision,
        first: bool,
        last: bool,
    ) -> std::result::Result<Self, NoMemory> {
        let (width, stride) = (weight.rows, padded(max_batch));
        let gate = Gate::new(f, dropout);
        let slope = if gate == Gate::Stored { width * stride } else { 0 };
        let bf16 = precision == Precision::Bf16;
        if bf16 {
            weight.packed = Packed::new(width, weight.columns, !first)?;
        }
        let pairs =
            |needed, rows: usize, stride| Buffer::new(if needed { rows * stride } else { 0 });
        let delta = Delta {
            stride,
            rows: Buffer::new(width * stride)?,
            sample_pairs: pairs(bf16, width, stride / 2)?,
            pairs: pairs(bf16 && !first, width.div_ceil(2), stride)?,
        };
        let (slope, y) =
            (Buffer::new(slope)?, Values::new(width, stride, (!last).then_some(precision))?);
        let single_input = Buffer::new(weight.columns)?;
        Ok(Self { weight, bias, norm, f, dropout, gate, y, single_input, slope, delta })
    }

    pub(super) fn parameters(&self) -> impl Iterator<Item = &Parameter> {
        let norm = self.norm.iter().flat_map(|norm| [&norm.gain, &norm.shift]);
        [&self.weight].into_iter().chain(&self.bias).chain(norm)
    }

    pub(super) fn parameters_mut(&mut self) -> impl Iterator<Item = &mut Parameter> {
        let norm = self.norm.iter_mut().flat_map(|norm| [&mut norm.gain, &mut norm.shift]);
        [&mut self.weight].into_iter().chain(&mut self.bias).chain(norm)
    }

    /// All parameters except the weight.
    pub(super) fn vectors_mut(&mut self) -> impl Iterator<Item = &mut Parameter> {
        self.parameters_mut().skip(1)
    }

    pub(super) fn load_running(&mut self, running: &[Numbers]) -> Result<()> {
        let Some(norm) = &mut self.norm else { return Ok(()) };
        let (expected, names) = (norm.features.len(), &norm.names);
        for (index, name) in norm.index.iter().zip(names) {
            let got = running[*index].len();
            if got != expected {
                return Err(PlanError::ShapeMismatch { what: name.clone(), expected, got });
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
        let all = |f: fn(&Feature) -> f32| Numbers::F32(norm.features.iter().map(f).collect());
        running[norm.index[0]] = all(|feature| feature.mean);
        running[norm.index[1]] = all(|feature| feature.variance);
    }
}
